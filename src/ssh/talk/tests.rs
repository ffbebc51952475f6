//! Conversations, piece by piece.

use super::*;
use crate::model::privilege::Method;
use crate::model::secret::Secret;

const TOKEN: u128 = 0xabc;

fn raising(method: Method, password: Option<&str>) -> Option<Raising> {
    Some(Raising { user: "root".to_owned(), method, password: password.map(Secret::new) })
}

fn talk(raising: Option<Raising>, typed: Option<&str>, input: OpenInput) -> Talk {
    let typed = typed.map(str::to_owned);
    Talk::new(TalkOpening {
        token: Token::new(TOKEN),
        raising,
        typed,
        input,
        terminal: false,
        answers: Vec::new(),
    })
}

fn mark(word: &str) -> String {
    format!("fan-{}-{word}", Token::new(TOKEN).as_str())
}

fn hear(talk: &mut Talk, stream: Stream, text: &str) -> (String, Vec<Deed>) {
    let (output, deeds) = talk.hear(stream, Bytes::copy_from_slice(text.as_bytes()));
    (String::from_utf8(output.to_vec()).unwrap(), deeds)
}

fn err(talk: &mut Talk, text: &str) -> Vec<Deed> {
    let (output, deeds) = hear(talk, Stream::Stderr, text);
    assert_eq!(output, "");
    deeds
}

fn sends(text: &str) -> Deed {
    Deed::Send(Bytes::copy_from_slice(text.as_bytes()))
}

fn kinds(deeds: &[Deed]) -> Vec<Kind> {
    deeds
        .iter()
        .filter_map(|deed| if let Deed::Refuse(failure) = deed { Some(failure.kind) } else { None })
        .collect()
}

#[test]
fn the_password_goes_to_our_own_prompt_once() {
    let mut talk = talk(raising(Method::Sudo, Some("pw")), None, OpenInput::Watchdog);
    assert_eq!(err(&mut talk, "We trust you have received the usual lecture\n"), []);
    let prompt = mark("password:");
    let (one, two) = prompt.split_at(9);
    assert_eq!(err(&mut talk, one), []);
    assert_eq!(err(&mut talk, two), [sends("pw\n")]);
    assert_eq!(err(&mut talk, "Sorry, try again.\n"), []);
    let refused = err(&mut talk, &prompt);
    assert_eq!(kinds(&refused), [Kind::SudoPasswordWrong]);
}

#[test]
fn a_command_that_has_begun_is_told_nothing_whatever_it_prints() {
    let mut talk = talk(raising(Method::Sudo, Some("pw")), Some("typed\n"), OpenInput::Watchdog);
    assert_eq!(err(&mut talk, &mark("start\n")), [Deed::Hold]);
    let all = ["password:", "ready\n", "asks\n", "start\n"].map(mark).concat();
    for stream in [Stream::Stderr, Stream::Stdout] {
        hear(&mut talk, Stream::Stdout, &mark("start\n"));
        let (_, deeds) = hear(&mut talk, stream, &format!("{all}Password: "));
        assert_eq!(deeds, [], "{stream:?}");
    }
}

/// What a login profile may print, or a program that wants the password.
#[test]
fn words_that_only_look_like_a_prompt_get_nothing() {
    let fakes = [
        "Password: ",
        "Password:",
        "[sudo] password for u: ",
        "sudo password:",
        "fan-00000000000000000000000000000abd-password:",
        "fan--password:",
        "doas (u@h) password: ",
        "u's password: ",
        "Enter passphrase for key '/x': ",
        "Verification code: ",
    ];
    for method in Method::ALL {
        let mut talk = talk(raising(method, Some("pw")), Some("typed\n"), OpenInput::Ends);
        for fake in fakes {
            for stream in [Stream::Stdout, Stream::Stderr] {
                assert_eq!(hear(&mut talk, stream, fake), (String::new(), vec![]), "{method:?} {fake}");
            }
        }
        // Our own prompt counts where sudo writes, and nowhere else.
        assert_eq!(hear(&mut talk, Stream::Stdout, &mark("password:")).1, []);
    }
}

#[test]
fn su_is_answered_between_its_mark_and_the_start() {
    let mut talk = talk(raising(Method::Su, Some("pw")), None, OpenInput::Ends);
    assert_eq!(err(&mut talk, "Password: "), [], "a program of the login");
    assert_eq!(err(&mut talk, &mark("asks\n")), []);
    assert_eq!(hear(&mut talk, Stream::Stdout, "Password: ").1, []);
    assert_eq!(err(&mut talk, "Pass"), []);
    assert_eq!(err(&mut talk, "word: "), [sends("pw\n")]);
    assert_eq!(err(&mut talk, "\n"), []);
    assert_eq!(err(&mut talk, &mark("start\n")), [Deed::End]);
    assert!(talk.started() && talk.patience().is_none());
}

#[test]
fn without_a_password_a_prompt_is_the_end() {
    for (method, prompt) in [(Method::Sudo, mark("password:")), (Method::Su, mark("asks\n") + "Password: ")] {
        let mut talk = talk(raising(method, None), None, OpenInput::Ends);
        assert_eq!(kinds(&err(&mut talk, &prompt)), [Kind::SudoPasswordMissing], "{method:?}");
    }
}

#[test]
fn a_script_is_typed_when_its_shell_is_ready_and_the_input_follows_the_start() {
    let mut talk = talk(None, Some("script\n"), OpenInput::Fed);
    assert_eq!(err(&mut talk, "profile\n"), []);
    assert_eq!(err(&mut talk, &mark("ready\n")), [sends("script\n")]);
    assert_eq!(err(&mut talk, &mark("ready\n")), [], "once");
    let (output, deeds) = hear(&mut talk, Stream::Stdout, &format!("noise{}out\n", mark("start\n")));
    assert_eq!((output.as_str(), deeds), ("out\n", vec![Deed::Feed]));
    assert_eq!(
        hear(&mut talk, Stream::Stderr, &format!("{}err\n", mark("start\n"))),
        ("err\n".to_owned(), vec![])
    );
    assert_eq!(talk.noise(), 13);
    assert_eq!(hear(&mut talk, Stream::Stderr, &mark("line 7 4\n")), (String::new(), vec![]));
    assert_eq!(talk.line(), Some(3));
}

#[test]
fn what_did_not_begin_has_a_reason() {
    let mut quiet = talk(None, None, OpenInput::None);
    hear(&mut quiet, Stream::Stdout, "motd\nThis account is currently not available.\n");
    let failure = quiet.verdict(Some(&Exit::Status(1)));
    assert_eq!(failure.kind, Kind::ExecRefused);
    assert_eq!(
        failure.message(),
        "the host's shell did not start the command: it said \"This account is currently not available.\" (exit status 1)"
    );
    let mut denied = talk(raising(Method::Sudo, Some("pw")), None, OpenInput::Ends);
    err(&mut denied, &mark("password:"));
    err(&mut denied, "\nu is not in the sudoers file.\n");
    assert_eq!(denied.verdict(Some(&Exit::Status(1))).kind, Kind::SudoDenied);
    assert_eq!(
        denied.overdue().message(),
        "sudo did not accept the password or start the command within 20 s: it said \"u is not in the sudoers file.\""
    );
}
