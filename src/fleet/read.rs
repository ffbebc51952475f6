//! What is in the file.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use rusqlite::{Connection, Error, Row, params};

use crate::fleet::error::FleetError;
use crate::fleet::file::FleetFile;
use crate::fleet::save::stamp;
use crate::model::fleet::{
    ArchiveChunk, ArchiveKind, DatedChange, FactChange, FleetHost, Numbers, SeriesName, SeriesPoint,
};

impl FleetFile {
    /// All hosts, by name.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn hosts(&self) -> Result<Vec<FleetHost>, FleetError> {
        let select = "SELECT name, first, seen, tried, failure, facts FROM hosts ORDER BY name";
        let read = |connection: &Connection| {
            connection.prepare(select)?.query_map([], host)?.collect::<Result<Vec<_>, _>>()
        };
        self.read(read)
    }

    /// Changes from a moment on, the newest first; of one host, or of all.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn changes(&self, since: u64, host: Option<&str>) -> Result<Vec<DatedChange>, FleetError> {
        let select = "SELECT changes.at, hosts.name, fact, before, after FROM changes JOIN hosts ON hosts.id = \
                      changes.host WHERE changes.at >= ?1 AND (?2 IS NULL OR hosts.name = ?2) \
                      ORDER BY changes.at DESC, hosts.name, fact";
        let read = |connection: &Connection| {
            let mut statement = connection.prepare(select)?;
            statement.query_map(params![stamp(since), host], change)?.collect::<Result<Vec<_>, _>>()
        };
        self.read(read)
    }

    /// The numbers from a moment on, by host; of one host, or of all.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn numbers(
        &self,
        kind: ArchiveKind,
        since: u64,
        host: Option<&str>,
    ) -> Result<BTreeMap<String, Numbers>, FleetError> {
        self.read(|connection| numbers(connection, kind, since, host))
    }

    /// Forgets a host with all that was saved of it; whether it was there.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn forget(&mut self, host: &str) -> Result<bool, FleetError> {
        self.read(|connection| connection.execute("DELETE FROM hosts WHERE name = ?1", [host]))
            .map(|count| count > 0)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, FleetError> {
        read(&self.connection).map_err(|error| FleetError::of(&self.path, error))
    }
}

fn moment(row: &Row<'_>, at: usize) -> Result<u64, Error> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default())
}

fn host(row: &Row<'_>) -> Result<FleetHost, Error> {
    let facts: Option<String> = row.get(5)?;
    let seen: Option<i64> = row.get(2)?;
    Ok(FleetHost {
        name: row.get(0)?,
        first: moment(row, 1)?,
        seen: seen.and_then(|seen| u64::try_from(seen).ok()),
        tried: moment(row, 3)?,
        failure: row.get(4)?,
        facts: facts.and_then(|facts| serde_json::from_str(&facts).ok()),
    })
}

fn change(row: &Row<'_>) -> Result<DatedChange, Error> {
    let change = FactChange { fact: row.get(2)?, before: row.get(3)?, after: row.get(4)? };
    Ok(DatedChange { at: moment(row, 0)?, host: row.get(1)?, change })
}

fn numbers(
    connection: &Connection,
    kind: ArchiveKind,
    since: u64,
    host: Option<&str>,
) -> Result<BTreeMap<String, Numbers>, Error> {
    let mut statement = connection.prepare("SELECT id, name FROM series")?;
    let pairs = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))?;
    let mut names: HashMap<u32, SeriesName> = HashMap::new();
    for pair in pairs {
        let (id, name) = pair?;
        // A series of a later version.
        names.extend(SeriesName::from_str(&name).ok().map(|name| (id, name)));
    }
    // Host by host: that is how the index has them.
    let select = "SELECT hosts.name, archives.begin, archives.points FROM hosts CROSS JOIN archives ON archives.host = \
                  hosts.id WHERE archives.kind = ?1 AND archives.begin >= ?2 AND (?3 IS NULL OR hosts.name = ?3) \
                  ORDER BY hosts.id, archives.begin";
    let (first, _) = kind.place(since);
    let mut statement = connection.prepare(select)?;
    let mut rows = statement.query(params![kind.number(), stamp(first), host])?;
    let mut all: BTreeMap<String, Numbers> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (begin, packed) = (moment(row, 1)?, row.get_ref(2)?.as_blob()?);
        let Ok(chunk) = ArchiveChunk::from_bytes(packed) else { continue };
        let of_host = all.entry(row.get(0)?).or_default();
        for (series, points) in chunk.points(kind, begin) {
            let Some(name) = names.get(&series) else { continue };
            let points = points.into_iter().filter(|point: &SeriesPoint| point.at + kind.span() > since);
            of_host.entry(name.clone()).or_default().extend(points);
        }
    }
    Ok(all)
}
