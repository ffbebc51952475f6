//! What the files say, form by form.

mod cost;
mod differential;
mod fixture;
mod recording;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use data_encoding::BASE64;
use proptest::prelude::*;
use rustix::fs::{Mode, mkfifoat};
use rustix::process::geteuid;

use crate::ssh::known_hosts::hosts::hash_name;
use crate::ssh::known_hosts::key::fingerprint;
use crate::ssh::known_hosts::lookup::KnownHosts;
use crate::ssh::known_hosts::lookup::tests::fixture::{
    EC, ED, ED2, RSA, Store, blob, encoded, load, wire, word,
};
use crate::ssh::known_hosts::verdict::Verdict;

/// Judges the key `ED` for host `h`.
fn judge(text: impl AsRef<[u8]>, port: u16) -> String {
    word(&load(text).check("h", port, &blob(ED)))
}

#[test]
fn every_form_of_line_means_what_openssh_means() {
    let hashed = hash_name("h", [1; 20]);
    let hashed_port = hash_name("[h]:2222", [2; 20]);
    let hashed_other = hash_name("other", [3; 20]);
    let rsa = encoded(RSA);
    for (form, text, port, expected) in [
        ("plain", format!("h {ED}\n"), 22, "trusted:1"),
        ("nothing", String::new(), 22, "unknown"),
        ("another host", format!("other {ED}\n"), 22, "unknown"),
        ("another key", format!("h {ED2}\n"), 22, "changed:1"),
        ("another type", format!("h {RSA}\n"), 22, "changed:1"),
        ("two keys of one type", format!("h {ED2}\nh {ED}\n"), 22, "trusted:2"),
        ("several others", format!("h {ED2}\nx {ED}\nh {EC}\nh {RSA}\n"), 22, "changed:1,3,4"),
        ("comments and blanks", format!("# c\n\n  \t\n \t# {ED}\nh {ED}\n"), 22, "trusted:5"),
        ("commented out", format!("#h {ED}\n"), 22, "unknown"),
        ("leading blanks", format!(" \t h {ED}\n"), 22, "trusted:1"),
        ("tabs", format!("h\t{}\tcomment\n", ED.replace(' ', "\t")), 22, "trusted:1"),
        ("several spaces", format!("h   {}   a comment\n", ED.replace(' ', "  ")), 22, "trusted:1"),
        ("carriage returns", format!("# c\r\n\r\nh {ED}\r\n"), 22, "trusted:3"),
        ("carriage return after comment", format!("h {ED} c\r\n"), 22, "trusted:1"),
        ("no final newline", format!("x {ED2}\nh {ED}"), 22, "trusted:2"),
        ("upper case", format!("H {ED}\n"), 22, "trusted:1"),
        ("list", format!("a,h,b {ED}\n"), 22, "trusted:1"),
        ("glob", format!("*,x {ED}\n"), 22, "trusted:1"),
        ("glob of other hosts", format!("*.example {ED}\n"), 22, "unknown"),
        ("negation", format!("*,!h {ED}\n"), 22, "unknown"),
        ("negation of another", format!("*,!x {ED}\n"), 22, "trusted:1"),
        ("glob and plain", format!("? {ED2}\nh {ED}\n"), 22, "trusted:2"),
        ("hashed", format!("{hashed} {ED}\n"), 22, "trusted:1"),
        ("hashed, another key", format!("{hashed_other} {ED}\n{hashed} {ED2}\n"), 22, "changed:2"),
        ("hashed, another host", format!("{hashed_other} {ED}\n"), 22, "unknown"),
        ("hashed and plain", format!("{hashed} {ED2}\nh {EC}\n"), 22, "changed:1,2"),
        ("damaged hash", format!("|1|AAAA|AAAA {ED}\n"), 22, "unknown"),
        ("port", format!("[h]:2222 {ED}\n"), 2222, "trusted:1"),
        ("port, hashed", format!("{hashed_port} {ED}\n"), 2222, "trusted:1"),
        ("port, in upper case", format!("[H]:2222 {ED}\n"), 2222, "trusted:1"),
        ("port, glob", format!("[*]:2222 {ED}\n"), 2222, "trusted:1"),
        ("port, another key", format!("[h]:2222 {ED2}\nh {ED}\n"), 2222, "changed:1"),
        ("another port", format!("[h]:2222 {ED}\n"), 2200, "unknown"),
        ("a port, asked for 22", format!("[h]:2222 {ED}\n"), 22, "unknown"),
        ("[h]:22 is nobody", format!("[h]:22 {ED}\n"), 22, "unknown"),
        ("plain name, asked for a port", format!("h {ED}\n"), 2222, "trusted:1"),
        ("plain name, hashed, asked for a port", format!("{hashed} {ED}\n"), 2222, "trusted:1"),
        ("plain name, another key, asked for a port", format!("h {ED2}\n"), 2222, "unknown"),
        ("revoked", format!("@revoked h {ED}\n"), 22, "revoked:1"),
        ("revoked and recorded", format!("h {ED}\n@revoked * {ED}\n"), 22, "revoked:2"),
        ("revoked, hashed", format!("h {ED}\n@revoked {hashed} {ED}\n"), 22, "revoked:2"),
        ("another key revoked", format!("h {ED}\n@revoked * {ED2}\n"), 22, "trusted:1"),
        ("revoked elsewhere", format!("h {ED}\n@revoked x,!h {ED}\n"), 22, "trusted:1"),
        ("only another key revoked", format!("@revoked h {ED2}\n"), 22, "unknown"),
        ("authority", format!("@cert-authority h {ED}\n"), 22, "unknown"),
        ("authority and plain", format!("@cert-authority h {ED2}\nh {ED}\n"), 22, "trusted:2"),
        ("RSA by its signature algorithm", format!("h rsa-sha2-512 {rsa}\n"), 22, "changed:1"),
    ] {
        assert_eq!(judge(&text, port), expected, "{form}: {text}");
    }
}

