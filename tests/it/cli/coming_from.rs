//! The pages for people who know other tools: whatever fan's side of them says works as it is written there.

use std::fs;
use std::path::Path;

use fan::testing::sandbox::Behaviour;
use serde_json::Value;

use crate::fixtures::support::{Fan, Ran, sandbox};

const PAGES: [&str; 4] =
    ["coming-from-fabric.md", "coming-from-ansible.md", "coming-from-pssh-clush.md", "coming-from-ssh.md"];

/// Commands that would contact hosts or write files, and have no `--plan`: their flags are read, and nothing more.
const PARSED: [&str; 6] = ["ping", "facts", "shell", "console", "trust", "init"];

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// The block that begins with a comment of this name.
fn file(page: &str, name: &str) -> String {
    let found: Vec<&str> =
        yaml(page).into_iter().filter(|block| block.starts_with(&format!("# {name}\n"))).collect();
    assert_eq!(found.len(), 1, "blocks {name}");
    found[0].to_owned()
}

fn yaml(page: &str) -> Vec<&str> {
    page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Every command line of fan in a page: in its tables, and in its text.
fn commands(page: &str) -> Vec<String> {
    let mut outside = String::new();
    for (number, part) in page.split("\n```").enumerate() {
        if number % 2 == 0 {
            outside += part;
        }
    }
    let spans = outside.split('`').skip(1).step_by(2);
    spans
        .filter(|span| span.starts_with("fan ") && span.len() > 9)
        .map(|span| span.replace("\\|", "|"))
        .collect()
}

/// fan with a page's files, and those of the operator that its commands name.
fn kitchen(page: &str) -> Fan {
    Fan::new()
        .file("inventory.yaml", file(page, "inventory.yaml"))
        .file("tasks.yaml", file(page, "tasks.yaml"))
        .file("other.yaml", file(page, "tasks.yaml"))
        .file("vars.yaml", "a: 1\n")
        .file("hosts.txt", "web01\nweb02\n")
        .file("app.conf", "x\n")
        .file("app.conf.j2", "{{ app }}\n")
        .file("dist/shop.tgz", "x\n")
        .file("site/index.html", "x\n")
        .file("team.conf", "Host *\n  User deploy\n")
        .file("setup.sh", "uptime\n")
        .env("FAN_PLAN", "true")
        .in_script("BINARY=$1; shift; fan() { \"$BINARY\" \"$@\"; }; eval \"$1\"")
}

fn quiet(ran: Ran, what: &str) -> Ran {
    assert_eq!(ran.code, Some(0), "{what}\n{}", ran.snapshot());
    assert!(!ran.stderr.contains("warning"), "{what}\n{}", ran.snapshot());
    ran
}

/// The command line, which is planned and no more (`FAN_PLAN`); with `--help` for those that have no plan.
fn harmless(line: &str) -> String {
    let command = line.split(' ').nth(1).unwrap();
    if !PARSED.contains(&command) {
        return line.to_owned();
    }
    // What follows the host of a shell is its command.
    let at = if command == "shell" {
        line.match_indices(' ').nth(2).map_or(line.len(), |(at, _)| at)
    } else {
        line.len()
    };
    format!("{} --help{}", &line[..at], &line[at..])
}

#[test]
fn every_command_line_is_taken() {
    for name in PAGES {
        let page = page(name);
        let fan = kitchen(&page);
        let commands = commands(&page);
        assert!(commands.len() > 15, "{name}: {commands:?}");
        for line in commands {
            let ran = quiet(fan.run([harmless(&line)]), &format!("{name}: {line}"));
            assert!(!ran.stdout.is_empty(), "{name}: {line}");
        }
    }
}

#[test]
fn every_task_can_be_planned() {
    for name in PAGES {
        let page = page(name);
        let fan = kitchen(&page);
        quiet(fan.run(["fan check"]), name);
        let list: Value = serde_json::from_str(&quiet(fan.run(["fan list --json"]), name).stdout).unwrap();
        for task in list.as_array().unwrap() {
            let params = task["params"].as_array().unwrap().iter();
            let required =
                params.filter(|param| param["required"] == true).map(|param| param["name"].as_str().unwrap());
            let args: Vec<String> = required.map(|param| format!("{param}=1")).collect();
            let call = format!("{}:{}", task["name"].as_str().unwrap(), args.join(","));
            let call = call.trim_end_matches(':');
            quiet(fan.run([format!("fan check {call}")]), &format!("{name}: {call}"));
            quiet(fan.run([format!("fan run {call} --plan")]), &format!("{name}: {call}"));
        }
    }
}

#[test]
fn every_module_is_a_step_that_is_read() {
    let page = page("ansible-modules.md");
    let fan = ["app.conf", "app.conf.j2", "setup.sh", "site/index.html", "dist/app.tgz"]
        .into_iter()
        .fold(Fan::new().file("inventory.yaml", "hosts: [h]\n"), |fan, name| fan.file(name, "x\n"));
    let blocks = yaml(&page);
    assert_eq!(blocks.len(), 5);
    let fan = blocks.iter().fold(fan, |fan, block| {
        let fan = fan.file("tasks.yaml", block);
        quiet(fan.run(["check"]), block);
        fan
    });
    drop(fan);
    for module in [
        "apt",
        "dnf",
        "package",
        "pip",
        "copy",
        "template",
        "file",
        "lineinfile",
        "blockinfile",
        "replace",
        "service",
        "systemd",
        "user",
        "group",
        "cron",
        "git",
        "get_url",
        "unarchive",
        "command",
        "shell",
        "script",
        "stat",
        "find",
        "wait_for",
        "uri",
        "debug",
        "assert",
        "set_fact",
        "fail",
        "pause",
        "include_tasks",
        "setup",
        "reboot",
        "mount",
        "sysctl",
        "authorized_key",
        "fetch",
        "synchronize",
        "expect",
        "raw",
        "hostname",
        "timezone",
    ] {
        assert!(page.contains(&format!("# {module}:")), "{module}");
    }
}

/// What stands on the pages as a step or a key is one.
#[test]
fn every_step_of_the_tables_is_read() {
    let mut steps = 0;
    for name in PAGES {
        let page = page(name);
        // `{put: a, to: b}`, wherever it stands.
        for span in page
            .split('`')
            .filter(|span| span.starts_with('{') && span.ends_with('}') && !span.contains("{{"))
        {
            let yaml = format!("tasks:\n  t: {{hosts: [h], steps: [{span}]}}\n");
            let fan = Fan::new().file("inventory.yaml", "hosts: [h]\n").file("tasks.yaml", &yaml);
            quiet(fan.run(["check"]), &format!("{name}: {span}"));
            steps += 1;
        }
    }
    assert!(steps > 8, "{steps}");
}

#[test]
fn every_block_is_somebody_s_and_every_page_is_linked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in PAGES {
        for block in yaml(&page(name)) {
            let first = block.lines().next().unwrap();
            assert!(
                [
                    "# inventory.yaml",
                    "# tasks.yaml",
                    "# fan.yaml",
                    "# site.yml, for Ansible",
                    "# fabric.yaml, for Fabric 2",
                ]
                .contains(&first),
                "{name}: {first}"
            );
        }
        for (list, link) in [("README.md", format!("docs/{name}")), ("docs/README.md", name.to_owned())] {
            assert!(
                fs::read_to_string(root.join(list)).unwrap().contains(&format!("]({link})")),
                "{list}: {link}"
            );
        }
    }
}

