//! What comes behind a command's exit status, and when that was all.
//!
//! Servers tell of an exit at once and send what they still hold of the output after it. Its end is certain when they
//! end the streams or close the channel; a process that the command left behind holds both open. Silence alone tells
//! nothing, because a link that stalls is silent too. What tells is an answer: servers answer in order, so what was
//! sent before the answer has come before it. A server may hold output back until it has read what came along with the
//! question (a grown window), so two answers in a row have to come with nothing between them.
//!
//! A command that says when it begins, and of which not even that has come, has output due for certain: there the answers
//! prove nothing for a while, and after it an exit status of 0 is not believed.
//!
//! Pure: it is told what was heard and when, and says what is due.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::outcome::{Exit, Failure, Kind};

/// How long the output is silent before the first question: an end that is on its way comes by itself.
const SILENCE: Duration = Duration::from_secs(2);

/// How long it may go on before questions are put into it: what writes then may be what was left behind.
const TALK: Duration = Duration::from_secs(10);

/// How long the beginning of a command may come behind its end.
const BEGINNING: Duration = Duration::from_secs(10);

/// The pause between questions that were answered amid output.
const AGAIN: Duration = Duration::from_millis(700);

/// The same when the user wants the end.
const HURRIED: Duration = Duration::from_millis(100);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(60);

/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(600);

/// Bytes behind the status that no server holds: a window of each stream (16 MiB), and what is in pipes. What comes
/// then was written later.
const MOST: u64 = 64 * 1024 * 1024;

/// Answers in a row with nothing between them that prove the end.
const PROOF: u32 = 2;

/// What is known of the output of a command that has exited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It ended: all of it has come.
    Whole,
    /// All of it has come, and a process that the command left behind may go on writing.
    HeldOpen,
    /// There may be more, for this reason.
    Cut(Failure),
}

/// What is to be done about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Ask for a sign of life.
    Ask,
    /// Nothing more is waited for.
    Over(Rest),
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Tail {
    exit: Exit,
    since: Instant,
    last_heard: Instant,
    /// Bytes that came behind the status.
    behind: u64,
    /// Both streams have ended.
    ended: bool,
    /// Its beginning has come, or it tells of none.
    begun: bool,
    state: TailState,
    /// Until when it is waited for, and why no longer.
    limit: Option<(Instant, Failure)>,
}

#[derive(Debug)]
enum TailState {
    /// Nothing was asked since the last output; the last answer came then, if one did.
    Listens { answered: Option<Instant> },
    /// A question is on its way, with so many quiet answers before it.
    Asks { since: Instant, quiet: u32 },
    /// The same, and output came since.
    Disturbed { since: Instant },
}

impl Tail {
    /// Begins with the exit of a command that has begun, or tells nothing of it.
    pub(crate) fn new(exit: Exit, ended: bool, now: Instant) -> Self {
        let state = TailState::Listens { answered: None };
        Self { exit, since: now, last_heard: now, behind: 0, ended, begun: true, state, limit: None }
    }

    /// The beginning of the command has come, or is still to come.
    pub(crate) fn begun(&mut self, begun: bool) {
        self.begun = begun;
    }

    /// How the command ended.
    pub(crate) fn exit(&self) -> &Exit {
        &self.exit
    }

    /// Takes a further exit: the first that is no success stands.
    pub(crate) fn exited_again(&mut self, exit: Exit) {
        if self.exit == Exit::Status(0) {
            self.exit = exit;
        }
    }

    /// Takes the end of both streams.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether both streams have ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes note of output.
    pub(crate) fn heard(&mut self, bytes: usize, now: Instant) {
        self.behind += bytes as u64;
        self.last_heard = now;
        if let TailState::Asks { since, .. } = self.state {
            self.state = TailState::Disturbed { since };
        }
    }

    /// Waits no longer than until then: what is not known by then stays unknown, for this reason.
    pub(crate) fn hurry(&mut self, until: Instant, why: Failure) {
        self.limit = Some((until, why));
    }

    /// When the wait is over in any case, if the end is wanted.
    pub(crate) fn limit(&self) -> Option<Instant> {
        self.limit.as_ref().map(|(until, _)| *until)
    }

    /// Takes time off that our own readers took.
    pub(crate) fn held_back(&mut self, time: Duration) {
        self.since += time;
        self.last_heard += time;
        match &mut self.state {
            TailState::Listens { answered } => *answered = answered.map(|at| at + time),
            TailState::Asks { since, .. } | TailState::Disturbed { since } => *since += time,
        }
    }

