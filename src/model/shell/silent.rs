//! Command lines that print nothing when all is well, so that what is printed is someone else's. Owns which those are;
//! refuses to parse: a line that it does not know may print.

/// Programs that do their work without a word.
const SILENT: &[&str] = &[
    ":", "true", "cd", "chgrp", "chmod", "chown", "chpasswd", "cp", "export", "groupadd", "groupdel",
    "gunzip", "gzip", "install", "kill", "killall", "ln", "logger", "mkdir", "mkfifo", "mount", "mv",
    "pkill", "renice", "rm", "rmdir", "set", "setfacl", "shred", "sleep", "swapoff", "swapon", "sync",
    "test", "[", "touch", "truncate", "ulimit", "umask", "umount", "unlink", "unset", "userdel", "usermod",
    "wait",
];

/// Those that do so with these as their first argument.
const SILENT_WITH: &[(&str, &[&str])] = &[
    (
        "systemctl",
        &["start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "daemon-reload", "kill"],
    ),
    ("hostnamectl", &["set-hostname"]),
    ("timedatectl", &["set-timezone", "set-ntp", "set-time"]),
    ("sed", &["-i"]),
    ("crontab", &["-"]),
    ("tar", &["xf", "xzf", "-xf", "-xzf", "-xJf", "-czf", "czf", "-cf", "cf"]),
    ("git", &["add", "config"]),
];

/// Whether all commands of a line are silent, or tell what they have to a file.
pub fn is_silent(line: &str) -> bool {
    // What goes into a pipe is not heard.
    let heard = line.split([';', '\n']).flat_map(|part| part.split("&&"));
    let heard =
        heard.flat_map(|part| part.split("||")).map(|part| part.rsplit('|').next().unwrap_or(part).trim());
    let mut heard = heard.filter(|part| !part.is_empty()).peekable();
    heard.peek().is_some() && heard.all(is_silent_command)
}

fn is_silent_command(command: &str) -> bool {
    if writes_to_file(command) {
        return true;
    }
    let sets = |word: &&str| word.split_once('=').is_some_and(|(name, _)| !name.contains(['/', '-']));
    let runs = |word: &&str| matches!(*word, "sudo" | "-n" | "exec" | "command" | "nice" | "time" | "!");
    let mut words = command.split_whitespace().skip_while(|word| sets(word) || runs(word));
    let Some(program) = words.next() else { return command.contains('=') };
    let program = program.rsplit('/').next().unwrap_or(program);
    let rest: Vec<&str> = words.collect();
    // Those that are asked to say what they do.
    if rest.iter().any(|word| word.starts_with('-') && word.contains('v') && !word.contains('=')) {
        return false;
    }
    let with = SILENT_WITH.iter().find(|(name, _)| *name == program).map(|(_, with)| *with);
    match (with, rest.first()) {
        (Some(with), Some(first)) => with.contains(first),
        (Some(_), None) => false,
        (None, _) => SILENT.contains(&program),
    }
}

/// Whether standard output goes to a file.
fn writes_to_file(command: &str) -> bool {
    let Some((before, behind)) = command.split_once('>') else { return false };
    match before.chars().next_back() {
        Some('2'..='9') => writes_to_file(behind),
        Some('<' | '-' | '=') => false,
        _ => !behind.starts_with(['&', '(']),
    }
}

#[cfg(test)]
mod tests {
    use super::is_silent;

    #[test]
    fn what_prints_nothing_is_known() {
        for line in [
            "true",
            " : ",
            "echo > mark",
            "echo x >> /etc/hosts",
            "cmd &> log",
            "./deploy.sh > /dev/null 2>&1",
            "touch mark",
            "sudo -n systemctl restart nginx",
            "/bin/mkdir -p /srv/x && chown app /srv/x; true",
            "X=1 Y=2",
            "cat a | tar xf -",
            "sed -i s/a/b/ f 2>/dev/null",
            "cd / && rm -rf x",
        ] {
            assert!(is_silent(line), "{line:?}");
        }
        for line in [
            "",
            "  ",
            "uptime",
            "touch x; hostname",
            "./deploy.sh",
            "./deploy.sh 2> log",
            "systemctl",
            "systemctl status nginx",
            "rm -rfv x",
            "echo hi 1>&2",
            "release 'a b'",
            "sudo",
            "test -e x && echo there",
        ] {
            assert!(!is_silent(line), "{line:?}");
        }
    }
}
