//! Steps as another user, with the real sudo, su and doas, for logins that exist only for one sshd.

use std::collections::BTreeMap;

use fan::testing::event::Fact;
use fan::testing::model::outcome::Status;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, typed_on_terminal};

const PASSWORD: &str = "pw-hunter2-pw";

const SUDOERS: &str = "\
Defaults env_reset, lecture=never, timestamp_timeout=0, passwd_tries=1
Defaults:fan-tty requiretty
root ALL=(ALL:ALL) ALL
fan-free ALL=(ALL:ALL) NOPASSWD: ALL
fan-pass ALL=(ALL:ALL) ALL
fan-thrice ALL=(ALL:ALL) ALL
Defaults:fan-thrice passwd_tries=3
fan-tty ALL=(ALL:ALL) NOPASSWD: ALL
";

const LOGINS: [(&str, &str); 5] = [
    ("free", "/bin/sh"),
    ("pass", "/bin/sh"),
    ("thrice", "/usr/bin/fish"),
    ("tty", "/bin/sh"),
    ("none", "/usr/bin/tcsh"),
];

fn sshd() -> Sshd {
    let doas = "permit nopass fan-free\npermit fan-pass\n";
    Sshd::builder()
        .stranger(PASSWORD)
        .login_shells(&LOGINS)
        .etc("/etc/sudoers", SUDOERS)
        .etc("/etc/doas.conf", doas)
        .start()
}

/// fan with one host for each of these logins, and settings for all of them.
fn fan(sshd: &Sshd, logins: &[&str], sudo: &str, tasks: &str) -> Fan {
    let mut inventory = sshd.inventory_yaml(0);
    if !sudo.is_empty() {
        inventory = inventory.replace("hosts:\n", &format!("  sudo: {sudo}\nhosts:\n"));
    }
    for login in logins {
        inventory += &format!("  {login}: {{address: 127.0.0.1, user: fan-{login}}}\n");
    }
    Fan::new()
        .file("inventory.yaml", inventory)
        .file("tasks.yaml", tasks)
        .env("PW", PASSWORD)
        .env("WRONG", "not-the-password")
}

/// How each host ended: status, kind, and whether something was started there.
fn ends(ran: &Ran) -> BTreeMap<String, (Status, String, bool)> {
    let end = |fact: Fact| match fact {
        Fact::HostFinished { host, outcome } => {
            let kind = outcome.failure.map(|failure| failure.kind.as_str().to_owned()).unwrap_or_default();
            Some((host.to_string(), (outcome.status, kind, outcome.started)))
        }
        _ => None,
    };
    ran.events().into_iter().filter_map(|event| end(event.fact)).collect()
}

#[test]
fn sudo_with_and_without_a_password() {
    let sshd = sshd();
    let tasks = r#"
tasks:
  t:
    - run: echo "first $(id -un)"
    - sudo: echo "root $(id -u) $HOME $V {{ host }}"; cat
      env: {V: "it's {{ host }}"}
      cd: /
    - {run: 'echo "$(id -un) $PWD"', user: fan-none, cd: /tmp}
    - {run: [id, -un], sudo: {user: fan-tty}}
    - {run: 'cat; echo "$(id -un)"', sudo: true, stdin: "from stdin\n"}
    - block:
        - id -un
        - {run: id -un, sudo: false}
        - {local: 'echo local $(id -u)'}
      sudo: true
"#;
    for (login, sudo) in [("free", ""), ("free", "{password: {env: PW}}"), ("pass", "{password: {env: PW}}")]
    {
        let ran = fan(&sshd, &[login], sudo, tasks).run(["run", "t", "-N", "-H", login]);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        let own = rustix::process::getuid().as_raw();
        let expected = format!(
            "first fan-{login}\nroot 0 /root it's {login} {login}\nfan-none /tmp\nfan-tty\nfrom stdin\nroot\nroot\n\
             fan-{login}\nlocal {own}\n"
        );
        assert_eq!(ran.stdout, expected, "{}", ran.snapshot());
        assert!(!ran.stderr.contains(PASSWORD), "{}", ran.snapshot());
    }
}

