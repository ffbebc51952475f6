//! `fan show --follow` and `--view`: a recorded run as it is seen by the one who started it, while it goes on and after it.

use std::collections::VecDeque;
use std::io;
use std::thread;
use std::time::Duration;

use crate::cli::args::{Color, ShowArgs};
use crate::cli::error::{CliError, talk};
use crate::cli::hands::TtyHands;
use crate::cli::output::{OutputScreen, Outputs, VIEW_HINT, no_view};
use crate::cli::recorded::RecordedRun;
use crate::cli::runtime::runtime;
use crate::cli::{signals, suspend};
use crate::engine::{Stop, StopReceiver};
use crate::event::{Event, Fact, RunFact};
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::report::{
    BesideBars, Composite, Fold, FoldFrame, FoldOptions, Layout, Lines, Progress, Reporter, ViewOpening,
};
use crate::store::RunTail;

/// How often it is looked whether more was written.
const LOOK: Duration = Duration::from_millis(50);

/// Events between two looks at keys.
const BATCH: usize = 1024;

/// Shows a run with the readers that a run of one's own has.
pub(super) fn run(args: &ShowArgs, color: Color) -> Result<ExitCode, CliError> {
    let recorded = RecordedRun::open(&args.run)?;
    if args.follow && matches!(recorded, RecordedRun::Stream(_)) {
        return Err(Diagnostic::bare("--follow is for runs of the journal, not for files")
            .help("name the run: `fan history` lists them")
            .into());
    }
    let screen = OutputScreen::find(color)?;
    let opening = screen.opening();
    if args.view && opening.is_none() {
        return Err(no_view());
    }
    let opening = opening.map(|opening| if args.view { ViewOpening::AtOnce } else { opening });
    let readers = if args.follow { readers(args, &screen) } else { Vec::new() };
    let outputs = Outputs::with(Composite::new(readers), screen, false).opening(opening);
    runtime()?.block_on_then_leave(async {
        let (_, stopping) = signals::stops()?;
        if let Some(terminal) = outputs.terminal() {
            suspend::listen(terminal).map_err(|source| CliError::Local {
                doing: "cannot listen for signals".to_owned(),
                source,
            })?;
        }
        let outputs = outputs.with_view(|| Box::new(TtyHands::new(None, stopping.clone())));
        let leaves_with_view = args.view && !args.follow;
        // It reads files, and waits.
        let followed =
            tokio::task::spawn_blocking(move || follow(&recorded, outputs, &stopping, leaves_with_view));
        followed.await.unwrap_or(Ok(ExitCode::Bug))
    })
}

/// Those that write lines.
fn readers(args: &ShowArgs, screen: &OutputScreen) -> Vec<Box<dyn Reporter>> {
    let (layout, style) = (Layout::Prefixed, screen.style);
    let reporter: Box<dyn Reporter> = if args.fold || args.diff {
        let options = FoldOptions { layout, style, frame: FoldFrame::Plain, diff: args.diff };
        Box::new(Fold::new(screen.out(), screen.talk(), options))
    } else {
        Box::new(Lines::new(screen.out(), screen.talk(), layout, style))
    };
    match &screen.terminal {
        Some(terminal) => {
            let hint = if screen.opening().is_some() { VIEW_HINT } else { "" };
            let bars = Progress::new(terminal.clone()).hinting(hint);
            vec![Box::new(BesideBars(reporter)), Box::new(bars)]
        }
        None => vec![reporter],
    }
}

/// Where events come from.
enum FollowedRun {
    /// A run of the journal, which may go on.
    RunTail(RunTail),
    /// A file.
    File(VecDeque<Event>),
}

impl FollowedRun {
    fn of(recorded: &RecordedRun) -> Result<Self, CliError> {
        match recorded {
            RecordedRun::Run(stored) => Ok(Self::RunTail(stored.tail()?)),
            RecordedRun::Stream(_) => {
                let mut events = VecDeque::new();
                recorded.tell(|event| {
                    events.push_back(event.clone());
                    Ok(())
                })?;
                Ok(Self::File(events))
            }
        }
    }

    /// The next ones; none for now, or for ever when the second is false.
    fn more(&mut self) -> io::Result<(Vec<Event>, bool)> {
        match self {
            Self::RunTail(tail) => {
                let goes_on = tail.is_going_on();
                // Asked before: what was written until the end is read.
                let events = tail.more()?;
                Ok((events, goes_on))
            }
            Self::File(events) => {
                let next = events.drain(..events.len().min(BATCH)).collect();
                Ok((next, false))
            }
        }
    }
}

fn follow(
    recorded: &RecordedRun,
    mut outputs: Outputs,
    stopping: &StopReceiver,
    leaves_with_view: bool,
) -> Result<ExitCode, CliError> {
    let mut source = FollowedRun::of(recorded)?;
    let mut finished = false;
    let mut was_viewed = false;
    let mut cut_off = false;
    while !finished && !cut_off && stopping.current() == Stop::Run {
        let (events, goes_on) = source
            .more()
            .map_err(|source| CliError::Local { doing: "cannot read the run".to_owned(), source })?;
        cut_off = events.is_empty() && !goes_on;
        for event in &events {
            finished |= matches!(event.fact, Fact::Run(RunFact::Finished { .. }));
            outputs.event(event);
        }
        outputs.idle();
        if leaves_with_view && was_viewed && !outputs.is_viewed() {
            break;
        }
        was_viewed |= outputs.is_viewed();
        if events.is_empty() && !cut_off {
            thread::sleep(LOOK);
        }
    }
    let end = outputs.finish();
    if let Stop::Drain(reason) | Stop::Now(reason) = stopping.current() {
        return Ok(reason.exit_code());
    }
    if cut_off {
        talk("note: this run has no end: its fan was killed, or could not write any more");
    }
    let verdict = end.verdict()?;
    Ok(if leaves_with_view { ExitCode::Ok } else { verdict })
}
