//! The binary: hands over to the library and turns its verdict into the process's exit code.

fn main() {}
