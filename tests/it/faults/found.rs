//! What plans have found in WHOOSH. It is mended; the plans are played in every run of the tests.

/// Plans by name, each with what was wrong.
pub(super) const FOUND: [(&str, &str); 0] = [];
