//! Chooses the readers of a run by flags and terminals, and feeds them.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::cli::args::{Color, Output, OutputFormat};
use crate::cli::deliver::{self, Outbox, Parcel};
use crate::cli::error::{CliError, talk};
use crate::cli::{clock, files, hands};
use crate::engine::Delivery;
use crate::event::recap::{HostRecord, Recap};
use crate::event::{Change, Event};
use crate::model::outcome::{ExitCode, Kind};
use crate::model::position::Diagnostic;
use crate::model::range;
use crate::report::{
    Annotations, BesideBars, Composite, DroppingWriter, Fold, FoldFrame, FoldOptions, Hands, Jsonl, Layout,
    Lines, LiveView, PerHost, Progress, Reporter, Reports, Rows, RowsShape, Size, Style, Terminal, Verbose,
    ViewOpening, Window, recap,
};

/// How often readers are called while nothing happens, so that times on screen go on.
const IDLE: Duration = Duration::from_millis(100);

/// How long the end of a run waits for a slow terminal.
const TERMINAL_PATIENCE: Duration = Duration::from_secs(2);

/// How long events are left to gather before they are read. Waking the readers for each one would cost a run of
/// a thousand hosts a tenth of its CPU time; nobody sees the delay.
const GATHER: Duration = Duration::from_millis(5);

/// Events taken in before the readers bring out what they buffered, however many are waiting.
const BATCH: usize = 1024;

/// What runners set that obey their logs; TeamCity and Azure Pipelines do not set `CI`.
const RUNNERS: [&str; 5] = ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "TEAMCITY_VERSION", "TF_BUILD"];

/// The same while the view is open: keys are to be obeyed at once.
const IDLE_VIEWED: Duration = Duration::from_millis(20);

/// What the bars say of the view.
pub(super) const VIEW_HINT: &str = "  v: view";

/// What a terminal has when it does not tell.
const DEFAULT_SIZE: Size = Size { columns: 80, rows: 24 };

/// The readers of a run, and where the recap goes.
pub(super) struct Outputs {
    reporters: Composite,
    recap: Recap,
    ending: OutputEnding,
    failed: Option<io::Error>,
    /// Further events taken in before everything buffered is brought out.
    batch: usize,
    /// Reports are written at the end.
    reports: bool,
    /// What is sent when all is over.
    outbox: Outbox,
    /// The run can be resumed, and the recap says how.
    resumable: bool,
    /// It is a dry run, and what comes of that.
    dry: Option<DryEnd>,
    /// Failures that the recap leaves out.
    told: &'static [Kind],
    /// The whole screen, with keys.
    view: Option<LiveView>,
    /// When the view is to open, where there can be one.
    opening: Option<ViewOpening>,
}

/// What is written when the run is over.
enum OutputEnding {
    /// A recap for people, to a terminal or another stderr.
    Recap { talk: Box<dyn Write + Send>, terminal: Option<Terminal>, options: recap::Options },
    /// Nothing: the reporters say it all.
    Nothing,
}

/// What a run's output is about.
#[derive(Clone, Debug)]
pub(super) struct OutputContent {
    /// Its stdout is a log, as that of tasks, and not data.
    pub(super) log: bool,
    /// The user wants to see differences.
    pub(super) diff: bool,
    /// Hosts are printed as data.
    pub(super) shape: Option<RowsShape>,
    /// Nothing is changed, and it is said what would be.
    pub(super) dry: Option<DryEnd>,
}

/// What comes of a dry run that found changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DryEnd {
    /// It is said.
    Said,
    /// The exit code says it too (`--exit-code`).
    ExitCode,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutputView {
    Lines,
    Fold,
    Jsonl,
    Github,
    Gitlab,
    Quiet,
    /// Hosts as data.
    Rows,
}

