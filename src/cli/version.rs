//! `fan --version --verbose`: which build this is, for bug reports.

use std::ffi::OsString;

use crate::event::SCHEMA_VERSION;

/// What is printed, if a command line asks for it and for nothing else.
pub(super) fn asked(words: &[OsString]) -> Option<String> {
    let is = |word: &OsString, names: [&str; 2]| names.iter().any(|name| word == name);
    let version = |word: &&OsString| is(word, ["--version", "-V"]);
    let verbose = |word: &&OsString| is(word, ["--verbose", "-v"]);
    let all = words.iter().all(|word| version(&word) || verbose(&word));
    (all && words.iter().any(|word| version(&word)) && words.iter().any(|word| verbose(&word))).then(build)
}

fn build() -> String {
    let vendor = if cfg!(target_vendor = "apple") { "apple" } else { "unknown" };
    let system = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let library = match (cfg!(target_env = "musl"), cfg!(target_env = "gnu")) {
        (true, _) => "-musl",
        (_, true) => "-gnu",
        (false, false) => "",
    };
    let linked = if cfg!(target_feature = "crt-static") { "static" } else { "dynamic" };
    // A release says it; a build from a checkout may have changes that no commit has.
    let commit = option_env!("FAN_COMMIT").unwrap_or("not a release build");
    format!(
        "fan {version}\ncommit: {commit}\ntarget: {machine}-{vendor}-{system}{library}, {linked}\nevent stream: schema {SCHEMA_VERSION}\n",
        version = env!("CARGO_PKG_VERSION"),
        machine = std::env::consts::ARCH,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_flags_and_nothing_else_ask_for_the_build() {
        let asked = |line: &str| asked(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        for line in ["--version --verbose", "-V -v", "-v --version", "--verbose -V -v"] {
            let text = asked(line).unwrap_or_else(|| panic!("{line}"));
            assert!(text.starts_with(concat!("fan ", env!("CARGO_PKG_VERSION"), "\ncommit: ")), "{text}");
            assert_eq!(text.lines().count(), 4, "{text}");
        }
        for line in ["--version", "-V", "-v", "", "exec --version -v", "run deploy --version --verbose"] {
            assert_eq!(asked(line), None, "{line}");
        }
    }
}