#[test]
fn a_host_that_says_no_has_run_nothing_and_says_why() {
    let sshd = sshd();
    let tasks = "tasks: {t: [echo before, {sudo: echo never}]}";
    let all = LOGINS.map(|(name, _)| name);
    let cases = [
        (
            "",
            [
                ("free", ""),
                ("pass", "sudo_password_missing"),
                ("thrice", "sudo_password_missing"),
                ("tty", "sudo_tty_required"),
                ("none", "sudo_password_missing"),
            ],
        ),
        (
            "{password: {env: WRONG}}",
            [
                ("free", ""),
                ("pass", "sudo_password_wrong"),
                ("thrice", "sudo_password_wrong"),
                ("tty", "sudo_tty_required"),
                ("none", "sudo_password_wrong"),
            ],
        ),
        (
            "{password: {env: PW}}",
            [
                ("free", ""),
                ("pass", ""),
                ("thrice", ""),
                ("tty", "sudo_tty_required"),
                ("none", "sudo_denied"),
            ],
        ),
        (
            "{user: nobody-here, password: {env: PW}}",
            [
                ("free", "sudo_denied"),
                ("pass", "sudo_denied"),
                ("thrice", "sudo_denied"),
                ("tty", "sudo_denied"),
                ("none", "sudo_denied"),
            ],
        ),
    ];
    for (sudo, expected) in cases {
        let ran = fan(&sshd, &all, sudo, tasks).run(["run", "t", "-H", "all", "--format", "jsonl"]);
        let ends = ends(&ran);
        for (host, kind) in expected {
            let status = if kind.is_empty() { Status::Ok } else { Status::Unreachable };
            assert_eq!(
                ends[host],
                (status, kind.to_owned(), kind.is_empty()),
                "{sudo} {host} {}",
                ran.stdout
            );
        }
    }
}

#[test]
fn su_takes_the_other_s_password_and_doas_none() {
    let sshd = sshd();
    let tasks = "tasks: {t: [{sudo: 'id -un; echo $HOME'}, {run: id -un, user: fan-free}]}";
    let cases = [
        ("{method: su, password: {env: PW}}", "none", "", "root\n/root\nfan-free\n"),
        ("{method: su, password: {env: WRONG}}", "none", "sudo_password_wrong", ""),
        ("{method: su}", "none", "sudo_password_missing", ""),
        ("{method: doas}", "free", "", "root\n/root\nfan-free\n"),
        ("{method: doas, password: {env: PW}}", "pass", "sudo_password_missing", ""),
        ("{method: doas}", "none", "sudo_denied", ""),
    ];
    for (sudo, login, kind, output) in cases {
        let fan = fan(&sshd, &[login], sudo, tasks);
        let ran = fan.run(["run", "t", "-N", "-H", login]);
        assert_eq!(ran.stdout, output, "{sudo}: {}", ran.snapshot());
        assert_eq!(ran.stderr.contains(&format!("[{kind}]")), !kind.is_empty(), "{sudo}: {}", ran.snapshot());
    }
}

