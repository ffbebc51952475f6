//! One SSH connection to a throw-away host: who may log in, and which requests are served.
//!
//! Served: session channels with `env` of `FAN_*` variables, `exec` and signals, and SFTP. Everything else is
//! refused in words, never left without an answer. Among it is OpenSSH's `eow@openssh.com`, which russh does
//! not hand out: `ssh HOST yes | head` waits, where a real host would end `yes`.

use std::collections::HashMap;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Handle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};
use tokio::task::JoinSet;

use crate::sandbox::behaviour::Behaviour;
use crate::sandbox::command::{self, Fault};
use crate::sandbox::host::SandboxedHost;
use crate::sandbox::login::Gate;
use crate::sandbox::sftp::{self, Dialect, SftpFault};
use crate::sandbox::wire::Switch;

/// The prefix of the variables that a client may set, as `AcceptEnv FAN_*` in sshd_config(5).
const ACCEPTED_ENV: &str = "FAN_";

/// The server's side of a connection.
pub(super) struct Connection {
    host: Arc<SandboxedHost>,
    /// Cuts this connection.
    switch: Switch,
    /// What is asked for besides the key, if anything.
    gate: Option<Gate>,
    /// Who logged in.
    user: String,
    /// Session channels that were asked for.
    channels_asked: u32,
    /// Commands that were started.
    commands: u32,
    /// SFTP was begun on one of them.
    has_sftp: bool,
    /// Requests for channels that are never answered.
    unanswered: Vec<ChannelOpenHandle>,
    /// Channels on which nothing runs yet.
    idle: HashMap<ChannelId, Idle>,
    /// Tasks of the channels on which something runs; they end with the connection.
    busy: JoinSet<()>,
}

struct Idle {
    channel: Channel<Msg>,
    env: Vec<(String, String)>,
}

impl Connection {
    /// Makes the server's side of a connection to `host` that `switch` can cut.
    pub(super) fn new(host: Arc<SandboxedHost>, switch: Switch) -> Self {
        let gate =
            if let Behaviour::Login(login) = &host.behaviour { Some(Gate::new(login.clone())) } else { None };
        Self {
            host,
            switch,
            gate,
            user: String::new(),
            channels_asked: 0,
            commands: 0,
            has_sftp: false,
            unanswered: Vec::new(),
            idle: HashMap::new(),
            busy: JoinSet::new(),
        }
    }

    fn is_welcome(&self, key: &PublicKey) -> bool {
        self.host.behaviour != Behaviour::RefuseAuth && key.key_data() == self.host.client_key.key_data()
    }

    /// Starts what `exec` asks for; false when it is refused.
    fn exec(&mut self, id: ChannelId, line: &[u8], session: &Session) -> bool {
        self.host.counters.count_exec();
        while self.busy.try_join_next().is_some() {}
        let fault = match &self.host.behaviour {
            Behaviour::RefuseExec => return false,
            Behaviour::Sftp(SftpFault::Differs(dialects)) if dialects.contains(&Dialect::NoCommands) => {
                return false;
            }
            Behaviour::Sftp(SftpFault::Differs(dialects)) if dialects.contains(&Dialect::EndsOnCommand) => {
                if self.has_sftp {
                    self.switch.cut();
                }
                return false;
            }
            Behaviour::Sftp(SftpFault::Differs(dialects)) if dialects.contains(&Dialect::LosesEnds) => {
                self.commands += 1;
                if self.commands.is_multiple_of(3) { Fault::NoExitStatus } else { Fault::None }
            }
            Behaviour::StallAfterExec => {
                let Some(idle) = self.idle.remove(&id) else { return false };
                self.busy.spawn(command::ignore(idle.channel));
                return true;
            }
            Behaviour::CutAfterExec => Fault::Cut(self.switch.clone()),
            Behaviour::NoExitStatus => Fault::NoExitStatus,
            Behaviour::CutAfterStatus { sent } => Fault::CutAfterStatus(self.switch.clone(), *sent),
            Behaviour::TwoStatuses => Fault::TwoStatuses,
            Behaviour::StatusFirst { pause } => Fault::StatusFirst(*pause),
            Behaviour::StatusAfterInput => Fault::StatusAfterInput,
            Behaviour::Normal
            | Behaviour::Silent
            | Behaviour::NotSsh(_)
            | Behaviour::SlowBanner { .. }
            | Behaviour::Throttle { .. }
            | Behaviour::ResetDuringKex
            | Behaviour::WrongKey
            | Behaviour::UnknownKey
            | Behaviour::RevokedKey
            | Behaviour::OtherKeyType
            | Behaviour::RefuseAuth
            | Behaviour::Login(_)
            | Behaviour::RefuseChannels { .. }
            | Behaviour::StallChannels
            | Behaviour::OpensChannels(_)
            | Behaviour::Sftp(_) => Fault::None,
        };
        // Nothing is idle under this number when the channel runs a command already: one per channel.
        let Some(idle) = self.idle.remove(&id) else { return false };
        let mut described = command::describe(line, &self.host.home, &self.user, &idle.env);
        let Ok(running) = self.host.processes.start(&mut described) else { return false };
        let (host, client) = (self.host.clone(), session.handle());
        self.busy.spawn(async move {
            if let Behaviour::OpensChannels(many) = host.behaviour {
                open_unasked(&client, many, &host).await;
            }
            command::serve(running, idle.channel, client, &host.home, fault).await;
        });
        true
    }

