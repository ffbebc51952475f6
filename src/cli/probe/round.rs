//! All probes once: at most so many connections a second, and so many at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::engine::{self, StopReceiver};
use crate::model::endpoint::Endpoint;
use crate::model::inventory::HostName;
use crate::model::outcome::Failure;
use crate::ssh::{Connector, Session};
use crate::web::{ProbeExpects, ProbeFrom, ProbeTarget, Probed, WebTrust, probe};

/// Probes at a time.
const AT_A_TIME: usize = 512;

/// What all probes have in common.
pub(super) struct ProbeRound {
    pub(super) targets: Vec<ProbeTarget>,
    pub(super) expects: ProbeExpects,
    pub(super) trust: WebTrust,
    /// Connections a second.
    pub(super) rate: u32,
}

/// What was found from a host; none is this machine.
pub(super) struct ProbedFrom {
    pub(super) host: Option<HostName>,
    /// Why nothing was probed from there.
    pub(super) unreached: Option<Failure>,
    pub(super) found: Vec<Probed>,
}

/// When the next probe may begin.
struct Rate {
    pause: Duration,
    next: Instant,
}

impl Rate {
    fn of(rate: u32) -> Self {
        Self { pause: Duration::from_secs(1) / rate.max(1), next: Instant::now() }
    }

    /// A moment of its own for each who asks.
    fn slot(&mut self) -> Instant {
        let slot = self.next.max(Instant::now());
        self.next = slot + self.pause;
        slot
    }
}

/// Probes all targets from one place.
async fn all<S: Session>(round: &Arc<ProbeRound>, session: Option<Arc<S>>) -> Vec<Probed> {
    let mut rate = Rate::of(round.rate);
    let mut running = JoinSet::new();
    let mut found: Vec<(usize, Vec<Probed>)> = Vec::new();
    for at in 0..round.targets.len() {
        if running.len() >= AT_A_TIME
            && let Some(done) = running.join_next().await
        {
            found.extend(done.ok());
        }
        sleep_until(rate.slot()).await;
        let (round, session) = (Arc::clone(round), session.clone());
        running.spawn(async move {
            let Some(target) = round.targets.get(at) else { return (at, Vec::new()) };
            let from = match &session {
                Some(session) => ProbeFrom::Host(&**session),
                None => ProbeFrom::Here,
            };
            (at, probe(target, &from, &round.expects, &round.trust).await)
        });
    }
    while let Some(done) = running.join_next().await {
        found.extend(done.ok());
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().flat_map(|(_, probed)| probed).collect()
}

/// Probes from this machine.
pub(super) async fn from_here<S: Session>(round: &Arc<ProbeRound>) -> Vec<ProbedFrom> {
    vec![ProbedFrom { host: None, unreached: None, found: all::<S>(round, None).await }]
}

/// Probes from hosts, so many of them at a time.
pub(super) async fn from_hosts<C: Connector>(
    round: &Arc<ProbeRound>,
    connector: &Arc<C>,
    endpoints: &[Endpoint],
    pool: usize,
    stopping: &StopReceiver,
) -> Vec<ProbedFrom> {
    let mut running = JoinSet::new();
    let mut found = Vec::new();
    for (at, endpoint) in endpoints.iter().enumerate() {
        if running.len() >= pool
            && let Some(done) = running.join_next().await
        {
            found.extend(done.ok());
        }
        let (round, connector, endpoint) = (Arc::clone(round), Arc::clone(connector), endpoint.clone());
        let mut stopping = stopping.clone();
        running.spawn(async move {
            let host = Some(endpoint.name.clone());
            let from = match engine::connect(&*connector, &endpoint, None, &mut stopping).await {
                Ok(session) => {
                    let session = Arc::new(session);
                    let found = all(&round, Some(Arc::clone(&session))).await;
                    session.close().await;
                    ProbedFrom { host, unreached: None, found }
                }
                Err(error) => ProbedFrom { host, unreached: Some(error.failure()), found: Vec::new() },
            };
            (at, from)
        });
    }
    while let Some(done) = running.join_next().await {
        found.extend(done.ok());
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, from)| from).collect()
}
