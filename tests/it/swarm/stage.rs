//! One owner on an engine: its cache at work, its triggers, and the actions of a planner.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use whoosh::plan::observed::{Observed, Service, TaskState};
use whoosh::plan::service::{ContainerSpec, RestartPolicy, ServiceSpec, UpdatePolicy};
use whoosh::plan::{Action, SecretSource};
use whoosh::resource::names::{MANAGER, label};
use whoosh::resource::policy::Rules;
use whoosh::resource::workload::{Amount, DesiredHealthCheck};
use whoosh::resource::{Key, Kind, Object};
use whoosh::swarm::{ActError, Cache, Done, SecretsDir, Swarm, Trigger, Tuning, Want};

use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;

/// An image around bash.
pub(crate) const IMAGE: &str = "bash:swarm";
/// What its containers run: it says something, and stops when it is told to.
const SCRIPT: &str =
    "trap 'exit 0' TERM; echo out; echo err >&2; while :; do read -r -t 5 <> <(:) || :; done";
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Quick polls; lists so seldom that no test lives on them by chance.
pub(crate) const TUNING: Tuning = Tuning {
    relist: Duration::from_secs(3600),
    poll_min: Duration::from_millis(50),
    poll_max: Duration::from_millis(400),
    reconnect_max: Duration::from_millis(500),
};

/// One owner on an engine.
pub(crate) struct Stage {
    pub(crate) swarm: Swarm,
    pub(crate) cache: Cache,
    pub(crate) owner: Key,
    pub(crate) secrets: SecretsDir,
    pub(crate) network: String,
    pub(crate) instance: String,
    run: JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.run.abort();
    }
}

/// Makes sure that the engine has [`IMAGE`].
pub(crate) async fn load_image(engine: &Engine) {
    engine.load_image(Path::new("/bin/bash"), IMAGE).await;
}

/// `unix://…` of an engine.
pub(crate) fn host(engine: &Engine) -> String {
    format!("unix://{}", engine.socket().display())
}

/// The secret file `default/token`, holding `hush`.
pub(super) fn hush() -> SecretSource {
    SecretSource {
        namespace: "default".to_owned(),
        name: "token".to_owned(),
        fingerprint: "dc8331bcb2283e89d275a1c2fe66f7bf5ac3163ec1967f149dd7e27906365f0c".to_owned(),
    }
}

impl Stage {
    /// A stage of its own on the shared engine.
    pub(crate) async fn shared() -> (&'static Engine, Self) {
        let engine = Engine::shared().await;
        load_image(engine).await;
        (
            engine,
            Self::new(&host(engine), TUNING, SecretsDir::default()).await,
        )
    }

