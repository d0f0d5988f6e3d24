//! Where one run takes place: a database, a simulated Swarm, and an operator between them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use whoosh::controller::LeaseTuning;
use whoosh::resource::lifecycle::{self, Deletion, Stamp};
use whoosh::resource::{Key, Kind, Object, Revision};
use whoosh::sim::{self, Pace, Simulation};
use whoosh::store::{Change, Op, Store, StoreError, Write};
use whoosh::swarm::Limits;
use whoosh::telemetry::Metrics;

use super::log::Log;
use super::operator::{Operator, Settings, Stopped};
use super::play::Manner;
use super::workload::{SECRET, SECRET_NAME};
use super::writes::Writes;
use crate::harness::eventually::{eventually, within};

const PATIENCE: Duration = Duration::from_secs(20);

/// Resyncs that a test can wait for.
const OFTEN: Duration = Duration::from_millis(50);

/// The parts of a run.
pub(super) struct Ground {
    pub(super) simulation: Simulation,
    pub(super) store: Store,
    pub(super) writes: Writes,
    pub(super) settings: Settings,
    operator: Option<Operator>,
    stopped: Option<Stopped>,
    /// One that led before, and does not know yet that it is replaced.
    awake: Option<Operator>,
    /// The name of the operator that runs, among those who may lead.
    holder: &'static str,
    lives: u32,
    watched: Arc<Mutex<Vec<Change>>>,
    watcher: JoinHandle<()>,
    /// How many objects of each key there were.
    births: Mutex<BTreeMap<Key, u32>>,
    _folder: TempDir,
}

impl Ground {
    /// A Swarm with nothing of ours in it; no operator runs yet.
    pub(super) async fn new(manner: Manner, lease: LeaseTuning, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let swarm = sim::Settings {
            timing: manner.timing,
            seed: manner.seed,
            pace: Pace::Live { speed: 1.0 },
            ..sim::Settings::default()
        };
        let simulation = Simulation::start(&socket, swarm).unwrap();
        let secrets = folder.path().join("secrets");
        std::fs::create_dir_all(secrets.join("default")).unwrap();
        std::fs::write(secrets.join("default").join(SECRET_NAME), SECRET).unwrap();
        let writes = Writes::new().await;
        let store = Store::connect(&writes.database.url).await.unwrap();
        let watched = Arc::new(Mutex::new(Vec::new()));
        let watcher = tokio::spawn(watch(store.clone(), Arc::clone(&watched)));
        let settings = Settings {
            database: writes.database.url.clone(),
            engine: format!("unix://{}", socket.display()),
            secrets,
            log: Log::default(),
            metrics: Metrics::new(),
            lease,
            limits,
            // What events do not tell, the full lists have to.
            safety_net: Duration::from_secs(600),
        };
        Self {
            simulation,
            store,
            writes,
            settings,
            operator: None,
            stopped: None,
            awake: None,
            holder: "operator",
            lives: 0,
            watched,
            watcher,
            births: Mutex::default(),
            _folder: folder,
        }
    }

    /// Starts the operator, again if it ran before: with the name that it had, so that it leads at once.
    pub(super) fn start(&mut self) {
        self.kill();
        self.operator = Some(self.next_life(self.holder));
    }

    /// Has the operators that start from now on resync so often that a test can wait for it.
    pub(super) fn resync_often(&mut self) {
        self.settings.safety_net = OFTEN;
    }

    /// Whether the operator does so.
    pub(super) fn resyncs_often(&self) -> bool {
        self.settings.safety_net == OFTEN
    }

    /// Stops the operator without killing it, and starts one of another name beside it.
    pub(super) fn replace(&mut self) {
        let operator = self.operator.take().expect("it was started");
        self.stopped = Some(operator.stop());
        self.operator = Some(self.next_life("another operator"));
    }

    /// Has the database's clock jump past the lease, and starts another operator beside the one that leads.
    pub(super) async fn depose(&mut self) {
        let jump = "UPDATE leases SET expires_at = clock_timestamp() - interval '1 s'";
        self.writes.database.query(jump).await.unwrap();
        self.awake = self.operator.take();
        self.operator = Some(self.next_life("another operator"));
    }

