//! The schemas against the readers: the same keys, and the same verdict wherever a schema can have one. The judge is
//! Python's jsonschema (tests/setup.sh).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::config::compose::compose;
use crate::config::findings::Findings;
use crate::config::json_schema::format::{FileFormat, json_schema};
use crate::config::steps::{TWOFOLD, actions, keys_beside, kind};
use crate::config::tables::shape::{Shape, ShapeKeys};
use crate::config::tables::{self, tasks};
use crate::config::yaml::Node;
use crate::config::{load_inventory_text, load_tasks_text, scalar, source};
use crate::model::handed::{Handed, Handover};
use crate::model::value::Value;

/// For each instance whether it holds.
fn judge(schema: &Value, instances: &[Value]) -> Vec<bool> {
    const JUDGE: &str = "import json, sys
from jsonschema import Draft7Validator
given = json.load(sys.stdin)
Draft7Validator.check_schema(given['schema'])
judge = Draft7Validator(given['schema'])
json.dump([judge.is_valid(instance) for instance in given['instances']], sys.stdout)";
    let mut python = Command::new("python3")
        .args(["-c", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tests/setup.sh installs python3");
    let given = json!({"schema": schema, "instances": instances}).to_string();
    python.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "tests/setup.sh installs python3-jsonschema");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A file as an editor sees it: typed values, no places.
fn as_json(node: &Node) -> Value {
    match node {
        Node::Scalar(scalar) => scalar::resolve(scalar),
        Node::List(list) => list.items.iter().map(as_json).collect(),
        Node::Map(map) => {
            map.entries.iter().map(|entry| (entry.key.text.to_string(), as_json(&entry.value))).collect()
        }
        Node::Broken(_) => Value::Null,
    }
}

/// A file, when it is YAML that fan takes.
fn read(path: &Path) -> Option<Value> {
    let source = source::read(path).ok()?;
    let mut findings = Findings::default();
    let node = compose(&source.name, &source.text, &mut findings)?;
    (!findings.any()).then(|| as_json(&node))
}

fn files(folder: &str) -> BTreeMap<String, Value> {
    let entries = fs::read_dir(Path::new("tests/data").join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.filter_map(|path| Some((name(&path), read(&path)?))).collect()
}

const FORMATS: [(FileFormat, &str); 2] = [(FileFormat::Tasks, "tasks"), (FileFormat::Inventory, "inventory")];

/// A file with a key in a map of it that takes this value there.
type InFile = fn(&str, Value) -> Value;

/// Each table with the file that it is about, its documentation, and a file with one of its keys.
const TABLES: [(ShapeKeys, FileFormat, &str, InFile); 10] = [
    (tables::tasks::FILE, FileFormat::Tasks, "tasks", |key, value| json!({key: value})),
    (tables::tasks::TASK, FileFormat::Tasks, "tasks", |key, value| json!({"tasks": {"t": {key: value}}})),
    (
        tables::tasks::LOCK,
        FileFormat::Tasks,
        "tasks",
        |key, value| json!({"tasks": {"t": {"steps": ["true"], "lock": {key: value}}}}),
    ),
    (tables::inventory::FILE, FileFormat::Inventory, "inventory", |key, value| json!({key: value})),
    (
        tables::inventory::SOURCE,
        FileFormat::Inventory,
        "inventories",
        |key, value| json!({"hosts": ["a"], "sources": [{key: value}]}),
    ),
    (
        tables::inventory::SOURCE_MORE,
        FileFormat::Inventory,
        "inventories",
        |key, value| json!({"hosts": ["a"], "sources": [{"exec": "a", key: value}]}),
    ),
    (
        tables::inventory::ROLE,
        FileFormat::Inventory,
        "inventory",
        |key, value| json!({"hosts": ["a"], "roles": {"r": {key: value}}}),
    ),
    (
        tables::inventory::HOST,
        FileFormat::Inventory,
        "inventory",
        |key, value| json!({"hosts": {"a": {key: value}}}),
    ),
    (
        tables::inventory::SETTINGS,
        FileFormat::Inventory,
        "inventory",
        |key, value| json!({"hosts": {"a": {key: value}}}),
    ),
    (
        tables::inventory::SUDO,
        FileFormat::Inventory,
        "privilege",
        |key, value| json!({"hosts": {"a": {"sudo": {key: value}}}}),
    ),
];

/// What is wrong with a file.
fn errors(format: FileFormat, file: &Value) -> String {
    let text = file.to_string();
    let errors = match format {
        FileFormat::Tasks => load_tasks_text("f", &text).err(),
        FileFormat::Inventory => load_inventory_text("f", &text).err(),
    };
    errors.map(|errors| errors.to_string()).unwrap_or_default()
}

/// Something that no key takes.
fn nonsense() -> Value {
    json!({"a b": [[{"c d": null}]]})
}

/// What stands in a table is read: nonsense in its place is refused, and not because nobody knows the key.
#[test]
fn every_key_is_read_and_described() {
    for (keys, format, docs, file) in TABLES {
        let docs = fs::read_to_string(format!("docs/{docs}.md")).unwrap();
        for (key, _, about) in keys {
            let errors = errors(format, &file(key, nonsense()));
            let unknown = format!("unknown field \"{key}\"");
            assert!(!errors.is_empty() && !errors.contains(&unknown), "{key}: {errors}");
            assert!(about.len() > 3 && !about.ends_with('.'), "{key}: {about:?}");
            let said = [format!("`{key}`"), format!("`{key}:"), format!("{key}:")];
            assert!(said.iter().any(|said| docs.contains(said)), "{key} is in no documentation");
        }
    }
}

/// The same for what stands beside an action: read there, and not passed over.
#[test]
fn every_key_of_a_step_is_read_and_described() {
    let docs = ["tasks", "files", "privilege", "secrets"]
        .map(|name| fs::read_to_string(format!("docs/{name}.md")).unwrap());
    for action in actions() {
        for key in keys_beside(action) {
            let mut step = step(action, key);
            step[key] = nonsense();
            let errors = errors(FileFormat::Tasks, &json!({"tasks": {"t": {"steps": [step]}}}));
            let unknown = format!("unknown field \"{key}\"");
            assert!(!errors.is_empty() && !errors.contains(&unknown), "{action}, {key}: {errors}");
        }
    }
    for (key, _, about) in tables::tasks::STEP {
        assert!(about.len() > 3 && !about.ends_with('.'), "{key}: {about:?}");
        let said = [format!("`{key}`"), format!("`{key}:"), format!("{key}:")];
        assert!(
            said.iter().any(|said| docs.iter().any(|docs| docs.contains(said))),
            "{key} is in no documentation"
        );
    }
}

#[test]
fn good_files_hold() {
    for (format, name) in FORMATS {
        let mut files = files(&format!("good/{name}"));
        let example = format!("{name}.example.yaml");
        files.insert(example.clone(), read(Path::new(&example)).unwrap());
        assert!(files.len() >= 2, "{files:?}");
        let verdicts = judge(&json_schema(format), &files.values().cloned().collect::<Vec<_>>());
        let wrong: Vec<_> = files.keys().zip(verdicts).filter(|(_, holds)| !holds).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

/// What a schema lets pass is wrong in a way that it cannot see: names, templates, keys that do not go together.
#[test]
fn bad_files_do_not() {
    let mut shown = String::new();
    for (format, name) in FORMATS {
        let files = files(&format!("bad/{name}"));
        let verdicts = judge(&json_schema(format), &files.values().cloned().collect::<Vec<_>>());
        for (file, passes) in files.keys().zip(verdicts) {
            writeln!(shown, "{name}/{file}: {}", if passes { "passes" } else { "refused" }).unwrap();
        }
    }
    insta::assert_snapshot!("bad_files", shown);
}

/// A value that has the shape.
fn sample(shape: Shape) -> Value {
    match shape {
        Shape::Text | Shape::TextOrNothing | Shape::FlagOrText | Shape::Any => json!("x %s"),
        Shape::Variable => json!("x"),
        Shape::Flag | Shape::Bare => json!(true),
        Shape::Duration => json!("1m30s"),
        Shape::Integer(least, _) => json!(least),
        Shape::Words(words) => json!(words[0]),
        Shape::Mode => json!("0644"),
        Shape::Share => json!("25%"),
        Shape::Vars | Shape::Texts => json!({"x": "y"}),
        Shape::List(item) => json!([sample(*item)]),
        Shape::OneOrMany(item) => sample(*item),
        Shape::Named(value) => json!({"x": sample(*value)}),
        Shape::Either(shapes) => sample(shapes[0]),
        Shape::OneOf(keys) | Shape::OneOfBeside(keys, _) => first(keys, &[]),
        Shape::Map { keys, required } => first(keys, required),
        Shape::Defined("steps") => json!([{"run": "true"}]),
        Shape::Defined(_) => json!({"run": "true"}),
    }
}

/// A map with the first of these keys, and with those that must be there.
fn first(keys: ShapeKeys, required: &[&str]) -> Value {
    let wanted = keys.iter().enumerate().filter(|(at, (name, ..))| *at == 0 || required.contains(name));
    wanted.map(|(_, (name, shape, _))| ((*name).to_owned(), sample(*shape))).collect()
}

/// A step with an action, what that cannot do without, and one more key.
fn step(action: &str, key: &str) -> Value {
    let of_key = |name: &str| sample(tasks::STEP.iter().find(|(key, ..)| *key == name).unwrap().1);
    let value = |name: &str| match (action, name) {
        // Alone it says what is done, beside another action how.
        ("sudo", "sudo") => json!("x"),
        _ => of_key(name),
    };
    let required = kind(action).unwrap().required.iter().copied();
    required.chain([action, key]).map(|name| (name.to_owned(), value(name))).collect()
}

/// For each action and each key, the schema and the reader agree whether they go together.
#[test]
fn keys_belong_to_the_same_actions() {
    let keys: Vec<&str> = tasks::STEP.iter().map(|&(name, ..)| name).collect();
    let pairs: Vec<(&str, &str)> =
        actions().flat_map(|action| keys.iter().map(move |key| (action, *key))).collect();
    let file = |step: Value| json!({"tasks": {"t": {"steps": [step]}}});
    let instances: Vec<Value> = pairs.iter().map(|(action, key)| file(step(action, key))).collect();
    let verdicts = judge(&json_schema(FileFormat::Tasks), &instances);
    for (((action, key), instance), holds) in pairs.into_iter().zip(&instances).zip(verdicts) {
        let belongs = action == key || keys_beside(action).any(|beside| beside == key);
        assert_eq!(holds, belongs, "{instance}");
        let refused = load_tasks_text("f", &instance.to_string()).err().map(|errors| errors.to_string());
        let refused = refused.unwrap_or_default();
        let strangers =
            ["has no effect on", "unknown field", "more than one action", "beside another action"];
        let said = strangers.iter().any(|words| refused.contains(words));
        assert_eq!(!said, belongs, "{instance}: {refused}");
    }
    for (action, key) in
        actions().flat_map(|action| kind(action).unwrap().required.iter().map(move |key| (action, key)))
    {
        let mut lacking = step(action, action);
        lacking.as_object_mut().unwrap().remove(*key);
        assert_eq!(judge(&json_schema(FileFormat::Tasks), &[file(lacking.clone())]), [false], "{lacking}");
        let refused = load_tasks_text("f", &file(lacking).to_string()).unwrap_err().to_string();
        assert!(refused.contains(&format!("without \"{key}\"")), "{refused}");
    }
}

#[test]
fn what_is_handed_down_is_what_may_stand_at_the_step_itself() {
    for action in actions().filter(|action| *action != TWOFOLD) {
        let mut step = step(action, action);
        if action == "task" {
            step[action] = json!("u");
        }
        let file = json!({"tasks": {"t": {"steps": [step]}, "u": ["true"]}});
        let file = load_tasks_text("f", &file.to_string()).unwrap_or_else(|errors| panic!("{errors}")).value;
        let step = &file.tasks["t"].steps[0];
        assert_eq!(step.action.properties().key, action);
        for key in Handed::ALL {
            // A block of steps on the hosts says nothing of who does what on this machine.
            let own = (key, action) == (Handed::RunAs, "local");
            let beside = keys_beside(action).any(|beside| beside == key.key());
            assert_eq!(key.at(&step.action) == Handover::Takes, beside && !own, "{key:?} {action}");
        }
    }
}

/// Values that the readers take, in spite of what YAML makes of them; and some that they do not.
#[test]
fn values_are_as_free_as_the_readers_are() {
    let task = |field: &str, value: Value| json!({"tasks": {"t": {field: value, "steps": ["true"]}}});
    let step = |field: &str, value: Value| json!({"tasks": {"t": [{"put": "a", "to": 1, field: value}]}});
    let cases = [
        (task("timeout", json!("1m30s")), true),
        (task("timeout", json!("none")), true),
        (task("timeout", json!("1.5h")), true),
        (task("timeout", json!("")), false),
        (task("timeout", json!("30")), false),
        (task("timeout", json!("5 minutes")), false),
        (task("serial", json!([1, "25%"])), true),
        (task("serial", json!("half")), false),
        (task("strategy", json!("linear")), true),
        (task("strategy", json!("fast")), false),
        (task("run_once", json!("True")), true),
        (task("run_once", json!("yes")), false),
        (task("lock", json!({"name": "x", "on": "h"})), true),
        (task("lock", json!({"on": "h"})), false),
        (task("vars", json!({"a-b": 1})), false),
        (step("mode", json!(644)), true),
        (step("mode", json!("0999")), false),
        (step("when", json!(false)), true),
        (step("exclude", json!(["*.map"])), true),
        (step("retries", json!("3")), true),
        (step("retries", json!(-1)), false),
    ];
    let instances: Vec<Value> = cases.iter().map(|(instance, _)| instance.clone()).collect();
    let verdicts = judge(&json_schema(FileFormat::Tasks), &instances);
    for ((instance, expected), holds) in cases.iter().zip(verdicts) {
        assert_eq!(holds, *expected, "{instance}");
        let taken = load_tasks_text("f", &instance.to_string()).is_ok();
        // As JSON text the reader sees the literal characters of numbers.
        assert_eq!(taken, *expected, "{instance}: {:?}", load_tasks_text("f", &instance.to_string()).err());
    }
}