    /// A new owner of a new installation.
    pub(crate) async fn new(host: &str, tuning: Tuning, secrets: SecretsDir) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let swarm = Swarm::connect(host).unwrap();
        let instance = format!("stage-{number}");
        let cache = Cache::with_tuning(swarm.clone(), &instance, secrets.clone(), tuning);
        let running = cache.clone();
        let mut stage = Self {
            run: tokio::spawn(async move { running.run().await }),
            swarm,
            cache,
            owner: Key::new(Kind::Team, "default", format!("stage{number}")),
            secrets,
            network: format!("stage{number}_net"),
            instance,
        };
        stage.cache.ready().await;
        stage.until_triggered(&Trigger::All).await;
        stage
    }

    /// The labels of all that is made for the owner.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        let Key {
            kind,
            namespace,
            name,
        } = &self.owner;
        [
            (label::MANAGED_BY, MANAGER),
            (label::INSTANCE, &self.instance),
            (label::KIND, kind.singular()),
            (label::NAMESPACE, namespace),
            (label::NAME, name),
            (label::UID, self.uid()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    pub(crate) fn uid(&self) -> &str {
        "uid-1"
    }

    /// The service of one slot, in its simplest form.
    pub(crate) fn spec(&self, slot: u32) -> ServiceSpec {
        ServiceSpec {
            name: format!("team_default_{}_worker_{slot}", self.owner.name),
            labels: self.labels(),
            replicas: 1,
            container: ContainerSpec {
                image: IMAGE.to_owned(),
                command: Vec::new(),
                args: vec!["-c".to_owned(), SCRIPT.to_owned()],
                env: BTreeMap::new(),
                user: String::new(),
                mounts: Vec::new(),
                capabilities: BTreeSet::new(),
                sysctls: BTreeMap::new(),
                secrets: Vec::new(),
                configs: Vec::new(),
                // The image comes with the agent's, which bash does not meet.
                health_check: Some(DesiredHealthCheck {
                    command: Vec::new(),
                    interval: Duration::ZERO,
                    timeout: Duration::ZERO,
                    start_period: Duration::ZERO,
                    retries: 0,
                }),
                stop_grace_period: Duration::from_secs(10),
                read_only: false,
                init: None,
            },
            limits: Amount::default(),
            reservations: Amount::default(),
            constraints: Vec::new(),
            preferences: Vec::new(),
            networks: BTreeSet::from([self.network.clone()]),
            ports: BTreeSet::new(),
            restart: RestartPolicy {
                always: true,
                delay: Duration::from_secs(1),
                max_attempts: 0,
                window: Duration::ZERO,
            },
            update: UpdatePolicy {
                stop_first: true,
                pause_on_failure: true,
                parallelism: 1,
            },
            dnsrr: true,
        }
    }

    pub(crate) async fn act(&self, action: &Action) -> Result<Done, ActError> {
        let policy = Key::new(Kind::Policy, "default", "stage");
        let policy = Object::new(&policy, json!({"allow": {"volumes": ["vol"]}}));
        let rules = Rules::of([&policy]);
        let done = self
            .swarm
            .act(action, &self.instance, &self.secrets, &rules)
            .await;
        self.cache.invalidate(&self.owner);
        done
    }

    pub(crate) async fn create_network(&self) {
        let (name, labels) = (self.network.clone(), self.labels());
        self.act(&Action::CreateNetwork { name, labels }).await.unwrap();
    }

    pub(crate) async fn create(&self, spec: ServiceSpec) -> Result<Done, ActError> {
        self.act(&Action::CreateService { spec: Box::new(spec) }).await
    }

    /// Changes the live service of that name to `spec`; again when the engine's own updater was faster.
    pub(crate) async fn update(&self, spec: ServiceSpec) -> Result<Done, ActError> {
        eventually(PATIENCE, "the version is the one that was seen", async || {
            let live = self.service(&spec.name).await;
            let update = Action::UpdateService {
                id: live.id,
                version: live.version,
                uid: self.uid().to_owned(),
                spec: Box::new(spec.clone()),
            };
            match self.act(&update).await {
                Err(conflict @ ActError::Conflict { .. }) => Err(conflict),
                other => Ok(other),
            }
        })
        .await
    }

    /// Everything of the owner, and its network.
    pub(crate) async fn observe(&self) -> Observed {
        let mut want = Want::own(&self.owner);
        want.networks.insert(self.network.clone());
        self.cache.observe(&want).await.unwrap()
    }

    pub(crate) async fn service(&self, name: &str) -> Service {
        self.observe().await.services.remove(name).unwrap()
    }

    /// Waits until the newest tasks of the owner's services run their current specs.
    pub(crate) async fn until_running(&self) {
        self.cache.settling(&self.owner, true);
        eventually(PATIENCE, "every slot runs its current spec", async || {
            let services = self.observe().await.services;
            let runs = |service: &Service| {
                let mut tasks = service.tasks.iter().flatten();
                tasks.any(|task| task.current && task.state == TaskState::Running)
            };
            if services.values().all(runs) {
                Ok(())
            } else {
                Err(format!("{services:?}"))
            }
        })
        .await;
        self.cache.settling(&self.owner, false);
    }

    /// Waits for a trigger; how long that took.
    pub(crate) async fn until_triggered(&mut self, expect: &Trigger) -> Duration {
        let (start, mut others) = (Instant::now(), Vec::new());
        loop {
            match timeout_at(start + PATIENCE, self.cache.triggered()).await {
                Ok(trigger) if trigger == *expect => return start.elapsed(),
                Ok(other) => others.push(other),
                end => panic!("no {expect:?}, but {others:?} and {end:?}"),
            }
        }
    }

    pub(crate) fn own(&self) -> Trigger {
        Trigger::Owner(self.owner.clone())
    }

    /// Forgets the triggers so far; returns them.
    pub(crate) fn drain(&mut self) -> Vec<Trigger> {
        std::iter::from_fn(|| self.cache.triggered().now_or_never()).collect()
    }

    /// Removes everything of the owner, and waits until it is gone.
    pub(crate) async fn clear(&self) {
        for service in self.observe().await.services.into_values() {
            let (id, name, uid) = (service.id, service.spec.name, self.uid().to_owned());
            self.act(&Action::RemoveService { id, name, uid }).await.unwrap();
        }
        self.cache.settling(&self.owner, true);
        eventually(PATIENCE, "the tasks are gone", async || {
            let left = self.observe().await.leftover_tasks;
            if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?}"))
            }
        })
        .await;
        self.cache.settling(&self.owner, false);
        let observed = self.observe().await;
        for (name, blob) in observed
            .secrets
            .into_iter()
            .filter(|(_, blob)| blob.labels == self.labels())
        {
            let (id, users) = (blob.id, blob.in_use);
            self.act(&Action::RemoveSecret { id, name, users }).await.unwrap();
        }
        for (name, blob) in observed
            .configs
            .into_iter()
            .filter(|(_, blob)| blob.labels == self.labels())
        {
            let (id, users) = (blob.id, blob.in_use);
            self.act(&Action::RemoveConfig { id, name, users }).await.unwrap();
        }
        for (name, network) in observed.networks {
            let remove = Action::RemoveNetwork { id: network.id, name };
            eventually(PATIENCE, "the network is free", async || self.act(&remove).await).await;
        }
    }
}