    /// Lets an operator that was stopped go on beside the one that replaced it.
    pub(super) fn wake_the_stopped(&mut self) {
        self.awake = self.stopped.take().map(Stopped::wake);
    }

    /// Kills every operator.
    pub(super) fn kill(&mut self) {
        drop(self.operator.take());
        drop(self.stopped.take());
        drop(self.awake.take());
    }

    fn next_life(&mut self, holder: &'static str) -> Operator {
        self.lives += 1;
        self.holder = holder;
        Operator::start(&self.settings, holder, self.lives)
    }

    /// Declares a spec, as the API does.
    pub(super) async fn declare(&self, key: &Key, spec: &Value) {
        self.change(key, |old| {
            let sent = serde_json::to_value(Object::new(key, spec.clone())).unwrap();
            let new = whoosh::resource::validate::object(&sent).unwrap();
            match old {
                None => Op::Create(lifecycle::create(new, &self.stamp(key))),
                Some(old) => Op::Update {
                    expected: old.revision().unwrap(),
                    object: lifecycle::update(&old, new),
                },
            }
        })
        .await;
    }

    /// Uids are the same in every run, and others for objects that come again.
    fn stamp(&self, key: &Key) -> Stamp {
        let mut births = self.births.lock().unwrap();
        let birth = births.entry(key.clone()).or_default();
        *birth += 1;
        Stamp {
            now: Timestamp::now(),
            uid: format!("uid-{birth}-of-{}-{}", key.kind.singular(), key.name),
        }
    }

    /// Deletes an object, as the API does.
    pub(super) async fn delete(&self, key: &Key) {
        self.change(key, |old| {
            let old = old.expect("it is there");
            let expected = old.revision().unwrap();
            match lifecycle::delete(&old, None, Timestamp::now()) {
                Deletion::Mark(marked) => Op::Update {
                    object: *marked,
                    expected,
                },
                other => panic!("{other:?}"),
            }
        })
        .await;
    }

    /// Again when the operator wrote meanwhile.
    async fn change(&self, key: &Key, op: impl Fn(Option<Object>) -> Op) {
        eventually(PATIENCE, "the change is stored", async || {
            let write = Write {
                op: op(self.store.get(key).await.unwrap()),
                actor: "ann".to_owned(),
                reason: "test".to_owned(),
                epoch: None,
            };
            match self.store.write(write).await {
                Err(error @ (StoreError::Conflict { .. } | StoreError::Unavailable { .. })) => Err(error),
                written => Ok(written.unwrap()),
            }
        })
        .await;
    }

    /// What the watcher was told so far.
    pub(super) fn watched(&self) -> Vec<Change> {
        self.watched.lock().unwrap().clone()
    }

    /// Waits until the watcher was told of everything up to `head`. Whether it ever is, is for the oracles to judge.
    pub(super) async fn until_watched(&self, head: Revision) {
        let told = || self.watched.lock().unwrap().last().map(|change| change.revision);
        let all = within(
            PATIENCE,
            async || if told() >= Some(head) { Ok(()) } else { Err(head) },
        );
        let _in_time = all.await;
    }

    /// How many turns the objects of a kind have had, by the operator's own count.
    pub(super) fn turns(&self, kind: Kind) -> u64 {
        let metrics = self.settings.metrics.encode();
        let of_kind = format!("whoosh_reconciles_total{{kind=\"{}\",", kind.singular());
        let counts = metrics.lines().filter(|line| line.starts_with(&of_kind));
        counts
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// Ends the run, and gives back what it used.
    pub(super) async fn end(mut self) {
        self.kill();
        self.watcher.abort();
        drop(self.store);
        self.writes.end().await;
    }
}

async fn watch(store: Store, watched: Arc<Mutex<Vec<Change>>>) {
    let changes = store.watch(Revision(0));
    futures::pin_mut!(changes);
    while let Some(Ok(change)) = changes.next().await {
        watched.lock().unwrap().push(Arc::unwrap_or_clone(change));
    }
}
