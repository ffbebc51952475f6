//! What was typed, as the shells hand it over: words up to the cursor, and how candidates are written back.

use crate::cli::args::ShellKind;

/// Words, the last of which is completed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TypedCommand {
    /// Without quotes, the program's name first.
    pub(super) words: Vec<String>,
    /// Characters of the last word that the shell keeps.
    kept: usize,
    /// Whether candidates stand within quotes, or the shell quotes them itself.
    quoted: bool,
}

impl TypedCommand {
    /// Reads the arguments of a shell's script; nothing when they are none of its.
    pub(super) fn read(shell: ShellKind, arguments: &[String]) -> Option<Self> {
        match (shell, arguments) {
            (ShellKind::Bash, [line, point, replaced]) => {
                let line = line.get(..point.parse().ok()?).unwrap_or(line);
                Some(Self::of_bash(line, replaced))
            }
            (ShellKind::Zsh, [index, words @ ..]) => {
                let index: usize = index.parse().ok()?;
                let mut words: Vec<String> = words.get(..=index).unwrap_or(words).to_vec();
                words.resize(index + 1, String::new());
                Some(Self { words, kept: 0, quoted: true })
            }
            (ShellKind::Fish, [_, _, ..]) => Some(Self { words: arguments.to_vec(), kept: 0, quoted: true }),
            (ShellKind::Bash | ShellKind::Fish, _) | (ShellKind::Zsh, []) => None,
        }
    }

    /// The word that is completed.
    pub(super) fn current(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// A candidate as the shell is to write it.
    pub(super) fn written(&self, candidate: &str) -> String {
        let rest: String = candidate.chars().skip(self.kept).collect();
        if self.quoted {
            return rest;
        }
        let plain = |c: char| c.is_alphanumeric() || "_-.,/:=@%+".contains(c);
        rest.chars().flat_map(|c| (!plain(c)).then_some('\\').into_iter().chain([c])).collect()
    }

    /// Takes a line apart as bash does; `replaced` is the end of it that candidates take the place of.
    fn of_bash(line: &str, replaced: &str) -> Self {
        let (words, quoted) = bash_words(line);
        let current = words.last().map_or("", String::as_str);
        // Where nothing follows a colon or an equals sign, that is what bash names.
        let replaced = if matches!(replaced, ":" | "=") { "" } else { replaced };
        let (replaced, _) = bash_words(replaced);
        let replaced = replaced.last().map_or("", String::as_str);
        let kept = current.strip_suffix(replaced).map_or(0, |kept| kept.chars().count());
        Self { words, kept, quoted }
    }
}

/// The words of a line, the last of which may be empty or within a quote.
fn bash_words(line: &str) -> (Vec<String>, bool) {
    let (mut words, mut word, mut begun, mut quote) = (Vec::new(), String::new(), false, None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => word.extend(chars.next()),
            (None, '\'' | '"') => (quote, begun) = (Some(c), true),
            (Some(open), _) if open == c => quote = None,
            (None, _) if c.is_whitespace() => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (None | Some(_), _) => word.push(c),
        }
    }
    words.push(word);
    (words, quote.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_keeps_what_it_does_not_replace() {
        for (line, replaced, words, candidate, written) in [
            ("fan ru", "ru", vec!["fan", "ru"], "run", "run"),
            ("fan run ", "", vec!["fan", "run", ""], "deploy", "deploy"),
            ("fan run deploy:ver", "ver", vec!["fan", "run", "deploy:ver"], "deploy:version=", "version="),
            ("fan run deploy:", ":", vec!["fan", "run", "deploy:"], "deploy:version=", "version="),
            ("fan run deploy:a=1,b=", "=", vec!["fan", "run", "deploy:a=1,b="], "deploy:a=1,b=true", "true"),
            ("fan exec -H @w", "w", vec!["fan", "exec", "-H", "@w"], "@web", "web"),
            ("fan exec -H @w", "@w", vec!["fan", "exec", "-H", "@w"], "@web", "@web"),
            ("fan exec --hosts=w", "w", vec!["fan", "exec", "--hosts=w"], "--hosts=web1", "web1"),
            ("fan exec -H 'we", "'we", vec!["fan", "exec", "-H", "we"], "web[1-3]", "web[1-3]"),
            ("fan exec -H '@web&w", "@web&w", vec!["fan", "exec", "-H", "@web&w"], "@web&web1", "@web&web1"),
            ("fan exec -H we", "we", vec!["fan", "exec", "-H", "we"], "web[1-3]", "web\\[1-3\\]"),
            ("fan  exec 'a b'  c\\ d", "c\\ d", vec!["fan", "exec", "a b", "c d"], "c de", "c\\ de"),
            ("fan run ''", "''", vec!["fan", "run", ""], "x", "x"),
        ] {
            let arguments = [line.to_owned(), line.len().to_string(), replaced.to_owned()];
            let typed = TypedCommand::read(ShellKind::Bash, &arguments).unwrap();
            assert_eq!(typed.written(candidate), written, "{line}");
            assert_eq!(typed.words, words, "{line}");
        }
    }

    #[test]
    fn zsh_and_fish_hand_over_words() {
        let arguments = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let zsh =
            TypedCommand::read(ShellKind::Zsh, &arguments(&["2", "fan", "run", "de", "behind"])).unwrap();
        assert_eq!((zsh.words.len(), zsh.current()), (3, "de"));
        let zsh = TypedCommand::read(ShellKind::Zsh, &arguments(&["2", "fan", "run"])).unwrap();
        assert_eq!((zsh.words.len(), zsh.current()), (3, ""));
        let fish = TypedCommand::read(ShellKind::Fish, &arguments(&["fan", "run", ""])).unwrap();
        assert_eq!((fish.words.len(), fish.current()), (3, ""));
        assert_eq!(TypedCommand::read(ShellKind::Bash, &arguments(&["fan"])), None);
        assert_eq!(TypedCommand::read(ShellKind::Zsh, &[]), None);
    }
}
