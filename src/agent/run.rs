//! The life of an agent: start, report, and stop within the grace period.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, warn};

use crate::bus::Bus;
use crate::telemetry::Chain;

use super::heartbeat::Heartbeat;
use super::identity::Identity;
use super::server::Facts;
use super::settings::{BusSettings, Settings};
use super::{Phase, server};

/// Why an agent could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The port is taken, or needs more rights.
    #[error("cannot listen on port {port}; choose another with --port or CHORUS_AGENT_PORT")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system refuses signal handlers.
    #[error("cannot listen for SIGTERM and SIGINT")]
    Signals(#[source] io::Error),
}

/// Runs until SIGTERM or SIGINT, then stops within half of the grace period.
///
/// # Errors
/// See [`RunError`]; trouble with NATS is none.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    let Settings {
        identity,
        port,
        stop_grace,
        heartbeat,
        bus,
    } = settings;
    let mut signals = Signals::listen().map_err(RunError::Signals)?;
    let (phase, phases) = watch::channel(Phase::Serving);
    let listener = server::bind(port)
        .await
        .map_err(|source| RunError::Listen { port, source })?;
    let port = listener.local_addr().map_or(port, |address| address.port());
    info!(agent = %identity.name, role = %identity.role, slot = identity.slot, port, "serving");

    let server = tokio::spawn(server::serve(listener, Facts::new(&identity, phases.clone())));
    let reports = tokio::spawn(report(bus, heartbeat, identity, phases));

    let signal = signals.next().await;
    let now = Instant::now();
    info!(signal, "draining");
    phase.send_replace(Phase::Draining);
    finish("report that the agent drains", reports, now + stop_grace / 4).await;
    phase.send_replace(Phase::Closed);
    finish("answer the last requests", server, now + stop_grace / 2).await;
    info!("stopped");
    Ok(())
}

async fn report(
    bus: Option<BusSettings>,
    interval: Duration,
    identity: Identity,
    phases: watch::Receiver<Phase>,
) {
    let Some(BusSettings {
        servers,
        cluster,
        subjects,
    }) = bus
    else {
        info!("NATS_URL is not set: this agent does not report");
        return;
    };
    let bus = match Bus::connect(&servers, identity.id.as_str(), subjects).await {
        Ok(bus) => bus,
        Err(error) => {
            error!(
                error = %Chain(&error),
                "this agent does not report"
            );
            return;
        }
    };
    if let Err(error) = Heartbeat::new(bus, cluster, interval, &identity)
        .run(phases)
        .await
    {
        error!(
            error = %Chain(&error),
            "this agent no longer reports"
        );
    }
}

async fn finish(what: &str, task: JoinHandle<()>, deadline: Instant) {
    match timeout_at(deadline, task).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => error!(%error, "could not {what}"),
        Err(_) => warn!("could not {what} in time"),
    }
}

/// The signals that ask an agent to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
