//! One integration binary: every scenario runs against real servers of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod agent;
mod tidy;
//! The integration tests: scenarios against real servers, which the harness provides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod harness;
mod harness_works;
