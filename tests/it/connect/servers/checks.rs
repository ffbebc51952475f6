//! What is tried on each server. A check that ends well has done what it was to do, and one that does not has done
//! nothing and says why: anything else is a fault of ours, and fails the test whatever the page says.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::connect::servers::start::Server;
use crate::fixtures::support::{Fan, Ran, typed_on_terminal};

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Result {
    /// It works.
    Works,
    /// It works, in another way than on OpenSSH; this is what is said of it.
    FallsBack(String),
    /// It does not work; this is what is said.
    Not(String),
}

/// Something that is tried.
pub struct Check {
    /// As the page calls it.
    pub name: &'static str,
    pub run: fn(&Server) -> Result,
}

pub const CHECKS: &[Check] = &[
    Check { name: "`fan ping`", run: ping },
    Check { name: "`fan trust`", run: trust },
    Check { name: "`fan exec`: output and exit status", run: exec },
    Check { name: "`fan exec`: killed by a signal", run: signal },
    Check { name: "`run` in a task", run: script },
    Check { name: "`sudo`", run: sudo },
    Check { name: "`fan facts`", run: facts },
    Check { name: "`fan shell`", run: shell },
    Check { name: "`put` of a file", run: put },
    Check { name: "`put` of what is there already", run: unchanged },
    Check { name: "`put` of a folder with links", run: links },
    Check { name: "`sync` with `delete`", run: sync },
    Check { name: "modes of files and folders", run: modes },
    Check { name: "`backup` of the old content", run: backup },
    Check { name: "`get` of 24 files", run: get },
    Check { name: "`file`: folders, links, nothing", run: states },
];

/// The first thing that was said of the host, without what differs from run to run.
fn said(server: &Server, ran: &Ran) -> String {
    let line = ran.stderr.lines().find_map(|line| line.strip_prefix("h: ")).unwrap_or_default();
    let line = line.replace(&server.home().display().to_string(), "~");
    // A step's place comes first.
    let line =
        line.split_once("tasks.yaml:").and_then(|(_, rest)| rest.split_once(") ")).map_or(&*line, |at| at.1);
    let line = line.split(" (127.0.0.1:").next().unwrap_or_default();
    let mut line = line.to_owned();
    while let Some(at) = line.find(".fan-") {
        let end = (at + 5..line.len()).find(|&at| !line.as_bytes()[at].is_ascii_hexdigit());
        line.replace_range(at..end.unwrap_or(line.len()), "…");
    }
    line
}

/// That a command was not run, and that fan says that nothing was; or that the server runs something else in its place.
fn not_run(server: &Server, ran: &Ran) -> Result {
    assert_ne!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    if ran.stderr.contains("This service allows sftp connections only.") {
        return Result::Not("the server starts SFTP in place of the command".to_owned());
    }
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.stdout, ran.stderr);
    Result::Not(said(server, ran))
}

/// What a step says of its work beyond what it counted.
fn beyond(server: &Server, ran: &Ran, counted: &str) -> Result {
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let said = said(server, ran);
    match said.strip_prefix(counted) {
        Some("") => Result::Works,
        Some(rest) => Result::FallsBack(rest.trim_start_matches(", ").to_owned()),
        None => panic!("{counted:?} is not what was said: {said:?}\n{}", ran.stderr),
    }
}

/// A folder of the server for one check, as text.
fn place(server: &Server, name: &str) -> String {
    let path = server.home().join(name);
    fs::create_dir(&path).unwrap();
    path.display().to_string()
}

/// All names below a folder, with where links point.
fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match fs::read_link(&path) {
            Ok(target) => names.push(format!("{name} -> {}", target.display())),
            Err(_) if path.is_dir() => {
                names.extend(self::names(&path).into_iter().map(|below| format!("{name}/{below}")));
                names.push(name);
            }
            Err(_) => names.push(name),
        }
    }
    names.sort();
    names
}

fn mode(path: &str) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn ping(server: &Server) -> Result {
    let ran = server.fan().run(["ping", "-H", "h"]);
    if ran.code == Some(0) { Result::Works } else { not_run(server, &ran) }
}

