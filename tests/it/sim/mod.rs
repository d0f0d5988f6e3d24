//! The simulated Swarm, seen through the real client.

mod likeness;
mod stage;
mod swarm;