impl OutputView {
    fn choose(args: &Output, content: &OutputContent, screen: &OutputScreen) -> Result<Self, CliError> {
        if content.shape.is_some() {
            return Ok(Self::Rows);
        }
        let fold = args.fold || content.diff && !content.log && args.format == OutputFormat::Auto;
        let conflict = |flag: &str, other: &str| {
            Err(CliError::input(format!("{flag} and --format {other} exclude each other")))
        };
        match (args.format, fold, args.quiet) {
            (OutputFormat::Auto | OutputFormat::Quiet, false, true) => Ok(Self::Quiet),
            (OutputFormat::Lines, true, _) => conflict("--fold", "lines"),
            (OutputFormat::Jsonl, true, _) => conflict("--fold", "jsonl"),
            (OutputFormat::Quiet, true, _) => conflict("--fold", "quiet"),
            (OutputFormat::Lines, _, true) => conflict("--quiet", "lines"),
            (OutputFormat::Fold, _, true) => conflict("--quiet", "fold"),
            (OutputFormat::Jsonl, _, true) => conflict("--quiet", "jsonl"),
            (OutputFormat::Github, _, true) => conflict("--quiet", "github"),
            (OutputFormat::Gitlab, _, true) => conflict("--quiet", "gitlab"),
            (OutputFormat::Auto, true, _) | (OutputFormat::Fold, _, false) => Ok(Self::Fold),
            (OutputFormat::Lines, false, false) => Ok(Self::Lines),
            (OutputFormat::Jsonl, false, false) => Ok(Self::Jsonl),
            (OutputFormat::Github, _, false) => Ok(Self::Github),
            (OutputFormat::Gitlab, _, false) => Ok(Self::Gitlab),
            (OutputFormat::Quiet, false, false) => Ok(Self::Quiet),
            // What a command prints may be caught and worked with; a log with groups in it could not.
            (OutputFormat::Auto, false, false)
                if !content.log || args.no_prefix || screen.out_is_terminal =>
            {
                Ok(Self::Lines)
            }
            (OutputFormat::Auto, false, false) if runner_is_github() => Ok(Self::Github),
            (OutputFormat::Auto, false, false) if is_set("GITLAB_CI") => Ok(Self::Gitlab),
            (OutputFormat::Auto, false, false) => Ok(Self::Lines),
        }
    }
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn runner_is_github() -> bool {
    is_set("GITHUB_ACTIONS")
}

/// How the readers ended.
pub(super) struct ReportEnd {
    recap: Recap,
    failed: Option<io::Error>,
    dry: Option<DryEnd>,
    /// What is to be sent.
    parcels: Vec<Parcel>,
}

impl ReportEnd {
    /// Takes out what is to be sent.
    pub(super) fn parcels(&mut self) -> Vec<Parcel> {
        std::mem::take(&mut self.parcels)
    }

