//! Kinds, their types, names, labels, defaulting and validation.

pub mod env;
