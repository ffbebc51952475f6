//! What is found, what is left alone, and that pieces make no difference.

use data_encoding::{BASE64, BASE64URL};
use proptest::prelude::*;

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::*;
use crate::model::secret::{MASK, Secret};
use crate::model::shell::{Prelude, login_shell_line, single_quoted, task_script};

mod spelled;

fn redactor(secrets: &[&str]) -> Redactor {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    Redactor::new(&secrets)
}

fn in_pieces(redactor: &Redactor, pieces: &[&[u8]]) -> Vec<u8> {
    let mut stream = redactor.stream();
    let mut out: Vec<u8> = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&stream.push(piece));
    }
    out.extend_from_slice(&stream.finish());
    out
}

#[test]
fn a_secret_is_masked_wherever_it_stands() {
    let redactor = redactor(&["hunter2", "correct horse"]);
    for (text, expected) in [
        ("hunter2", "********"),
        ("a hunter2, a correct horse\n", "a ********, a ********\n"),
        ("hunter2hunter2", "****************"),
        ("hunter", "hunter"),
        ("Hunter2", "Hunter2"),
        ("", ""),
    ] {
        assert_eq!(redactor.redact(text), expected);
    }
    assert!(matches!(redactor.redact("nothing here"), Cow::Borrowed(_)));
}

#[test]
fn occurrences_that_overlap_have_one_mask() {
    let redactor = redactor(&["abcdefgh", "fghijklm", "cdefghijk"]);
    assert_eq!(redactor.redact("<abcdefghijklm>"), "<********>");
    assert_eq!(redactor.redact("<abcdefghijkl>"), "<********l>");
    assert_eq!(redactor.redact("<fghijklm>"), "<********>");
}

#[test]
fn base64_is_found_at_every_place_of_its_three_bytes() {
    let secret = "hunter2?>~s3cret";
    let redactor = redactor(&[secret]);
    for before in ["", "u", "us", "use", "user:", "\u{e4}"] {
        for behind in ["", "\n", ";x", "xyz", "@host/"] {
            let text = format!("{before}{secret}{behind}");
            for encoded in [BASE64.encode(text.as_bytes()), BASE64URL.encode(text.as_bytes())] {
                let told = redactor.redact(&encoded).into_owned();
                assert!(told.contains(MASK), "{text}: {told}");
                // At each side, at most the characters that it shares with its neighbours are left of it.
                let foreign = (before.len() * 4).div_ceil(3) + (behind.len() * 4).div_ceil(3) + 2;
                let left = told.replace(MASK, "").trim_end_matches('=').len();
                assert!(left <= foreign + 1, "{text}: {told}");
            }
        }
    }
}

#[test]
fn other_spellings_are_found() {
    let secret = "p\u{e4}ss'w\"rd $1/a b&<c>+~(d)";
    let redactor = redactor(&[secret]);
    let spelled = [
        r#"p\u00e4ss'w\"rd $1/a b&<c>+~(d)"#,
        r#"p\u00E4ss'w\"rd $1/a b&<c>+~(d)"#,
        r#"päss'w\"rd $1/a b\u0026\u003cc\u003e+~(d)"#,
        r#"p\u00e4ss\u0027w\"rd $1/a b\u0026\u003Cc\u003E+~(d)"#.to_lowercase().as_str(),
        r#"päss'w\"rd $1\/a b&<c>+~(d)"#,
        "p%C3%A4ss%27w%22rd%20%241%2Fa%20b%26%3Cc%3E%2B~%28d%29",
        "p%c3%a4ss%27w%22rd%20%241%2fa%20b%26%3cc%3e%2b~%28d%29",
        "p%C3%A4ss%27w%22rd%20%241/a%20b%26%3Cc%3E%2B~%28d%29",
        "p%C3%A4ss'w%22rd%20%241%2Fa%20b%26%3Cc%3E%2B~(d)",
        "p%C3%A4ss%27w%22rd+%241%2Fa+b%26%3Cc%3E%2B%7E%28d%29",
        r#"päss'\''w"rd $1/a b&<c>+~(d)"#,
        r#"päss'"'"'w"rd $1/a b&<c>+~(d)"#,
        r#"päss'w\"rd \$1/a b&<c>+~(d)"#,
        r#"päss'w"rd \$1/a b&<c>+~(d)"#,
        r#"päss\'w\"rd\ \$1/a\ b\&\<c\>+\~\(d\)"#,
    ]
    .map(|text| redactor.redact(&format!("<{text}>")).into_owned());
    assert_eq!(spelled, [(); 15].map(|()| format!("<{MASK}>")));
}

