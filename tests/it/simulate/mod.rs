//! WHOOSH on paper: a whole operator on a simulated Swarm, and what it foretells of any Swarm.

mod up;
mod whatif;
