//! Patterns in which `*` stands for any text.

/// Whether a pattern fits a text from its first letter to its last.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn patterns_fit_what_they_name() {
    for (pattern, text, expect) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("*", "", true),
        ("a*", "abc", true),
        ("a*c*", "abcd", true),
        ("*c", "abc", true),
        ("a*b*c", "abc", true),
        ("a*b*c", "ac", false),
    ] {
        assert_eq!(fits(pattern, text), expect, "{pattern} {text}");
    }
}
