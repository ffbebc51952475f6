//! What was gathered, put into the file: all of it or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Error, OptionalExtension, Statement, Transaction, TransactionBehavior, params};

use crate::fleet::error::FleetError;
use crate::fleet::file::FleetFile;
use crate::model::facts::Facts;
use crate::model::fleet::{ArchiveChunk, ArchiveKind, FactChange, SeriesName, changes, numbers};

/// Seconds by which an answer that is saved may be older than the one in the file, as that of a run that overlapped. What
/// is further in the future was saved while the clock was wrong.
const OVERLAP: u64 = 600;

/// What was seen of a host.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Its name in the inventory.
    pub host: String,
    /// What it answered, or why it did not.
    pub answer: Result<Arc<Facts>, String>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Hosts that answered.
    pub hosts: usize,
    /// Of these, new ones.
    pub new: usize,
    /// Facts that changed.
    pub changes: usize,
}

impl FleetFile {
    /// Saves what was seen at a moment, seconds since 1970, in one transaction.
    ///
    /// # Errors
    ///
    /// It could not be written; then nothing of it was.
    pub fn save(&mut self, at: u64, observed: &[Observed]) -> Result<Saved, FleetError> {
        let path = self.path.clone();
        self.save_all(at, observed).map_err(|error| FleetError::of(&path, error))
    }

    fn save_all(&mut self, at: u64, observed: &[Observed]) -> Result<Saved, Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut saved = Saved::default();
        let mut saver = Saving::new(&transaction, at)?;
        for Observed { host, answer } in observed {
            match answer {
                Ok(facts) => saver.answered(host, facts, &mut saved)?,
                Err(failure) => saver.silent(host, failure)?,
            }
        }
        drop(saver);
        transaction.commit()?;
        Ok(saved)
    }
}

/// A host as it is in the file.
struct KnownHost {
    id: i64,
    seen: Option<u64>,
    facts: Option<Facts>,
}

/// The statements of one transaction, prepared once.
struct Saving<'t> {
    transaction: &'t Transaction<'t>,
    at: u64,
    find: Statement<'t>,
    insert: Statement<'t>,
    update: Statement<'t>,
    silent: Statement<'t>,
    change: Statement<'t>,
    chunk: Statement<'t>,
    put_chunk: Statement<'t>,
    thin: Statement<'t>,
    series: HashMap<String, u32>,
}

impl<'t> Saving<'t> {
    fn new(transaction: &'t Transaction<'t>, at: u64) -> Result<Self, Error> {
        let mut all = transaction.prepare("SELECT name, id FROM series")?;
        let series = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        drop(all);
        Ok(Self {
            transaction,
            at,
            find: transaction.prepare("SELECT id, seen, facts FROM hosts WHERE name = ?1")?,
            insert: transaction
                .prepare("INSERT INTO hosts (name, first, tried) VALUES (?1, ?2, ?2) RETURNING id")?,
            update: transaction.prepare(
                "UPDATE hosts SET seen = ?2, tried = ?2, failure = NULL, facts = ?3 WHERE id = ?1",
            )?,
            silent: transaction.prepare("UPDATE hosts SET tried = ?2, failure = ?3 WHERE id = ?1")?,
            change: transaction.prepare(
                "INSERT INTO changes (host, at, fact, before, after) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            chunk: transaction
                .prepare("SELECT points FROM archives WHERE host = ?1 AND kind = ?2 AND begin = ?3")?,
            put_chunk: transaction.prepare(
                "INSERT INTO archives (host, kind, begin, points) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (host, kind, begin) DO UPDATE SET points = excluded.points",
            )?,
            thin: transaction.prepare(
                "DELETE FROM archives WHERE host = ?1 AND kind = ?2 AND begin < (SELECT min(begin) FROM (SELECT \
                 begin FROM archives WHERE host = ?1 AND kind = ?2 ORDER BY begin DESC LIMIT ?3))",
            )?,
            series,
        })
    }

    fn find(&mut self, host: &str) -> Result<Option<KnownHost>, Error> {
        let row = |row: &rusqlite::Row<'_>| {
            let facts = row.get::<_, Option<String>>(2)?;
            Ok(KnownHost {
                id: row.get(0)?,
                seen: row.get::<_, Option<i64>>(1)?.and_then(|seen| u64::try_from(seen).ok()),
                // What cannot be read any more is as good as not known.
                facts: facts.and_then(|facts| serde_json::from_str(&facts).ok()),
            })
        };
        self.find.query_row([host], row).optional()
    }

