//! The view with hand-made events and keys: what stands on the screen.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use ratatui_core::buffer::Buffer;

use crate::event::{Event, Stream};
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind, Status, StepStatus};
use crate::report::reporter::Reporter;
use crate::report::terminal::Size;
use crate::report::tests::samples::{
    Captured, connecting, event, failed, ok, output, run_finished, run_started, step_finished, step_outcome,
    step_started,
};
use crate::report::view::draw::{draw, rows};
use crate::report::view::hosts::ViewHosts;
use crate::report::view::keys::{ViewKey, parse};
use crate::report::view::pages::{KeyWish, ViewPages};
use crate::report::view::paint::paint;
use crate::report::view::{Hands, LiveView, ViewOpening};
use crate::report::{DroppingWriter, Terminal, Window};

/// A page without a terminal.
struct Bench {
    hosts: ViewHosts,
    pages: ViewPages,
    size: Size,
}

fn bench(events: &[Event]) -> Bench {
    let mut hosts = ViewHosts::default();
    events.iter().for_each(|event| hosts.apply(event));
    let pages = ViewPages { can_cancel: true, ..ViewPages::default() };
    Bench { hosts, pages, size: Size { columns: 80, rows: 12 } }
}

impl Bench {
    fn screen(&mut self) -> String {
        let now = self.hosts.clock;
        text(&draw(self.size, &self.hosts, &mut self.pages, now))
    }

