//! What a job reads, over whichever connection.

use std::collections::VecDeque;

use crate::model::shell::durable::{InputPiece, JobOrder};

/// Pieces of input on their way at a time, and after how many of them the host is asked how many it took.
const WINDOW: usize = 32;
const ASK_AFTER: usize = 16;

/// What the job reads, in numbered pieces: those that were sent are sent again on the next connection until the host has
/// taken them, and it takes each once.
#[derive(Default)]
pub(super) struct JobInput {
    last: u64,
    waiting: VecDeque<(u64, InputPiece)>,
    sent: VecDeque<(u64, InputPiece)>,
    ending: bool,
}

impl JobInput {
    /// Its end was handed over.
    pub(super) fn is_ending(&self) -> bool {
        self.ending
    }

    fn push(&mut self, piece: InputPiece) {
        self.last += 1;
        self.waiting.push_back((self.last, piece));
    }

    pub(super) fn send(&mut self, data: &[u8]) {
        for (number, piece) in JobOrder::pieces(data).enumerate() {
            if number % ASK_AFTER == ASK_AFTER - 1 {
                self.push(InputPiece::Ask);
            }
            self.push(piece);
        }
        self.push(InputPiece::Ask);
    }

    pub(super) fn end(&mut self) {
        if !std::mem::replace(&mut self.ending, true) {
            self.push(InputPiece::End);
        }
    }

    /// What may be sent now.
    pub(super) fn next(&mut self) -> Vec<JobOrder> {
        let mut orders = Vec::new();
        while self.sent.len() < WINDOW
            && let Some(piece) = self.waiting.pop_front()
        {
            orders.push(JobOrder::Input(piece.0, piece.1.clone()));
            self.sent.push_back(piece);
        }
        orders
    }

    /// What was sent on a connection that is gone is sent anew.
    pub(super) fn rewind(&mut self) {
        while let Some(piece) = self.sent.pop_back() {
            self.waiting.push_front(piece);
        }
    }

    /// Takes note that the host has all up to this piece; true when it has all there is.
    pub(super) fn took(&mut self, number: u64) -> bool {
        let before = self.sent.len();
        self.sent.retain(|(sent, _)| *sent > number);
        before > 0 && self.sent.is_empty() && self.waiting.is_empty()
    }
}
