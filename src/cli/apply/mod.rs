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

use crate::resource::Kind;

/// When objects of a kind are applied: before those that are judged by them.
fn turn(kind: Kind) -> u8 {
    match kind {
        Kind::Policy => 0,
        Kind::AgentTemplate => 1,
        Kind::Team | Kind::Council | Kind::GitSource | Kind::Agent => 2,
    }
}
