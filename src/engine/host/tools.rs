//! What every step of a run may use, whichever host it is done for.

use std::sync::Arc;

use crate::engine::host::shared_files::SharedFiles;
use crate::engine::live::input::RunInput;
use crate::engine::live::questions::QuestionSender;
use crate::engine::live::sink::EventSink;
use crate::engine::live::stop::StopReceiver;

/// The way to the hosts, to the readers and to the user.
pub(crate) struct Tools<C> {
    pub(crate) connector: C,
    pub(crate) sink: EventSink,
    pub(crate) stop: StopReceiver,
    pub(crate) questions: QuestionSender,
    pub(crate) files: Arc<SharedFiles>,
    /// What commands read that take the input of the run.
    pub(crate) input: Option<Arc<RunInput>>,
}

/// What a run may have from its user.
pub struct FromUser {
    /// The wish to stop.
    pub stop: StopReceiver,
    /// Answers.
    pub questions: QuestionSender,
    /// What commands read that take the input of the run.
    pub input: Option<Arc<RunInput>>,
}
