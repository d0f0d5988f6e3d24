//! What a file of a secret holds. It cannot be printed.

use std::fmt;
use std::sync::Arc;

/// The content of a file. Clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(Arc<[u8]>);

impl Content {
    /// All of it, as it stands in the file.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// It as text, without the end of its last line, which editors add; `None` when it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.0).ok()?;
        Some(text.trim_end_matches(['\r', '\n']))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_before_the_end_of_its_line() {
        for (bytes, text) in [
            ("hush", "hush"),
            ("hush\n", "hush"),
            ("hush\r\n", "hush"),
            ("two\nlines\n\n", "two\nlines"),
            (" hush ", " hush "),
        ] {
            assert_eq!(Content::from(bytes).text(), Some(text));
        }
        assert_eq!(Content::from(vec![0xff]).text(), None);
        assert_eq!(format!("{:?}", Content::from("hush")), "Content(…)");
    }
}