    /// Starts the subsystem of that name; false when it is refused.
    fn subsystem(&mut self, id: ChannelId, name: &str, session: &Session) -> bool {
        while self.busy.try_join_next().is_some() {}
        let fault =
            if let Behaviour::Sftp(fault) = &self.host.behaviour { Some(fault.clone()) } else { None };
        let is_missing = match &fault {
            Some(SftpFault::Missing) => true,
            Some(SftpFault::Differs(dialects)) => dialects.contains(&Dialect::NoSftp),
            Some(_) | None => false,
        };
        if name != "sftp" || is_missing {
            return false;
        }
        let Some(idle) = self.idle.remove(&id) else { return false };
        self.has_sftp = true;
        let (client, home) = (session.handle(), self.host.home.clone());
        self.busy.spawn(sftp::serve(idle.channel, client, home, self.switch.clone(), fault));
        true
    }
}

/// Tries to open channels of every type, and counts those that are taken.
async fn open_unasked(client: &Handle, many: u32, host: &SandboxedHost) {
    for _ in 0..many {
        let tried = [
            client.channel_open_session().await,
            client.channel_open_x11("127.0.0.1", 6000).await,
            client.channel_open_agent().await,
            client.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await,
            client.channel_open_direct_streamlocal("/run/x").await,
            client.channel_open_forwarded_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await,
            client.channel_open_forwarded_streamlocal("/run/x").await,
        ];
        tried.iter().filter(|tried| tried.is_ok()).for_each(|_| host.counters.count_unasked());
        if tried.iter().any(|tried| matches!(tried, Err(russh::Error::SendError))) {
            return;
        }
    }
}

/// Answers a channel request.
fn answer(session: &mut Session, channel: ChannelId, granted: bool) -> Result<(), russh::Error> {
    if granted { session.channel_success(channel) } else { session.channel_failure(channel) }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, Self::Error> {
        self.host.counters.count_auth_attempt();
        Ok(Auth::reject())
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        self.host.counters.count_auth_attempt();
        self.user = user.to_owned();
        Ok(self.gate.as_mut().map_or_else(Auth::reject, |gate| gate.password(password)))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        if response.is_none() {
            self.host.counters.count_auth_attempt();
        }
        self.user = user.to_owned();
        let answers = response
            .map(|answers| answers.map(|answer| String::from_utf8_lossy(&answer).into_owned()).collect());
        Ok(self.gate.as_mut().map_or_else(Auth::reject, |gate| gate.dialogue(answers)))
    }

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        // Counted here only: a key that is offered and then used to sign passes here once.
        self.host.counters.count_auth_attempt();
        let welcome = self.is_welcome(offer.public_key);
        Ok(match &self.gate {
            Some(gate) if !(welcome && gate.takes_key()) => gate.refuse(),
            Some(_) => Auth::Accept,
            None if welcome => Auth::Accept,
            None => Auth::reject(),
        })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        if !self.is_welcome(key.public_key) {
            return Ok(Auth::reject());
        }
        self.user = user.to_owned();
        Ok(self.gate.as_mut().map_or(Auth::Accept, Gate::key))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let asked_before = self.channels_asked;
        self.channels_asked += 1;
        if let Behaviour::RefuseChannels { after, count } = self.host.behaviour
            && (after..after.saturating_add(count)).contains(&asked_before)
        {
            reply.reject(ChannelOpenFailure::ConnectFailed).await; // what sshd answers beyond MaxSessions
            return Ok(());
        }
        if self.host.behaviour == Behaviour::StallChannels {
            self.unanswered.push(reply);
            return Ok(());
        }
        self.idle.insert(channel.id(), Idle { channel, env: Vec::new() });
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.idle.remove(&channel);
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let granted = match self.idle.get_mut(&channel) {
            Some(idle) if name.starts_with(ACCEPTED_ENV) => {
                idle.env.push((name.to_owned(), value.to_owned()));
                true
            }
            _ => false,
        };
        answer(session, channel, granted)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        line: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let granted = self.exec(channel, line, session);
        answer(session, channel, granted)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        answer(session, channel, false)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let granted = self.subsystem(channel, name, session);
        answer(session, channel, granted)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        answer(session, channel, false)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        answer(session, channel, false)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        answer(session, channel, false)
    }
}
