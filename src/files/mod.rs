//! Files of secrets that the operator is handed in a folder: read within bounds, from that folder alone, and never shown.
//!
//! ```text
//! Folder::read(["default", "token"], most)        a plain file, not hung, not too large, and no link that leads out
//!    -> Content                                   which cannot be printed
//!    or ReadError                                 which tells what to do, and nothing of the content
//! ```
//!
//! Nothing is kept: whoever wants to know whether a file has changed reads it again.

mod content;
mod folder;
mod reading;

pub use content::Content;
pub use folder::{Folder, ReadError};
