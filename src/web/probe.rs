//! One probe: each address of a target, with the time of each phase, and whether it is as it should be.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use regex::bytes::Regex;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::model::duration;
use crate::model::outcome::Kind;
use crate::ssh::pipe::Program;
use crate::ssh::{Session, addresses};
use crate::web::certificate::Certificate;
use crate::web::client::{WebAnswer, WebRequest, ask};
use crate::web::piped::piped;
use crate::web::post::unconnected;
use crate::web::target::ProbeTarget;
use crate::web::tls::WebSilence;
use crate::web::trust::WebTrust;
use crate::web::url::Url;

/// Bytes of a body that are read.
const BODY_MAX: usize = 1024 * 1024;

/// Addresses of a name that are probed.
const ADDRESSES_MAX: usize = 64;

/// How an answer should be.
#[derive(Clone, Debug)]
pub struct ProbeExpects {
    /// Statuses that are right; any from 200 to 399 when there are none.
    pub status: Vec<u16>,
    /// What the body must match.
    pub body: Option<Regex>,
    /// How long all of it may take.
    pub max_time: Option<Duration>,
    /// For how many days its certificate must still be good.
    pub cert_days: Option<u32>,
    /// How long is waited.
    pub timeout: Duration,
    /// How many redirects are followed.
    pub redirects: usize,
    /// More headers of requests.
    pub headers: Vec<(String, String)>,
}

/// From where is probed.
pub enum ProbeFrom<'a, S> {
    /// From this machine.
    Here,
    /// Through the connection to a host.
    Host(&'a S),
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// The target.
    pub target: String,
    /// The address, where one was asked.
    pub address: Option<String>,
    /// How long the name took.
    pub name: Option<Duration>,
    /// How long the connection took.
    pub connect: Option<Duration>,
    /// How long TLS took.
    pub tls: Option<Duration>,
    /// From the request to the head of the answer.
    pub first: Option<Duration>,
    /// How long all of it took.
    pub all: Duration,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Where the redirects that were followed ended.
    pub ended_at: Option<String>,
    /// The certificates that it showed, its own first.
    pub certificates: Vec<Certificate>,
    /// The addresses of a name.
    pub addresses: Vec<IpAddr>,
    /// Why it is not as it should be.
    pub problem: Option<String>,
    /// It was not asked: the way there is closed.
    pub closed: bool,
}

/// Probes a target. From here each address of a name is probed; from a host its server chooses one.
pub async fn probe<S: Session>(
    target: &ProbeTarget,
    from: &ProbeFrom<'_, S>,
    expects: &ProbeExpects,
    trust: &WebTrust,
) -> Vec<Probed> {
    let began = Instant::now();
    let blank = Probed { target: target.to_string(), ..Probed::default() };
    let (host, port) = match target {
        ProbeTarget::Web(url) => (url.host.as_str(), url.port),
        ProbeTarget::Tcp { host, port } => (host.as_str(), *port),
        ProbeTarget::Dns(name) => (name.as_str(), 0),
    };
    if let ProbeFrom::Host(_) = from {
        return vec![timed(target, from, (host, port), None, (expects, trust), blank).await];
    }
    let found = tokio::time::timeout(expects.timeout, addresses(host, port)).await;
    let name = Some(began.elapsed()).filter(|_| host.parse::<IpAddr>().is_err());
    let blank = Probed { name, all: began.elapsed(), ..blank };
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(failure)) => return vec![Probed { problem: Some(failure.message()), ..blank }],
        Err(_) => {
            let why = format!("the name has no answer after {}", duration::show(expects.timeout));
            return vec![Probed { problem: Some(why), ..blank }];
        }
    };
    if let ProbeTarget::Dns(_) = target {
        let addresses = found.iter().map(SocketAddr::ip).collect();
        return vec![slow(Probed { addresses, ..blank }, expects)];
    }
    let each = found.into_iter().take(ADDRESSES_MAX).map(|address| {
        let blank = Probed { address: Some(address.ip().to_string()), ..blank.clone() };
        timed(target, from, (host, port), Some(address), (expects, trust), blank)
    });
    futures::future::join_all(each).await
}

type ProbedBy<'a> = (&'a ProbeExpects, &'a WebTrust);

/// One address, within its time.
async fn timed<S: Session>(
    target: &ProbeTarget,
    from: &ProbeFrom<'_, S>,
    place: (&str, u16),
    address: Option<SocketAddr>,
    (expects, trust): ProbedBy<'_>,
    blank: Probed,
) -> Probed {
    let began = Instant::now();
    let mut probed = blank.clone();
    let work = one(target, from, place, address, (expects, trust), &mut probed);
    if tokio::time::timeout(expects.timeout, work).await.is_err() {
        // How far it came is said by the phases that have a time.
        let during = match (target, probed.connect, probed.tls) {
            (_, None, _) => "no connection",
            (ProbeTarget::Web(url), Some(_), None) if url.tls => "connected, but no answer",
            _ => "connected, but no answer",
        };
        probed.problem = Some(format!("{during} within {}", duration::show(expects.timeout)));
    }
    probed.all = probed.name.unwrap_or_default() + began.elapsed();
    if probed.problem.is_none() { slow(probed, expects) } else { probed }
}

