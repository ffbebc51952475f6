//! Closes the side doors of the process's memory: core dumps, and other processes of the same user that would look
//! into it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Makes the process leave no core dump; on Linux, also lets no debugger in that is not root's.
///
/// Where the system refuses, the run goes on: its secrets are then as safe as in any other program.
pub(super) fn close() {
    // The hard limit stays: a program that fan starts may have dumps of its own.
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_dumped_any_more() {
        close();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{DumpableBehavior, dumpable_behavior};
            assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        }
    }
}