#[test]
fn the_line_that_a_host_is_sent_has_it_in_a_form_that_is_found() {
    for secret in ["hunter2", "it's $x", "a\"b`c\\d'e'", "two\nlines of it"] {
        let redactor = redactor(&[secret]);
        let env = [("TOKEN".to_owned(), secret.to_owned())];
        let script = format!("x={}\n", single_quoted(secret));
        let script = task_script(&Prelude { cd: None, env: &env, token: None }, &script).unwrap();
        let line = login_shell_line("bash", &script).unwrap();
        assert_eq!(redactor.redact(&line).matches(MASK).count(), 2, "{line}");
    }
}

#[test]
fn the_lines_of_a_key_are_found_one_by_one_and_its_first_and_last_line_are_not() {
    let key = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXktdjEA\nAAAABG5vbmUAAAAEbm9u\nZQ==\n-----END KEY-----";
    let redactor = redactor(&[key]);
    assert_eq!(redactor.redact(&format!("<{key}>")), "<********>");
    assert_eq!(redactor.redact(&format!("<{}>", key.replace('\n', "\r\n"))), "<********>");
    assert_eq!(
        redactor.redact("1: -----BEGIN KEY-----\n2: b3BlbnNzaC1rZXktdjEA\n4: ZQ=="),
        "1: -----BEGIN KEY-----\n2: ********\n4: ZQ=="
    );
}

#[test]
fn short_secrets_are_left_alone_and_none_cost_nothing() {
    assert!(redactor(&["root", "12345", ""]).is_empty());
    assert!(Redactor::default().is_empty());
    let text = b"root 12345".as_slice();
    assert!(matches!(Redactor::default().stream().push(text), Cow::Borrowed(told) if told == text));
}

#[test]
fn nothing_is_held_back_that_cannot_begin_a_secret() {
    let one_line = redactor(&["hunter2"]);
    let mut stream = one_line.stream();
    assert_eq!(*stream.push(b"a line\n"), *b"a line\n");
    assert_eq!(*stream.push(b"login: hunt"), *b"login: ");
    assert_eq!(*stream.push(b"ing\n"), *b"hunting\n");
    assert_eq!(*stream.push(b"hunter2"), *b"********");
    assert_eq!(*stream.push(b"h"), *b"");
    assert_eq!(stream.finish(), b"h");
    let two_lines = redactor(&["first line\nsecond line"]);
    let mut stream = two_lines.stream();
    assert_eq!(*stream.push(b"some line\n"), *b"some line\n");
    assert_eq!(*stream.push(b"a first line\n"), *b"a ");
    assert_eq!(*stream.push(b"third line\n"), *b"********\nthird line\n");
}

#[test]
fn it_shows_nothing_of_itself() {
    let redactor = redactor(&["hunter2"]);
    let mut stream = redactor.stream();
    assert_eq!(*stream.push(b"hunt"), *b"");
    let shown = format!("{redactor:?} {stream:?}");
    assert!(!shown.contains("hunt"), "{shown}");
}

