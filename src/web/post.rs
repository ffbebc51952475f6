//! Handing a report to a web service: one request, redirects that keep it, and what the answer means.

use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;

use crate::model::text::{Sgr, beginning, sanitize};
use crate::ssh::addresses;
use crate::web::client::{WebAnswer, WebContent, WebRequest, WebWay, ask};
use crate::web::persist::{HandingOver, Retrying, Untaken, persist};
use crate::web::trust::WebTrust;
use crate::web::url::Url;

/// What is handed over, and to whom.
#[derive(Clone, Debug)]
pub struct WebPost {
    /// To whom.
    pub url: Url,
    /// How.
    pub way: WebWay,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// What.
    pub data: Bytes,
    /// Its type.
    pub kind: &'static str,
}

/// Bytes of an answer that are read.
const ANSWER_MAX: usize = 4096;

/// Bytes of it that are shown.
const SHOWN_MAX: usize = 200;

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// Hands it over, within this time.
///
/// # Errors
///
/// It was not taken.
pub async fn post(post: &WebPost, trust: &WebTrust, limit: Duration) -> Result<(), Untaken> {
    let waiting = HandingOver::default();
    persist(limit, || once(post, trust, &waiting), &waiting).await
}

async fn once(post: &WebPost, trust: &WebTrust, waiting: &HandingOver) -> Result<(), Untaken> {
    let mut url = post.url.clone();
    for _ in 0..=REDIRECTS_MAX {
        let answer = asked(post, &url, trust, waiting).await?;
        match answer.status {
            200..=299 => return Ok(()),
            307 | 308 => url = next(&url, &answer)?,
            _ => return Err(refused(&answer)),
        }
    }
    Err(Untaken::for_good(format!("more than {REDIRECTS_MAX} redirects")))
}

async fn asked(
    post: &WebPost,
    url: &Url,
    trust: &WebTrust,
    waiting: &HandingOver,
) -> Result<WebAnswer, Untaken> {
    let stream = dialled(&url.host, url.port, waiting).await?;
    waiting.for_("it was connected, and the answer did not come");
    let content = WebContent { way: post.way, data: post.data.clone(), kind: post.kind };
    let request =
        WebRequest { headers: &post.headers, content: Some(content), ..WebRequest::get(url, ANSWER_MAX) };
    // Whether it was taken is not known then: a message that comes twice is better than none.
    ask(stream, &request, trust).await.map_err(|silence| match silence.certificates.as_slice() {
        [] => Untaken::for_now(silence.why),
        _ => Untaken::for_good(silence.why)
            .hint("ca: FILE in the entry of fan.yaml names the certificates of authorities to believe"),
    })
}

/// Connects to the first address of a name that answers.
pub(super) async fn dialled(host: &str, port: u16, waiting: &HandingOver) -> Result<TcpStream, Untaken> {
    waiting.for_("looking up its name");
    let found = addresses(host, port).await.map_err(|failure| Untaken::for_now(failure.message()))?;
    waiting.for_("connecting");
    let mut last = Untaken::for_now("the name has no address");
    for address in found {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Untaken::for_now(unconnected(&error)),
        }
    }
    Err(last)
}

/// Why there is no connection, as a lowercase fragment.
pub(super) fn unconnected(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::TimedOut => "no answer to the connection".to_owned(),
        std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => "no route".to_owned(),
        _ => error.to_string(),
    }
}

/// Where a redirect leads that keeps the request. Headers and the report are for that host and no other.
fn next(url: &Url, answer: &WebAnswer) -> Result<Url, Untaken> {
    let location = answer.header("location").unwrap_or_default();
    let next = url.redirected(location).map_err(Untaken::for_good)?;
    if (next.tls, &next.host, next.port) != (url.tls, &url.host, url.port) {
        let scheme = if next.tls { "https" } else { "http" };
        let there = format!("{scheme}://{}", next.authority());
        return Err(Untaken::for_good(format!("it redirects to {there}, where the report is not sent"))
            .hint("give the address that it redirects to"));
    }
    Ok(next)
}

/// What an answer says that is no yes.
fn refused(answer: &WebAnswer) -> Untaken {
    let said = beginning(answer.body.trim_ascii(), SHOWN_MAX);
    let said = said.lines().next().unwrap_or_default();
    let said = sanitize(said.as_bytes(), Sgr::Escape);
    let why = match said.trim() {
        "" => format!("it responds with status {}", answer.status),
        said => format!("it responds with status {}: {said}", answer.status),
    };
    let pause = answer.header("retry-after").and_then(|after| after.trim().parse().ok());
    let later = pause.map_or(Retrying::Later, |seconds| Retrying::After(Duration::from_secs(seconds)));
    let untaken = Untaken::for_good(why);
    match answer.status {
        300..=399 => untaken.hint("such a redirect loses the report: give the address that it leads to"),
        401 | 403 => untaken.hint("bearer and headers in the entry of fan.yaml say who you are"),
        404 | 410 => untaken.hint("the address may be an old one"),
        413 => untaken
            .hint("a template says less than the whole report: template: slack, teams, matrix, or a file"),
        429 | 502 | 503 | 504 => Untaken { again: later, ..untaken },
        _ => untaken,
    }
}
