//! One integration binary: every scenario runs against real servers of its own, which the harness provides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod agent;
mod harness;
mod harness_works;
mod tidy;
