//! Arguments of the commands that run servers; the rooms that run them read these.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, TypedValueParser};

use super::server_url::{Given, InFile, ServerUrl};
use crate::cli::duration::parse_duration;

/// The Postgres that a server works with.
#[derive(Clone, Debug, clap::Args)]
pub struct DatabaseArgs {
    /// Postgres 15 or newer that keeps what is declared
    #[arg(
        long,
        value_name = "URL",
        env = "WHOOSH_DATABASE_URL",
        hide_env_values = true,
        value_parser = Given,
        required_unless_present = "database_url_file",
        conflicts_with = "database_url_file"
    )]
    database_url: Option<ServerUrl>,
    /// File with that address, in place of --database-url: neither a list of processes nor their environment shows it
    #[arg(long, value_name = "FILE", env = "WHOOSH_DATABASE_URL_FILE", value_parser = InFile)]
    database_url_file: Option<ServerUrl>,
}

impl DatabaseArgs {
    /// The database's address.
    pub fn url(&self) -> &str {
        ServerUrl::of(&self.database_url, &self.database_url_file).unwrap_or_default()
    }
}

/// The servers that an operator works with.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerArgs {
    /// NATS server that agents and the operator meet on, for example nats://127.0.0.1:4222
    #[arg(
        long,
        value_name = "URL",
        env = "WHOOSH_NATS_URL",
        hide_env_values = true,
        value_parser = Given,
        conflicts_with = "nats_url_file"
    )]
    nats_url: Option<ServerUrl>,
    /// File with that address, in place of --nats-url
    #[arg(long, value_name = "FILE", env = "WHOOSH_NATS_URL_FILE", value_parser = InFile)]
    nats_url_file: Option<ServerUrl>,
    /// Docker Engine that is a manager of the Swarm
    #[arg(
        long,
        value_name = "URL",
        env = "DOCKER_HOST",
        default_value = "unix:///var/run/docker.sock"
    )]
    pub docker_host: String,
    /// Folder with the content of secrets, one file for each: NAMESPACE/NAME
    #[arg(long, value_name = "DIR", env = "WHOOSH_SECRETS_DIR")]
    pub secrets_dir: Option<PathBuf>,
    /// Folder with the secrets of GitSources, a folder of files for each: NAMESPACE/NAME/FILE
    ///
    /// FILE is username, password or token, and ca.crt, for repositories by https; identity and known_hosts for those by
    /// ssh; webhook for what their servers sign webhooks with. They are read whenever a repository is looked at.
    #[arg(long, value_name = "DIR", env = "WHOOSH_GIT_SECRETS")]
    pub git_secrets: Option<PathBuf>,
}

impl ServerArgs {
    /// The NATS server's address.
    pub fn nats_url(&self) -> Option<String> {
        ServerUrl::of(&self.nats_url, &self.nats_url_file).map(str::to_owned)
    }
}

/// Where clients come in over the network.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Network options")]
pub struct NetworkArgs {
    /// Serve the API with TLS at this address, for kubectl and others with a token; there is no listener without TLS
    #[arg(long, value_name = "IP:PORT", env = "WHOOSH_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Folder of the authority that signs the server's certificate; made when it is not there
    #[arg(
        long,
        value_name = "DIR",
        env = "WHOOSH_TLS_DIR",
        default_value = "/etc/whoosh/pki"
    )]
    pub tls_dir: PathBuf,
    /// Another host name or address that clients use, for the server's certificate; can be repeated
    #[arg(
        long = "tls-name",
        value_name = "NAME",
        env = "WHOOSH_TLS_NAMES",
        value_delimiter = ','
    )]
    pub tls_names: Vec<String>,
    /// Certificate chain of your own, as PEM, in place of one that --tls-dir signs
    #[arg(long, value_name = "FILE", env = "WHOOSH_TLS_CERT", requires_all = ["tls_key", "listen"])]
    pub tls_cert: Option<PathBuf>,
    /// Its key, as PEM
    #[arg(long, value_name = "FILE", env = "WHOOSH_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Public keys, as PEM, of somebody whose JWTs come in as tokens do: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA)
    ///
    /// A JWT has exp and nbf, which may be off by 30 seconds; iss and aud; sub, a name; role, one of admin, edit, view and
    /// agent; and namespaces, a list, in which * alone is all of them. The file is read once, when the operator
    /// starts: for a change of keys, put both into it.
    #[arg(
        long,
        value_name = "FILE",
        env = "WHOOSH_JWT_KEY",
        requires_all = ["jwt_issuer", "jwt_audience", "listen"]
    )]
    pub jwt_key: Option<PathBuf>,
    /// What such a JWT says of who made it (iss)
    #[arg(long, value_name = "NAME", env = "WHOOSH_JWT_ISSUER", requires = "jwt_key", value_parser = NonEmptyStringValueParser::new())]
    pub jwt_issuer: Option<String>,
    /// What it says of whom it is for (aud)
    #[arg(long, value_name = "NAME", env = "WHOOSH_JWT_AUDIENCE", requires = "jwt_key", value_parser = NonEmptyStringValueParser::new())]
    pub jwt_audience: Option<String>,
}

