//! What every step of a run may use, whichever host it is done for.

use std::sync::Arc;

use crate::engine::host::shared_files::SharedFiles;
use crate::engine::live::input::RunInput;
use crate::engine::live::questions::QuestionSender;
use crate::engine::live::sink::EventSink;
use crate::engine::live::stop::StopReceiver;
use crate::model::inventory::HostName;
use crate::model::value::Value;

/// The way to the hosts, to the readers and to the user.
pub(crate) struct Tools<C> {
    pub(crate) connector: Arc<C>,
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
    /// What the run was started with, for who records the event stream.
    pub recipe: Option<Value>,
}

impl<C> Tools<C> {
    /// The same for the work on one host, which may be cancelled alone.
    pub(crate) fn of_host(&self, host: &HostName) -> Self {
        Self {
            connector: Arc::clone(&self.connector),
            sink: self.sink.clone(),
            stop: self.stop.of_host(host),
            questions: self.questions.clone(),
            files: Arc::clone(&self.files),
            input: self.input.clone(),
        }
    }
}
