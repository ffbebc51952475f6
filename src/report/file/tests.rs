//! Reports of one hand-made run, and of large ones.

use std::path::Path;

use proptest::prelude::*;

use crate::event::{Event, Fact, RunFact, StepAt, StepFact, StepOutcome, Stream};
use crate::model::outcome::{Failure, Kind, Status, StepStatus};
use crate::report::file::text::plain;
use crate::report::file::{ReportKind, markdown, render};
use crate::report::record::Record;
use crate::report::tests::samples::{
    deploy, event, exec_started, failed, host, ok, output, run_finished, step_finished, step_outcome,
    step_started,
};

fn record(events: &[Event]) -> Record {
    let mut record = Record::default();
    events.iter().for_each(|event| record.apply(event));
    record
}

fn text(kind: ReportKind, events: &[Event]) -> String {
    String::from_utf8(render(kind, &record(events))).unwrap()
}

#[test]
fn kinds_by_extension() {
    for (path, kind) in [
        ("a.json", Some(ReportKind::Json)),
        ("a/b.XML", Some(ReportKind::Junit)),
        ("a.tar.md", Some(ReportKind::Markdown)),
        ("a.pdf", None),
        ("json", None),
        (".html", None),
    ] {
        assert_eq!(ReportKind::of(Path::new(path)), kind, "{path}");
    }
}

#[test]
fn junit_has_a_case_per_host_and_step() {
    insta::assert_snapshot!(text(ReportKind::Junit, &deploy()));
}

#[test]
fn markdown() {
    insta::assert_snapshot!(text(ReportKind::Markdown, &deploy()));
}

#[test]
fn csv_has_no_formulas() {
    let csv = text(ReportKind::Csv, &deploy());
    assert!(csv.contains(",\"'=HYPERLINK(\"\"http://x\"\")\n\\x1b[2J\\xff <script>"), "{csv}");
    insta::assert_snapshot!(csv.replace("\r\n", "\n"));
}

#[test]
fn json_is_whole_and_inert() {
    let json = text(ReportKind::Json, &deploy());
    assert_eq!(json.lines().count(), 1);
    assert!(!json.trim_end().contains(crate::model::text::is_hidden), "{json}");
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let web03 = &report["hosts"][2];
    assert_eq!((&web03["status"], &web03["step"]), (&"failed".into(), &serde_json::json!([0, 1])));
    let stderr = usize::try_from(web03["steps"][1]["stderr"].as_u64().unwrap()).unwrap();
    assert_eq!(report["texts"][stderr]["text"], "]]></system-err> ``` ~~~ | a\n</script><!-- \u{202e}\n");
    assert_eq!(report["exit_code"], 1);
    assert_eq!(report["counts"]["ok"], 2);
    let docs = include_str!("../../../docs/reports.md");
    for object in [&report, web03, &web03["steps"][1], &report["texts"][stderr]] {
        for key in object.as_object().unwrap().keys() {
            assert!(docs.contains(&format!("`{key}`")), "docs/reports.md does not name `{key}`");
        }
    }
}

#[test]
fn a_page_holds_text_of_hosts_as_text() {
    let html = text(ReportKind::Html, &deploy());
    // Only the elements of the page's own.
    assert_eq!(html.matches("<script").count(), 2);
    assert_eq!(html.matches("</script").count(), 2);
    assert!(!html.contains("<b>") && !html.contains("<!-- "), "{html}");
    assert!(html.contains("\\u003cscript\\u003ealert(1)\\u003c/script\\u003e"));
    assert!(!html.contains(['\x1b', '\u{202e}']));
    let policy =
        html.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for reference in ["http://", "https://", "src=", "href=", "url(", "@import"] {
        let mine: String = html.split("id=\"data\">").next().unwrap().to_owned();
        assert!(
            !mine.contains(reference) || reference == "http://" && mine.contains("HYPERLINK"),
            "{reference}"
        );
    }
}

