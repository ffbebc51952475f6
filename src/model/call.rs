//! A call of a task with its arguments: from the command line, or from another task's `before` and `after`.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::given::Given;
use crate::model::position::Position;

/// A call of a task.
#[derive(Clone, Debug)]
pub struct TaskCall {
    /// The task's name.
    pub task: String,
    /// Arguments by position (`hello:Jeff`).
    pub positional: Vec<Given>,
    /// Arguments by name (`hello:name=Jeff`).
    pub named: IndexMap<String, Given>,
}

impl TaskCall {
    /// A call without arguments.
    pub fn bare(task: &str) -> Self {
        Self { task: task.to_owned(), positional: Vec::new(), named: IndexMap::new() }
    }

    /// Whether it has arguments.
    pub fn has_arguments(&self) -> bool {
        !self.positional.is_empty() || !self.named.is_empty()
    }
}

/// A call that a task wants before or after itself. Its arguments may be templates over the parameters of that task.
#[derive(Clone, Debug)]
pub struct NeededTask {
    /// What is called.
    pub call: TaskCall,
    /// As it is written: `deploy:version=1.2`.
    pub written: Arc<str>,
    /// Where it stands.
    pub position: Position,
}
