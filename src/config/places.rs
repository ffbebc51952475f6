//! What a setting names outside its file: a variable of the environment, a path.

use std::path::Path;

use crate::config::fields::quote;
use crate::config::findings::Findings;
use crate::config::yaml::Scalar;

/// A path relative to the inventory's folder; `~/...` stays for the one who knows the home folder.
pub(super) fn resolved(base: &Path, path: &str) -> String {
    if path.starts_with('~') {
        return path.to_owned();
    }
    base.join(path).to_string_lossy().into_owned()
}

/// Whether a text can name an environment variable.
///
/// Letters, digits and `_`, not a digit first: what every shell can assign (POSIX.1-2024, XBD section 8.1).
pub(super) fn names_variable(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(known)
}

/// The name of an environment variable, as settings and steps write it.
pub(super) fn environment_name(key: &Scalar, findings: &mut Findings) -> Option<String> {
    let text = &*key.text;
    if !names_variable(text) {
        findings.error_help(
            &key.position,
            format!("{} cannot name an environment variable", quote(text)),
            "use letters, digits and _",
        );
        return None;
    }
    Some(text.to_owned())
}