    /// Presses keys; gives what the last one led to.
    fn press(&mut self, keys: &str) -> KeyWish {
        let mut wish = KeyWish::Stay;
        for key in parse(keys.as_bytes()) {
            wish = self.pages.press(key, &self.hosts, rows(self.size));
        }
        wish
    }
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let row = |cells: &[ratatui_core::buffer::Cell]| {
        cells.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
    };
    buffer.content.chunks(width).map(row).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn at(ms: u64, mut event: Event) -> Event {
    event.at = Duration::from_millis(ms);
    event
}

/// A run in which hosts are at all kinds of things.
fn some() -> Vec<Event> {
    let exit = || Failure::new(Kind::Exit, "exit status 2").hint("look at the log");
    vec![
        run_started(&["web1", "web2", "web3", "db1", "db2"]),
        at(100, connecting(0, "web1", "10.0.0.1:22")),
        at(200, step_started(0, "web2", 0)),
        at(200, output(0, "web2", Stream::Stdout, "unpacking\nhalf \x1b[2Jdone\n")),
        at(300, step_started(0, "web3", 0)),
        at(300, output(0, "web3", Stream::Stdout, "unpacking\n")),
        at(400, output(0, "web3", Stream::Stderr, "no space left\n")),
        at(500, step_finished(0, "web3", 0, step_outcome(StepStatus::Failed, Some(exit())))),
        at(500, failed(0, "web3", Status::Failed, exit(), Some(0))),
        at(300, step_started(0, "db1", 0)),
        at(300, output(0, "db1", Stream::Stdout, "unpacking\nall done\n")),
        at(900, step_finished(0, "db1", 0, step_outcome(StepStatus::Changed, None))),
        at(900, step_started(0, "db1", 1)),
        at(61_000, ok(0, "db1")),
    ]
}

#[test]
fn the_list_tells_what_each_host_is_at() {
    let mut bench = bench(&some());
    insta::assert_snapshot!(bench.screen(), @r"
    deploy · 5 hosts · running 2 · waiting 1 · ok 1 · failed 1                 1m01s
    host status        time step                         last line
    web1 connecting   1m00s                              connecting to 10.0.0.1:22
    web2 running      1m00s deploy 1/2  unpack           half \x1b[2Jdone
    web3 failed          0s deploy 1/2  unpack           no space left
    db1  ok           1m00s deploy 2/2  sudo systemctl…  all done
    db2  waiting




    s order: inventory · enter open · / filter · d odd · c cancel · q leave · ? keys
    ");
    // By status, what needs a look first; and only some.
    bench.press("s/unpack");
    insta::assert_snapshot!(bench.screen(), @r"
    deploy · 5 hosts · running 2 · waiting 1 · ok 1 · failed 1                 1m01s
    host status        time step                         last line
    web3 failed          0s deploy 1/2  unpack           no space left
    web2 running      1m00s deploy 1/2  unpack           half \x1b[2Jdone







    only hosts with: unpack_
    ");
    bench.press("\r");
    assert!(!bench.screen().contains("web1 "), "{}", bench.screen());
    bench.press("\x1b");
    assert!(bench.screen().contains("web1 "), "{}", bench.screen());
    assert_eq!(bench.press("q"), KeyWish::Leave);
}

#[test]
fn one_host_has_its_output_and_is_searched() {
    let mut bench = bench(&some());
    bench.press("jj\r");
    insta::assert_snapshot!(bench.screen(), @"
    deploy · 5 hosts · running 2 · waiting 1 · ok 1 · failed 1                 1m01s
    web3 · failed · 0s · deploy 1/2  unpack
    deploy 1/2  unpack
    unpacking
    no space left
    failed: exit status 2 (0.1s)
    hint: look at the log




    q back · / search · n next · d diff · c cancel · ? keys
    ");
    bench.press("/space\r");
    assert_eq!(bench.pages.remark, None);
    bench.press("n");
    assert_eq!(bench.pages.remark.as_deref(), Some("no line below has \"space\""));
    bench.press("\x1b");
    assert!(bench.screen().contains("last line"), "back in the list: {}", bench.screen());
}

#[test]
fn scrollback_stays_where_it_is_while_more_comes() {
    let mut events = vec![run_started(&["web1"]), step_started(1, "web1", 0)];
    events.extend((0..100).map(|at| output(1, "web1", Stream::Stdout, format!("line {at}\n"))));
    let mut bench = bench(&events);
    bench.press("\r");
    assert!(bench.screen().contains("line 99"), "the end is followed: {}", bench.screen());
    bench.press("g");
    let first = bench.screen();
    assert!(first.contains("line 0\n") && first.contains("line 7"), "{first}");
    bench.hosts.apply(&output(1, "web1", Stream::Stdout, "line 100\n"));
    assert_eq!(bench.screen(), first);
    bench.press(" ");
    assert!(bench.screen().contains("line 8\n"), "{}", bench.screen());
    bench.press("G");
    assert!(bench.screen().contains("line 100"), "{}", bench.screen());
    // Enough that the oldest is gone: what is shown is the oldest that is there.
    bench.press("g");
    for number in 0..40_000 {
        bench.hosts.apply(&output(1, "web1", Stream::Stdout, format!("flood {number}\n")));
    }
    assert!(bench.screen().contains("flood ") && !bench.screen().contains("line "), "{}", bench.screen());
}

#[test]
fn odd_hosts_are_found_and_compared() {
    let names: Vec<String> = (10..40).map(|at| format!("web{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut events = vec![run_started(&names)];
    for name in &names {
        let said = if *name == "web23" { "one\nother\nthree\n" } else { "one\ntwo\nthree\n" };
        events.push(step_started(1, name, 0));
        events.push(output(2, name, Stream::Stdout, said));
        events.push(step_finished(3, name, 0, step_outcome(StepStatus::Ok, None)));
    }
    let mut bench = bench(&events);
    bench.press("d");
    let screen = bench.screen();
    assert!(
        screen.contains("web23") && !screen.contains("web22") && screen.contains("1 of 30 differ"),
        "{screen}"
    );
    bench.press("\rd");
    insta::assert_snapshot!(bench.screen(), @"
    deploy · 30 hosts · waiting 30                                                0s
    web23 · waiting · deploy 1/2  unpack
    - as 29 of 30 hosts   + here
    @@ -1,3 +1,3 @@
     one
    -two
    +other
     three



    q back · / search · n next · d diff · c cancel · ? keys
    ");
    bench.press("q\x1b");
    assert!(bench.screen().contains("web22"), "{}", bench.screen());
}

#[test]
fn a_host_is_cancelled_after_a_yes() {
    let mut bench = bench(&some());
    assert_eq!(bench.press("c"), KeyWish::Stay);
    assert!(bench.screen().contains("cancel web1? What runs there is stopped"), "{}", bench.screen());
    assert_eq!(bench.press("n"), KeyWish::Stay);
    assert_eq!(bench.press("cy"), KeyWish::Cancel(0));
    // One that has ended, and a run that is not ours.
    bench.press("jjc");
    assert!(bench.screen().contains("web3 has ended: failed"), "{}", bench.screen());
    bench.pages.can_cancel = false;
    bench.press("kc");
    assert!(bench.screen().contains("another fan's"), "{}", bench.screen());
}

#[test]
fn ten_thousand_hosts_are_drawn_a_screen_at_a_time() {
    let names: Vec<String> = (0..10_000).map(|at| format!("web{at:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut events = vec![run_started(&names)];
    for name in &names {
        events.push(step_started(1, name, 0));
        events.push(output(1, name, Stream::Stdout, "x".repeat(3000) + "\nlast\n"));
    }
    let mut bench = bench(&events);
    let kept: usize =
        bench.hosts.hosts.iter().flat_map(|host| host.said.lines()).map(|line| line.text.len()).sum();
    assert!(kept <= 40 << 20, "{kept}");
    bench.press("G");
    assert!(bench.screen().contains("web09999"), "{}", bench.screen());
    bench.press("/04242");
    let screen = bench.screen();
    assert!(screen.contains("web04242") && !screen.contains("web09999"), "{screen}");
}

#[test]
fn windows_of_all_sizes() {
    let mut bench = bench(&some());
    for keys in ["", "\r", "?", "/", "\r", "d", "c"] {
        bench.press(keys);
        for (columns, rows) in [(0, 0), (1, 1), (3, 2), (20, 4), (80, 24), (200, 50), (1000, 1000)] {
            bench.size = Size { columns, rows };
            let screen = bench.screen();
            assert!(screen.lines().count() <= rows.max(1), "{keys:?} {columns}x{rows}: {screen}");
        }
    }
}

/// What a terminal shows of what it was sent; panics at anything that is no part of the view.
fn shown(sent: &str, columns: usize, rows: usize) -> Vec<String> {
    let mut cells = vec![vec![' '; columns]; rows];
    let (mut row, mut column) = (0, 0);
    let mut rest = sent;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\x1b' {
            assert!(!c.is_control(), "{c:?} was sent");
            cells[row][column] = c;
            column += 1;
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        let sequence = &rest[..=end];
        rest = &rest[end + 1..];
        if let Some(place) = sequence.strip_prefix('[').and_then(|rest| rest.strip_suffix('H')) {
            let (y, x) = place.split_once(';').unwrap();
            (row, column) = (y.parse::<usize>().unwrap() - 1, x.parse::<usize>().unwrap() - 1);
        } else if sequence == "[2J" {
            cells = vec![vec![' '; columns]; rows];
        } else {
            assert!(sequence.ends_with('m'), "{sequence:?} was sent");
        }
    }
    cells.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a host says or is called stays within its cells, and a frame that is painted over another is the frame.
    #[test]
    fn remote_output_moves_no_cursor(
        said in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[\x1b\\[\\]0-9;HJKmh?\r\n\t\u{9b}\u{202e}]{0,30}".prop_map(String::into_bytes),
        ], 1..6),
        keys in prop::sample::select(vec!["", "\r", "\rg", "/x", "?", "\rd"]),
    ) {
        let mut events = vec![run_started(&["web1", "w\x1b[2Jeb2"]), step_started(1, "web1", 0)];
        events.extend(said.iter().map(|said| output(1, "web1", Stream::Stdout, said.clone())));
        let mut bench = bench(&events);
        let before = draw(bench.size, &bench.hosts, &mut bench.pages, Duration::ZERO);
        bench.press(keys);
        let now = draw(bench.size, &bench.hosts, &mut bench.pages, Duration::from_secs(1));
        let sent = paint(None, &before, true) + &paint(Some(&before), &now, true);
        let ascii = sent.is_ascii();
        let seen = shown(&sent, 200, 12);
        if ascii {
            let seen = seen.join("\n");
            prop_assert_eq!(seen.trim_end(), text(&now));
        }
    }
}

/// Keys of a test, and what they did.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<FakeHands>>);

#[derive(Default)]
struct FakeHands {
    keys: Vec<ViewKey>,
    listening: bool,
    cancelled: Vec<HostName>,
    hurried: bool,
}

impl Hands for Fake {
    fn keys(&mut self) -> Vec<ViewKey> {
        let mut hands = self.0.lock().unwrap();
        if hands.listening { std::mem::take(&mut hands.keys) } else { Vec::new() }
    }

    fn listen(&mut self, on: bool) {
        self.0.lock().unwrap().listening = on;
    }

    fn can_cancel(&self) -> bool {
        true
    }

    fn cancel(&mut self, host: &HostName) {
        self.0.lock().unwrap().cancelled.push(host.clone());
    }

    fn is_hurried(&self) -> bool {
        self.0.lock().unwrap().hurried
    }
}

#[test]
fn lines_wait_while_the_view_has_the_screen() {
    use std::io::Write;

    use crate::event::{Fact, StepAt, StepFact};
    const LONG: Duration = Duration::from_secs(60);
    let captured = Captured::default();
    let size = Size { columns: 40, rows: 6 };
    let queue = DroppingWriter::new(Box::new(captured.clone()), DroppingWriter::LIMIT).unwrap();
    let mut terminal = Terminal::new(queue, move || Window { size, ours: true, rewraps: true });
    let hands = Fake::default();
    let mut view = LiveView::new(terminal.clone(), Box::new(hands.clone()), false, ViewOpening::OnKey);
    let press = |keys: &str| hands.0.lock().unwrap().keys.extend(parse(keys.as_bytes()));
    let mut seen = 0;
    let mut sent = || {
        let all = captured.text();
        let new = all[seen..].to_owned();
        seen = all.len();
        new
    };
    press("v");
    view.event(&run_started(&["web1"])).unwrap();
    view.idle().unwrap();
    terminal.clear(LONG);
    assert!(!view.is_open() && sent().is_empty(), "nobody listens before a host is at work");
    view.event(&step_started(1, "web1", 0)).unwrap();
    view.idle().unwrap();
    terminal.write_all(b"held\n").unwrap();
    terminal.clear(LONG);
    let opened = sent();
    assert!(
        opened.starts_with("\x1b[?1049h") && opened.contains("web1") && !opened.contains("held"),
        "{opened:?}"
    );
    // A question has the terminal alone.
    let step = StepAt { host: "web1".into(), task: 0, step: 0 };
    let asked = StepFact::QuestionAsked { question: "Go on?".into() };
    view.event(&event(2, Fact::Step(step.clone(), asked))).unwrap();
    terminal.write_all(b"at once\n").unwrap();
    view.idle().unwrap();
    terminal.clear(LONG);
    assert_eq!(sent(), "\x1b[?25h\x1b[?1049lheld\nat once\n");
    assert!(!hands.0.lock().unwrap().listening);
    view.event(&event(3, Fact::Step(step, StepFact::QuestionAnswered))).unwrap();
    view.idle().unwrap();
    terminal.clear(LONG);
    assert!(view.is_open() && sent().contains("\x1b[?1049h"));
    // Stopped and continued: the whole screen again.
    terminal.suspend(LONG);
    assert_eq!(sent(), "\x1b[?25h\x1b[?1049l");
    terminal.resume();
    press("cy");
    view.idle().unwrap();
    terminal.clear(LONG);
    assert!(sent().contains("web1"));
    assert_eq!(hands.0.lock().unwrap().cancelled, ["web1".into()]);
    terminal.write_all(b"last\n").unwrap();
    view.event(&run_finished(9)).unwrap();
    press("q");
    view.finish().unwrap();
    assert!(terminal.finish(LONG));
    assert!(sent().ends_with("\x1b[?25h\x1b[?1049llast\n"));
}
