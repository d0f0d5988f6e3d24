//! An operator in a thread of its own, which dies like a process: between two instructions, without a goodbye.

use std::future::pending;
use std::path::PathBuf;
use std::sync::mpsc as gate;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use whoosh::controller::{self, Controller, LeaseTuning};
use whoosh::queue::Backoff;
use whoosh::resource::lower::Endpoints;
use whoosh::store::Store;
use whoosh::swarm::{self, Cache, Limits, SecretsDir, Swarm};
use whoosh::telemetry::Metrics;

use super::log::Log;

/// How long engine calls may take where nothing hangs: a busy machine is no fault.
pub(super) const PATIENT: Limits = Limits {
    read: Duration::from_secs(10),
    list: Duration::from_secs(10),
    write: Duration::from_secs(10),
};
/// How long they may take where something does, so that it is given up soon.
pub(super) const HASTY: Limits = Limits {
    read: Duration::from_millis(700),
    list: Duration::from_millis(700),
    write: Duration::from_millis(700),
};

const SWARM: swarm::Tuning = swarm::Tuning {
    relist: Duration::from_millis(700),
    poll_min: Duration::from_millis(10),
    poll_max: Duration::from_millis(100),
    reconnect_max: Duration::from_millis(100),
};

/// What an operator works with, whichever of its lives it is in.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) database: String,
    pub(super) engine: String,
    pub(super) secrets: PathBuf,
    pub(super) log: Log,
    pub(super) metrics: Metrics,
    pub(super) lease: LeaseTuning,
    pub(super) limits: Limits,
    /// After which a settled object is looked at although nothing tells that it changed.
    pub(super) safety_net: Duration,
}

impl Settings {
    fn tuning(&self) -> controller::Tuning {
        controller::Tuning {
            resync: Duration::from_millis(150).min(self.safety_net),
            safety_net: self.safety_net,
            after_acting: Duration::from_millis(10),
            while_settling: Duration::from_millis(200),
            while_removing: Duration::from_millis(15),
            backoff: Backoff {
                base: Duration::from_millis(10),
                max: Duration::from_millis(200),
            },
            list_again: Duration::from_millis(50),
            lease: self.lease,
        }
    }
}

/// A running operator. Dropping it kills it, as SIGKILL does: it does nothing more afterwards.
pub(super) struct Operator {
    orders: Option<mpsc::UnboundedSender<gate::Receiver<()>>>,
    thread: Option<JoinHandle<()>>,
}

impl Operator {
    /// Starts one. `holder` is its name among those who may lead, `life` its name to the database.
    pub(super) fn start(settings: &Settings, holder: &str, life: u32) -> Self {
        let (orders, stops) = mpsc::unbounded_channel();
        let (settings, holder) = (settings.clone(), holder.to_owned());
        let thread = std::thread::spawn(move || live(settings, holder, life, stops));
        Self {
            orders: Some(orders),
            thread: Some(thread),
        }
    }

    /// Stops it in its tracks, as SIGSTOP does.
    pub(super) fn stop(self) -> Stopped {
        let (resume, stopped) = gate::channel();
        let orders = self.orders.as_ref().expect("it runs");
        orders.send(stopped).expect("it runs");
        Stopped {
            resume,
            operator: self,
        }
    }
}

/// An operator that does nothing, and does not know it.
pub(super) struct Stopped {
    // Dropped first: what is stopped cannot end.
    resume: gate::Sender<()>,
    operator: Operator,
}

impl Stopped {
    /// Lets it go on, as SIGCONT does.
    pub(super) fn wake(self) -> Operator {
        drop(self.resume);
        self.operator
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the operator panicked");
        }
    }
}

fn live(
    settings: Settings,
    holder: String,
    life: u32,
    mut stops: mpsc::UnboundedReceiver<gate::Receiver<()>>,
) {
    let _logged = tracing::subscriber::set_default(settings.log.subscriber());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        tokio::spawn(work(settings, holder, life));
        while let Some(stopped) = stops.recv().await {
            // All of the operator is on this thread. What it waits for is that the other end is dropped.
            let _ended = stopped.recv();
        }
    });
    runtime.shutdown_background();
}

/// As `whoosh operator` wires it, without its API.
async fn work(settings: Settings, holder: String, life: u32) {
    let url = format!("{}&application_name=life-{life}", settings.database);
    let store = Store::connect(&url).await.expect("the database is there");
    let instance = store.instance_id().await.expect("the database is there");
    let secrets = SecretsDir::new(Some(settings.secrets.clone()));
    let swarm = Swarm::with_limits(&settings.engine, settings.limits).expect("the address is right");
    let cache = Cache::with_tuning(swarm, &instance, secrets.clone(), SWARM);
    let controller = Controller {
        store,
        cache: cache.clone(),
        secrets,
        endpoints: Endpoints::default(),
        instance,
        holder,
        tuning: settings.tuning(),
        metrics: settings.metrics,
    };
    tokio::spawn(async move { cache.run().await });
    controller::run(&controller, |_| pending(), pending()).await;
}
