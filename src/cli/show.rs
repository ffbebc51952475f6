//! `fan show` and `fan report`: an earlier run, told again from its journal.

use crate::cli::args::{Color, ReportOf, Show};
use crate::cli::error::{CliError, talk};
use crate::cli::output::{Screen, recap_options};
use crate::cli::{files, journal, print};
use crate::event::recap::Recap;
use crate::model::outcome::ExitCode;
use crate::report::{Jsonl, Layout, Lines, Reporter, Reports, recap};
use crate::store::{State, Stored};

pub(super) fn run(args: &Show, color: Color) -> Result<ExitCode, CliError> {
    let stored = open(&args.run)?;
    let screen = Screen::find(color)?;
    let mut recap = Recap::default();
    let mut lines =
        args.output.then(|| Lines::new(screen.out(), screen.talk(), Layout::Prefixed, screen.style));
    for event in stored.events()? {
        recap.apply(&event);
        if let Some(lines) = &mut lines {
            lines.event(&event).map_err(unwritable)?;
        }
    }
    if let Some(mut lines) = lines {
        lines.finish().map_err(unwritable)?;
    }
    let left_out = stored.state.ended().output_left_out;
    if args.output && left_out > 0 {
        talk(&format!("note: {left_out} bytes of output were not kept"));
    }
    if let State::Running(_) = stored.state {
        talk("note: the run is still going on");
    }
    let text = recap::render(&recap, &recap_options(&screen, false));
    screen.finish();
    print(&text)?;
    Ok(ExitCode::Ok)
}

/// `fan report`.
pub(super) fn report(args: &ReportOf) -> Result<ExitCode, CliError> {
    let stored = open(args.run.as_deref().unwrap_or("last"))?;
    let (streams, reports) = files::split_streams(&args.files);
    let mut readers: Vec<Box<dyn Reporter>> = vec![Box::new(Reports::new(files::reports(&reports, "")?))];
    for path in &streams {
        readers.push(Box::new(Jsonl::new(Box::new(files::stream(path, "")?))));
    }
    for event in stored.events()? {
        readers.iter_mut().try_for_each(|reader| reader.event(&event)).map_err(unwritable)?;
    }
    readers.iter_mut().try_for_each(|reader| reader.finish()).map_err(unwritable)?;
    Ok(ExitCode::Ok)
}

fn open(run: &str) -> Result<Stored, CliError> {
    let runs = journal::runs()?;
    Ok(runs.read(&runs.find(run)?)?)
}

fn unwritable(source: std::io::Error) -> CliError {
    CliError::Local { doing: "the output could not be written".to_owned(), source }
}
