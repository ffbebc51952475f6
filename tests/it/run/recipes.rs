//! The recipes of docs/recipes, taken from their pages, on real OpenSSH servers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use crate::fixtures::mail::MailServer;
use crate::fixtures::ports;
use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, inventory_defaults, typed_on_terminal};
use crate::fixtures::web::{Authority, Shows, WebServer};

/// The blocks of this language on a recipe's page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes").join(page);
    let text = fs::read_to_string(path).unwrap();
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(&format!("```{language}\n")) {
        rest = &rest[at + language.len() + 4..];
        let end = rest.find("```").unwrap();
        found.push(rest[..end].to_owned());
        rest = &rest[end + 3..];
    }
    found
}

/// The tasks file of a page.
fn tasks(page: &str) -> String {
    let mut found: Vec<String> =
        blocks(page, "yaml").into_iter().filter(|block| block.starts_with("# tasks.yaml\n")).collect();
    assert_eq!(found.len(), 1, "{page} has one tasks file");
    found.remove(0)
}

/// A server with so many hosts `h1`..., all in the role `web`, a page's tasks, and these variables of the hosts. `DIR` in them
/// is a folder of the test.
fn kitchen(page: &str, hosts: u8, vars: &[(&str, &str)]) -> (Sshd, Fan) {
    let sshd = Sshd::builder().hosts(hosts).start();
    let fan = Fan::at(&sshd);
    let mut yaml = String::from("vars:\n  nothing: 0\n");
    for (name, value) in vars {
        writeln!(yaml, "  {name}: \"{}\"", value.replace("DIR", &fan.work().display().to_string())).unwrap();
    }
    yaml += &sshd.inventory_yaml(hosts.into());
    yaml += "roles:\n  web: [\"h*\"]\n";
    let fan = fan.file("inventory.yaml", yaml).file("tasks.yaml", tasks(page));
    (sshd, fan)
}

fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    ran
}

