//! What a connection tells while it lives: russh's callbacks, and the story that messages are made of later.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId, ChannelOpenFailure};

use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::agent::forward::Forward;
use crate::ssh::error::{ConnectError, Retry};
use crate::ssh::failure;
use crate::ssh::failure::Farewell;
use crate::ssh::host_key::Judge;
use crate::ssh::notice::{Notice, Notices};
use crate::ssh::software::Software;
use crate::ssh::tunnel::Windows;

/// Text of login banners kept for the message of a refused login, in bytes.
const MAX_LOGIN_BANNER: usize = 4 * 1024;

/// Channels that a server may try to open without having been asked, before its connection is ended. Each is
/// refused; a server that goes on is not worth the answers.
const MAX_UNASKED: u32 = 1000;

/// What the connection's callbacks learnt, for messages later on.
#[derive(Default)]
pub(super) struct Story {
    banner: Mutex<String>,
    end: Mutex<Option<ConnectionEnd>>,
    /// The login is done: an end from now on is a loss, and before it a failed attempt.
    established: AtomicBool,
    software: OnceLock<Software>,
}

/// How a connection ended.
#[derive(Clone)]
struct ConnectionEnd {
    failure: Failure,
    /// Why the server closed it, if it said so.
    reason: Option<Farewell>,
    /// The server closed it, with a word or without, and nothing broke.
    orderly: bool,
}

impl Story {
    /// Why the connection ended, if it told.
    pub(super) fn end(&self) -> Failure {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lost = || Failure::new(Kind::ConnectionLost, "the connection was lost");
        end.map_or_else(lost, |end| end.failure)
    }

    /// Whether the server closed the connection, and nothing broke.
    pub(super) fn is_orderly(&self) -> bool {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|end| end.orderly)
    }

    /// Adds to a connection that broke in the key exchange what the server said about it.
    pub(super) fn explain_break(&self, mut error: ConnectError) -> ConnectError {
        if let Some(ConnectionEnd { failure, reason: Some(_), orderly: _ }) =
            &*self.end.lock().unwrap_or_else(PoisonError::into_inner)
        {
            error.failure = error.failure.and(failure.message());
        }
        error
    }

    /// Notes which program the server is.
    pub(super) fn note_server(&self, software: Software) {
        self.software.get_or_init(|| software);
    }

    /// Which program the server is.
    pub(super) fn software(&self) -> Software {
        self.software.get().copied().unwrap_or_default()
    }

    /// Notes that the login is done.
    pub(super) fn establish(&self) {
        self.established.store(true, Ordering::Release);
    }

    /// Adds to a failed login what the server said about it, which may be why the connection broke.
    pub(super) fn explain_login(&self, error: ConnectError) -> ConnectError {
        let ConnectError { mut failure, mut retry } = error;
        if let Some(end) = &*self.end.lock().unwrap_or_else(PoisonError::into_inner) {
            let broke = failure.kind == Kind::ConnectReset;
            if end.failure.cause.contains("Too many authentication failures") {
                failure.kind = Kind::AuthExhausted;
                failure.hint =
                    Some("name the right key with `identity:` and set `identities_only: true`".to_owned());
                retry = Retry::Never;
            } else if let (Some((kind, again)), true) = (end.reason.and_then(Farewell::verdict), broke) {
                (failure.kind, failure.hint, retry) = (kind, None, again);
            }
            failure = failure.and(end.failure.message());
        }
        let banner = self.banner.lock().unwrap_or_else(PoisonError::into_inner);
        if !banner.trim().is_empty() {
            failure = failure.and(format!("the server says: {}", banner.trim()));
        }
        ConnectError { failure, retry }
    }
}

/// Why russh's session task ended: its own error, or our verdict.
#[derive(Debug)]
pub(super) enum HandlerError {
    /// russh's.
    Russh(russh::Error),
    /// The host key, or what was negotiated, is not acceptable.
    Refused(Failure),
}

impl From<russh::Error> for HandlerError {
    fn from(error: russh::Error) -> Self {
        Self::Russh(error)
    }
}

/// The callbacks of one connection.
pub(super) struct ClientHandler {
    pub(super) judge: Judge,
    pub(super) story: Arc<Story>,
    /// The agent that this host may use, if any.
    pub(super) forward: Option<Arc<Forward>>,
    /// Set on a gateway's connection: its end is told to all.
    pub(super) gateway: Option<(HostName, Notices)>,
    /// Channels that the server tried to open and nobody asked for.
    pub(super) unasked: u32,
    /// What the server may send, where it is reached through a tunnel.
    pub(super) windows: Option<Arc<Windows>>,
}

impl ClientHandler {
    /// Refuses a channel that nobody asked for.
    async fn refuse(&mut self, reply: ChannelOpenHandle) -> Result<(), HandlerError> {
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        self.unasked = self.unasked.saturating_add(1);
        if self.is_pestered() { Err(HandlerError::Refused(pestered())) } else { Ok(()) }
    }

