//! Commands of other tools, and words that others would have chosen: the command that does it here.

/// Words, and the command of fan's that is meant.
const VERBS: &[(&str, &str)] = &[
    ("ssh login connect session", "fan shell HOST"),
    ("scp cp copy upload push pscp pdcp send", "fan put LOCAL REMOTE"),
    ("download fetch pull pslurp slurp rpdcp rcopy", "fan get REMOTE LOCAL"),
    ("rsync prsync mirror synchronize synchronise", "fan sync LOCAL REMOTE"),
    ("command cmd sh execute adhoc pssh clush pdsh parallel do", "fan exec -H HOSTS -- CMD"),
    ("playbook play task start fab cap ansible-playbook", "fan run TASK"),
    ("tasks", "fan list"),
    ("inventory nodes nodeset servers targets", "fan hosts"),
    ("setup gather info inspect", "fan facts"),
    ("validate lint verify test syntax doctor preflight", "fan check"),
    ("rerun redo", "fan retry"),
    ("continue", "fan resume"),
    ("log logs runs last", "fan history"),
    ("keys keyscan ssh-keyscan known_hosts known-hosts", "fan trust"),
    ("dir", "fan ls REMOTE"),
    ("compare drift dircmp", "fan diff PATH"),
    ("nuke pnuke kill", "fan exec -H HOSTS -- pkill NAME"),
    ("example sandbox", "fan demo"),
];

/// How fan calls what a word of another tool does.
pub(in crate::cli) fn verb(word: &str) -> Option<&'static str> {
    VERBS.iter().find(|(words, _)| words.split(' ').any(|known| known == word)).map(|(_, here)| *here)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn verbs_lead_to_commands_and_hide_none() {
        let all = Cli::command();
        for (words, here) in VERBS {
            let command = here.split(' ').nth(1).unwrap();
            assert!(all.find_subcommand(command).is_some(), "{here}");
            for word in words.split(' ') {
                assert!(all.find_subcommand(word).is_none(), "{word} is a command itself");
                assert_eq!(verb(word), Some(*here), "{word} is there twice");
            }
        }
    }
}
