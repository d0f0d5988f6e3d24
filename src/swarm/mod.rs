//! Observe the Swarm, act on one Action, engine events: the only room that knows bollard.
