//! Whole files through the loaders: every message about every bad file in one snapshot, good files as models,
//! limits in bytes and time, and that nothing a file holds makes fan panic.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use crate::config::{
    Diagnostics, Loaded, load_inventory, load_inventory_text, load_tasks, load_tasks_text, load_vars_file,
};
use crate::model::files::{LineEdit, LinePlace, Links, Mode};
use crate::model::inventory::Inventory;
use crate::model::range::MAX_HOSTS;
use crate::model::secret::SecretSource;
use crate::model::settings::{AgentSetting, GatewaySetting, HostKeyPolicy, OnDisconnect, Sourced, Transport};
use crate::model::task::{Action, Command, Step, TaskFile, Template, TemplateText};
use crate::model::value::Value;

/// The YAML files of a folder below tests/data, sorted, as paths that do not depend on the machine.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("tests/data").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn inventory(text: &str) -> Loaded<Inventory> {
    load_inventory_text("inventory.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn inventory_errors(text: &str) -> String {
    load_inventory_text("f", text).unwrap_err().to_string()
}

fn tasks(text: &str) -> TaskFile {
    load_tasks_text("tasks.yaml", text).unwrap_or_else(|errors| panic!("{errors}")).value
}

#[test]
fn messages_about_bad_files() {
    let mut shown = String::new();
    let mut note = |path: &Path, errors: Option<Diagnostics>| {
        let errors = errors.map_or_else(|| "NO ERROR".to_owned(), |errors| errors.to_string());
        // Only the name: the folder would hide the messages.
        let errors = errors.replace(&format!("{}/", path.parent().unwrap().display()), "");
        writeln!(shown, "== {}\n{errors}\n", path.strip_prefix("tests/data/bad").unwrap().display()).unwrap();
    };
    for path in files("bad/inventory") {
        note(&path, load_inventory(&path, MAX_HOSTS).err());
    }
    for path in files("bad/tasks") {
        note(&path, load_tasks(&path).err());
    }
    for path in files("bad/vars") {
        note(&path, load_vars_file(&path).err());
    }
    assert!(!shown.contains("NO ERROR"), "{shown}");
    assert!(!shown.contains("hunter2"), "a secret is quoted: {shown}");
    insta::assert_snapshot!("bad_files", shown);
}

#[test]
fn good_files_load_without_warnings() {
    for path in files("good/inventory") {
        let loaded = load_inventory(&path, MAX_HOSTS).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loaded.warnings, [], "{}", path.display());
    }
    for path in files("good/tasks") {
        let loaded = load_tasks(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loaded.warnings, [], "{}", path.display());
    }
}

#[test]
fn settings_keep_their_literal_text_and_origin() {
    let inventory =
        load_inventory(Path::new("tests/data/good/inventory/everything.yaml"), MAX_HOSTS).unwrap().value;
    let host = |name: &str| &inventory.hosts[inventory.host_index(name).unwrap()];
    let text =
        |value: &Option<crate::model::settings::Sourced<String>>| value.as_ref().unwrap().value.clone();

    assert_eq!(inventory.hosts.len(), 11);
    assert_eq!(host("web1").settings.port.as_ref().unwrap().value, 2222);
    assert_eq!(text(&host("1e3").settings.user), "123");
    assert_eq!(text(&host("local").settings.user), "no");
    assert_eq!(host("local").settings.transport.as_ref().unwrap().value, Transport::Local);
    assert_eq!(host("1e3").settings.agent.as_ref().unwrap().value, AgentSetting::Environment);
    let web2 = &host("web2").settings;
    assert_eq!(text(&web2.user), "deploy", "merged with <<");
    assert_eq!(
        web2.identity.as_ref().unwrap().value,
        ["~/.ssh/id_ed25519", "tests/data/good/inventory/keys/deploy", "/etc/fan/key"]
    );
    assert_eq!(web2.agent.as_ref().unwrap().value, AgentSetting::Socket("~/.ssh/agent.sock".into()));
    let env: Vec<_> = web2.env.iter().map(|(name, value)| format!("{name}={}", value.value)).collect();
    assert_eq!(env, ["EMPTY=", "LANG=C", "YES=yes", "ZERO=0"]);
    assert_eq!(
        inventory.defaults.user.as_ref().unwrap().origin.to_string(),
        "defaults (tests/data/good/inventory/everything.yaml:4:3)"
    );
    let db = &inventory.roles[inventory.role_index("db").unwrap()];
    assert_eq!(
        db.settings.user.as_ref().unwrap().origin.to_string(),
        "role db (tests/data/good/inventory/everything.yaml:38:22)"
    );
    assert_eq!(
        Value::Object(inventory.vars.values().clone()),
        json!({
            "env": "staging", "pi": 3.5, "version": "1.10", "mode": "0755", "on": "off", "nothing": null,
            "list": [1, "a"], "map": {"deep": {"er": true}}
        })
    );
}

