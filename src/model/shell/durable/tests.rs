//! The scripts in the shells that hosts have, marks in pieces, names.

use std::process::Command;

use proptest::prelude::*;

use super::*;

fn token() -> Token {
    Token::new(0xfa)
}

#[test]
fn marks_are_read_and_nothing_else() {
    let mut scan = SpoolScan::new(&token());
    let prefix = format!("fan-{}-", token().as_str());
    let text = format!("a{prefix}exit 3\nb{prefix}at 5 7\n{prefix}bogus\n{prefix}is done 0\nfan-c");
    let pieces = scan.push(text.as_bytes());
    let length = prefix.len();
    assert_eq!(
        pieces,
        [
            SpoolPiece::Text(b"a".to_vec()),
            SpoolPiece::Mark(SpoolMark::Exit(3), length + 7),
            SpoolPiece::Text(b"b".to_vec()),
            SpoolPiece::Mark(SpoolMark::At(SpoolPlace { file: 5, byte: 7 }), length + 7),
            SpoolPiece::Mark(SpoolMark::Is(JobState::Done(0)), length + 10),
            SpoolPiece::Text(b"fan-c".to_vec()),
        ]
    );
}

#[test]
fn a_name_is_plain_and_that_of_one_host() {
    assert_eq!(job_name("01JD3K", "web-1.example", (2, 3), 0), "01JD3K.web-1_2eexample.2.3-0");
    let names: Vec<String> =
        ["a/b", "a_b", "a_2fb", "u@[::1]:22"].map(|host| job_name("r", host, (0, 0), 1)).into();
    for (number, name) in names.iter().enumerate() {
        assert!(crate::model::shell::is_plain(name) && !name.contains('/'), "{name}");
        assert!(!names[..number].contains(name), "{name}");
    }
}

#[test]
fn a_start_holds_no_mark() {
    let named = JobFound::Named("n".to_owned());
    let follow = Follow { job: &named, token: &token(), from: [SpoolPlace::default(); 2] };
    let job = JobStart { token: &token(), title: "t", shell: JobShell::Posix, line: "true", fed: true };
    let line = follow.start(&job).unwrap();
    assert!(line.len() < 16 * 1024, "{}", line.len());
    assert!(!line.contains(&format!("fan-{}", token().as_str())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is handed on is what `printf %b` of the host's shells makes of it, and no order is longer than a pipe takes
    /// as a whole.
    #[test]
    fn input_arrives_byte_for_byte(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        for shell in [&["dash"][..], &["bash"], &["busybox", "sh"]] {
            let mut got = Vec::new();
            for piece in JobOrder::pieces(&data) {
                let line = JobOrder::Input(7, piece).line();
                prop_assert!(line.len() <= 512 && line.ends_with('\n') && line.matches('\n').count() == 1);
                let script = "read -r q r; r=${r#* d}; printf %b \"$r\"";
                let mut command = Command::new(shell[0]);
                command.args(&shell[1..]).args(["-c", &format!("printf '%s' '{}' | {{ {script}; }}", line.replace('\'', "'\\''"))]);
                got.extend(command.output().unwrap().stdout);
            }
            prop_assert_eq!(&got, &data, "{:?}", shell);
        }
    }
}
