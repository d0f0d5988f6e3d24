//! From a checked manifest to what is to be sent: nothing, a new object, a patch, or fields for the operator to merge.

mod clean;
mod config;
mod place;
mod server_side;
mod step;

pub(crate) use clean::declared;
pub(crate) use config::Config;
pub(crate) use server_side::{half_done, on_server};
pub(crate) use step::{Item, Step, next_step, proposed, step};