/// 1000 hosts by 20 steps, each with its own output.
fn large(distinct: bool) -> Vec<Event> {
    let names: Vec<String> = (0..1000).map(|at| format!("web{at:04}.example.org")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut events = vec![exec_started(&names)];
    if let Some(Fact::Run(RunFact::Started { tasks, .. })) = events.first_mut().map(|event| &mut event.fact) {
        let step = tasks[0].steps[0].clone();
        tasks[0].steps = vec![step; 20];
    }
    for (at, name) in names.iter().enumerate() {
        for step in 0..20 {
            let ms = 100_000 + 1_000 * u64::try_from(step).unwrap();
            let whose = if distinct { at } else { at % 7 };
            let data = format!("host {whose} says in step {step} {}\n", "some more words <&> ".repeat(20));
            let stream = Stream::Stdout;
            let started = Fact::Step(StepAt { host: host(name), task: 0, step }, StepFact::Started);
            events.push(event(ms, started));
            events.push(event(
                ms,
                Fact::Step(
                    StepAt { host: host(name), task: 0, step },
                    StepFact::Output { stream, data: data.into() },
                ),
            ));
            let outcome = step_outcome(StepStatus::Changed, None);
            let finished =
                Fact::Step(StepAt { host: host(name), task: 0, step }, StepFact::Finished { outcome });
            events.push(event(ms + 900, finished));
        }
        events.push(ok(120_000, name));
    }
    events.push(run_finished(120_000));
    events
}

#[test]
fn a_page_of_a_thousand_hosts_stays_small() {
    for distinct in [false, true] {
        let html = text(ReportKind::Html, &large(distinct));
        assert!(html.len() <= 2_000_000, "{} KiB", html.len() >> 10);
        // What is left out is the many, not the bad.
        assert!(html.contains("web0999"));
    }
}

#[test]
fn a_summary_has_the_size_that_it_may_have() {
    let names: Vec<String> = (0..5000).map(|at| format!("x{}y", at * 7919)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut events = vec![exec_started(&names)];
    for (at, name) in names.iter().enumerate() {
        let failure = Failure::new(Kind::Exit, format!("a different reason each time: {}", at * 31));
        events.push(step_started(1, name, 0));
        events.push(output(1, name, Stream::Stdout, format!("{at} {}\n", "z".repeat(400))));
        events.push(step_finished(2, name, 0, step_outcome(StepStatus::Failed, Some(failure.clone()))));
        events.push(failed(3, name, Status::Failed, failure, Some(0)));
    }
    let summary = markdown::render(&record(&events), 100_000);
    assert!(summary.len() < 101_000, "{}", summary.len());
    assert!(summary.contains("more are left out"), "{summary}");
}

#[test]
fn a_host_that_was_left_out_did_not_end_badly() {
    let left_out = Failure::new(Kind::Where, "not meant");
    let events = [exec_started(&["a"]), failed(1, "a", Status::Skipped, left_out, None), run_finished(2)];
    for kind in [ReportKind::Markdown, ReportKind::Html] {
        let text = text(kind, &events);
        assert!(text.contains("skipped") && !text.contains("Hosts that are not ok"), "{text}");
    }
    let junit = text(ReportKind::Junit, &events);
    assert!(junit.contains("failures=\"0\" errors=\"0\" skipped=\"2\""), "{junit}");
}

#[test]
fn what_a_dry_run_did_not_know_is_told_from_what_was_not_wanted() {
    let skipped = |name: &str, note: &str, not_known| {
        let outcome = step_outcome(StepStatus::Skipped, None);
        step_finished(2, name, 0, StepOutcome { note: Some(note.to_owned()), not_known, ..outcome })
    };
    let events = [
        exec_started(&["a", "b"]),
        step_started(1, "a", 0),
        skipped("a", "skipped: out is not known", true),
        step_started(1, "b", 0),
        skipped("b", "when: force", false),
        ok(3, "a"),
        ok(3, "b"),
        run_finished(4),
    ];
    let json: serde_json::Value = serde_json::from_str(&text(ReportKind::Json, &events)).unwrap();
    for (index, expected) in [(0, true), (1, false)] {
        assert_eq!(json["hosts"][index]["steps"][0]["not_known"], expected, "{json}");
        assert_eq!(json["hosts"][index]["not_known"], usize::from(expected), "{json}");
    }
    let rows = cells(&text(ReportKind::Csv, &events));
    let last: Vec<Option<&str>> = rows.iter().map(|row| row.last().map(String::as_str)).collect();
    assert_eq!(last, [Some("not_known"), Some("true"), Some("false")]);
    let junit = text(ReportKind::Junit, &events);
    assert!(junit.contains("<skipped message=\"skipped: out is not known\">"), "{junit}");
    assert!(junit.contains("<skipped message=\"skipped\">"), "{junit}");
}

#[test]
fn long_texts_keep_both_ends() {
    let long: String = (0..1000).map(|line| format!("line {line}\n")).collect();
    let events = [exec_started(&["a"]), output(1, "a", Stream::Stdout, long), ok(2, "a")];
    let record = record(&events);
    let shown = plain(&record.texts()[0], 200);
    assert!(shown.starts_with("line 0\nline 1\n") && shown.ends_with("line 999\n"), "{shown}");
    assert!(shown.contains("left out ...\n") && shown.len() < 250, "{shown}");
}

/// Reads CSV as RFC 4180 has it.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut rest = csv.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && rest.peek() == Some(&'\n') => {
                rest.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(row.is_empty() && cell.is_empty() && !quoted, "{csv}");
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What hosts say changes no structure: a report has the shape that it has for plain words.
    #[test]
    fn hosts_change_no_structure(
        said in prop_oneof![
            prop::collection::vec(any::<u8>(), 1..60),
            "[<>&\"'`|,;=+@\\-\\]\\[!\\\\\r\n\t \u{85}\u{2028}\u{fffe}a]{1,40}".prop_map(String::into_bytes),
            Just(b"</script><script>alert(1)</script>]]>\n".to_vec()),
        ],
    ) {
        let events = |said: &[u8]| {
            let words = String::from_utf8_lossy(said).into_owned();
            let failure = Failure::new(Kind::Protocol, words.clone()).hint("a hint");
            let mut outcome = step_outcome(StepStatus::Failed, Some(failure.clone()));
            outcome.note = Some(words);
            [
                exec_started(&["web1"]),
                step_started(1, "web1", 0),
                output(1, "web1", Stream::Stdout, said.to_vec()),
                output(1, "web1", Stream::Stderr, said.to_vec()),
                step_finished(2, "web1", 0, outcome),
                failed(3, "web1", Status::Failed, failure, Some(0)),
                run_finished(4),
            ]
        };
        let (hostile, calm) = (events(&said), events(b"x"));
        let tags = |text: &str| text.matches('<').count();
        for kind in [ReportKind::Junit, ReportKind::Html] {
            let (hostile, calm) = (text(kind, &hostile), text(kind, &calm));
            prop_assert_eq!(tags(&hostile), tags(&calm), "{:?} {}", kind, hostile);
            let allowed = |c: char| {
                c == '\n' || c == '\t' || !c.is_control() && (kind == ReportKind::Html || c != '\u{fffe}')
            };
            prop_assert!(hostile.chars().all(allowed));
        }
        let rows = cells(&text(ReportKind::Csv, &hostile));
        prop_assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16], "{:?}", rows);
        for cell in rows.iter().flatten() {
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{:?}", rows);
        }
    }
}
