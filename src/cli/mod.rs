//! Commands and printers; talks to the API over HTTP only.

pub mod client;
mod duration;
mod jsonpath;
pub mod paths;
mod print;
mod talk;
