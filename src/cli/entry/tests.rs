//! How the process ends when fan itself is wrong.

use crate::cli::entry::guarded;
use crate::model::outcome::ExitCode;

#[test]
fn a_panic_ends_as_a_bug() {
    assert_eq!(guarded(|| ExitCode::Ok.code()), 0);
    assert_eq!(guarded(|| panic!("a bug")), 70);
}
