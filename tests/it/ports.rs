//! TCP ports that a test has for itself, from before its server listens until the test's process ends.
//!
//! A port that is found by binding to port 0 and closing again belongs to nobody: another test may be given it, or an
//! outgoing connection, and whoever still knocks there (a wait for a port that is closed, say) is counted as a
//! connection of the new owner. So these are taken below the range that the kernel gives out by itself, and a locked
//! file stands for each.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{FlockOperation, flock};

/// Ports that are given out: above what services have, below what Linux and macOS take for connections.
const FIRST: u16 = 12_000;
const COUNT: u16 = 18_000;

/// The locks of this process, kept to its end.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port that nobody else uses. Nobody listens on it yet.
pub fn reserve() -> u16 {
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    let folder = std::env::temp_dir().join("fan-test-ports");
    std::fs::create_dir_all(&folder).unwrap();
    // Processes begin at different places, so that they seldom try the same ones.
    let start = usize::try_from(std::process::id()).unwrap().wrapping_mul(7919);
    for _ in 0..COUNT {
        let place = start.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % usize::from(COUNT);
        let port = FIRST + u16::try_from(place).unwrap();
        let Ok(file) = File::create(folder.join(port.to_string())) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        // Something that is no test may have it.
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_err() {
            continue;
        }
        HELD.lock().unwrap().push(file);
        return port;
    }
    panic!("no port is free between {FIRST} and {}", FIRST + COUNT);
}

/// What the kernel may give to others is never given out, and nothing is given out twice.
#[test]
fn a_reserved_port_is_nobody_elses() {
    let mut ports: Vec<u16> = (0..50).map(|_| reserve()).collect();
    if let Ok(range) = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range") {
        let first: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
        assert!(ports.iter().all(|port| *port < first), "{range}: {ports:?}");
    }
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 50);
    let folder = std::env::temp_dir().join("fan-test-ports");
    for port in ports {
        let again = File::create(folder.join(port.to_string())).unwrap();
        assert!(flock(&again, FlockOperation::NonBlockingLockExclusive).is_err(), "{port}");
    }
}
