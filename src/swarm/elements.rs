//! A long JSON array, element by element while it arrives: the whole of it is nowhere at once.

/// What of an array has arrived and is not taken yet. Whether an element is well formed shows when it is decoded.
#[derive(Debug, Default)]
pub(super) struct Elements {
    /// The element that is under way.
    element: Vec<u8>,
    /// How many brackets and braces are open, the array's own among them.
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// Whether the array has ended.
    has_ended: bool,
}

impl Elements {
    /// Hands each element that `piece` completes to `take`.
    ///
    /// # Errors
    /// Those of `take`, which ends it.
    pub(super) fn push<E>(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = 0;
        for (at, byte) in piece.iter().enumerate() {
            if self.is_own(*byte) {
                self.element.extend_from_slice(&piece[start..at]);
                start = at + 1;
                if !self.element.trim_ascii().is_empty() {
                    take(&self.element)?;
                    self.element.clear();
                }
            }
        }
        self.element.extend_from_slice(&piece[start..]);
        Ok(())
    }

    /// Whether the array has come to its end, with nothing behind it.
    pub(super) fn are_whole(&self) -> bool {
        self.has_ended && self.element.trim_ascii().is_empty()
    }

    /// Whether a byte is one of the array's own: its brackets and commas.
    fn is_own(&mut self, byte: u8) -> bool {
        if self.in_text {
            self.in_text = self.is_escaped || byte != b'"';
            self.is_escaped = !self.is_escaped && byte == b'\\';
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                let is_end = self.depth == 0 && byte == b']';
                self.has_ended |= is_end;
                return is_end;
            }
            _ => {}
        }
        self.depth == 1 && matches!(byte, b'[' | b',')
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The elements of `text` that comes in pieces of `size`, and whether they are whole.
    fn split(text: &str, size: usize) -> (Vec<Value>, bool) {
        let (mut elements, mut found) = (Elements::default(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            let take = |element: &[u8]| serde_json::from_slice(element).map(|value| found.push(value));
            elements.push(piece, take).unwrap();
        }
        (found, elements.are_whole())
    }

    #[test]
    fn elements_are_whole_however_they_arrive() {
        let whole = json!([
            {"a": [1, {"b": "],}{[\"\\"}], "\\\",": "\\"},
            "x,y]", 7, null, [], [[1, 2], {}], {}, "ü",
        ]);
        for text in [whole.to_string(), serde_json::to_string_pretty(&whole).unwrap()] {
            for size in 1..=text.len() {
                let found = split(&text, size);
                assert_eq!(
                    (Value::from(found.0), found.1),
                    (whole.clone(), true),
                    "in pieces of {size}"
                );
            }
        }
        assert_eq!(split(" [ ]\n", 2), (Vec::new(), true));
    }

    #[test]
    fn what_breaks_off_is_not_whole() {
        for (text, count) in [
            ("", 0),
            ("[", 0),
            ("[1, 2", 1),
            ("[1, {\"a\": [", 1),
            ("[1, \"2]", 1),
            ("null", 0),
            ("[1] 2", 1),
        ] {
            let (found, are_whole) = split(text, 3);
            assert_eq!((found.len(), are_whole), (count, false), "{text}");
        }
    }
}
