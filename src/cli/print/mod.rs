//! Printers: objects and events to text. None of them asks the operator for anything.

pub mod age;
pub mod columns;
pub mod describe;
pub mod escape;
pub mod events;
pub mod listing;
pub mod paint;
pub mod table;

/// The text with every line moved to the right.
pub fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
