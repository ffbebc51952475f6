//! Enumerations that are stable words in every output: one table makes the variants, the words and both directions. A word
//! of a later version is read as the variant that is safe to take it for.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// Makes an enumeration of words. What stands in brackets after its name makes a value of a word that is not in the table.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident($other:expr) { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }
        $($(#[$later_doc:meta])* and $later:ident)?) => {
        $(#[$meta])*
        pub enum $name {
            $($(#[$doc])* $variant,)+
            $($(#[$later_doc])* $later(&'static str),)?
        }

        impl $name {
            /// All of them, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable word for it in every output.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    $(Self::$later(word) => word,)?
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let other: fn(&str) -> Self = $other;
                let word = std::borrow::Cow::<str>::deserialize(deserializer)?;
                Ok(Self::ALL.iter().copied().find(|known| known.as_str() == word).unwrap_or_else(|| other(&word)))
            }
        }
    };
}

pub(crate) use words;

/// Reads what may be written in a way of a later version, which counts as not said.
pub(crate) fn or_none<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}
