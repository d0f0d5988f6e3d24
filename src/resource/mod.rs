//! Kinds, their types, names, labels, defaulting and validation.
