//! Random plans on random faults: links that are cut or stand still, fan killed at any moment, and resumed until all is
//! done. The hosts count what was done there: no step is missed, none is done twice unless nobody saw its end, and each
//! run has one record per host.
//!
//! `make soak` goes on for `SOAK_SECONDS`; without that, the seeds are fixed and few. What failed is repeated with
//! `SOAK_SEED`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fan::testing::event::{Event, Fact, RunFact, StepAt, StepFact};
use fan::testing::model::outcome::StepStatus;
use fan::testing::sandbox::Behaviour;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::fixtures::support::{Fan, inventory_defaults, sandbox};
use crate::resume::taken_up::{lines, runs};

/// What the suite tries each time.
const SEEDS: [u64; 3] = [1, 2, 3];

/// So often a plan is disturbed; then it may come to its end.
const DISTURBED: usize = 8;

/// So often it is resumed at most.
const ROUNDS: usize = 30;

/// Numbers that follow from a seed (SplitMix64).
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// Where a line in a log comes from: task and step, as events number them.
type Place = (usize, usize);

/// A tasks file, and what its steps write down.
struct Plan {
    yaml: String,
    /// Lines of each host's own log, and what writes them.
    own: Vec<(String, Place)>,
    /// Lines that one host writes for all.
    shared: Vec<(String, Place)>,
    /// Steps that fail as they are meant to: they may be done again to come to their rescue.
    failing: Vec<Place>,
}

impl Plan {
    fn random(random: &mut Random, logs: &str) -> Self {
        let mut plan =
            Self { yaml: "tasks:\n".to_owned(), own: Vec::new(), shared: Vec::new(), failing: Vec::new() };
        let tasks = 1 + usize::try_from(random.below(3)).unwrap();
        for task in 0..tasks {
            plan.task(random, logs, task, task + 1 == tasks);
        }
        plan
    }

    fn task(&mut self, random: &mut Random, logs: &str, task: usize, is_last: bool) {
        let name = if is_last { "last".to_owned() } else { format!("t{task}") };
        write!(self.yaml, "  {name}:\n    hosts: [all]\n").unwrap();
        if task > 0 {
            writeln!(self.yaml, "    before: [t{}]", task - 1).unwrap();
        }
        match random.below(4) {
            0 => self.yaml.push_str("    serial: [1, 2]\n"),
            1 => self.yaml.push_str("    strategy: linear\n"),
            _ => {}
        }
        self.yaml.push_str("    steps:\n");
        let mut step = 0;
        let mut has_handler = false;
        for _ in 0..2 + random.below(5) {
            let pause = if random.one_in(2) { "sleep 0.05; " } else { "" };
            let line = |step: usize| format!("{task}.{step}");
            let log = format!("{logs}/{{{{ host }}}}");
            match random.below(8) {
                0 => {
                    writeln!(
                        self.yaml,
                        "      - run: {pause}echo {}-{{{{ item }}}} >> {log}\n        each: [a, b]",
                        line(step)
                    )
                    .unwrap();
                    self.own.extend(["a", "b"].map(|item| (format!("{}-{item}", line(step)), (task, step))));
                    step += 1;
                }
                1 => {
                    writeln!(
                        self.yaml,
                        "      - block:\n          - run: {pause}echo {} >> {log}\n          - run: echo {} >> {log}; \
                         false\n        rescue:\n          - run: {pause}echo {} >> {log}\n        always:\n          - \
                         run: echo {} >> {log}",
                        line(step),
                        line(step + 1),
                        line(step + 2),
                        line(step + 3)
                    )
                    .unwrap();
                    self.own.extend((step..step + 4).map(|step| (line(step), (task, step))));
                    self.failing.push((task, step + 1));
                    step += 4;
                }
                2 => {
                    writeln!(
                        self.yaml,
                        "      - run: {pause}echo {0} >> {logs}/all; echo {0}\n        run_once: true\n        register: \
                         r{task}_{step}\n      - run: echo {{{{ r{task}_{step}.stdout }}}}/{1} >> {log}",
                        line(step),
                        line(step + 1)
                    )
                    .unwrap();
                    self.shared.push((line(step), (task, step)));
                    self.own.push((format!("{}/{}", line(step), line(step + 1)), (task, step + 1)));
                    step += 2;
                }
                3 => {
                    writeln!(self.yaml, "      - barrier: true").unwrap();
                    step += 1;
                }
                4 => {
                    writeln!(self.yaml, "      - run: echo {} >> {log}\n        notify: reload", line(step))
                        .unwrap();
                    self.own.push((line(step), (task, step)));
                    has_handler = true;
                    step += 1;
                }
                5 => {
                    // Large enough that a link that is cut at random is cut in it.
                    writeln!(
                        self.yaml,
                        "      - run: {pause}echo {} >> {log}; seq 20000\n        hide: true",
                        line(step)
                    )
                    .unwrap();
                    self.own.push((line(step), (task, step)));
                    step += 1;
                }
                _ => {
                    writeln!(self.yaml, "      - run: {pause}echo {} >> {log}", line(step)).unwrap();
                    self.own.push((line(step), (task, step)));
                    step += 1;
                }
            }
        }
        if has_handler {
            writeln!(
                self.yaml,
                "    handlers:\n      reload:\n        - run: echo handled-{task} >> {logs}/{{{{ host }}}}"
            )
            .unwrap();
            self.own.push((format!("handled-{task}"), (task, step)));
        }
    }
}

