//! A lock that two runs cannot have at a time: what is asked of the host that keeps it, and what it answers.
//!
//! The lock is an `flock` on a folder of the host, held by a shell whose standard input is the SSH channel. The kernel
//! lets it go when that shell ends, and the shell ends with the channel, however that comes about.
//!
//! Why a folder below `/tmp`: it is the one place in which every login user of a host can make and open something under
//! the same name. `mkdir` follows no links and makes nothing twice; a folder is opened for reading only, so
//! `fs.protected_regular` has no say; and systemd-tmpfiles leaves a folder alone that has a lock on it. What a
//! stranger with a login there can do is to hold the lock himself, or to write nonsense about its holder.
//!
//! The shell is asked, line by line, to try. So a run that waits leaves nothing behind that waits without it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::shell::single_quoted;

/// Letters of one field about a holder, at most: anyone on the host may have written it.
const LONGEST_FIELD: usize = 120;

/// What the shell is sent to make it try.
pub const ASK: &str = "try\n";

/// Who has a lock, in their own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The person and their machine: `ann@laptop`.
    pub who: String,
    /// Since when, by the clock of the host, RFC 3339, UTC.
    pub since: String,
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// The process on the host that holds it: its end is the end of the lock.
    pub process: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, since, run, task, process } = self;
        write!(f, "{who} since {since} (task {task}, run {run}, process {process} there)")
    }
}

/// A lock as the one who wants it describes it.
#[derive(Clone, Copy, Debug)]
pub struct WantedLock<'a> {
    /// Its name, which is a [lock name](crate::model::name::check_lock_name).
    pub name: &'a str,
    /// Who wants it.
    pub who: &'a str,
    /// For which run. Also the mark by which the shell's lines are told from what else a login prints.
    pub run: &'a str,
    /// For which task.
    pub task: &'a str,
}

/// What the shell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockAnswer {
    /// The lock is taken.
    Taken,
    /// Another run holds it.
    Busy(Option<Holder>),
    /// The folder was cleaned away meanwhile: ask again.
    Again,
    /// The host has no `flock`.
    NoFlock,
    /// The folder cannot be used; what is there instead.
    Unusable(String),
}

/// The script that tries to take a lock for each line that it reads, and holds it until its input ends.
pub fn script(wanted: &WantedLock<'_>) -> String {
    let WantedLock { name, who, run, task } = wanted;
    let field = |text: &str| single_quoted(&text.replace(char::is_control, " "));
    let (mark, who, run, task) = (field(&mark(run)), field(who), field(run), field(task));
    format!(
        r#"d={folder}
me=$d/$(id -u)
say() {{ printf '%s %s\n' {mark} "$*"; }}
command -v flock >/dev/null 2>&1 || {{ say noflock; exit 1; }}
while IFS= read -r ask; do
  mkdir -m 1777 "$d" 2>/dev/null
  if [ -L "$d" ] || ! [ -d "$d" ] || ! [ -r "$d" ] || ! [ -x "$d" ]; then
    say unusable "$(ls -ld "$d" 2>&1)"
    exit 1
  fi
  exec 9<"$d"
  flock -n 9
  code=$?
  if [ "$code" -eq 0 ]; then
    if [ -e "/proc/$$/fd/9" ] && ! [ "$d" -ef "/proc/$$/fd/9" ]; then
      exec 9<&-
      say again
      continue
    fi
    rm -f "$me" 2>/dev/null
    (umask 022; set -C; printf '%s\t%s\t%s\t%s\t%s\n' {who} "$(date -u +%Y-%m-%dT%H:%M:%SZ)" {run} {task} "$$" >"$me") 2>/dev/null
    say taken
    while IFS= read -r ask; do :; done
    rm -f "$me" 2>/dev/null
    exit 0
  fi
  exec 9<&-
  [ "$code" -eq 1 ] || {{ say unusable "flock ended with status $code"; exit 1; }}
  by=$(ls -t "$d" 2>/dev/null | head -n 1)
  info=
  case $by in
    ''|*[!0-9]*) ;;
    *) [ -L "$d/$by" ] || ! [ -f "$d/$by" ] || info=$(head -c 1000 "$d/$by" 2>/dev/null | head -n 1) ;;
  esac
  say busy "$info"
done
"#,
        folder = single_quoted(&folder(name)),
    )
}

/// Where the lock is.
pub fn folder(name: &str) -> String {
    format!("/tmp/fan-lock-{name}")
}

/// Reads a line of the shell; `None` when it is not one of the script's.
pub fn answer(line: &str, run: &str) -> Option<LockAnswer> {
    let said = line.strip_prefix(&mark(run))?.strip_prefix(' ')?;
    let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
    Some(match word {
        "taken" => LockAnswer::Taken,
        "again" => LockAnswer::Again,
        "noflock" => LockAnswer::NoFlock,
        "unusable" => LockAnswer::Unusable(rest.chars().take(LONGEST_FIELD).collect()),
        "busy" => LockAnswer::Busy(holder(rest)),
        _ => return None,
    })
}

fn holder(text: &str) -> Option<Holder> {
    let mut fields = text.split('\t').map(|field| field.chars().take(LONGEST_FIELD).collect::<String>());
    let mut next = || fields.next().filter(|field| !field.is_empty());
    Some(Holder { who: next()?, since: next()?, run: next()?, task: next()?, process: next()? })
}

fn mark(run: &str) -> String {
    format!("fan-lock-{run}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_script_are_told_from_others() {
        for (line, expected) in [
            ("fan-lock-01J taken", Some(LockAnswer::Taken)),
            ("fan-lock-01J again ", Some(LockAnswer::Again)),
            ("fan-lock-01J noflock", Some(LockAnswer::NoFlock)),
            ("fan-lock-01J unusable lrwx /tmp/x", Some(LockAnswer::Unusable("lrwx /tmp/x".to_owned()))),
            ("fan-lock-01J busy ", Some(LockAnswer::Busy(None))),
            ("fan-lock-01J busy one field", Some(LockAnswer::Busy(None))),
            (
                "fan-lock-01J busy ann@laptop\t2026-01-01T00:00:00Z\t01H\tdeploy\t4242",
                Some(LockAnswer::Busy(Some(Holder {
                    who: "ann@laptop".to_owned(),
                    since: "2026-01-01T00:00:00Z".to_owned(),
                    run: "01H".to_owned(),
                    task: "deploy".to_owned(),
                    process: "4242".to_owned(),
                }))),
            ),
            ("fan-lock-01H taken", None),
            ("Welcome to web1", None),
            ("fan-lock-01J", None),
            ("fan-lock-01J perhaps", None),
        ] {
            assert_eq!(answer(line, "01J"), expected, "{line:?}");
        }
        let long = format!("fan-lock-01J busy {}\tb\tc\td\te", "ä".repeat(1000));
        let Some(LockAnswer::Busy(Some(holder))) = answer(&long, "01J") else { panic!("it has all fields") };
        assert_eq!(holder.who.chars().count(), LONGEST_FIELD);
    }

    #[test]
    fn what_is_told_of_the_holder_is_data() {
        let wanted = WantedLock { name: "deploy", who: "o'neil\t@h\n$(id)", run: "01J", task: "`id`" };
        let script = script(&wanted);
        assert!(script.contains(r"'o'\''neil @h $(id)'") && script.contains("'`id`'"), "{script}");
        assert!(script.starts_with("d='/tmp/fan-lock-deploy'\n"));
    }
}
