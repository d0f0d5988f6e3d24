//! The integration tests: scenarios against real servers, which the harness provides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod agent;
mod harness;
mod harness_works;
mod store;
mod tidy;
