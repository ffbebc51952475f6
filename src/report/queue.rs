//! A writer for terminals that never blocks: its own thread writes, a bounded queue waits, and when the
//! terminal stands still (Ctrl-S, a slow link) the oldest waiting lines make room and are counted.
//!
//! For pipes and files it is the wrong thing: they must lose nothing.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A write is cut into pieces of about this size, at line ends; pieces are dropped whole.
const PIECE: usize = 16 * 1024;

/// An [`io::Write`] that queues whole lines and drops the oldest when more than its limit waits.
///
/// Each call of `write` should hold whole lines. Errors of the terminal below never come back: when it is
/// gone, what follows is thrown away and the run goes on.
pub struct DroppingWriter {
    shared: Arc<QueueShared>,
    limit: usize,
}

struct QueueShared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<QueuePiece>,
    /// Bytes of `pieces`.
    waiting: usize,
    /// Bytes that the thread has taken and not yet written.
    in_flight: usize,
    /// Lines dropped since the last note.
    dropped: u64,
    /// Nothing more will be queued.
    closed: bool,
    /// The terminal is gone.
    broken: bool,
}

enum QueuePiece {
    Lines(Vec<u8>),
    /// Moves the cursor: dropping it would garble what follows.
    Control(Vec<u8>),
}

impl QueuePiece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Lines(bytes) | Self::Control(bytes) => bytes,
        }
    }
}

impl DroppingWriter {
    /// What may wait for a terminal unless the caller has a reason.
    pub const LIMIT: usize = 4 * 1024 * 1024;

    /// Starts the thread that writes to `inner`; lines of at most `limit` bytes wait for it.
    ///
    /// Fails when no thread can be started.
    pub fn new(inner: Box<dyn Write + Send>, limit: usize) -> io::Result<Self> {
        let shared = Arc::new(QueueShared { queue: Mutex::default(), changed: Condvar::new() });
        let for_thread = shared.clone();
        thread::Builder::new().name("fan-terminal".into()).spawn(move || for_thread.serve(inner))?;
        Ok(Self { shared, limit })
    }

    /// Bytes that the terminal has not taken yet.
    pub fn pending(&self) -> usize {
        let queue = self.shared.lock();
        queue.waiting + queue.in_flight
    }

    /// Queues bytes that are never dropped: cursor movements. The caller keeps them few.
    pub fn control(&self, bytes: &[u8]) {
        self.shared.lock().push_control(bytes);
        self.shared.changed.notify_all();
    }

    /// Queues lines with cursor movements around them, to be written in one go.
    pub fn lines_between(&self, before: &[u8], lines: &[u8], after: &[u8]) {
        let mut queue = self.shared.lock();
        queue.push_control(before);
        queue.push_lines(lines, self.limit);
        queue.push_control(after);
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Waits for the terminal to take everything, `patience` at most.
    pub fn settle(&self, patience: Duration) {
        let queue = self.shared.lock();
        let left = |queue: &mut Queue| queue.waiting + queue.in_flight > 0 && !queue.broken;
        let waited = self.shared.changed.wait_timeout_while(queue, patience, left);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Closes the queue and waits for the terminal to take what is left, `patience` at most.
    ///
    /// Returns whether it took everything. The thread stays behind when it did not: nothing can free it
    /// from a terminal that does not read.
    pub fn finish(&self, patience: Duration) -> bool {
        let mut queue = self.shared.lock();
        queue.closed = true;
        self.shared.changed.notify_all();
        let (queue, _) = self
            .shared
            .changed
            .wait_timeout_while(queue, patience, |queue| queue.waiting + queue.in_flight > 0)
            .unwrap_or_else(PoisonError::into_inner);
        queue.waiting + queue.in_flight == 0 && !queue.broken
    }
}

impl Write for DroppingWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.shared.lock().push_lines(data, self.limit);
        self.shared.changed.notify_all();
        Ok(data.len())
    }

    /// Does nothing: the thread writes as fast as the terminal takes it.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for DroppingWriter {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Queue {
    fn push(&mut self, piece: QueuePiece) {
        if !self.broken && !self.closed {
            self.waiting += piece.bytes().len();
            self.pieces.push_back(piece);
        }
    }

