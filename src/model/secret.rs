//! A string that does not show itself: passwords and whatever else must not be printed. And the secrets of a run by
//! name, as templates see them.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::model::position::Located;
use crate::model::template::Layer;
use crate::model::value::{Value, Vars};

/// A secret value; `Debug`, `Display` and `Serialize` print a mask. Its memory is overwritten when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

/// What stands in for a secret wherever one would be printed.
pub const MASK: &str = "********";

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself: only for the place that must send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.reveal().hash(state);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// What a file's `secrets:` says: names, each with the place where its value is.
pub type SecretSources = IndexMap<String, Located<SecretSource>>;

/// The secrets of a run: all that its files name, and the values of those that it needs.
///
/// Variables may be built on secrets, and are expanded when a run is planned. For that, one without a value has a mask;
/// a step that asks for it finds nothing, and fails rather than to work with a mask.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    values: Arc<BTreeMap<String, Secret>>,
    /// Values that the command line gave in their place, by name.
    given: Arc<[(String, Secret)]>,
    known: Layer,
    named: Layer,
}

impl Secrets {
    /// These names, with values for some of them.
    pub fn new<'n>(
        names: impl IntoIterator<Item = &'n str>,
        values: impl IntoIterator<Item = (String, Secret)>,
    ) -> Self {
        let values: BTreeMap<String, Secret> = values.into_iter().collect();
        let value = |secret: &Secret| Value::from(secret.reveal());
        let known: Vars = values.iter().map(|(name, secret)| (name.clone(), value(secret))).collect();
        let mut named: Vars = names.into_iter().map(|name| (name.to_owned(), Value::from(MASK))).collect();
        named.extend(known.clone());
        Self {
            values: Arc::new(values),
            given: Arc::default(),
            known: Layer::new(&known),
            named: Layer::new(&named),
        }
    }

    /// The same, with values that the command line gave to variables of these names. They are to be hidden, too.
    #[must_use]
    pub fn with_given(self, values: Vec<(String, Secret)>) -> Self {
        Self { given: values.into(), ..self }
    }

    /// Values that the command line gave, by name.
    pub fn given(&self) -> &[(String, Secret)] {
        &self.given
    }

    /// The values that are known, wherever they came from.
    pub fn values(&self) -> impl Iterator<Item = &Secret> {
        self.values.values().chain(self.given.iter().map(|(_, secret)| secret))
    }

    /// The secrets with values, for the templates of steps.
    pub fn known(&self) -> &Layer {
        &self.known
    }

    /// All secrets, for templates in variables.
    pub fn named(&self) -> &Layer {
        &self.named
    }
}

/// Where a secret comes from. In fan's own files a literal is none of the ways.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// An environment variable of the operator.
    Env(String),
    /// The first line of a file.
    File(String),
    /// The first line that a local command prints.
    Command(String),
    /// The user types it; the text is the prompt.
    Prompt(String),
    /// It stands in an inventory of another tool, which has no other way.
    Written(Secret),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("hunter2");
        let shown = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn named_secrets_show_names_only_and_those_without_a_value_are_masked() {
        let secrets = Secrets::new(["a", "b"], [("b".to_owned(), Secret::new("hunter2"))]);
        let shown = format!("{secrets:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(secrets.known().names().collect::<Vec<_>>(), ["b"]);
        assert_eq!(secrets.named().names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(secrets.values().map(Secret::reveal).collect::<Vec<_>>(), ["hunter2"]);
    }
}
