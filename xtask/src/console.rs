//! The two streams of a task: results on standard output, progress and failure on standard error.

use std::io::{self, Write};
use std::path::Path;

use crate::failure::{At, Error};

/// One line on standard error. Best effort: with nobody listening the work goes on.
pub fn progress(line: &str) {
    let _ = writeln!(io::stderr(), "xtask: {line}");
}

/// One line of a result on standard output.
pub fn print(line: &str) -> Result<(), Error> {
    print_bytes(line.as_bytes())?;
    print_bytes(b"\n")
}

/// A piece of a result that need not be text.
pub fn print_bytes(bytes: &[u8]) -> Result<(), Error> {
    io::stdout().write_all(bytes).at("write to", Path::new("standard output"))
}