    /// The exit code of the run. Output that could not be written is an error when all else went well.
    pub(super) fn verdict(self) -> Result<ExitCode, CliError> {
        if self.failed.is_none() && self.recap.nobody_took_part() && self.recap.cancelled.is_none() {
            let message = "no hosts left: --where is false on all selected hosts";
            return Err(Diagnostic::bare(message)
                .help("nothing was started; `fan facts` shows their facts")
                .into());
        }
        let would_change = self.recap.hosts.iter().any(|record| record.would_change != Change::None);
        match (self.recap.exit_code(), self.failed) {
            (code, Some(source)) => {
                let error = CliError::Local { doing: "the output could not be written".to_owned(), source };
                if code == ExitCode::Ok {
                    return Err(error);
                }
                // What became of the hosts counts for more.
                talk(&error.worded(ToString::to_string));
                Ok(code)
            }
            (ExitCode::Ok, None) if self.dry == Some(DryEnd::ExitCode) && would_change => {
                Ok(ExitCode::Differs)
            }
            (code, None) => Ok(code),
        }
    }
}

impl Outputs {
    /// The readers that the flags ask for, once it is sure that they can write what they are to write.
    pub(super) fn new(args: &Output, color: Color, content: OutputContent) -> Result<Self, CliError> {
        let mut screen = OutputScreen::find(color)?;
        let view = OutputView::choose(args, &content, &screen)?;
        screen.one_stream = matches!(view, OutputView::Github | OutputView::Gitlab);
        let mut reporters: Vec<Box<dyn Reporter>> = Vec::new();
        let ((streams, mut targets), post) =
            deliver::prepare(&args.report, "--report ", &files::kinds(), |paths| {
                let (streams, reports) = files::split_streams(paths);
                Ok((streams, files::reports(&reports, "--report ")?))
            })?;
        for path in &streams {
            reporters.push(Box::new(Jsonl::new(Box::new(files::stream(path, "--report ")?))));
        }
        if let Some(folder) = &args.outdir {
            reporters.push(Box::new(PerHost::new(files::outdir(folder)?)));
        }
        let layout = match (args.no_prefix, screen.out_is_data()) {
            (false, _) => Layout::Prefixed,
            (true, true) => Layout::Verbatim,
            (true, false) => Layout::Bare,
        };
        if args.verbose && !matches!(view, OutputView::Jsonl | OutputView::Quiet) {
            reporters.push(Box::new(Verbose::new(screen.talk(), screen.style)));
        }
        let bars = match (args.format, view) {
            (OutputFormat::Auto, OutputView::Rows) if !args.quiet => screen.terminal.clone(),
            (OutputFormat::Auto | OutputFormat::Fold, OutputView::Lines | OutputView::Fold) => {
                screen.terminal.clone()
            }
            _ => None,
        };
        let mut show = |reporter: Box<dyn Reporter>| {
            reporters.push(if bars.is_some() { Box::new(BesideBars(reporter)) } else { reporter });
        };
        let mut fold = |frame| {
            let options = FoldOptions { layout, style: screen.style, frame, diff: content.diff };
            show(Box::new(Fold::new(screen.out(), screen.talk(), options)));
        };
        match view {
            OutputView::Jsonl => show(Box::new(Jsonl::new(screen.out()))),
            OutputView::Quiet => {}
            OutputView::Rows => {
                if let Some(shape) = content.shape {
                    show(Box::new(Rows::new(screen.out(), shape)));
                }
            }
            OutputView::Lines => {
                show(Box::new(Lines::new(screen.out(), screen.talk(), layout, screen.style)))
            }
            OutputView::Fold => fold(FoldFrame::Plain),
            OutputView::Github => fold(FoldFrame::Github),
            OutputView::Gitlab => fold(FoldFrame::Gitlab { clock: clock::unix }),
        }
        let opening = bars.as_ref().and_then(|_| screen.opening());
        if let Some(terminal) = bars {
            let hint = if opening.is_some() { VIEW_HINT } else { "" };
            reporters.push(Box::new(Progress::new(terminal).hinting(hint)));
        }
        // Also beside lines that are data: the runner reads both streams.
        if view == OutputView::Github
            || args.format == OutputFormat::Auto && view == OutputView::Lines && runner_is_github()
        {
            reporters.push(Box::new(Annotations::new(screen.talk())));
            targets.extend(files::summary());
        }
        let outbox = Outbox::default();
        targets.extend(outbox.filled_by(post));
        let reports = !targets.is_empty() || !streams.is_empty();
        if !targets.is_empty() {
            reporters.push(Box::new(Reports::new(targets)));
        }
        let opening = opening.map(|opening| if args.view { ViewOpening::AtOnce } else { opening });
        if args.view && opening.is_none() {
            return Err(no_view());
        }
        let quiet = view == OutputView::Quiet || view == OutputView::Rows && args.quiet;
        let outputs = Self::with(Composite::new(reporters), screen, quiet);
        // Two readers then write to stderr, each with a buffer of its own: their lines keep the order of events.
        let batch = if args.verbose { 0 } else { outputs.batch };
        Ok(Self { batch, reports, opening, outbox, dry: content.dry, ..outputs })
    }

    /// These readers, and a recap at the end.
    pub(super) fn with(reporters: Composite, screen: OutputScreen, quiet: bool) -> Self {
        let options = recap_options(&screen, quiet);
        let ending = OutputEnding::Recap { talk: screen.talk(), terminal: screen.terminal, options };
        Self {
            reporters,
            recap: Recap::default(),
            ending,
            failed: None,
            batch: BATCH,
            reports: false,
            outbox: Outbox::default(),
            resumable: false,
            dry: None,
            told: &[],
            view: None,
            opening: None,
        }
    }

    /// Only these readers.
    pub(super) fn only(reporters: Composite) -> Self {
        Self {
            reporters,
            recap: Recap::default(),
            ending: OutputEnding::Nothing,
            failed: None,
            batch: BATCH,
            reports: false,
            outbox: Outbox::default(),
            resumable: false,
            dry: None,
            told: &[],
            view: None,
            opening: None,
        }
    }

    /// The same with one more reader.
    pub(super) fn beside(mut self, reporter: Box<dyn Reporter>) -> Self {
        self.reporters.push(reporter);
        self
    }

    /// The same with one more reader, which writes when all is over.
    pub(super) fn keeping(self, reporter: Box<dyn Reporter>) -> Self {
        Self { reports: true, ..self.beside(reporter) }
    }

