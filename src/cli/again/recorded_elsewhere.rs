//! A run that another machine recorded as an event stream, such as the runner of a CI job that is gone: taken in among the
//! runs of this machine, to go on from there.

use std::io;
use std::path::Path;

use crate::cli::error::{CliError, talk};
use crate::cli::recorded::{events, unusable};
use crate::cli::state;
use crate::event::{Event, Fact, RecordFact, RunFact, SCHEMA_VERSION};
use crate::model::position::Diagnostic;
use crate::model::shell::quote_word;
use crate::report::merge::{MergeError, whole_events};
use crate::store::{Recipe, Runs, Way};

/// What a stream tells of its run as a whole.
struct StreamHead {
    run: String,
    recipe: Option<Recipe>,
    /// Its last event is the end of the run.
    ended: bool,
}

/// Takes in a run, unless this machine has it; its name.
pub(super) fn take_in(path: &Path, way: Way) -> Result<String, CliError> {
    let shown = path.display();
    let StreamHead { run, recipe, ended } = head(path).map_err(|error| unusable(path, error))?;
    let state = state::state_folder()
        .ok_or_else(|| CliError::input("there is no folder for the record of a run: set HOME".to_owned()))?;
    let runs = Runs::create(&state)?;
    if runs.has(&run) {
        return Ok(run);
    }
    let Some(mut recipe) = recipe.filter(|recipe| recipe.run == run) else {
        return Err(Diagnostic::bare(format!("{shown} does not say how its run was started"))
            .help(
                "`--report FILE.jsonl` of the run itself says it; not that of a dry run, of `fan report`, or of fan 0.1",
            )
            .into());
    };
    if way == Way::Resume && !ended {
        return Err(Diagnostic::bare(format!(
            "{shown} ends before its run did: what was done after that is not known"
        ))
        .help(format!("`fan retry {shown}` starts over on the hosts that are not ok"))
        .into());
    }
    let words: Vec<_> = recipe.arguments.iter().map(|word| quote_word(word)).collect();
    talk(&format!("{shown}: fan {}", words.join(" ")));
    // Its files are here now.
    recipe.folder = std::env::current_dir()
        .map_err(|source| CliError::Local { doing: "cannot tell the working folder".to_owned(), source })?
        .display()
        .to_string();
    let all = events(path).map_err(|error| unusable(path, error.into()))?;
    runs.import(&recipe, whole_events(all))?;
    Ok(run)
}

/// Goes through a stream. Of what this version does not understand, something may say that a step has run; so nothing is
/// passed over.
fn head(path: &Path) -> Result<StreamHead, MergeError> {
    let refused =
        |at: usize, what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("event {at}: {what}"));
    let mut head: Option<StreamHead> = None;
    for (at, event) in whole_events(events(path)?).enumerate() {
        let event = event?;
        if !event.is_understood() {
            return Err(refused(at + 1, "of a later version of fan: use that version").into());
        }
        let Event { fact, .. } = event;
        match (&mut head, fact) {
            (None, Fact::Run(RunFact::Started { run, schema, .. })) if schema <= SCHEMA_VERSION => {
                head = Some(StreamHead { run: run.to_string(), recipe: None, ended: false });
            }
            (None, _) | (Some(_), Fact::Run(RunFact::Started { .. })) => {
                return Err(refused(at + 1, "this is no stream of one run").into());
            }
            (Some(head), Fact::Record(RecordFact::CommandGiven { recipe })) => {
                let read = serde_json::from_value(recipe);
                head.recipe = Some(read.map_err(|error| refused(at + 1, &error.to_string()))?);
            }
            (Some(head), Fact::Run(RunFact::Finished { .. })) => head.ended = true,
            (Some(_), _) => {}
        }
    }
    head.ok_or_else(|| refused(1, "there is none").into())
}