#[test]
fn the_way_to_a_host_and_who_it_is() {
    let inventory =
        load_inventory(Path::new("tests/data/good/inventory/everything.yaml"), MAX_HOSTS).unwrap().value;
    let settings = |name: &str| &inventory.hosts[inventory.host_index(name).unwrap()].settings;
    fn value<T>(setting: &Option<Sourced<T>>) -> &T {
        &setting.as_ref().unwrap().value
    }
    let hops = |hops: &[&str]| GatewaySetting::Hops(hops.iter().map(ToString::to_string).collect());

    assert_eq!(*value(&inventory.defaults.gateway), GatewaySetting::Direct);
    let inner = settings("inner");
    assert_eq!(*value(&inner.gateway), hops(&["jump@bastion:2222", "[2001:db8::2]:22"]));
    assert!(value(&inner.forward_agent));
    assert_eq!(*value(&inner.on_disconnect), OnDisconnect::Kill);
    assert_eq!(*value(&inner.host_keys), HostKeyPolicy::Ask);
    let deep = settings("deep");
    assert_eq!(*value(&deep.gateway), hops(&["bastion", "inner", "root@192.0.2.9"]));
    assert_eq!(*value(&deep.password), SecretSource::Env("DEPLOY_PASSWORD".into()));
    assert_eq!(*value(&deep.certificates), ["tests/data/good/inventory/keys/deploy-cert.pub", "~/.ssh/c"]);
    assert_eq!(*value(&deep.revoked_host_keys), ["tests/data/good/inventory/revoked"]);
    assert_eq!(value(&deep.host_key_alias), "Inner-1");
    assert_eq!(
        *value(&deep.host_key),
        [
            "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
        ]
    );
    assert_eq!(*value(&settings("asked").password), SecretSource::Prompt("Password of asked: ".into()));
    assert_eq!(*value(&settings("asked").host_keys), HostKeyPolicy::AcceptNew);
    let filed = settings("filed");
    assert_eq!(*value(&filed.password), SecretSource::File("tests/data/good/inventory/secrets/filed".into()));
    assert_eq!(*value(&filed.on_disconnect), OnDisconnect::Leave);
    assert_eq!(*value(&filed.host_keys), HostKeyPolicy::Strict);
    assert_eq!(*value(&settings("told").password), SecretSource::Command("pass show told".into()));
}

#[test]
fn a_role_with_the_name_of_a_host_is_worth_a_warning() {
    let loaded = inventory("hosts: [web, db]\nroles:\n  web: [web]\n");
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["inventory.yaml:3:3: warning: role \"web\" has the name of a host"]);
}