/// The files of other tools on the pages are read where fan reads them, and told by their name where not.
#[test]
fn files_of_other_tools_are_read_or_named() {
    let mut seen = 0;
    for name in PAGES {
        let page = page(name);
        for block in page.split("\n```").skip(1).step_by(2) {
            let (kind, text) = block.split_once('\n').unwrap();
            let first = text.lines().next().unwrap_or_default();
            let expected = match first {
                _ if kind == "python" => "fabfile",
                "# site.yml, for Ansible" => "playbook",
                "# hosts.ini, for Ansible" | "# hosts.txt, for pssh" => "",
                "# /etc/clustershell/groups.d/local.cfg, for clush" => "node groups",
                _ => continue,
            };
            seen += 1;
            let fan = Fan::new().file(if kind == "python" { "fabfile.py" } else { "foreign" }, text);
            let ran =
                fan.run(["hosts", "--list", "-i", if kind == "python" { "fabfile.py" } else { "foreign" }]);
            let code = if expected.is_empty() { 0 } else { 2 };
            assert_eq!(ran.code, Some(code), "{first}\n{}", ran.snapshot());
            assert!(ran.stderr.contains(expected), "{first}\n{}", ran.snapshot());
        }
    }
    assert_eq!(seen, 6);
}

/// Commands that read only, on hosts of these names, which ssh_config leads to throw-away ones.
#[tokio::test(flavor = "multi_thread")]
async fn commands_do_on_hosts_what_the_pages_say() {
    const READING: [&str; 3] = ["uptime", "uname -r", "'df -k | tail -1'"];
    let mut done = 0;
    for name in PAGES {
        let page = page(name);
        let list = kitchen(&page).run(["fan hosts --list -R web"]);
        let hosts: Vec<&str> = list.stdout.lines().collect();
        let sandbox = sandbox(hosts.iter().map(|host| (*host, Behaviour::default()))).await;
        let fan = Fan::new()
            .file("inventory.yaml", file(&page, "inventory.yaml"))
            .file("tasks.yaml", file(&page, "tasks.yaml"))
            .in_script("BINARY=$1; shift; fan() { \"$BINARY\" \"$@\"; }; eval \"$1\"");
        let mut config = String::new();
        for host in sandbox.hosts() {
            config += &format!(
                "Host {}\n  HostName {}\n  Port {}\n",
                host.name,
                host.address.ip(),
                host.address.port()
            );
        }
        config += &format!(
            "Host *\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
            sandbox.identity().display(),
            sandbox.known_hosts().display()
        );
        fs::create_dir(fan.home().join(".ssh")).unwrap();
        fs::write(fan.home().join(".ssh/config"), config).unwrap();
        let login = format!("fan exec -g none -u {} ", sandbox.user());
        for line in commands(&page) {
            let Some(rest) = line.strip_prefix("fan exec ") else { continue };
            let command = rest.rsplit_once(" -- ").map(|(_, command)| command);
            let command = command.or_else(|| READING.into_iter().find(|command| rest.ends_with(command)));
            let others = [
                " -g ",
                " -J ",
                " -u ",
                "-k ",
                "-K",
                "-S",
                "all",
                "db",
                "prod",
                "@192",
                "@",
                "--as",
                "--ssh-config",
                "^",
                "--hosts-file",
                "--identity",
                "$(",
            ];
            let is_ours = !others.iter().any(|other| format!(" {rest}").contains(other));
            if !is_ours || !command.is_some_and(|command| READING.contains(&command)) {
                continue;
            }
            let ran = fan.run([format!("{login}{rest}")]);
            assert_eq!(ran.code, Some(0), "{name}: {line}\n{}", ran.snapshot());
            assert!(ran.stdout.contains("web"), "{name}: {line}\n{}", ran.snapshot());
            done += 1;
        }
    }
    assert!(done > 8, "{done}");
}
