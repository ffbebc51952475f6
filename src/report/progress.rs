//! Bars for a person who waits: the totals of the run and the hosts at work with what they are doing.
//!
//! It only decides what the bars say and how often: [`bars`] makes frames of it, and the [`Terminal`] paints them below
//! the lines.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use crate::event::{ConnectionFact, Event, Fact, RunFact, StepAt, StepFact, TaskSummary};
use crate::model::cells::{shorten, width};
use crate::model::count::counted;
use crate::model::inventory::HostName;
use crate::model::outcome::Status;
use crate::model::range;
use crate::report::bars::{self, Row, Transfer, share};
use crate::report::reporter::Reporter;
use crate::report::style::Style;
use crate::report::terminal::{Size, Terminal};
use crate::report::words::{is_single_command, whole};

/// Bars change this often at most, so that thousands of hosts cost little.
const INTERVAL: Duration = Duration::from_millis(100);

/// How long a terminal may take to show everything before a question.
const CLEARING: Duration = Duration::from_millis(500);

/// Bars take this part of the screen, at most: the output has the rest.
const SHARE: usize = 3;

/// Names of hosts are padded and cut to this in bars, and to a third of the window.
const NAMES_MAX: usize = 32;

/// A host that has said nothing for this long is told of with its silence.
const SILENT: Duration = Duration::from_secs(20);

/// Shows the totals and a screenful of hosts at work: first those that are silent, then those that have been at it
/// longest.
pub struct Progress {
    terminal: Terminal,
    clock: Box<dyn Fn() -> Duration + Send>,
    drawn: Option<Duration>,
    tasks: Vec<TaskSummary>,
    hosts: usize,
    ended: IndexMap<&'static str, usize>,
    busy: HashMap<HostName, Busy>,
    /// Those at work, by when they began what they are doing: their numbers count up.
    order: BTreeMap<u64, HostName>,
    /// How many questions wait for the user.
    questions: usize,
    /// All files that are under way, as one transfer.
    moving: Option<Transfer>,
    /// What the totals say besides, where there is room.
    hint: &'static str,
}

/// What a host is doing.
struct Busy {
    /// Its place in the order.
    number: u64,
    /// Since when, on our clock.
    since: Duration,
    /// When it was last heard of.
    heard: Duration,
    doing: Doing,
}

impl Busy {
    /// For how long it has been silent, when that is long.
    fn silence(&self, now: Duration) -> Option<Duration> {
        Some(now.saturating_sub(self.heard)).filter(|silence| *silence >= SILENT)
    }
}

/// Hosts that are at the same thing.
struct Group<'a> {
    hosts: Vec<&'a str>,
    /// Since when the first of them is.
    since: Duration,
    /// The longest silence among them, when they are silent.
    silence: Option<Duration>,
    doing: String,
    transfers: Vec<&'a Transfer>,
}

impl Group<'_> {
    /// Their names in at most so many cells, with how many they are when they are several.
    fn name(&self, cells: usize) -> String {
        let names = clean(&range::fold(&self.hosts));
        match self.hosts.len() {
            1 => shorten(&names, cells),
            count => {
                let count = format!(" ({count})");
                format!("{}{count}", shorten(&names, cells.saturating_sub(count.len())))
            }
        }
    }

    /// How far their files have come that are under way; the rate of all is among the totals.
    fn moved(&self) -> Option<String> {
        match self.transfers.as_slice() {
            [] => None,
            [one] => Some(one.text()),
            many => {
                let sum = |of: fn(&Transfer) -> u64| {
                    many.iter().fold(0, |sum: u64, transfer| sum.saturating_add(of(transfer)))
                };
                Some(share(sum(Transfer::done), sum(Transfer::total)))
            }
        }
    }
}

/// Where hosts are that share a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum BusyAt {
    /// On the way to them.
    Way,
    /// At a step of a task.
    Step(usize, usize),
}

enum Doing {
    Connecting { address: String },
    Step { task: usize, step: usize, transfer: Option<Transfer> },
}

