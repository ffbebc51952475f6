//! As much of HTTP/1.1 (RFC 9112) as it takes to ask a web server whether it is well.

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::model::outcome::Failure;
use crate::ssh::ExecEvent;
use crate::ssh::pipe::Pipe;

/// Bytes of an answer that are looked at.
const MOST: usize = 1024 * 1024;

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// Whether TLS is spoken there.
    pub(super) tls: bool,
    /// Name or address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// What `Host` says.
    authority: String,
    /// Path and query; begins with a slash.
    target: String,
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.authority, self.target)
    }
}

impl Url {
    /// Reads `http://host[:port][/path][?query]`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a lowercase fragment.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            (None, None) => return Err(format!("{text:?} does not begin with http:// or https://")),
        };
        if rest.chars().any(|c| c.is_control() || c == ' ') {
            return Err("a URL cannot contain blanks or control characters".to_owned());
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a URL with a password is not supported".to_owned());
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) =
                    rest.split_once(']').ok_or_else(|| format!("{text:?}: \"[\" is not closed"))?;
                (host, rest.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return Err(format!("{text:?} names no host"));
        }
        let default = if tls { 443 } else { 80 };
        let port = match port {
            None => default,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                Ok(_) | Err(_) => return Err(format!("port {port:?} is none")),
            },
        };
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { tls, host: host.to_owned(), port, authority: authority.to_owned(), target })
    }

    /// The request for it.
    pub(super) fn request(&self) -> Bytes {
        Bytes::from(format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: fan\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            self.target, self.authority
        ))
    }
}

/// What a web server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpAnswer {
    pub(super) status: u16,
    /// Empty when it was not asked for.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
pub(super) enum HttpSilence {
    /// What is there gives none: why, as a lowercase fragment.
    Otherwise(String),
    /// The way there broke, which says nothing about the server.
    Lost(Failure),
}

/// Asks over an open connection; `body` says whether the body is wanted.
pub(super) async fn get(pipe: &mut Pipe, url: &Url, body: bool) -> Result<HttpAnswer, HttpSilence> {
    // When it cannot be sent, what is read says why.
    let _ = pipe.writer.send(url.request()).await;
    let mut received = BytesMut::new();
    loop {
        let ended = match pipe.reader.next().await {
            ExecEvent::Stdout(data) => {
                received.extend_from_slice(&data);
                false
            }
            ExecEvent::Stderr(_) | ExecEvent::Exit(_) => false,
            ExecEvent::Closed => true,
            ExecEvent::Lost(failure) => return Err(HttpSilence::Lost(failure)),
        };
        let answer = read(&received, body, ended || received.len() >= MOST);
        if let Some(answer) = answer.map_err(HttpSilence::Otherwise)? {
            return Ok(answer);
        }
        if ended {
            return Err(HttpSilence::Otherwise("it closed the connection without an answer".to_owned()));
        }
    }
}

/// Reads what has come; `None` when it is not enough yet.
pub(super) fn read(received: &[u8], wants_body: bool, ended: bool) -> Result<Option<HttpAnswer>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(received) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) if received.len() < MOST => return Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => return Err("the response is not HTTP".to_owned()),
    };
    let status = response.code.unwrap_or_default();
    if !wants_body {
        return Ok(Some(HttpAnswer { status, body: Vec::new() }));
    }
    let body = received.get(head..).unwrap_or_default();
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let length = header("content-length").and_then(|value| value.trim().parse::<usize>().ok());
    let chunked =
        header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
    let complete = if chunked {
        body.ends_with(b"0\r\n\r\n")
    } else {
        length.is_some_and(|length| body.len() >= length)
    };
    if !complete && !ended {
        return Ok(None);
    }
    let body = if chunked { unchunked(body) } else { body.to_vec() };
    Ok(Some(HttpAnswer { status, body }))
}

/// The pieces of a chunked body put together (RFC 9112 section 7.1); as far as they go.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Ok(httparse::Status::Complete((head, size))) = httparse::parse_chunk_size(body) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let rest = body.get(head..).unwrap_or_default();
        whole.extend_from_slice(rest.get(..size.min(rest.len())).unwrap_or_default());
        if size == 0 || rest.len() < size.saturating_add(2) {
            break;
        }
        body = rest.get(size + 2..).unwrap_or_default();
    }
    whole
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_read() {
        let url = Url::parse("http://localhost:8080/health?x=1#part").unwrap();
        assert_eq!(
            (url.tls, url.host.as_str(), url.port, url.target.as_str()),
            (false, "localhost", 8080, "/health?x=1")
        );
        let url = Url::parse("https://[::1]?q").unwrap();
        assert_eq!((url.tls, url.host.as_str(), url.port, url.target.as_str()), (true, "::1", 443, "/?q"));
        assert_eq!(Url::parse("http://a").unwrap().target, "/");
        for bad in [
            "",
            "a/b",
            "ftp://a",
            "http://",
            "http://:80",
            "http://a:0/",
            "http://a:x",
            "http://u:p@a/",
            "http://a b/",
            "http://[::1",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_are_read_as_far_as_they_are_needed() {
        let plain = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nwait";
        assert_eq!(read(&plain[..20], false, false), Ok(None));
        assert_eq!(read(plain, false, false).unwrap().unwrap().status, 503);
        assert_eq!(read(&plain[..plain.len() - 1], true, false), Ok(None), "the body is not whole");
        assert_eq!(read(plain, true, false).unwrap().unwrap().body, b"wait");
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n2;x=y\r\ntw\r\n0\r\n\r\n";
        assert_eq!(read(chunked, true, false).unwrap().unwrap().body, b"onetw");
        assert!(read(b"SSH-2.0-OpenSSH_9.2\r\n", false, true).is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..400), body: bool, ended: bool) {
            let _ = read(&bytes, body, ended);
            let mut whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            whole.extend(&bytes);
            let _ = read(&whole, body, ended);
        }
    }
}
