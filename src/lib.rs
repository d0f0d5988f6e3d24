//! WHOOSH: a Kubernetes-style reconciling operator for Docker Swarm.
//!
//! People declare teams and councils of CHORUS agents in YAML; WHOOSH keeps the declarations in Postgres
//! and drives the Swarm, one idempotent step after another, until the agents that run are the ones declared.
//!
//! ```text
//! YAML -> cli -> api -> resource::validate -> store (Postgres; revision + 1)
//!    -> store::watch -> queue(key) -> controller::reconcile(key)
//!         observe   swarm::observe(key)            -> Observed
//!         plan      plan::plan(&Validated, &Observed, now) -> Plan { actions, report }      pure
//!         act       swarm::act(action) ...         -> Outcome
//!         status    plan::status(old, &Observed, &Report, &Outcome, now) -> store (only if it differs)
//! swarm events, agent reports, periodic resync ----> queue (keys only: an event is a hint, never a fact)
//! ```
//!
//! `ARCHITECTURE.md` has the map of the rooms below and who may enter which.

pub mod agent;
pub mod api;
pub mod bus;
pub mod cli;
pub mod controller;
pub mod dev;
pub mod files;
pub mod git;
pub mod gitops;
pub mod plan;
pub mod queue;
pub mod resource;
pub mod sim;
pub mod store;
pub mod swarm;
pub mod telemetry;
pub mod whatif;
