//! One integration binary: every scenario runs against real servers of its own.

mod agent;
mod tidy;
