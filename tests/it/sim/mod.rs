//! The simulated Swarm, seen through the real client.

mod door;
mod faults;
mod honesty;
mod managers;
mod nodes;
mod openapi;
mod outcome;
mod pattern;
mod stage;
mod swarm;
