//! SFTP servers that are honest and not OpenSSH's: what they do in another way is found out, and what comes of it is
//! as it is to be, or said.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use fan::testing::event::{ConnectionFact, Event, Fact, StepAt, StepFact};
use fan::testing::sandbox::{Behaviour, Dialect, HostSpec, Sandbox, SftpFault};

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran};

/// Hosts that each differ in some ways.
async fn hosts(differing: &[(&str, &[Dialect])]) -> Sandbox {
    let spec = |(name, dialects): &(&str, &[Dialect])| {
        HostSpec::new(*name).behaving(Behaviour::Sftp(SftpFault::Differs(dialects.to_vec())))
    };
    Sandbox::start(differing.iter().map(spec).collect()).await.unwrap()
}

/// What each host's steps said, or its failure; random parts of names are hidden.
fn said(sandbox: &Sandbox, ran: &Ran) -> Vec<(String, String)> {
    let events = ran.events();
    let of = |name: &str| {
        let steps = events.iter().filter_map(|event| match &event.fact {
            Fact::Step(StepAt { host, .. }, StepFact::Finished { outcome, .. })
                if host.to_string() == name =>
            {
                let words = outcome
                    .failure
                    .as_ref()
                    .map(|failure| format!("{}: {}", failure.kind, failure.message()));
                let note = words.or(outcome.note.clone()).unwrap_or_default();
                Some(format!("{} {note}", outcome.status).trim_end().to_owned())
            }
            _ => None,
        });
        let mut text = steps.collect::<Vec<_>>().join("; ");
        while let Some(at) = text.find(".fan-") {
            let end = (at + 5..text.len()).find(|&at| !text.as_bytes()[at].is_ascii_hexdigit());
            text.replace_range(at..end.unwrap_or(text.len()), "<random>");
        }
        text
    };
    sandbox.hosts().iter().map(|host| (host.name.clone(), of(&host.name))).collect()
}