/// A program that prints what a password is asked for with, before and after sudo has its own.
#[test]
fn a_prompt_that_is_not_ours_gets_nothing() {
    let sshd = sshd();
    let fakes =
        "printf 'Password: [sudo] password for fan-pass: fan-00000000000000000000000000000000-password:'";
    std::fs::write(sshd.home().join(".cshrc"), format!("{fakes}\n")).unwrap();
    let tasks = format!(
        r#"
tasks:
  t:
    - run: |
        {fakes} >&2
        cat
      sudo: true
    - run: |
        {fakes}; {fakes} >&2
        head -c 100
      sudo: {{method: su}}
"#
    );
    let fan = fan(&sshd, &["pass"], "{password: {env: PW}}", &tasks);
    let ran = fan.run(["run", "t", "-N", "-H", "pass"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(!ran.stdout.contains(PASSWORD) && !ran.stdout.contains("********"), "{}", ran.snapshot());
}

#[test]
fn the_password_is_asked_once_before_contact() {
    let sshd = sshd();
    let tasks = "tasks: {t: [{sudo: id -un}], u: [id -un]}";
    let fan = fan(&sshd, &["pass", "thrice"], "", tasks);
    let ran = fan.run(["run", "t", "-K", "-H", "all"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("a password is needed (\"sudo password\")"), "{}", ran.snapshot());
    let ran = fan.run(["run", "u", "-K", "-H", "all"]);
    assert_eq!(ran.code, Some(0), "nobody needs it: {}", ran.snapshot());
    let dialogue = [("sudo password", "pw-hunter2-pw\n")];
    let (code, shown) = typed_on_terminal(&fan, "\"$BINARY\" run t -K -N -H all", &dialogue);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("sudo password").count(), 1, "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
}

#[test]
fn a_step_as_root_is_stopped_by_its_deadline() {
    let sshd = sshd();
    let tasks = "tasks: {t: [{sudo: 'echo $$; exec sleep 1000', timeout: 1s}]}";
    let fan = fan(&sshd, &["pass"], "{password: {env: PW}}", tasks);
    let ran = fan.run(["run", "t", "-N", "-H", "pass"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("; ended [timeout]"), "{}", ran.snapshot());
    let pid = ran.stdout.trim();
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} is alive");
}

#[test]
fn check_connect_tries_sudo_where_steps_want_it() {
    let sshd = sshd();
    let tasks =
        "tasks: {t: {hosts: [free, none], steps: [{sudo: id, when: false}, {run: id, user: '{{ host }}'}]}}";
    let fan = fan(&sshd, &["free", "none", "pass"], "", tasks);
    let ran = fan.run(["check", "t", "--connect"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let line = |host: &str| ran.stdout.lines().find(|line| line.starts_with(host)).unwrap().to_owned();
    assert!(line("free").contains("  ok  ") && line("free").contains("  sudo "), "{}", ran.snapshot());
    assert!(line("none").contains("  failed  "), "{}", ran.snapshot());
    assert!(ran.stderr.contains("[sudo_password_missing]"), "{}", ran.snapshot());
    let ran = fan.run(["check", "--connect", "-H", "pass"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(!ran.stdout.contains("sudo"), "{}", ran.snapshot());
}

#[test]
fn steps_on_files_have_the_same_passwords() {
    let sshd = sshd();
    let folder = tempfile::Builder::new().prefix("fan-root-").tempdir_in("/tmp").unwrap();
    let path = folder.path().display();
    let big = "0123456789abcdef\n".repeat(20_000);
    let tasks = format!(
        r#"
tasks:
  t:
    - {{put: big, to: "{path}/big", owner: fan-none, mode: "0600", sudo: true}}
    - {{line: "one", in: "{path}/lines", create: true, sudo: true}}
    - {{run: id -un >mine, user: fan-tty, cd: /tmp, when: false}}
    - {{get: "{path}/big", to: back, sudo: true}}
    - {{stat: "{path}/lines", sudo: {{user: root}}, register: out}}
    - echo: "{{{{ out.exists }}}}"
"#
    );
    for (login, sudo, code) in [
        ("pass", "{password: {env: PW}}", 0),
        ("free", "", 0),
        ("none", "{method: su, password: {env: PW}}", 0),
        ("pass", "{password: {env: WRONG}}", 3),
    ] {
        let fan = fan(&sshd, &[login], sudo, &tasks).file("big", &big);
        let ran = fan.run(["run", "t", "-N", "-H", login]);
        assert_eq!(ran.code, Some(code), "{login} {sudo}: {}", ran.snapshot());
        if code == 0 {
            assert_eq!(std::fs::read_to_string(folder.path().join("big")).unwrap(), big);
            assert_eq!(std::fs::read_to_string(fan.work().join("back")).unwrap(), big);
            std::fs::remove_file(folder.path().join("big")).unwrap();
        }
    }
    let fan = fan(&sshd, &["pass"], "{password: {env: PW}}", "tasks: {t: ['true']}").file("big", &big);
    let ran = fan.run(["put", "-S", "-H", "pass", "big", &format!("{path}/again")]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
}

#[test]
fn the_hosts_of_a_demo_are_this_machine_and_get_no_sudo() {
    let tasks =
        "tasks: {t: {hosts: [h1], steps: [{run: 'echo in', user: nobody-here}, {sudo: 'echo $((1 + 1))'}]}}";
    let fan = Fan::new().file("inventory.yaml", "hosts: {h1: {}}\n").file("tasks.yaml", tasks);
    let ran = fan.run(["demo", "-N", "-y", "-i", "inventory.yaml", "-f", "tasks.yaml", "t"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "in\n2\n"), "{}", ran.snapshot());
    assert!(ran.stderr.contains("steps run as you, without sudo"), "{}", ran.snapshot());
}

/// What a list of processes shows would be masked in the output: there is nothing to mask.
#[test]
fn a_secret_stands_on_no_command_line_of_the_programs_that_change_the_user() {
    let sshd = sshd();
    let tasks = r#"
secrets: {token: {env: TOKEN}, pin: {env: PIN}}
tasks:
  t:
    - run: |
        x={{ token }}{{ pin }}
        for f in /proc/[0-9]*/cmdline; do tr '\0' ' ' < $f || :; echo; done 2>/dev/null
        echo "length ${#x} $(id -un) $E"
      env: {E: "{{ token }}"}
      user: "{{ user }}"
"#;
    for (login, sudo, user, program) in [
        ("free", "{method: sudo}", "root", "sudo -H"),
        ("pass", "{method: sudo, password: {env: PW}}", "fan-none", "sudo -H"),
        ("none", "{method: su, password: {env: PW}}", "fan-free", "su fan-free"),
        ("free", "{method: doas}", "root", "sh -c"),
    ] {
        let fan = fan(&sshd, &[login], sudo, tasks).env("TOKEN", "c4n4ry $x'token").env("PIN", "77~q");
        let user_flag = format!("user={user}");
        let ran = fan.run(["run", "t", "-N", "-H", login, "-e", &user_flag]);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        let (processes, end) = ran.stdout.rsplit_once("length").unwrap();
        assert!(processes.contains(program), "{login} {sudo}: {}", ran.snapshot());
        assert!(
            !processes.contains("****") && !processes.contains("77~q"),
            "{login} {sudo}: {}",
            ran.snapshot()
        );
        assert_eq!(end.trim_end(), format!(" 19 {user} ********"), "{login} {sudo}");
    }
}

/// A sudoers rule for one program is enough for `sudo: [program, arguments]`, with a password and without.
#[test]
fn a_rule_for_one_program_is_enough() {
    const ONE: &str = "\
Defaults env_reset, lecture=never, passwd_tries=1
fan-free ALL=(root) NOPASSWD: /usr/bin/id -u, /usr/bin/cat, /usr/bin/false
fan-pass ALL=(root) /usr/bin/id -u, /usr/bin/cat
Defaults:fan-thrice timestamp_timeout=0
fan-thrice ALL=(root) /usr/bin/id -u
";
    let sshd = Sshd::builder()
        .stranger(PASSWORD)
        .login_shells(&LOGINS)
        .etc("/etc/sudoers", ONE)
        .etc(
            "/etc/doas.conf",
            "permit nopass fan-free as root cmd id args -u\npermit fan-pass as root cmd id\n",
        )
        .start();
    let run = |login: &str, sudo: &str, step: &str| {
        let tasks = format!("tasks:\n  t:\n    - {step}\n");
        fan(&sshd, &[login], sudo, &tasks).run(["run", "t", "-N", "-H", login])
    };
    let password = "{password: {env: PW}}";
    let id = "sudo: [id, -u]";
    let doas = "{method: doas}";
    for (login, sudo, step, said) in [
        ("free", "", id, "0\n"),
        ("free", "", "{sudo: [id, -u], cd: /tmp}", "0\n"),
        ("free", "", "{sudo: [cat], stdin: \"it's\\n\"}", "it's\n"),
        ("free", password, id, "0\n"),
        ("pass", password, id, "0\n"),
        ("pass", password, "{sudo: [cat], stdin: \"it's\\n\"}", "it's\n"),
        ("free", doas, id, "0\n"),
    ] {
        let ran = run(login, sudo, step);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), said), "{login} {step}: {}", ran.snapshot());
        assert!(!ran.stderr.contains(PASSWORD), "{}", ran.snapshot());
    }
    // The same as a script takes a rule for a shell.
    let ran = run("free", "", "sudo: id -u");
    assert!(ran.stderr.contains("sudo_"), "{}", ran.snapshot());
    for (login, sudo, step, kind, said) in [
        ("pass", "", id, "sudo_password_missing", "sudo wants a password"),
        ("pass", "{password: {env: WRONG}}", id, "sudo_password_wrong", "sudo rejected the password"),
        ("thrice", password, id, "sudo_password_missing", "timestamp_timeout=0"),
        ("free", "", "sudo: [whoami]", "sudo_", "sudo "),
        ("none", "", id, "sudo_", "sudo "),
        ("free", "", "sudo: [\"false\"]", "exit", "exit status 1"),
        ("pass", doas, id, "sudo_password_missing", "doas requires a password"),
        ("none", doas, id, "sudo_denied", "doas did not run"),
    ] {
        let ran = run(login, sudo, step);
        assert!(matches!(ran.code, Some(1 | 3)), "{login} {step}: {}", ran.snapshot());
        assert!(ran.stderr.contains(said), "{login} {step}: {said}: {}", ran.snapshot());
        let ends = ends(
            &fan(&sshd, &[login], sudo, &format!("tasks:\n  t:\n    - {step}\n"))
                .run(["run", "t", "--format", "jsonl", "-H", login]),
        );
        assert!(ends[login].1.starts_with(kind), "{login} {step}: {ends:?}");
    }
    let env = "tasks:\n  t:\n    - {sudo: [id], env: {A: b}}\n";
    insta::assert_snapshot!(fan(&sshd, &["free"], "", env).run(["run", "t", "-H", "free"]).snapshot(), @r#"
    exit code: 2
    --- stderr
    tasks.yaml:3:20: error: "env" has no effect on a program that sudo runs: sudo clears the environment (help: write sudo: [env, NAME=VALUE, PROGRAM], or a script: sudo: PROGRAM ARGUMENTS)
    "#);
}
