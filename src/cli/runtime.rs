//! The threads on which a run lives.

use std::thread;

use crate::cli::error::CliError;

/// Threads that drive connections: more only cost memory, as the work is mostly waiting.
const MAX_WORKER_THREADS: usize = 8;

/// Threads for name lookups, which block.
const MAX_LOOKUP_THREADS: usize = 32;

/// Bytes of address space for a thread's stack, as a main thread has them: without optimisation, polling a transfer takes
/// more than the 2 MiB that threads have by themselves.
const STACK: usize = 8 * 1024 * 1024;

/// A runtime whose end does not wait for name lookups that hang.
pub(super) struct Runtime(tokio::runtime::Runtime);

/// Builds the runtime of a run.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(MAX_WORKER_THREADS))
        .max_blocking_threads(MAX_LOOKUP_THREADS)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map(Runtime)
        .map_err(|source| CliError::Local { doing: "cannot start threads".to_owned(), source })
}

impl Runtime {
    /// Runs a future to its end and leaves everything else behind.
    pub(super) fn block_on_then_leave<T>(self, future: impl Future<Output = T>) -> T {
        let result = self.0.block_on(future);
        self.0.shutdown_background();
        result
    }
}
