//! One destination of text: a buffer that is written in big pieces, and the memory of how writing went.

use std::io::{self, Write};

/// A buffer fuller than this is written at once.
const SPILL: usize = 64 * 1024;

/// A writer with a buffer that survives its reader.
pub(crate) struct Sink {
    writer: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    state: SinkState,
}

enum SinkState {
    Open,
    /// The reader went away (EPIPE): `fan ... | head` has what it wanted.
    Closed,
    /// Writing failed; what follows is dropped.
    Failed(io::ErrorKind, String),
}

impl Sink {
    pub(crate) fn new(writer: Box<dyn Write + Send>) -> Self {
        Self { writer, buffer: Vec::new(), state: SinkState::Open }
    }

    /// Where text is appended; follow it with [`Self::spill`].
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes the buffer when it is full.
    pub(crate) fn spill(&mut self) -> io::Result<()> {
        if self.buffer.len() >= SPILL { self.drain() } else { Ok(()) }
    }

    /// Writes the buffer.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        self.attempt(|writer, buffer| if buffer.is_empty() { Ok(()) } else { writer.write_all(buffer) })
    }

    /// Writes the buffer and flushes the writer.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.attempt(|writer, _| writer.flush())
    }

    /// Flushes, and repeats an error that happened at any time.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        match &self.state {
            SinkState::Open | SinkState::Closed => Ok(()),
            SinkState::Failed(kind, message) => Err(io::Error::new(*kind, message.clone())),
        }
    }

    fn attempt(&mut self, work: impl FnOnce(&mut dyn Write, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let result = match self.state {
            SinkState::Open => work(self.writer.as_mut(), &self.buffer),
            SinkState::Closed | SinkState::Failed(..) => Ok(()),
        };
        self.buffer.clear();
        match result {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.state = SinkState::Closed;
                Ok(())
            }
            Err(error) => {
                self.state = SinkState::Failed(error.kind(), error.to_string());
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use crate::report::sink::Sink;
    use crate::report::tests::samples::Broken;

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let mut sink = Sink::new(Box::new(Broken(io::ErrorKind::BrokenPipe)));
        for _ in 0..3 {
            sink.buffer().extend_from_slice(b"text\n");
            sink.flush().unwrap();
        }
        sink.finish().unwrap();
        assert!(sink.buffer().is_empty());
    }

    #[test]
    fn a_full_disk_is_said_when_met_and_at_the_end() {
        let mut sink = Sink::new(Box::new(Broken(io::ErrorKind::StorageFull)));
        sink.buffer().extend_from_slice(b"text\n");
        sink.spill().unwrap();
        assert_eq!(sink.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
        sink.buffer().extend_from_slice(b"more\n");
        sink.flush().unwrap();
        assert_eq!(sink.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
