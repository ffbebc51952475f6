//! What hosts have learned in a run, for the templates of others (`hostvars`).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::engine::plan::Plan;
use crate::engine::plan::scope::HOST_VARS;
use crate::model::template::{Layer, Scope};

/// The variables of all hosts: those that were known before the run, and above them what `set` and `register` gave.
#[derive(Clone, Default)]
pub(crate) struct Learned {
    /// None when no step looks at other hosts.
    shared: Option<Arc<RwLock<HashMap<String, Layer>>>>,
    layer: Layer,
}

impl Learned {
    /// Nothing was learned.
    pub(crate) fn of(plan: &Plan) -> Self {
        let open = not_yet_known(plan);
        if plan.host_vars.is_empty() {
            return Self { shared: None, layer: open };
        }
        let shared: Arc<RwLock<HashMap<String, Layer>>> = Arc::default();
        let (known, learned) = (Arc::clone(&plan.host_vars), Arc::clone(&shared));
        let mut names: Vec<String> = known.keys().cloned().collect();
        names.sort_unstable();
        let unknown = open.clone();
        let lookup = move |host: &str| {
            let below = known.get(host)?.layers().iter().cloned();
            let scope = below.fold(Scope::new().with(unknown.clone()), Scope::with);
            let learned = learned.read().unwrap_or_else(PoisonError::into_inner);
            Some(scope.with(learned.get(host).cloned().unwrap_or_default()))
        };
        let hosts = Layer::of_hosts(HOST_VARS, names.into(), Arc::new(lookup));
        Self { shared: Some(shared), layer: hosts.over(&open) }
    }

    /// The lowest layer: the variable `hostvars`, and in a dry run what is not known yet.
    pub(crate) fn layer(&self) -> Layer {
        self.layer.clone()
    }

    /// A host knows this now.
    pub(crate) fn tell(&self, host: &str, vars: &Layer) {
        if let Some(shared) = &self.shared {
            let mut learned = shared.write().unwrap_or_else(PoisonError::into_inner);
            learned.insert(host.to_owned(), vars.clone());
        }
    }
}

/// In a dry run, what steps would define is not known until one has done so: theirs, or another host's for all.
fn not_yet_known(plan: &Plan) -> Layer {
    let mut open = Layer::default();
    if plan.changes.dry_run {
        let steps = plan.tasks.iter().flat_map(|task| &task.steps);
        open.doubt(steps.flat_map(|planned| planned.step.definitions()));
    }
    open
}
