//! The simulated Swarm, seen through the real client.

mod faults;
mod life;
mod likeness;
mod managers;
mod stage;
mod swarm;
