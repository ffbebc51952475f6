//! The two streams of a spool, as followers send them, one after the other: where each is, and what it says.

use crate::engine::live::durable::job::job_token;
use crate::model::outcome::Exit;
use crate::model::shell::durable::{JobState, SpoolMark, SpoolPiece, SpoolPlace, SpoolRefusal, SpoolScan};
use crate::model::shell::marks::Token;

/// Bytes that are kept of what a host says before its follower begins.
const LONGEST_OPENING: usize = 1_600;

/// What the streams say.
pub(super) enum SpoolNews {
    /// The follower speaks on both.
    Begun,
    /// It follows the job of this name.
    Named(String),
    /// There is nothing to follow.
    Refused(SpoolRefusal),
    /// The command wrote this.
    Output(usize, Vec<u8>),
    /// So many bytes of it were not kept.
    Dropped(u64),
    /// The rest of it was not kept.
    Cut,
    /// A stream goes on in this file.
    Next(usize, u64),
    /// Input was taken up to this piece.
    Took(u64),
    /// How far the job is, as was asked on this stream.
    Is(usize, JobState),
}

/// A stream of the job.
struct SpooledStream {
    /// What comes next is here.
    at: SpoolPlace,
    /// Bytes of the stream before that.
    passed: u64,
    /// The marks of this follower.
    opening: SpoolScan,
    /// It has begun to speak on this stream.
    begun: bool,
    /// The marks of the job.
    scan: SpoolScan,
    /// Those of its command, where nobody listens to them.
    strip: Option<SpoolScan>,
    exit: Option<Exit>,
    ended: bool,
}

/// Reads the streams of one job.
pub(super) struct SpoolReader {
    /// The token of the job's marks.
    token: Token,
    /// The marks of its command are to be left out.
    strips: bool,
    streams: [SpooledStream; 2],
    /// What the host said before the follower began.
    said: Vec<u8>,
}

impl SpoolReader {
    /// For the job with the one token; the other is that of its first follower.
    pub(super) fn new(token: Token, first: &Token, strips: bool) -> Self {
        let stream = |token: &Token| SpooledStream {
            at: SpoolPlace::default(),
            passed: 0,
            opening: SpoolScan::new(first),
            begun: false,
            scan: SpoolScan::new(token),
            strip: None,
            exit: None,
            ended: false,
        };
        Self { streams: [stream(&token), stream(&token)], token, strips, said: Vec::new() }
    }

    /// Gets ready for another follower; where it is to begin.
    pub(super) fn rewind(&mut self, first: &Token) -> [SpoolPlace; 2] {
        self.said.clear();
        for stream in &mut self.streams {
            // What was held back is sent again.
            let held = stream.scan.take_held();
            stream.at.byte = stream.at.byte.saturating_sub(held.len() as u64);
            stream.opening = SpoolScan::new(first);
            stream.begun = false;
        }
        self.streams.each_ref().map(|stream| stream.at)
    }

    /// The token of the job's marks.
    pub(super) fn token(&self) -> &Token {
        &self.token
    }

    /// What the host said before the follower began.
    pub(super) fn said(&self) -> &[u8] {
        &self.said
    }

    /// Whether the follower speaks on either stream, and on both.
    pub(super) fn begun(&self) -> (bool, bool) {
        let [out, err] = &self.streams;
        (out.begun || err.begun, out.begun && err.begun)
    }

    /// Whether both streams have ended.
    pub(super) fn has_ended(&self) -> bool {
        self.streams.iter().all(|stream| stream.ended)
    }

    /// How the job ended, by both streams; by either, if what it wrote last is missing.
    pub(super) fn exit(&self, is_cut: bool) -> Option<Exit> {
        let [out, err] = self.streams.each_ref().map(|stream| stream.exit.as_ref());
        match (out, err) {
            (Some(first), Some(_)) => Some(first.clone()),
            (one, other) if is_cut => one.or(other).cloned(),
            _ => None,
        }
    }