/// Puts an executable in place of a program that hosts would have.
fn program(fan: &Fan, name: &str, script: &str) {
    let path = fan.work().join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn read(fan: &Fan, path: &str) -> String {
    fs::read_to_string(fan.work().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Each page is named in the list, and each that the list names is there and is tested.
#[test]
fn every_recipe_is_listed_and_tested() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes");
    let list = fs::read_to_string(folder.join("README.md")).unwrap();
    let own = include_str!("recipes.rs");
    let mut pages = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // The scripts beside the pages are tested with the sources of hosts.
        if name != "README.md" && name != "sources" {
            assert!(list.contains(&format!("]({name})")), "{name} is not in the list");
            assert!(own.contains(&format!("\"{name}\"")), "{name} is not tested");
            pages.insert(name);
        }
    }
    assert_eq!(pages.len(), list.matches(".md)").count());
}

#[test]
fn release() {
    let vars = [("base", "DIR/srv/{{ host }}"), ("restart", "date >> DIR/restarted"), ("keep", "2")];
    let (_sshd, fan) = kitchen("release.md", 3, &vars);
    let fan = fan.file("app/index.html", "one\n");
    let page = |host: &str| read(&fan, &format!("srv/{host}/current/index.html"));
    ok(fan.run(["run", "deploy:1.0"]));
    for (version, text) in [("1.1", "two\n"), ("1.2", "three\n")] {
        fs::write(fan.work().join("app/index.html"), text).unwrap();
        ok(fan.run(["run", &format!("deploy:{version}")]));
    }
    assert_eq!((page("h1"), page("h3")), ("three\n".to_owned(), "three\n".to_owned()));
    let mut kept: Vec<String> = fs::read_dir(fan.work().join("srv/h2/releases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["1.1", "1.2"]);
    let ran = ok(fan.run(["run", "rollback", "-N", "--format", "lines"]));
    assert_eq!(ran.stdout.lines().filter(|line| *line == "1.1 is live").count(), 3, "{}", ran.snapshot());
    assert_eq!(page("h2"), "two\n");
    // A release that does not come up: the first host goes back, nobody else gets it.
    fs::remove_file(fan.work().join("app/index.html")).unwrap();
    fs::write(fan.work().join("app/other"), "").unwrap();
    let text = read(&fan, "tasks.yaml").replace("timeout: 30s", "timeout: 1s");
    let fan = fan.file("tasks.yaml", text);
    let ran = fan.run(["run", "deploy:2.0"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("1 failed, 2 skipped"), "{}", ran.snapshot());
    assert_eq!(read(&fan, "srv/h1/current/index.html"), "two\n");
    let ran = fan.run(["run", "rollback:9.9", "-H", "h1"]);
    assert_eq!(ran.code, Some(1), "there is no such release");
}

/// A web server that is well for so many requests; its port.
fn web(well: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, peer) in listener.incoming().enumerate() {
            let mut peer = peer.unwrap();
            let mut buffer = [0; 4096];
            let _ = peer.read(&mut buffer);
            let status = if number < well { "200 OK" } else { "503 Busy" };
            let _ = write!(peer, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

#[test]
fn rolling_restart() {
    let health = format!("http://127.0.0.1:{}/health", web(5));
    let vars = [
        ("balancer", "h1"),
        ("drain", "DIR/balance drain"),
        ("admit", "DIR/balance admit"),
        ("restart", "DIR/balance restart"),
        ("health", &*health),
    ];
    let (_sshd, fan) = kitchen("rolling-restart.md", 5, &vars);
    let log = fan.work().join("log");
    program(&fan, "balance", &format!("echo \"$1 $FAN_HOST\" >> {}", log.display()));
    ok(fan.run(["run", "restart", "-H", "h[2-5]"]));
    let done = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = done.lines().collect();
    let expected: Vec<String> = (2..=5)
        .flat_map(|host| ["drain", "restart", "admit"].map(|what| format!("{what} h{host}")))
        .collect();
    assert_eq!(lines, expected, "one after the other");
    // The server is well once more, and then never again: nobody after the second host is touched.
    let text = read(&fan, "tasks.yaml").replace("timeout: 60s", "timeout: 1s");
    let fan = fan.file("tasks.yaml", text);
    fs::remove_file(&log).unwrap();
    let ran = fan.run(["run", "restart", "-H", "h[2-5]"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let done = fs::read_to_string(&log).unwrap();
    assert_eq!(done, "drain h2\nrestart h2\nadmit h2\ndrain h3\nrestart h3\n", "{}", ran.snapshot());
}

#[test]
fn gateway_upload() {
    let (bastion, target) = (Sshd::start(), Sshd::builder().hosts(3).start());
    let own = inventory_defaults(target.user(), &target.identity(), &target.known_hosts());
    let mut yaml = format!("{own}  port: {}\n  gateway: bastion\nhosts:\n", target.port());
    writeln!(
        yaml,
        "  bastion: {{address: 127.0.0.1, port: {}, user: {}, identity: \"{}\", known_hosts: \"{}\", gateway: none}}",
        bastion.port(),
        bastion.user(),
        bastion.identity().display(),
        bastion.known_hosts().display()
    )
    .unwrap();
    let fan = Fan::at(&target);
    let dir = fan.work().display().to_string();
    for (index, address) in target.addresses().iter().enumerate() {
        let vars = format!("vars: {{target: {dir}/opt/app{index}}}");
        writeln!(yaml, "  app{index}: {{address: {}, {vars}}}", address.ip()).unwrap();
    }
    yaml += "roles:\n  app: [\"app*\"]\n";
    let archive = fan.work().join("tool.tgz");
    let fan = fan
        .file("inventory.yaml", yaml)
        .file("tasks.yaml", tasks("gateway-upload.md"))
        .file("conf/a.conf", "a\n")
        .file("conf/b.bak", "b\n")
        .file("tool/run", "run\n");
    let packed = std::process::Command::new("tar")
        .args(["-czf", "tool.tgz", "tool"])
        .current_dir(fan.work())
        .status()
        .unwrap();
    assert!(packed.success() && archive.exists());
    ok(fan.run(["run", "upload"]));
    assert_eq!(
        (read(&fan, "opt/app2/tool/run"), read(&fan, "opt/app0/conf/a.conf")),
        ("run\n".into(), "a\n".into())
    );
    assert!(!fan.work().join("opt/app1/conf/b.bak").exists());
    assert_eq!(bastion.connections(), 1);
    fs::remove_dir_all(fan.work().join("opt/app1/tool")).unwrap();
    let ran = ok(fan.run(["run", "upload"]));
    assert!(!fan.work().join("opt/app1/tool").exists(), "nothing has changed: {}", ran.snapshot());
}

#[test]
fn host_information() {
    let (_sshd, fan) = kitchen("host-information.md", 2, &[]);
    let ran = ok(fan.run(["run", "about", "-N", "--format", "lines"]));
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.contains("kernel")).collect();
    assert_eq!(lines.len(), 2, "{}", ran.snapshot());
    assert!(lines[0].contains(" CPUs, ") && lines[0].contains("; this machine: "), "{}", lines[0]);
    let kept = ok(fan.run([
        "fleet",
        "--columns",
        "os.id,os.version,kernel.release,cpu.logical,memory.total",
        "-o",
        "csv",
    ]));
    assert_eq!(kept.stdout.lines().count(), 3, "{}", kept.snapshot());
    assert!(kept.stdout.contains("\r\nh2,"), "{}", kept.snapshot());
    let page = ok(fan.run(["fleet", "h1"]));
    assert!(page.stdout.starts_with("h1\n") && page.stdout.contains("last seen"), "{}", page.snapshot());
}

/// The script of a page as a file, which finds fan as `fan`.
fn script(fan: &Fan, page: &str, name: &str) {
    let found = blocks(page, "sh").into_iter().find(|block| block.starts_with("#!/bin/sh\n")).unwrap();
    let path = fan.work().join(name);
    fs::write(&path, found).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let bin = fan.work().join("fan");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fan"), bin).unwrap();
}

#[test]
fn fleet_audit() {
    let sshd = Sshd::builder().hosts(3).start();
    let fan = Fan::at(&sshd).file("inventory.yaml", sshd.inventory_yaml(3));
    script(&fan, "fleet-audit.md", "fleet-audit.sh");
    let fan = fan.in_script("PATH=$PWD:$PATH; export PATH; ./fleet-audit.sh reports");
    for round in 0..2 {
        let ran = ok(fan.run::<&str>([]));
        // Other tests listen on ports of this machine, and its hosts tell so.
        for part in ["Changes of the week:\n", "Silent for two days:\n"] {
            assert!(ran.stdout.contains(part), "{round}: {}", ran.snapshot());
        }
    }
    assert!(read(&fan, "reports/fleet.md").contains("**3 hosts**"));
    assert!(read(&fan, "reports/fleet.html").contains("<title>Fleet</title>"));
    assert!(fs::read(fan.work().join("reports/fleet.xlsx")).unwrap().starts_with(b"PK"));
    // The units name what the page has, and the schedule is one that systemd knows.
    let units = blocks("fleet-audit.md", "ini").concat();
    assert!(units.contains("OnCalendar=hourly") && units.contains("fan facts --save"), "{units}");
}

#[test]
fn disk_forecast() {
    use fan::testing::fleet::{FleetFile, Observed};
    use fan::testing::model::facts::Facts;

    let sshd = Sshd::start();
    let fan = Fan::at(&sshd).file("inventory.yaml", sshd.inventory_yaml(1));
    script(&fan, "disk-forecast.md", "disks.sh");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut file = FleetFile::create(&fan.home().join(".local/state/fan/fleet.db")).unwrap();
    let answer = |used: u64| -> std::sync::Arc<Facts> {
        let mount = serde_json::json!({"device": "/dev/vdb", "path": "/srv/a b\nc", "size": 1_000_000, "used": used, "available": 1_000_000 - used});
        std::sync::Arc::new(serde_json::from_value(serde_json::json!({"mounts": [mount]})).unwrap())
    };
    for day in 0..20 {
        let seen = |host: &str, used| Observed { host: host.to_owned(), answer: Ok(answer(used)) };
        let at = now - (19 - day) * 86_400;
        file.save(
            at,
            &[seen("grows", 500_000 + day * 20_000), seen("rests", 500_000), seen("full", 990_000)],
        )
        .unwrap();
    }
    let fan = fan.in_script("PATH=$PWD:$PATH; export PATH; ./disks.sh");
    let ran = fan.run::<&str>([]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.snapshot());
    assert_eq!(lines[0], "full '/srv/a b\\nc' 99% does not grow");
    assert!(lines[1].starts_with("grows '/srv/a b\\nc' 88% full in 6 days"), "{}", ran.snapshot());
    let fan = fan.in_script("PATH=$PWD:$PATH; export PATH; ./disks.sh 3 100");
    let ran = fan.run::<&str>([]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.snapshot());
}

#[test]
fn remote_listing() {
    let (_sshd, fan) = kitchen("remote-listing.md", 2, &[]);
    let fan = fan.file("looked at/big", [b'x'; 5000]).file("looked at/small", "x");
    let folder = fan.work().join("looked at").display().to_string();
    let answers = [("Which folder? [/var/log]: ", &*format!("{folder}\n"))];
    let (code, shown) = typed_on_terminal(&fan, "\"$BINARY\" run look", &answers);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("h2 | big (5000 bytes) small (1 bytes)"), "{shown}");
    let ran = ok(fan.run(["run", "look", "-b", "-e", &format!("folder={folder}")]));
    assert!(ran.stdout.contains("h[1-2] (2)"), "{}", ran.snapshot());
}

#[test]
fn backup() {
    let vars = [("source", "DIR/data-{{ host }}"), ("store", "DIR/store-{{ host }}")];
    let (_sshd, fan) = kitchen("backup.md", 2, &vars);
    let fan = fan.file("data-h1/a b", "first\n").file("data-h1/gone", "old\n").file("data-h2/x", "x\n");
    ok(fan.run(["run", "backup:full"]));
    let old = |file: &str| {
        let count = |suffix: &str| {
            let names = fs::read_dir(fan.work().join("backups/h1")).unwrap();
            names
                .filter(|name| name.as_ref().unwrap().file_name().to_str().unwrap().ends_with(suffix))
                .count()
        };
        count(file)
    };
    assert_eq!((old("-full.tar.gz"), old(".sha256")), (1, 1));
    // Archives of one second would have one name.
    let fan = fan.file("data-h1/new", "second\n");
    fs::remove_file(fan.work().join("data-h1/gone")).unwrap();
    ok(fan.run(["run", "backup"]));
    let names: Vec<String> = fs::read_dir(fan.work().join("backups/h1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.iter().filter(|name| name.ends_with("-incremental.tar.gz")).count(), 1, "{names:?}");
    ok(fan.run(["run", "restore"]));
    assert_eq!(
        (read(&fan, "restored/h1/a b"), read(&fan, "restored/h1/new")),
        ("first\n".into(), "second\n".into())
    );
    assert!(!fan.work().join("restored/h1/gone").exists(), "what was removed stays so");
    assert_eq!(fan.run(["run", "backup:weekly"]).code, Some(1));
}

/// The words of a page's command line that begins with these, with texts of the page replaced.
fn line(page: &str, begins: &str, replaced: &[(&str, &str)]) -> Vec<String> {
    let blocks = blocks(page, "sh");
    let found: Vec<&String> = blocks.iter().filter(|block| block.starts_with(begins)).collect();
    let text = found.first().unwrap_or_else(|| panic!("{page} has no line {begins}"));
    let mut text = text.replace("\\\n", " ").replace('\'', "");
    for (from, to) in replaced {
        assert!(text.contains(from), "{page}: {text} has no {from}");
        text = text.replace(from, to);
    }
    text.split_whitespace().skip(1).map(str::to_owned).collect()
}

/// A server with hosts in the role `web`, without tasks.
fn bare(hosts: u8) -> (Sshd, Fan) {
    let sshd = Sshd::builder().hosts(hosts).start();
    let yaml = sshd.inventory_yaml(hosts.into()) + "roles:\n  web: [\"h*\"]\n";
    let fan = Fan::at(&sshd).file("inventory.yaml", yaml);
    (sshd, fan)
}

#[test]
fn http_probe() {
    let url = format!("http://127.0.0.1:{}/", web(usize::MAX));
    let site = [("https://www.example.com/health", url.as_str())];
    let (_sshd, fan) = bare(2);
    let ran = ok(fan.run(line("http-probe.md", "fan probe --expect-status", &site)));
    assert!(ran.stdout.contains("127.0.0.1") && ran.stdout.contains("  200\n"), "{}", ran.snapshot());
    let ran = ok(fan.run(line("http-probe.md", "fan probe --from", &site)));
    assert!(ran.stdout.contains("\nh1 ") && ran.stdout.contains("\nh2 "), "{}", ran.snapshot());
}

#[test]
fn port_check() {
    let port = ports::reserve();
    let open = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let here = format!("tcp://127.0.0.1:{port}");
    let (_sshd, fan) = bare(1);
    let from_here =
        line("port-check.md", "fan probe tcp", &[("tcp://10.0.0.0/28:22,80,443,8000-8010", &here)]);
    let from_hosts = line("port-check.md", "fan probe --from", &[("tcp://db1.internal:5432", &here)]);
    for args in [&from_here, &from_hosts] {
        let ran = ok(fan.run(args));
        assert!(ran.stdout.contains("  open\n"), "{}", ran.snapshot());
    }
    drop(open);
    for args in [&from_here, &from_hosts] {
        assert_eq!(fan.run(args).code, Some(1), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_ends() {
    let authority = Authority::new();
    let (good, expired) =
        (WebServer::tls(&authority, Shows::Good).await, WebServer::tls(&authority, Shows::Expired).await);
    let at = |server: &WebServer| format!("https://127.0.0.1:{}/", server.port());
    let fan = Fan::new().env("SSL_CERT_FILE", &authority.ca().display().to_string());
    ok(fan.run(line(
        "certificate-ends.md",
        "fan probe --cert-days 14 --report",
        &[("$(cat sites.txt)", &at(&good))],
    )));
    let both = format!("{} {}", at(&good), at(&expired));
    let ran = fan.run(line(
        "certificate-ends.md",
        "fan probe --cert-days 14 --report",
        &[("$(cat sites.txt)", &both)],
    ));
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stdout.contains("the certificate ended on 2020-02-01"), "{}", ran.snapshot());
    assert_eq!(read(&fan, "certificates.csv").lines().count(), 3);
}

#[test]
fn config_drift() {
    let (_sshd, fan) = bare(2);
    let etc = fan.work().join("{host}/etc").display().to_string();
    let fan = ["h1", "h2"].iter().fold(fan, |fan, host| {
        fan.file(&format!("{host}/etc/nginx/a.conf"), "a\n")
            .file(&format!("{host}/etc/ssh/ssh_host_key"), host)
    });
    // Whoever runs the tests may not be root.
    let args = line(
        "config-drift.md",
        "fan diff -S -R web /etc --report",
        &[("-S ", ""), ("/etc ", &format!("{etc} "))],
    );
    ok(fan.run(&args));
    let fan = fan.file("h2/etc/nginx/a.conf", "b\n").file("etc/nginx/a.conf", "a\n");
    let ran = fan.run(&args);
    assert_eq!(ran.code, Some(10), "{}", ran.snapshot());
    assert!(read(&fan, "drift.html").contains("nginx/a.conf"));
    let own = line(
        "config-drift.md",
        "fan diff -S -R web --against",
        &[("-S ", ""), (" /etc/nginx", &format!(" {etc}/nginx"))],
    );
    let ran = fan.run(own);
    assert!(ran.code == Some(10) && ran.stdout.contains("  | +b\n"), "{}", ran.snapshot());
}

#[test]
fn virus_scan() {
    let vars = [("clamscan", "DIR/clamscan"), ("folder", "DIR/{{ host }}")];
    let (_sshd, fan) = kitchen("virus-scan.md", 3, &vars);
    let script = r#"for folder; do :; done
test -d "$folder" || { echo "no such folder" >&2; exit 2; }
grep -rl EICAR "$folder" | sed 's/$/: Eicar-Test-Signature FOUND/' | grep . || exit 0
exit 1"#;
    program(&fan, "clamscan", script);
    let fan = fan.file("h1/clean", "x").file("h2/a file", "EICAR");
    let ran = fan.run(["run", "scan"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("1 infected files, see findings/h2.txt"), "{}", ran.snapshot());
    assert!(ran.stderr.contains("1 ok, 2 failed"), "{}", ran.snapshot());
    assert!(read(&fan, "findings/h2.txt").contains("a file: Eicar-Test-Signature FOUND"));
    assert!(!fan.work().join("findings/h1.txt").exists() && !fan.work().join("findings/h3.txt").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_result() {
    let (_sshd, fan) = kitchen("mail-result.md", 2, &[]);
    let chat = WebServer::plain().await;
    let authority = Authority::new();
    let server = MailServer::secure(
        &authority,
        Shows::Good,
        &["--security", "starttls", "--login", "fan:the-password"],
    );
    let settings = blocks("mail-result.md", "yaml").remove(1);
    let here = format!("server: localhost:{}\n  ca: {}", server.port, authority.ca().display());
    let fan = fan
        .file("fan.yaml", settings.replace("server: smtp.example.com", &here))
        .env("SMTP_PASSWORD", "the-password")
        .env("CHAT_WEBHOOK", &format!("http://localhost:{}/hook", chat.port()));
    let nightly = line("mail-result.md", "fan run nightly", &[]);
    // However full the disk of this machine is.
    let page = tasks("mail-result.md");
    let fan = fan.file("tasks.yaml", page.replace("$5) > 90", "$5) > 100"));
    ok(fan.run(&nightly));
    let fan = fan.file("tasks.yaml", page.replace("$5) > 90", "$5) >= 0"));
    let ran = fan.run(&nightly);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    ok(fan.run(["report", "last", "ops"]));
    let backups = fan.work().join("backups");
    fs::create_dir(&backups).unwrap();
    let folder = backups.display().to_string();
    let command = blocks("mail-result.md", "sh").remove(1);
    let words = command.trim().split_once(" -- ").unwrap();
    let mut check: Vec<String> = words.0.split(' ').skip(1).map(str::to_owned).collect();
    check.extend(["--".to_owned(), words.1.trim_matches('\'').replace("/var/backups/fan", &folder)]);
    assert_eq!(fan.run(&check).code, Some(1), "there is no backup");
    fs::write(backups.join("x.tar.gz"), "").unwrap();
    ok(fan.run(&check));
    let mails = server.mails();
    assert_eq!(mails.len(), 3, "{mails:?}");
    let subject =
        mails[0]["headers"].as_array().unwrap().iter().find(|header| header[0] == "Subject").unwrap();
    assert_eq!(subject[1], "nightly: 2 failed");
    assert_eq!(chat.requests().len(), 1);
    assert!(chat.requests()[0].contains("nightly: 2 failed"));
}