/// Bytes per second through the search. Shown by `cargo nextest run --release -E 'test(how_fast)' --no-capture`.
#[test]
fn how_fast() {
    const SIZE: usize = if cfg!(debug_assertions) { 1024 * 1024 } else { 512 * 1024 * 1024 };
    let line = b"2026-01-01T00:00:00Z web01 nginx[4711]: GET /index.html?x=1 200 1234 \"Mozilla/5.0\"\n";
    let block: Vec<u8> = line.iter().copied().cycle().take(32 * 1024).collect();
    let names: Vec<String> = (0..10).map(|n| format!("{n}s3cr3t-Pass/w0rd+{n}{n}")).collect();
    let texts: Vec<&str> = names.iter().map(String::as_str).collect();
    for secrets in [&[][..], texts.get(..1).unwrap(), &texts] {
        let redactor = redactor(secrets);
        let mut stream = redactor.stream();
        let begun = std::time::Instant::now();
        let mut told = 0;
        for _ in 0..SIZE / block.len() {
            told += stream.push(&block).len();
        }
        told += stream.finish().len();
        assert_eq!(told, SIZE / block.len() * block.len());
        let rate = SIZE as f64 / begun.elapsed().as_secs_f64() / 1e6;
        println!("{} secrets: {rate:.0} MB/s", secrets.len());
    }
}

/// Texts in which the letters of the secrets meet each other in all ways.
fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop_oneof![
        4 => "[ab\n]{0,7}".prop_map(String::into_bytes),
        1 => Just(b"abaabb".to_vec()),
        1 => Just(b"bbaba\nab".to_vec()),
        1 => Just(b"YWJhYWJi".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..12)
}

proptest! {
    #[test]
    fn pieces_make_no_difference(pieces in texts()) {
        let redactor = redactor(&["abaabb", "bbaba\nab", "aabbab", "ababab"]);
        let whole = pieces.concat();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let once = redactor.redact_bytes(&whole).into_owned();
        prop_assert_eq!(&in_pieces(&redactor, &pieces), &once);
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        prop_assert_eq!(&in_pieces(&redactor, &bytes), &once);
    }

    #[test]
    fn nothing_of_a_secret_remains_and_all_else_does(
        secrets in prop::collection::vec("[a-e]{6,9}", 1..4),
        pieces in texts(),
        at in any::<prop::sample::Index>(),
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let redactor = redactor(&secrets);
        let mut pieces = pieces;
        pieces.insert(at.index(pieces.len() + 1), secrets[0].as_bytes().to_vec());
        let whole = pieces.concat();
        // A backslash before a secret is quoting, and goes with it.
        prop_assume!(!whole.contains(&b'\\'));
        let told = redactor.redact_bytes(&whole).into_owned();
        let contains = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
        for secret in &secrets {
            prop_assert!(!contains(&told, secret.as_bytes()));
        }
        // By the slow way: a byte is covered when it belongs to an occurrence.
        let forms: Vec<Zeroizing<Vec<u8>>> = secrets.iter().fold(Vec::new(), |mut forms, secret| {
            forms::of(secret, &mut forms);
            forms
        });
        let mut covered = vec![false; whole.len()];
        for form in &forms {
            for start in 0..whole.len() {
                if whole[start..].starts_with(form) {
                    covered[start..start + form.len()].fill(true);
                }
            }
        }
        let kept: Vec<u8> = whole.iter().zip(&covered).filter(|(_, covered)| !**covered).map(|(byte, _)| *byte).collect();
        let told: Vec<u8> = told.split(|&byte| byte == b'*').flatten().copied().collect();
        let kept: Vec<u8> = kept.into_iter().filter(|&byte| byte != b'*').collect();
        prop_assert_eq!(told, kept);
    }

    #[test]
    fn what_is_held_back_is_less_than_the_longest_form(pieces in texts()) {
        let redactor = redactor(&["abaabb", "bbaba\nab"]);
        let search = redactor.search.as_ref().unwrap();
        let longest = search.forms.patterns().iter().map(|form| form.len()).max().unwrap();
        let mut stream = redactor.stream();
        for piece in &pieces {
            stream.push(piece);
            // With a code that is not whole, or torn by quotes.
            prop_assert!(stream.held.len() < longest + 16);
        }
    }

    #[test]
    fn text_stays_text(secret in "\\PC{6,12}", text in "\\PC{0,20}") {
        let text = format!("{text}{secret}{text}");
        prop_assert!(std::str::from_utf8(&redactor(&[&secret]).redact_bytes(text.as_bytes())).is_ok());
    }
}
