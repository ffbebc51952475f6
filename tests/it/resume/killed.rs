//! A run that is killed again and again, at changing places, and resumed until all is done: no step that was done is done twice, and
//! none is missed.

use std::collections::HashMap;
use std::fs;

use fan::testing::event::{Event, Fact, StepAt, StepFact};
use fan::testing::model::outcome::StepStatus;
use fan::testing::sandbox::Behaviour;
use fan::testing::store::{Runs, Way};
use rustix::process::Signal;

use crate::fixtures::support::{Fan, Ran, eventually, sandbox};
use crate::resume::taken_up::{lines, runs, state, succeeds};

/// Steps that take some time are those that a kill is likely to meet.
///
/// One host's log after a run that goes through: blocks, a way back, a loop, handlers, values of others.
const WHOLE: [&str; 10] = [
    "one",
    "each-a",
    "each-b",
    "in-block",
    "fails",
    "rescued-exit",
    "always",
    "own v7 once",
    "last",
    "handled",
];

const KILLED: &str = "
tasks:
  build:
    hosts: [all]
    run_once: true
    steps:
      - run: echo build >> DIR/all; echo v7
        register: built
  deploy:
    hosts: [all]
    before: [build]
    serial: [1, 3]
    steps:
      - run: echo one >> DIR/{{ host }}; echo own
        register: own
      - run: sleep 0.1; echo each-{{ item }} >> DIR/{{ host }}
        each: [a, b]
      - block:
          - run: echo in-block >> DIR/{{ host }}; sleep 0.1
          - run: echo fails >> DIR/{{ host }}; false
        rescue:
          - run: echo rescued-{{ failure.kind }} >> DIR/{{ host }}
        always:
          - run: echo always >> DIR/{{ host }}
      - run: echo once >> DIR/all; echo once
        run_once: true
        register: shared
      - run: echo {{ own.stdout }} {{ built.stdout }} {{ shared.stdout }} >> DIR/{{ host }}
        notify: reload
      - barrier: true
      - run: sleep 0.1; echo last >> DIR/{{ host }}
    handlers:
      reload:
        - run: echo handled >> DIR/{{ host }}
";

/// How often steps were begun, by host, task and step.
type Starts = HashMap<(String, usize, usize), usize>;

/// What all runs together began, and what of it has no end; panics when a step was begun once more after it was done.
fn begun(fan: &Fan) -> (Starts, Starts) {
    let mut starts: Starts = HashMap::new();
    let mut open: Starts = HashMap::new();
    let mut done: Vec<(String, usize, usize)> = Vec::new();
    let mut names = runs(fan).names().unwrap();
    names.sort();
    for name in names {
        let events: Vec<Event> = runs(fan).read(&name).unwrap().events().unwrap().collect();
        for (at, event) in events.iter().enumerate() {
            match &event.fact {
                Fact::Step(StepAt { host, task, step }, StepFact::Started) => {
                    let place = (host.to_string(), *task, *step);
                    let mut later = events[at..].iter().filter_map(|event| match &event.fact {
                        Fact::Step(StepAt { host: of, task: t, step: s }, StepFact::Finished { outcome })
                            if (of, t, s) == (host, task, step) =>
                        {
                            Some(outcome)
                        }
                        _ => None,
                    });
                    let ended = later.next();
                    // Killed while it passed over one that was done.
                    let passed_over = ended.map_or(done.contains(&place), |outcome| outcome.earlier);
                    if !passed_over {
                        assert!(!done.contains(&place), "{place:?} was done, and begun again in {name}");
                        *open.entry(place.clone()).or_default() += usize::from(ended.is_none());
                        *starts.entry(place).or_default() += 1;
                    }
                }
                Fact::Step(StepAt { host, task, step }, StepFact::Finished { outcome })
                    if matches!(outcome.status, StepStatus::Ok | StepStatus::Changed) =>
                {
                    done.push((host.to_string(), *task, *step));
                }
                _ => {}
            }
        }
    }
    (starts, open)
}

/// Kills the run when so many steps have their end; false when it came to its end before that.
fn kill_after(fan: &Fan, args: &[&str], count: usize) -> Option<Ran> {
    let before = Runs::open(&state(fan)).unwrap().map_or(0, |runs| runs.names().unwrap().len());
    let going = fan.start(args);
    let mut ended = false;
    eventually("some ends of steps, or that of the run", || {
        let status = fs::read_to_string(format!("/proc/{}/stat", going.pid().as_raw_nonzero()));
        if status.is_ok_and(|status| status.contains(") Z ")) {
            ended = true;
            return Some(());
        }
        let runs = Runs::open(&state(fan)).ok()??;
        let names = runs.names().ok()?;
        if names.len() == before {
            return None;
        }
        let stored = runs.read(&names[0]).ok()?;
        let own = |event: &Event| matches!(&event.fact, Fact::Step(_, StepFact::Finished { outcome, .. }) if !outcome.earlier);
        (stored.events().ok()?.filter(own).count() >= count).then_some(())
    });
    if !ended {
        going.signal(Signal::KILL);
    }
    let ran = going.finish();
    ran.signal.is_none().then_some(ran)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_until_all_is_done() {
    let sandbox = sandbox(["h1", "h2", "h3", "h4"].map(|name| (name, Behaviour::Normal))).await;
    // Where it is killed, by a fixed rule: in each round somewhere else.
    let mut all_killed = 0;
    for round in 0..4_usize {
        let fan = Fan::of(&sandbox);
        let tasks = KILLED.replace("DIR", &fan.work().display().to_string());
        let fan = fan.file("tasks.yaml", tasks);
        let mut killed = 0;
        let mut ended = kill_after(&fan, &["run", "deploy"], round);
        while ended.is_none() {
            killed += 1;
            assert!(killed < 100, "it does not come to its end");
            ended = kill_after(&fan, &["resume", "--unknown", "rerun"], (3 * killed + 5 * round) % 5);
        }
        succeeds(&ended.unwrap());
        all_killed += killed;
        let (starts, open) = begun(&fan);
        for host in ["h1", "h2", "h3", "h4"] {
            let log = lines(&fan, host);
            for line in WHOLE {
                let count = log.iter().filter(|other| *other == line).count();
                assert!(count > 0, "{host} has missed {line}: {log:?}");
                assert!(count <= starts_of(&starts, host, line), "{host}: {line} {count} times: {log:?}");
            }
            assert!(log.iter().all(|line| WHOLE.contains(&line.as_str())), "{log:?}");
        }
        let log = lines(&fan, "all");
        for (line, place) in [("build", (0, 0)), ("once", (1, 6))] {
            let count = log.iter().filter(|other| *other == line).count();
            let unseen: usize = open.iter().filter(|((_, t, s), _)| (*t, *s) == place).map(|(_, n)| n).sum();
            assert!((1..=1 + unseen).contains(&count), "{line} {count} times: {log:?}");
        }
        let last = runs(&fan).names().unwrap().remove(0);
        let recipe = runs(&fan).read(&last).unwrap().recipe;
        assert_eq!(recipe.again.map(|again| again.way), Some(Way::Resume));
    }
    assert!(all_killed > 8, "{all_killed}");
}

/// How often the step was begun that writes a line.
fn starts_of(starts: &Starts, host: &str, line: &str) -> usize {
    let step = match line {
        "one" => 0,
        "each-a" | "each-b" => 1,
        "in-block" => 2,
        "fails" => 3,
        "rescued-exit" => 4,
        "always" => 5,
        "own v7 once" => 7,
        "last" => 9,
        _ => 10,
    };
    starts.get(&(host.to_owned(), 1, step)).copied().unwrap_or_default()
}
