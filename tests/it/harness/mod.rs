//! Real servers for the tests: Postgres, NATS and Docker Engines in Swarm mode, private to this test process.
//!
//! Nothing is shared with the machine's own servers or with another test run, so runs may go on side by side.
//! Whatever way the test process ends, its [`keeper`] removes all that it made.

pub(crate) mod docker;
pub(crate) mod eventually;
pub(crate) mod git;
pub(crate) mod home;
pub(crate) mod hush;
pub(crate) mod jwt;
pub(crate) mod keeper;
mod machine;
pub(crate) mod nats;
mod network;
pub(crate) mod nodes;
pub(crate) mod operator;
pub(crate) mod postgres;
pub(crate) mod process;
mod switch;

/// A client for HTTP requests; its builder takes a Unix socket, too.
pub(crate) fn http() -> reqwest::ClientBuilder {
    // reqwest panics without a TLS provider. That one is there already is as good.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}
