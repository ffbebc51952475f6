//! What a connection tells while it lives: russh's callbacks, and the story that messages are made of later.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelOpenFailure};

use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::agent::forward::Forward;
use crate::ssh::failure;
use crate::ssh::gateway::{Notice, Notices};
use crate::ssh::host_key::Judge;
use crate::ssh::software::Software;

/// Text of login banners kept for the message of a refused login, in bytes.
const MAX_LOGIN_BANNER: usize = 4 * 1024;

/// What the connection's callbacks learnt, for messages later on.
#[derive(Default)]
pub(super) struct Story {
    banner: Mutex<String>,
    end: Mutex<Option<Failure>>,
    /// The login is done: an end from now on is a loss, and before it a failed attempt.
    established: AtomicBool,
    software: OnceLock<Software>,
}

impl Story {
    /// Why the connection ended, if it told.
    pub(super) fn end(&self) -> Failure {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).clone();
        end.unwrap_or_else(|| Failure::new(Kind::ConnectionLost, "the connection was lost"))
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

    /// Adds to a refused login what the server said about it.
    pub(super) fn explain_refusal(&self, mut failure: Failure) -> Failure {
        if let Some(end) = &*self.end.lock().unwrap_or_else(PoisonError::into_inner) {
            if end.message.contains("Too many authentication failures") {
                failure.kind = Kind::AuthExhausted;
                failure.hint =
                    Some("name the right key with `identity:` and set `identities_only: true`".to_owned());
            }
            failure.message = format!("{}; {}", failure.message, end.message);
        }
        let banner = self.banner.lock().unwrap_or_else(PoisonError::into_inner);
        if !banner.trim().is_empty() {
            failure.message = format!("{}; the server says: {}", failure.message, banner.trim());
        }
        failure
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
            None => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<HandlerError>) -> Result<(), HandlerError> {
        let end = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                failure::disconnected(info.reason_code, &info.message)
            }
            DisconnectReason::Error(HandlerError::Russh(error)) => failure::lost(&error),
            DisconnectReason::Error(HandlerError::Refused(failure)) => failure,
        };
        if let Some((gateway, notices)) = &self.gateway
            && self.story.established.load(Ordering::Acquire)
        {
            notices.tell(Notice::Failed { gateway: gateway.clone(), failure: end.clone() });
        }
        *self.story.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        Ok(())
    }
}
