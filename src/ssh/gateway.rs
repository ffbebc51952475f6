//! Gateways (bastions, jump hosts): one connection each, opened once, shared by all hosts behind it.
//!
//! Single flight: the first host that needs a gateway opens it and the others wait. A gateway that broke is
//! opened once more for hosts that have started nothing; a second death is final, but for commands that outlive their
//! connection and wait until it is back. Both are told once, as a
//! [`Notice`], and not per host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::Handle;
use tokio::time::Instant;

use crate::model::endpoint::Endpoint;
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::error::{ConnectError, Retry, is_verdict};
use crate::ssh::handler::ClientHandler;
use crate::ssh::login::Login;
use crate::ssh::notice::{Notice, Notices};
use crate::ssh::tunnel::{self, Tunnel};
use crate::ssh::{backoff, failure};

/// Connections to one gateway in a run: the first, and one after it broke.
const MAX_OPENINGS: u32 = 2;

/// How long a gateway that was given up on is left alone.
const FORGIVEN_AFTER: Duration = Duration::from_millis(200);

/// All gateways of a run, by the whole way to them.
#[derive(Default)]
pub(super) struct Gateways {
    all: Mutex<HashMap<String, Arc<Gateway>>>,
}

/// One gateway.
pub(super) struct Gateway {
    /// Held while it is being opened: single flight.
    state: tokio::sync::Mutex<GatewayState>,
}

/// A gateway's life.
struct GatewayState {
    openings: u32,
    link: Link,
    /// Why there is none was told; whoever waits for it meets the same again and again.
    told: bool,
}

enum Link {
    /// Not opened yet, or broken.
    Down,
    Up(Arc<Handle<ClientHandler>>),
    /// It will not be tried again, unless someone asks for it and what was in the way may pass.
    Dead {
        failure: Failure,
        since: Instant,
        passes: bool,
    },
}

impl Gateways {
    pub(super) fn get(&self, endpoint: &Endpoint) -> Arc<Gateway> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let gateway = all.entry(endpoint.route()).or_insert_with(|| {
            let state = GatewayState { openings: 0, link: Link::Down, told: false };
            Arc::new(Gateway { state: tokio::sync::Mutex::new(state) })
        });
        Arc::clone(gateway)
    }
}

impl Gateway {
    /// The gateway's connection, opened by `login` when there is none.
    ///
    /// # Errors
    ///
    /// The failure is the gateway's, as kind `gateway`; host-key alarms and unusable logins keep their kind.
    pub(super) async fn handle<F>(
        &self,
        endpoint: &Endpoint,
        notices: &Notices,
        mut login: impl FnMut() -> F,
    ) -> Result<Arc<Handle<ClientHandler>>, ConnectError>
    where
        F: Future<Output = Result<Login, ConnectError>>,
    {
        let mut state = self.state.lock().await;
        match &state.link {
            Link::Up(handle) if !handle.is_closed() => return Ok(Arc::clone(handle)),
            Link::Dead { failure, .. } => return Err(ConnectError::fatal(failure.clone())),
            Link::Up(_) | Link::Down => {}
        }
        let gateway = &endpoint.name;
        if state.openings >= MAX_OPENINGS {
            let failure = blame(endpoint, Failure::new(Kind::Gateway, "the connection broke again"));
            state.link = Link::Dead { failure: failure.clone(), since: Instant::now(), passes: true };
            return Err(ConnectError::fatal(failure));
        }
        state.openings += 1;
        let mut attempt = 1;
        loop {
            match login().await {
                Ok(login) => {
                    let handle = Arc::new(login.handle);
                    (state.link, state.told) = (Link::Up(Arc::clone(&handle)), false);
                    let (timings, auth) = (login.timings, login.auth);
                    notices.tell(Notice::Connected { gateway: gateway.clone(), timings, auth });
                    return Ok(handle);
                }
                Err(error) => {
                    if let Some(pause) = backoff::pause(error.retry, attempt, endpoint.retries) {
                        attempt += 1;
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                    let failure = error.failure;
                    let passes = !is_verdict(failure.kind);
                    if !std::mem::replace(&mut state.told, true) {
                        notices.tell(Notice::Failed { gateway: gateway.clone(), failure: failure.clone() });
                    }
                    let failure = blame(endpoint, failure);
                    state.link = Link::Dead { failure: failure.clone(), since: Instant::now(), passes };
                    return Err(ConnectError::fatal(failure));
                }
            }
        }
    }
}

impl Gateway {
    /// Lets a gateway that was given up on be opened once more, for one who waits until it is back. Refused logins and keys
    /// stay refused, and hosts that wait for the same gateway try it no more often than one of them would.
    pub(super) fn forgive(&self) {
        // Who holds it is opening it.
        let Ok(mut state) = self.state.try_lock() else { return };
        if let Link::Dead { since, passes: true, .. } = &state.link
            && since.elapsed() >= FORGIVEN_AFTER
        {
            (state.link, state.openings) = (Link::Down, state.openings.min(MAX_OPENINGS - 1));
        }
    }
}

/// A gateway's failure as one of the hosts behind it.
fn blame(gateway: &Endpoint, failure: Failure) -> Failure {
    let (name, address, port) = (&gateway.name, &gateway.address, gateway.port);
    failure.seen_as(Kind::Gateway).about(format!("gateway {name} ({address} port {port})"))
}

/// Opens a stream to a host through a connected gateway.
pub(super) async fn open(
    handle: &Handle<ClientHandler>,
    gateway: &HostName,
    target: &Endpoint,
) -> Result<Tunnel, ConnectError> {
    let (address, port) = (target.address.as_ref(), u32::from(target.port));
    // The originator is what sshd logs; it must look like an address.
    match handle.channel_open_direct_tcpip(address, port, "127.0.0.1", 0).await {
        Ok(channel) => Ok(tunnel::over(channel)),
        Err(russh::Error::ChannelOpenFailure(reason)) => Err(refused(gateway, address, port, &reason)),
        // The link broke: the next attempt finds it closed and opens it anew.
        Err(_) => Err(ConnectError {
            failure: Failure::new(Kind::Gateway, format!("gateway {gateway}: the connection broke")),
            retry: Retry::Soon,
        }),
    }
}

/// Why a gateway did not connect us (RFC 4254 section 5.1): its policy, or the host behind it.
fn refused(gateway: &HostName, address: &str, port: u32, reason: &russh::ChannelOpenFailure) -> ConnectError {
    use russh::ChannelOpenFailure;
    let refused = || {
        let why = failure::why_refused(reason);
        Failure::new(Kind::Gateway, format!("gateway {gateway} refused a channel to {address}:{port}: {why}"))
    };
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => ConnectError::fatal(
            Failure::new(Kind::Gateway, format!("gateway {gateway} does not forward to {address}:{port}"))
                .hint("AllowTcpForwarding, PermitOpen or permitopen= forbids it on the gateway"),
        ),
        ChannelOpenFailure::ConnectFailed => {
            let message = format!("gateway {gateway} cannot connect to {address}:{port}");
            let hint = "the gateway must resolve the name and reach the port; try it there";
            ConnectError::fatal(Failure::new(Kind::ConnectRefused, message).hint(hint))
        }
        ChannelOpenFailure::UnknownChannelType => ConnectError::fatal(
            refused()
                .hint("its SSH server does not support forwarding (`direct-tcpip`): use another gateway"),
        ),
        ChannelOpenFailure::ResourceShortage => {
            ConnectError::temporary(refused().hint("it has too many open channels: lower -z"))
        }
        ChannelOpenFailure::Other { .. } => ConnectError::fatal(refused().hint("see the log of the gateway")),
    }
}
