//! The simulated Swarm, seen through the real client.

mod faults;
mod likeness;
mod stage;
mod swarm;
