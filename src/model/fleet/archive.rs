//! Numbers thinned as in a round-robin archive: as they came for a week, hours for three months, days for years; of each
//! span the smallest, the average and the largest. A chunk holds all series of one host for some time, packed.

use std::collections::BTreeMap;

use crate::model::fleet::types::SeriesPoint;

/// How finely numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArchiveKind {
    /// As they came, to the second.
    Raw,
    /// By hours.
    Hourly,
    /// By days.
    Daily,
}

/// The first byte of a chunk: how the rest is packed.
const FORM: u8 = 1;

/// Points of a chunk that is read; more are none of ours.
const POINTS_MAX: u64 = 4 * 1024 * 1024;

impl ArchiveKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Hourly, Self::Daily];

    /// Its number in the file.
    pub fn number(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Hourly => 1,
            Self::Daily => 2,
        }
    }

    /// Seconds of one span.
    pub fn span(self) -> u64 {
        match self {
            Self::Raw => 1,
            Self::Hourly => 3600,
            Self::Daily => 86_400,
        }
    }

    /// Seconds of one chunk: what a measurement has to rewrite stays small.
    pub fn chunk(self) -> u64 {
        match self {
            Self::Raw | Self::Hourly => 86_400,
            Self::Daily => 32 * 86_400,
        }
    }

    /// Chunks of a host that are kept, the newest: by count, so that one look with a wrong clock costs one chunk and not
    /// all.
    pub fn kept(self) -> u32 {
        match self {
            Self::Raw => 8,
            Self::Hourly => 93,
            Self::Daily => 120,
        }
    }

    /// The beginning of the chunk of a moment, and the place of its span there.
    pub fn place(self, at: u64) -> (u64, u32) {
        let begin = at / self.chunk() * self.chunk();
        (begin, u32::try_from((at - begin) / self.span()).unwrap_or(u32::MAX))
    }
}

/// A chunk that is not packed as ours are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DamagedChunk;

/// The numbers of one span.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ArchiveSpan {
    count: u32,
    min: f32,
    avg: f32,
    max: f32,
}

/// All series of a host for some time, by their numbers, each by its spans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArchiveChunk(BTreeMap<u32, BTreeMap<u32, ArchiveSpan>>);

impl ArchiveChunk {
    /// Adds a measurement to the span at a place.
    pub fn add(&mut self, series: u32, place: u32, number: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough to look at")]
        let number = number as f32;
        if !number.is_finite() {
            return;
        }
        let new = ArchiveSpan { count: 0, min: number, avg: number, max: number };
        let span = self.0.entry(series).or_default().entry(place).or_insert(new);
        span.count = span.count.saturating_add(1);
        (span.min, span.max) = (span.min.min(number), span.max.max(number));
        #[expect(clippy::cast_precision_loss, reason = "a weight")]
        let weight = 1.0 / span.count as f32;
        span.avg = (span.avg + (number - span.avg) * weight).clamp(span.min, span.max);
    }

    /// The points of each series, in the order of time.
    pub fn points(&self, kind: ArchiveKind, begin: u64) -> impl Iterator<Item = (u32, Vec<SeriesPoint>)> {
        self.0.iter().map(move |(&series, spans)| {
            let point = |(&place, span): (&u32, &ArchiveSpan)| SeriesPoint {
                at: begin.saturating_add(u64::from(place).saturating_mul(kind.span())),
                count: span.count,
                min: span.min.into(),
                avg: span.avg.into(),
                max: span.max.into(),
            };
            (series, spans.iter().map(point).collect())
        })
    }

    /// Packs it: numbers of series and places as differences, of variable length; a single measurement is one number.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORM];
        let mut before = 0;
        for (&series, spans) in &self.0 {
            put(&mut bytes, series - before);
            before = series;
            put(&mut bytes, u32::try_from(spans.len()).unwrap_or(u32::MAX));
            let mut last = 0;
            for (&place, span) in spans {
                put(&mut bytes, place - last);
                last = place;
                put(&mut bytes, span.count);
                bytes.extend(span.avg.to_le_bytes());
                if span.count > 1 {
                    bytes.extend(span.min.to_le_bytes());
                    bytes.extend(span.max.to_le_bytes());
                }
            }
        }
        bytes
    }

    /// Unpacks it.
    ///
    /// # Errors
    ///
    /// It is none of ours.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedChunk> {
        let mut rest = bytes;
        if take::<1>(&mut rest)? != [FORM] {
            return Err(DamagedChunk);
        }
        let mut all = Self::default();
        let (mut series, mut points) = (0_u32, 0);
        while !rest.is_empty() {
            series = series.checked_add(number(&mut rest)?).ok_or(DamagedChunk)?;
            let spans = all.0.entry(series).or_default();
            let mut place = 0_u32;
            for _ in 0..number(&mut rest)? {
                points += 1;
                place = place.checked_add(number(&mut rest)?).ok_or(DamagedChunk)?;
                let count = number(&mut rest)?;
                let avg = float(&mut rest)?;
                let (min, max) = if count > 1 { (float(&mut rest)?, float(&mut rest)?) } else { (avg, avg) };
                if count == 0 || points > POINTS_MAX {
                    return Err(DamagedChunk);
                }
                spans.insert(place, ArchiveSpan { count, min, avg, max });
            }
        }
        Ok(all)
    }
}

/// Seven bits in a byte, the lowest first; the eighth says that more come.
fn put(bytes: &mut Vec<u8>, mut number: u32) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn number(rest: &mut &[u8]) -> Result<u32, DamagedChunk> {
    let mut number = 0_u32;
    for shift in (0..32).step_by(7) {
        let [byte] = take::<1>(rest)?;
        number |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(DamagedChunk)
}

fn float(rest: &mut &[u8]) -> Result<f32, DamagedChunk> {
    let number = f32::from_le_bytes(take(rest)?);
    if number.is_finite() { Ok(number) } else { Err(DamagedChunk) }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], DamagedChunk> {
    let (taken, behind) = rest.split_first_chunk::<N>().ok_or(DamagedChunk)?;
    *rest = behind;
    Ok(*taken)
}
