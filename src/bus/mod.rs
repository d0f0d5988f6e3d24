//! Subjects, message types and client of NATS: the only room that knows async-nats.

pub mod backbeat;
pub mod client;
pub mod contract;
pub mod hlc;
pub mod id;
pub mod servers;
pub mod subjects;

pub use backbeat::{BeatFrame, State, StatusClaim};
pub use client::{Beats, Bus};
pub use hlc::{Hlc, HlcClock};
pub use id::{AgentId, ClusterId, IdError};
pub use servers::Servers;
pub use subjects::Subjects;
