//! Decisions, pure: what is declared + what is observed + now -> plan, and status from outcome.
//!
//! Nothing here waits, reads a clock, draws a random number or looks at the environment.

pub mod action;
pub mod observed;
pub mod service;

pub use action::{Action, Plan, Report};
pub use observed::Observed;