#[test]
fn values_that_a_second_shell_reads_are_worth_a_warning() {
    let text = r#"
tasks:
  a:
    - run: |
        true
        ssh db "rm '{{ x }}'"
    - &step
      local: sh -c 'echo "{{ x }}"'
    - *step
    - {run: "ssh db \"rm '{{ x }}'\"", shell: python3}
    - {run: "ssh db \"rm '{{ x }}'\"", shell: bash}
    - {block: [{run: "ssh db \"rm {{ x }}\""}], shell: fish}
    - {echo: "ssh db 'rm \"{{ x }}\"'"}
    - {run: "true", unless: "ssh db 'test -e \"{{ x }}\"'"}
"#;
    let loaded = load_tasks_text("tasks.yaml", text).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"), @r#"
    tasks.yaml:6:24: warning: value of "x" is quoted for this shell, but the quotes around it are read by another one (ssh) (help: write {{ x | quote }} without quotes around it)
    tasks.yaml:8:30: warning: value of "x" is quoted for this shell, but the quotes around it are read by another one (sh) (help: write {{ x | quote }} without quotes around it)
    tasks.yaml:11:14: warning: value of "x" is quoted for this shell, but the quotes around it are read by another one (ssh) (help: write {{ x | quote }} without quotes around it)
    tasks.yaml:14:30: warning: value of "x" is quoted for this shell, but the quotes around it are read by another one (ssh) (help: write {{ x | quote }} without quotes around it)
    "#);
}

#[test]
fn paths_are_relative_to_the_inventory() {
    let read = |file: &str| {
        let loaded =
            load_inventory_text(file, "hosts: [a]\ndefaults: {identity: keys/k, agent: ./s}").unwrap();
        let defaults = loaded.value.defaults;
        (defaults.identity.unwrap().value, defaults.agent.unwrap().value)
    };
    assert_eq!(
        read("/etc/fan/i.yaml"),
        (vec!["/etc/fan/keys/k".into()], AgentSetting::Socket("/etc/fan/./s".into()))
    );
    assert_eq!(read("i.yaml"), (vec!["keys/k".into()], AgentSetting::Socket("./s".into())));
}

#[test]
fn tasks_become_steps() {
    let file = load_tasks(Path::new("tests/data/good/tasks/everything.yaml")).unwrap().value;
    let short = &file.tasks["short"];
    assert!(matches!(&short.steps[0].action, Action::Run(Command::Script(text)) if &*text.value == "uptime"));
    let Action::Run(Command::Argv(argv)) = &short.steps[1].action else { panic!("not a list of words") };
    assert_eq!(argv.iter().map(|word| &*word.value).collect::<Vec<_>>(), ["ls", "-l", "{{ app }}"]);

    let full = &file.tasks["full"];
    assert_eq!(full.desc.as_deref(), Some("All there is"));
    assert_eq!(full.params["version"], None);
    assert_eq!(full.params["force"], Some(json!(false)));
    assert_eq!(full.params["tag"], Some(json!("1.0")));
    assert_eq!(full.roles.iter().map(|role| role.value.to_string()).collect::<Vec<_>>(), ["web", "db"]);
    let first = &full.steps[0];
    let Action::Run(Command::Script(script)) = &first.action else { panic!("not a script") };
    assert_eq!(&*script.value, "echo one\necho {{ version }}\n");
    assert_eq!((script.position.line, script.position.column), (18, 11), "the first line of the text");
    assert_eq!(first.when.as_ref().unwrap().value.as_ref(), "force or version != \"1\"");
    assert_eq!(first.register.as_ref().unwrap().value, "said");
    assert!(first.warn_only);
    assert_eq!(&*first.env["B"].value, "1");
    let keys: Vec<_> = full.steps.iter().map(|step| step.action.key()).collect();
    assert_eq!(keys, ["run", "local", "echo", "set", "fail", "assert", "assert", "assert"]);
    let Action::Set(set) = &full.steps[3].action else { panic!("not set") };
    assert!(matches!(&set["x"], Template::Literal(value) if *value == json!(1)));
    assert!(matches!(&set["y"], Template::Text(text) if &*text.value == "{{ said.rc + 1 }}"));
    assert!(file.tasks["only_before"].steps.is_empty());
}

#[test]
fn a_long_chain_of_tasks_costs_no_stack() {
    let mut text = String::from("tasks:\n");
    for n in 0..20_000 {
        writeln!(text, "  t{n}: {{before: [t{}]}}", n + 1).unwrap();
    }
    assert_eq!(tasks(&format!("{text}  t20000: [x]\n")).tasks.len(), 20_001);
}