async fn one<S: Session>(
    target: &ProbeTarget,
    from: &ProbeFrom<'_, S>,
    (host, port): (&str, u16),
    address: Option<SocketAddr>,
    (expects, trust): ProbedBy<'_>,
    probed: &mut Probed,
) {
    let ProbeTarget::Web(url) = target else {
        let began = Instant::now();
        match connected(from, host, port, address).await {
            Ok(_) => probed.connect = Some(began.elapsed()),
            Err(refused) => refused.tell(probed),
        }
        return;
    };
    let asked_for = url;
    let mut url = url.clone();
    let mut address = address;
    for redirects in 0.. {
        // What the user sends to one origin is not for the one that it names.
        let headers = if url.has_origin_of(asked_for) { &*expects.headers } else { &[] };
        let asked = web(from, &url, address, (headers, trust), probed).await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(refused) => return refused.tell(probed),
        };
        probed.status = Some(answer.status);
        let leads = answer
            .header("location")
            .filter(|_| (300..400).contains(&answer.status) && expects.redirects > 0);
        let Some(location) = leads else {
            if redirects > 0 {
                probed.ended_at = Some(url.to_string());
            }
            probed.problem = misfit(&answer, expects, &probed.certificates);
            return;
        };
        if redirects >= expects.redirects {
            probed.problem = Some(format!("more than {} redirects", expects.redirects));
            return;
        }
        url = match url.redirected(location) {
            Ok(next) => next,
            Err(why) => {
                probed.problem = Some(format!("it redirects to what is not followed: {why}"));
                return;
            }
        };
        // Another name has other addresses: the first that answers.
        address = match from {
            ProbeFrom::Host(_) => None,
            ProbeFrom::Here => match addresses(&url.host, url.port).await {
                Ok(found) => found.first().copied(),
                Err(failure) => {
                    probed.problem = Some(failure.message());
                    return;
                }
            },
        };
    }
}

/// Why there is no connection, or no answer.
struct Unprobed {
    why: String,
    closed: bool,
}

impl Unprobed {
    fn tell(self, probed: &mut Probed) {
        probed.problem = Some(self.why);
        probed.closed = self.closed;
    }
}

impl From<String> for Unprobed {
    fn from(why: String) -> Self {
        Self { why, closed: false }
    }
}

/// What a connection is.
enum ProbeStream {
    Here(TcpStream),
    Host(crate::ssh::pipe::Pipe),
}

async fn connected<S: Session>(
    from: &ProbeFrom<'_, S>,
    host: &str,
    port: u16,
    address: Option<SocketAddr>,
) -> Result<ProbeStream, Unprobed> {
    match (from, address) {
        (ProbeFrom::Host(session), _) => {
            let opened = session.pipe(Program::Tcp { address: Arc::from(host), port }).await;
            opened.map(ProbeStream::Host).map_err(|error| {
                let kind = error.failure.kind;
                let closed = !matches!(kind, Kind::ConnectRefused | Kind::ConnectTimeout);
                let shown = if closed {
                    format!("{} [{kind}]", error.failure.message())
                } else {
                    error.failure.message()
                };
                Unprobed { why: shown, closed }
            })
        }
        (ProbeFrom::Here, Some(address)) => {
            let opened = TcpStream::connect(address).await;
            opened.map(ProbeStream::Here).map_err(|error| Unprobed::from(unconnected(&error)))
        }
        (ProbeFrom::Here, None) => Err(Unprobed::from("the name has no address".to_owned())),
    }
}

async fn web<S: Session>(
    from: &ProbeFrom<'_, S>,
    url: &Url,
    address: Option<SocketAddr>,
    (headers, trust): (&[(String, String)], &WebTrust),
    probed: &mut Probed,
) -> Result<WebAnswer, Unprobed> {
    let began = Instant::now();
    let connection = connected(from, &url.host, url.port, address).await?;
    probed.connect = Some(began.elapsed());
    let request = WebRequest { headers, ..WebRequest::get(url, BODY_MAX) };
    let asked = match connection {
        ProbeStream::Here(stream) => ask(stream, &request, trust).await,
        ProbeStream::Host(pipe) => {
            let asked = piped(pipe, |stream| ask(stream, &request, trust)).await;
            asked.map_err(|failure| Unprobed { why: failure.message(), closed: true })?
        }
    };
    match asked {
        Ok(answer) => {
            (probed.tls, probed.first) = (answer.tls, Some(answer.first));
            probed.certificates.clone_from(&answer.certificates);
            Ok(answer)
        }
        Err(WebSilence { why, certificates }) => {
            probed.certificates = certificates;
            Err(Unprobed::from(why))
        }
    }
}

/// What is not as it should be about an answer.
fn misfit(answer: &WebAnswer, expects: &ProbeExpects, certificates: &[Certificate]) -> Option<String> {
    let right = match expects.status.as_slice() {
        [] => (200..400).contains(&answer.status),
        wanted => wanted.contains(&answer.status),
    };
    if !right {
        return Some(format!("it responds with status {}", answer.status));
    }
    if expects.body.as_ref().is_some_and(|body| !body.is_match(&answer.body)) {
        return Some("its body does not match".to_owned());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let left = certificates.first().map(|first| (first.days_left(now), first.end_day()));
    match (expects.cert_days, left) {
        (Some(wanted), Some((days, end))) if days < i64::from(wanted) => {
            Some(format!("its certificate ends on {end}, in {days} days"))
        }
        _ => None,
    }
}

/// Whether it took too long.
fn slow(probed: Probed, expects: &ProbeExpects) -> Probed {
    let Some(limit) = expects.max_time.filter(|limit| probed.all > *limit) else { return probed };
    let millis = |time: Duration| {
        duration::show(Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    };
    let problem = Some(format!("it took {}, longer than {}", millis(probed.all), duration::show(limit)));
    Probed { problem, ..probed }
}