#[test]
fn where_openssh_shrugs_the_host_is_refused() {
    let ed = encoded(ED);
    let damaged = &ed[..ed.len() - 8];
    let hashed = hash_name("h", [1; 20]);
    let weak = BASE64.encode(&wire(&[b"ssh-rsa", &[1, 0, 1], &[0xff; 64]]));
    let trailing = BASE64.encode(&[blob(ED), vec![0]].concat());
    let unknown_type = BASE64.encode(&wire(&[b"ssh-future", b"key"]));
    let long = "x".repeat(1100);
    for (form, text, port, expected) in [
        ("cut base64", format!("#\nh ssh-ed25519 {damaged}\n"), 22, "store:2"),
        ("cut by one letter", format!("h ssh-ed25519 {}\n", &ed[..ed.len() - 1]), 22, "store:1"),
        ("not base64", "h ssh-ed25519 !!!!\n".to_owned(), 22, "store:1"),
        ("bytes after the key", format!("h ssh-ed25519 {trailing}\n"), 22, "store:1"),
        ("wrong type", format!("h ssh-rsa {ed}\n"), 22, "store:1"),
        ("weak RSA", format!("h ssh-rsa {weak}\n"), 22, "store:1"),
        ("no key", "h\n".to_owned(), 22, "store:1"),
        ("no key, no newline", format!("a {ED}\nh"), 22, "store:2"),
        ("only a type", "h ssh-ed25519 \n".to_owned(), 22, "store:1"),
        ("comment instead of a key", format!("h # {ED}\n"), 22, "store:1"),
        ("protocol 1", "h 1024 35 1234567\n".to_owned(), 22, "store:1"),
        ("beside a good line", format!("h {ED}\nh ssh-ed25519 {damaged}\n"), 22, "store:2"),
        ("by a glob", format!("h {ED}\n? garbage\n"), 22, "store:2"),
        ("not ours by negation", format!("h {ED}\n*,!h garbage\n"), 22, "trusted:1"),
        ("hashed", format!("h {ED}\n{hashed} ssh-ed25519 {damaged}\n"), 22, "store:2"),
        ("of another host", format!("x ssh-ed25519 {damaged}\nh {ED}\n"), 22, "trusted:2"),
        ("damaged authority", "@cert-authority h ssh-ed25519 AAAA\n".to_owned(), 22, "store:1"),
        ("damaged revocation", format!("h {ED}\n@revoked h ssh-ed25519 {damaged}\n"), 22, "store:2"),
        ("damaged host of a revocation", format!("h {ED}\n@revoked |1|x|y {ED}\n"), 22, "revoked:2"),
        ("tab after a marker", format!("h {ED}\n@revoked\th {ED}\n"), 22, "revoked:2"),
        ("unknown marker", format!("@trusted h {ED}\n"), 22, "store:1"),
        ("marker in upper case", format!("h {ED}\n@REVOKED h {ED}\n"), 22, "store:2"),
        ("two markers", format!("@cert-authority @revoked h {ED}\n"), 22, "store:1"),
        ("revoked by its plain name", format!("[h]:2222 {ED}\n@revoked h {ED}\n"), 2222, "revoked:2"),
        ("garbage under the plain name", "h garbage\n".to_owned(), 2222, "store:1"),
        ("unknown type", format!("h ssh-future {unknown_type}\n"), 22, "changed:1"),
        ("unknown type of another name", format!("h ssh-past {unknown_type}\n"), 22, "store:1"),
        (
            "unknown type beside a good line",
            format!("h ssh-future {unknown_type}\nh {ED}\n"),
            22,
            "trusted:2",
        ),
        ("long name", format!("h,{long} {ED}\n"), 22, "store:1"),
        ("byte order mark", format!("\u{feff}h {ED}\n"), 22, "store:1"),
        ("NUL before the name", format!("\0\0h {ED}\n"), 22, "store:1"),
        ("NUL in the key", format!("h {}\0\n", &ED[..20]), 22, "store:1"),
        ("UTF-16", format!("h {ED}\r\n").chars().flat_map(|letter| [letter, '\0']).collect(), 22, "store:1"),
    ] {
        assert_eq!(judge(&text, port), expected, "{form}: {text}");
    }
}

