//! Which hosts said something else than most in a step, and what sets one of them apart.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use similar::TextDiff;

use crate::report::view::hosts::{At, ViewHosts};

/// Work on a difference, in pairs of lines.
const WORK_MAX: usize = 20_000_000;

/// What hosts said in a step, compared.
#[derive(Debug)]
pub(super) struct ViewMajority {
    /// The step.
    pub(super) step: (usize, usize),
    /// A host that said what most did; none when as many said something else.
    most: Option<usize>,
    /// How many said that, and how many are through with the step.
    pub(super) count: usize,
    pub(super) of: usize,
    /// Hosts that said something else.
    pub(super) odd: HashSet<usize>,
    /// What it was worked out from, and when on the run's clock.
    version: u64,
    clock: Duration,
}

/// How old a comparison may be while the run goes on: thousands of hosts are not compared for each frame.
const FRESH: Duration = Duration::from_secs(1);

/// The step that can be compared best: the one that most hosts were at last; the later one of two.
pub(super) fn common_step(hosts: &ViewHosts) -> Option<(usize, usize)> {
    let mut counts: HashMap<(usize, usize), usize> = HashMap::new();
    let through = hosts.hosts.iter().filter(|host| !matches!(host.at, At::Step(..)));
    through.filter_map(|host| host.step).for_each(|step| *counts.entry(step).or_default() += 1);
    counts.into_iter().max_by_key(|&(step, count)| (count, step)).map(|(step, _)| step)
}

impl ViewMajority {
    /// Compares what hosts said in a step. Those that are at it have not said all of it yet.
    pub(super) fn of(hosts: &ViewHosts, step: (usize, usize)) -> Self {
        let mut groups: HashMap<Vec<&str>, Vec<usize>> = HashMap::new();
        let mut of = 0;
        for (at, host) in hosts.hosts.iter().enumerate() {
            let has_begun = host.said.lines().any(|line| line.step == step);
            if has_begun && host.at != At::Step(step.0, step.1) {
                of += 1;
                groups.entry(host.said.of_step(step).collect()).or_default().push(at);
            }
        }
        let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
        groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group.first().copied()));
        let mut sizes = groups.iter().map(Vec::len);
        let (count, next) = (sizes.next().unwrap_or_default(), sizes.next().unwrap_or_default());
        let most = groups.first().filter(|_| count > next).and_then(|group| group.first().copied());
        let odd = match most {
            Some(_) => groups.into_iter().skip(1).flatten().collect(),
            None => HashSet::new(),
        };
        Self { step, most, count, of, odd, version: hosts.version, clock: hosts.clock }
    }

    /// Whether enough has happened since.
    pub(super) fn is_stale(&self, hosts: &ViewHosts) -> bool {
        let is_old = hosts.finished || hosts.clock.saturating_sub(self.clock) >= FRESH;
        self.version != hosts.version && is_old
    }

    /// What sets a host apart from most, as lines; why there is nothing to see otherwise.
    pub(super) fn difference(&self, hosts: &ViewHosts, host: usize) -> Vec<String> {
        let Some(most) = self.most else {
            return vec![format!("there is no majority among {} hosts", self.of)];
        };
        if !self.odd.contains(&host) {
            return vec![format!("the same as {} of {} hosts", self.count, self.of)];
        }
        let text = |host: usize| {
            let found = hosts.hosts.get(host).map(|host| host.said.of_step(self.step));
            found.into_iter().flatten().fold(String::new(), |text, line| text + line + "\n")
        };
        let (most, own) = (text(most), text(host));
        let lines = most.lines().count() + own.lines().count();
        if lines.saturating_mul(lines) > WORK_MAX {
            return vec!["too long to be compared".to_owned()];
        }
        let head = format!("- as {} of {} hosts   + here", self.count, self.of);
        let difference = TextDiff::from_lines(&most, &own).unified_diff().context_radius(3).to_string();
        std::iter::once(head).chain(difference.lines().map(str::to_owned)).collect()
    }
}
