//! What a command reads, handed over piece by piece: the next one when the one before is written, so that a command that
//! does not read costs no memory.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::engine::live::input::RunInput;
use crate::model::outcome::Failure;

/// Bytes of a text that are handed over at a time.
const PIECE: usize = 32 * 1024;

/// Where it comes from.
#[derive(Clone, Debug)]
pub(crate) enum FeedSource {
    /// A text of the step's own.
    Text(Bytes),
    /// The input of the run, from its beginning.
    Run(Arc<RunInput>),
}

/// The input of one command.
pub(crate) struct Feed {
    source: FeedSource,
    /// Bytes that were written to the command.
    written: u64,
    state: FeedState,
}

type FeedReading = Pin<Box<dyn Future<Output = Result<Bytes, Failure>> + Send>>;

enum FeedState {
    /// The command has not begun.
    Waits,
    /// The next piece is on its way here. Kept over the cancellation of a wait.
    Reads(FeedReading),
    /// So many bytes are on their way to the command.
    Writes(u64),
    /// There is no more, or nobody to take it.
    Over,
}

impl Feed {
    pub(crate) fn new(source: FeedSource) -> Self {
        Self { source, written: 0, state: FeedState::Waits }
    }

    /// The command reads from now on.
    pub(crate) fn begin(&mut self) {
        if matches!(self.state, FeedState::Waits) {
            self.read_on();
        }
    }

    fn read_on(&mut self) {
        let written = self.written;
        self.state = FeedState::Reads(match &self.source {
            FeedSource::Text(text) => {
                let from = usize::try_from(written).unwrap_or(usize::MAX).min(text.len());
                let piece = text.slice(from..text.len().min(from.saturating_add(PIECE)));
                Box::pin(std::future::ready(Ok(piece)))
            }
            FeedSource::Run(input) => {
                let input = Arc::clone(input);
                Box::pin(async move { input.after(written).await })
            }
        });
    }

    /// The next piece, none at the end. Never resolves while there is nothing to hand over. Cancel-safe.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        let FeedState::Reads(reading) = &mut self.state else { return std::future::pending().await };
        let piece = reading.await;
        self.state = match &piece {
            Ok(data) if !data.is_empty() => FeedState::Writes(data.len() as u64),
            Ok(_) | Err(_) => FeedState::Over,
        };
        piece.map(|data| Some(data).filter(|data| !data.is_empty()))
    }

    /// All that was handed over is written. True when a piece of it was among that.
    pub(crate) fn written(&mut self) -> bool {
        let FeedState::Writes(bytes) = self.state else { return false };
        self.written += bytes;
        self.read_on();
        true
    }

    /// The command gets no more of it.
    pub(crate) fn stop(&mut self) {
        self.state = FeedState::Over;
    }

    /// Whether the command waits for more of it, or will.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, FeedState::Over)
    }

    /// How much was written, when that is surely not all.
    pub(crate) fn left_at(&self) -> Option<u64> {
        let more = match &self.source {
            FeedSource::Text(text) => self.written < text.len() as u64,
            FeedSource::Run(input) => input.goes_beyond(self.written),
        };
        more.then_some(self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_piece_follows_the_one_that_was_written() {
        let text = Bytes::from(vec![b'x'; PIECE + 1]);
        let mut feed = Feed::new(FeedSource::Text(text));
        assert!(!feed.written() && feed.is_open());
        feed.begin();
        assert_eq!(feed.piece().await.unwrap().map(|piece| piece.len()), Some(PIECE));
        assert_eq!(feed.left_at(), Some(0), "nothing of it is written yet");
        assert!(feed.written());
        assert_eq!(feed.left_at(), Some(PIECE as u64));
        assert_eq!(feed.piece().await.unwrap().map(|piece| piece.len()), Some(1));
        assert!(feed.written());
        assert_eq!((feed.piece().await.unwrap(), feed.left_at()), (None, None));
        assert!(!feed.is_open() && !feed.written());
    }
}
