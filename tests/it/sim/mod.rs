//! The simulated Swarm, seen through the real client.

mod door;
mod faults;
mod honesty;
mod openapi;
mod pattern;
mod stage;
mod swarm;
