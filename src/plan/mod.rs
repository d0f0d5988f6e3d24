//! Decisions, pure: what is declared + what is observed + now -> plan, and status from outcome.
//!
//! Nothing here waits, reads a clock, draws a random number or looks at the environment.
//!
//! ```text
//! plan(&workload, &observed, instance)            -> Plan { stages, report }
//! teardown(&key, &networks, orphan, &observed, …) -> Teardown { plan, remaining }
//! status(old, &round)                             -> WorkloadStatus
//! deeds(old, &new, &round), events(…)             -> what is worth telling
//! next_moment(&workload, &observed, &status, …) -> when the status may differ by time alone
//! agents::views(&workload, &observed, …)          -> the rows of `get agents`
//! preview(&plan)                                  -> what `diff` prints
//! ```

pub mod action;
mod addresses;
pub mod agents;
mod assess;
mod counts;
mod desired;
mod diff;
pub mod events;
mod explain;
mod facets;
pub mod health;
mod image;
mod look;
mod mask;
mod moments;
pub mod observed;
mod ownership;
mod pace;
mod placement;
pub mod planner;
pub mod preview;
mod problem;
pub mod round;
pub mod service;
pub mod status;
pub mod teardown;
mod unused;
mod words;

pub use action::{Action, Outcome, Plan, Report, SecretSource};
pub use events::{EventDraft, deeds, events};
pub use moments::next_moment;
pub use observed::Observed;
pub use planner::plan;
pub use preview::preview;
pub use round::{Round, Subject, Unseen};
pub use status::status;
pub use teardown::{Teardown, teardown};

#[cfg(test)]
mod tests;