impl Progress {
    /// Draws on a terminal.
    pub fn new(terminal: Terminal) -> Self {
        let start = Instant::now();
        Self::with_clock(terminal, move || start.elapsed())
    }

    fn with_clock(terminal: Terminal, clock: impl Fn() -> Duration + Send + 'static) -> Self {
        Self {
            terminal,
            clock: Box::new(clock),
            drawn: None,
            tasks: Vec::new(),
            hosts: 0,
            ended: IndexMap::new(),
            busy: HashMap::new(),
            order: BTreeMap::new(),
            questions: 0,
            moving: None,
            hint: "",
        }
    }

    /// The same with a hint behind the totals.
    #[must_use]
    pub fn hinting(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    fn take_in(&mut self, fact: &Fact) {
        match fact {
            Fact::Run(RunFact::Started { hosts, tasks, .. }) => {
                self.hosts = hosts.len();
                self.tasks.clone_from(tasks);
                self.ended = Status::ALL.iter().map(|status| (status.as_str(), 0)).collect();
            }
            Fact::Connection(host, ConnectionFact::Began { address, .. }) => {
                self.set(host, Doing::Connecting { address: address.clone() });
            }
            Fact::Step(StepAt { host, task, step }, StepFact::Started) => {
                self.set(host, Doing::Step { task: *task, step: *step, transfer: None });
            }
            Fact::Step(StepAt { host, .. }, StepFact::TransferAdvanced { done, total, .. }) => {
                let now = (self.clock)();
                if let Some(Busy { doing: Doing::Step { transfer, .. }, heard, .. }) = self.busy.get_mut(host)
                {
                    *heard = now;
                    match transfer {
                        Some(transfer) => transfer.advance(*done, *total),
                        None => *transfer = Some(Transfer::new(*done, *total)),
                    }
                }
            }
            // It is not at work while others are.
            Fact::Step(StepAt { host, .. }, StepFact::Waiting { .. }) => self.remove(host),
            Fact::Step(StepAt { host, task, step }, StepFact::Finished { .. }) => {
                // After its last step a host may wait for the others: it is not at work then.
                let last =
                    self.tasks.get(*task).is_none_or(|task| *step >= task.steps.len().saturating_sub(1));
                if last {
                    self.remove(host);
                }
            }
            Fact::HostFinished { host, outcome } => {
                self.remove(host);
                *self.ended.entry(outcome.status.as_str()).or_default() += 1;
            }
            Fact::Step(_, StepFact::QuestionAsked { .. }) => {
                self.questions += 1;
                self.terminal.clear(CLEARING);
            }
            Fact::Step(_, StepFact::QuestionAnswered) => self.questions = self.questions.saturating_sub(1),
            Fact::Connection(host, ConnectionFact::Retried { .. })
            | Fact::Step(
                StepAt { host, .. },
                StepFact::Output { .. }
                | StepFact::Retried { .. }
                | StepFact::JobStarted { .. }
                | StepFact::Detached { .. }
                | StepFact::Reattached { .. },
            ) => {
                let now = (self.clock)();
                if let Some(busy) = self.busy.get_mut(host) {
                    busy.heard = now;
                }
            }
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. }
                | RunFact::Finished { .. },
            )
            | Fact::Task(..)
            | Fact::Lock(..)
            | Fact::Connection(_, ConnectionFact::Connected { .. } | ConnectionFact::ProxySaid { .. })
            | Fact::Gateway(..)
            | Fact::Step(_, StepFact::FactsGathered { .. })
            | Fact::Record(_)
            | Fact::Unknown(_) => {}
        }
    }

    fn set(&mut self, host: &HostName, doing: Doing) {
        let now = (self.clock)();
        self.remove(host);
        // A new step goes to the end: the order is by time in the current step.
        let number = self.order.last_key_value().map_or(0, |(last, _)| last + 1);
        self.order.insert(number, host.clone());
        self.busy.insert(host.clone(), Busy { number, since: now, heard: now, doing });
    }

    fn remove(&mut self, host: &HostName) {
        if let Some(busy) = self.busy.remove(host) {
            self.order.remove(&busy.number);
        }
    }

    fn draw_if_due(&mut self) {
        let now = (self.clock)();
        // Bars would be drawn over what the user types.
        let free = self.hosts > 0 && self.questions == 0;
        if free && self.drawn.is_none_or(|drawn| now.saturating_sub(drawn) >= INTERVAL) {
            self.drawn = Some(now);
            let picture = self.picture(self.terminal.window().size, now);
            self.terminal.show(picture);
        }
    }

    /// The hosts at work: first those that are silent, then by the time in their step.
    fn at_work(&self, now: Duration) -> (usize, impl Iterator<Item = (&HostName, &Busy)>) {
        let of = |host: &HostName| self.busy.get_key_value(host);
        let silent = move |(_, busy): &(&HostName, &Busy)| busy.silence(now).is_some();
        let all = move || self.order.values().filter_map(of);
        let count = all().filter(silent).count();
        (count, all().filter(silent).chain(all().filter(move |found| !silent(found))))
    }

    /// The frame for a window, without the last cell of each line: a terminal may wrap after it.
    fn picture(&mut self, size: Size, now: Duration) -> Vec<String> {
        let columns = size.columns.saturating_sub(1);
        self.add_up();
        bars::frame(&self.rows(size.rows, columns, now), columns)
    }

    fn rows(&self, rows: usize, columns: usize, now: Duration) -> Vec<Row> {
        let room = (rows / SHARE).saturating_sub(1);
        let groups = self.groups(now);
        let shown = if groups.len() > room { room.saturating_sub(1) } else { groups.len() };
        let most = NAMES_MAX.min(columns / 3);
        let named: Vec<(String, &Group<'_>)> =
            groups.iter().take(shown).map(|group| (group.name(most), group)).collect();
        let cells = named.iter().map(|(name, _)| width(name)).max().unwrap_or_default();
        let row = |(name, group): (String, &Group<'_>)| {
            let silence = group.silence.map(|silence| format!("silent {}", whole(silence)));
            let parts = [group.moved(), silence, Some(clean(&group.doing))];
            let doing = parts.into_iter().flatten().collect::<Vec<_>>().join("  ");
            Row::hosts(name, cells, now.saturating_sub(group.since), &doing)
        };
        let mut rows: Vec<Row> = named.into_iter().map(row).collect();
        let left: Vec<&Group<'_>> = groups.iter().skip(shown).collect();
        let count = |groups: &[&Group<'_>]| groups.iter().map(|group| group.hosts.len()).sum::<usize>();
        if !left.is_empty() && room > 0 {
            let silent: Vec<&Group<'_>> =
                left.iter().copied().filter(|group| group.silence.is_some()).collect();
            let of_these = match count(&silent) {
                0 => String::new(),
                silent => format!(", {silent} of them silent"),
            };
            rows.push(Row::remark(format!("  and {}{of_these}", counted(count(&left), "more host"))));
        }
        rows.push(self.totals(columns));
        rows
    }

    /// The hosts at work, those at the same thing together: first those that are silent, then by the time in their step.
    fn groups(&self, now: Duration) -> Vec<Group<'_>> {
        let mut groups: IndexMap<(bool, BusyAt), Group<'_>> = IndexMap::new();
        let (_, hosts) = self.at_work(now);
        for (host, busy) in hosts {
            let silence = busy.silence(now);
            let place = match &busy.doing {
                Doing::Connecting { .. } => BusyAt::Way,
                Doing::Step { task, step, .. } => BusyAt::Step(*task, *step),
            };
            let group = groups.entry((silence.is_some(), place)).or_insert_with(|| Group {
                hosts: Vec::new(),
                since: busy.since,
                silence,
                doing: self.doing(&busy.doing),
                transfers: Vec::new(),
            });
            group.hosts.push(host.as_str());
            group.since = group.since.min(busy.since);
            group.silence = group.silence.max(silence);
            if group.hosts.len() == 2 && place == BusyAt::Way {
                // Each has an address of its own.
                "connecting".clone_into(&mut group.doing);
            }
            if let Doing::Step { transfer: Some(transfer), .. } = &busy.doing {
                group.transfers.push(transfer);
            }
        }
        groups.into_values().collect()
    }

    fn doing(&self, doing: &Doing) -> String {
        match doing {
            Doing::Connecting { address } => format!("connecting to {address}"),
            Doing::Step { task, step, transfer: _ } => {
                self.tasks.get(*task).map_or_else(String::new, |found| {
                    let title = found.steps.get(*step).map(|step| step.title.as_str()).unwrap_or_default();
                    match is_single_command(&self.tasks) {
                        true => title.to_owned(),
                        false => format!("{} {}/{}  {title}", found.name, step + 1, found.steps.len()),
                    }
                })
            }
        }
    }

    /// Adds up the transfers that are under way.
    fn add_up(&mut self) {
        let under_way = self.busy.values().filter_map(|busy| match &busy.doing {
            Doing::Step { transfer, .. } => transfer.as_ref(),
            Doing::Connecting { .. } => None,
        });
        let (mut done, mut total) = (0, 0);
        for transfer in under_way {
            done = transfer.done().saturating_add(done);
            total = transfer.total().saturating_add(total);
        }
        self.moving = match self.moving.take() {
            _ if total == 0 => None,
            None => Some(Transfer::new(done, total)),
            Some(moving) => {
                moving.advance(done, total);
                Some(moving)
            }
        };
    }

    fn totals(&self, columns: usize) -> Row {
        let ended: usize = self.ended.values().sum();
        let mut parts = vec![format!("running {}", self.busy.len())];
        let counted = |&(&word, &count): &(&&str, &usize)| count > 0 || word == Status::Ok.as_str();
        parts.extend(self.ended.iter().filter(counted).map(|(word, count)| format!("{word} {count}")));
        let moved = self.moving.as_ref().map(|moving| format!(" · {}", moving.text()));
        let text = format!("{} / {}{}", parts.join(" · "), self.hosts, moved.unwrap_or_default());
        let room = width(&text) + Row::BAR_CELLS <= columns;
        let hint = if width(&text) + Row::BAR_CELLS + self.hint.len() <= columns { self.hint } else { "" };
        let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
        Row::totals(text, count(ended), count(self.hosts), room, hint)
    }
}

