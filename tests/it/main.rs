//! One integration binary: every scenario runs against real servers of its own, which the harness provides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod agent;
mod api;
mod cli;
mod converge;
mod crash;
mod crds;
mod deletion;
mod dependents;
mod drift;
mod faults;
mod git;
mod gitops;
mod harness;
mod harness_works;
mod leaders;
mod limits;
mod manifests;
mod nodes;
mod policy;
mod secrets;
mod sim;
mod simulate;
mod store;
mod swarm;
mod tidy;
mod trouble;