fn trust(server: &Server) -> Result {
    let fan = server.fan();
    let known = fan.work().join("known");
    let fan = server.fan_with(&known);
    let ran = fan.run(["trust", "-y", "-H", "h"]);
    let written = fs::read_to_string(&known).unwrap_or_default();
    if ran.code == Some(0) && written.contains("ssh-ed25519 ") {
        return Result::Works;
    }
    assert_eq!((ran.code, written.as_str()), (Some(3), ""), "{}\n{}", ran.stdout, ran.stderr);
    Result::Not(said(server, &ran))
}

fn exec(server: &Server) -> Result {
    let ran = server.fan().run(["exec", "-N", "-H", "h", "--", "echo out; echo err >&2; exit 7"]);
    if ran.code == Some(1) && ran.stdout == "out\n" && ran.stderr.contains("err\n") {
        assert!(ran.stderr.contains("h: exit status 7"), "{}", ran.stderr);
        return Result::Works;
    }
    not_run(server, &ran)
}

fn signal(server: &Server) -> Result {
    let ran = server.fan().run(["exec", "-H", "h", "--", "kill -9 $$"]);
    match (ran.code, said(server, &ran).as_str()) {
        (Some(1), "killed by signal KILL [signal]") => Result::Works,
        (Some(1), said @ "exit status 137") => Result::FallsBack(said.to_owned()),
        _ => not_run(server, &ran),
    }
}

fn script(server: &Server) -> Result {
    let tasks = "tasks: {t: {steps: [{run: 'head -c 300000 /dev/zero | wc -c'}]}}\n";
    let ran = server.fan().file("tasks.yaml", tasks).run(["run", "-N", "-H", "h", "t"]);
    if ran.code == Some(0) {
        assert_eq!(ran.stdout.trim(), "300000", "{}", ran.stderr);
        return Result::Works;
    }
    not_run(server, &ran)
}

fn sudo(server: &Server) -> Result {
    let tasks = "tasks: {t: {steps: [{run: 'id -un', sudo: {user: nobody}, timeout: 8s}]}}\n";
    // Conch reports no exit while the input is open, which sudo's password needs: it must end all the same.
    let fan = server.fan().file("tasks.yaml", tasks).under(&["timeout", "-s", "INT", "15"]);
    let ran = fan.run(["run", "-N", "-H", "h", "t"]);
    match ran.code {
        Some(124 | 130) => return Result::Not("it does not end".to_owned()),
        Some(0) => assert_eq!(ran.stdout.trim(), "nobody", "{}", ran.stderr),
        // Who runs the tests may not; a server that runs something else in place of commands runs no sudo either.
        Some(_) if ran.stderr.contains("[sudo_") => return Result::Not(said(server, &ran)),
        Some(1) if ran.stderr.contains("[timeout]") => return Result::Not(said(server, &ran)),
        _ => return not_run(server, &ran),
    }
    Result::Works
}

fn facts(server: &Server) -> Result {
    let ran = server.fan().run(["facts", "-H", "h", "--json"]);
    if ran.code == Some(0) {
        return Result::Works;
    }
    not_run(server, &ran)
}

fn shell(server: &Server) -> Result {
    let probe = server.fan().run(["exec", "-H", "h", "--", "true"]);
    if probe.code != Some(0) {
        return not_run(server, &probe);
    }
    let line = "timeout --foreground 20 \"$BINARY\" shell h -- 'tty && echo ready; exit 7'";
    let (code, shown) = typed_on_terminal(&server.fan(), line, &[]);
    if code == Some(7) && shown.contains("ready") {
        return Result::Works;
    }
    if code == Some(7) && shown.contains("not a tty") {
        return Result::FallsBack("the server grants a terminal, and gives the command none".to_owned());
    }
    let said = shown.lines().find_map(|line| line.trim().strip_prefix("h: ")).unwrap_or_default().to_owned();
    assert!(code != Some(0) && !said.is_empty(), "{code:?}: {shown:?}");
    Result::Not(said)
}