    /// Takes the answer to a question.
    pub(crate) fn answered(&mut self, now: Instant) -> Option<Due> {
        match self.state {
            TailState::Asks { quiet, .. } if quiet + 1 >= PROOF => {
                if self.begun || now >= self.since + BEGINNING {
                    return Some(Due::Over(self.held_open()));
                }
                self.last_heard = now;
                self.state = TailState::Listens { answered: Some(now) };
                None
            }
            TailState::Asks { quiet, .. } => {
                self.state = TailState::Asks { since: now, quiet: quiet + 1 };
                Some(Due::Ask)
            }
            TailState::Disturbed { .. } => {
                self.state = TailState::Listens { answered: Some(now) };
                None
            }
            TailState::Listens { .. } => None,
        }
    }

    /// What is known once nothing more is waited for, and the output is still open.
    fn held_open(&self) -> Rest {
        match (self.begun, &self.exit) {
            (false, Exit::Status(0)) => Rest::Cut(no_beginning()),
            (true | false, Exit::Status(_) | Exit::Signal(_)) => Rest::HeldOpen,
        }
    }

    /// The next moment at which something is due although output comes.
    pub(crate) fn deadline(&self) -> Instant {
        if self.behind > MOST {
            return self.last_heard;
        }
        let next = match self.state {
            TailState::Listens { answered } => match (answered, &self.limit) {
                (None, None) => self.since + TALK,
                (Some(at), None) => (self.since + TALK).max(at + AGAIN),
                (None, Some(_)) => self.last_heard,
                (Some(at), Some(_)) => at + HURRIED,
            },
            TailState::Asks { since, .. } | TailState::Disturbed { since } => since + ANSWER,
        };
        next.min(self.since + LONGEST).min(self.limit().unwrap_or(next))
    }

    /// The moment at which something is due if nothing comes by then.
    pub(crate) fn silence(&self) -> Option<Instant> {
        match self.state {
            TailState::Listens { .. } => Some(self.last_heard + SILENCE),
            TailState::Asks { .. } | TailState::Disturbed { .. } => None,
        }
    }

    /// What is due at one of these moments.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        if self.ended {
            return Due::Over(Rest::Whole);
        }
        if self.behind > MOST {
            return Due::Over(self.held_open());
        }
        if let Some((_, why)) = self.limit.as_ref().filter(|(until, _)| now >= *until) {
            return Due::Over(Rest::Cut(why.clone()));
        }
        if now >= self.since + LONGEST {
            return Due::Over(Rest::Cut(endless()));
        }
        match self.state {
            TailState::Listens { .. } => {
                self.state = TailState::Asks { since: now, quiet: 0 };
                Due::Ask
            }
            TailState::Asks { .. } | TailState::Disturbed { .. } => Due::Over(Rest::Cut(no_answer())),
        }
    }
}

fn endless() -> Failure {
    let message = format!("output continued for {} min after the command had ended", LONGEST.as_secs() / 60);
    Failure::new(Kind::Timeout, message)
        .hint("redirect the output of background jobs: COMMAND >/dev/null 2>&1 &")
}

fn no_beginning() -> Failure {
    let message = "its output is held open, and nothing shows that the command was begun";
    Failure::new(Kind::ExecRefused, message).hint(
        "does a profile (.bashrc) end the shell there, and leave a process behind? `ssh HOST echo hello` prints nothing then",
    )
}

