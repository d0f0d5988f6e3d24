//! From a checked manifest to what is to be sent: nothing, a new object, or a patch.

mod clean;
mod step;

pub(crate) use clean::declared;
pub(crate) use step::{Item, Step, next_step, proposed, step};
