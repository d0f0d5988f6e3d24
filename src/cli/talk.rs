//! Talk goes to standard error; data goes to standard output and never through here.

use std::io::Write;

use crate::resource::escape;

/// Writes a line, or several, to standard error.
pub(crate) fn say(text: &str) {
    // Nobody can be told that standard error is closed.
    let _ = writeln!(std::io::stderr(), "{}", escape::block(text));
}