    fn push_control(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.push(QueuePiece::Control(bytes.to_vec()));
        }
    }

    fn push_lines(&mut self, lines: &[u8], limit: usize) {
        let mut rest = lines;
        while !rest.is_empty() {
            let end = match rest.get(PIECE..).and_then(|tail| tail.iter().position(|&byte| byte == b'\n')) {
                Some(at) => PIECE + at + 1,
                None => rest.len(),
            };
            let (piece, left) = rest.split_at(end);
            self.push(QueuePiece::Lines(piece.to_vec()));
            self.make_room(limit);
            rest = left;
        }
    }

    /// Drops the oldest lines, but never the newest piece: the note about the gap stands before it.
    fn make_room(&mut self, limit: usize) {
        while self.waiting > limit {
            let before_last = self.pieces.len().saturating_sub(1);
            let oldest = self.pieces.iter().take(before_last).position(|piece| match piece {
                QueuePiece::Lines(_) => true,
                QueuePiece::Control(_) => false,
            });
            let Some(piece) = oldest.and_then(|at| self.pieces.remove(at)) else { return };
            self.waiting -= piece.bytes().len();
            let lines = piece.bytes().iter().filter(|&&byte| byte == b'\n').count();
            self.dropped += u64::try_from(lines.max(1)).unwrap_or(u64::MAX);
        }
    }

    /// Takes the next bytes to write: several pieces together when they are small, as a terminal may show what stands
    /// there after each write. The note about a gap comes before the first lines.
    fn take(&mut self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.pieces.front() {
            if !bytes.is_empty() && bytes.len() + piece.bytes().len() > 2 * PIECE {
                break;
            }
            if matches!(piece, QueuePiece::Lines(_)) && self.dropped > 0 {
                let count = std::mem::take(&mut self.dropped);
                let plural = if count == 1 { "" } else { "s" };
                let note = format!("... {count} line{plural} not shown (the terminal was slow)\n");
                bytes.extend_from_slice(note.as_bytes());
            }
            bytes.extend_from_slice(piece.bytes());
            self.waiting -= piece.bytes().len();
            self.in_flight += piece.bytes().len();
            self.pieces.pop_front();
        }
        (!bytes.is_empty()).then_some(bytes)
    }
}

impl QueueShared {
    /// A thread that panicked has left no half-done change behind: every change is one call.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: writes until the queue is closed and empty, or the terminal is gone.
    fn serve(&self, mut inner: Box<dyn Write + Send>) {
        loop {
            let taken = {
                let queue = self.lock();
                let mut queue = self
                    .changed
                    .wait_while(queue, |queue| queue.pieces.is_empty() && !queue.closed)
                    .unwrap_or_else(PoisonError::into_inner);
                queue.take()
            };
            let Some(bytes) = taken else { return };
            let written = inner.write_all(&bytes).and_then(|()| inner.flush());
            let mut queue = self.lock();
            queue.in_flight = 0;
            if written.is_err() {
                queue.broken = true;
                queue.pieces.clear();
                queue.waiting = 0;
            }
            self.changed.notify_all();
            if queue.broken {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::time::Duration;

    use crate::report::queue::DroppingWriter;
    use crate::report::tests::samples::{Broken, Captured, Gate};

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_reading_terminal_gets_everything() {
        let captured = Captured::default();
        let mut writer = DroppingWriter::new(Box::new(captured.clone()), DroppingWriter::LIMIT).unwrap();
        let text: String = (0..20_000).map(|line| format!("line {line}\n")).collect();
        writer.write_all(text.as_bytes()).unwrap();
        assert!(writer.finish(LONG));
        assert_eq!(captured.text(), text);
    }

    #[test]
    fn a_stopped_terminal_costs_the_oldest_lines_and_says_so() {
        let gate = Gate::closed();
        let mut writer = DroppingWriter::new(Box::new(gate.clone()), 100).unwrap();
        writer.write_all(b"shown\n").unwrap();
        gate.wait_until_entered();
        for line in 0..1000 {
            writer.write_all(format!("line {line:03}\n").as_bytes()).unwrap();
            writer.control(b"");
        }
        assert!(writer.pending() <= 100 + "shown\n".len());
        assert!(!writer.finish(Duration::ZERO));
        gate.open();
        assert!(writer.finish(LONG));
        let text = gate.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..3], ["shown", "... 989 lines not shown (the terminal was slow)", "line 989"]);
        assert_eq!(lines.last(), Some(&"line 999"));
    }

    #[test]
    fn cursor_movements_are_never_dropped() {
        let gate = Gate::closed();
        let mut writer = DroppingWriter::new(Box::new(gate.clone()), 10).unwrap();
        writer.write_all(b"shown\n").unwrap();
        gate.wait_until_entered();
        writer.control(b"<erase>");
        for _ in 0..5 {
            writer.write_all(b"0123456789\n").unwrap();
        }
        gate.open();
        assert!(writer.finish(LONG));
        assert_eq!(gate.text(), "shown\n<erase>... 4 lines not shown (the terminal was slow)\n0123456789\n");
    }

    #[test]
    fn a_terminal_that_is_gone_blocks_nobody() {
        let mut writer = DroppingWriter::new(Box::new(Broken(io::ErrorKind::Other)), 100).unwrap();
        writer.write_all(b"text\n").unwrap();
        assert!(!writer.finish(LONG));
        writer.write_all(b"more\n").unwrap();
        assert_eq!(writer.pending(), 0);
    }
}
