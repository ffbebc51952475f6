//! Runs that are cut off at every place there is, and resumed: no step that was done is done again, none is missed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::engine;
use crate::engine::live::sink::EventSink;
use crate::engine::plan::memory::Memory;
use crate::engine::plan::memory::Unseen;
use crate::engine::plan::past::{Doubt, Obstacle, Past, Standing};
use crate::engine::plan::{Body, Handler, Item, Places, Plan, PlannedBlock};
use crate::engine::tests::fake::{Connect, Fake};
use crate::engine::tests::{echo, plan, raw, step, text};
use crate::event::ledger::{Kept, Ledger};
use crate::event::recap::Recap;
use crate::event::{Event, Fact, Section, StepAt, StepFact};
use crate::model::outcome::{Kind, Status, StepStatus};
use crate::model::position::{Located, Position};
use crate::model::redact::Redactor;
use crate::model::secret::Secret;
use crate::model::task::{Action, Step, Template};
use crate::ssh::error::Retry;

/// What a journal would have, in order.
#[derive(Clone, Debug)]
enum Line {
    Event(Event),
    Kept(Kept),
}

#[derive(Debug, Default)]
struct Book(Mutex<Vec<Line>>);

impl Ledger for Book {
    fn write(&self, event: &Event) {
        self.0.lock().unwrap().push(Line::Event(event.clone()));
    }

    fn keep(&self, kept: &Kept) {
        self.0.lock().unwrap().push(Line::Kept(kept.clone()));
    }
}

fn registered(command: &str, name: &str) -> Step {
    Step { register: Some(Located::new(name.to_owned(), Position::new("tasks.yaml", 7, 3))), ..raw(command) }
}

/// Two tasks. In the first a block that fails is put right; one step is done once for all.
fn two_tasks() -> Plan {
    let once = Step { run_once: true, ..registered("once", "shared") };
    let fails = step(Action::Fail(text("as planned")));
    let first = vec![
        registered("a", "out"),
        once,
        raw("b"),
        fails,
        raw("rescue"),
        raw("always"),
        raw("last"),
        registered("end", "done"),
    ];
    let mut plan = plan(2, vec![first, vec![raw("c"), raw("d")]]);
    let task = &mut plan.tasks[0];
    let items = |steps: &[usize]| steps.iter().copied().map(Item::Step).collect::<Vec<_>>();
    let body = Body { main: items(&[2, 3]), rescue: items(&[4]), always: items(&[5]) };
    let block = PlannedBlock { when: None, call: None, locals: Arc::default(), body };
    task.body.main = items(&[0, 1]);
    task.body.main.push(Item::Block(block));
    task.body.main.extend(items(&[6, 7]));
    task.steps[4].section = Section::Rescue;
    task.steps[5].section = Section::Always;
    plan
}

/// Runs a plan that goes on from a memory; what was written down of it, what it started, and how its hosts ended.
async fn carry_out(plan: Plan, memory: Memory) -> (Vec<Line>, BTreeMap<String, Vec<String>>, Vec<Status>) {
    carry_out_on(plan, memory, Fake::new()).await
}

async fn carry_out_on(
    mut plan: Plan,
    memory: Memory,
    fake: Fake,
) -> (Vec<Line>, BTreeMap<String, Vec<String>>, Vec<Status>) {
    plan.memory = memory;
    let book = Arc::new(Book::default());
    let (sink, deliveries): (EventSink, _) = engine::channel(&Redactor::default());
    let sink = sink.written_in(Some(Arc::clone(&book) as Arc<dyn Ledger>));
    let (_stop, stopping) = engine::stop_channel();
    engine::run(Arc::new(plan), fake.clone(), sink, super::from_user(stopping)).await;
    let mut recap = Recap::default();
    deliveries.try_iter().for_each(|delivery| recap.apply(&delivery.event));
    let statuses = recap.hosts.iter().filter_map(|record| record.status()).collect();
    let lines = book.0.lock().unwrap().clone();
    (lines, fake.tally().starts, statuses)
}

fn past(runs: &[&[Line]]) -> Past {
    let mut past = Past::default();
    for lines in runs {
        let events = lines.iter().filter_map(|line| match line {
            Line::Event(event) => Some(event.clone()),
            Line::Kept(_) => None,
        });
        let kept = lines.iter().filter_map(|line| match line {
            Line::Kept(kept) => Some(kept.clone()),
            Line::Event(_) => None,
        });
        past = past.followed_by(events, kept);
    }
    past
}

fn rerun(_: &Doubt) -> Unseen {
    Unseen::Rerun
}

