//! Steps on files: from what the user wrote to what `files` does, and from its end to the step's outcome.
//!
//! - `put`, `get`, `state`, `line`: the kinds of steps
//! - `frame`: what surrounds all of them: the user's stop, the deadline, progress, what is left behind
//! - `texts`: templates filled in, and paths made whole
//! - `difference`: what changes in a text

mod difference;
mod frame;
mod get;
mod line;
mod put;
mod state;
mod texts;

use crate::engine::step::StepResult;
use crate::engine::step::files::frame::Context;
use crate::engine::step::files::texts::Texts;
use crate::engine::step::privilege::raising;
use crate::engine::walk::worker::Worker;
use crate::files::remote::{Privilege, Remote};
use crate::model::outcome::{Failure, Kind};
use crate::model::task::{Action, Step};
use crate::model::template::Scope;
use crate::model::value::Vars;
use crate::ssh::Connector;

pub(super) async fn run<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let work = Work::prepare(worker, step, scope)?;
    let privilege = match raising(worker, step, scope)? {
        Some(raising) => Privilege::Other(Box::new(raising)),
        None => Privilege::Login,
    };
    frame::run(worker, index, step, privilege, work).await
}

/// A step on files with its templates filled in.
enum Work {
    Put(put::Put),
    Get(get::Get),
    Sync(put::Sync),
    Template(put::Template),
    File(state::File),
    Line(line::Line),
    Stat(Vec<u8>),
    Ls(Vec<u8>),
}

/// What a step on files did.
#[derive(Default)]
struct Done {
    /// Something on the host was changed, or would be.
    changed: bool,
    /// What `register` stores besides.
    values: Vars,
    /// A line for the report.
    note: String,
    /// Changes to text, for `--diff`.
    difference: Option<String>,
    /// Data for stdout.
    output: Vec<u8>,
}

impl Work {
    fn prepare<C: Connector>(worker: &Worker<'_, C>, step: &Step, scope: &Scope) -> Result<Self, Failure> {
        let texts = Texts::new(worker, step, scope)?;
        Ok(match &step.action {
            Action::Put(put) => Self::Put(put::Put::prepare(&texts, put)?),
            Action::Get(get) => Self::Get(get::Get::prepare(&texts, get)?),
            Action::Sync(sync) => Self::Sync(put::Sync::prepare(&texts, sync)?),
            Action::Template(file) => Self::Template(put::Template::prepare(&texts, file, scope)?),
            Action::File(file) => Self::File(state::File::prepare(&texts, file)?),
            Action::Line(line) => Self::Line(line::Line::prepare(&texts, line)?),
            Action::Stat(path) => Self::Stat(texts.remote(path)?),
            Action::Ls(path) => Self::Ls(texts.remote(path)?),
            _ => {
                return Err(Failure::new(
                    Kind::Internal,
                    format!("{} is no step on files", step.action.key()),
                ));
            }
        })
    }

    /// Whether contents are moved, which are counted on both sides.
    fn counts(&self) -> bool {
        match self {
            Self::Put(_) | Self::Get(_) | Self::Sync(_) | Self::Template(_) | Self::Line(_) => true,
            Self::File(_) | Self::Stat(_) | Self::Ls(_) => false,
        }
    }

    async fn run<C: Connector>(
        &self,
        context: &Context<'_>,
        remote: &Remote<C::Session>,
    ) -> Result<Done, Failure> {
        match self {
            Self::Put(put) => put.run(context, remote).await,
            Self::Get(get) => get.run(context, remote).await,
            Self::Sync(sync) => sync.run(context, remote).await,
            Self::Template(file) => file.run(context, remote).await,
            Self::File(file) => file.run(context, remote).await,
            Self::Line(line) => line.run(context, remote).await,
            Self::Stat(path) => state::stat(remote, path).await,
            Self::Ls(path) => state::ls(remote, path).await,
        }
    }
}
