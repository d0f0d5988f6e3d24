//! A real Swarm of several nodes, some of which fail.

mod lost;
mod managers;
mod scene;
mod silence;
