//! The swarm room against a real engine: what is written is read back, hints come, nothing foreign is touched.

mod acts;
mod away;
mod hints;
mod proxy;
pub(crate) mod services;
pub(crate) mod stage;
