//! The conditions of a `Match` line: read once, judged for each host (`match_cfg_line` in OpenSSH's readconf.c).
//!
//! Refuses to run a command: a condition that only a command or a newer OpenSSH could judge is undecided.

use crate::config::ssh_config::lines::delimited;
use crate::config::ssh_config::pattern::{matches_host_list, matches_list};

/// Criteria with one argument that fan does not judge.
const UNJUDGED: [&str; 6] = ["exec", "localnetwork", "tagged", "version", "sessiontype", "command"];

/// The conditions of one line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    criteria: Vec<Criterion>,
    /// The first criterion that cannot be judged.
    undecided: Option<String>,
    /// Whether the whole configuration is to be read a second time.
    pub(super) wants_final: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Criterion {
    negated: bool,
    test: Test,
}

#[derive(Debug, PartialEq, Eq)]
enum Test {
    All,
    /// `canonical` and `final`: only when the configuration is read again.
    Again,
    Host(String),
    OriginalHost(String),
    User(String),
    LocalUser(String),
}

/// What is known about a host when a `Match` line is reached.
#[derive(Debug)]
pub(super) struct MatchFacts<'f> {
    /// Its name after `HostName`.
    pub(super) host: &'f str,
    /// Its name as the user gave it.
    pub(super) original_host: &'f str,
    /// The login name so far.
    pub(super) user: &'f str,
    /// The name of the local user.
    pub(super) local_user: &'f str,
    /// Whether the configuration is read again.
    pub(super) again: bool,
}

/// Whether a block is for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MatchVerdict<'c> {
    No,
    Yes,
    /// All that can be judged says yes; this criterion cannot be judged.
    Undecided(&'c str),
}

/// Reads the conditions behind `Match`.
pub(super) fn parse(text: &str) -> Result<Conditions, String> {
    let mut conditions = Conditions::default();
    let mut rest = Some(text);
    let mut before = 0_usize;
    while let Some(word) = delimited(&mut rest) {
        if word.starts_with('#') {
            rest = None;
            break;
        }
        if word.is_empty() {
            break;
        }
        let (negated, name) = match word.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, word.as_str()),
        };
        let name = name.to_ascii_lowercase();
        if name == "all" {
            let next = delimited(&mut rest).filter(|next| !next.is_empty() && !next.starts_with('#'));
            if before > 1 || next.is_some() {
                return Err("\"all\" cannot be combined with other criteria".to_owned());
            }
            conditions.criteria.push(Criterion { negated, test: Test::All });
            return Ok(conditions);
        }
        before = before.saturating_add(1);
        if matches!(name.as_str(), "canonical" | "final") {
            conditions.wants_final |= name == "final";
            conditions.criteria.push(Criterion { negated, test: Test::Again });
            continue;
        }
        let judged: Option<fn(String) -> Test> = match name.as_str() {
            "host" => Some(Test::Host),
            "originalhost" => Some(Test::OriginalHost),
            "user" => Some(Test::User),
            "localuser" => Some(Test::LocalUser),
            _ => None,
        };
        if judged.is_none() {
            conditions.undecided.get_or_insert_with(|| name.clone());
            if !UNJUDGED.contains(&name.as_str()) {
                // Nobody knows whether a value follows, so nothing behind it can be told apart.
                return Ok(conditions);
            }
        }
        let argument = delimited(&mut rest).filter(|argument| !argument.starts_with('#'));
        let argument = argument.filter(|argument| judged.is_none() || !argument.is_empty());
        let argument = argument.ok_or_else(|| format!("\"{name}\" has no value"))?;
        if let Some(test) = judged {
            conditions.criteria.push(Criterion { negated, test: test(argument) });
        }
    }
    if before == 0 {
        return Err("no criterion".to_owned());
    }
    if rest.is_some_and(|rest| !rest.is_empty()) {
        return Err("empty criterion".to_owned());
    }
    Ok(conditions)
}

impl Conditions {
    /// Whether the block is for a host.
    pub(super) fn judge(&self, facts: &MatchFacts<'_>) -> MatchVerdict<'_> {
        let holds = |criterion: &Criterion| {
            criterion.negated
                != match &criterion.test {
                    Test::All => true,
                    Test::Again => facts.again,
                    Test::Host(list) => matches_host_list(facts.host, list),
                    Test::OriginalHost(list) => matches_host_list(facts.original_host, list),
                    Test::User(list) => matches_list(facts.user, list),
                    Test::LocalUser(list) => matches_list(facts.local_user, list),
                }
        };
        match (&self.undecided, self.criteria.iter().all(holds)) {
            (_, false) => MatchVerdict::No,
            (None, true) => MatchVerdict::Yes,
            (Some(criterion), true) => MatchVerdict::Undecided(criterion),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> String {
        let facts = MatchFacts {
            host: "web1.example.com",
            original_host: "Web1",
            user: "deploy",
            local_user: "me",
            again: false,
        };
        match parse(text) {
            Ok(conditions) => format!("{:?}", conditions.judge(&facts)),
            Err(message) => message,
        }
    }

    #[test]
    fn conditions() {
        let texts = [
            "all",
            "!all",
            "host *.example.com",
            "host=WEB1.*",
            "host \"x,web*\" user deploy # c",
            "!host web*",
            "host web*,!*.com",
            "originalhost web1",
            "user Deploy",
            "localuser me user root",
            "canonical",
            "!final",
            "final all",
            "exec true",
            "host db exec \"test -e x\"",
            "!exec x host web*",
            "tagged \"\"",
            "weather sunny user root",
            "user root weather sunny",
            "all user x",
            "host a user b all",
            "host",
            "host #x",
            "host \"\"",
            "host a \"\" user b",
            "# x",
        ];
        let shown = texts.map(|text| format!("{text} => {}", judge(text)));
        insta::assert_snapshot!(shown.join("\n"), @r#"
    all => Yes
    !all => No
    host *.example.com => Yes
    host=WEB1.* => Yes
    host "x,web*" user deploy # c => Yes
    !host web* => No
    host web*,!*.com => No
    originalhost web1 => Yes
    user Deploy => No
    localuser me user root => No
    canonical => No
    !final => Yes
    final all => No
    exec true => Undecided("exec")
    host db exec "test -e x" => No
    !exec x host web* => Undecided("exec")
    tagged "" => Undecided("tagged")
    weather sunny user root => Undecided("weather")
    user root weather sunny => No
    all user x => "all" cannot be combined with other criteria
    host a user b all => "all" cannot be combined with other criteria
    host => "host" has no value
    host #x => "host" has no value
    host "" => "host" has no value
    host a "" user b => empty criterion
    # x => no criterion
    "#);
    }
}