/// All names below a folder, with where links point; none of them is a file that is not in place.
fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            assert!(!name.contains(".fan-"), "{name} is left");
            match fs::read_link(&path) {
                Ok(target) => names.push(format!("{name} -> {}", target.display())),
                Err(_) => names.push(name),
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            }
        }
    }
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Links go where they are to go and point where they are to point, on each server; one that makes others says so, and
/// none is left anywhere else.
#[tokio::test(flavor = "multi_thread")]
async fn links_are_made_and_read_back() {
    use Dialect::{AbsoluteLinks, LinkFirst, LinksLie, NoCommands, NoLinks, NoLstat, ResolvedLinks};
    let sandbox = hosts(&[
        ("openssh", &[]),
        ("draft", &[LinkFirst]),
        ("draft-alone", &[LinkFirst, NoCommands]),
        ("draft-no-lstat", &[LinkFirst, NoLstat, NoCommands]),
        ("absolute", &[AbsoluteLinks]),
        ("absolute-alone", &[AbsoluteLinks, NoCommands]),
        ("resolved", &[ResolvedLinks]),
        ("resolved-alone", &[ResolvedLinks, NoCommands]),
        ("none", &[NoLinks]),
        ("none-alone", &[NoLinks, NoCommands]),
        ("lies", &[LinksLie]),
        ("lies-alone", &[LinksLie, NoCommands]),
    ])
    .await;
    let outside = tempfile::tempdir().unwrap();
    let away = outside.path().join("away");
    let fan = Fan::of(&sandbox).file("site/a", "a").file("site/in/b", "b");
    for (target, link) in [(Path::new("a"), "l"), (Path::new("../nowhere"), "in/up"), (&away, "out")] {
        symlink(target, fan.work().join("site").join(link)).unwrap();
    }
    let tasks = "tasks: {t: {steps: [{put: site/, to: www}, {file: now, state: link, target: www/a}]}}\n";
    let fan = fan.file("tasks.yaml", tasks);
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    let mut text = String::new();
    let whole = format!(
        "now -> www/a\nwww\nwww/a\nwww/in\nwww/in/b\nwww/in/up -> ../nowhere\nwww/l -> a\nwww/out -> {}",
        away.display()
    );
    for ((name, said), host) in said(&sandbox, &ran).iter().zip(sandbox.hosts()) {
        let there = names(&host.home).join("\n");
        let what = match there.as_str() {
            "" => "nothing",
            there if there == whole => "all",
            other => other,
        };
        // Many are made at a time: which of them is told of first differs.
        let said = match (said.split_once("cannot make the link"), said.contains("point to")) {
            (Some((kind, _)), true) => {
                format!("{kind}cannot make the link: the server makes it point elsewhere")
            }
            (Some((kind, _)), false) => format!("{kind}cannot make the link: the server cannot create links"),
            (None, _) => said.clone(),
        };
        writeln!(text, "{name}: {said} [{what}]").unwrap();
    }
    assert!(!away.exists() && names(outside.path()).is_empty());
    insta::assert_snapshot!(text, @r"
    openssh: changed 2 sent; changed [all]
    draft: changed 2 sent; changed [all]
    draft-alone: changed 2 sent; changed [all]
    draft-no-lstat: changed 2 sent; changed [all]
    absolute: changed 2 sent; changed [all]
    absolute-alone: failed remote_path: cannot make the link: the server makes it point elsewhere [nothing]
    resolved: changed 2 sent; changed [all]
    resolved-alone: changed 2 sent; changed [all]
    none: changed 2 sent; changed [all]
    none-alone: failed remote_path: cannot make the link: the server cannot create links [nothing]
    lies: changed 2 sent; changed [all]
    lies-alone: failed remote_path: cannot make the link: the server cannot create links [nothing]
    ");

    // And again: what is right is left alone.
    let again = fan.run([
        "run",
        "-H",
        "openssh,draft,draft-alone,absolute,resolved-alone,none",
        "--format",
        "jsonl",
        "t",
    ]);
    for (name, said) in said(&sandbox, &again) {
        assert!(said.is_empty() || said == "ok 2 unchanged; ok", "{name}: {said}");
    }
}

/// Modes are those that are asked for; where a server sets others, a mode that the step says is an error, and all else
/// is told.
#[tokio::test(flavor = "multi_thread")]
async fn modes_are_set_and_read_back() {
    use Dialect::{
        DeafToModes, ForbidsSetstat, NoCommands, NoFsetstat, NoSetstat, SetstatFails, TellsNoModes, WideModes,
    };
    let sandbox = hosts(&[
        ("openssh", &[]),
        ("no-fsetstat", &[NoFsetstat, NoCommands]),
        ("no-setstat", &[NoSetstat, NoCommands]),
        ("setstat-fails", &[SetstatFails, NoCommands]),
        ("forbids-setstat", &[ForbidsSetstat, NoCommands]),
        ("tells-none", &[TellsNoModes, NoCommands]),
        ("wide", &[WideModes, NoCommands]),
        ("wide-no-fsetstat", &[WideModes, NoFsetstat, NoCommands]),
        ("wide-no-setstat", &[WideModes, NoSetstat, NoCommands]),
        ("deaf", &[DeafToModes, NoCommands]),
        ("deaf-wide", &[DeafToModes, WideModes, NoCommands]),
    ])
    .await;
    let fan = Fan::of(&sandbox).file("a", "a").file("site/a", "a").file("site/in/b", "b");
    for (path, mode) in [("a", 0o640), ("site/a", 0o604), ("site/in/b", 0o600), ("site/in", 0o750)] {
        fs::set_permissions(fan.work().join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let steps = [
        "{put: a, to: ours}",
        "{put: a, to: said, mode: '4711', warn_only: true}",
        "{put: site/, to: www}",
        "{file: new, state: directory}",
        "{file: deep/er, state: directory, mode: '0700', warn_only: true}",
    ];
    let fan = fan.file("tasks.yaml", format!("tasks: {{t: {{steps: [{}]}}}}\n", steps.join(", ")));
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    let mut text = String::new();
    for ((name, said), host) in said(&sandbox, &ran).iter().zip(sandbox.hosts()) {
        writeln!(text, "{name}: {said}").unwrap();
        for path in ["ours", "said", "www/a", "www/in/b", "www/in", "new", "deep", "deep/er"] {
            let path_there = host.home.join(path);
            let mode =
                if path_there.exists() { format!("{:04o}", mode(&path_there)) } else { "none".to_owned() };
            write!(text, "  {path} {mode}").unwrap();
        }
        text.push('\n');
        assert!(names(&host.home).len() >= 6, "{name}");
    }
    insta::assert_snapshot!(text, @r"
    openssh: changed 1 sent; changed 1 sent; changed 2 sent; changed; changed
      ours 0640  said 4711  www/a 0604  www/in/b 0600  www/in 0750  new 0755  deep 0755  deep/er 0700
    no-fsetstat: changed 1 sent; changed 1 sent; changed 2 sent; changed; changed
      ours 0640  said 4711  www/a 0604  www/in/b 0600  www/in 0750  new 0755  deep 0755  deep/er 0700
    no-setstat: changed 1 sent, the server does not set modes as requested: ./ours has 0600, not 0640; warned remote_permission: the server does not set modes as requested: ./said has 0600, not 4711; changed 2 sent, the server does not set modes as requested: ./www/a has 0600, not 0604; changed; warned remote_permission: the server does not set modes as requested: deep/er has 0755, not 0700
      ours 0600  said none  www/a 0600  www/in/b 0600  www/in 0750  new 0755  deep 0755  deep/er 0755
    setstat-fails: changed 1 sent, the server does not set modes as requested: ./ours has 0600, not 0640; warned remote_permission: the server does not set modes as requested: ./said has 0600, not 4711; changed 2 sent, the server does not set modes as requested: ./www/a has 0600, not 0604; changed; warned remote_permission: the server does not set modes as requested: deep/er has 0755, not 0700
      ours 0600  said none  www/a 0600  www/in/b 0600  www/in 0750  new 0755  deep 0755  deep/er 0755
    forbids-setstat: changed 1 sent, the server does not set modes as requested: ./ours has 0600, not 0640; warned remote_permission: the server does not set modes as requested: ./said has 0600, not 4711; changed 2 sent, the server does not set modes as requested: ./www/a has 0600, not 0604; changed; warned remote_permission: the server does not set modes as requested: deep/er has 0755, not 0700
      ours 0600  said none  www/a 0600  www/in/b 0600  www/in 0750  new 0755  deep 0755  deep/er 0755
    tells-none: changed 1 sent, the server reports no modes: whether ./ours has 0640 is not known; warned remote_permission: the server reports no modes: whether ./said has 4711 is not known; changed 2 sent, the server reports no modes: whether ./www has 0755 is not known; changed the server reports no modes: that of . is not known; warned remote_permission: the server reports no modes: whether deep/er has 0700 is not known
      ours 0640  said none  www/a 0604  www/in/b 0600  www/in 0750  new 0755  deep 0755  deep/er 0700
    wide: changed 1 sent; changed 1 sent; changed 2 sent; changed; changed
      ours 0640  said 4711  www/a 0604  www/in/b 0600  www/in 0750  new 0755  deep 0755  deep/er 0700
    wide-no-fsetstat: changed 1 sent; changed 1 sent; changed 2 sent; changed; changed
      ours 0640  said 4711  www/a 0604  www/in/b 0600  www/in 0750  new 0755  deep 0755  deep/er 0700
    wide-no-setstat: changed 1 sent, the server does not set modes as requested: ./ours has 0666, not 0640; warned remote_permission: the server does not set modes as requested: ./said has 0666, not 4711; changed 2 sent, the server does not set modes as requested: ./www has 0777, not 0755; changed the server does not set modes as requested: new has 0777, not 0755; warned remote_permission: the server does not set modes as requested: deep has 0777, not 0755
      ours 0666  said none  www/a 0666  www/in/b 0666  www/in 0777  new 0777  deep 0777  deep/er 0777
    deaf: changed 1 sent, the server does not set modes as requested: ./ours has 0600, not 0640; warned remote_permission: the server does not set modes as requested: ./said has 0600, not 4711; changed 2 sent, the server does not set modes as requested: ./www/a has 0600, not 0604; changed; warned remote_permission: the server does not set modes as requested: deep/er has 0755, not 0700
      ours 0600  said none  www/a 0600  www/in/b 0600  www/in 0750  new 0755  deep 0755  deep/er 0755
    deaf-wide: changed 1 sent, the server does not set modes as requested: ./ours has 0666, not 0640; warned remote_permission: the server does not set modes as requested: ./said has 0666, not 4711; changed 2 sent, the server does not set modes as requested: ./www has 0777, not 0755; changed the server does not set modes as requested: new has 0777, not 0755; warned remote_permission: the server does not set modes as requested: deep has 0777, not 0755
      ours 0666  said none  www/a 0666  www/in/b 0666  www/in 0777  new 0777  deep 0777  deep/er 0777
    ");
}

/// What nobody counts on the host is read back to be compared.
#[tokio::test(flavor = "multi_thread")]
async fn unchanged_is_not_sent_where_no_command_may_run() {
    let no_commands = Behaviour::Sftp(SftpFault::Differs(vec![Dialect::NoCommands]));
    let ends = Behaviour::Sftp(SftpFault::Differs(vec![Dialect::EndsOnCommand]));
    let one_session = Behaviour::RefuseChannels { after: 1, count: u32::MAX };
    let spec = |(name, behaviour): (&str, Behaviour)| HostSpec::new(name).behaving(behaviour);
    let kinds = [
        ("refused", Behaviour::RefuseExec),
        ("no-commands", no_commands),
        ("ends", ends),
        ("one-session", one_session),
    ];
    let sandbox = Sandbox::start(kinds.into_iter().map(spec).collect()).await.unwrap();
    let fan = Fan::of(&sandbox).file("a", "one").file("site/a", "one").file("site/in/b", "two");
    let tasks = "tasks: {t: {steps: [{put: a, to: a}, {put: site/, to: www}, {sync: site, to: synced}]}}\n";
    let fan = fan.file("tasks.yaml", tasks);
    let run = || {
        let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        said(&sandbox, &ran)
    };
    for (name, said) in run() {
        assert_eq!(said, "changed 1 sent; changed 2 sent; changed 2 sent", "{name}");
    }
    for (name, said) in run() {
        assert_eq!(said, "ok 1 unchanged; ok 2 unchanged; ok 2 unchanged", "{name}");
    }
    // Of the same size.
    fs::write(fan.work().join("a"), "two").unwrap();
    fs::write(fan.work().join("site/a"), "six").unwrap();
    for (name, said) in run() {
        let due = "changed 1 sent; changed 1 sent, 1 unchanged; changed 1 sent, 1 unchanged";
        assert_eq!(said, due, "{name}");
    }
    for host in sandbox.hosts() {
        assert_eq!(fs::read(host.home.join("a")).unwrap(), b"two", "{}", host.name);
        assert_eq!(fs::read(host.home.join("www/a")).unwrap(), b"six", "{}", host.name);
        assert_eq!(names(&host.home).len(), 9, "{:?}", names(&host.home));
    }
    for due in ["2 got", "2 unchanged"] {
        let ran = fan.run(["get", "-H", "all", "--format", "jsonl", "www", "got/{host}"]);
        for (name, said) in said(&sandbox, &ran) {
            assert_eq!(said, format!("ok {due}"), "{name}");
        }
    }
}

/// A server that ends the connection when a command is asked for beside SFTP costs one connection, once.
#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_connection_is_remembered() {
    let sandbox = hosts(&[("ends", &[Dialect::EndsOnCommand])]).await;
    let fan = Fan::of(&sandbox).file("a", "one").file(
        "tasks.yaml",
        "tasks: {t: {steps: [{put: a, to: a}, {put: a, to: b}, {file: d, state: directory}, {put: a, to: d/c}]}}\n",
    );
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let connected =
        |event: &&Event| matches!(event.fact, Fact::Connection(_, ConnectionFact::Connected { .. }));
    assert_eq!(ran.events().iter().filter(connected).count(), 2);
    let host = &sandbox.hosts()[0];
    assert_eq!(names(&host.home), ["a", "b", "d", "d/c"]);

    // What takes a command says so, and ends nothing.
    let tasks = "tasks: {t: {steps: [{put: a, to: a, validate: 'cat %s'}]}}\n";
    fs::write(fan.work().join("a"), "new").unwrap();
    let fan = fan.file("tasks.yaml", tasks);
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    let said = said(&sandbox, &ran);
    assert!(
        said[0].1.contains("exec_refused: the server ends the connection when asked for a command"),
        "{said:?}"
    );
    assert_eq!(fs::read(host.home.join("a")).unwrap(), b"one");
    let tasks = "tasks: {t: {steps: [{put: a, to: a}, {run: 'true'}]}}\n";
    let ran = fan.file("tasks.yaml", tasks).run(["run", "-H", "all", "--format", "jsonl", "t"]);
    let said = self::said(&sandbox, &ran);
    assert!(
        said[0].1.starts_with("changed 1 sent; failed exec_refused: the server ends the connection"),
        "{said:?}"
    );
}

/// Everything else that servers do in another way changes nothing of what comes of it.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_dialect_files_are_the_same() {
    use Dialect::{
        AlreadyExists, BareNames, HollowExtensions, NoCommands, NoFsetstat, NoLstat, NoSuchPath, ShortReads,
        SmallPackets, WideModes,
    };
    let sandbox = hosts(&[
        ("bare-names", &[BareNames, NoCommands]),
        ("no-lstat", &[NoLstat, NoCommands]),
        ("short-reads", &[ShortReads, NoCommands]),
        ("small-packets", &[SmallPackets, NoCommands]),
        ("already-exists", &[AlreadyExists, NoCommands]),
        ("hollow", &[HollowExtensions, NoCommands]),
        ("no-such-path", &[NoSuchPath]),
        (
            "most",
            &[BareNames, NoLstat, ShortReads, SmallPackets, NoFsetstat, NoSuchPath, WideModes, NoCommands],
        ),
    ])
    .await;
    let large: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    let fan = Fan::of(&sandbox).file("site/large", &large).file("site/in/b", "two");
    symlink("large", fan.work().join("site/l")).unwrap();
    let tasks = "tasks: {t: {steps: [{put: site/large, to: a}, {sync: site, to: synced, delete: true}]}}\n";
    let fan = fan.file("tasks.yaml", tasks);
    let mut before = large.clone();
    before.reverse();
    for host in sandbox.hosts() {
        fs::write(host.home.join("a"), &before).unwrap();
        fs::create_dir_all(host.home.join("synced/old/er")).unwrap();
        fs::write(host.home.join("synced/large"), &before).unwrap();
        fs::write(host.home.join("synced/old/er/x"), "x").unwrap();
    }
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    for ((name, said), host) in said(&sandbox, &ran).iter().zip(sandbox.hosts()) {
        assert!(!said.contains("failed"), "{name}: {said}");
        assert_eq!(fs::read(host.home.join("a")).unwrap(), large, "{name}");
        assert_eq!(fs::read(host.home.join("synced/large")).unwrap(), large, "{name}");
        let due = ["a", "synced", "synced/in", "synced/in/b", "synced/l -> large", "synced/large"];
        assert_eq!(names(&host.home), due, "{name}");
    }
    let again = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    for (name, said) in said(&sandbox, &again) {
        assert_eq!(said, "ok 1 unchanged; ok 2 unchanged", "{name}");
    }
    let ran = fan.run(["get", "-H", "all", "--format", "jsonl", "synced", "got/{host}"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    for host in sandbox.hosts() {
        let got = fan.work().join("got").join(&host.name).join("synced");
        assert_eq!(fs::read(got.join("large")).unwrap(), large, "{}", host.name);
        assert_eq!(names(&got), ["in", "in/b", "l -> large", "large"], "{}", host.name);
    }
}

/// Without SFTP, contents are the output of commands. Where it is not told how one ended, it runs again: nothing is
/// changed by that, and what was not told to be whole is not taken for whole.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_commands_comes_again_when_an_end_is_lost() {
    let sandbox = hosts(&[("loses", &[Dialect::NoSftp, Dialect::LosesEnds])]).await;
    let host = &sandbox.hosts()[0];
    fs::create_dir(host.home.join("logs")).unwrap();
    for number in 0..16 {
        fs::write(host.home.join(format!("logs/{number:02}")), format!("{number}").repeat(300_000)).unwrap();
    }
    let fan = Fan::of(&sandbox).file("site/a", "one").file("site/b", "two").file("site/c", "six");
    let ran = fan.run(["get", "-H", "all", "--format", "jsonl", "logs", "got"]);
    assert_eq!(said(&sandbox, &ran)[0].1, "ok 16 got, by commands: the server has no SFTP");
    assert_eq!(names(&fan.work().join("got/logs")), names(&host.home.join("logs")));
    for name in names(&host.home.join("logs")) {
        let (ours, theirs) = (fan.work().join("got/logs").join(&name), host.home.join("logs").join(&name));
        assert_eq!(fs::read(ours).unwrap(), fs::read(theirs).unwrap(), "{name}");
    }
    let ran = fan.run(["put", "-H", "all", "--format", "jsonl", "site/", "www"]);
    assert_eq!(said(&sandbox, &ran)[0].1, "changed 3 sent, by commands: the server has no SFTP");
    assert_eq!(names(&host.home.join("www")), ["a", "b", "c"]);
}

/// A command of its own for each small file would be a login each.
#[tokio::test(flavor = "multi_thread")]
async fn small_files_are_written_by_one_shell_where_there_is_no_sftp() {
    let sandbox = hosts(&[("none", &[Dialect::NoSftp])]).await;
    let host = &sandbox.hosts()[0];
    let mut fan = Fan::of(&sandbox).file("site/empty", "");
    let every_byte: Vec<u8> = (0..=255_u8).cycle().take(16 * 1024).collect();
    for number in 0..43_usize {
        fan = fan.file(&format!("site/{number:02}"), &every_byte[number..]);
    }
    let ran = fan.run(["put", "-H", "all", "--format", "jsonl", "site/", "www"]);
    assert_eq!(said(&sandbox, &ran)[0].1, "changed 44 sent, by commands: the server has no SFTP");
    for name in names(&fan.work().join("site")) {
        let (ours, theirs) = (fan.work().join("site").join(&name), host.home.join("www").join(&name));
        assert_eq!(fs::read(ours).unwrap(), fs::read(theirs).unwrap(), "{name}");
    }
    assert!(host.execs() <= 2, "{} commands", host.execs());
}

/// SFTP may begin in another folder than commands do: a relative path is the same file to both.
#[test]
fn commands_begin_where_sftp_does() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("Subsystem sftp internal-sftp -d {}", folder.path().display());
    let sshd = Sshd::builder().without_sftp().line(&line).start();
    fs::write(folder.path().join("x"), "old").unwrap();
    let ran = Fan::at(&sshd).file("x", "new").run([
        "put",
        "-H",
        "h1",
        "--backup",
        "--validate",
        "grep new %s",
        "x",
        "x",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(fs::read(folder.path().join("x")).unwrap(), b"new");
    assert_eq!(names(folder.path()).len(), 2, "{:?}", names(folder.path()));
}

/// A server that renames what a link points at loses no file: links are not renamed there.
#[tokio::test(flavor = "multi_thread")]
async fn no_link_is_renamed_where_that_moves_a_file() {
    use Dialect::{NoCommands, RenamesThrough, ReplacesThrough};
    let sandbox = hosts(&[
        ("through", &[RenamesThrough, NoCommands]),
        ("shell", &[RenamesThrough]),
        ("target", &[ReplacesThrough, NoCommands]),
    ])
    .await;
    let fan = Fan::of(&sandbox).file("site/a", "a").file("site/in/b", "b");
    for (target, link) in [("a", "l"), ("../a", "in/up"), ("b", "in/l")] {
        symlink(target, fan.work().join("site").join(link)).unwrap();
    }
    for host in sandbox.hosts() {
        fs::create_dir_all(host.home.join("www/in")).unwrap();
        fs::write(host.home.join("www/a"), "a").unwrap();
        fs::write(host.home.join("www/in/up"), "a file").unwrap();
        symlink("elsewhere", host.home.join("www/l")).unwrap();
        symlink("a", host.home.join("now")).unwrap();
        fs::write(host.home.join("kept"), "kept").unwrap();
        symlink("../../kept", host.home.join("www/in/b")).unwrap();
        symlink("kept", host.home.join("single")).unwrap();
    }
    let tasks = "tasks: {t: {steps: [{sync: site, to: www}, {put: site/a, to: single}, {file: now, state: link, target: www/a}]}}\n";
    let fan = fan.file("tasks.yaml", tasks);
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    for ((name, said), host) in said(&sandbox, &ran).iter().zip(sandbox.hosts()) {
        let note = "not atomic: the server does not rename over an existing file";
        assert_eq!(
            *said,
            format!("changed 1 sent, 1 unchanged, {note}; changed 1 sent, {note}; changed"),
            "{name}"
        );
        let due = [
            "kept",
            "now -> www/a",
            "single",
            "www",
            "www/a",
            "www/in",
            "www/in/b",
            "www/in/l -> b",
            "www/in/up -> ../a",
            "www/l -> a",
        ];
        assert_eq!(names(&host.home), due, "{name}");
        for (path, content) in [("www/a", "a"), ("www/in/b", "b"), ("single", "a"), ("kept", "kept")] {
            assert_eq!(fs::read_to_string(host.home.join(path)).unwrap(), content, "{name}: {path}");
        }
    }
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    for (name, said) in said(&sandbox, &ran) {
        assert_eq!(said, "ok 2 unchanged; ok 1 unchanged; ok", "{name}");
    }
}

/// What cannot be tried with a link of ours is no reason to fail: not where links are made only as the server likes, nor
/// where none are made at all.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_a_links_place_is_replaced_where_few_links_are_made() {
    use Dialect::{AbsoluteLinks, NoCommands, NoLinks, RenamesThrough};
    let sandbox = hosts(&[
        ("absolute", &[AbsoluteLinks, NoCommands]),
        ("none", &[NoLinks, NoCommands]),
        ("none-through", &[NoLinks, RenamesThrough, NoCommands]),
    ])
    .await;
    let fan = Fan::of(&sandbox).file("site/a", "new");
    for host in sandbox.hosts() {
        fs::create_dir(host.home.join("www")).unwrap();
        for name in ["single", "www/a"] {
            symlink(host.home.join("kept"), host.home.join(name)).unwrap();
        }
        fs::write(host.home.join("kept"), "kept").unwrap();
        symlink("/nowhere", host.home.join("now")).unwrap();
    }
    let tasks = "tasks: {t: {steps: [{put: site/a, to: single}, {put: site/, to: www}, \
                 {file: now, state: link, target: /not/there, warn_only: true}]}}\n";
    let fan = fan.file("tasks.yaml", tasks);
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    let mut text = String::new();
    for ((name, said), host) in said(&sandbox, &ran).iter().zip(sandbox.hosts()) {
        writeln!(text, "{name}: {said} [{}]", names(&host.home).join(", ")).unwrap();
        for (path, content) in [("single", "new"), ("www/a", "new"), ("kept", "kept")] {
            assert_eq!(fs::read_to_string(host.home.join(path)).unwrap(), content, "{name}: {path}");
        }
    }
    insta::assert_snapshot!(text, @r"
    absolute: changed 1 sent, not atomic: the server does not rename over an existing file; changed 1 sent, not atomic: the server does not rename over an existing file; changed [kept, now -> /not/there, single, www, www/a]
    none: changed 1 sent, not atomic: the server does not rename over an existing file; changed 1 sent, not atomic: the server does not rename over an existing file; warned remote_path: cannot make the link ./.now<random>: the server cannot create links [kept, now -> /nowhere, single, www, www/a]
    none-through: changed 1 sent, not atomic: the server does not rename over an existing file; changed 1 sent, not atomic: the server does not rename over an existing file; warned remote_path: cannot make the link ./.now<random>: the server cannot create links [kept, now -> /nowhere, single, www, www/a]
    ");
}

/// A link is one whatever the server calls it: nothing is changed or removed behind it, and nothing fetched.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_link_points_at_is_let_be_however_it_is_told() {
    use Dialect::{ListsThrough, LstatFollows, NoCommands, RenamesThrough};
    let sandbox = hosts(&[
        ("openssh", &[NoCommands]),
        ("lstat", &[LstatFollows, NoCommands]),
        ("lists", &[ListsThrough, NoCommands]),
        ("both", &[LstatFollows, ListsThrough, NoCommands]),
        ("proftpd", &[LstatFollows, RenamesThrough, NoCommands]),
        ("shell", &[LstatFollows, ListsThrough]),
    ])
    .await;
    let fan = Fan::of(&sandbox).file("site/a", "a").file("site/in/b", "b");
    symlink("a", fan.work().join("site/l")).unwrap();
    for host in sandbox.hosts() {
        fs::create_dir_all(host.home.join("www/in")).unwrap();
        fs::create_dir_all(host.home.join("kept/deep")).unwrap();
        for name in ["kept/deep/file", "kept/b", "kept/a"] {
            fs::write(host.home.join(name), "kept").unwrap();
        }
        // Extra ones, one in the place of a file, one in that of a folder, and single ones.
        for (target, link) in [
            ("../kept", "www/extra"),
            ("..", "www/in/up"),
            ("../kept/a", "www/a"),
            ("../../kept/b", "www/in/b"),
            ("a", "www/l"),
            ("kept", "gone"),
            ("kept/b", "gone-file"),
            ("kept/a", "now"),
        ] {
            symlink(target, host.home.join(link)).unwrap();
        }
    }
    // Fetched first: a folder that leads back to where it is has no end.
    let ran = fan.run(["get", "-H", "all", "--format", "jsonl", "www", "got/{host}"]);
    for (name, said) in said(&sandbox, &ran) {
        assert!(!said.contains("failed"), "{name}: {said}");
        let got = names(&fan.work().join("got").join(&name).join("www"));
        assert!(!got.iter().any(|got| got.contains("deep") || got.contains("up/")), "{name}: {got:?}");
    }
    let tasks = "tasks: {t: {steps: [{sync: site, to: www, delete: true}, {file: gone, state: absent, recurse: true}, \
                 {file: gone-file, state: absent}, {file: now, state: link, target: www/a}]}}\n";
    let fan = fan.file("tasks.yaml", tasks);
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    for ((name, said), host) in said(&sandbox, &ran).iter().zip(sandbox.hosts()) {
        assert!(!said.contains("failed"), "{name}: {said}");
        let due = [
            "kept",
            "kept/a",
            "kept/b",
            "kept/deep",
            "kept/deep/file",
            "now -> www/a",
            "www",
            "www/a",
            "www/in",
            "www/in/b",
            "www/l -> a",
        ];
        assert_eq!(names(&host.home), due, "{name}: {said}");
        for (path, content) in [("www/a", "a"), ("www/in/b", "b"), ("kept/a", "kept"), ("kept/b", "kept")] {
            assert_eq!(fs::read_to_string(host.home.join(path)).unwrap(), content, "{name}: {path}");
        }
    }
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    for (name, said) in said(&sandbox, &ran) {
        assert_eq!(said, "ok 2 unchanged; ok; ok; ok", "{name}");
    }
}

/// The same for a host that steps of others are done on: they share one connection, and then the one after it.
#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_connection_is_learned_of_a_host_that_others_use() {
    let sandbox =
        hosts(&[("one", &[]), ("two", &[]), ("three", &[]), ("ends", &[Dialect::EndsOnCommand])]).await;
    let fan = Fan::of(&sandbox).file("a", "one").file(
        "tasks.yaml",
        "tasks: {t: {steps: [{put: a, to: 'a-{{ host }}', on: ends}, {put: a, to: 'b-{{ host }}', on: ends}, \
         {run: 'true'}, {put: a, to: here}]}}\n",
    );
    let ran = fan.run(["run", "-H", "one,two,three", "--format", "jsonl", "t"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let ends = sandbox.hosts().iter().find(|host| host.name == "ends").unwrap();
    assert_eq!(names(&ends.home), ["a-one", "a-three", "a-two", "b-one", "b-three", "b-two"]);
    // What is learned of it is not kept of the others.
    for host in sandbox.hosts().iter().filter(|host| host.name != "ends") {
        assert_eq!(names(&host.home), ["here"], "{}", host.name);
    }
    assert_eq!(ends.connections(), 2);
}

/// OpenSSH may be told to do less than it can.
#[test]
fn what_a_server_was_told_not_to_do_is_done_without() {
    let refused = "Subsystem sftp internal-sftp -P fsync,setstat,fsetstat,limits";
    let sshd = Sshd::builder().without_sftp().line(refused).start();
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there");
    let fan = Fan::at(&sshd).file("new", "content");
    let ran = fan.run(["put", "-H", "h1", "new", &there.display().to_string()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&there).unwrap(), "content");
    assert!(ran.stderr.contains("the server does not set modes as requested"), "{}", ran.stderr);
    let fan = fan.file("site/in/a", "one");
    fs::set_permissions(fan.work().join("site/in"), fs::Permissions::from_mode(0o2711)).unwrap();
    for count in 1..=2 {
        let ran = fan.run(["put", "-H", "h1", "site/", &folder.path().join("www").display().to_string()]);
        assert_eq!(ran.code, Some(0), "{count}: {}", ran.stderr);
        assert_eq!(names(&folder.path().join("www")), ["in", "in/a"]);
    }
}

/// A server that sets modes and refuses one of them fails the step, whatever it calls the refusal; what was made to find
/// that out is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_mode_that_is_refused_is_an_error_where_others_are_set() {
    use Dialect::{NoCommands, SetstatFailsFor};
    let sandbox = hosts(&[("refuses", &[SetstatFailsFor("kept"), NoCommands])]).await;
    let home = &sandbox.hosts()[0].home;
    for folder in ["kept", "www/kept"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    fs::write(home.join("file-kept"), "x").unwrap();
    let steps = [
        "{file: kept, state: directory, mode: '0700', warn_only: true}",
        "{file: file-kept, mode: '0600', warn_only: true}",
        "{sync: site/, to: www, warn_only: true}",
    ];
    let fan = Fan::of(&sandbox).file("site/kept/a", "a");
    fs::set_permissions(fan.work().join("site/kept"), fs::Permissions::from_mode(0o700)).unwrap();
    let fan = fan.file("tasks.yaml", format!("tasks: {{t: {{steps: [{}]}}}}\n", steps.join(", ")));
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    assert_eq!(
        said(&sandbox, &ran)[0].1,
        ["kept", "file-kept", "www/kept"]
            .map(|path| format!(
                "warned remote_path: cannot set the attributes of {path}: the server says \"Failure\""
            ))
            .join("; ")
    );
    let due = ["file-kept", "kept", "www", "www/kept"];
    assert_eq!(names(home).into_iter().filter(|name| name != "www/kept/a").collect::<Vec<_>>(), due);
}

/// What is missing is found out from the folder's list where the server only says that it failed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_missing_however_a_server_says_so() {
    use Dialect::{MissingFails, NoCommands, NoLstat};
    let sandbox = hosts(&[
        ("openssh", &[NoCommands]),
        ("fails", &[MissingFails, NoCommands]),
        ("no-lstat", &[MissingFails, NoLstat, NoCommands]),
    ])
    .await;
    for host in sandbox.hosts() {
        symlink("nowhere/at/all", host.home.join("dangling")).unwrap();
    }
    let steps = [
        "{put: site/, to: www}",
        "{put: site/a, to: new}",
        "{file: gone, state: absent}",
        "{file: deep/er/est, state: directory}",
        "{file: none/of/it, state: absent}",
        "{file: made}",
        "{stat: not/there}",
        "{stat: new/below}",
        "{put: site/a, to: dangling/x, warn_only: true}",
        "{get: missing, to: 'here/{{ host }}/', warn_only: true}",
        "{ls: missing, warn_only: true}",
        "{put: site/a, to: no/such/x, warn_only: true}",
    ];
    let fan = Fan::of(&sandbox).file("site/a", "a").file("site/in/b", "b");
    let fan = fan.file("tasks.yaml", format!("tasks: {{t: {{steps: [{}]}}}}\n", steps.join(", ")));
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    let said = said(&sandbox, &ran);
    assert!(
        said[0].1.starts_with("changed 2 sent; changed 1 sent; ok; changed; ok; changed; ok"),
        "{}",
        said[0].1
    );
    for (name, words) in &said {
        assert_eq!(words, &said[0].1, "{name}");
    }
    for host in sandbox.hosts() {
        let due = [
            "dangling -> nowhere/at/all",
            "deep",
            "deep/er",
            "deep/er/est",
            "made",
            "new",
            "www",
            "www/a",
            "www/in",
            "www/in/b",
        ];
        assert_eq!(names(&host.home), due, "{}", host.name);
    }
}

/// Where modes are not told, nor so what is a folder, that is found out, and the mode is said to be unknown.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_mode_is_looked_into() {
    use Dialect::{NoCommands, TellsNoFolderModes, TellsNoModes};
    let sandbox =
        hosts(&[("none", &[TellsNoModes, NoCommands]), ("folders", &[TellsNoFolderModes, NoCommands])]).await;
    for host in sandbox.hosts() {
        fs::create_dir_all(host.home.join("www/old/er")).unwrap();
        fs::write(host.home.join("www/old/er/x"), "x").unwrap();
    }
    let steps = [
        "{sync: site/, to: www, delete: true}",
        "{sync: site/, to: www, delete: true}",
        "{file: www, state: directory}",
        "{file: www/in, state: directory, mode: '0700', warn_only: true}",
        "{stat: www, register: s}",
        "{assert: 's.is_folder'}",
        "{ls: www}",
        "{get: www, to: 'got/{{ host }}/'}",
    ];
    let fan = Fan::of(&sandbox).file("site/a", "a").file("site/in/b", "b");
    let fan = fan.file("tasks.yaml", format!("tasks: {{t: {{steps: [{}]}}}}\n", steps.join(", ")));
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "t"]);
    let mut text = String::new();
    for (name, said) in said(&sandbox, &ran) {
        writeln!(text, "{name}:\n{}", said.replace("; ", "\n")).unwrap();
    }
    insta::assert_snapshot!(text, @r"
    none:
    changed 2 sent, 3 removed, the server reports no modes: whether www/a has 0644 is not known
    ok 2 unchanged, the server reports no modes: that of . is not known
    ok the server reports no modes: that of www is not known
    warned remote_permission: the server reports no modes: whether www/in has 0700 is not known
    ok www is a folder, the server reports no modes: that of www is not known
    ok
    ok the server reports no modes: that of www is not known
    ok 2 got, the server reports no modes: that of www is not known
    folders:
    changed 2 sent, 3 removed, the server reports no modes: whether www/in has 0755 is not known
    ok 2 unchanged, the server reports no modes: that of . is not known
    ok the server reports no modes: that of www is not known
    warned remote_permission: the server reports no modes: whether www/in has 0700 is not known
    ok www is a folder, the server reports no modes: that of www is not known
    ok
    ok the server reports no modes: that of www is not known
    ok 2 got, the server reports no modes: that of www is not known
    ");
    for host in sandbox.hosts() {
        assert_eq!(names(&host.home), ["www", "www/a", "www/in", "www/in/b"], "{}", host.name);
        let got = fan.work().join("got").join(&host.name).join("www");
        assert_eq!(names(&got), ["a", "in", "in/b"], "{}", host.name);
    }
}
