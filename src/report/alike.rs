//! Lines about hosts of which many have the same to say. The first few are told as they come; what more hosts have alike is
//! gathered for a moment and told once, with their names folded. Owns when that is; refuses to print.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use crate::model::cells::shorten;
use crate::model::inventory::HostName;
use crate::model::range;

/// Hosts that are told of one by one before others with the same line are gathered.
const ONE_BY_ONE: usize = 3;

/// How long a line waits for others like it, at most.
const GATHERED_FOR: Duration = Duration::from_secs(1);

/// Different lines that are remembered; after so many, hosts are told of one by one again.
const REMEMBERED: usize = 4096;

/// Characters of a list of hosts.
const NAMES_MAX: usize = 60;

/// A line about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostLine {
    /// What stands before the text: one host, or many folded. Unclean.
    pub(crate) who: String,
    /// What is said of it, in one or more lines. Unclean.
    pub(crate) text: String,
    /// How it is said.
    pub(crate) tone: Tone,
}

impl HostLine {
    /// Its lines, each with the name: none can pass for another host's. Unclean.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let between = if self.tone == Tone::Difference { " | " } else { ": " };
        self.text.lines().map(move |line| format!("{}{between}{line}", self.who))
    }
}

/// How a line is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tone {
    /// `web1: text`
    Note,
    /// The same, in red.
    Failure,
    /// `web1 | text`: what changed in its files.
    Difference,
}

/// What hosts have alike.
pub(crate) struct Alike {
    clock: Box<dyn Fn() -> Duration + Send>,
    /// Where hosts are, as far as they were dialled.
    addresses: HashMap<HostName, String>,
    /// How many hosts have said a line.
    said: HashMap<(Tone, String), usize>,
    /// Those that are not told yet, each with the line of the first of them.
    gathered: IndexMap<(Tone, String), (String, Vec<HostName>)>,
    /// When the first of them came.
    since: Option<Duration>,
}

impl Default for Alike {
    fn default() -> Self {
        let start = Instant::now();
        Self::with_clock(move || start.elapsed())
    }
}

impl Alike {
    fn with_clock(clock: impl Fn() -> Duration + Send + 'static) -> Self {
        Self {
            clock: Box::new(clock),
            addresses: HashMap::new(),
            said: HashMap::new(),
            gathered: IndexMap::new(),
            since: None,
        }
    }

    /// A host is dialled there.
    pub(crate) fn dialled(&mut self, host: &HostName, address: &str) {
        self.addresses.insert(host.clone(), address.to_owned());
    }

    /// Takes in what is said of a host; gives it back when it is to be told at once.
    pub(crate) fn take_in(&mut self, host: &HostName, text: &str, tone: Tone) -> Option<HostLine> {
        let address = self.addresses.get(host).map(String::as_str).unwrap_or_default();
        let key = (tone, common(text, host.as_str(), address));
        if self.said.len() >= REMEMBERED && !self.said.contains_key(&key) {
            self.said.clear();
        }
        let said = self.said.entry(key.clone()).or_default();
        *said += 1;
        if *said <= ONE_BY_ONE {
            return Some(HostLine { who: host.to_string(), text: text.to_owned(), tone });
        }
        self.since.get_or_insert_with(|| (self.clock)());
        let (_, hosts) = self.gathered.entry(key).or_insert_with(|| (text.to_owned(), Vec::new()));
        hosts.push(host.clone());
        None
    }

    /// What was gathered, once it has waited long enough.
    pub(crate) fn due(&mut self) -> Vec<HostLine> {
        let is_due = self.since.is_some_and(|since| (self.clock)().saturating_sub(since) >= GATHERED_FOR);
        if is_due { self.all() } else { Vec::new() }
    }

