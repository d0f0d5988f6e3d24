//! Talk goes to standard error; data goes to standard output and never through here.

use std::io::Write;

/// Writes a line to standard error. Nobody can be told that standard error is closed.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
