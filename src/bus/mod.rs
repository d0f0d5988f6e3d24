//! Subjects, message types and client of NATS: the only room that knows async-nats.

mod backbeat;
mod client;
mod contract;
mod hlc;
mod id;
mod servers;
mod subjects;

pub use backbeat::{BeatFrame, State, StatusClaim};
pub use client::{Beats, Bus, PublishError, SubscribeError};
pub use hlc::{Hlc, HlcClock};
pub use id::{AgentId, ClusterId, IdError};
pub use servers::{Servers, ServersError};
pub use subjects::Subjects;
