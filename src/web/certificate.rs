//! What stands in a certificate (X.509, RFC 5280): for whom it is, who says so, and until when. It believes nothing: that is
//! `trust`'s work.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::time::{parse_rfc3339, rfc3339};

/// Names of a certificate that are kept.
const NAMES_MAX: usize = 100;

/// A certificate, as far as it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// For whom it is: its common name, or all that its subject says.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// The names that it is for.
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub begins: u64,
    /// Seconds since 1970.
    pub ends: u64,
}

impl Certificate {
    /// Reads DER. None where it is not a certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut outer = X509Reader(X509Reader(der).of(SEQUENCE)?);
        let mut body = X509Reader(outer.of(SEQUENCE)?);
        // The version, which older ones do not have.
        let _ = body.of(0xa0);
        body.of(INTEGER)?;
        body.of(SEQUENCE)?;
        let issuer = name(body.of(SEQUENCE)?);
        let mut validity = X509Reader(body.of(SEQUENCE)?);
        let (begins, ends) = (time(validity.next()?)?, time(validity.next()?)?);
        let subject = name(body.of(SEQUENCE)?);
        body.of(SEQUENCE)?;
        let mut names = Vec::new();
        while let Some((tag, content)) = body.next() {
            if tag == 0xa3 {
                names = extensions(content).unwrap_or_default();
            }
        }
        Some(Self { subject, issuer, names, begins, ends })
    }

    /// The day after which it is worth nothing.
    pub fn end_day(&self) -> String {
        let mut day = rfc3339(self.ends);
        day.truncate(10);
        day
    }

    /// Whole days from a moment to its end; negative when that is past.
    pub fn days_left(&self, now: u64) -> i64 {
        let (ends, now) =
            (i64::try_from(self.ends).unwrap_or(i64::MAX), i64::try_from(now).unwrap_or_default());
        ends.saturating_sub(now).div_euclid(86_400)
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// Bytes of DER (X.690), read from the front.
struct X509Reader<'a>(&'a [u8]);

impl<'a> X509Reader<'a> {
    /// The next value, with its tag.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first & 0x80 != 0 {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let (digits, behind) = rest.split_at_checked(count)?;
            length = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
            rest = behind;
        }
        let (content, behind) = rest.split_at_checked(length)?;
        self.0 = behind;
        Some((tag, content))
    }

    /// The next value, when it has this tag; otherwise it stays.
    fn of(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        self.next().map(|(_, content)| content)
    }
}

/// The common name of a name; where there is none, the last text in it.
fn name(content: &[u8]) -> String {
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    let (mut sets, mut last) = (X509Reader(content), String::new());
    while let Some((_, set)) = sets.next() {
        let mut parts = X509Reader(set);
        while let Some((_, part)) = parts.next() {
            let mut part = X509Reader(part);
            let (Some((_, kind)), Some((_, text))) = (part.next(), part.next()) else { continue };
            last = String::from_utf8_lossy(text).into_owned();
            if kind == COMMON_NAME {
                return last;
            }
        }
    }
    last
}

/// UTCTime or GeneralizedTime.
fn time((tag, content): (u8, &[u8])) -> Option<u64> {
    let text = std::str::from_utf8(content).ok()?;
    let text = match tag {
        0x17 => {
            let century = if text.get(..2)?.parse::<u32>().ok()? < 50 { "20" } else { "19" };
            format!("{century}{text}")
        }
        0x18 => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| text.get(from..to);
    let moment = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    // One that begins before 1970 has begun.
    parse_rfc3339(&moment).or_else(|| moment.starts_with("19").then_some(0))
}

/// The names among the extensions.
fn extensions(content: &[u8]) -> Option<Vec<String>> {
    const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
    let mut all = X509Reader(X509Reader(content).of(SEQUENCE)?);
    while let Some((_, extension)) = all.next() {
        let mut extension = X509Reader(extension);
        if extension.next()?.1 != ALTERNATIVE_NAMES {
            continue;
        }
        // Whether it is critical may stand before it.
        let _ = extension.of(0x01);
        let mut names = X509Reader(X509Reader(extension.of(0x04)?).of(SEQUENCE)?);
        let mut found = Vec::new();
        while let Some((tag, name)) = names.next() {
            match (tag, name.len()) {
                (0x82, _) => found.push(String::from_utf8_lossy(name).into_owned()),
                (0x87, 4) => {
                    found.extend(<[u8; 4]>::try_from(name).ok().map(|ip| Ipv4Addr::from(ip).to_string()))
                }
                (0x87, 16) => found.extend(
                    <[u8; 16]>::try_from(name).ok().map(|ip| IpAddr::V6(Ipv6Addr::from(ip)).to_string()),
                ),
                _ => {}
            }
            if found.len() >= NAMES_MAX {
                break;
            }
        }
        return Some(found);
    }
    None
}
