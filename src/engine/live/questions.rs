//! Questions that a step has for the user. The engine waits for the answer; whoever runs it knows how to ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::model::secret::Secret;

/// A question on its way to the user.
#[derive(Debug)]
pub struct Question {
    /// What is asked; may hold anything.
    pub text: String,
    /// What kind of answer it takes, and where that goes.
    pub wanted: Wanted,
}

/// What kind of answer a question takes.
#[derive(Debug)]
pub enum Wanted {
    /// Whether to go on.
    Consent(Answer<()>),
    /// Whether to run a step.
    Pace(Answer<StepChoice>),
    /// A line.
    Line {
        /// What an empty one means.
        default: Option<String>,
        /// Where it goes.
        answer: Answer<String>,
    },
    /// A line that is not shown, and must not be told.
    Secret(Answer<Secret>),
}

/// What the user wants of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepChoice {
    /// Run it.
    Run,
    /// Leave it out.
    Skip,
    /// Run it, and ask nothing about what follows.
    RunAll,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The user said no, or would rather not say.
    Declined,
    /// There is no way to ask: why.
    Unable(String),
}

/// Where an answer goes.
#[derive(Debug)]
pub struct Answer<T>(oneshot::Sender<Result<T, Unanswered>>);

impl<T> Answer<T> {
    /// Whether the asker has given up.
    pub fn is_moot(&self) -> bool {
        self.0.is_closed()
    }

    /// Gives it.
    pub fn give(self, answer: Result<T, Unanswered>) {
        // Nobody may wait any more.
        let _ = self.0.send(answer);
    }
}

/// The end that steps ask at.
#[derive(Clone, Debug)]
pub struct QuestionSender {
    questions: mpsc::Sender<Question>,
    /// How many wait for their answer.
    open: Arc<AtomicUsize>,
}

/// A question that waits for its answer.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The questions of a run, one at a time, and the end that they come out of.
pub fn questions() -> (QuestionSender, mpsc::Receiver<Question>) {
    let (sender, receiver) = mpsc::channel(1);
    (QuestionSender { questions: sender, open: Arc::default() }, receiver)
}

impl QuestionSender {
    /// Whether the user is being asked something.
    pub(crate) fn is_busy(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Asks for what a variant of [`Wanted`] stands for, and waits. Cancel-safe: a question that is dropped is moot.
    pub(crate) async fn ask<T>(
        &self,
        text: String,
        wanted: impl FnOnce(Answer<T>) -> Wanted,
    ) -> Result<T, Unanswered> {
        self.open.fetch_add(1, Ordering::Relaxed);
        let _open = Open(Arc::clone(&self.open));
        let (sender, answer) = oneshot::channel();
        let nobody = || Unanswered::Unable("there is no terminal to ask on".to_owned());
        let question = Question { text, wanted: wanted(Answer(sender)) };
        self.questions.send(question).await.map_err(|_| nobody())?;
        answer.await.unwrap_or_else(|_| Err(nobody()))
    }
}
