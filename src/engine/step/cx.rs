//! What a step may use, and no more: where it stands in the plan, the way to its host, and what is known of that.

use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::host::connection::HostConnection;
use crate::engine::host::delegates::Delegate;
use crate::engine::host::jobs::Jobs;
use crate::engine::host::render::Render;
use crate::engine::host::run::Seen;
use crate::engine::host::tools::Tools;
use crate::engine::live::activity::Activity;
use crate::engine::live::command::{Limits, Surroundings};
use crate::engine::live::connecting;
use crate::engine::plan::{Plan, PlannedHost, PlannedTask};
use crate::files::remote::Commands;
use crate::model::outcome::{Failure, Kind};
use crate::model::settings::TimeLimit;
use crate::model::task::{Action, Command, Shown, Step, StepJob};
use crate::model::template::Scope;
use crate::ssh::{Connector, Session};

/// A step on a host.
pub(crate) struct StepCx<'a, C: Connector> {
    pub(crate) plan: &'a Plan,
    pub(crate) task: &'a PlannedTask,
    pub(crate) task_index: usize,
    /// Its number in the task.
    pub(crate) index: usize,
    /// Place of the host among the task's hosts, from 0.
    pub(crate) position: usize,
    /// The host that it is done for.
    pub(crate) host: &'a PlannedHost,
    /// The host that it is done on: that one, unless it is handed to another.
    pub(crate) place: &'a PlannedHost,
    pub(crate) step: &'a Step,
    /// The variables that its templates see.
    pub(crate) scope: &'a Scope,
    pub(crate) tools: &'a Tools<C>,
    pub(crate) activity: &'a Arc<Activity>,
    /// The connection to `place`.
    pub(crate) connection: &'a mut HostConnection<C::Session>,
    /// What is known of `host`.
    pub(crate) seen: &'a mut Seen,
    /// Its commands that outlive a connection.
    pub(crate) jobs: &'a mut Jobs<C::Session>,
    /// What all have in common who do a step at `place`, when that is another host.
    pub(crate) delegate: Option<&'a Delegate<C::Session>>,
}

impl<'a, C: Connector> StepCx<'a, C> {
    /// The same for another step in this one's place.
    pub(crate) fn with<'s>(&'s mut self, step: &'s Step) -> StepCx<'s, C> {
        StepCx {
            step,
            connection: &mut *self.connection,
            seen: &mut *self.seen,
            jobs: &mut *self.jobs,
            ..*self
        }
    }

    /// Fills in its templates.
    pub(crate) fn render(&self) -> Render<'a> {
        Render { templates: &self.plan.templates, scope: self.scope }
    }

    /// Where its local commands run and its relative local paths begin: `lcd`, from the folder of the tasks file that
    /// it stands in.
    pub(crate) fn local_folder(&self) -> Result<PathBuf, Failure> {
        let folder = self.step.position.folder();
        let Some(lcd) = &self.step.lcd else { return Ok(folder.to_path_buf()) };
        Ok(folder.join(self.plan.local_path(&self.render().text(lcd)?)))
    }

    /// The bounds of its commands: its own, else the task's, else the host's.
    pub(crate) fn limits(&self) -> Limits {
        let Step { timeout, idle_timeout, register, changed_when, repeat, .. } = self.step;
        let own = timeout.map(TimeLimit::duration).or(self.task.timeout);
        let until = repeat.as_ref().is_some_and(|repeat| repeat.until.is_some());
        let by_program = matches!(self.step.action, Action::Run(Command::Program(_)));
        Limits {
            timeout: own.unwrap_or(self.place.command_timeout),
            idle: idle_timeout.map_or(self.place.idle_timeout, TimeLimit::duration),
            leaves: self.step.job == StepJob::Left,
            // Only when something looks at it: of a program that sudo runs, whether it is sudo's.
            capture: register.is_some() || changed_when.is_some() || until || by_program,
        }
    }

    /// What surrounds its commands.
    pub(crate) fn surroundings(&self) -> Surroundings {
        Surroundings {
            sink: self.tools.sink.clone(),
            host: self.host.endpoint.name.clone(),
            task: self.task_index,
            step: self.index,
            activity: Arc::clone(self.activity),
            stop: self.tools.stop.clone(),
            shown: self.step.shown == Shown::All,
        }
    }

    /// Opens the host's session again after a start that failed without a request having been sent: when nothing was
    /// started there yet, or when its server closes the connection after each session. True when there is a new one.
    pub(crate) async fn renew(&mut self, failure: &Failure) -> bool {
        let endpoint = &self.host.endpoint;
        let lost = matches!(failure.kind, Kind::ConnectionLost | Kind::Keepalive);
        let spent = self.connection.session.as_ref().is_some_and(|session| session.is_spent());
        let safe = !self.seen.started || (spent && endpoint.gateway.is_none());
        if self.delegate.is_some() || !lost || endpoint.retries == 0 || !safe {
            return false;
        }
        self.connection.files.clear();
        self.connect_again().await
    }

    /// Connects once more to where the step is done, whose server ended the connection because a command was asked for
    /// beside SFTP: from now on none is. False when there is no connection.
    pub(crate) async fn connect_alone(&mut self) -> bool {
        self.connection.commands = Commands::Never;
        self.connection.leave();
        match self.delegate {
            None => self.connect_again().await,
            Some(delegate) => {
                self.connection.session = delegate.alone(self.place, self.tools).await;
                self.connection.session.is_some()
            }
        }
    }

    async fn connect_again(&mut self) -> bool {
        let Tools { connector, sink, stop, .. } = self.tools;
        let (endpoint, mut stop) = (&self.host.endpoint, stop.clone());
        let Ok(session) = connecting::connect(&**connector, endpoint, Some(sink), &mut stop).await else {
            return false;
        };
        self.connection.session = Some(Arc::new(session));
        true
    }
}
