//! Logging and metrics.

pub mod logging;
pub mod metrics;

pub use logging::{Chain, LogFormat, LoggingError};
pub use metrics::Metrics;
