//! Makes text from elsewhere safe to print: a YAML key or an agent's error may hold anything, also terminal sequences.

use std::borrow::Cow;

/// One line, without control characters: they are shown as `\n`, `\t`, `\u{1b}`.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// Several lines; other control characters are shown as in [`line`].
pub fn block(text: &str) -> Cow<'_, str> {
    escape(text, |c| c == '\n' || c == '\t')
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let harmful = |c: char| is_harmful(c) && !keep(c);
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmful(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Control characters, and those that turn the writing direction and so can hide what is written.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(line("plain ünïcode"), "plain ünïcode");
        assert_eq!(line("a\nb\tc\r"), r"a\nb\tc\r");
        assert_eq!(line("\u{1b}[31mred\u{7}"), r"\u{1b}[31mred\u{7}");
        assert_eq!(line("\u{202e}drawkcab"), r"\u{202e}drawkcab");
        assert_eq!(block("two\nlines\u{1b}"), "two\nlines\\u{1b}");
    }
}
