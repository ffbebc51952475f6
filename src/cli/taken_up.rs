//! A run that goes on from another one: what has been done, what is to become of steps whose end was not seen, and what is said of
//! all that.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cli::ask;
use crate::cli::ask::line;
use crate::cli::error::{CliError, talk};
use crate::engine::plan::Plan;
use crate::engine::{Doubt, Obstacle, Past, Standing, Unseen};
use crate::event::TaskSummary;
use crate::model::inventory::HostName;
use crate::model::position::Diagnostic;
use crate::model::range;
use crate::report::words::step_label;
use crate::store::{Again, Hold, Way};

/// The run that another one takes up.
#[derive(Clone, Debug)]
pub(super) struct TakenUp {
    pub(super) run: String,
    pub(super) way: Way,
    pub(super) past: Past,
    pub(super) unknown: Option<Unseen>,
    /// Locked against other processes.
    pub(super) hold: Arc<Hold>,
}

/// What is to become of a step, by its task and number.
type Decided = ((usize, usize), Unseen);

impl TakenUp {
    /// What is written down of it.
    pub(super) fn again(&self) -> Again {
        Again { run: self.run.clone(), way: self.way }
    }

    /// The run that goes on from it is on record: others find that one.
    pub(super) fn let_go(&self) {
        self.hold.release();
    }

    /// Lets a plan go on from it. Asks what is to become of steps whose end was not seen.
    pub(super) fn prepare(&self, plan: Plan) -> Result<Plan, CliError> {
        if self.way == Way::Retry {
            return Ok(plan);
        }
        let decided = self.decide(&self.unseen(&plan))?;
        let unseen = |doubt: &Doubt| {
            let found = decided.iter().find(|((task, step), _)| (*task, *step) == (doubt.task, doubt.step));
            found.map_or(Unseen::Fail, |(_, unseen)| *unseen)
        };
        let memory = self.past.clone().recall(&plan, unseen, self.unknown);
        let memory = memory.map_err(|obstacles| told(&self.run, &obstacles))?;
        for line in standings(&self.past, &plan) {
            talk(&line);
        }
        Ok(plan.resuming(memory))
    }

    /// What would go on where, for `--plan`.
    pub(super) fn preview(&self, plan: &Plan) -> Result<String, CliError> {
        if self.way == Way::Retry {
            return Ok(String::new());
        }
        let recalled = self.past.clone().recall(plan, |_| Unseen::Rerun, self.unknown);
        recalled.map_err(|obstacles| told(&self.run, &obstacles))?;
        let mut lines = vec![format!("\ncontinues run {}", self.run)];
        lines.extend(standings(&self.past, plan));
        lines.extend(self.unseen(plan).into_iter().map(|step| step.message));
        Ok(lines.join("\n") + "\n")
    }

    /// The steps whose end was not seen, each once.
    fn unseen(&self, plan: &Plan) -> Vec<UnseenStep> {
        let mut hosts: BTreeMap<(usize, usize), Vec<HostName>> = BTreeMap::new();
        for Doubt { host, task, step } in self.past.doubts(plan) {
            hosts.entry((task, step)).or_default().push(host);
        }
        let tasks = plan.summaries();
        let told = |(place, hosts): (_, Vec<HostName>)| {
            let label = step_label(&tasks, Some(place));
            let hosts = shown(&hosts.iter().collect::<Vec<_>>());
            let message = format!("{}was started on {hosts}, and did not report its end", command_or(&label));
            UnseenStep { place, message }
        };
        hosts.into_iter().map(told).collect()
    }

    /// What is to become of each of them.
    fn decide(&self, steps: &[UnseenStep]) -> Result<Vec<Decided>, CliError> {
        let mut decided = Vec::new();
        let mut problems = Vec::new();
        for UnseenStep { place, message } in steps {
            if let Some(unseen) = self.unknown {
                decided.push((*place, unseen));
            } else if ask::can_ask() {
                talk(message);
                decided.push((*place, asked()?));
            } else {
                let help = "--unknown rerun runs it again, --unknown skip counts it as done, --unknown fail as failed";
                problems.push(Diagnostic::bare(message.as_str()).help(help));
            }
        }
        if problems.is_empty() { Ok(decided) } else { Err(CliError::Input(problems)) }
    }
}

/// A step whose end was not seen.
struct UnseenStep {
    /// Its task and number.
    place: (usize, usize),
    message: String,
}

fn asked() -> Result<Unseen, CliError> {
    loop {
        match line("run it again, or count it as done or failed? [rerun/skip/fail] ")?.as_str() {
            "rerun" => return Ok(Unseen::Rerun),
            "skip" => return Ok(Unseen::Skip),
            "fail" => return Ok(Unseen::Fail),
            "" => return Err(CliError::Interrupted),
            _ => {}
        }
    }
}

/// A step for a message; `fan exec` has only its command.
fn command_or(label: &str) -> &str {
    if label.is_empty() { "the command " } else { label }
}

/// Where the hosts go on, a line for all that go on at one place.
fn standings(past: &Past, plan: &Plan) -> Vec<String> {
    let tasks = plan.summaries();
    let mut groups: Vec<(Standing, Vec<&HostName>)> = Vec::new();
    for planned in &plan.hosts {
        let host = &planned.endpoint.name;
        let standing = past.standing(host);
        match groups.iter_mut().find(|(other, _)| *other == standing) {
            Some((_, hosts)) => hosts.push(host),
            None => groups.push((standing, vec![host])),
        }
    }
    groups
        .iter()
        .map(|(standing, hosts)| format!("  {}: {}", shown(hosts), words(*standing, &tasks)))
        .collect()
}

fn words(standing: Standing, tasks: &[TaskSummary]) -> String {
    let label = |place| step_label(tasks, Some(place));
    let words = match standing {
        Standing::Done => "through".to_owned(),
        Standing::Start => "from the start".to_owned(),
        Standing::At(task, step) => format!("at {}", command_or(&label((task, step)))),
        Standing::After(task, step) => format!("after {}", command_or(&label((task, step)))),
    };
    words.trim_end().to_owned()
}

pub(super) fn shown(hosts: &[&HostName]) -> String {
    let names: Vec<&str> = hosts.iter().map(|host| host.as_str()).collect();
    range::fold(&names)
}

/// What is in the way of going on, in words.
fn told(run: &str, obstacles: &[Obstacle]) -> CliError {
    const INSTEAD: &str = "`fan retry` starts over on the hosts that are not ok";
    let problem = |obstacle: &Obstacle| {
        match obstacle {
        Obstacle::OtherSteps { task, number, title } => Diagnostic::bare(format!(
            "step {number} of task \"{task}\", which had started, is no longer \"{title}\": run {run} cannot be resumed"
        ))
        .help(INSTEAD),
        Obstacle::Lost { host, name, title } => Diagnostic::bare(format!(
            "\"{name}\" of step \"{title}\" on {host} was not kept: it holds a secret, is too large, or was lost in a power failure"
        ))
        .help(INSTEAD),
        Obstacle::Unskippable { title, name } => Diagnostic::bare(format!(
            "step \"{title}\" cannot count as done: it was to define \"{name}\""
        ))
        .help("--unknown rerun runs it again, --unknown fail takes it as failed"),
    }
    };
    CliError::Input(obstacles.iter().map(problem).collect())
}
