//! `whoosh up`: from nothing, or from whatever an earlier run left, to an operator that answers.

use std::net::{IpAddr, Ipv4Addr};

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
    pub docker_host: Option<String>,
    /// This machine's address as containers see it: where a private NATS listens. Loopback when unknown.
    pub gateway: Option<IpAddr>,
}

/// Starts what does not run yet, and waits until the operator is ready.
///
/// # Errors
/// [`DevError`] of the first server that does not come up; what already runs stays.
pub async fn up(home: &Home, options: &Options) -> Result<Started, DevError> {
    home.create()?;
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
    let settings = [
        ("WHOOSH_SOCKET", Some(home.socket().display().to_string())),
        ("WHOOSH_SECRETS_DIR", Some(home.secrets().display().to_string())),
        ("WHOOSH_DATABASE_URL", Some(database_url)),
        ("WHOOSH_NATS_URL", Some(nats_url)),
        ("DOCKER_HOST", options.docker_host.clone()),
    ];
    let settings = settings
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Operator::new(home).up(&settings.collect::<Vec<_>>()).await
}