/// A text that may hold anything, for a line of the screen.
fn clean(text: &str) -> String {
    Style::default().text(text).replace('\t', " ")
}

impl Reporter for Progress {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.take_in(&event.fact);
        self.draw_if_due();
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        self.draw_if_due();
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.terminal.hide();
        Ok(())
    }
}

/// A reporter of lines beside bars, which show themselves what the run waits for.
pub struct BesideBars(pub Box<dyn Reporter>);

impl Reporter for BesideBars {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event.fact {
            Fact::Run(RunFact::StragglersNoticed { .. }) => Ok(()),
            _ => self.0.event(event),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        self.0.idle()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use crate::event::Stream;
    use crate::model::outcome::StepStatus;
    use crate::report::progress::Progress;
    use crate::report::tests::samples::{
        Captured, connecting, exec_started, ok, output, run_started, step_finished, step_outcome,
        step_started, unreachable,
    };
    use crate::report::{DroppingWriter, Layout, Lines, Reporter, Size, Style, Terminal, Window};

    struct Bench {
        progress: Progress,
        terminal: Terminal,
        captured: Captured,
        now: Arc<AtomicU64>,
    }

    fn bench() -> Bench {
        let captured = Captured::default();
        let queue = DroppingWriter::new(Box::new(captured.clone()), DroppingWriter::LIMIT).unwrap();
        let size = Size { columns: 60, rows: 24 };
        let terminal = Terminal::new(queue, move || Window { size, ours: true, rewraps: true });
        let now = Arc::new(AtomicU64::new(0));
        let clock = now.clone();
        let progress = Progress::with_clock(terminal.clone(), move || {
            Duration::from_millis(clock.load(Ordering::SeqCst))
        });
        Bench { progress, terminal, captured, now }
    }

