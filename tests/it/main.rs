//! One integration binary: every scenario runs against real servers of its own.
//! The integration tests: one binary, so that it links once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod agent;
mod tidy;