    fn known(&mut self, host: &str, saved: &mut Saved) -> Result<KnownHost, Error> {
        if let Some(known) = self.find(host)? {
            return Ok(known);
        }
        saved.new += 1;
        let id = self.insert.query_row(params![host, stamp(self.at)], |row| row.get(0))?;
        Ok(KnownHost { id, seen: None, facts: None })
    }

    fn silent(&mut self, host: &str, failure: &str) -> Result<(), Error> {
        let known = self.known(host, &mut Saved::default())?;
        self.silent.execute(params![known.id, stamp(self.at), failure])?;
        Ok(())
    }

    fn answered(&mut self, host: &str, facts: &Facts, saved: &mut Saved) -> Result<(), Error> {
        let known = self.known(host, saved)?;
        saved.hosts += 1;
        // A run that took longer saves what another one knows better by now.
        if known.seen.is_some_and(|seen| seen > self.at && seen - self.at <= OVERLAP) {
            return Ok(());
        }
        if let Some(before) = &known.facts {
            for FactChange { fact, before, after } in changes(before, facts) {
                self.change.execute(params![known.id, stamp(self.at), fact, before, after])?;
                saved.changes += 1;
            }
        }
        let elapsed = known.seen.and_then(|seen| self.at.checked_sub(seen));
        let measured = numbers(facts, known.facts.as_ref().zip(elapsed));
        let mut of = Vec::with_capacity(measured.len());
        for (name, number) in measured {
            of.push((self.series(&name)?, number));
        }
        for kind in ArchiveKind::ALL {
            self.archive(known.id, kind, &of)?;
        }
        let text =
            serde_json::to_string(facts).map_err(|error| Error::ToSqlConversionFailure(error.into()))?;
        self.update.execute(params![known.id, stamp(self.at), text])?;
        Ok(())
    }

    fn series(&mut self, name: &SeriesName) -> Result<u32, Error> {
        let name = name.to_string();
        if let Some(id) = self.series.get(&name) {
            return Ok(*id);
        }
        let insert = "INSERT INTO series (name) VALUES (?1) RETURNING id";
        let id = self.transaction.query_row(insert, [&name], |row| row.get(0))?;
        self.series.insert(name, id);
        Ok(id)
    }

    fn archive(&mut self, host: i64, kind: ArchiveKind, numbers: &[(u32, f64)]) -> Result<(), Error> {
        let (begin, place) = kind.place(self.at);
        let packed: Option<Vec<u8>> =
            self.chunk.query_row(params![host, kind.number(), stamp(begin)], |row| row.get(0)).optional()?;
        let is_new = packed.is_none();
        // One that cannot be unpacked begins anew: what comes is worth more than what is lost.
        let chunk = packed.and_then(|packed| ArchiveChunk::from_bytes(&packed).ok());
        let mut chunk = chunk.unwrap_or_default();
        for &(series, number) in numbers {
            chunk.add(series, place, number);
        }
        self.put_chunk.execute(params![host, kind.number(), stamp(begin), chunk.to_bytes()])?;
        if is_new {
            self.thin.execute(params![host, kind.number(), kind.kept()])?;
        }
        Ok(())
    }
}

/// A moment as SQLite has it.
pub(super) fn stamp(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
