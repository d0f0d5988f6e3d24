//! `whoosh up`: from nothing, or from whatever an earlier run left, to an operator that answers.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::nats::Nats;
use super::operator::{Operator, Started};
use super::postgres::Postgres;
use super::{DevError, Home};

/// Which servers to use instead of private ones.
#[derive(Clone, Default)]
pub struct Options {
    /// An existing Postgres.
    pub database_url: Option<String>,
    /// An existing NATS.
    pub nats_url: Option<String>,
    /// The Docker Engine, as `DOCKER_HOST` names one.
    pub docker_host: String,
    /// The folder of secret files; one below the home when `None`.
    pub secrets_dir: Option<PathBuf>,
    /// This machine's address as containers see it: where a private NATS listens. Loopback when unknown.
    pub gateway: Option<IpAddr>,
    /// How long the operator may take until it has seen the Swarm.
    pub timeout: Duration,
}

/// Starts what does not run yet, and waits until the operator is ready.
///
/// # Errors
/// [`DevError`] of the first server that does not come up; what already runs stays.
pub async fn up(home: &Home, options: &Options) -> Result<Started, DevError> {
    let _turn = loop {
        home.create()?;
        let turn = home.lock().await?;
        // A `down` that had its turn before removes what was made.
        if home.exists() {
            break turn;
        }
    };
    let database_url = match &options.database_url {
        Some(url) => url.clone(),
        None => Postgres::new(home).up().await?,
    };
    let nats_url = match &options.nats_url {
        Some(url) => url.clone(),
        None => {
            Nats::new(home)
                .up(options.gateway.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)))
                .await?
        }
    };
    let secrets = options.secrets_dir.clone().unwrap_or_else(|| home.secrets());
    let settings = [
        ("WHOOSH_SOCKET", home.socket().display().to_string()),
        ("WHOOSH_SECRETS_DIR", secrets.display().to_string()),
        ("WHOOSH_DATABASE_URL", database_url),
        ("WHOOSH_NATS_URL", nats_url),
        ("DOCKER_HOST", options.docker_host.clone()),
    ];
    Operator::new(home).up(&settings, options.timeout).await
}
