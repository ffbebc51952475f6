//! What all workers of a run share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::engine::host::delegates::Delegates;
use crate::engine::host::learned::Learned;
use crate::engine::host::pace::Pace;
use crate::engine::host::throttles::Throttles;
use crate::engine::host::tools::Tools;
use crate::model::inventory::HostName;
use crate::ssh::Connector;

/// What all workers of a run share.
pub(crate) struct Shared<C: Connector> {
    /// What their steps may use, too.
    pub(crate) tools: Tools<C>,
    /// Hosts that steps of others are done on.
    pub(crate) delegates: Arc<Delegates<C::Session>>,
    /// What hosts know, for others.
    pub(crate) learned: Learned,
    /// What the user says about each step.
    pub(crate) pace: Arc<Pace>,
    /// Places in steps that only so many hosts may be in.
    pub(crate) throttles: Arc<Throttles>,
    /// Places for hosts at work.
    pub(crate) pool: Arc<Semaphore>,
}

impl<C: Connector> Shared<C> {
    /// The same for the worker of one host, which may be cancelled alone.
    pub(crate) fn of_host(&self, host: &HostName) -> Self {
        Self {
            tools: self.tools.of_host(host),
            delegates: Arc::clone(&self.delegates),
            learned: self.learned.clone(),
            pace: Arc::clone(&self.pace),
            throttles: Arc::clone(&self.throttles),
            pool: Arc::clone(&self.pool),
        }
    }
}