#[test]
fn bytes_that_are_no_text_concern_only_their_line() {
    let text =
        [b"\xff\xfe\x80 \xc3\x28 \xff\n".as_slice(), format!("h {ED} caf\u{e9}\n").as_bytes()].concat();
    assert_eq!(judge(&text, 22), "trusted:2");
    let ours = [b"h \xff\xfe ".as_slice(), encoded(ED).as_bytes()].concat();
    assert_eq!(judge(&ours, 22), "store:1");
}

#[test]
fn a_certificate_is_never_trusted_for_being_recorded() {
    let certificate = wire(&[b"ssh-ed25519-cert-v01@openssh.com", b"nonce"]);
    let line = format!("h ssh-ed25519-cert-v01@openssh.com {}\n", BASE64.encode(&certificate));
    assert_eq!(word(&load(line).check("h", 22, &certificate)), "changed:1");
}

#[test]
fn the_lookup_ignores_case_and_brackets_only_other_ports() {
    let known = load(format!("::1,Web {ED}\n[::1]:2222 {ED2}\n"));
    assert_eq!(word(&known.check("WEB", 22, &blob(ED))), "trusted:1");
    assert_eq!(word(&known.check("::1", 22, &blob(ED))), "trusted:1");
    assert_eq!(word(&known.check("::1", 2222, &blob(ED2))), "trusted:2");
}

#[test]
fn what_is_no_key_is_never_trusted() {
    let known = load(format!("h {ED}\n"));
    assert_eq!(word(&known.check("h", 22, b"")), "changed:1");
    assert_eq!(word(&known.check("x", 22, b"\xff\xff\xff\xff")), "unknown");
}

#[test]
fn several_files_count_as_one_in_order() {
    let store = Store::new();
    let paths = [
        store.path("missing"),
        store.write("known_hosts", format!("h {ED2}\n")),
        store.write("global", format!("# c\nh {ED}\n@revoked * {RSA}\n")),
    ];
    let known = KnownHosts::load(&paths);
    assert_eq!(word(&known.check("h", 22, &blob(ED))), "trusted:global:2");
    assert_eq!(word(&known.check("h", 22, &blob(EC))), "changed:1,global:2");
    assert_eq!(word(&known.check("h", 22, &blob(RSA))), "revoked:global:3");
}

#[test]
fn a_file_that_cannot_be_read_refuses_every_host() {
    let store = Store::new();
    let good = store.write("known_hosts", format!("h {ED}\n@revoked x {ED}\n"));
    let looped = store.path("looped");
    symlink(&looped, &looped).expect("a symlink");
    let fifo = store.path("fifo");
    mkfifoat(rustix::fs::CWD, &fifo, Mode::RUSR | Mode::WUSR).expect("a fifo");
    let large = store.write("large", "");
    fs::File::options().write(true).open(&large).expect("opened").set_len(1 << 40).expect("a sparse file");
    let mut bad =
        vec![store.path("."), looped, fifo, large, PathBuf::from("/dev/full"), good.join("below-a-file")];
    let locked = store.write("locked", format!("h {ED}\n"));
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("the mode is set");
    // Root reads everything.
    if !geteuid().is_root() {
        bad.push(locked);
    }
    for path in bad {
        let known = KnownHosts::load(&[path.clone(), good.clone()]);
        assert_eq!(word(&known.check("h", 22, &blob(ED))), "store", "{}", path.display());
        assert_eq!(word(&known.check("x", 22, &blob(ED))), "revoked:2", "{}", path.display());
    }
}

