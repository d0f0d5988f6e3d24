//! WHOOSH without Docker: a whole operator on a simulated Swarm.

mod up;