/// A way to a host that lets things through for a while, now and then, and is otherwise in order.
async fn relay(to: SocketAddr, mut random: Random, is_disturbed: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let disturbed = is_disturbed.load(Ordering::Relaxed) && random.one_in(3);
            let fault = disturbed.then(|| (random.below(40_000), random.one_in(3)));
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(to).await else { return };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::select! {
                    () = forward(from_client, to_server, None) => {}
                    () = forward(from_server, to_client, fault) => {}
                }
            });
        }
    });
    port
}

/// Passes bytes on; after so many of them it pauses once, or ends.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut fault: Option<(u64, bool)>) {
    let (mut buffer, mut passed) = (vec![0; 4096], 0_u64);
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            return;
        }
        passed += u64::try_from(count).unwrap();
        if let Some((_, pauses)) = fault.take_if(|(after, _)| passed > *after) {
            if !pauses {
                return;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// What all runs together began, and what of it has no end that was seen; by host and place.
#[derive(Default)]
struct Told {
    begun: HashMap<(String, Place), usize>,
    unseen: HashMap<(String, Place), usize>,
}

impl Told {
    /// Reads the records of all runs. Panics when a step was begun once more after it was done, or a run has two records of
    /// a host, or ended without one.
    fn read(fan: &Fan) -> Self {
        let mut told = Self::default();
        let mut done: Vec<(String, Place)> = Vec::new();
        let mut names = runs(fan).names().unwrap();
        names.sort();
        for name in names {
            let Ok(stored) = runs(fan).read(&name) else { continue };
            let events: Vec<Event> = stored.events().unwrap().collect();
            let mut records: HashMap<&str, usize> = HashMap::new();
            for (at, event) in events.iter().enumerate() {
                match &event.fact {
                    Fact::Step(StepAt { host, task, step }, StepFact::Started) => {
                        let place = (host.to_string(), (*task, *step));
                        let ended = events[at..].iter().find_map(|event| match &event.fact {
                            Fact::Step(
                                StepAt { host: of, task: t, step: s },
                                StepFact::Finished { outcome },
                            ) if (of, t, s) == (host, task, step) => Some(outcome),
                            _ => None,
                        });
                        // Killed while it passed over one that was done.
                        if ended.map_or(done.contains(&place), |outcome| outcome.earlier) {
                            continue;
                        }
                        assert!(!done.contains(&place), "{place:?} was done, and begun again in {name}");
                        let is_unseen = ended.is_none_or(|outcome| outcome.status == StepStatus::Unknown);
                        *told.unseen.entry(place.clone()).or_default() += usize::from(is_unseen);
                        *told.begun.entry(place).or_default() += 1;
                    }
                    Fact::Step(StepAt { host, task, step }, StepFact::Finished { outcome })
                        if matches!(outcome.status, StepStatus::Ok | StepStatus::Changed) =>
                    {
                        done.push((host.to_string(), (*task, *step)));
                    }
                    Fact::HostFinished { host, .. } => {
                        *records.entry(host.as_str()).or_default() += 1;
                    }
                    _ => {}
                }
            }
            assert!(records.values().all(|&count| count == 1), "{name}: {records:?}");
            if let (
                Some(Fact::Run(RunFact::Started { hosts, .. })),
                Some(Fact::Run(RunFact::Finished { .. })),
            ) = (events.first().map(|event| &event.fact), events.last().map(|event| &event.fact))
            {
                assert_eq!(records.len(), hosts.len(), "{name}");
            }
        }
        told
    }
}

/// One plan, disturbed until it may come to its end; panics with what is wrong. Gives how often it was begun or resumed.
async fn soak(seed: u64) -> usize {
    eprintln!("soak: SOAK_SEED={seed}");
    let mut random = Random(seed);
    let names: Vec<String> = (1..=2 + random.below(3)).map(|number| format!("h{number}")).collect();
    let sandbox = sandbox(names.iter().map(|name| (name.as_str(), Behaviour::Normal))).await;
    let is_disturbed = Arc::new(AtomicBool::new(true));
    let mut known = fs::read_to_string(sandbox.known_hosts()).unwrap();
    let mut hosts = "hosts:\n".to_owned();
    for host in sandbox.hosts() {
        let random = Random(random.next());
        let port = relay(host.address, random, Arc::clone(&is_disturbed)).await;
        known = known.replace(&format!("]:{} ", host.address.port()), &format!("]:{port} "));
        writeln!(hosts, "  {}: {{address: 127.0.0.1, port: {port}}}", host.name).unwrap();
    }
    let fan = Fan::new();
    let logs = fan.work().display().to_string();
    let plan = Plan::random(&mut random, &logs);
    let known_hosts = fan.work().join("known");
    fs::write(&known_hosts, known).unwrap();
    let inventory = inventory_defaults(sandbox.user(), sandbox.identity(), &known_hosts) + &hosts;
    let fan = fan.file("inventory.yaml", inventory).file("tasks.yaml", &plan.yaml);

    let mut said = Vec::new();
    loop {
        let round = said.len();
        assert!(
            round < ROUNDS,
            "seed {seed}: it does not come to its end:\n{}\n{}",
            plan.yaml,
            said.join("\n")
        );
        is_disturbed.store(round < DISTURBED, Ordering::Relaxed);
        let begun = begun_run(&fan);
        let args = match &begun {
            None => vec!["run", "last"],
            Some(run) => vec!["resume", "--unknown", "rerun", run],
        };
        let going = fan.start(&args);
        if round < DISTURBED && !random.one_in(3) {
            // At whatever moment that is.
            thread::sleep(Duration::from_millis(20 + random.below(900)));
            going.signal(Signal::KILL);
        }
        let ran = going.finish();
        if ran.code == Some(0) {
            break;
        }
        let is_cut = ran.signal.is_some() || matches!(ran.code, Some(1 | 3));
        assert!(is_cut, "seed {seed}: {}\n{}", ran.snapshot(), plan.yaml);
        said.push(ran.snapshot());
    }
    judge(seed, &fan, &plan, &names);
    said.len() + 1
}

/// The newest run that has begun, if any has.
fn begun_run(fan: &Fan) -> Option<String> {
    let runs = fan::testing::store::Runs::open(&crate::resume::taken_up::state(fan)).unwrap()?;
    runs.names().unwrap().into_iter().find(|name| runs.read(name).is_ok())
}

fn judge(seed: u64, fan: &Fan, plan: &Plan, names: &[String]) {
    let told = Told::read(fan);
    let shown = |log: &[String]| format!("seed {seed}: {log:?}\n{}", plan.yaml);
    for name in names {
        let log = lines(fan, name);
        for (line, place) in &plan.own {
            let count = log.iter().filter(|other| *other == line).count();
            let key = (name.clone(), *place);
            let most = if plan.failing.contains(place) {
                told.begun.get(&key).copied().unwrap_or_default()
            } else {
                1 + told.unseen.get(&key).copied().unwrap_or_default()
            };
            assert!(count > 0, "{name} has missed {line}: {}", shown(&log));
            assert!(count <= most, "{name}: {line} {count} times, at most {most} are right: {}", shown(&log));
        }
        let known = |line: &String| plan.own.iter().any(|(own, _)| own == line);
        assert!(log.iter().all(known), "{name} has what nobody wrote: {}", shown(&log));
    }
    let log = lines(fan, "all");
    for (line, place) in &plan.shared {
        let count = log.iter().filter(|other| *other == line).count();
        let unseen: usize =
            told.unseen.iter().filter(|((_, of), _)| of == place).map(|(_, count)| count).sum();
        assert!((1..=1 + unseen).contains(&count), "{line} {count} times, {unseen} unseen: {}", shown(&log));
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_disturbed_is_done_once() {
    if let Some(seed) = number("SOAK_SEED") {
        soak(seed).await;
        return;
    }
    let Some(seconds) = number("SOAK_SECONDS") else {
        let mut rounds = 0;
        for seed in SEEDS {
            rounds += soak(seed).await;
        }
        assert!(rounds > 2 * SEEDS.len(), "hardly anything was disturbed: {rounds} rounds");
        return;
    };
    let begun = Instant::now();
    let mut seeds = Random(u64::from(std::process::id()));
    let (mut count, mut rounds) = (0, 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let seed = seeds.next();
        rounds += soak(seed).await;
        count += 1;
    }
    eprintln!("soak: {count} plans, begun or resumed {rounds} times, in {seconds} s");
}
