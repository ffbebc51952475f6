//! `fan show` and `fan report`: a recorded run, told again.

use std::io;

use crate::cli::args::{Color, ReportOf, ShowArgs};
use crate::cli::deliver::{self, Outbox};
use crate::cli::error::{CliError, talk};
use crate::cli::output::{OutputScreen, recap_options};
use crate::cli::print::print;
use crate::cli::recorded::RecordedRun;
use crate::cli::{files, follow};
use crate::event::recap::Recap;
use crate::model::outcome::ExitCode;
use crate::report::{Fold, FoldFrame, FoldOptions, Layout, Lines, Reporter, Reports, recap};

pub(super) fn run(args: &ShowArgs, color: Color) -> Result<ExitCode, CliError> {
    if args.follow || args.view {
        return follow::run(args, color);
    }
    let recorded = RecordedRun::open(&args.run)?;
    let screen = OutputScreen::find(color)?;
    let (layout, style) = (Layout::Prefixed, screen.style);
    let mut output: Option<Box<dyn Reporter>> = if args.fold || args.diff {
        let options = FoldOptions { layout, style, frame: FoldFrame::Plain, diff: args.diff };
        Some(Box::new(Fold::new(screen.out(), screen.talk(), options)))
    } else if args.output {
        Some(Box::new(Lines::new(screen.out(), screen.talk(), layout, style)))
    } else {
        None
    };
    let mut recap = Recap::default();
    recorded.tell(|event| {
        recap.apply(event);
        output.iter_mut().try_for_each(|output| output.event(event))
    })?;
    output.iter_mut().try_for_each(|output| output.finish()).map_err(unwritable)?;
    let left_out = recorded.left_out();
    if output.is_some() && left_out > 0 {
        talk(&format!("note: {left_out} bytes of output were not kept"));
    }
    if recorded.is_going_on() {
        talk("note: the run is still in progress");
    }
    let text = recap::render(&recap, &recap_options(&screen, false));
    screen.finish();
    print(&text)?;
    Ok(ExitCode::Ok)
}

/// `fan report`.
pub(super) fn report(args: &ReportOf) -> Result<ExitCode, CliError> {
    let recorded = RecordedRun::open(args.run.as_deref().unwrap_or("last"))?;
    let (mut readers, post) = deliver::prepare(&args.files, "", &files::kinds(), |paths| {
        files::readers(paths, "", recorded.stream())
    })?;
    let outbox = Outbox::default();
    if let Some(target) = outbox.filled_by(post) {
        readers.push(Box::new(Reports::new(vec![target])));
    }
    recorded.tell(|event| readers.event(event))?;
    readers.finish().map_err(unwritable)?;
    deliver::deliver_now(outbox.take(), ExitCode::Ok)
}

fn unwritable(source: io::Error) -> CliError {
    CliError::Local { doing: "the output could not be written".to_owned(), source }
}
