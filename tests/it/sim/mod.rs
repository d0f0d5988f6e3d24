//! The simulated Swarm, seen through the real client.

mod faults;
mod life;
mod likeness;
mod stage;
mod swarm;
