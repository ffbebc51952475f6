//! Whatever fan, the launchers and real shells make of a secret, however often, is found.

use std::process::Command;

use super::*;
use crate::model::privilege::{Method, Privilege};
use crate::model::redact::redactor::MAX_HELD;
use crate::model::redact::undone::Undone;
use crate::model::secret::MASK;
use crate::model::shell::carried::{Carried, carried};
use crate::model::shell::launch::{Input, Launch};
use crate::model::shell::marks::Token;
use crate::model::shell::spelling::Spelling;
use crate::model::shell::watchdog::Orphaned;
use crate::model::shell::{argv_words, quote_word};

/// Secrets that quoting changes, each in another way.
const LOUD: [&str; 8] = [
    "pa$$word-17",
    "it's `$x` \"q\" \\b/+&<>%4!",
    "\u{e4}\u{20ac}\u{1f511}'s key",
    "two\nlines of \\n it",
    "c:\\new\\table\\0044\\x41",
    "100%41%25%zz!",
    "''''a\"\"\"b\\\\\\\\cd",
    "p+q r\tand\u{7f}more",
];

/// Secrets of one line and of ASCII: what shells print of others, they may print piece by piece.
const LINES: [&str; 4] =
    ["pa$$word-17", "it's `$x` \"q\" \\b/+&<>%4!", "c:\\new\\table\\0044\\x41", "100%41%25%zz!"];

/// Whether a text shows the secret to someone who undoes all quoting.
fn shows(text: &[u8], secret: &str) -> bool {
    let (text, secret) = (Undone::of(text, true).bytes, Undone::of(secret.as_bytes(), true).bytes);
    text.windows(secret.len()).any(|part| part == secret)
}

fn is_masked(redactor: &Redactor, secret: &str, how: &str, text: &str) {
    let told = redactor.redact(text).into_owned();
    // Nothing but quotes, and codes of quotes, stands where the secret was.
    let rest = told.trim_start_matches('<').trim_end_matches('>').replace(MASK, "");
    let rest = rest.replace("quot;", "").replace("amp;", "");
    let rest: String = rest.chars().filter(|c| !"\\'\"0134672&#x;".contains(*c)).collect();
    assert!(told.contains(MASK) && rest.is_empty(), "{how} of {secret:?}: {told}\n{text}");
    for size in [1, 2, 7, 64] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let pieced = String::from_utf8(in_pieces(redactor, &pieces)).unwrap();
        assert_eq!(pieced, told, "{how} of {secret:?} in pieces of {size}");
    }
}

#[test]
fn every_spelling_of_every_spelling_is_found_four_layers_deep() {
    for secret in LOUD {
        let redactor = redactor(&[secret]);
        let mut layers = vec![(String::new(), secret.to_owned())];
        for _ in 0..=4 {
            let mut next = Vec::new();
            for (how, text) in &layers {
                is_masked(&redactor, secret, how, &format!("<<{text}>>"));
                let spelled = Spelling::ALL.map(|row| (format!("{how} {row:?}"), row.spell(text)));
                next.extend(spelled.into_iter().filter(|(_, spelled)| spelled != text));
            }
            next.sort_by(|(_, a), (_, b)| a.cmp(b));
            next.dedup_by(|(_, a), (_, b)| a == b);
            layers = next;
        }
    }
}