    /// The same with failures only at the end, but for those that stand with the output: exit statuses, and what a user
    /// who stopped it knows.
    pub(super) fn further_failures_only(mut self) -> Self {
        if let OutputEnding::Recap { options, .. } = &mut self.ending {
            options.quiet = true;
        }
        self.told = &[Kind::Exit, Kind::Interrupted];
        self
    }

    /// The same with the live view, where there can be one.
    pub(super) fn with_view(mut self, hands: impl FnOnce() -> Box<dyn Hands>) -> Self {
        if let (Some(opening), OutputEnding::Recap { terminal: Some(terminal), options, .. }) =
            (self.opening, &self.ending)
        {
            let terminal = terminal.clone();
            self.view = Some(LiveView::new(terminal, hands(), options.style.colour, opening));
        }
        self
    }

    /// The same with a view that opens then.
    pub(super) fn opening(self, opening: Option<ViewOpening>) -> Self {
        Self { opening, ..self }
    }

    /// Whether the view is on the screen.
    pub(super) fn is_viewed(&self) -> bool {
        self.view.as_ref().is_some_and(LiveView::is_open)
    }

    /// Says at the end how to go on with what is left.
    pub(super) fn offer_resume(&mut self) {
        self.resumable = true;
    }

    /// Whether its end takes longer than that of a screen.
    pub(super) fn writes_reports(&self) -> bool {
        self.reports
    }

    /// The terminal that they draw on.
    pub(super) fn terminal(&self) -> Option<Terminal> {
        match &self.ending {
            OutputEnding::Recap { terminal, .. } => terminal.clone(),
            OutputEnding::Nothing => None,
        }
    }

