//! Task files: whatever is in the file, errors say where, in lines that it has.
#![no_main]

use fan::fuzzing::config::load_tasks_text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // No other file is to be read.
    if text.contains("include") {
        return;
    }
    let lines = text.split(['\n', '\r']).count() + 1;
    match load_tasks_text("tasks.yaml", text) {
        Ok(loaded) => {
            let again = load_tasks_text("tasks.yaml", text).expect("it was read before");
            assert_eq!(loaded.value.tasks.len(), again.value.tasks.len());
        }
        Err(errors) => {
            assert!(!errors.errors().is_empty(), "refused without a word");
            for error in errors.errors() {
                let line = error.position.as_ref().map_or(0, |position| position.line);
                assert!(usize::try_from(line).is_ok_and(|line| line <= lines), "{error:?}");
            }
        }
    }
});
