//! What programs answered, kept for a while: a private file for each program, by what was run.
//!
//! ```text
//! $XDG_CACHE_HOME/fan/sources/   0700
//!     HASH.json                  0600, written beside and renamed
//! ```
//!
//! Refuses answers with passwords: they are nowhere on the disk.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The shape of the files.
const VERSION: u32 = 1;

/// Bytes of a file that are read: what a program may print, for JSON within JSON.
const MOST: u64 = 160 * 1024 * 1024;

/// How variables of the environment begin by which programs are told whose hosts are meant: another account has other
/// hosts.
const ACCOUNTS: [&str; 17] = [
    "ARM_",
    "AWS_",
    "AZURE_",
    "CLOUDSDK_",
    "CONSUL_",
    "DIGITALOCEAN_",
    "GCP_",
    "GOOGLE_",
    "HCLOUD_",
    "KUBECONFIG",
    "LINODE_",
    "NETBOX_",
    "OS_",
    "PROXMOX_",
    "SCW_",
    "TF_",
    "VMWARE_",
];

/// What a program answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SourceAnswer {
    version: u32,
    /// Seconds since 1970.
    time: u64,
    /// Which program it was: one that has been edited may answer something else.
    program: [u64; 3],
    /// To `--list`.
    pub(super) list: String,
    /// To `--host NAME`, by name.
    pub(super) hosts: Vec<(String, String)>,
}

impl SourceAnswer {
    /// A program's answer of this moment.
    pub(super) fn new(program: &Path, list: String, hosts: Vec<(String, String)>) -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { version: VERSION, time, program: stamp(program), list, hosts }
    }

    /// Whether the program is still the one that answered.
    pub(super) fn is_of(&self, program: &Path) -> bool {
        self.program == stamp(program)
    }

    /// How old it is; none when it is of the future.
    pub(super) fn age(&self) -> Option<Duration> {
        SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_secs(self.time)).ok()
    }
}

/// The answers that are kept.
#[derive(Debug)]
pub(super) struct SourceCache {
    /// None where nothing can be kept.
    folder: Option<PathBuf>,
}

impl SourceCache {
    /// Those below a folder of caches.
    pub(super) fn within(caches: Option<&Path>) -> Self {
        Self { folder: caches.map(|caches| caches.join("fan/sources")) }
    }

    /// The answer of a program that is at most so old. What cannot be read is none.
    pub(super) fn get(&self, program: &Path, most: Duration) -> Option<SourceAnswer> {
        let folder = self.folder.as_deref().filter(|folder| is_private(folder))?;
        let mut text = Vec::new();
        fs::File::open(folder.join(name(program)?)).ok()?.take(MOST).read_to_end(&mut text).ok()?;
        let answer: SourceAnswer = serde_json::from_slice(&text).ok()?;
        (answer.version == VERSION && answer.age()? <= most).then_some(answer)
    }

    /// Keeps an answer.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn put(&self, program: &Path, answer: &SourceAnswer) -> io::Result<()> {
        let (Some(folder), Some(name)) = (&self.folder, name(program)) else { return Ok(()) };
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if !is_private(folder) {
            return Err(io::Error::other(format!("others may write to {}", folder.display())));
        }
        let new = folder.join(format!("{name}.{}", std::process::id()));
        let mut options = OpenOptions::new();
        let written = options.write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(answer)?)?;
            fs::rename(&new, folder.join(&name))
        });
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }
}

/// Whether nobody else can put something into a folder.
fn is_private(folder: &Path) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|meta| {
        meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 == 0
    })
}

/// What changes with a program's content.
fn stamp(program: &Path) -> [u64; 3] {
    let of =
        |meta: fs::Metadata| [meta.len(), meta.mtime().cast_unsigned(), meta.mtime_nsec().cast_unsigned()];
    fs::metadata(program).map(of).unwrap_or_default()
}

/// The name of a program's file: by its path, the folder where it runs, and whose hosts it is to name.
fn name(program: &Path) -> Option<String> {
    let path = fs::canonicalize(program).ok()?;
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    part(path.as_os_str().as_bytes());
    part(std::env::current_dir().unwrap_or_default().as_os_str().as_bytes());
    let mut accounts: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| ACCOUNTS.iter().any(|start| name.as_bytes().starts_with(start.as_bytes())))
        .collect();
    accounts.sort();
    for (name, value) in accounts {
        part(name.as_bytes());
        part(value.as_bytes());
    }
    Some(format!("{}.json", HEXLOWER.encode(&hash.finalize())))
}
