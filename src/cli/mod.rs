//! Commands and printers; talks to the API over HTTP only.
//!
//! `main` asks [`complete`] first, then [`parse`]s; it hands [`ClientCommand`]s to [`run`] and the commands
//! that run servers to the rooms that can.

mod agent_log;
mod agents;
mod apply;
mod args;
mod change;
mod client;
mod command;
mod complete;
mod condition;
mod context;
mod contexts;
mod duration;
mod endpoint;
mod error;
mod files;
mod follow;
mod hidden;
mod merge;
mod object;
mod output;
mod past;
pub mod paths;
mod print;
mod progress;
mod repository;
mod run;
mod source;
mod sources;
mod talk;
mod target;
mod templates;
mod waiting;
mod why;

pub use args::{
    Cli, ClientCommand, Command, DatabaseArgs, DownArgs, GitArgs, GlobalArgs, LogArgs, LogFormat,
    MigrateArgs, NetworkArgs, OperatorArgs, ServerArgs, SimulatedSwarmArgs, UpArgs,
};
pub use complete::complete;
pub use run::{parse, run};