/// That nothing came of a transfer that did not go well.
fn not_moved(server: &Server, ran: &Ran, place: &str) -> Result {
    assert!(matches!(ran.code, Some(1 | 3)), "{}\n{}", ran.stdout, ran.stderr);
    assert!(names(place).is_empty(), "{:?} are left: {}", names(place), ran.stderr);
    Result::Not(said(server, ran))
}

fn put(server: &Server) -> Result {
    let place = place(server, "put");
    let fan = server.fan().file("new", "new");
    fs::set_permissions(fan.work().join("new"), fs::Permissions::from_mode(0o640)).unwrap();
    let target = format!("{place}/file");
    let ran = fan.run(["put", "-H", "h", "new", &target]);
    if ran.code != Some(0) {
        return not_moved(server, &ran, &place);
    }
    assert_eq!((fs::read(&target).unwrap(), mode(&target)), (b"new".to_vec(), 0o640), "{}", ran.stderr);
    // In the place of another.
    let ran = fan.file("new", "newer").run(["put", "-H", "h", "new", &target]);
    assert_eq!((fs::read(&target).unwrap(), mode(&target)), (b"newer".to_vec(), 0o640), "{}", ran.stderr);
    assert_eq!(names(&place), ["file"]);
    beyond(server, &ran, "1 sent")
}

fn unchanged(server: &Server) -> Result {
    let place = place(server, "unchanged");
    let fan = server.fan().file("new", "new");
    fs::write(format!("{place}/new"), "new").unwrap();
    let ran = fan.run(["put", "-H", "h", "new", &place]);
    if ran.code == Some(3) {
        fs::remove_file(format!("{place}/new")).unwrap();
        return not_moved(server, &ran, &place);
    }
    let there = beyond(server, &ran, "1 unchanged");
    // Of the same size, and not the same.
    let ran = fan.file("new", "old").run(["put", "-H", "h", "new", &place]);
    beyond(server, &ran, "1 sent");
    assert_eq!(fs::read(format!("{place}/new")).unwrap(), b"old");
    there
}

/// A folder with files, a folder in it, and links that lead everywhere.
fn site(fan: Fan) -> Fan {
    let fan = fan.file("site/a", "one").file("site/in/b", "two");
    for (target, link) in [("a", "site/l"), ("../a", "site/in/up"), ("/nowhere/at/all", "site/out")] {
        symlink(target, fan.work().join(link)).unwrap();
    }
    fan
}

const SITE: [&str; 6] = ["a", "in", "in/b", "in/up -> ../a", "l -> a", "out -> /nowhere/at/all"];

fn links(server: &Server) -> Result {
    let place = place(server, "links");
    let fan = site(server.fan());
    let target = format!("{place}/www");
    let ran = fan.run(["put", "-H", "h", "site/", &target]);
    if ran.code != Some(0) {
        return not_moved(server, &ran, &place);
    }
    assert_eq!(names(&target), SITE, "{}", ran.stderr);
    assert_eq!(names(&place).len(), SITE.len() + 1, "{:?}", names(&place));
    assert!(!Path::new("/nowhere").exists());
    let first = beyond(server, &ran, "2 sent");
    beyond(server, &fan.run(["put", "-H", "h", "site/", &target]), "2 unchanged");
    first
}

fn sync(server: &Server) -> Result {
    let place = place(server, "sync");
    let fan = site(server.fan());
    let target = format!("{place}/www");
    let ran = fan.run(["sync", "-H", "h", "--delete", "site", &target]);
    if ran.code != Some(0) {
        return not_moved(server, &ran, &place);
    }
    fs::create_dir(format!("{target}/more")).unwrap();
    fs::write(format!("{target}/more/file"), "").unwrap();
    fs::write(format!("{target}/a"), "eno").unwrap();
    for link in ["l", "in/up"] {
        fs::remove_file(format!("{target}/{link}")).unwrap();
    }
    // What a link points at is nobody's to change.
    fs::write(format!("{place}/kept"), "two").unwrap();
    fs::remove_file(format!("{target}/in/b")).unwrap();
    symlink("../../kept", format!("{target}/in/b")).unwrap();
    let ran = fan.run(["sync", "-H", "h", "--delete", "site", &target]);
    assert_eq!(names(&target), SITE, "{}", ran.stderr);
    for (path, content) in [("www/a", "one"), ("www/in/b", "two"), ("kept", "two")] {
        assert_eq!(fs::read_to_string(format!("{place}/{path}")).unwrap(), content, "{path}: {}", ran.stderr);
    }
    beyond(server, &ran, "2 sent, 2 removed")
}

