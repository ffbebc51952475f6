//! The reader of a run that saves what it gathered when the run is over.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::cli::clock;
use crate::cli::error::{CliError, talk};
use crate::cli::fleet::place::{path, spoken, told};
use crate::engine::plan::{Plan, PlannedStep};
use crate::event::{Event, Fact, HostOutcome, StepAt, StepFact};
use crate::fleet::{FleetFile, Observed};
use crate::model::action::first_line;
use crate::model::count::counted;
use crate::model::outcome::Status;
use crate::model::task::{Action, FactsStep};
use crate::report::Reporter;

/// Saves the facts of a run.
pub(in crate::cli) struct Saver {
    file: FleetFile,
    observed: Vec<Observed>,
    answered: HashSet<String>,
    /// Task and step whose facts are saved; all where there are none.
    steps: Option<HashSet<(usize, usize)>>,
    quiet: bool,
}

impl Saver {
    /// Opens the file: what is wrong with it is told before any host is contacted.
    pub(in crate::cli) fn open(
        named: Option<&Path>,
        steps: Option<HashSet<(usize, usize)>>,
    ) -> Result<Self, CliError> {
        let file = FleetFile::create(&path(named)?).map_err(told)?;
        let quiet = steps.is_some();
        Ok(Self { file, observed: Vec::new(), answered: HashSet::new(), steps, quiet })
    }

    /// That of the steps of a plan that say `save`; none where there are none, or nothing is to be changed.
    pub(in crate::cli) fn of_plan(plan: &Plan, named: Option<&Path>) -> Result<Option<Self>, CliError> {
        let mut steps = HashSet::new();
        for (task, planned) in plan.tasks.iter().enumerate() {
            let saves =
                |step: &PlannedStep| matches!(step.step.action, Action::Facts(FactsStep { save: true }));
            let of_task = planned.steps.iter().enumerate().filter(|(_, step)| saves(step));
            steps.extend(of_task.map(|(step, _)| (task, step)));
        }
        if steps.is_empty() || plan.changes.dry_run {
            Ok(None)
        } else {
            Self::open(named, Some(steps)).map(Some)
        }
    }

    /// Why a host that was asked gave no answer; none for one that was left out, or that the user stopped.
    fn silence(&mut self, host: &str, outcome: &HostOutcome) {
        // After some step a host may have failed that told its facts, or was not to tell any.
        let counts = match outcome.status {
            Status::Unreachable => true,
            Status::Failed => self.steps.is_none(),
            _ => false,
        };
        if counts && !self.answered.contains(host) {
            let why = match &outcome.failure {
                Some(failure) => format!("{}: {}", failure.kind, first_line(&failure.message())),
                None => outcome.status.as_str().to_owned(),
            };
            self.observed.push(Observed { host: host.to_owned(), answer: Err(why) });
        }
    }
}

impl Reporter for Saver {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Fact::Step(StepAt { host, task, step }, StepFact::FactsGathered { facts }) = &event.fact {
            let wanted = self.steps.as_ref().is_none_or(|steps| steps.contains(&(*task, *step)));
            if wanted {
                self.answered.insert(host.to_string());
                // After a reboot a host is asked again: the last answer counts.
                self.observed.retain(|seen| seen.host != host.as_str());
                self.observed.push(Observed { host: host.to_string(), answer: Ok(Arc::clone(facts)) });
            }
        }
        if let Fact::HostFinished { host, outcome } = &event.fact {
            self.silence(host.as_str(), outcome);
        }
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let observed = std::mem::take(&mut self.observed);
        if observed.is_empty() {
            return Ok(());
        }
        let saved = self.file.save(clock::unix(), &observed).map_err(|error| spoken(&error, error.hint()))?;
        if !self.quiet {
            let mut text = format!("saved: {}", counted(saved.hosts, "host"));
            for (count, what) in [(saved.new, "new"), (saved.changes, "changed facts")] {
                if count > 0 {
                    text += &format!(", {count} {what}");
                }
            }
            talk(&text);
        }
        Ok(())
    }
}
