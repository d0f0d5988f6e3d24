//! Printers: objects and events to text. None of them asks the operator for anything.

pub mod age;
pub mod escape;
pub mod paint;
pub mod table;
