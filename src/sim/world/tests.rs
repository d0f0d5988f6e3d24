//! The Swarm's decisions, as tables over time.
