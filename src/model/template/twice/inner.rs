//! Scripts in a script whose text is known: those behind `-c`, and the heredocs of `bash -s`. Owns what they get of values,
//! as arguments, in their environment and to read; refuses to judge by other rules than those of every script.

use crate::model::template::lexer::seen::{Trace, ValueRefusal};
use crate::model::template::twice::held::KeptValue;
use crate::model::template::twice::state::TwiceJudge;
use crate::model::template::twice::words::{ShellCommand, Word};
use crate::model::template::words::{is_shell, script_at};

/// How deep scripts lie in each other that are judged.
const DEEPEST: usize = 4;

impl TwiceJudge<'_> {
    /// Judges the scripts that a command hands to another shell on this host.
    pub(super) fn inner(&self, program: &str, command: &ShellCommand) -> Result<(), ValueRefusal> {
        let words = &command.words;
        let texts: Vec<String> = words.iter().map(Word::text).collect();
        let behind = |at: usize| words.get(at..).unwrap_or_default();
        if let Some(at) = script_at(&texts) {
            let Some(script) = words.get(at).and_then(Word::constant) else { return Ok(()) };
            let mut given = self.given(behind(at + 1).iter());
            if program == "xargs" {
                given.push((self.read_by(command), true));
            }
            return self.started(&script, words.get(..at).unwrap_or_default(), given, self.read_by(command));
        }
        let Some(shell) = texts.iter().position(|text| is_shell(text)) else { return Ok(()) };
        let Some(option) = texts.iter().skip(shell).position(|text| text == "-s") else { return Ok(()) };
        let arguments = behind(shell + option + 1).iter().filter(|word| word.text() != "--");
        let mut given = vec![(Vec::new(), false)];
        given.extend(self.given(arguments));
        for body in command.bodies.iter().filter_map(Word::constant) {
            self.started(&body, words.get(..shell).unwrap_or_default(), given.clone(), Vec::new())?;
        }
        Ok(())
    }

    /// What a command reads of values that are no numbers.
    fn read_by(&self, command: &ShellCommand) -> Vec<KeptValue> {
        let mut read = self.held.through(&command.input(), self.within.as_deref());
        read.extend(self.input.iter().copied());
        read
    }

    /// Judges one script; the first of what it is given is its name.
    fn started(
        &self,
        script: &str,
        before: &[Word],
        given: Vec<(Vec<KeptValue>, bool)>,
        input: Vec<KeptValue>,
    ) -> Result<(), ValueRefusal> {
        let Some(walk) = self.walk.filter(|_| self.nested < DEEPEST) else { return Ok(()) };
        let Some(Trace(seen)) = walk(script) else { return Ok(()) };
        let mut judge = TwiceJudge {
            items: self.items,
            walk: self.walk,
            nested: self.nested + 1,
            exported: self.exported.clone(),
            input,
            ..TwiceJudge::default()
        };
        for name in &self.exported {
            judge.held.set(name, None, self.held.of(name, self.within.as_deref()).to_vec(), false);
        }
        for word in before {
            if let Some(name) = word.assigns() {
                judge.held.set(&name, None, self.kept_in(&word.assigned()), false);
                judge.exported.insert(name);
            }
        }
        let several = given.first().is_some_and(|(_, several)| *several);
        let name = given.first().map(|(values, _)| values.clone()).unwrap_or_default();
        judge.held.set("0", None, name, false);
        let arguments = if several { given } else { given.into_iter().skip(1).collect() };
        judge.held.call(None, arguments);
        judge.script(script, &seen)
    }
}
