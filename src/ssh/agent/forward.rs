//! Agent forwarding: a host that may use the operator's agent, and only such a host, gets to talk to it.
//!
//! Each request of the host is passed on alone and whole. What the host sends meanwhile is read all the same,
//! up to a limit: a channel that nobody reads would stall everything else on the connection.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use russh::client::{ChannelOpenHandle, Msg};
use russh::keys::agent::AgentSessionBinding;
use russh::keys::agent::client::AgentClient;
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelWriteHalf};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use crate::ssh::agent::connection::connect;
use crate::ssh::agent::frames;

/// Forwarded channels of one connection at a time; `ssh` on the host opens one for each login.
const MAX_CHANNELS: usize = 16;

/// What a host may have sent ahead: one message of the largest size.
const MAX_AHEAD: usize = frames::MAX_FRAME + 4;

/// How long the agent has for one answer: a person may have to confirm.
const ANSWER: Duration = Duration::from_secs(60);

/// The agent that one connection forwards.
#[derive(Debug)]
pub(in crate::ssh) struct Forward {
    socket: PathBuf,
    /// Known when the key exchange is over, so before any host can ask.
    binding: OnceLock<AgentSessionBinding>,
    channels: Mutex<JoinSet<()>>,
}

impl Forward {
    /// Forwards the agent at this socket.
    pub(in crate::ssh) fn new(socket: PathBuf) -> Arc<Self> {
        Arc::new(Self { socket, binding: OnceLock::new(), channels: Mutex::default() })
    }

    /// Says which session the agent is forwarded to: it can then refuse keys that are not meant for it.
    pub(in crate::ssh) fn bind(&self, binding: Option<&AgentSessionBinding>) {
        if let Some(binding) = binding {
            // A second time would be with the same: a connection has one first key exchange.
            let _ = self.binding.set(binding.clone());
        }
    }

    /// Serves a channel that the host opened.
    pub(in crate::ssh) async fn serve(&self, channel: Channel<Msg>, reply: ChannelOpenHandle) {
        let full = {
            let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
            while channels.try_join_next().is_some() {}
            channels.len() >= MAX_CHANNELS
        };
        if full {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        }
        let (socket, binding) = (self.socket.clone(), self.binding.get().cloned());
        reply.accept().await;
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.spawn(async move {
            // It ends in an error when one side goes away: the host sees the end of the channel.
            let _ = pump(channel, socket, binding).await;
        });
    }
}

async fn pump(
    channel: Channel<Msg>,
    socket: PathBuf,
    binding: Option<AgentSessionBinding>,
) -> io::Result<()> {
    let (mut requests, answers) = channel.split();
    let mut ahead = Vec::new();
    let opening = open(socket, binding);
    let mut busy = Some(Box::pin(async move { opening.await.map(|agent| (agent, answers)) })
        as std::pin::Pin<Box<dyn Future<Output = io::Result<IdleForward>> + Send>>);
    let mut idle: Option<IdleForward> = None;
    loop {
        if let Some((agent, answers)) = idle.take() {
            match frames::split(&mut ahead).map_err(|()| io::Error::from(io::ErrorKind::InvalidData))? {
                Some(request) => busy = Some(Box::pin(answer(agent, answers, request))),
                None => idle = Some((agent, answers)),
            }
        }
        tokio::select! {
            done = async { match &mut busy { Some(busy) => busy.await, None => std::future::pending().await } } => {
                busy = None;
                idle = Some(done?);
            }
            message = requests.wait() => match message {
                Some(ChannelMsg::Data { data }) if ahead.len() + data.len() <= MAX_AHEAD => ahead.extend(data),
                // More than a message ahead of the answers, or the end.
                Some(ChannelMsg::Data { .. } | ChannelMsg::Eof | ChannelMsg::Close) | None => return Ok(()),
                Some(_) => {}
            }
        }
    }
}

/// An agent that waits for a request, and the way back to the host.
type IdleForward = (UnixStream, ChannelWriteHalf<Msg>);

async fn open(socket: PathBuf, binding: Option<AgentSessionBinding>) -> io::Result<UnixStream> {
    let opening = async {
        let mut agent = connect(&socket).await.map_err(io::Error::other)?;
        if let Some(binding) = &binding {
            match AgentClient::connect(&mut agent).bind_session(binding, true).await {
                Ok(()) | Err(russh::keys::Error::AgentFailure) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(agent)
    };
    tokio::time::timeout(ANSWER, opening).await?
}

async fn answer(
    mut agent: UnixStream,
    answers: ChannelWriteHalf<Msg>,
    request: Vec<u8>,
) -> io::Result<IdleForward> {
    let answer = tokio::time::timeout(ANSWER, frames::exchange(&mut agent, &request)).await??;
    let length = u32::try_from(answer.len()).map_err(io::Error::other)?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend(answer);
    answers.data_bytes(frame).await.map_err(io::Error::other)?;
    Ok((agent, answers))
}