#[test]
fn no_file_is_an_empty_one() {
    let store = Store::new();
    let dangling = store.path("dangling");
    symlink(store.path("nowhere"), &dangling).expect("a symlink");
    for path in [store.path("missing"), dangling, PathBuf::from("/dev/null")] {
        let known = KnownHosts::load(std::slice::from_ref(&path));
        assert_eq!(word(&known.check("h", 22, &blob(ED))), "unknown", "{}", path.display());
    }
}

/// Replaces the directory of the test in a message.
fn portable(store: &Store, message: &str) -> String {
    message.replace(&store.path("").display().to_string(), "~/.ssh/")
}

#[test]
fn errors_say_what_and_where_and_what_to_do() {
    let store = Store::new();
    fs::create_dir(store.path("keys")).expect("a directory");
    let large = store.write("large", "");
    fs::File::options().write(true).open(&large).expect("opened").set_len(1 << 40).expect("a sparse file");
    let looped = store.path("looped");
    symlink(&looped, &looped).expect("a symlink");
    let lines = store.write("known_hosts", format!("x {ED}\nh ssh-rsa {}\n", encoded(ED)));
    let mut said = String::new();
    for path in [store.path("keys"), large, looped, lines] {
        let Verdict::Store(error) = KnownHosts::load(&[path]).check("h", 22, &blob(ED)) else {
            panic!("every one of them is an error");
        };
        said += &portable(&store, &format!("{error}\n  {}\n", error.hint()));
    }
    insta::assert_snapshot!(said, @r"
    ~/.ssh/keys is a directory, not a file of host keys
      name another file with `known_hosts`
    ~/.ssh/large is larger than 256 MiB
      name another file with `known_hosts`
    cannot read ~/.ssh/looped: Too many levels of symbolic links (os error 40)
      make ~/.ssh/looped readable, or name other files with `known_hosts`
    ~/.ssh/known_hosts:2: a line about this host is unusable: the line says ssh-rsa, but the key is ssh-ed25519
      correct or delete line 2 of ~/.ssh/known_hosts
    ");
}

#[test]
fn unusable_lines_are_warned_of_once_each_up_to_a_limit() {
    let store = Store::new();
    let weak = BASE64.encode(&wire(&[b"ssh-rsa", &[1, 0, 1], &[0x7f; 64]]));
    let text = format!(
        "a {ED}\na\nb ssh-rsa {}\nc ssh-ed25519 AAA\nd ssh-ed25519 AAAA\n@x e {ED}\n\
         @revoked @revoked f {ED}\n|1|g {ED}\ni \u{1b}[31m {}\nj ssh-rsa {weak}\nk\0 {ED}\n\u{feff}l {ED}\n\
         @revoked |1|m {ED}\n{} {ED}\n",
        encoded(ED),
        encoded(ED),
        "n".repeat(2000),
    );
    let known = store.load(text);
    insta::assert_snapshot!(portable(&store, &known.warnings().join("\n")), @r"
    ~/.ssh/known_hosts:2: unusable line: no key
    ~/.ssh/known_hosts:3: unusable line: the line says ssh-rsa, but the key is ssh-ed25519
    ~/.ssh/known_hosts:4: unusable line: the key is not valid base64, it may be cut off
    ~/.ssh/known_hosts:5: unusable line: the key is damaged or cut off
    ~/.ssh/known_hosts:6: unusable line: unknown marker, expected @revoked or @cert-authority
    ~/.ssh/known_hosts:7: unusable line: more than one marker
    ~/.ssh/known_hosts:8: unusable line: damaged hashed host name
    ~/.ssh/known_hosts:9: unusable line: the key type is not a word of printable ASCII
    ~/.ssh/known_hosts:10: unusable line: RSA key of 511 bits, too short to be trusted
    ~/.ssh/known_hosts:11: unusable line: a NUL byte, the file is not plain text
    ~/.ssh/known_hosts:12: unusable line: a byte order mark before the host name, save the file without one
    ~/.ssh/known_hosts:13: damaged hashed host name; the key counts as revoked for every host it may match
    ~/.ssh/known_hosts:14: unusable line: a host name of more than 1022 bytes
    ");
    let many = store.load("x\n".repeat(1000));
    assert_eq!(many.warnings().len(), 21);
    insta::assert_snapshot!(many.warnings()[20], @r"
    980 more unusable lines in files of known hosts
    ");
}

#[test]
fn a_file_that_others_may_write_is_used_with_a_warning() {
    let store = Store::new();
    let path = store.write("known_hosts", format!("h {ED}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).expect("the mode is set");
    let known = KnownHosts::load(std::slice::from_ref(&path));
    assert_eq!(word(&known.check("h", 22, &blob(ED))), "trusted:1");
    insta::assert_snapshot!(portable(&store, &known.warnings().join("\n")), @r"
    ~/.ssh/known_hosts: others can add host keys to it (mode 0664), run: chmod go-w ~/.ssh/known_hosts
    ");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("the mode is set");
    assert!(KnownHosts::load(&[path]).warnings().is_empty());
}

#[test]
fn changed_lists_the_recorded_keys() {
    let store = Store::new();
    let known = store.load(format!("h {RSA}\n# c\n* {ED2}\n"));
    let Verdict::Changed { recorded } = known.check("h", 22, &blob(ED)) else { panic!("it changed") };
    let said: Vec<String> = recorded
        .iter()
        .map(|key| portable(&store, &format!("{} {} {}", key.place, key.key_type, key.fingerprint)))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    ~/.ssh/known_hosts:1 ssh-rsa SHA256:BZsGkXHhWGSu7KA6M7JVzS2x9PhUbqTdbHuyU7NlIw4
    ~/.ssh/known_hosts:3 ssh-ed25519 SHA256:2m8M9tJ49V2s8vYDP1KgwBo8FtjT7wTzpL4VqoqTGEk
    ");
}

#[test]
fn a_fingerprint_reads_as_in_openssh() {
    // ssh-keygen -lf
    assert_eq!(fingerprint(&blob(ED)), "SHA256:q3krupEeXjO3rWqIhc3a1OUbHAkvrAmu/La7Fnc2jk4");
}

#[test]
fn recorded_types_come_most_wanted_first() {
    let hashed = |name: &str, salt: u8| hash_name(name, [salt; 20]);
    let (h1, h2, x, port) = (hashed("h", 1), hashed("h", 2), hashed("x", 3), hashed("[h]:2222", 4));
    for (form, text, port, expected) in [
        ("nothing", String::new(), 22, ""),
        ("plain", format!("h {RSA}\nh {ED}\nx {EC}\nh {ED2}\n"), 22, "ssh-ed25519 ssh-rsa"),
        ("patterns", format!("*,!x {EC}\n*,!h {ED}\n"), 22, "ecdsa-sha2-nistp256"),
        ("markers do not count", format!("@revoked h {ED}\n@cert-authority h {RSA}\n"), 22, ""),
        ("revoked keys do not count", format!("h {ED}\nh {RSA}\n@revoked * {ED}\n"), 22, "ssh-rsa"),
        ("plain goes before hashed", format!("h {RSA}\n{h1} {ED}\n{x} {EC}\n"), 22, "ssh-rsa"),
        ("hashed of one type", format!("{x} {RSA}\n"), 22, "ssh-rsa"),
        ("hashed of two types", format!("{x} {RSA}\n{h1} {ED}\n"), 22, "ssh-ed25519"),
        (
            "hashed lines together",
            format!("{x} {ED}\n{h1} {RSA}\n{h2} {EC}\n"),
            22,
            "ecdsa-sha2-nistp256 ssh-rsa",
        ),
        ("hashed, another host", format!("{x} {RSA}\n{x} {EC}\n"), 22, ""),
        ("port", format!("h {ED}\n[h]:2222 {RSA}\n"), 2222, "ssh-rsa"),
        ("plain name for a port", format!("h {RSA}\n"), 2222, "ssh-rsa"),
        ("port, hashed, before the plain name", format!("h {ED}\n{port} {RSA}\n"), 2222, "ssh-rsa"),
    ] {
        assert_eq!(load(&text).recorded_types("h", port).join(" "), expected, "{form}: {text}");
    }
}

/// Bytes that look like lines more often than chance would have it.
fn file_bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        Just(b"h".to_vec()),
        Just(b" ".to_vec()),
        Just(b"\t".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"@revoked ".to_vec()),
        Just(b"@".to_vec()),
        Just(b"|1|".to_vec()),
        Just(b",!".to_vec()),
        Just(b"*".to_vec()),
        Just(ED.as_bytes().to_vec()),
        Just(b"ssh-rsa AAAAB3NzaC1yc2EAAAAD".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Nothing panics, and only what the file says is trusted.
    #[test]
    fn any_bytes_are_judged(bytes in file_bytes(), key in proptest::collection::vec(any::<u8>(), 0..64)) {
        let known = load(&bytes);
        known.recorded_types("h", 2222);
        prop_assert!(!matches!(known.check("h", 2222, &key), Verdict::Trusted(_)));
        if let Verdict::Trusted(_) = known.check("h", 22, &blob(ED)) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            prop_assert!(text.contains(encoded(ED)), "{}", text);
        }
    }
}
