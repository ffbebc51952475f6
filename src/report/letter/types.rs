//! A letter: what happened, how it looks, and the parts that say more. Texts in it are clean.

use crate::model::addressee::Occasion;

/// What is written about a report.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    /// What it is about: `deploy`.
    pub title: String,
    /// How it ended: `1 failed, 3 ok`.
    pub verdict: String,
    /// How it looks.
    pub mood: LetterMood,
    /// Something changed, or differs.
    pub changed: bool,
    /// Short facts: `4 hosts`, `6.4s`.
    pub facts: Vec<String>,
    /// What says more.
    pub parts: Vec<LetterPart>,
}

/// How it looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LetterMood {
    /// As it should be.
    #[default]
    Well,
    /// Somebody should look at it; nothing failed.
    Notable,
    /// Something failed.
    Failed,
}

/// A part of a letter.
#[derive(Clone, Debug)]
pub enum LetterPart {
    /// Rows below headings.
    Table {
        /// The headings.
        headings: Vec<&'static str>,
        /// The rows.
        rows: Vec<Vec<String>>,
        /// What stands below: rows that are left out.
        more: Option<String>,
    },
    /// Something that is not as it should be.
    Problem {
        /// Where: `web[1-3] (3)`.
        heading: String,
        /// What it is.
        what: String,
        /// The last lines of output.
        output: String,
        /// What to do.
        hint: String,
    },
    /// Lines as they would stand on a screen.
    Lines(String),
}

impl LetterMood {
    /// As a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Notable => "notable",
            Self::Failed => "failed",
        }
    }
}

impl Letter {
    /// What stands above a mail.
    pub fn subject(&self) -> String {
        format!("{}: {}", self.title, self.verdict)
    }

    /// Whether it is one for these occasions; none are all.
    pub fn is_for(&self, occasions: &[Occasion]) -> bool {
        occasions.is_empty()
            || occasions.iter().any(|occasion| match occasion {
                Occasion::Failure => self.mood == LetterMood::Failed,
                Occasion::Change => self.changed,
                Occasion::Always => true,
            })
    }
}
