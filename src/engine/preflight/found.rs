//! What is wrong, each problem once with the hosts that have it.

use std::collections::BTreeMap;

use crate::engine::plan::PlannedTask;
use crate::engine::planner::name_hosts;
use crate::engine::preflight::disk::FileProblem;
use crate::engine::preflight::known::Member;
use crate::model::position::{Diagnostic, Position};

/// Problems, each with the hosts that have it.
#[derive(Default)]
pub(super) struct Found(BTreeMap<(Position, FileProblem), Affected>);

/// Who has a problem.
#[derive(Default)]
pub(super) struct Affected {
    hosts: Vec<String>,
    /// Hosts of the task.
    of: usize,
}

impl Found {
    pub(super) fn add(
        &mut self,
        at: &Position,
        problem: FileProblem,
        member: &Member<'_>,
        task: &PlannedTask,
    ) {
        let affected = self.0.entry((at.clone(), problem)).or_default();
        affected.of = task.hosts.len();
        affected.hosts.push(member.name.to_owned());
    }

    /// A problem that is not about hosts.
    pub(super) fn whole(&mut self, (at, problem): (Position, FileProblem)) {
        self.0.entry((at, problem)).or_default();
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let told =
            |((position, problem), Affected { mut hosts, of }): ((Position, FileProblem), Affected)| {
                let FileProblem { mut message, help } = problem;
                hosts.dedup();
                if hosts.len() < of {
                    message += &format!(" (on {})", name_hosts(hosts.iter().map(String::as_str)));
                }
                // What the command line gave stands in no file.
                let position = (position.line > 0).then_some(position);
                Diagnostic { position, help, ..Diagnostic::bare(message) }
            };
        self.0.into_iter().map(told).collect()
    }
}
