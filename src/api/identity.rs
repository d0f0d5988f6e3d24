//! The uids of objects that are computed and stored nowhere: clients tell objects apart by them.

use sha2::{Digest, Sha256};
use uuid::Builder;

/// The uid of what these texts, together, are about: always the same one for the same texts.
pub(super) fn uid(texts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text);
        hasher.update([0]);
    }
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hasher.finalize()) {
        *byte = hashed;
    }
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_of_its_texts_alone() {
        assert_eq!(uid(&["a", "b"]), uid(&["a", "b"]));
        assert_ne!(uid(&["a", "b"]), uid(&["ab", ""]));
        assert_eq!(uid(&["a"]).len(), 36);
    }
}
