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

/// The text with lines of at most `width` characters, broken between words; its own line breaks stay.
pub fn wrap(text: &str, width: usize) -> String {
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
