//! Templates of scripts, rendered and put to real shells: a command that is spelled in a value never runs, and where a
//! value is to be printed, it is what comes out.
//!
//! The shells have a process group, limits and, for root, a user of their own: scripts of random words can go on for ever.
#![no_main]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fan::fuzzing::model::template::{Builtins, Layer, Scope, Templates};
use fan_fuzz::words;
use libfuzzer_sys::fuzz_target;
use rustix::process::{Pid, Signal, getuid, kill_process_group};
use tempfile::TempDir;

const NOBODY: u32 = 65534;

/// What a batch may take; a shell that takes longer is killed, which is no finding.
const PATIENCE: Duration = Duration::from_secs(5);

const SHELLS: &[&[&str]] = &[&["bash"], &["dash"], &["zsh"], &["busybox", "sh"]];

/// No `/`, no `kill`, no `set`: what a script could do harm with, or leave its group by.
const WORDS: &[&str] = &[
    "{{ v }}",
    "{{ v }}",
    "{{ v }}",
    "{{ v }}",
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "'",
    "\"",
    "\"",
    "`",
    "$(",
    ")",
    "${x:-",
    "${x",
    "}",
    "$((",
    "))",
    "((",
    "\\",
    "$",
    "$x",
    "#",
    "<<E",
    "<<'E'",
    "<<-E\n",
    "\nE\n",
    "<",
    ">",
    ">&",
    "(",
    "{ ",
    ";",
    "|",
    "&&",
    "case x in x) ",
    ";; esac",
    "echo ",
    "$'",
    "$\"",
    "a",
    "=",
    "\\\n",
    "\t",
    "<<<",
    "x=",
    "if ",
    "; then ",
    "; fi",
    "[[ ",
    " ]]",
    "$[",
    "]",
    "[",
    "x=(",
    "2",
    "!",
    "~",
    "@(",
    "<(",
    " -gt 1",
    "let ",
    "declare -i x=",
    "typeset ",
    "printf -v ",
    "test -v ",
    "unset ",
    "shift ",
    "exit ",
    "export ",
    "read ",
    "local ",
    "eval ",
    "trap ",
    "PS4=",
    "c\\\nase",
    "for i in ",
    "; do ",
    "; done",
    "alias ",
    "return ",
    "a[",
    "]=",
    "${a[",
    "${#",
    "*",
    "?",
    "^",
    "%",
    ":",
    "x+=",
    "in ",
    "-",
    "==",
    "=~ ",
    "printf %d ",
    "command ",
    "builtin ",
    ". ",
    "exec ",
    "é",
];

const PAYLOADS: &[&str] = &[
    "$(pwned)",
    "`pwned`",
    "'; pwned; '",
    "\"; pwned; \"",
    "\npwned\n",
    ";pwned;",
    "a[$(pwned)]",
    "x[$(pwned)]=1",
    "|pwned",
    "&& pwned #",
    "\\\npwned",
    "E\npwned\n",
    "(e:pwned:)",
    "$[$(pwned)]",
    "${x:-$(pwned)}",
    "')pwned",
    "\")`pwned`",
    "<(pwned)",
    "%s$(pwned)",
];

/// A value printed in one way or another.
const PRINTS: &[&str] = &[
    "printf %s {{ v }}",
    "printf %s \"{{ v }}\"",
    "printf %s 'a'{{ v }}",
    "printf %s \"a b{{ v }}$x\"",
    "x={{ v }}; printf %s \"$x\"",
    "x=$(printf %s {{ v }}; echo .); printf %s \"${x%.}\"",
    "f() { printf %s \"$1\"; }; f {{ v }}",
    "case {{ v }} in x) printf %s {{ v }};; *) printf %s {{ v }};; esac",
    "for i in {{ v }}; do printf %s \"$i\"; done",
];

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| {
    Templates::new(&Builtins::default())
});

/// A folder with `pwned`, the only program there is, which notes that it ran.
struct Trap(TempDir);

impl Trap {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = format!("#!/bin/sh\n: > {}\n", folder.path().join("ran").display());
        for name in ["bin", "work"] {
            fs::create_dir(folder.path().join(name)).expect("a folder in it");
        }
        fs::write(folder.path().join("bin/pwned"), program).expect("a program");
        for name in ["bin/pwned", "work", "bin", ""] {
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o777))
                .expect("it is ours");
        }
        Self(folder)
    }

    /// Whether it ran to its end; what it printed.
    fn run(&self, shell: &[&str], script: &str) -> Option<String> {
        let printed = self.0.path().join("printed");
        let mut command = Command::new("bash");
        command.args(["-c", "ulimit -c 0 -t 2 -f 128 -n 64; [ \"$UID\" != 65534 ] || ulimit -u 100; PATH=$0; exec \"$@\""]);
        command.arg(self.0.path().join("bin"));
        command.arg(path_of(shell[0])).args(&shell[1..]).args(["-c", script]);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.0.path().join("work"));
        command.current_dir(self.0.path().join("work")).process_group(0).stdin(Stdio::null());
        command.stdout(fs::File::create(&printed).expect("a file")).stderr(Stdio::null());
        if getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut child = command.spawn().expect("bash is there");
        let group = Pid::from_child(&child);
        let begun = Instant::now();
        let ended = loop {
            if child.try_wait().expect("it is our child").is_some() {
                break true;
            }
            if begun.elapsed() > PATIENCE {
                break false;
            }
            sleep(Duration::from_micros(300));
        };
        // Also what it left behind.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait();
        let text = fs::read(printed).unwrap_or_default();
        ended.then(|| String::from_utf8_lossy(&text).into_owned())
    }

    fn sprung(&self) -> bool {
        self.0.path().join("ran").exists()
    }
}

fn path_of(name: &str) -> String {
    let found = ["/bin/", "/usr/bin/"].map(|folder| format!("{folder}{name}"));
    found
        .into_iter()
        .find(|path| fs::exists(path).unwrap_or(false))
        .unwrap_or_else(|| panic!("{name} is needed"))
}

fn render(text: &str, value: &str) -> Option<String> {
    let serde_json::Value::Object(vars) = serde_json::json!({ "v": value }) else { unreachable!() };
    TEMPLATES.render_script(text, &Scope::new().with(Layer::new(&vars))).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let [way, which, rest @ ..] = bytes else { return };
    if way % 2 == 0 {
        let template = words(rest, WORDS);
        let value = PAYLOADS[usize::from(*which) % PAYLOADS.len()];
        let Some(script) = render(&template, value) else { return };
        if !template.contains("{{") {
            return;
        }
        for shell in SHELLS {
            let trap = Trap::new();
            trap.run(shell, &script);
            assert!(!trap.sprung(), "{shell:?} runs what {value:?} says, in {template:?}: {script:?}");
        }
    } else {
        let Ok(value) = str::from_utf8(rest) else { return };
        let template = PRINTS[usize::from(*which) % PRINTS.len()];
        let Some(script) = render(template, value) else { return };
        let before = if template.contains("'a'") {
            "a"
        } else if template.contains("a b") {
            "a b"
        } else {
            ""
        };
        for shell in SHELLS {
            if let Some(printed) = Trap::new().run(shell, &script) {
                assert_eq!(printed, format!("{before}{value}"), "{shell:?}, {template:?}: {script:?}");
            }
        }
    }
});