    /// Reads events until the engine is gone.
    pub(super) fn read(&mut self, deliveries: &mpsc::Receiver<Delivery>) {
        loop {
            match deliveries.recv_timeout(if self.is_viewed() { IDLE_VIEWED } else { IDLE }) {
                Ok(delivery) => {
                    self.take(delivery);
                    let gathered =
                        deliveries.try_iter().take(self.batch).map(|delivery| self.take(delivery)).count();
                    self.idle();
                    if gathered < self.batch {
                        thread::sleep(GATHER);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.idle(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, delivery: Delivery) {
        self.event(&delivery.event);
    }

    /// Takes in one event.
    pub(super) fn event(&mut self, event: &Event) {
        self.recap.apply(event);
        // Before those who write on the terminal that it gives back for a question.
        let viewed = self.view.as_mut().map_or(Ok(()), |view| view.event(event));
        self.note(viewed);
        let taken = self.reporters.event(event);
        self.note(taken);
    }

    /// No event is waiting.
    pub(super) fn idle(&mut self) {
        let idle = self.reporters.idle();
        self.note(idle);
        let viewed = self.view.as_mut().map_or(Ok(()), Reporter::idle);
        self.note(viewed);
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }

    /// Brings out the rest, and the recap.
    pub(super) fn finish(mut self) -> ReportEnd {
        let finished = self.reporters.finish();
        self.note(finished);
        // All is written; the user may look on.
        let viewed = self.view.as_mut().map_or(Ok(()), Reporter::finish);
        self.note(viewed);
        drop(self.view.take());
        match self.ending {
            OutputEnding::Nothing => {}
            OutputEnding::Recap { mut talk, terminal, mut options } => {
                if let Some(terminal) = &terminal {
                    // It may have been resized since.
                    let Size { columns, rows } = terminal.window().size;
                    (options.columns, options.rows) = (columns, rows);
                }
                // When stderr is gone there is nowhere to report it.
                let mut recap = Cow::Borrowed(&self.recap);
                if !self.told.is_empty() {
                    let failure = |record: &HostRecord| Some(record.outcome.as_ref()?.failure.as_ref()?.kind);
                    let is_told =
                        |record: &HostRecord| failure(record).is_some_and(|kind| self.told.contains(&kind));
                    recap.to_mut().hosts.retain(|record| !is_told(record));
                }
                let _ = talk.write_all(recap::render(&recap, &options).as_bytes());
                // The record goes with the runner.
                let offered = self.resumable && !options.quiet && !options.style.ci;
                if let Some(line) = recap::resume_line(&self.recap, &options).filter(|_| offered) {
                    let _ = talk.write_all(format!("\n{line}").as_bytes());
                }
                if let Some(line) = recap::dry_line(&self.recap, &options)
                    && self.dry.is_some()
                    && !options.quiet
                {
                    let _ = talk.write_all(line.as_bytes());
                }
                let _ = talk.flush();
                if let Some(terminal) = terminal {
                    terminal.finish(TERMINAL_PATIENCE);
                }
            }
        }
        ReportEnd { recap: self.recap, failed: self.failed, dry: self.dry, parcels: self.outbox.take() }
    }
}

/// What stdout and stderr are.
pub(super) struct OutputScreen {
    /// stderr, when it is a terminal.
    pub(super) terminal: Option<Terminal>,
    /// Colours and trust.
    pub(super) style: Style,
    out_is_terminal: bool,
    /// Talk goes to stdout too: a runner would mix two streams in any order.
    one_stream: bool,
}

impl OutputScreen {
    /// Looks at the process's streams and environment.
    pub(super) fn find(color: Color) -> Result<Self, CliError> {
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let talk_is_terminal = io::stderr().is_terminal() && !dumb;
        let colour = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => talk_is_terminal && !is_set("NO_COLOR"),
        };
        let terminal = if talk_is_terminal {
            let queue = DroppingWriter::new(Box::new(io::stderr()), DroppingWriter::LIMIT)
                .map_err(|source| CliError::Local { doing: "cannot start a thread".to_owned(), source })?;
            let rewraps = rewraps();
            Some(Terminal::new(queue, move || Window { size: size(), ours: is_foreground(), rewraps }))
        } else {
            None
        };
        let style = Style { colour, ci: RUNNERS.iter().any(|name| is_set(name)) };
        Ok(Self { terminal, style, out_is_terminal: io::stdout().is_terminal(), one_stream: false })
    }

    /// When a view opens, if there can be one: somebody has to be there, and to see all of it.
    pub(super) fn opening(&self) -> Option<ViewOpening> {
        let is_for_people = self.terminal.is_some() && self.out_is_terminal && !self.style.ci;
        (is_for_people && hands::are_there()).then_some(ViewOpening::OnKey)
    }

    /// Where data goes. A terminal that shows both streams has one owner, or lines would tear.
    pub(super) fn out(&self) -> Box<dyn Write + Send> {
        match &self.terminal {
            Some(terminal) if self.out_is_terminal => Box::new(terminal.clone()),
            _ => Box::new(io::stdout()),
        }
    }

    /// Where talk goes.
    pub(super) fn talk(&self) -> Box<dyn Write + Send> {
        match &self.terminal {
            _ if self.one_stream => self.out(),
            Some(terminal) => Box::new(terminal.clone()),
            None => Box::new(io::stderr()),
        }
    }

    /// Brings out what a terminal was sent.
    pub(super) fn finish(self) {
        if let Some(terminal) = self.terminal {
            terminal.finish(TERMINAL_PATIENCE);
        }
    }

    /// Nobody obeys what is in stdout: a pipe or a file, outside CI.
    fn out_is_data(&self) -> bool {
        !self.out_is_terminal && !self.style.ci
    }
}

/// There is nobody to show a view to.
pub(super) fn no_view() -> CliError {
    Diagnostic::bare("--view needs a terminal")
        .help("stdin, stdout and stderr must be one, outside CI, and --format be auto or fold")
        .into()
}

/// How a recap is laid out for a screen.
pub(super) fn recap_options(screen: &OutputScreen, quiet: bool) -> recap::Options {
    let Size { columns, rows } = if screen.terminal.is_some() { size() } else { DEFAULT_SIZE };
    recap::Options { style: screen.style, columns, rows, quiet, fold: range::fold }
}

/// The terminal's size now.
fn size() -> Size {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            Size { columns: usize::from(size.ws_col), rows: usize::from(size.ws_row) }
        }
        _ => DEFAULT_SIZE,
    }
}

/// Whether the terminal is ours to draw on, and not the shell's that sent us to the background.
fn is_foreground() -> bool {
    // A terminal that does not say is taken for ours.
    rustix::termios::tcgetpgrp(io::stderr()).map_or(true, |group| group == rustix::process::getpgrp())
}

/// Whether the terminal wraps lines anew when it is made narrower. Most do; these cut them.
fn rewraps() -> bool {
    let term = env::var("TERM").unwrap_or_default();
    let cuts = is_set("XTERM_VERSION") || term.starts_with("linux") || is_set("STY") && !is_set("TMUX");
    !cuts
}
