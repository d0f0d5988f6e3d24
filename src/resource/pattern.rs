//! Names with `*` for any text.

/// A pattern: each `*` of it stands for any text, also none.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'a>(pub &'a str);

impl Pattern<'_> {
    /// Whether `text`, as a whole, is what the pattern stands for.
    pub fn matches(&self, text: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else {
            return self.0 == text;
        };
        let Some(mut left) = text.strip_prefix(head) else {
            return false;
        };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let tail = parts.pop().unwrap_or_default();
        // The earliest place of each part leaves the most for those after it.
        for part in parts {
            match left.find(part) {
                Some(at) => left = &left[at + part.len()..],
                None => return false,
            }
        }
        left.ends_with(tail)
    }
}

/// Whether one of the patterns matches.
pub fn one_of(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| Pattern(pattern).matches(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("", "", true),
            ("*", "", true),
            ("*", "a/b", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "bca", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1c2b", false),
            ("registry.example/*/agent", "registry.example/x/y/agent", true),
            ("net.*", "network", false),
        ] {
            assert_eq!(Pattern(pattern).matches(text), expected, "{pattern} {text}");
        }
    }
}