    impl Bench {
        fn picture(&mut self, ms: u64) -> String {
            self.progress.picture(Size { columns: 60, rows: 24 }, Duration::from_millis(ms)).join("\n")
        }
    }

    #[test]
    fn hosts_at_work_and_totals() {
        let mut bench = bench();
        for event in [
            run_started(&["web1", "web2", "web3", "web4"]),
            connecting(0, "web1", "10.0.0.1:22"),
            step_started(1, "web2", 0),
            step_started(1, "web3", 1),
            unreachable(2, "web4", "10.0.0.4:22"),
        ] {
            bench.progress.event(&event).unwrap();
        }
        insta::assert_snapshot!(bench.picture(3_000), @"
          web1      3s  connecting to 10.0.0.1:22
          web2      3s  deploy 1/2  unpack
          web3      3s  deploy 2/2  sudo systemctl restart shop
        running 3 · ok 0 · unreachable 1 / 4
        ");
        for event in [
            step_finished(3, "web2", 0, step_outcome(StepStatus::Changed, None)),
            step_started(3, "web2", 1),
            step_finished(4, "web3", 1, step_outcome(StepStatus::Ok, None)),
            ok(5, "web3"),
        ] {
            bench.progress.event(&event).unwrap();
        }
        insta::assert_snapshot!(bench.picture(95_000), @"
          web1   1m35s  silent 1m35s  connecting to 10.0.0.1:22
          web2   1m35s  silent 1m35s  deploy 2/2  sudo systemctl re
        running 2 · ok 1 · unreachable 1 / 4
        ");
    }

    #[test]
    fn hosts_at_the_same_thing_share_a_row() {
        let mut bench = bench();
        let names: Vec<String> = (0..40).map(|at| format!("web{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        bench.progress.event(&run_started(&names)).unwrap();
        for name in &names[..30] {
            bench.progress.event(&step_started(1, name, 0)).unwrap();
        }
        for name in &names[30..38] {
            bench.progress.event(&connecting(1, name, &format!("{name}.example.com:22"))).unwrap();
        }
        bench.progress.event(&step_started(1, names[39], 1)).unwrap();
        insta::assert_snapshot!(bench.picture(1_000), @"
          web[0-29] (30)      1s  deploy 1/2  unpack
          web[30-37] (8)      1s  connecting
          web39               1s  deploy 2/2  sudo systemctl restar
        running 39 · ok 0 / 40  [                        ]
        ");
        let none = bench.progress.picture(Size { columns: 0, rows: 0 }, Duration::ZERO);
        assert_eq!(none.len(), 1, "a window without room gets the totals and nothing else");
    }

    /// However many steps hosts are at, output has most of the screen.
    #[test]
    fn more_than_fits_is_counted() {
        let mut bench = bench();
        let names: Vec<String> = (0..40).map(|at| format!("web{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        bench.progress.event(&run_started(&names)).unwrap();
        for (at, name) in names.iter().enumerate() {
            bench.progress.event(&step_started(1, name, at % 9)).unwrap();
        }
        for (rows, lines) in [(24, 8), (50, 10), (9, 3), (6, 2), (3, 1)] {
            let picture = bench.progress.picture(Size { columns: 60, rows }, Duration::ZERO);
            assert_eq!(picture.len(), lines, "{picture:?}");
        }
    }

    #[test]
    fn silent_hosts_come_first_with_their_silence() {
        let mut bench = bench();
        let names: Vec<String> = (0..40).map(|at| format!("web{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        bench.progress.event(&exec_started(&names)).unwrap();
        for name in &names {
            bench.progress.event(&step_started(1, name, 0)).unwrap();
        }
        // All but three say something later; one of these had said something before.
        for (ms, spared) in [(5_000, 1..40), (70_000, 3..40)] {
            bench.now.store(ms, Ordering::SeqCst);
            for name in &names[spared] {
                bench.progress.event(&output(ms, name, Stream::Stdout, "on it\n")).unwrap();
            }
        }
        insta::assert_snapshot!(bench.picture(72_500), @"
          web[0-2] (3)     1m12s  silent 1m12s  uptime
          web[3-39] (37)   1m12s  uptime
        running 40 · ok 0 / 40  [                        ]
        ");
        insta::assert_snapshot!(bench.picture(92_500), @"
          web[0-39] (40)   1m32s  silent 1m32s  uptime
        running 40 · ok 0 / 40  [                        ]
        ");
    }

    #[test]
    fn drawn_at_most_ten_times_a_second() {
        let mut bench = bench();
        bench.progress.event(&exec_started(&["web1"])).unwrap();
        for ms in 0..1_000 {
            bench.now.store(ms, Ordering::SeqCst);
            bench.progress.event(&step_started(ms, "web1", 0)).unwrap();
            bench.progress.idle().unwrap();
        }
        bench.progress.finish().unwrap();
        assert!(bench.terminal.finish(Duration::from_secs(60)));
        let pictures = bench.captured.text().matches("running").count();
        assert!((1..=10).contains(&pictures), "{pictures}");
        assert!(bench.captured.text().ends_with("\x1b[J"), "the bars stay behind");
    }

    /// What stands on a screen after some output: text, line ends and the three movements that bars use.
    fn screen(output: &str) -> Vec<String> {
        let mut lines = vec![String::new()];
        let (mut row, mut column) = (0, 0);
        let mut rest = output;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\n' => {
                    (row, column) = (row + 1, 0);
                    lines.resize(lines.len().max(row + 1), String::new());
                }
                '\r' => column = 0,
                '\x1b' => {
                    let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    match &rest[end..=end] {
                        "A" => row -= rest[1..end].parse::<usize>().unwrap(),
                        "K" => lines[row] = lines[row].chars().take(column).collect(),
                        "J" => {
                            lines.truncate(row);
                            lines.push(String::new());
                        }
                        other => panic!("a terminal was sent {other:?}"),
                    }
                    rest = &rest[end + 1..];
                }
                c => {
                    let after: String = lines[row].chars().skip(column + 1).collect();
                    lines[row] = lines[row].chars().take(column).chain([c]).collect::<String>() + &after;
                    column += 1;
                }
            }
        }
        lines
    }

    #[test]
    fn lines_and_bars_do_not_tear_each_other() {
        let mut bench = bench();
        let terminal = || Box::new(bench.terminal.clone());
        let mut lines = Lines::new(terminal(), terminal(), Layout::Prefixed, Style::default());
        let mut expected = Vec::new();
        let start = exec_started(&["web1", "web2"]);
        lines.event(&start).unwrap();
        bench.progress.event(&start).unwrap();
        for at in 0..300 {
            bench.now.store(at * 37, Ordering::SeqCst);
            let name = if at % 3 == 0 { "web2" } else { "web1" };
            let stream = if at % 5 == 0 { Stream::Stderr } else { Stream::Stdout };
            for event in [step_started(at, name, 0), output(at, name, stream, format!("\x1b[9A{at}\n"))] {
                lines.event(&event).unwrap();
                bench.progress.event(&event).unwrap();
            }
            expected.push(format!("{name} | \\x1b[9A{at}"));
            if at % 4 == 0 {
                lines.idle().unwrap();
                bench.progress.idle().unwrap();
            }
        }
        lines.finish().unwrap();
        bench.progress.finish().unwrap();
        assert!(bench.terminal.finish(Duration::from_secs(60)));
        let text = bench.captured.text();
        assert!(text.contains("running 2"), "no bars were drawn");
        expected.push(String::new());
        assert_eq!(screen(&text), expected);
    }
}
