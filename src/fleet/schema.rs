//! The tables, and how older files become newer ones.

/// Says in the file's header whose it is: "fanf".
pub(super) const APPLICATION: i64 = 0x6661_6e66;

/// Bytes of a page. Chunks of numbers have a few thousand: several fit into a page.
pub(super) const PAGE: i64 = 16_384;

/// What makes each version of the one before, from nothing on.
pub(super) const MIGRATIONS: &[&str] = &["
    CREATE TABLE hosts (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        first INTEGER NOT NULL,
        seen INTEGER,
        tried INTEGER NOT NULL,
        failure TEXT,
        facts TEXT
    );
    CREATE TABLE changes (
        id INTEGER PRIMARY KEY,
        host INTEGER NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
        at INTEGER NOT NULL,
        fact TEXT NOT NULL,
        before TEXT,
        after TEXT
    );
    CREATE INDEX changes_of_host ON changes (host, at);
    CREATE INDEX changes_at ON changes (at);
    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    );
    CREATE TABLE archives (
        id INTEGER PRIMARY KEY,
        host INTEGER NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
        kind INTEGER NOT NULL,
        begin INTEGER NOT NULL,
        points BLOB NOT NULL
    );
    CREATE UNIQUE INDEX archives_of_host ON archives (host, kind, begin);
"];

/// The version that this program writes.
pub(super) fn latest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}
