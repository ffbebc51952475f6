//! `--plan`: what a run would do, for reading before it is done.

use std::fmt::Write;

use crate::engine::plan::{Plan, title};
use crate::model::duration;
use crate::model::range;

/// The tasks in order, each with its hosts and steps.
pub(super) fn render(plan: &Plan) -> String {
    let mut text = String::new();
    for task in &plan.tasks {
        let hosts: Vec<&str> = task
            .hosts
            .iter()
            .filter_map(|host| plan.hosts.get(host.host).map(|host| host.endpoint.name.as_str()))
            .collect();
        let _ = writeln!(text, "{} on {} ({})", task.name, range::fold(&hosts), hosts.len());
        for (index, step) in task.steps.iter().enumerate() {
            let number = index + 1;
            let what = step.name.as_ref().map_or_else(|| title(&step.action), |name| name.value.to_string());
            let _ = write!(text, "  {number}. {}: {what}", step.action.key());
            if let Some(when) = &step.when {
                let _ = write!(text, "  [when {}]", when.value.trim());
            }
            if let Some(limit) = step.timeout.and_then(|limit| limit.duration()) {
                let _ = write!(text, "  [timeout {}]", duration::show(limit));
            }
            if step.warn_only || plan.warn_only {
                text.push_str("  [warn only]");
            }
            text.push('\n');
        }
    }
    text
}
