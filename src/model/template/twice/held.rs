//! What the variables of a script hold of values. Owns which of them are still in a variable that was copied, cut or
//! passed on; refuses to know what is done with it.

use std::collections::HashMap;

use crate::model::template::twice::words::{Word, WordSources};

/// How a variable holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It is all that the variable holds.
    Whole,
    /// It is a part of a text, and quoted there for a shell that reads the text.
    Quoted,
    /// It is a part of a text, or what is left of it is.
    Part,
}

/// A value in a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeptValue {
    /// The value.
    pub(super) index: usize,
    pub(super) how: How,
}

/// All variables that hold values, those of functions under their own names.
#[derive(Debug, Default)]
pub(super) struct HeldValues(HashMap<String, Vec<KeptValue>>);

/// What is given to a function or a script: `$1`, `$2`, and `$@` for all.
const ALL: [&str; 2] = ["@", "*"];

/// How many positional parameters are told apart.
const POSITIONS: usize = 9;

impl HeldValues {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a variable holds, in a function or outside of all.
    pub(super) fn of(&self, name: &str, within: Option<&str>) -> &[KeptValue] {
        self.0.get(&key(name, within)).map_or(&[], Vec::as_slice)
    }

    /// A variable holds these from now on, and what it held before where that `stays`.
    pub(super) fn set(&mut self, name: &str, within: Option<&str>, values: Vec<KeptValue>, stays: bool) {
        let name = key(name, within);
        if !stays {
            self.0.remove(&name);
        }
        if !values.is_empty() {
            let held = self.0.entry(name).or_default();
            held.extend(values.into_iter().filter(|value| !held.contains(value)).collect::<Vec<_>>());
        }
    }

    /// A function is called, or `set --`: what each argument holds, and whether it may be several.
    pub(super) fn call(&mut self, function: Option<&str>, arguments: Vec<(Vec<KeptValue>, bool)>) {
        let several = arguments.iter().any(|(_, several)| *several);
        let all: Vec<KeptValue> = arguments.iter().flat_map(|(values, _)| values.iter().copied()).collect();
        for name in ALL {
            self.set(name, function, all.clone(), true);
        }
        for position in 1..=POSITIONS {
            let own = arguments.get(position - 1).map(|(values, _)| values.clone()).unwrap_or_default();
            self.set(&position.to_string(), function, if several { all.clone() } else { own }, true);
        }
    }

    /// `shift`: which parameter is which is no longer known.
    pub(super) fn shift(&mut self, function: Option<&str>) {
        let all = self.of("@", function).to_vec();
        for position in 1..=POSITIONS {
            self.set(&position.to_string(), function, all.clone(), true);
        }
    }

    /// What a text composed of other texts holds.
    pub(super) fn through(&self, sources: &WordSources, within: Option<&str>) -> Vec<KeptValue> {
        let kept = sources.names.iter().flat_map(|name| self.of(name, within));
        let mut found: Vec<KeptValue> = kept.map(|kept| kept.in_text()).collect();
        found.extend(sources.values.iter().map(|&index| KeptValue { index, how: How::Part }));
        found
    }

    /// What the variables of a word hold, as parts of that word.
    pub(super) fn in_word(&self, word: &Word, within: Option<&str>) -> Vec<KeptValue> {
        let one = word.is_one_variable();
        let names = word.variables();
        let kept = names.iter().flat_map(|name| self.of(name, within));
        kept.map(|kept| if one { *kept } else { kept.in_text() }).collect()
    }
}

impl KeptValue {
    /// The same, when the variable becomes a part of a text.
    fn in_text(self) -> Self {
        let how = match self.how {
            How::Whole | How::Part => How::Part,
            How::Quoted => How::Quoted,
        };
        Self { how, ..self }
    }
}

/// The name of a variable of its own.
fn key(name: &str, within: Option<&str>) -> String {
    let is_positional = ALL.contains(&name) || name.bytes().all(|byte| byte.is_ascii_digit());
    match within {
        Some(function) if is_positional => format!("{function}() {name}"),
        Some(_) | None => name.to_owned(),
    }
}