/// The commands whose end is written down, by host.
fn finished(lines: &[Line], plan: &Plan) -> Vec<(String, String)> {
    let of = |line: &Line| match line {
        Line::Event(Event {
            fact: Fact::Step(StepAt { host, task, step }, StepFact::Finished { outcome }),
            ..
        }) => {
            let good = matches!(outcome.status, StepStatus::Ok | StepStatus::Changed);
            let done = good && !outcome.earlier;
            done.then(|| (host.to_string(), title(plan, *task, *step)))
        }
        _ => None,
    };
    lines.iter().filter_map(of).collect()
}

fn title(plan: &Plan, task: usize, step: usize) -> String {
    plan.summaries()[task].steps[step].title.clone()
}

fn pairs(starts: BTreeMap<String, Vec<String>>) -> Vec<(String, String)> {
    let all =
        starts.into_iter().flat_map(|(host, all)| all.into_iter().map(move |start| (host.clone(), start)));
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

#[tokio::test(start_paused = true)]
async fn cut_off_at_every_place_and_again_in_the_next_run() {
    let plan = two_tasks();
    let (whole, starts, statuses) = carry_out(plan.clone(), Memory::default()).await;
    assert_eq!(statuses, [Status::Ok; 2]);
    let all = pairs(starts);
    assert_eq!(all.len(), 2 * 8 + 1, "{all:?}");
    for cut in 1..=whole.len() {
        let first = &whole[..cut];
        let memory = past(&[first]).recall(&plan, rerun, None).unwrap();
        let (second, starts, statuses) = carry_out(plan.clone(), memory).await;
        assert_eq!(statuses, [Status::Ok; 2], "{cut}");
        let check = |at: &str, done: &[(String, String)], again: Vec<(String, String)>| {
            for pair in &all {
                // Whoever does for all what one does may be another host.
                let same = |other: &&(String, String)| match pair.1.as_str() {
                    "once" => other.1 == "once",
                    _ => *other == pair,
                };
                let (before, now) = (done.iter().filter(same).count(), again.iter().filter(same).count());
                assert_eq!(now, usize::from(before == 0), "{pair:?} after {at}: {done:?} {again:?}");
            }
        };
        let done = finished(first, &plan);
        check(&format!("{cut}"), &done, pairs(starts));
        for again in (1..=second.len()).step_by(7) {
            let second = &second[..again];
            let memory = past(&[first, second]).recall(&plan, rerun, None).unwrap();
            let (_, starts, statuses) = carry_out(plan.clone(), memory).await;
            assert_eq!(statuses, [Status::Ok; 2], "{cut} {again}");
            let done: Vec<_> = done.iter().cloned().chain(finished(second, &plan)).collect();
            check(&format!("{cut} and {again} of {second:#?}"), &done, pairs(starts));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_end_was_not_seen_is_in_doubt_until_somebody_decides() {
    let plan = plan(1, vec![vec![raw("a"), raw("b")]]);
    let (whole, ..) = carry_out(plan.clone(), Memory::default()).await;
    let begun = |line: &Line| {
        matches!(line, Line::Event(Event { fact: Fact::Step(StepAt { step: 1, .. }, StepFact::Started), .. }))
    };
    let cut = whole.iter().position(begun).unwrap() + 1;
    let first = &whole[..cut];
    let host = &plan.hosts[0].endpoint.name;
    assert_eq!(past(&[first]).standing(host), Standing::At(0, 1));
    let doubts = past(&[first]).doubts(&plan);
    assert_eq!(doubts, [Doubt { host: host.clone(), task: 0, step: 1 }]);
    for (unseen, status, starts) in [
        (Unseen::Rerun, Status::Ok, vec![("h0", "b")]),
        (Unseen::Skip, Status::Ok, vec![]),
        (Unseen::Fail, Status::Failed, vec![]),
    ] {
        let memory = past(&[first]).recall(&plan, |_| unseen, None).unwrap();
        let (second, started, statuses) = carry_out(plan.clone(), memory).await;
        assert_eq!(statuses, [status]);
        let expected: Vec<_> =
            starts.iter().map(|(host, start)| (host.to_string(), start.to_string())).collect();
        assert_eq!(pairs(started), expected);
        // Killed while it passed over the first step: nothing was decided.
        let begun = second.iter().position(|line| {
            matches!(
                line,
                Line::Event(Event { fact: Fact::Step(StepAt { step: 0, .. }, StepFact::Started), .. })
            )
        });
        let second = &second[..=begun.unwrap()];
        assert_eq!(past(&[first, second]).doubts(&plan), doubts);
        assert_eq!(past(&[first, second]).standing(host), Standing::At(0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn steps_that_are_others_now_are_in_the_way() {
    let plan_then = plan(1, vec![vec![raw("a"), raw("b"), raw("c")]]);
    let (whole, ..) = carry_out(plan_then, Memory::default()).await;
    let begun = |line: &Line| {
        matches!(line, Line::Event(Event { fact: Fact::Step(StepAt { step: 1, .. }, StepFact::Started), .. }))
    };
    let cut = whole.iter().position(begun).unwrap();
    let mended = plan(1, vec![vec![raw("a"), raw("mended"), raw("more")]]);
    assert!(past(&[&whole[..cut]]).recall(&mended, rerun, None).is_ok());
    let other = plan(1, vec![vec![raw("new"), raw("a"), raw("b")]]);
    let obstacles = past(&[&whole[..cut]]).recall(&other, rerun, None).unwrap_err();
    assert_eq!(obstacles, [Obstacle::OtherSteps { task: "t0".to_owned(), number: 1, title: "a".to_owned() }]);
}

#[tokio::test(start_paused = true)]
async fn a_value_with_a_secret_is_not_kept_and_that_is_in_the_way() {
    let plan = plan(1, vec![vec![registered("a", "out"), raw("b")]]);
    let (whole, ..) = carry_out(plan.clone(), Memory::default()).await;
    let mut cut = whole[..whole.len() - 4].to_vec();
    assert!(past(&[&cut]).recall(&plan, rerun, None).is_ok());
    for line in &mut cut {
        if let Line::Kept(kept) = line {
            kept.vars.clear();
            kept.lost.push("out".to_owned());
        }
    }
    let obstacles = past(&[&cut]).recall(&plan, rerun, None).unwrap_err();
    assert!(matches!(&obstacles[..], [Obstacle::Lost { name, .. }] if name == "out"), "{obstacles:?}");
}

#[test]
fn variables_that_hold_a_secret_are_only_named() {
    let (sink, _deliveries) = engine::channel(&Redactor::new(&[Secret::new("c4nary-s3cret")]));
    let book = Arc::new(Book::default());
    let sink = sink.written_in(Some(Arc::clone(&book) as Arc<dyn Ledger>));
    let vars = serde_json::json!({"plain": [1, "a"], "deep": {"x": ["<c4nary-s3cret>"]}});
    let vars = vars.as_object().unwrap().clone();
    sink.keep(Kept { host: "h0".into(), task: 0, step: 0, vars, lost: Vec::new() });
    let lines = book.0.lock().unwrap();
    let [Line::Kept(kept), Line::Event(Event { fact: Fact::Record(told), .. })] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(kept.vars.keys().collect::<Vec<_>>(), ["plain"]);
    assert_eq!(kept.lost, ["deep"]);
    assert_eq!(*told, kept.clone().into());
}

/// A plan of one host, cut off where its second step was begun.
async fn cut_in_the_second_step(plan: &Plan) -> Vec<Line> {
    let (whole, ..) = carry_out(plan.clone(), Memory::default()).await;
    let begun = |line: &Line| {
        matches!(line, Line::Event(Event { fact: Fact::Step(StepAt { step: 1, .. }, StepFact::Started), .. }))
    };
    whole[..=whole.iter().position(begun).unwrap()].to_vec()
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_as_done_is_told_to_its_handlers() {
    let script = Step {
        notify: vec![Located::new("h".to_owned(), Position::new("tasks.yaml", 7, 3))],
        ..step(Action::Run(crate::model::task::Command::Script(text("b"))))
    };
    let never = Step { changed_when: Some(text("false")), ..script.clone() };
    for (second, told) in [(script, true), (never, false)] {
        let mut plan = plan(1, vec![vec![raw("a"), second, raw("c"), raw("handler")]]);
        let task = &mut plan.tasks[0];
        task.steps[3].section = Section::Handlers;
        task.body.main.pop();
        task.handlers = vec![Handler { name: "h".to_owned(), items: vec![Item::Step(3)] }];
        let first = cut_in_the_second_step(&plan).await;
        let memory = past(&[&first]).recall(&plan, |_| Unseen::Skip, None).unwrap();
        let (_, starts, statuses) = carry_out(plan, memory).await;
        assert_eq!(statuses, [Status::Ok]);
        let expected: &[&str] = if told { &["c", "handler"] } else { &["c"] };
        assert_eq!(starts["h0"], expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_as_failed_was_begun_and_has_its_way_back() {
    let mut plan = plan(1, vec![vec![echo("a"), raw("b"), raw("back")]]);
    plan.tasks[0].steps[2].section = Section::Rescue;
    plan.tasks[0].body.main.pop();
    plan.tasks[0].body.rescue = vec![Item::Step(2)];
    let first = cut_in_the_second_step(&plan).await;
    let memory = past(&[&first]).recall(&plan, |_| Unseen::Fail, None).unwrap();
    let (_, starts, statuses) = carry_out(plan, memory).await;
    assert_eq!((statuses, &starts["h0"][..]), (vec![Status::Failed], &["back".to_owned()][..]));
}

/// A host that ends before a step is begun, as it is done on one that cannot be reached, and what follows from that: the
/// `rescue` of a task or of a block, and `always`.
#[tokio::test(start_paused = true)]
async fn a_way_back_that_was_gone_counts_also_when_no_step_failed() {
    for in_block in [false, true] {
        let first = step(Action::Run(crate::model::task::Command::Script(text("a"))));
        let mut plan = plan(1, vec![vec![first, raw("b"), raw("back"), raw("always"), raw("c")]]);
        plan.delegates = vec![crate::engine::tests::host(9)];
        let task = &mut plan.tasks[0];
        task.steps[1].places = Places::Hosts(Arc::from([Some(0)]));
        task.steps[2].section = Section::Rescue;
        task.steps[3].section = Section::Always;
        let items = |steps: &[usize]| steps.iter().copied().map(Item::Step).collect::<Vec<_>>();
        let body = Body { main: items(&[0, 1]), rescue: items(&[2]), always: items(&[3]) };
        if in_block {
            let block = PlannedBlock { when: None, call: None, locals: Arc::default(), body };
            task.body = Body { main: vec![Item::Block(block), Item::Step(4)], ..Body::default() };
        } else {
            task.body = body;
            task.body.main.push(Item::Step(4));
        }
        let cut_from = || Fake::new().connects("h9", [Connect::Fails(Kind::Dns, Retry::Never)]);
        let titles = |lines: &[Line]| -> Vec<String> {
            finished(lines, &plan).into_iter().map(|(_, title)| title).collect()
        };
        let (whole, _, statuses) = carry_out_on(plan.clone(), Memory::default(), cut_from()).await;
        if in_block {
            assert_eq!(
                (titles(&whole).join(" "), statuses),
                ("a back always c".to_owned(), vec![Status::Ok])
            );
        } else {
            assert_eq!(
                (titles(&whole).join(" "), statuses),
                ("a back always".to_owned(), vec![Status::Failed])
            );
            let memory = past(&[&whole]).recall(&plan, rerun, None).unwrap();
            let (second, _, statuses) = carry_out(plan.clone(), memory).await;
            assert_eq!((titles(&second).join(" "), statuses), ("a b c always".to_owned(), vec![Status::Ok]));
        }
        // Cut off anywhere on the way, it comes to the same end.
        for cut in 1..whole.len() {
            let first = &whole[..cut];
            let memory = past(&[first]).recall(&plan, rerun, None).unwrap();
            let (second, ..) = carry_out_on(plan.clone(), memory, cut_from()).await;
            let (mut done, before) = (titles(first), titles(first));
            done.extend(titles(&second));
            let back = done.iter().filter(|title| *title == "back").count();
            // After its final record it begins again.
            let ended = before.iter().any(|title| title == "always");
            assert!(back == 1 || ended, "{in_block} {cut}: {done:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_without_its_values_is_not_gone_on_from() {
    let set = Template::Text(text("{{ out.stdout }}"));
    let set = step(Action::Set([("x".to_owned(), set)].into_iter().collect()));
    let plan = plan(1, vec![vec![registered("a", "out"), set, raw("b"), raw("c")]]);
    let (whole, ..) = carry_out(plan.clone(), Memory::default()).await;
    let begun = |line: &Line| {
        matches!(line, Line::Event(Event { fact: Fact::Step(StepAt { step: 3, .. }, StepFact::Started), .. }))
    };
    let cut = &whole[..whole.iter().position(begun).unwrap()];
    // What a disk has when the power went: the end of a step, and not what it defined.
    let without = |name: &str| -> Vec<Line> {
        let other = |line: &&Line| !matches!(line, Line::Kept(kept) if kept.vars.contains_key(name));
        cut.iter().filter(other).cloned().collect()
    };
    let obstacles = past(&[&without("out")]).recall(&plan, rerun, None).unwrap_err();
    assert!(matches!(&obstacles[..], [Obstacle::Lost { name, .. }] if name == "out"), "{obstacles:?}");
    // What only gives values gives them again.
    let memory = past(&[&without("x")]).recall(&plan, rerun, None).unwrap();
    let (second, starts, _) = carry_out(plan.clone(), memory).await;
    assert_eq!(starts["h0"], ["c"]);
    assert!(second.iter().any(|line| matches!(line, Line::Kept(kept) if kept.vars.contains_key("x"))));
}