    /// All that was gathered.
    pub(crate) fn all(&mut self) -> Vec<HostLine> {
        self.since = None;
        let told = |((tone, common), (own, mut hosts)): ((Tone, String), (String, Vec<HostName>))| {
            hosts.sort_unstable();
            let names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
            match names.as_slice() {
                [one] => HostLine { who: (*one).to_owned(), text: own, tone },
                many => {
                    let who = format!("{} ({} hosts)", shorten(&range::fold(many), NAMES_MAX), many.len());
                    HostLine { who, text: common.replace(" (<address>)", ""), tone }
                }
            }
        };
        std::mem::take(&mut self.gathered).into_iter().map(told).collect()
    }
}

/// A message without what only this host has: its address and its name.
pub(crate) fn common(message: &str, host: &str, address: &str) -> String {
    let bare = address.rsplit_once(':').map_or(address, |(bare, _)| bare);
    let message = replace_word(message, address, "<address>");
    let message = replace_word(&message, bare, "<address>");
    replace_word(&message, host, "<host>")
}

/// Replaces a word where it stands alone: host `a` does not change `a bad day`'s `bad`.
fn replace_word(text: &str, word: &str, with: &str) -> String {
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = (!word.is_empty()).then(|| rest.split_once(word)).flatten() {
        let alone = !before.chars().next_back().or(out.chars().next_back()).is_some_and(in_word)
            && !after.chars().next().is_some_and(in_word);
        out.push_str(before);
        out.push_str(if alone { with } else { word });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn lines(lines: Vec<HostLine>) -> Vec<String> {
        lines.into_iter().map(|line| format!("{}: {}", line.who, line.text)).collect()
    }

    #[test]
    fn a_few_are_told_at_once_and_the_others_together() {
        let now = Arc::new(Mutex::new(Duration::ZERO));
        let seen = Arc::clone(&now);
        let mut alike = Alike::with_clock(move || *seen.lock().unwrap());
        let mut at_once = Vec::new();
        for number in 1..=300 {
            let host = HostName::from(format!("web{number:03}").as_str());
            alike.dialled(&host, &format!("10.0.0.{number}:22"));
            let text = format!("refused (10.0.0.{number}:22)");
            at_once.extend(alike.take_in(&host, &text, Tone::Failure));
        }
        assert_eq!(
            lines(at_once),
            [
                "web001: refused (10.0.0.1:22)",
                "web002: refused (10.0.0.2:22)",
                "web003: refused (10.0.0.3:22)"
            ]
        );
        *now.lock().unwrap() = GATHERED_FOR / 2;
        assert_eq!(alike.due(), []);
        *now.lock().unwrap() = GATHERED_FOR;
        assert_eq!(lines(alike.due()), ["web[004-300] (297 hosts): refused"]);
        assert_eq!(alike.all(), []);
        // One more has its own line, and another text is told at once.
        let host = HostName::from("db1");
        alike.dialled(&host, "10.0.1.1:22");
        assert_eq!(alike.take_in(&host, "refused (10.0.1.1:22)", Tone::Failure), None);
        assert_eq!(lines(alike.all()), ["db1: refused (10.0.1.1:22)"]);
        assert!(alike.take_in(&host, "another", Tone::Failure).is_some());
        assert!(alike.take_in(&host, "another", Tone::Note).is_some());
    }

    #[test]
    fn what_only_one_host_has_is_left_out() {
        assert_eq!(
            common("a: a bad day at 10.0.0.1 (10.0.0.1:22)", "a", "10.0.0.1:22"),
            "<host>: <host> bad day at <address> (<address>)"
        );
        assert_eq!(common("bad", "a", ""), "bad");
    }

    #[test]
    fn words_are_replaced_where_they_stand_alone() {
        assert_eq!(
            replace_word("a bad day for a.b and a", "a", "<host>"),
            "<host> bad day for a.b and <host>"
        );
        assert_eq!(replace_word("x (10.0.0.1:22)", "10.0.0.1:22", "<address>"), "x (<address>)");
        assert_eq!(replace_word("110.0.0.1 10.0.0.1", "10.0.0.1", "<address>"), "110.0.0.1 <address>");
        assert_eq!(replace_word("aaa", "", "x"), "aaa");
        assert_eq!(replace_word("aa", "a", "x"), "aa");
    }
}
