//! `whoosh operator`: wires the rooms together and runs them until SIGTERM or SIGINT.

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use whoosh::api::{self, Api, Socket};
use whoosh::cli::{GitArgs, GlobalArgs, OperatorArgs, paths};
use whoosh::controller::{self, Controller};
use whoosh::files::Folder;
use whoosh::gitops::{Fetcher, Sources};
use whoosh::resource::lower::{Endpoints, NatsUrl};
use whoosh::store::Store;
use whoosh::swarm::{Cache, SecretsDir, Swarm};
use whoosh::telemetry::Metrics;

use super::stop::told_to_stop;
use super::{Failure, network};

/// Serves and reconciles until it is told to stop.
pub(crate) async fn run(global: &GlobalArgs, args: &OperatorArgs) -> Result<(), Failure> {
    // First of all, so that a second operator on the same socket changes nothing.
    let socket_path = global.socket.clone().unwrap_or_else(paths::default_socket);
    let socket = Socket::bind(&socket_path)?;
    allow_many_files();
    let store = Store::connect(args.database.url()).await?;
    store.migrate().await?;
    let instance = store.instance_id().await?;
    let mut secrets = SecretsDir::new(args.servers.secrets_dir.clone());
    let address = args.servers.nats_url();
    let nats_url = address.as_deref().map(NatsUrl::of);
    if let (Some(NatsUrl::Secret), Some(address)) = (&nats_url, &address) {
        secrets = secrets.with_nats_url(address);
    }
    let cache = Cache::new(
        Swarm::connect(&args.servers.docker_host)?,
        &instance,
        secrets.clone(),
    );
    let endpoints = Endpoints {
        nats_url,
        whoosh_endpoint: None,
    };
    let jwt = network::jwt_issuer(&args.network)?;
    let network = network::listen(&args.network, &host_name()).await?;
    let git_secrets = args.servers.git_secrets.clone().map(Folder::new);
    let (metrics, closing) = (Metrics::new(), CancellationToken::new());
    let api = Api {
        store: store.clone(),
        cache: cache.clone(),
        endpoints: endpoints.clone(),
        instance: instance.clone(),
        way_in: network.as_ref().map(|(_, way_in)| way_in.clone()),
        jwt,
        git_secrets: git_secrets.clone(),
        kept: api::Kept::default(),
        quotas: api::Turns::default(),
        metrics: metrics.clone(),
        closing: closing.clone(),
    };
    // One holder a socket: an operator that is started again takes its own lease back at once. People read the rest.
    let holder = format!("{}:{}:{}", host_name(), socket_path.display(), socket.holder()?);
    let controller = Controller {
        store,
        cache: cache.clone(),
        secrets,
        endpoints,
        instance,
        holder,
        metrics,
        tuning: controller::Tuning::default(),
    };
    let observing = tokio::spawn(async move { cache.run().await });
    let sources = Sources::new(api.clone(), fetcher(&args.git, git_secrets)?);
    let app = api::router(api);
    let mut serving = JoinSet::new();
    serving.spawn(socket.serve(app.clone(), closing.clone()));
    tracing::info!(socket = %socket_path.display(), "serving");
    if let Some((port, way_in)) = network {
        tracing::info!(server = way_in.server, "serving with TLS");
        serving.spawn(port.serve(app, closing.clone()));
    }
    controller::run(&controller, |epoch| sources.run(epoch), told_to_stop()?).await;
    tracing::info!("stopping");
    closing.cancel();
    while let Some(ended) = serving.join_next().await {
        ended?;
    }
    observing.abort();
    Ok(())
}

/// Fetches with this very program.
fn fetcher(args: &GitArgs, secrets: Option<Folder>) -> Result<Fetcher, Failure> {
    let GitArgs { git_allow, git_dir } = args;
    let allowed = git_allow.iter().map(|pattern| pattern.parse());
    Ok(Fetcher {
        program: std::env::current_exe()?,
        cache: git_dir.clone(),
        allowed: allowed.collect::<Result<_, _>>()?,
        secrets,
    })
}

/// As many open files as the system allows: each client is one, and the usual limit is below what the API serves.
fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
