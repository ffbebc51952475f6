//! One request over any stream: TLS where the URL says so, HTTP/1.1, a bounded answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::web::certificate::Certificate;
use crate::web::tls::{WebSilence, secured};
use crate::web::trust::WebTrust;
use crate::web::url::Url;

/// What is asked.
#[derive(Clone, Debug)]
pub struct WebRequest<'a> {
    /// For what.
    pub url: &'a Url,
    /// More headers.
    pub headers: &'a [(String, String)],
    /// What is sent with it; nothing makes it a GET.
    pub content: Option<WebContent<'a>>,
    /// Bytes of the body that are read.
    pub most: usize,
}

/// What is sent with a request.
#[derive(Clone, Debug)]
pub struct WebContent<'a> {
    /// How: what is put has its place already.
    pub way: WebWay,
    /// What.
    pub data: Bytes,
    /// Its type.
    pub kind: &'a str,
}

/// How something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebWay {
    /// Each time it is another one.
    Post,
    /// Again it is the same.
    Put,
}

impl<'a> WebRequest<'a> {
    /// A GET that wants so much of the body.
    pub fn get(url: &'a Url, most: usize) -> Self {
        Self { url, headers: &[], content: None, most }
    }
}

/// What a web server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebAnswer {
    /// The status; never one of 1xx, which are passed over.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As much as was wanted.
    pub body: Vec<u8>,
    /// The certificates that it showed, its own first.
    pub certificates: Vec<Certificate>,
    /// How long TLS took, where it is spoken.
    pub tls: Option<Duration>,
    /// From the request to the head of the answer.
    pub first: Duration,
}

impl WebAnswer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Headers that belong to the exchange itself.
const OWN_HEADERS: &[&str] =
    &["connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"];

/// Whether a header can be sent along.
///
/// # Errors
///
/// Why not, as a lowercase fragment.
pub fn check_header(name: &str, value: &str) -> Result<(), String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not the name of a header"))?;
    if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("{name} is set by fan"));
    }
    HeaderValue::from_str(value).map(drop).map_err(|_| format!("the value of {name} has control characters"))
}

/// Asks over an open connection. Has no deadline of its own: drop it to give up.
///
/// # Errors
///
/// There is no answer.
pub async fn ask(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: &WebRequest<'_>,
    trust: &WebTrust,
) -> Result<WebAnswer, WebSilence> {
    if !request.url.tls {
        return exchange(stream, request).await.map_err(WebSilence::of);
    }
    let began = Instant::now();
    let (stream, seen) = secured(stream, &request.url.host, trust).await?;
    let tls = began.elapsed();
    match exchange(stream, request).await {
        Ok(answer) => Ok(WebAnswer { tls: Some(tls), certificates: seen.take(), ..answer }),
        Err(why) => Err(WebSilence { why, certificates: seen.take() }),
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: &WebRequest<'_>,
) -> Result<WebAnswer, String> {
    let message = message(request)?;
    let began = Instant::now();
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| why(&error))?;
    let answer = async {
        let response = sender.send_request(message).await.map_err(|error| why(&error))?;
        let first = began.elapsed();
        let (head, mut body) = response.into_parts();
        let headers = head.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let mut answer = WebAnswer {
            status: head.status.as_u16(),
            headers: headers.collect(),
            first,
            ..WebAnswer::default()
        };
        while answer.body.len() < request.most {
            let Some(frame) = body.frame().await else { break };
            let frame = frame.map_err(|error| why(&error))?;
            if let Some(data) = frame.data_ref() {
                let room = request.most - answer.body.len();
                answer.body.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
            }
        }
        Ok(answer)
    };
    let driving = async {
        // Its end, good or bad, is told by the answer.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        () = driving => Err("the connection ended".to_owned()),
    }
}

fn message(request: &WebRequest<'_>) -> Result<Request<Full<Bytes>>, String> {
    let url = request.url;
    let method = match request.content.as_ref().map(|content| content.way) {
        None => Method::GET,
        Some(WebWay::Post) => Method::POST,
        Some(WebWay::Put) => Method::PUT,
    };
    let mut message = Request::builder().method(method).uri(url.target());
    let has = |name: &str| request.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    if !has("host") {
        message = message.header(HOST, url.authority());
    }
    for (name, value) in [("user-agent", "fan"), ("accept", "*/*")] {
        if !has(name) {
            message = message.header(name, value);
        }
    }
    message = message.header("connection", "close");
    for (name, value) in request.headers {
        check_header(name, value)?;
        message = message.header(name.as_str(), value.as_str());
    }
    let content = match &request.content {
        Some(WebContent { way: _, data, kind }) => {
            message = message.header(CONTENT_TYPE, *kind);
            data.clone()
        }
        None => Bytes::new(),
    };
    message.body(Full::new(content)).map_err(|error| error.to_string())
}

/// Why hyper gave up, as a lowercase fragment.
fn why(error: &hyper::Error) -> String {
    if error.is_parse() || error.is_parse_status() {
        return "the response is not HTTP".to_owned();
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return "it closed the connection without an answer".to_owned();
    }
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}
