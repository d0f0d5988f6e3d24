//! Printers: objects and events to text. None of them asks the operator for anything.

pub(super) mod columns;
pub(super) mod describe;
pub(super) mod events;
pub(super) mod listing;
pub(super) mod outlook;
pub(super) mod paint;
mod source;
pub(super) mod table;
pub(super) mod why;

use std::io::Write;

use super::error::CliError;

/// The text with every line moved to the right; empty lines stay empty.
pub(super) fn indent(text: &str) -> String {
    let moved = text.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("  {line}\n"),
    });
    moved.collect()
}

/// The text with lines of at most `width` characters, broken between words; its own line breaks stay.
pub(super) fn wrap(text: &str, width: usize) -> String {
    let mut wrapped = String::new();
    for line in text.lines() {
        let mut used = 0;
        for word in line.split_whitespace() {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > width {
                wrapped.push('\n');
                used = 0;
            } else if used > 0 {
                wrapped.push(' ');
                used += 1;
            }
            wrapped.push_str(word);
            used += length;
        }
        wrapped.push('\n');
    }
    wrapped
}

/// Writes text to standard output, all of it, now.
///
/// # Errors
/// When standard output is closed or full.
pub(crate) fn out(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(CliError::Output)
}
