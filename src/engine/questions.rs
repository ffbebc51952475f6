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
    /// What kind of answer it takes.
    pub wanted: Wanted,
    reply: oneshot::Sender<Reply>,
}

/// What kind of answer a question takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Yes or no.
    Consent,
    /// Whether to run a step: yes, no, this one and all later ones, or leave.
    Pace,
    /// A line.
    Line {
        /// What an empty one means.
        default: Option<String>,
    },
    /// A line that is not shown.
    Secret,
}

/// What the user says.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Yes.
    Yes,
    /// No, or a turned down question.
    No,
    /// Yes, and nothing is asked about what follows.
    All,
    /// No, and nothing else either.
    Quit,
    /// A line.
    Line(String),
    /// A line that must not be told.
    Secret(Secret),
    /// There is no way to ask: why.
    Unable(String),
}

impl Question {
    /// Whether nobody waits for the answer any more.
    pub fn is_moot(&self) -> bool {
        self.reply.is_closed()
    }

    /// Gives the answer.
    pub fn answer(self, reply: Reply) {
        // Nobody may wait any more.
        let _ = self.reply.send(reply);
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
    pub(super) fn is_busy(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Asks, and waits for the answer. Cancel-safe: a question that is dropped is moot.
    pub(super) async fn ask(&self, text: String, wanted: Wanted) -> Reply {
        self.open.fetch_add(1, Ordering::Relaxed);
        let _open = Open(Arc::clone(&self.open));
        let (reply, answer) = oneshot::channel();
        let nobody = || Reply::Unable("nobody is there to answer questions".to_owned());
        if self.questions.send(Question { text, wanted, reply }).await.is_err() {
            return nobody();
        }
        answer.await.unwrap_or_else(|_| nobody())
    }
}
