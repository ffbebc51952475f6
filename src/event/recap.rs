//! The end of the story: folds the event stream into one record per host and the exit code.