#[test]
fn what_is_too_complex_is_refused_at_once() {
    let nested =
        |levels: usize| format!("vars: {{a: {}{}}}\nhosts: [a]\n", "[".repeat(levels), "]".repeat(levels));
    let bomb = {
        let mut text = String::from("vars:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..30 {
            let list = vec![format!("*a{}", n - 1); 10].join(", ");
            writeln!(text, "  a{n}: &a{n} [{list}]").unwrap();
        }
        text
    };
    let anchors = format!("vars: {{a: {}1{}}}", "[&a ".repeat(60), "]".repeat(60));
    inventory(&format!("{anchors}\nhosts: [a]\n"));
    inventory(&nested(60));
    let deep_aliases = {
        let mut text = String::from("vars:\n  a0: &a0 [x]\n");
        for n in 1..80 {
            writeln!(text, "  a{n}: &a{n} [*a{}]", n - 1).unwrap();
        }
        text
    };
    for (what, text) in [
        ("levels of brackets", nested(70)),
        ("100,000 brackets", format!("hosts: {}", "[".repeat(100_000))),
        ("100,000 braces", format!("hosts: {}", "{a: ".repeat(100_000))),
        ("levels of lists", format!("hosts:\n{}x\n", "- ".repeat(100_000))),
        ("aliases", bomb),
        ("depth by aliases", deep_aliases),
        (
            "text by aliases",
            format!("vars:\n  a: &a {}\n  b: [{}]\n", "x".repeat(100_000), "*a, ".repeat(500)),
        ),
        (
            "copies of anchors",
            format!("vars: {{a: {}{}{}}}", "[&a ".repeat(60), "1,".repeat(100_000), "]".repeat(60)),
        ),
    ] {
        let errors = inventory_errors(&text);
        assert!(errors.contains("YAML too complex (limit 64 levels / 250000 nodes)"), "{what}: {errors}");
    }
    // An inventory may have many more than a tasks file.
    let many = format!("vars: {{a: [{}]}}", "1,".repeat(250_001));
    inventory(&format!("{many}\nhosts: [a]\n"));
    let errors = load_tasks_text("f", &many).unwrap_err().to_string();
    assert!(errors.contains("YAML too complex (limit 64 levels / 250000 nodes)"), "{errors}");
}

#[test]
fn thousands_of_hosts_load() {
    let mut text = String::from("hosts:\n");
    for n in 0..5000 {
        let (a, b) = (n / 250, n % 250);
        writeln!(
            text,
            "  web{n}:\n    address: 10.0.{a}.{b}\n    port: 2222\n    vars: {{index: {n}, rack: r{a}}}"
        )
        .unwrap();
    }
    assert_eq!(inventory(&text).value.hosts.len(), 5000);
}

#[test]
fn there_is_a_limit_of_hosts() {
    let mut text = String::from("hosts:\n");
    for n in 0..10_003 {
        writeln!(text, "- h{n}").unwrap();
    }
    assert_eq!(
        inventory_errors(&text),
        "f:10002:3: error: more than 10000 hosts (help: raise the limit with --max-hosts)"
    );
}

/// Text in which YAML's signs are frequent.
fn yaml_like() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "hosts", "roles", "vars", "tasks", "steps", "run", "web1", "a", ": ", ":", "- ", "\n", "\n  ",
        "\n    ", "{", "}", "[", "]", ", ", "\"", "'", "&a ", "*a", "<<", "!t ", "| ", "|\n", ">\n", "---",
        "...", "#", " ", "\t", "? ", "%", "@", "{{ x }}", "~", "1", "0x1", "\r\n", "é", "\u{feff}", "\\",
        "null",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![yaml_like(), any::<String>()]) {
        for errors in [load_inventory_text("f", &text).err(), load_tasks_text("f", &text).err()].into_iter().flatten() {
            prop_assert!(!errors.errors().is_empty());
            let lines = u32::try_from(text.split('\n').count()).unwrap();
            for error in errors.errors() {
                // YAML ends lines at \r as well, so there may be more of them than \n tells.
                if let Some(at) = &error.position && !text.contains('\r') {
                    prop_assert!(at.line <= lines, "{error} in {text:?}");
                }
            }
        }
    }

    #[test]
    fn no_value_makes_it_panic(text in prop_oneof![yaml_like(), any::<String>()]) {
        crate::config::given::parse_value(&text);
        let text = format!("hosts:\n  a: {{port: {text}, vars: {{x: {text}}}}}\nvars: [{text}]\n");
        let _ = load_inventory_text("f", &text);
    }
}