    fn is_pestered(&self) -> bool {
        self.unasked > MAX_UNASKED
    }
}

fn pestered() -> Failure {
    let message = format!("the server tried to open more than {MAX_UNASKED} unrequested channels");
    Failure::new(Kind::Protocol, message)
}

/// Handlers of channels that a server may ask for and never gets, whatever else it says about them.
macro_rules! refused {
    ($($name:ident($($told:ty),*);)*) => {$(
        async fn $name(
            &mut self,
            _: Channel<Msg>,
            $(_: $told,)*
            reply: ChannelOpenHandle,
            _: &mut client::Session,
        ) -> Result<(), HandlerError> {
            self.refuse(reply).await
        }
    )*};
}

impl client::Handler for ClientHandler {
    type Error = HandlerError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, HandlerError> {
        match self.judge.admit(shown).await {
            Ok(()) => Ok(true),
            Err(failure) => Err(HandlerError::Refused(failure)),
        }
    }

    /// Refuses ciphers that need strict key exchange without it (Terrapin, CVE-2023-48795).
    async fn kex_done(
        &mut self,
        _secret: Option<&[u8]>,
        names: &russh::Names,
        _session: &mut client::Session,
    ) -> Result<(), HandlerError> {
        let etm = names.client_mac.as_ref().contains("-etm@") || names.server_mac.as_ref().contains("-etm@");
        let cipher: &str = names.cipher.as_ref();
        let exposed = cipher.starts_with("chacha20") || (cipher.contains("-cbc") && etm);
        if exposed && !names.strict_kex() {
            return Err(HandlerError::Refused(
                Failure::new(
                    Kind::Kex,
                    format!("the server offers {cipher} without strict key exchange (CVE-2023-48795)"),
                )
                .hint("update the server (OpenSSH 9.6 or later), or offer AES-GCM there"),
            ));
        }
        Ok(())
    }

    async fn channel_open_confirmation(
        &mut self,
        _id: ChannelId,
        _max_packet_size: u32,
        _window_size: u32,
        _session: &mut client::Session,
    ) -> Result<(), HandlerError> {
        self.windows.iter().for_each(|windows| windows.opened());
        Ok(())
    }

    async fn channel_close(
        &mut self,
        _channel: ChannelId,
        _session: &mut client::Session,
    ) -> Result<(), HandlerError> {
        self.windows.iter().for_each(|windows| windows.closed());
        Ok(())
    }

    async fn auth_banner(
        &mut self,
        banner: &str,
        _session: &mut client::Session,
    ) -> Result<(), HandlerError> {
        let mut kept = self.story.banner.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_LOGIN_BANNER.saturating_sub(kept.len());
        kept.extend(banner.chars().take(room));
        Ok(())
    }

    /// The host wants to use the operator's agent: it must have been told that it may.
    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), HandlerError> {
        match &self.forward {
            Some(forward) => forward.serve(channel, reply).await,
            None => return self.refuse(reply).await,
        }
        Ok(())
    }

    refused! {
        server_channel_open_session();
        server_channel_open_x11(&str, u32);
        server_channel_open_forwarded_tcpip(&str, u32, &str, u32);
        server_channel_open_forwarded_streamlocal(&str);
        server_channel_open_direct_tcpip(&str, u32, &str, u32);
        server_channel_open_direct_streamlocal(&str);
    }

    /// Channels of unknown types are refused without a handler; only the last one is let through to it, to end
    /// the connection.
    async fn should_accept_unknown_server_channel(&mut self, _id: ChannelId, _channel_type: &str) -> bool {
        self.unasked = self.unasked.saturating_add(1);
        self.is_pestered()
    }

    async fn server_channel_open_unknown(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), HandlerError> {
        self.refuse(reply).await
    }

    async fn disconnected(&mut self, reason: DisconnectReason<HandlerError>) -> Result<(), HandlerError> {
        let end = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                let failure = failure::disconnected(&info.reason_code, &info.message);
                let reason = Farewell::of(&info.reason_code);
                ConnectionEnd { failure, reason: Some(reason), orderly: reason == Farewell::Other }
            }
            DisconnectReason::Error(HandlerError::Russh(error)) => ConnectionEnd {
                failure: failure::lost(&error),
                reason: None,
                orderly: failure::is_close(&error),
            },
            DisconnectReason::Error(HandlerError::Refused(failure)) => {
                ConnectionEnd { failure, reason: None, orderly: false }
            }
        };
        if let Some((gateway, notices)) = &self.gateway
            && self.story.established.load(Ordering::Acquire)
        {
            notices.tell(Notice::Failed { gateway: gateway.clone(), failure: end.failure.clone() });
        }
        *self.story.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        Ok(())
    }
}
