//! For whom things are done on the host: the login user, or another user; and how a program is started for them.

use bytes::Bytes;

use crate::model::outcome::{Failure, Kind};
use crate::model::privilege::Raising;
use crate::model::shell::login_shell_line;
use crate::ssh::pipe::{Pipe, Program};
use crate::ssh::raised::pipe_as;
use crate::ssh::{ChannelClaim, Session};

/// For whom things are done on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RemotePrivilege {
    /// The user who logged in.
    #[default]
    Login,
    /// Another user.
    Other(Box<Raising>),
}

impl RemotePrivilege {
    /// A shell that reads its commands from the pipe, and has the marker in `FAN_SHELL`: no other one has it.
    pub(super) async fn shell<S: Session>(
        &self,
        session: &S,
        marker: &str,
        claim: ChannelClaim,
    ) -> Result<Pipe, Failure> {
        let line = format!("exec env FAN_SHELL={marker} sh");
        match self {
            Self::Login => login(session, Bytes::from(line), claim).await,
            Self::Other(raising) => pipe_as(session, raising, &line, claim).await,
        }
    }

    /// A script at the other end of a pipe.
    pub(super) async fn script<S: Session>(
        &self,
        session: &S,
        script: &str,
        claim: ChannelClaim,
    ) -> Result<Pipe, Failure> {
        match self {
            Self::Login => {
                let line = login_shell_line("sh", script)
                    .map_err(|error| Failure::new(Kind::RemotePath, error.to_string()))?;
                login(session, Bytes::from(line), claim).await
            }
            Self::Other(raising) => pipe_as(session, raising, script, claim).await,
        }
    }
}

async fn login<S: Session>(session: &S, line: Bytes, claim: ChannelClaim) -> Result<Pipe, Failure> {
    session.pipe_for(Program::Line(line), claim).await.map_err(|error| error.failure)
}

/// Why there is no shell, from what was said instead.
pub(super) fn no_shell(said: &str) -> Failure {
    let told = if said.is_empty() { String::new() } else { format!(": it said {said:?}") };
    Failure::new(Kind::ExecRefused, format!("the host runs no shell for this account{told}"))
}