#[test]
fn the_example_files_load() {
    let loaded = load_inventory(Path::new("inventory.example.yaml"), MAX_HOSTS)
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.warnings, []);
    let roles: Vec<_> = loaded.value.roles.iter().map(|role| role.name.to_string()).collect();
    assert_eq!(roles, ["web", "db", "app"]);
    assert_eq!(loaded.value.hosts.last().unwrap().settings.port.as_ref().unwrap().value, 2222);
    let loaded = load_tasks(Path::new("tasks.example.yaml")).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.warnings, []);
    let names: Vec<_> = loaded.value.tasks.keys().map(String::as_str).collect();
    assert_eq!(names, ["hello", "uptime", "disk", "check", "deploy", "cleanup"]);
}

/// The tutorial promises to need nothing but a shell and an empty home folder.
#[test]
fn the_scripts_of_the_tutorial_run_in_an_empty_home() {
    let home = tempfile::tempdir().unwrap();
    let file = load_tasks(Path::new("tasks.example.yaml")).unwrap().value;
    let fill = |text: &str| {
        [("app", "fan-tutorial"), ("release", "releases/1.0"), ("version", "1.0")]
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{ {name} }}}}"), value))
    };
    let mut said = String::new();
    for step in ["uptime", "disk", "check", "deploy"].iter().flat_map(|task| &file.tasks[*task].steps) {
        let mut command = match &step.action {
            Action::Run(Command::Script(script)) | Action::Local(Command::Script(script)) => {
                let mut shell = std::process::Command::new("sh");
                shell.args(["-eu", "-c", &fill(&script.value)]);
                shell
            }
            Action::Run(Command::Argv(argv)) => {
                let mut program = std::process::Command::new(fill(&argv[0].value));
                program.args(argv[1..].iter().map(|word| fill(&word.value)));
                program
            }
            _ => continue,
        };
        let folder = step.cd.as_ref().map(|cd| fill(&cd.value)).unwrap_or_default();
        command.current_dir(home.path().join(folder)).env("HOME", home.path());
        command.envs(step.env.iter().map(|(name, value)| (name, fill(&value.value))));
        let output = command.output().unwrap();
        assert!(output.status.success() || step.warn_only, "{step:?}: {output:?}");
        said = String::from_utf8(output.stdout).unwrap();
    }
    assert!(said.starts_with("version 1.0\ndeployed to "), "{said}");
    assert_eq!(
        fs::read_link(home.path().join("fan-tutorial/current")).unwrap(),
        Path::new("releases/1.0"),
        "the link is switched"
    );
}

#[test]
fn ranges_expand_and_addresses_are_dealt_out() {
    let inventory = inventory(
        "hosts:\n  web[01-03]: {address: \"192.0.2.[11-13]\"}\n  db[1-2]: {address: 192.0.2.21}\n  198.51.100.0/30:\n\
         roles:\n  app: {roles: [web, db]}\n  web: [\"web*\"]\n  db: [\"db[1-2]\"]\n",
    )
    .value;
    let hosts: Vec<_> = inventory
        .hosts
        .iter()
        .map(|host| match &host.settings.address {
            Some(address) => format!("{}={}", host.name, address.value),
            None => host.name.to_string(),
        })
        .collect();
    assert_eq!(
        hosts,
        [
            "web01=192.0.2.11",
            "web02=192.0.2.12",
            "web03=192.0.2.13",
            "db1=192.0.2.21",
            "db2=192.0.2.21",
            "198.51.100.1",
            "198.51.100.2",
        ]
    );
    assert_eq!(inventory.members, [vec![0, 1, 2, 3, 4], vec![0, 1, 2], vec![3, 4]]);
}

