//! The binary: hands over to the library and turns its verdict into the process's exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(fan::main())
}
