//! `fan facts --save` and `fan fleet`: what was saved is shown, with the host gone or changed, and files that cannot be used.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::fixtures::support::{Fan, Ran, sandbox};
use fan::testing::sandbox::Behaviour;

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.snapshot()))
}

fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    ran
}

/// The first words of the lines of a table.
fn first_words(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_shown_without_contact() {
    let hosts = [("web1", Behaviour::Normal), ("web2", Behaviour::RefuseAuth), ("db1", Behaviour::Normal)];
    let sandbox = sandbox(hosts).await;
    let fan = Fan::of(&sandbox);
    let ran = fan.run(["fleet"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("there is no fleet file") && ran.stderr.contains("--save"),
        "{}",
        ran.snapshot()
    );
    let ran = fan.run(["facts", "--save"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("saved: 2 hosts, 2 new"), "{}", ran.snapshot());
    drop(sandbox);

    let table = ok(fan.run(["fleet"]));
    assert_eq!(first_words(&table), ["HOST", "db1", "web1", "web2"], "{}", table.snapshot());
    assert!(table.stdout.lines().last().unwrap().contains("auth_failed"), "{}", table.snapshot());
    let told = json(&ok(fan.run(["fleet", "-o", "json"])));
    assert_eq!(told["hosts"]["web1"]["facts"]["kernel"]["name"], "Linux");
    assert_eq!(told["hosts"]["web2"].get("facts"), None);
    assert!(told["hosts"]["web2"]["failure"].as_str().unwrap().contains("auth_failed"), "{told}");
    let csv = ok(fan.run(["fleet", "-o", "csv", "--columns", "kernel.name,memory.total,failure"]));
    let lines: Vec<&str> = csv.stdout.split("\r\n").collect();
    assert_eq!(lines[0], "host,kernel.name,memory.total,failure");
    let memory = told["hosts"]["web1"]["facts"]["memory"]["total"].to_string();
    assert_eq!(lines[2], format!("web1,Linux,{memory},"));
    let few = json(&ok(fan.run(["fleet", "-o", "json", "--columns", "kernel.name"])));
    assert_eq!(few["hosts"]["db1"], serde_json::json!({"kernel.name": "Linux"}));

    let kept = ok(fan.run(["fleet", "--where", "facts.kernel.name == \"Linux\" and host != \"db1\""]));
    assert_eq!(first_words(&kept), ["HOST", "web1"]);
    assert!(kept.stderr.contains("1 host, such as web2: it never answered"), "{}", kept.snapshot());
    let stale = ok(fan.run(["fleet", "--stale", "1d"]));
    assert_eq!(first_words(&stale), ["HOST", "web2"], "who never answered is stale");
    let page = ok(fan.run(["fleet", "web1"]));
    for part in ["web1\n", "first seen", "last seen", "SINCE 30D AGO", "load"] {
        assert!(page.stdout.contains(part), "{part}: {}", page.snapshot());
    }
    let silent = ok(fan.run(["fleet", "web2"]));
    assert!(
        silent.stdout.contains("last seen  never") && silent.stdout.contains("auth_failed"),
        "{}",
        silent.snapshot()
    );
    assert!(ok(fan.run(["fleet", "changes"])).stderr.contains("no changes"));
    ok(fan.run(["fleet", "forget", "web2"]));
    assert_eq!(first_words(&ok(fan.run(["fleet"]))), ["HOST", "db1", "web1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_answered() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox);
    let db = fan.work().join("fleet.db");
    let name = db.to_str().unwrap();
    ok(fan.run(["facts", "--save", "--db", name]));
    assert_eq!(fs::metadata(&db).unwrap().permissions().mode() & 0o777, 0o600);
    for (words, said) in [
        (&["fleet", "--db", name, "web2"][..], "did you mean \"web1\"?"),
        (&["fleet", "--db", name, "--where", "facts.os.naem == 1"], "did you mean \"facts.os.name\"?"),
        (&["fleet", "--db", name, "--where", "stage == \"x\""], "undefined variable \"stage\""),
        (&["fleet", "--db", name, "--where", "facts.os.id =="], "--where 'facts.os.id =='"),
        (&["fleet", "--db", name, "--columns", "os.id,kernel.relase"], "did you mean \"kernel.release\"?"),
        (&["fleet", "--db", name, "web1", "--columns", "os.id"], "for the table of all hosts"),
        (&["fleet", "--db", "inventory.yaml"], "is not a fleet file"),
        (&["fleet", "forget", "--db", name, "web1", "nobody"], "no host \"nobody\""),
        (&["fleet", "--stale", "none"], "such as 12h"),
        (&["facts", "--db", name], "add --save"),
        (&["facts", "--save", "--db", "inventory.yaml"], "is not a fleet file"),
    ] {
        let ran = fan.run(words);
        assert_eq!(ran.code, Some(2), "{words:?}: {}", ran.snapshot());
        assert!(ran.stderr.contains(said), "{words:?}: {}", ran.snapshot());
    }
    assert_eq!(first_words(&ok(fan.run(["fleet", "--db", name]))), ["HOST", "web1"], "nobody was forgotten");
}

/// The results are shown, and the exit code tells that they were not saved.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_an_error_of_this_machine() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox);
    let ran = fan.run(["facts", "--save", "--db", "/proc/fleet.db"]);
    assert_eq!(ran.code, Some(5), "{}", ran.snapshot());
    assert!(ran.stderr.contains("fleet file"), "{}", ran.snapshot());
}

const CHOOSING: &str = "\
tasks:
  audit:
    hosts: [all]
    steps:
      - facts: {save: true}
  look:
    hosts: [all]
    steps:
      - facts: true
";

/// A task keeps facts where it says so; what was kept chooses hosts, and none of them is asked for that.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_save_and_what_was_saved_chooses() {
    let sandbox = sandbox([("web1", Behaviour::Normal), ("web2", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", CHOOSING);
    let wrong = fan.file("tasks.yaml", CHOOSING.replace("save: true", "saved: true"));
    let ran = wrong.run(["run", "audit"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("did you mean \"save\"?"), "{}", ran.snapshot());
    let fan = wrong.file("tasks.yaml", CHOOSING);
    ok(fan.run(["run", "look"]));
    assert_eq!(fan.run(["fleet"]).code, Some(2), "nothing was saved");
    ok(fan.run(["run", "audit", "--dry-run"]));
    assert_eq!(fan.run(["fleet"]).code, Some(2), "nothing is saved in a dry run");
    ok(fan.run(["run", "audit"]));
    assert_eq!(first_words(&ok(fan.run(["fleet"]))), ["HOST", "web1", "web2"]);

    // Nobody is there any more; what was kept is enough to choose nobody, and no more.
    let inventory = fs::read_to_string(fan.work().join("inventory.yaml")).unwrap();
    let mut parts = inventory.split("port: ");
    let first = parts.next().unwrap().to_owned();
    let nobody = parts
        .fold(first, |yaml, part| yaml + "port: 1" + part.trim_start_matches(|c: char| c.is_ascii_digit()));
    let fan = fan.file("inventory.yaml", nobody);
    let cached = |expression: &str| {
        fan.run(["exec", "-H", "all", "--where", expression, "--cached", "1h", "--", "true"])
    };
    let ran = cached("facts.kernel.name == 'Other'");
    assert!(ran.code == Some(2) && ran.stderr.contains("no hosts left"), "{}", ran.snapshot());
    let ran = cached("facts.kernel.name == 'Linux' and host == 'web1'");
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("1 unreachable") || ran.stderr.contains("web1"), "{}", ran.snapshot());
    let ran = fan.run(["exec", "-H", "all", "--cached", "1h", "--", "true"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("add --where"), "{}", ran.snapshot());
}

/// What a secret covers is hidden in the file as in all that is told.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_in_the_file() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let name = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim().to_owned();
    let tasks = "secrets:\n  token: {env: TOKEN}\ntasks:\n  audit:\n    hosts: [all]\n    steps:\n      - facts: {save: true}\n      - run: 'true {{ token }}'\n";
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks).env("TOKEN", &name);
    fan.run(["run", "audit"]);
    let state = fan.home().join(".local/state/fan");
    for file in ["fleet.db", "fleet.db-wal"] {
        let bytes = fs::read(state.join(file)).unwrap_or_default();
        assert!(!bytes.windows(name.len()).any(|window| window == name.as_bytes()), "{file}");
    }
    assert!(state.join("fleet.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_by_extension() {
    let sandbox = sandbox([("web1", Behaviour::Normal), ("web2", Behaviour::RefuseAuth)]).await;
    let fan = Fan::of(&sandbox);
    assert_eq!(fan.run(["facts", "--save"]).code, Some(3));
    let files = ["f.html", "f.xlsx", "f.csv", "f.json", "f.md", "f.prom"];
    ok(fan.run([&["fleet", "report"][..], &files].concat()));
    for file in files {
        assert!(fs::metadata(fan.work().join(file)).unwrap().len() > 100, "{file}");
    }
    // What was saved just now is shown, however far the page looks back.
    for since in ["1h", "30d", "365d"] {
        ok(fan.run(["fleet", "report", "now.html", "--since", since]));
        let page = fs::read_to_string(fan.work().join("now.html")).unwrap();
        assert_eq!(page.matches("No numbers for this time").count(), 1, "{since}: only web2 has none");
        assert!(page.contains("<b>load</b>"), "{since}");
    }
    let ran = fan.run(["fleet", "report", "f.pdf"]);
    assert!(ran.code == Some(2) && ran.stderr.contains(".prom"), "{}", ran.snapshot());
    let ran = fan.run(["fleet", "report", "nowhere/f.md"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("mkdir -p nowhere"), "{}", ran.snapshot());
    let ran = ok(fan.run(["fleet", "report", "--where", "host == \"web1\"", "one.md"]));
    assert!(
        fs::read_to_string(fan.work().join("one.md")).unwrap().contains("**1 host**"),
        "{}",
        ran.snapshot()
    );

    // Another program's reader of workbooks.
    #[cfg(target_os = "linux")]
    {
        let script = r#"
import sys, openpyxl
book = openpyxl.load_workbook(sys.argv[1])
assert book.sheetnames == ["Hosts", "Disks", "Versions", "Changes"], book.sheetnames
hosts = book["Hosts"]
assert [cell.value for cell in hosts["A"]] == ["host", "web1", "web2"]
assert hosts.auto_filter.ref == "A1:M3" and hosts.freeze_panes == "A2", (hosts.auto_filter.ref, hosts.freeze_panes)
assert hosts["C3"].value.startswith("auth_failed"), hosts["C3"].value
assert isinstance(hosts["H2"].value, float) and hosts["H2"].number_format == "0.0", hosts["H2"].value
rules = [rule for ranges in hosts.conditional_formatting for rule in ranges.rules]
assert sorted(rule.formula[0] for rule in rules) == ["80", "90"], rules
for sheet in book:
    for row in sheet.iter_rows():
        for cell in row:
            assert cell.data_type in "snd", (sheet.title, cell.coordinate, cell.data_type, cell.value)
assert len(book["Versions"]._charts) == 1
"#;
        let read = std::process::Command::new("/usr/bin/python3")
            .args(["-W", "ignore", "-c", script, "f.xlsx"])
            .current_dir(fan.work())
            .output()
            .unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    }
}
