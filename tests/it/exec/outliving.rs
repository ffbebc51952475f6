//! What a durable command outlives, on the real sshd: dead links, servers and gateways that are restarted, full disks,
//! logins without a home, other fans. What was begun is counted on the host.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use crate::fixtures::network::Network;
use crate::fixtures::spools::spools;
use crate::fixtures::sshd::{Sshd, SshdBuilder};
use crate::fixtures::support::{Fan, Started, eventually, inventory_defaults, not_run};

/// A folder on the host: the spools, and what commands leave behind.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("fan-outliving-").tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    fn set(&self, builder: SshdBuilder) -> SshdBuilder {
        builder.line(&format!("SetEnv XDG_STATE_HOME={}", self.state().display()))
    }

    fn begun(&self) -> usize {
        fs::read_to_string(self.path("counter")).unwrap_or_default().lines().count()
    }

    /// A command that counts itself, and waits for [`Place::go`] between two lines.
    fn waiting(&self) -> String {
        let (counter, go) = (self.path("counter"), self.path("go"));
        format!(
            "echo begun >> {}; echo one; while [ ! -e {} ]; do sleep 0.05; done; echo two; exit 7",
            counter.display(),
            go.display()
        )
    }

    fn go(&self) {
        fs::write(self.path("go"), "").unwrap();
    }
}

fn await_text(started: &Started, text: &str) {
    eventually(text, || {
        let said = started.stdout_so_far() + &started.stderr_so_far();
        said.contains(text).then_some(())
    });
}

/// Whether tests may make namespaces here; says so if not.
fn is_root(what: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        not_run(what, "only root can mount");
    }
    is_root
}

#[test]
fn a_link_that_is_dead_for_seconds_in_the_middle_of_much_output() {
    let network = match Network::new() {
        Ok(network) => network,
        Err(why) => {
            not_run("a dead link", &format!("network namespaces cannot be made here: {why}"));
            return;
        }
    };
    let place = Place::new();
    let sshd = place.set(Sshd::builder()).inside(&network.name, network.inside).start();
    let yaml = sshd
        .inventory_yaml(1)
        .replace("defaults:\n", "defaults:\n  keepalive: 1s\n  connect_timeout: 2s\n  idle_timeout: 20s\n");
    let fan = Fan::new().file("inventory.yaml", yaml);
    let file = fan.work().join("out");
    fs::write(&file, "").unwrap();
    let fan = fan.stdout_to(&file);
    let command = format!("echo begun >> {}; seq 4000000", place.path("counter").display());
    let started = fan.start(["exec", "-H", "h1", "-N", "--durable", "--", &command]);
    eventually("a part of the output", || (fs::metadata(&file).unwrap().len() > 3_000_000).then_some(()));
    network.cut();
    await_text(&started, "the command goes on there, reconnecting");
    network.mend();
    let ran = started.finish();
    assert_eq!((ran.code, place.begun()), (Some(0), 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("reattached after"), "{}", ran.stderr);
    let whole: String = (1..=4_000_000).map(|number| format!("{number}\n")).collect();
    assert!(fs::read_to_string(&file).unwrap() == whole, "the output differs");
    assert_eq!(spools(&place.state()).len(), 0);
}

#[test]
fn a_server_that_is_restarted() {
    let place = Place::new();
    let mut sshd = place.set(Sshd::builder()).start();
    let started = Fan::at(&sshd).start(["exec", "-H", "h1", "--durable", "--", &place.waiting()]);
    await_text(&started, "h1 | one");
    sshd.restart();
    await_text(&started, "reattached after");
    place.go();
    let ran = started.finish();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "h1 | one\nh1 | two\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("exit status 7"), "{}", ran.stderr);
    assert_eq!(place.begun(), 1);
}

#[test]
fn a_gateway_that_is_restarted() {
    let place = Place::new();
    let (mut gateway, target) = (Sshd::start(), place.set(Sshd::builder()).start());
    let yaml = inventory_defaults(target.user(), &target.identity(), &target.known_hosts())
        + &format!(
            "hosts:\n  gate: {{address: 127.0.0.1, port: {}, identity: \"{}\", known_hosts: \"{}\"}}\n  \
             h1: {{address: 127.0.0.1, port: {}, gateway: gate}}\n",
            gateway.port(),
            gateway.identity().display(),
            gateway.known_hosts().display(),
            target.port()
        );
    let fan = Fan::new().file("inventory.yaml", yaml);
    let started = fan.start(["exec", "-H", "h1", "--durable", "--", &place.waiting()]);
    await_text(&started, "h1 | one");
    // It is tried until it is back, and what is in the way is told once.
    gateway.stop();
    let busy = TcpListener::bind(("127.0.0.1", gateway.port())).unwrap();
    (0..6).for_each(|_| drop(busy.accept().unwrap()));
    drop(busy);
    gateway.start_again();
    await_text(&started, "reattached after");
    place.go();
    let ran = started.finish();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "h1 | one\nh1 | two\n"), "{}", ran.stderr);
    assert_eq!(place.begun(), 1);
    let told = ran.stderr.lines().filter(|line| line.starts_with("gateway gate: ")).count();
    assert_eq!(told, 2, "lost, and not back at once: {}", ran.stderr);
}