#[test]
fn steps_on_files_are_read_with_all_their_keys() {
    let file = load_tasks(Path::new("tests/data/good/tasks/files.yaml")).unwrap().value;
    let steps = &file.tasks["files"].steps;
    let words = |texts: &[TemplateText]| {
        texts.iter().map(|text| text.value.to_string()).collect::<Vec<_>>().join(" ")
    };

    let Action::Put(put) = &steps[0].action else { panic!("{:?}", steps[0].action) };
    assert_eq!((words(&put.from).as_str(), &*put.to.value), ("dist/{{ host }}.tgz", "/srv/"));
    assert_eq!(put.attributes.mode, Some(Mode(0o644)), "0644 without quotes too");
    assert_eq!(&*put.attributes.group.as_ref().unwrap().value, "33");
    assert!(put.install.backup && put.install.follow && !put.tree.times);
    assert_eq!(&*put.install.validate.as_ref().unwrap().value, "tar -tf %s {{ host }}");
    assert!(steps[0].becomes().is_some() && steps[0].cd.is_some() && steps[0].timeout.is_some());

    let Action::Put(put) = &steps[1].action else { panic!("{:?}", steps[1].action) };
    assert_eq!(words(&put.from), "dist/ conf/*.conf");
    assert_eq!((put.tree.links, put.tree.times), (Links::Follow, true));
    assert_eq!((put.tree.exclude[0].value.as_str(), put.attributes.dir_mode), ("*.log", Some(Mode(0o2755))));

    let Action::Get(get) = &steps[2].action else { panic!("{:?}", steps[2].action) };
    let globs: Vec<&str> = get.tree.exclude.iter().map(|glob| glob.value.as_str()).collect();
    assert_eq!(globs, ["*.gz", "!keep.gz", "/top", "tmp/"]);
    assert_eq!(get.tree.links, Links::Skip);

    for (index, delete, times) in [(3, true, true), (4, false, false)] {
        let Action::Sync(sync) = &steps[index].action else { panic!("{:?}", steps[index].action) };
        assert_eq!((sync.delete, sync.tree.times, sync.tree.links), (delete, times, Links::Keep));
    }
    assert!(matches!(&steps[5].action, Action::Template(file) if &*file.from.value == "nginx.conf.j2"));

    let states = steps[6..10].iter().map(|step| match &step.action {
        Action::File(file) => format!("{:?} {:?}", file.state, file.attributes.mode),
        other => panic!("{other:?}"),
    });
    let states: Vec<String> = states.collect();
    assert_eq!(&states[..3], ["Present None", "Absent { recurse: true } None", "Directory Some(Mode(488))"]);
    assert!(states[3].starts_with("Link { target:"), "{}", states[3]);

    let edit = |index: usize| match &steps[index].action {
        Action::Line(line) => line.edit.clone(),
        other => panic!("{other:?}"),
    };
    assert!(
        matches!(edit(10), LineEdit::Present { matching: Some(regex), place: LinePlace::After(_), .. } if regex.value == r"^web\d+\s")
    );
    assert!(matches!(edit(11), LineEdit::Present { matching: None, place: LinePlace::Before(_), .. }));
    assert!(matches!(edit(12), LineEdit::Present { place: LinePlace::Start, .. }));
    assert!(matches!(edit(13), LineEdit::Absent { matching } if matching.value == r"^a\.b \(c\)$"));
    assert!(matches!(edit(14), LineEdit::Absent { matching } if matching.value == "(?i)x"));
    assert!(
        matches!(&steps[15], Step { action: Action::Stat(path), run_as: Some(_), .. } if &*path.value == "/srv/{{ host }}")
    );
    assert!(matches!(&steps[16].action, Action::Ls(_)));
}