/// As whoever prints its line back shows it, bare and in messages.
#[test]
fn no_line_of_any_launcher_shows_a_secret() {
    let token = Token::new(7);
    for secret in LOUD {
        let redactor = redactor(&[secret]);
        let env = [("TOKEN".to_owned(), secret.to_owned())];
        let args = quote_word(secret);
        let file =
            Carried { name: "x.sh", content: secret.as_bytes(), args: &args, shell: None, fallback: "sh" };
        let bodies = [
            format!("x={}\n", single_quoted(secret)),
            format!("x=\"{}\"\n", Spelling::Double.spell(secret)),
            format!("cat <<EOF\n{}\nEOF\n", Spelling::Heredoc.spell(secret)),
            format!("exec {}", argv_words(&["echo", secret]).unwrap()),
            carried(file).unwrap(),
        ];
        let methods = Method::ALL.map(|method| Some(Privilege { user: "root", method, password: true }));
        let inputs =
            [Input::Empty, Input::Watched(Orphaned::Ends), Input::Watched(Orphaned::Stays), Input::Given];
        for body in bodies {
            let prelude = Prelude { cd: Some(secret), env: &env, token: Some(&token) };
            let script = task_script(&prelude, &body).unwrap();
            for privilege in [None].into_iter().chain(methods) {
                for input in inputs {
                    let (confidential, terminal) = (false, false);
                    let launch = Launch {
                        interpreter: "sh",
                        script: &script,
                        token: &token,
                        privilege,
                        first: "",
                        input,
                        confidential,
                        terminal,
                    };
                    let kept = Launch { confidential: true, ..launch }.line().unwrap();
                    // Where the script is confidential, there is nothing to find in the line.
                    assert!(!redactor.finds(&kept.line) && !shows(kept.line.as_bytes(), secret), "{kept:?}");
                    for text in [launch.line().unwrap().line, kept.typed.unwrap()] {
                        assert!(redactor.finds(&text), "{text}");
                        let json = serde_json::to_string(&text).unwrap();
                        for text in [format!("{text:?}"), json, single_quoted(&text), text] {
                            let told = redactor.redact(&text);
                            assert!(!shows(told.as_bytes(), secret), "{secret:?} {launch:?}: {told}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn what_real_shells_print_of_a_secret_is_found() {
    const TRACED: &str = r#"set -x; : "$S"; x=$S; set +x; env; printf '%s\n' "$S"; export -p; set"#;
    const BASH: &str = r#"printf '%q\n' "$S"; echo "${S@Q}" "${S@E}"; declare -p S"#;
    const ZSH: &str = "print -r -- ${(q)S} ${(qq)S} ${(qqq)S} ${(qqqq)S}";
    const FISH: &str = "env; set --show S; string escape -- $S; string escape --style=url -- $S; \
                        string escape --style=script -- $S; set fish_trace 1; echo $S";
    let bash = format!("{TRACED}; {BASH}");
    let zsh = format!("{TRACED}; {ZSH}");
    let shells: [(&[&str], &str); 6] = [
        (&["sh", "-c"], TRACED),
        (&["dash", "-c"], TRACED),
        (&["bash", "-c"], &bash),
        (&["zsh", "-fc"], &zsh),
        (&["busybox", "sh", "-c"], TRACED),
        (&["fish", "--no-config", "-c"], FISH),
    ];
    for secret in LINES {
        let redactor = redactor(&[secret]);
        for (shell, script) in shells {
            let output =
                Command::new(shell[0]).args(&shell[1..]).arg(script).env("S", secret).output().unwrap();
            assert!(shows(&output.stdout, secret), "{shell:?}: {output:?}");
            for text in [output.stdout, output.stderr] {
                let told = redactor.redact_bytes(&text).into_owned();
                assert!(!shows(&told, secret), "{shell:?}: {}", String::from_utf8_lossy(&told));
            }
        }
    }
}

/// What programs on a host make of a value before they print it.
#[test]
fn what_programs_make_of_a_secret_is_found() {
    let secret = "p\u{e4}ss'w\"rd<$1>/a&b";
    let redactor = redactor(&[secret]);
    let json = |text: &str| serde_json::to_string(text).unwrap();
    let html = Spelling::Html.spell(secret);
    // Python, PHP and Go write the quotes in other ways.
    let python = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let python = python.replace('"', "&quot;").replace('\'', "&#x27;");
    let php = python.replace("&#x27;", "&#039;");
    let go = python.replace("&quot;", "&#34;").replace("&#x27;", "&#39;");
    let xml = python.replace("&#x27;", "&apos;").replace('\u{e4}', "&#228;");
    let upper = python.replace("&#x27;", "&#X27;").replace('\u{e4}', "&#xE4;");
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let cases = [
        html.clone(),
        python.clone(),
        php,
        go,
        xml,
        upper,
        Spelling::Html.spell(&html),
        json(&html),
        json(&json(&json(secret))),
        json(&python).replace('&', "\\u0026"),
        json(&json(secret)).replace('<', "\\u003c").replace('&', "\\\\u0026"),
        percent(secret),
        percent(secret).replace('%', "%25"),
        Spelling::Html.spell(&json(secret)),
        Spelling::Html.spell(&json(&json(secret))),
        Spelling::Octal.spell(&html),
        format!("{secret:?}").replace('/', "\\/"),
        hex(secret),
        hex(secret).to_uppercase(),
    ];
    for text in cases {
        for around in [format!("<{text}>"), format!("say {text}"), format!("&{text}&amp")] {
            let told = redactor.redact(&around).into_owned();
            assert!(!shows(told.as_bytes(), secret) && told.contains(MASK), "{around}: {told}");
            for size in [1, 2, 7] {
                let pieces: Vec<&[u8]> = around.as_bytes().chunks(size).collect();
                assert_eq!(String::from_utf8(in_pieces(&redactor, &pieces)).unwrap(), told, "{around}");
            }
        }
    }
    for text in ["a &amp; b", "a && b & c", "&lt", "&#x", "&#1114112;", "&;", "&nosuch;", "100%", "%25"] {
        assert_eq!(redactor.redact(text), text);
    }
}

#[test]
fn a_part_of_a_secret_is_found_where_a_text_was_cut() {
    let redactor = redactor(&["correct $horse battery"]);
    for (text, expected) in [
        ("it said \"\u{2026}$horse battery x\"", "it said \"\u{2026}******** x\""),
        ("it said \"\u{2026}\\0044horse battery x\"", "it said \"\u{2026}******** x\""),
        ("it said \"the correct $ho\u{2026}\"", "it said \"the ********\u{2026}\""),
        ("it said \"the correct \\\\\\$ho\u{2026}\"", "it said \"the ********\u{2026}\""),
        ("horse battery \u{2026} correct", "horse battery \u{2026} correct"),
    ] {
        assert_eq!(redactor.redact(text), expected);
    }
}

#[test]
fn short_secrets_are_found_where_a_text_is_to_be_kept_from_others() {
    let redactor = redactor(&["1234", "hunter22", ""]);
    assert!(redactor.finds("pin=1234") && redactor.finds("x=hunt\\0145r22") && !redactor.finds("nothing"));
}

#[test]
fn a_host_that_tears_a_secret_by_backslashes_is_not_waited_for_without_bound() {
    let redactor = redactor(&["hunter2"]);
    let mut stream = redactor.stream();
    stream.push(b"hunt");
    for _ in 0..200 {
        stream.push(&[b'\\'; 1000]);
        assert!(stream.held.len() <= MAX_HELD + 4096, "{}", stream.held.len());
    }
}

#[test]
fn code_points_of_other_languages_and_utf_16_are_found() {
    let secret = "p\u{dc}\u{20ac}\u{1f511}-key";
    let redactor = redactor(&[secret]);
    for text in [
        // Python's `ascii()`, JavaScript's escapes, Rust's, JavaScript's `escape()`.
        "p\\xdc\\u20ac\\U0001f511-key",
        "p\\xdc\\u20ac\\ud83d\\udd11-key",
        "p\\u00dc\\u20ac\\ud83d\\udd11-key",
        "p\\xdc\\u{20ac}\\u{1f511}-key",
        "p\\u{dc}\\u{20ac}\\u{1f511}-key",
        "p%DC%u20AC%uD83D%uDD11-key",
    ] {
        let told = redactor.redact(text).into_owned();
        assert_eq!(told, MASK, "{text}");
    }
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        let text: Vec<u8> = secret.encode_utf16().flat_map(bytes).collect();
        assert_eq!(redactor.redact_bytes(&text).as_ref(), MASK.as_bytes(), "{text:?}");
    }
}
