//! `fan report merge`: one report of the recorded event streams of several runs.

use std::io;
use std::path::{Path, PathBuf};

use crate::cli::args::MergeArgs as Args;
use crate::cli::deliver::{self, Outbox};
use crate::cli::error::{CliError, talk};
use crate::cli::files;
use crate::cli::recorded::{events, unusable};
use crate::event::Event;
use crate::model::outcome::ExitCode;
use crate::report::merge::{Merge, MergeError, PartEnd, StreamPart, whole_events};
use crate::report::{Reporter, Reports};

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let (mut targets, post) =
        deliver::prepare(&args.output, "-o ", &files::kinds(), |paths| files::reports(paths, "-o "))?;
    let outbox = Outbox::default();
    targets.extend(outbox.filled_by(post));
    let mut reports = Reports::new(targets);
    let merge = merge(&args.streams)?;
    take(&mut reports, merge.beginning())?;
    for (at, path) in args.streams.iter().enumerate() {
        for event in whole_events(events(path).map_err(|error| unusable(path, error.into()))?) {
            let event = event.map_err(|error| unusable(path, error.into()))?;
            if let Some(event) = merge.event(at, event) {
                take(&mut reports, &event)?;
            }
        }
    }
    if let Some(event) = merge.end() {
        take(&mut reports, event)?;
    }
    reports.finish().map_err(not_written)?;
    deliver::deliver_now(outbox.take(), ExitCode::Ok)
}

/// Looks at all streams; all that is wrong with them at once.
fn merge(paths: &[PathBuf]) -> Result<Merge, CliError> {
    let mut parts = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        match events(path).map_err(MergeError::from).and_then(StreamPart::read) {
            Ok(part) => {
                if part.end() == PartEnd::CutOff {
                    talk(&format!("warning: {} was cut off: the end of its run is missing", path.display()));
                }
                parts.push(part);
            }
            Err(error) => problems.push(unusable(path, error)),
        }
    }
    if !problems.is_empty() {
        return Err(CliError::Input(problems));
    }
    Merge::of(&parts).map_err(|(at, error)| {
        let path = paths.get(at).map(PathBuf::as_path).unwrap_or(Path::new(""));
        let problem = unusable(path, error);
        problem.help("give each stream once; slices of a selection share no host").into()
    })
}

fn take(reports: &mut Reports, event: &Event) -> Result<(), CliError> {
    reports.event(event).map_err(not_written)
}

fn not_written(source: io::Error) -> CliError {
    CliError::Local { doing: "the report could not be written".to_owned(), source }
}