/// Which Git repositories are fetched, and where they are kept.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Git options")]
pub struct GitArgs {
    /// Repository that GitSources may name, * for any text; can be repeated
    ///
    /// What is fetched is read by this operator, with what it may read: allow file:// and addresses of this machine only
    /// where everybody who may make GitSources may read them, too. Whoever may make them in a namespace also says to which
    /// of these servers the secrets of that namespace go: where there are some, name your own.
    #[arg(
        long = "git-allow",
        value_name = "URL",
        env = "WHOOSH_GIT_ALLOW",
        value_delimiter = ',',
        default_value = "https://*,ssh://*"
    )]
    pub git_allow: Vec<String>,
    /// Folder in which what was fetched is kept; it may be removed at any time
    #[arg(
        long,
        value_name = "DIR",
        env = "WHOOSH_GIT_DIR",
        default_value = "/var/cache/whoosh/git"
    )]
    pub git_dir: PathBuf,
}

/// What is logged, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct LogArgs {
    /// What to log, for example debug or info,whoosh::store=debug [default: info]
    #[arg(
        long,
        value_name = "FILTER",
        env = "WHOOSH_LOG",
        default_value = "",
        hide_default_value = true
    )]
    pub log: String,
    /// How a line of the log is written
    #[arg(
        long,
        value_name = "FORMAT",
        env = "WHOOSH_LOG_FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One readable line an event
    Text,
    /// One JSON object a line
    Json,
}

impl LogFormat {
    /// The word for it on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}

/// Arguments of `operator`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # On an existing Postgres, with the local Docker Engine
  whoosh operator --database-url postgres://whoosh@db/whoosh --socket /run/whoosh/whoosh.sock

  # With the database's password in a file, as container engines hand secrets over
  whoosh operator --database-url-file /run/secrets/database-url

  # With a bus, secrets, and a log for machines
  whoosh operator --database-url postgres://whoosh@db/whoosh --nats-url nats://nats:4222 \\
    --secrets-dir /etc/whoosh/secrets --log-format json

  # For kubectl, too (`whoosh kubeconfig` makes its configuration)
  whoosh operator --database-url postgres://whoosh@db/whoosh --listen 0.0.0.0:6443 --tls-name swarm.example")]
pub struct OperatorArgs {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The other servers.
    #[command(flatten)]
    pub servers: ServerArgs,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Git.
    #[command(flatten)]
    pub git: GitArgs,
    /// The log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Arguments of `simulated-swarm`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  whoosh simulated-swarm --listen /tmp/swarm.sock --nodes 5 &
  docker -H unix:///tmp/swarm.sock node ls")]
pub struct SimulatedSwarmArgs {
    /// Unix socket to answer at; one that is there is replaced
    #[arg(long, value_name = "PATH")]
    pub listen: PathBuf,
    /// How many nodes it has; of three or more, the first three are managers
    #[arg(long, value_name = "NUMBER", default_value = "3", value_parser = nodes())]
    pub nodes: NonZeroU16,
}

/// Arguments of `migrate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  whoosh migrate --database-url postgres://whoosh@db/whoosh")]
pub struct MigrateArgs {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Arguments of `up`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Everything private to this machine
  whoosh up

  # Without Docker, on a simulated Swarm of five nodes
  whoosh up --simulate --nodes 5

  # On servers that exist already
  whoosh up --database-url postgres://whoosh@db/whoosh --nats-url nats://nats:4222")]
pub struct UpArgs {
    /// Manage a simulated Swarm: agents are placed, started and stopped on paper, and Docker is not needed
    ///
    /// Whatever runs on it is forgotten when it ends; what is declared is not. --docker-host is not looked at.
    #[arg(long, conflicts_with_all = ["database_url", "database_url_file"])]
    pub simulate: bool,
    /// How many nodes the simulated Swarm has; of three or more, the first three are managers
    ///
    /// Without it as many as it had, and 3 at first.
    #[arg(long, value_name = "NUMBER", requires = "simulate", value_parser = nodes())]
    pub nodes: Option<NonZeroU16>,
    /// Use this Postgres instead of starting one
    #[arg(
        long,
        value_name = "URL",
        env = "WHOOSH_DATABASE_URL",
        hide_env_values = true,
        value_parser = Given,
        conflicts_with = "database_url_file"
    )]
    database_url: Option<ServerUrl>,
    /// File with that address, in place of --database-url
    #[arg(long, value_name = "FILE", env = "WHOOSH_DATABASE_URL_FILE", value_parser = InFile)]
    database_url_file: Option<ServerUrl>,
    /// The other servers.
    #[command(flatten)]
    pub servers: ServerArgs,
    /// The log.
    #[command(flatten)]
    pub log: LogArgs,
    /// How long to wait until the operator answers
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub timeout: Duration,
}

impl UpArgs {
    /// The address of a Postgres that is there, if one is to be used.
    pub fn database_url(&self) -> Option<String> {
        ServerUrl::of(&self.database_url, &self.database_url_file).map(str::to_owned)
    }
}

/// Arguments of `down`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Leave nothing behind
  whoosh down

  # Stop the operator and its servers; agents run on, and `whoosh up` finds them again
  whoosh down --keep")]
pub struct DownArgs {
    /// Keep the data and leave the agents running
    #[arg(long)]
    pub keep: bool,
    /// Docker Engine that is a manager of the Swarm [default: the one that `whoosh up` was given]
    #[arg(long, value_name = "URL")]
    pub docker_host: Option<String>,
    /// How long to wait until every agent is gone
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = parse_duration)]
    pub timeout: Duration,
}

/// As many nodes as a Swarm of some size has, and this machine's memory bears.
fn nodes() -> impl TypedValueParser<Value = NonZeroU16> {
    clap::value_parser!(u16)
        .range(1..=1000)
        .try_map(NonZeroU16::try_from)
}
