//! What a server says before SSH begins: the identification line, or the reason why there will be none.
//! Pure: bytes in, verdict out (RFC 4253 section 4.2).

use crate::model::outcome::{Failure, Kind};
use crate::ssh::error::{ConnectError, Retry};

/// Bytes that a server may send before its identification line.
pub(super) const MAX_PREAMBLE: usize = 8 * 1024;

/// Bytes of a foreign greeting that a message quotes.
const QUOTED: usize = 80;

/// What the bytes so far mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// Undecided: the line with the identification has not ended.
    Incomplete,
    /// An SSH-2 server.
    Ssh,
    /// The server, or what is not one, will not speak SSH with us.
    Refused(ConnectError),
}

/// Judges everything received so far.
///
/// sshd.c sends `Exceeded MaxStartups` (8.2 to 9.7) or `Not allowed at this time` (from 9.8, which also
/// means `PerSourcePenalties`) as a line before it closes.
pub(super) fn judge(received: &[u8]) -> Greeting {
    let mut rest = received;
    loop {
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            let over = received.len() > MAX_PREAMBLE;
            return if over { not_ssh(received) } else { judge_partial(rest) };
        };
        let (line, after) = rest.split_at(end);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-") {
            return Greeting::Ssh;
        }
        if line.starts_with(b"SSH-") {
            return refused(
                format!("the server speaks only {}, fan needs SSH-2", quote(line)),
                "upgrade the server",
            );
        }
        if let Some(refusal) = throttled(line) {
            return refusal;
        }
        if is_foreign(line) {
            return not_ssh(received);
        }
        rest = after.get(1..).unwrap_or_default();
    }
}

/// Where the identification begins in a greeting that [`judge`] found to be [`Greeting::Ssh`].
pub(super) fn identification(received: &[u8]) -> usize {
    let line = received.split_inclusive(|&byte| byte == b'\n').take_while(|line| !line.starts_with(b"SSH-"));
    line.map(<[u8]>::len).sum()
}

/// A line that has not ended may already be told from SSH: TLS and binary protocols send no line end.
fn judge_partial(line: &[u8]) -> Greeting {
    match line.first() {
        Some(&byte) if byte < 0x20 && byte != b'\t' && byte != b'\r' => not_ssh(line),
        Some(&byte) if byte >= 0x80 => not_ssh(line),
        _ => Greeting::Incomplete,
    }
}

/// What is said when the server closed the connection before its identification.
pub(super) fn closed_early(received: &[u8]) -> ConnectError {
    if received.is_empty() {
        return ConnectError::temporary(
            Failure::new(Kind::ConnectReset, "the server closed the connection before saying anything")
                .hint("a firewall, TCP wrapper, or sshd's MaxStartups may do this; see the server's log"),
        );
    }
    match not_ssh(received) {
        Greeting::Refused(error) => error,
        Greeting::Incomplete | Greeting::Ssh => {
            ConnectError::temporary(Failure::new(Kind::ConnectReset, "the connection closed in the banner"))
        }
    }
}

fn throttled(line: &[u8]) -> Option<Greeting> {
    let (retry, hint) = if line.starts_with(b"Exceeded MaxStartups") {
        (Retry::Throttled, "raise MaxStartups in the server's sshd_config, or lower -z")
    } else if line.starts_with(b"Not allowed at this time") {
        (
            Retry::Penalized,
            "MaxStartups or PerSourcePenalties on the server: wait, or exempt this address there",
        )
    } else {
        return None;
    };
    let failure =
        Failure::new(Kind::Throttled, format!("the server turned the connection away: {}", quote(line)));
    Some(Greeting::Refused(ConnectError { failure: failure.hint(hint), retry }))
}

/// First lines of protocols that people run into instead of SSH; other lines may precede an SSH banner.
fn is_foreign(line: &[u8]) -> bool {
    const GREETINGS: [&[u8]; 8] = [b"HTTP/", b"<", b"220 ", b"+OK", b"* OK", b"-ERR", b"RFB ", b"{"];
    GREETINGS.iter().any(|greeting| line.starts_with(greeting))
        || line.iter().any(|&byte| byte < 0x20 && byte != b'\t')
}

fn not_ssh(received: &[u8]) -> Greeting {
    refused(format!("got {} instead of an SSH banner", quote(received)), "is this an SSH port?")
}

fn refused(message: String, hint: &str) -> Greeting {
    Greeting::Refused(ConnectError::fatal(Failure::new(Kind::Banner, message).hint(hint)))
}

fn quote(bytes: &[u8]) -> String {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let shown = line.get(..QUOTED).unwrap_or(line);
    format!("\"{}\"", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(bytes: &[u8]) -> Option<(Kind, Retry)> {
        match judge(bytes) {
            Greeting::Refused(error) => Some((error.failure.kind, error.retry)),
            Greeting::Ssh | Greeting::Incomplete => None,
        }
    }

    #[test]
    fn ssh_servers_are_recognised_with_and_without_preamble() {
        for text in [
            "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
            "SSH-1.99-old\n",
            "welcome\r\nto this host\r\nSSH-2.0-x\r\nrest",
        ] {
            assert_eq!(judge(text.as_bytes()), Greeting::Ssh, "{text:?}");
        }
    }

    #[test]
    fn an_unfinished_line_stays_undecided() {
        for text in ["", "S", "SSH-2.0-Open", "welcome\r\nSSH-2.0"] {
            assert_eq!(judge(text.as_bytes()), Greeting::Incomplete, "{text:?}");
        }
    }

    #[test]
    fn throttling_is_told_from_other_refusals() {
        assert_eq!(kind_of(b"Exceeded MaxStartups\r\n"), Some((Kind::Throttled, Retry::Throttled)));
        assert_eq!(kind_of(b"Not allowed at this time\r\n"), Some((Kind::Throttled, Retry::Penalized)));
        assert_eq!(kind_of(b"SSH-1.5-old\n"), Some((Kind::Banner, Retry::Never)));
    }

    #[test]
    fn other_protocols_are_quoted_safely() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\x16\x03\x01\x02",
            b"-ERR unknown command\r\n",
            b"220 mail ESMTP\r\n",
            b"\x1b[2J\n",
        ] {
            let Greeting::Refused(error) = judge(bytes) else { panic!("{bytes:?} passed") };
            assert_eq!(error.failure.kind, Kind::Banner);
            assert!(error.failure.message().chars().all(|c| !c.is_control()), "{}", error.failure.message());
        }
    }

    #[test]
    fn an_endless_preamble_is_refused() {
        let flood = b"x".repeat(MAX_PREAMBLE + 1);
        assert_eq!(kind_of(&flood), Some((Kind::Banner, Retry::Never)));
    }
}