fn no_answer() -> Failure {
    Failure::new(Kind::ConnectionLost, format!("the server answered nothing for {} s", ANSWER.as_secs()))
        .hint("`keepalive` finds a dead connection sooner")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail() -> (Tail, Instant) {
        let now = Instant::now();
        (Tail::new(Exit::Status(0), false, now), now)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn two_quiet_answers_in_a_row_are_the_end() {
        let (mut tail, now) = tail();
        assert_eq!(tail.silence(), Some(now + SILENCE));
        assert_eq!(tail.due(now + seconds(2)), Due::Ask);
        assert_eq!(tail.silence(), None, "an answer is waited for");
        assert_eq!(tail.answered(now + seconds(3)), Some(Due::Ask));
        assert_eq!(tail.answered(now + seconds(4)), Some(Due::Over(Rest::HeldOpen)));
    }

    #[test]
    fn who_has_not_begun_has_output_due() {
        for (status, seen) in [(0, None), (1, None), (0, Some(4))] {
            let now = Instant::now();
            let mut tail = Tail::new(Exit::Status(status), false, now);
            tail.begun(false);
            let mut at = now;
            let mut comes = seen.map(|after| now + seconds(after));
            let rest = loop {
                at = tail.silence().unwrap_or(at).min(tail.deadline());
                if comes.take_if(|comes| *comes <= at).is_some() {
                    tail.heard(9, at);
                    tail.begun(true);
                    continue;
                }
                let mut due = Some(tail.due(at));
                while due == Some(Due::Ask) {
                    due = tail.answered(at);
                }
                if let Some(Due::Over(rest)) = due {
                    break rest;
                }
            };
            match (status, seen) {
                (_, Some(_)) => assert_eq!((rest, at), (Rest::HeldOpen, now + seconds(6))),
                (0, None) => assert_eq!((rest, at), (Rest::Cut(no_beginning()), now + BEGINNING)),
                _ => assert_eq!((rest, at), (Rest::HeldOpen, now + BEGINNING)),
            }
        }
    }

    #[test]
    fn output_before_an_answer_begins_anew() {
        let (mut tail, now) = tail();
        assert_eq!(tail.due(now + seconds(2)), Due::Ask);
        assert_eq!(tail.answered(now + seconds(3)), Some(Due::Ask));
        tail.heard(1, now + seconds(4));
        assert_eq!(tail.answered(now + seconds(5)), None);
        assert_eq!(tail.silence(), Some(now + seconds(6)));
        assert_eq!(tail.due(now + seconds(6)), Due::Ask);
        assert_eq!(tail.answered(now + seconds(6)), Some(Due::Ask));
        assert_eq!(tail.answered(now + seconds(6)), Some(Due::Over(Rest::HeldOpen)));
    }

    #[test]
    fn a_question_that_nobody_answers_is_no_end() {
        for output in [0, 5] {
            let (mut tail, now) = tail();
            assert_eq!(tail.due(now), Due::Ask);
            (0..output).for_each(|second| tail.heard(1, now + seconds(second)));
            assert_eq!(tail.deadline(), now + ANSWER);
            assert!(matches!(tail.due(now + ANSWER), Due::Over(Rest::Cut(_))));
        }
    }

    #[test]
    fn one_that_talks_is_asked_all_the_same_and_not_for_ever() {
        let (mut tail, now) = tail();
        let mut at = now;
        let mut asked = 0;
        // Output comes between each question and its answer.
        let rest = loop {
            tail.heard(1, at);
            at = tail.deadline();
            match tail.due(at) {
                Due::Ask => asked += 1,
                Due::Over(rest) => break rest,
            }
            tail.heard(1, at);
            assert_eq!(tail.answered(at), None);
        };
        assert!(matches!(rest, Rest::Cut(_)), "{rest:?}");
        assert_eq!((at - now, asked), (LONGEST, 843));
    }

    #[test]
    fn what_no_server_holds_was_written_later() {
        let (mut tail, now) = tail();
        tail.heard(usize::try_from(MOST).unwrap(), now);
        assert!(tail.deadline() > now);
        tail.heard(1, now);
        assert_eq!(tail.deadline(), now);
        assert_eq!(tail.due(now), Due::Over(Rest::HeldOpen));
    }

    #[test]
    fn who_wants_the_end_asks_at_once_and_waits_for_so_long() {
        let why = || Failure::new(Kind::Interrupted, "why");
        let (mut tail, now) = tail();
        tail.hurry(now + seconds(5), why());
        assert_eq!(tail.deadline(), now);
        assert_eq!(tail.due(now), Due::Ask);
        tail.heard(1, now);
        assert_eq!(tail.answered(now + seconds(1)), None);
        assert_eq!(tail.deadline(), now + seconds(1) + HURRIED);
        assert_eq!(tail.due(now + seconds(2)), Due::Ask);
        assert_eq!(tail.deadline(), now + seconds(5));
        assert_eq!(tail.due(now + seconds(5)), Due::Over(Rest::Cut(why())));
    }

    #[test]
    fn streams_that_have_ended_need_no_question() {
        let (mut tail, now) = tail();
        tail.end();
        assert_eq!(tail.due(now + SILENCE), Due::Over(Rest::Whole));
    }

    #[test]
    fn the_first_failure_stands() {
        let (mut tail, _) = tail();
        tail.exited_again(Exit::Status(0));
        tail.exited_again(Exit::Status(3));
        tail.exited_again(Exit::Signal("KILL".to_owned()));
        tail.exited_again(Exit::Status(0));
        assert_eq!(tail.exit(), &Exit::Status(3));
    }
}