    /// Takes note of an end that was not said on the stream itself.
    pub(super) fn set_exit(&mut self, number: usize, exit: Exit) {
        if let Some(stream) = self.streams.get_mut(number) {
            stream.exit = Some(exit);
        }
    }

    /// Takes what came on a stream.
    pub(super) fn hear(&mut self, number: usize, data: &[u8]) -> Vec<SpoolNews> {
        let mut news = Vec::new();
        let Some(stream) = self.streams.get_mut(number) else { return news };
        if stream.begun {
            stream.read(number, data, &mut news);
            return news;
        }
        let mut pieces = stream.opening.push(data).into_iter();
        while let Some(piece) = pieces.next() {
            match piece {
                SpoolPiece::Text(text) => {
                    self.said.extend_from_slice(&text);
                    let surplus = self.said.len().saturating_sub(LONGEST_OPENING);
                    self.said.drain(..surplus);
                }
                SpoolPiece::Mark(SpoolMark::Start, _) => {
                    // All behind it is of the spool.
                    stream.begun = true;
                    let rest = pieces.by_ref().filter_map(|piece| match piece {
                        SpoolPiece::Text(text) => Some(text),
                        SpoolPiece::Mark(..) => None,
                    });
                    let mut rest: Vec<u8> = rest.flatten().collect();
                    rest.extend(stream.opening.take_held());
                    let mut read = Vec::new();
                    stream.read(number, &rest, &mut read);
                    if self.begun().1 {
                        news.push(SpoolNews::Begun);
                    }
                    news.extend(read);
                    return news;
                }
                SpoolPiece::Mark(SpoolMark::Job(token, name), _) => {
                    // Each stream says it, as they do not wait for each other.
                    if self.strips {
                        stream.strip.get_or_insert_with(|| SpoolScan::new(&job_token(&name)));
                    }
                    stream.scan = SpoolScan::new(&token);
                    self.token = token;
                    news.push(SpoolNews::Named(name));
                }
                SpoolPiece::Mark(SpoolMark::Refused(why), _) => {
                    news.push(SpoolNews::Refused(why));
                    return news;
                }
                SpoolPiece::Mark(..) => {}
            }
        }
        news
    }
}

impl SpooledStream {
    /// Takes bytes of the spool.
    fn read(&mut self, number: usize, data: &[u8], news: &mut Vec<SpoolNews>) {
        for piece in self.scan.push(data) {
            match piece {
                SpoolPiece::Text(text) => {
                    self.at.byte += text.len() as u64;
                    self.passed += text.len() as u64;
                    let text = match &mut self.strip {
                        Some(strip) => strip.text(&text),
                        None => text,
                    };
                    news.push(SpoolNews::Output(number, text));
                }
                SpoolPiece::Mark(mark, length) => {
                    if mark.is_kept() {
                        self.at.byte += length as u64;
                    }
                    self.mark(number, mark, news);
                }
            }
        }
    }

    fn mark(&mut self, number: usize, mark: SpoolMark, news: &mut Vec<SpoolNews>) {
        match mark {
            SpoolMark::At(place) => {
                let missed = place.file.saturating_sub(self.passed);
                if missed > 0 {
                    self.passed = place.file;
                    news.push(SpoolNews::Dropped(missed));
                }
                self.at = place;
            }
            SpoolMark::Next(file) => {
                self.at = SpoolPlace { file, byte: 0 };
                news.push(SpoolNews::Next(number, file));
            }
            SpoolMark::Exit(exit) => self.exit = Some(exit),
            SpoolMark::End => self.ended = true,
            SpoolMark::Cut => news.push(SpoolNews::Cut),
            SpoolMark::Took(piece) => news.push(SpoolNews::Took(piece)),
            SpoolMark::Is(state) => news.push(SpoolNews::Is(number, state)),
            SpoolMark::Start | SpoolMark::Refused(_) | SpoolMark::Job(..) => {}
        }
    }
}
