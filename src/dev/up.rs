//! `whoosh up`: from nothing, or from whatever an earlier run left, to an operator that answers.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::nats::Nats;
use super::operator::{Operator, Started};
use super::postgres::Postgres;
use super::swarm::SimulatedSwarm;
use super::{DevError, Settings, Turn};

/// Who reaches a private operator may read this machine's repositories anyway.
const GIT_ALLOW: &str = "https://*,ssh://*,file://*,http://127.0.0.1:*,http://localhost:*";

/// What is started, and how.
#[derive(Clone, Default)]
pub struct Options {
    /// An existing Postgres; a private one is started when `None`.
    pub database_url: Option<String>,
    /// How the operator is started.
    pub settings: Settings,
    /// This machine's address as containers see it: where a private NATS listens. Loopback when unknown.
    pub gateway: Option<IpAddr>,
    /// How long the operator may take until it has seen the Swarm.
    pub timeout: Duration,
}

/// Starts what does not run yet, and waits until the operator is ready; `waiting` is told what for.
///
/// # Errors
/// [`DevError`] of the first server that does not come up; what already runs stays.
pub async fn up(
    turn: &Turn,
    options: &Options,
    waiting: &(dyn Fn(&str) + Sync),
) -> Result<Started, DevError> {
    let home = turn.home();
    let settings = &options.settings;
    settings.stay_with_swarm(home)?;
    let database_url = match &options.database_url {
        Some(url) => url.clone(),
        None => Postgres::new(home).up().await?,
    };
    let nats_url = match &settings.nats_url {
        Some(url) => url.clone(),
        None => {
            Nats::new(home)
                .up(options.gateway.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)))
                .await?
        }
    };
    settings.write(home)?;
    let docker_host = match settings.simulated_nodes {
        Some(nodes) => SimulatedSwarm::new(home).up(nodes).await?,
        None => settings.docker_host.clone(),
    };
    let secrets = settings.secrets_dir.clone().unwrap_or_else(|| home.secrets());
    let git_secrets = settings.git_secrets.clone().unwrap_or_else(|| home.git_secrets());
    let operator = Operator::new(home);
    let listen = operator.address()?;
    let environment = [
        ("WHOOSH_LISTEN", listen.to_string()),
        ("WHOOSH_TLS_DIR", home.pki().display().to_string()),
        ("WHOOSH_SOCKET", home.socket().display().to_string()),
        ("WHOOSH_SECRETS_DIR", secrets.display().to_string()),
        ("WHOOSH_GIT_SECRETS", git_secrets.display().to_string()),
        ("WHOOSH_DATABASE_URL", database_url),
        ("WHOOSH_NATS_URL", nats_url),
        ("DOCKER_HOST", docker_host),
        ("WHOOSH_GIT_DIR", home.git().display().to_string()),
        ("WHOOSH_GIT_ALLOW", GIT_ALLOW.to_owned()),
        ("WHOOSH_LOG", settings.log.clone()),
        ("WHOOSH_LOG_FORMAT", settings.log_format.clone()),
    ];
    operator.up(&environment, options.timeout, waiting).await
}
