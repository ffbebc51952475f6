//! Name lookup: the addresses of a name from the system's resolver, and by its error code why there are none.
//!
//! The standard library keeps `getaddrinfo`'s code to itself, and its texts differ from one C library to the next (glibc
//! says "Temporary failure in name resolution", musl "Try again"): whether to try again is decided by the code.

use std::io;
use std::net::{IpAddr, SocketAddr};

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};
use rustix::io::Errno;
use tracing::debug;

use crate::model::outcome::{Failure, Kind};
use crate::ssh::error::ConnectError;
use crate::ssh::failure::fragment;

/// Resolves a host name or address literal; never empty, in the resolver's order.
pub(super) async fn resolve(address: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Ok(ip) = address.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let name = address.to_owned();
    // It blocks for as long as the resolver is silent; who waits has a deadline and lets it go.
    let found = tokio::task::spawn_blocking(move || found_for(&name))
        .await
        .unwrap_or_else(|died| Err(LookupError::from(io::Error::other(died))))
        .map_err(|error| failed(address, error))?;
    if found.is_empty() {
        return Err(no_address(address));
    }
    debug!(
        "{address} is {}",
        found.iter().map(|found| found.ip().to_string()).collect::<Vec<_>>().join(", ")
    );
    Ok(found.into_iter().map(|mut found| (found.set_port(port), found).1).collect())
}

/// The addresses of a name or address literal, in the resolver's order; never none.
///
/// # Errors
///
/// It has none, or the resolver failed.
pub async fn addresses(address: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    resolve(address, port).await.map_err(|error| error.failure)
}

fn found_for(name: &str) -> Result<Vec<SocketAddr>, LookupError> {
    // Without a type, each address is there once for TCP, once for UDP and once more.
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = getaddrinfo(Some(name), None, Some(hints))?;
    // An entry of a family that is neither IPv4 nor IPv6 is no way to a host.
    Ok(found.filter_map(Result::ok).map(|entry| entry.sockaddr).collect())
}

fn failed(name: &str, error: LookupError) -> ConnectError {
    let kind = error.kind();
    let error = io::Error::from(error);
    if let Some(limits) = local_limits(&error) {
        return limits;
    }
    let (temporary, reason) = match kind {
        LookupErrorKind::Again => (true, "the resolver failed temporarily".to_owned()),
        LookupErrorKind::NoName => (false, "there is no such name".to_owned()),
        LookupErrorKind::NoData => return no_address(name),
        LookupErrorKind::Fail => (false, "the resolver failed".to_owned()),
        LookupErrorKind::Memory => (false, "this machine is out of memory".to_owned()),
        LookupErrorKind::System => (passes(&error), text(&error)),
        LookupErrorKind::Badflags
        | LookupErrorKind::Family
        | LookupErrorKind::Socktype
        | LookupErrorKind::Service
        | LookupErrorKind::Unknown
        | LookupErrorKind::IO => (false, text(&error)),
    };
    debug!(temporary, "cannot resolve {name}: {reason} ({kind:?})");
    let failure = Failure::new(Kind::Dns, format!("cannot resolve \"{name}\": {reason}"))
        .hint("check the host's `address` (`fan hosts` shows where it comes from) and the resolver");
    if temporary { ConnectError::temporary(failure) } else { ConnectError::fatal(failure) }
}

fn no_address(name: &str) -> ConnectError {
    ConnectError::fatal(Failure::new(Kind::Dns, format!("\"{name}\" has no address")))
}

/// Whether what kept the resolver from its servers is of the kind that a retry of a connection is for.
fn passes(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::AGAIN
                | Errno::INTR
                | Errno::TIMEDOUT
                | Errno::CONNREFUSED
                | Errno::CONNRESET
                | Errno::NETUNREACH
                | Errno::NETDOWN
                | Errno::HOSTUNREACH
        )
    )
}

/// What `error` says by itself, without what was being done.
fn text(error: &io::Error) -> String {
    let text = fragment(error);
    text.rsplit(": ").next().unwrap_or(&text).to_owned()
}

/// Exhausted file descriptors show as errors of whatever was being opened, name lookup included.
pub(super) fn local_limits(error: &io::Error) -> Option<ConnectError> {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS)).then(|| {
        ConnectError::fatal(
            Failure::new(Kind::LocalLimits, "this machine has no file descriptors left")
                .hint("raise `ulimit -n`, or lower -z"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::error::Retry;

    /// `getaddrinfo`'s codes: <netdb.h> of glibc and musl, and of macOS and the BSDs.
    #[cfg(target_os = "linux")]
    const CODES: [(i32, Retry, &str); 6] = [
        (-3, Retry::Soon, "cannot resolve \"h\": the resolver failed temporarily"),
        (-2, Retry::Never, "cannot resolve \"h\": there is no such name"),
        (-5, Retry::Never, "\"h\" has no address"),
        (-4, Retry::Never, "cannot resolve \"h\": the resolver failed"),
        (-10, Retry::Never, "cannot resolve \"h\": this machine is out of memory"),
        (-6, Retry::Never, ""),
    ];
    #[cfg(not(target_os = "linux"))]
    const CODES: [(i32, Retry, &str); 5] = [
        (2, Retry::Soon, "cannot resolve \"h\": the resolver failed temporarily"),
        (8, Retry::Never, "cannot resolve \"h\": there is no such name"),
        (4, Retry::Never, "cannot resolve \"h\": the resolver failed"),
        (6, Retry::Never, "cannot resolve \"h\": this machine is out of memory"),
        (5, Retry::Never, ""),
    ];

    #[test]
    fn the_code_says_whether_to_try_again() {
        for (code, retry, message) in CODES {
            let error = failed("h", LookupError::new(code));
            assert_eq!((error.failure.kind, error.retry), (Kind::Dns, retry), "{code}");
            assert!(error.failure.message().contains(message), "{code}: {}", error.failure.message());
            assert!(!error.failure.message().contains("address information"), "{}", error.failure.message());
        }
    }

    #[test]
    fn an_error_of_the_system_is_what_its_errno_is() {
        let error = |errno: Errno| io::Error::from(errno);
        assert!(passes(&error(Errno::NETUNREACH)) && passes(&error(Errno::TIMEDOUT)));
        assert!(!passes(&error(Errno::ACCESS)) && !passes(&io::Error::other("x")));
        let limits = failed("h", LookupError::from(error(Errno::MFILE)));
        assert_eq!(limits.failure.kind, Kind::LocalLimits);
        assert_eq!(text(&error(Errno::NETUNREACH)), "network is unreachable");
    }

    #[tokio::test]
    async fn an_unknown_name_is_dns() {
        for name in ["no-such-host.invalid", "nul\0inside", &"x".repeat(300)] {
            let error = resolve(name, 22).await.unwrap_err();
            assert_eq!(error.failure.kind, Kind::Dns, "{name:?}");
        }
    }

    #[tokio::test]
    async fn names_and_literals_have_the_port_and_stand_once() {
        let found = resolve("localhost", 2222).await.unwrap();
        assert!(found.iter().all(|found| found.ip().is_loopback() && found.port() == 2222), "{found:?}");
        let mut once = found.clone();
        once.dedup();
        assert_eq!(found, once);
        assert_eq!(resolve("::1", 22).await.unwrap(), ["[::1]:22".parse().unwrap()]);
    }

    /// A link-local address needs its interface.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_interface_of_an_address_is_kept() {
        let found = resolve("fe80::1%lo", 22).await.unwrap();
        let [SocketAddr::V6(found)] = found.as_slice() else { unreachable!("{found:?}") };
        assert_ne!(found.scope_id(), 0);
    }
}
