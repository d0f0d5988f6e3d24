//! `whoosh up|down`: a private Postgres, NATS and operator on this machine, and a simulated Swarm if wanted.
//!
//! Each is a background process of its own with its data, log and pid file below one folder, so that `up` can
//! be repeated, survives stale files of an earlier boot, and `down` leaves nothing behind.

pub mod address;
mod down;
pub mod error;
pub mod home;
pub mod nats;
pub mod operator;
pub mod postgres;
pub mod process;
pub mod settings;
pub mod started_as;
pub mod swarm;
pub mod turn;
pub mod up;
pub mod user;

pub use down::{down, stop};
pub use error::DevError;
pub use home::Home;
pub use settings::Settings;
pub use turn::Turn;
pub use up::{Options, up};
