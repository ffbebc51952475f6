//! A step on files, whichever it is.

use crate::engine::step::cx::StepCx;
use crate::engine::step::files::context::{Context, FilesDone};
use crate::engine::step::files::texts::Texts;
use crate::engine::step::files::{get, line, put, state};
use crate::files::remote::Remote;
use crate::model::outcome::{Failure, Kind};
use crate::model::task::Action;
use crate::ssh::{Connector, Session};

/// A step on files with its templates filled in.
pub(super) enum Work {
    Put(put::FilledPut),
    Get(get::FilledGet),
    Sync(put::FilledSync),
    Template(put::FilledTemplate),
    Unarchive(put::FilledUnarchive),
    File(state::File),
    Line(line::Line),
    Stat(Vec<u8>),
    Ls(Vec<u8>),
}

impl Work {
    pub(super) fn prepare<C: Connector>(cx: &StepCx<'_, C>) -> Result<Self, Failure> {
        let texts = Texts::new(cx)?;
        Ok(match &cx.step.action {
            Action::Put(put) => Self::Put(put::FilledPut::prepare(&texts, put)?),
            Action::Get(get) => Self::Get(get::FilledGet::prepare(&texts, get)?),
            Action::Sync(sync) => Self::Sync(put::FilledSync::prepare(&texts, sync)?),
            Action::Template(file) => Self::Template(put::FilledTemplate::prepare(&texts, file)?),
            Action::Unarchive(step) => Self::Unarchive(put::FilledUnarchive::prepare(&texts, step)?),
            Action::File(file) => Self::File(state::File::prepare(&texts, file)?),
            Action::Line(line) => Self::Line(line::Line::prepare(&texts, line)?),
            Action::Stat(path) => Self::Stat(texts.remote(path)?),
            Action::Ls(path) => Self::Ls(texts.remote(path)?),
            Action::Run(_)
            | Action::Local(_)
            | Action::Script(_)
            | Action::Echo(_)
            | Action::Set(_)
            | Action::Fail(_)
            | Action::Assert { .. }
            | Action::Facts(_)
            | Action::Barrier
            | Action::WaitFor(_)
            | Action::Confirm(_)
            | Action::Prompt(_)
            | Action::Reboot(_)
            | Action::Block(_)
            | Action::Task(_) => {
                return Err(Failure::new(
                    Kind::Internal,
                    format!("{} is no step on files", cx.step.action.key()),
                ));
            }
        })
    }

    /// Whether contents are moved, which are counted on both sides.
    pub(super) fn counts(&self) -> bool {
        match self {
            Self::Put(_)
            | Self::Get(_)
            | Self::Sync(_)
            | Self::Template(_)
            | Self::Unarchive(_)
            | Self::Line(_) => true,
            Self::File(_) | Self::Stat(_) | Self::Ls(_) => false,
        }
    }

    pub(super) async fn run<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
    ) -> Result<FilesDone, Failure> {
        match self {
            Self::Put(put) => put.run(context, remote).await,
            Self::Get(get) => get.run(context, remote).await,
            Self::Sync(sync) => sync.run(context, remote).await,
            Self::Template(file) => file.run(context, remote).await,
            Self::Unarchive(step) => step.run(context, remote).await,
            Self::File(file) => file.run(context, remote).await,
            Self::Line(line) => line.run(context, remote).await,
            Self::Stat(path) => state::stat(remote, path).await,
            Self::Ls(path) => state::ls(remote, path).await,
        }
    }
}
