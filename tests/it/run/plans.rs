//! Plans as files: what `--plan --out` writes is what `--from-plan` runs, or nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::fixtures::support::{Fan, Ran};

const HOSTS: &str = "
hosts:
  h[1-3]: {transport: local, vars: {colour: red}}
roles:
  web: [h1, h2]
  prod: {hosts: [h3], protect: true}
";

const TASKS: &str = r#"
vars: {app: shop}
secrets: {db_password: {env: DB_PASSWORD}, api_key: {env: API_KEY}}
tasks:
  deploy:
    params: {version: null}
    roles: [web]
    steps:
      - {put: dist/, to: "there-{{ host }}/"}
      - {template: conf.j2, to: "conf-{{ host }}"}
      - run: echo {{ version }} {{ colour }} "{{ db_password }}" >> done
  needs_key:
    params: {api_key: null}
    roles: [web]
    steps: [{run: "echo {{ api_key }} > key"}]
  prod: {roles: [prod], steps: [touch done]}
  fails: {roles: [web], steps: [touch done, "test -e later", echo last >> done]}
"#;

fn fan() -> Fan {
    Fan::new()
        .file("inventory.yaml", HOSTS)
        .file("tasks.yaml", TASKS)
        .file("dist/app", "1\n")
        .file("conf.j2", "{{ app }} {{ colour }}\n")
        .env("DB_PASSWORD", "hunter2-of-the-database")
        .env("API_KEY", "the-key-that-is-not-used")
}

fn plan(fan: &Fan, args: &[&str]) -> Value {
    let ran = fan.run(["run"].iter().chain(args).chain(&["--plan", "--out", "p.json"]));
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("`fan run --from-plan p.json` runs exactly this"), "{}", ran.snapshot());
    serde_json::from_str(&fs::read_to_string(fan.work().join("p.json")).unwrap()).unwrap()
}

fn refused(ran: &Ran, why: &str) {
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains(why), "{why}: {}", ran.snapshot());
}

/// What the steps of the plan left.
fn done(fan: &Fan) -> bool {
    fan.home().join("done").exists() || fan.work().join("done").exists()
}

#[test]
fn a_plan_is_read_by_people_and_run_as_it_is() {
    let fan = fan();
    let file = plan(&fan, &["deploy:version=7"]);
    let about = fs::metadata(fan.work().join("p.json")).unwrap();
    assert_eq!(about.mode() & 0o777, 0o600);
    let text = file.to_string();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(file["schema"], 1);
    assert_eq!(file["title"], "deploy:version=7");
    assert_eq!(file["plan"][0], "deploy on h[1-2] (2)");
    assert_eq!(file["hosts"][1]["host"], "h2");
    let paths = |key: &str| -> Vec<String> {
        file[key].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    };
    assert!(paths("files").iter().any(|path| path.ends_with("tasks.yaml")), "{text}");
    assert!(paths("local_files").iter().any(|path| path.ends_with("conf.j2")), "{text}");
    assert!(!done(&fan), "nothing was run");
    // Looked at once more, it is still only a plan.
    let ran = fan.run(["run", "--from-plan", "p.json", "--plan"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(!done(&fan));
    let ran = fan.run(["run", "--from-plan", "p.json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(done(&fan) && ran.stderr.contains("2 ok"), "{}", ran.snapshot());
}

#[test]
fn what_is_not_as_planned_is_named_and_nothing_is_run() {
    let fan = fan();
    let _ = plan(&fan, &["deploy:version=7"]);
    let planned = |name: &str| fs::read_to_string(fan.work().join(name)).unwrap();
    for (name, from, to, why) in [
        ("tasks.yaml", "shop", "shops", "tasks.yaml has changed"),
        ("inventory.yaml", "red", "blue", "variables of host h1 have other values"),
        ("inventory.yaml", "[h1, h2]", "[h1, h2, h3]", "host h3 is new"),
        ("inventory.yaml", "[h1, h2]", "[h1]", "host h2 is not among the hosts any more"),
        ("dist/app", "1", "2", "has changed"),
        ("conf.j2", "app", "task", "conf.j2 has changed"),
        ("p.json", "version=7", "version=8", "p.json was changed since fan wrote it"),
        ("p.json", "\"schema\": 1", "\"schema\": 2", "p.json was made by a later fan"),
        ("p.json", "{", "", "p.json is no plan"),
        ("p.json", "\"title\"", "\"more\": 1, \"title\"", "p.json was changed since fan wrote it"),
    ] {
        let before = planned(name);
        fs::write(fan.work().join(name), before.replacen(from, to, 1)).unwrap();
        refused(&fan.run(["run", "--from-plan", "p.json"]), why);
        fs::write(fan.work().join(name), before).unwrap();
    }
    fs::write(fan.work().join("dist/new"), "").unwrap();
    refused(&fan.run(["run", "--from-plan", "p.json"]), "not as planned: local file");
    fs::remove_file(fan.work().join("dist/new")).unwrap();
    refused(&fan.run(["run", "--from-plan", "nosuch.json"]), "cannot read the plan nosuch.json");
    // What the plan decides cannot be said beside it.
    let ran = fan.run(["run", "--from-plan", "p.json", "-H", "h1", "--serial", "1"]);
    refused(&ran, "-H has no effect: the plan's file decides that");
    refused(&fan.run(["run", "deploy:version=1", "--out", "q.json"]), "--out has no effect");
    assert!(!done(&fan));
    let ran = fan.run(["run", "--from-plan", "p.json"]);
    assert_eq!(ran.code, Some(0), "as it was: {}", ran.snapshot());
}

#[test]
fn secrets_are_given_again() {
    let fan = fan();
    let file = plan(&fan, &["needs_key", "-e", "api_key=the-key-of-the-api"]);
    assert!(!file.to_string().contains("the-key-of"), "{file}");
    refused(&fan.run(["run", "--from-plan", "p.json"]), "give it again: -e api_key=...");
    let ran = fan.run(["run", "--from-plan", "p.json", "-e", "api_key=another-key-of-it"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let key = [fan.home().join("key"), fan.work().join("key")]
        .into_iter()
        .find_map(|path| fs::read_to_string(path).ok());
    assert_eq!(key.unwrap().trim(), "another-key-of-it");
    // A secret of the command line that has no name cannot be left out of it.
    let ran = fan.run(["run", "needs_key:the-key-of-the-api", "--plan", "--out", "q.json"]);
    refused(&ran, "a plan's file holds no secret");
    assert!(!fan.work().join("q.json").exists());
}

#[test]
fn who_runs_it_answers_for_protected_roles() {
    let fan = fan();
    let _ = plan(&fan, &["prod", "--confirm", "prod"]);
    refused(&fan.run(["run", "--from-plan", "p.json"]), "prod");
    assert!(!done(&fan));
    let ran = fan.run(["run", "--from-plan", "p.json", "--confirm", "prod"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(done(&fan));
}

#[test]
fn its_run_is_resumed_as_any_other() {
    let fan = fan();
    let _ = plan(&fan, &["fails", "-H", "h1"]);
    let ran = fan.run(["run", "--from-plan", "p.json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let home = if fan.home().join("done").exists() { fan.home() } else { fan.work() };
    fs::write(home.join("later"), "").unwrap();
    let ran = fan.run(["resume", "-y"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(fs::read_to_string(home.join("done")).unwrap(), "last\n");
}