fn modes(server: &Server) -> Result {
    let place = place(server, "modes");
    let tasks = format!(
        "tasks: {{t: {{steps: [{{put: site/, to: {place}/www, mode: '0604', dir_mode: '0710'}}, \
         {{put: site/a, to: {place}/suid, mode: '4711'}}, {{file: {place}/new, state: directory}}]}}}}\n"
    );
    let ran = site(server.fan()).file("tasks.yaml", tasks).run(["run", "-H", "h", "t"]);
    if ran.code != Some(0) {
        return not_moved(server, &ran, &place);
    }
    let due = [("www", 0o710), ("www/a", 0o604), ("www/in", 0o710), ("suid", 0o4711), ("new", 0o755)];
    for (name, due) in due {
        assert_eq!(
            format!("{:o}", mode(&format!("{place}/{name}"))),
            format!("{due:o}"),
            "{name}: {}",
            ran.stderr
        );
    }
    Result::Works
}

fn backup(server: &Server) -> Result {
    let place = place(server, "backup");
    fs::write(format!("{place}/file"), "old").unwrap();
    let ran = server.fan().file("file", "new").run(["put", "-H", "h", "--backup", "file", &place]);
    let there = fs::read(format!("{place}/file")).unwrap();
    if ran.code == Some(0) {
        assert_eq!((there, names(&place).len()), (b"new".to_vec(), 2), "{}", ran.stderr);
        return Result::Works;
    }
    assert!(matches!(ran.code, Some(1 | 3)), "{}", ran.stderr);
    assert_eq!((there, names(&place).len()), (b"old".to_vec(), 1), "{:?}: {}", names(&place), ran.stderr);
    Result::Not(said(server, &ran))
}

fn get(server: &Server) -> Result {
    let place = place(server, "get");
    for number in 0..24 {
        fs::write(format!("{place}/{number:02}"), format!("{number}").repeat(20_000)).unwrap();
    }
    let fan = server.fan();
    let ran = fan.run(["get", "-H", "h", &format!("{place}/"), "got"]);
    if ran.code != Some(0) {
        assert!(matches!(ran.code, Some(1 | 3)), "{}", ran.stderr);
        return Result::Not(said(server, &ran));
    }
    let got = fan.work().join("got");
    let got = if got.join("get").exists() { got.join("get") } else { got };
    assert_eq!(names(&got), names(&place), "{}", ran.stderr);
    for name in names(&place) {
        assert_eq!(
            fs::read(got.join(&name)).unwrap(),
            fs::read(format!("{place}/{name}")).unwrap(),
            "{name}"
        );
    }
    let first = beyond(server, &ran, "24 got");
    beyond(server, &fan.run(["get", "-H", "h", &format!("{place}/"), "got"]), "24 unchanged");
    first
}

fn states(server: &Server) -> Result {
    let place = place(server, "states");
    let tasks = format!(
        "tasks: {{t: {{steps: [{{file: {place}/a/b, state: directory}}, \
         {{file: {place}/l, state: link, target: a/b}}, {{file: {place}/a/f}}, \
         {{file: {place}/gone, state: absent, recurse: true}}]}}}}\n"
    );
    let fan = server.fan().file("tasks.yaml", tasks);
    fs::create_dir_all(format!("{place}/gone/deep")).unwrap();
    let ran = fan.run(["run", "-H", "h", "t"]);
    if ran.code != Some(0) {
        fs::remove_dir_all(format!("{place}/gone")).unwrap();
        return not_moved(server, &ran, &place);
    }
    assert_eq!(names(&place), ["a", "a/b", "a/f", "l -> a/b"], "{}", ran.stderr);
    let again = fan.run(["run", "-H", "h", "t"]);
    assert!(again.code == Some(0) && again.stderr.contains("0 changed"), "{}", again.stderr);
    Result::Works
}