#[test]
fn two_fans_at_one_host() {
    let place = Place::new();
    let sshd = place.set(Sshd::builder()).start();
    let fans = [Fan::at(&sshd), Fan::at(&sshd)];
    let started =
        fans.each_ref().map(|fan| fan.start(["exec", "-H", "h1", "--durable", "--", &place.waiting()]));
    started.iter().for_each(|started| await_text(started, "h1 | one"));
    assert_eq!(spools(&place.state()).len(), 2);
    place.go();
    for started in started {
        let ran = started.finish();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "h1 | one\nh1 | two\n"), "{}", ran.stderr);
    }
    assert_eq!((place.begun(), spools(&place.state()).len()), (2, 0));
}

#[test]
fn a_disk_that_is_full_before_the_start_or_during_it() {
    if !is_root("a full disk") {
        return;
    }
    let place = Place::new();
    fs::create_dir(place.state()).unwrap();
    let sshd = place.set(Sshd::builder()).memory_at(&place.state(), "size=1m").start();
    let fan = Fan::at(&sshd);
    // It is full once the command is under way: the command ends as it does, and what is missing is said.
    let counting = format!("echo begun >> {}", place.path("counter").display());
    let much = format!("{counting}; seq 1000000; echo end >&2; exit 3");
    let ran = fan.run(["exec", "-H", "h1", "-N", "--durable", "--", &much]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("exit status 3"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the host had no room for the rest of its output"), "{}", ran.stderr);
    let whole: String = (1..=1_000_000).map(|number| format!("{number}\n")).collect();
    assert!(whole.starts_with(&ran.stdout) && ran.stdout.len() < 1_100_000, "{} bytes", ran.stdout.len());
    assert_eq!(place.begun(), 1);
    // It is full before: nothing is started.
    let fill = format!("dd if=/dev/zero of={}/fill bs=64k 2>/dev/null", place.state().display());
    assert_eq!(fan.run(["exec", "-H", "h1", "--", &fill]).code, Some(1));
    let ran = fan.run(["exec", "-H", "h1", "--durable", "--", &counting]);
    assert_eq!((ran.code, place.begun()), (Some(3), 1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("[spool]") && ran.stderr.contains("fan jobs --clean"), "{}", ran.stderr);
    // And nothing is left of it.
    let ran = fan.run(["exec", "-H", "h1", "-N", "--", &format!("ls {}/fan/jobs", place.state().display())]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
}

#[test]
fn a_folder_that_can_only_be_read() {
    if !is_root("a file system that can only be read") {
        return;
    }
    let place = Place::new();
    fs::create_dir(place.state()).unwrap();
    let sshd = place.set(Sshd::builder()).memory_at(&place.state(), "ro").start();
    let command = format!("echo begun >> {}", place.path("counter").display());
    let ran = Fan::at(&sshd).run(["exec", "-H", "h1", "--durable", "--", &command]);
    assert_eq!((ran.code, place.begun()), (Some(3), 0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("Read-only file system") && ran.stderr.contains("[spool]"), "{}", ran.stderr);
}

#[test]
fn a_login_without_a_home() {
    if !is_root("a login without a home") {
        return;
    }
    let sshd = Sshd::builder().stranger("pw").start();
    fs::remove_dir_all(sshd.home()).unwrap();
    let list = "ls -d /var/tmp/fan-jobs-$(id -u)/*.h1.0.0-0 | wc -l; exit 7";
    let ran = Fan::at(&sshd).run(["exec", "-H", "h1", "-N", "--durable", "--", list]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "1\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("exit status 7"), "{}", ran.stderr);
}

/// Whether no process has this id, or none that runs.
fn is_gone(pid: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let process = Pid::from_raw(pid.parse().unwrap()).unwrap();
    test_kill_process(process).is_err() || state.contains(") Z ")
}

#[test]
fn a_time_limit_ends_what_sudo_runs_with_all_its_children() {
    if !is_root("sudo") {
        return;
    }
    let place = Place::new();
    // The login is neither the test nor who owns its home.
    fs::set_permissions(place.0.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let sudoers = "Defaults env_reset, lecture=never\nroot ALL=(ALL:ALL) ALL\nfan-pass ALL=(ALL:ALL) ALL\n";
    let sshd = place
        .set(Sshd::builder())
        .stranger("pw-hunter2-pw")
        .login_shells(&[("pass", "/bin/sh")])
        .etc("/etc/sudoers", sudoers)
        .start();
    let inventory = sshd.inventory_yaml(0).replace("hosts:\n", "  sudo: {password: {env: PW}}\nhosts:\n")
        + "  h1: {address: 127.0.0.1, user: fan-pass}\n";
    let fan = Fan::new().file("inventory.yaml", inventory).env("PW", "pw-hunter2-pw");
    let ran = fan.run(["exec", "-S", "-N", "-H", "h1", "--durable", "--", "id -un; exit 7"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "root\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("exit status 7"), "{}", ran.stderr);
    let command = "echo $$; sleep 1000 & echo $!; wait";
    let ran = fan.run(["exec", "-S", "-N", "-T", "3", "-H", "h1", "--durable", "--", command]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("; ended [timeout]"), "{}", ran.stderr);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.snapshot());
    assert!(ran.stdout.lines().all(is_gone), "{}", ran.stdout);
}

fn age(path: &Path) {
    let mut touch = Command::new("touch");
    assert!(touch.args(["-d", "30 days ago"]).arg(path).status().unwrap().success());
}

/// To what is tidied up, a clock that jumps by a month makes everything a month old.
#[test]
fn a_clock_that_jumps_takes_what_has_ended_and_nothing_that_runs() {
    let place = Place::new();
    let sshd = place.set(Sshd::builder()).start();
    let started = Fan::at(&sshd).start(["exec", "-H", "h1", "--durable", "--", &place.waiting()]);
    await_text(&started, "h1 | one");
    let runs = spools(&place.state()).pop().unwrap();
    for number in 0..40 {
        let ended = place.state().join(format!("fan/jobs/old{number}"));
        fs::create_dir(&ended).unwrap();
        // Half of them ended, and the keeper of the others was killed.
        let last = if number % 2 == 0 { "done.0" } else { "run" };
        fs::write(ended.join(last), "").unwrap();
        age(&ended.join(last));
        age(&ended);
    }
    for entry in fs::read_dir(&runs).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            age(&path);
        }
    }
    age(&runs);
    assert_eq!(Fan::at(&sshd).run(["exec", "-H", "h1", "--durable", "--", "true"]).code, Some(0));
    assert_eq!(spools(&place.state()), [runs]);
    place.go();
    let ran = started.finish();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "h1 | one\nh1 | two\n"), "{}", ran.stderr);
}

#[test]
fn what_had_to_be_dropped_is_said() {
    let place = Place::new();
    let sshd = place.set(Sshd::builder()).start();
    let ran =
        Fan::at(&sshd).run(["exec", "-H", "h1", "--detach", "--", "head -c 20000000 /dev/zero | tr '\\0' x"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let name = ran.stdout.trim_end().to_owned();
    let spool = eventually("its end", || {
        let spool = spools(&place.state()).pop()?;
        spool.join("done.0").exists().then_some(spool)
    });
    // As its keeper does beyond the bound.
    let first = spool.join("out.0");
    fs::remove_file(&first).unwrap();
    let rest = fs::read_dir(&spool).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_prefix("out.")?.parse::<u64>().ok()
    });
    let dropped = rest.min().unwrap();
    let fan = Fan::at(&sshd);
    let ran = fan.run(["jobs", &name, "-H", "h1", "-N", "--fetch"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let note = format!("the host had to drop the oldest {dropped} bytes of its output");
    assert!(ran.stderr.contains(&note), "{note}: {}", ran.stderr);
    assert!(ran.stdout.bytes().filter(|byte| *byte == b'x').count() >= 3_000_000);
}

/// Its output, its end and the removal of what was kept come over the one channel that started it.
#[test]
fn it_takes_no_more_channels_than_a_plain_command() {
    let place = Place::new();
    let sshd = place.set(Sshd::builder()).counting_logins().start();
    let channels = || sshd.log().matches("server_input_channel_open: ctype session").count();
    let tasks = "tasks: {go: {hosts: [all], steps: [{run: echo a}, {run: echo b}, {run: cat, stdin: c}]}}\n";
    let plain = Fan::at(&sshd).file("tasks.yaml", tasks);
    assert_eq!(plain.run(["run", "go", "-H", "h1"]).code, Some(0));
    let (of_plain, connections) = (channels(), sshd.connections());
    let durable = Fan::at(&sshd).file("tasks.yaml", tasks.replace("steps:", "durable: true, steps:"));
    assert_eq!(durable.run(["run", "go", "-H", "h1"]).code, Some(0));
    assert!(of_plain > 0, "{}", sshd.log());
    assert_eq!((channels() - of_plain, sshd.connections() - connections), (of_plain, 1));
    assert_eq!(spools(&place.state()).len(), 0);
}
