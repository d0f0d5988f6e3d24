//! One shared observation of the Swarm. [`super::watch`] keeps it fresh; here it is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::engine::Engine;
use super::error::{ActError, Outage, SecretError, SwarmError};
use super::images::Images;
use super::ledger::{Ledger, ReadNo, Scope, Unread};
use super::polls::Polls;
use super::secrets::SecretsDir;
use super::triggers::{Trigger, Triggers};
use super::want::Want;
use super::{Swarm, policy};
use crate::plan::action::Target;
use crate::plan::observed::{Image, Node, Service};
use crate::plan::{Action, Observed};
use crate::resource::labels;
use crate::resource::object::Key;
use crate::resource::policy::{Rules, Usage};

/// How often the cache looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Time between two full lists; longer where a list itself takes long ([`Cache::run`]).
    pub relist: Duration,
    /// Time between two task polls of an owner that just changed.
    pub poll_min: Duration,
    /// The longest time between two task polls of an owner that is settling, unless nothing changes for long.
    pub poll_max: Duration,
    /// The longest time between two tries to reach an engine that is away.
    pub reconnect_max: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            relist: Duration::from_secs(30),
            poll_min: Duration::from_millis(200),
            poll_max: Duration::from_secs(2),
            reconnect_max: Duration::from_secs(5),
        }
    }
}

/// A service with the owner that its labels name.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// The owner.
    pub owner: Key,
    /// The service.
    pub service: Service,
}

/// The shared observation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) swarm: Swarm,
    pub(super) tuning: Tuning,
    pub(super) polls: Mutex<Polls>,
    /// Wakes the polling when somebody's next poll may be earlier than it knows.
    pub(super) earlier_poll: Notify,
    pub(super) triggers: Triggers,
    pub(super) health: watch::Sender<Health>,
    ledger: Mutex<Ledger>,
    images: Images,
    instance: String,
    secrets: SecretsDir,
}

/// Whether the cache can be believed.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Whether there was a full list since the start.
    pub(super) listed: bool,
    /// Why the engine is away and since when, while it is.
    pub(super) away: Option<Outage>,
}

impl Health {
    /// Fails while the engine is away.
    pub(super) fn check(&self) -> Result<(), SwarmError> {
        self.away
            .clone()
            .map_or(Ok(()), |outage| Err(SwarmError::Away(outage)))
    }
}

impl Cache {
    /// An empty cache of what `instance` (our store's id) has in the Swarm; [`Cache::run`] fills it.
    pub fn new(swarm: Swarm, instance: impl Into<String>, secrets: SecretsDir) -> Self {
        Self::with_tuning(swarm, instance, secrets, Tuning::default())
    }

    /// The same, with other intervals.
    pub fn with_tuning(
        swarm: Swarm,
        instance: impl Into<String>,
        secrets: SecretsDir,
        tuning: Tuning,
    ) -> Self {
        let instance = instance.into();
        let inner = Inner {
            swarm,
            tuning,
            polls: Mutex::new(Polls::new(tuning.poll_min, tuning.poll_max)),
            earlier_poll: Notify::new(),
            triggers: Triggers::default(),
            health: watch::Sender::new(Health::default()),
            ledger: Mutex::new(Ledger::new(instance.clone())),
            images: Images::default(),
            instance,
            secrets,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Waits for the first full list.
    pub async fn ready(&self) {
        // The sender lives as long as `self`.
        drop(
            self.inner
                .health
                .subscribe()
                .wait_for(|health| health.listed)
                .await,
        );
    }

    /// Whether what the cache knows can be believed now.
    ///
    /// # Errors
    /// Why the engine is away.
    pub fn health(&self) -> Result<(), SwarmError> {
        self.inner.health.borrow().check()
    }

    /// The engine behind it.
    pub fn swarm(&self) -> &Swarm {
        &self.inner.swarm
    }

    /// Says what an owner that is reconciled depends on: from now on, changes of the services and networks that
    /// `want` names are told to it. What it followed before is forgotten, and [`Want::own`] names nothing.
    pub fn follow(&self, want: &Want<'_>) {
        self.inner.ledger().follow(want);
    }

    /// One owner's slice of the Swarm. A look changes nothing for anybody, so that what is only proposed can be
    /// looked at.
    ///
    /// # Errors
    /// While the engine is away: old knowledge is not served as new. A secret that cannot be read, or an image
    /// that nobody knows, is no error; each says so.
    pub async fn observe(&self, want: &Want<'_>) -> Result<Observed, SwarmError> {
        self.look(want, None).await
    }

    /// The same, by who reconciles the owner: of what the look finds, the owner need not be told.
    ///
    /// # Errors
    /// As of [`Cache::observe`].
    pub async fn observe_to_reconcile(&self, want: &Want<'_>) -> Result<Observed, SwarmError> {
        self.look(want, Some(want.owner)).await
    }

    /// The part of an owner's slice that is not of the Swarm: what is known of the images and secrets that it names.
    pub async fn observe_sources(&self, want: &Want<'_>) -> Observed {
        self.inner.look_at_sources(want).await
    }

    async fn look(&self, want: &Want<'_>, knows: Option<&Key>) -> Result<Observed, SwarmError> {
        self.inner.available().await?;
        match self.inner.look_at(want, knows).await {
            // Who looks may learn of it before the watch does; what is said of it must not depend on who was first.
            Err(error) if error.is_outage() => Err(SwarmError::Away(self.inner.lost(error))),
            looked => looked,
        }
    }

    /// Asks right before an action whether the quotas of the owner's namespace leave room for it, beside all that runs there and
    /// is being made. What has room counts from now on.
    ///
    /// # Errors
    /// [`ActError::Denied`] where there would be too much.
    pub fn admit(&self, owner: &Key, action: &Action, rules: &Rules) -> Result<(), ActError> {
        let (Action::CreateService { spec } | Action::UpdateService { spec, .. }) = action else {
            return Ok(());
        };
        if !rules.has_quota() {
            return Ok(());
        }
        let judge = |before: &Usage, after: &Usage| policy::has_room(rules, before, after);
        let claimed = self.inner.ledger().claim(owner, spec, judge);
        claimed.map_err(|message| ActError::Denied {
            what: action.target().to_string(),
            message,
        })
    }

    /// Says that something of the owner was acted on: the next observation reads it anew, unless somebody else has
    /// done so by then.
    pub fn acted_on(&self, owner: &Key, target: &Target) {
        self.inner.ledger().acted_on(owner, Some(target));
        self.inner.expect_change(owner);
    }

    /// Says that nobody knows what became of an action for the owner: the next observation reads anew all that it
    /// has.
    pub fn invalidate(&self, owner: &Key) {
        self.inner.ledger().acted_on(owner, None);
        self.inner.expect_change(owner);
    }

    /// Says whether an owner waits for its tasks: they are polled until it no longer does.
    pub fn settling(&self, owner: &Key, is_settling: bool) {
        lock(&self.inner.polls).settling(owner, is_settling, Instant::now());
        self.inner.earlier_poll.notify_one();
    }

    /// Says that nobody reconciles here any more: no owner's tasks are polled until somebody does again, but for those of
    /// which a container tells.
    pub fn stop_polling(&self) {
        lock(&self.inner.polls).clear();
    }

    /// Waits for a hint of what to reconcile, and takes it. Hints wait, each once, until they are taken, by one
    /// listener at a time.
    pub async fn triggered(&self) -> Trigger {
        self.inner.triggers.next().await
    }

    /// Every owner that the services, networks, secrets or configs of this installation name: to find what a
    /// deleted one left.
    pub fn owners(&self) -> BTreeSet<Key> {
        self.inner.ledger().owners()
    }

    /// The services of the owners that `select` picks, for the agent view; `tasks` as in [`Want`].
    ///
    /// # Errors
    /// While the engine is away.
    pub async fn services_of(
        &self,
        select: impl Fn(&Key) -> bool,
        tasks: bool,
    ) -> Result<Vec<Owned>, SwarmError> {
        let inner = &self.inner;
        inner.available().await?;
        let owners: Vec<Key> = inner
            .ledger()
            .service_owners()
            .filter(|owner| select(owner))
            .cloned()
            .collect();
        if tasks {
            inner.know_tasks_of(&owners).await?;
        }
        let ledger = inner.ledger();
        let services = owners.into_iter().flat_map(|owner| {
            let (services, _) = ledger.owned(&owner);
            services.into_iter().map(move |service| Owned {
                owner: owner.clone(),
                service,
            })
        });
        Ok(services.collect())
    }

    /// All nodes, by id.
    pub fn nodes(&self) -> BTreeMap<String, Node> {
        self.inner.ledger().nodes_by_id()
    }
}

impl Inner {
    pub(super) fn engine(&self) -> &Engine {
        &self.swarm.engine
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    pub(super) fn begin(&self) -> ReadNo {
        self.ledger().begin()
    }

    /// What was just done for an owner shows in its tasks soon.
    fn expect_change(&self, owner: &Key) {
        lock(&self.polls).hurry(owner, Instant::now());
        self.earlier_poll.notify_one();
    }

    /// Reads an owner's tasks, with `leftovers` those of services that are gone, too; says whether they changed.
    pub(super) async fn read_tasks(&self, owner: &Key, leftovers: bool) -> Result<bool, SwarmError> {
        let read = self.begin();
        let services: Vec<String> = self.ledger().services_of(owner).into_iter().collect();
        if !leftovers {
            match self.engine().tasks_of_services(&services).await {
                Err(SwarmError::NotFound { .. }) => {}
                answer => return Ok(self.ledger().owner_tasks(read, owner, answer?, false)),
            }
        }
        let tasks = self.engine().tasks_of(owner, &self.instance).await?;
        Ok(self.ledger().owner_tasks(read, owner, tasks, true))
    }

    /// Takes note that the engine is away; since when, as it was noticed first.
    pub(super) fn lost(&self, why: SwarmError) -> Outage {
        let mut outage = Outage {
            why: Arc::new(why),
            since: Timestamp::now(),
        };
        self.health.send_modify(|health| {
            match &health.away {
                Some(before) => outage.since = before.since,
                None => {
                    let host = self.swarm.host();
                    tracing::warn!(%host, error = &outage as &dyn std::error::Error, "lost the Docker engine");
                }
            }
            health.away = Some(outage.clone());
        });
        outage
    }

    async fn look_at(&self, want: &Want<'_>, knows: Option<&Key>) -> Result<Observed, SwarmError> {
        self.catch_up(want.owner, knows).await?;
        if want.tasks && self.know_tasks(want.owner, want.leftovers).await? {
            self.tell_of(knows, BTreeSet::from([want.owner.clone()]));
        }
        let sources = self.look_at_sources(want).await;
        let mut observed = self.ledger().slice(want).with_sources(sources);
        self.add_attached_containers(&mut observed).await?;
        Ok(observed)
    }

    async fn look_at_sources(&self, want: &Want<'_>) -> Observed {
        let (images, (secret_sources, unreadable_secrets)) =
            tokio::join!(self.images(&want.images), self.look_at_secrets(want));
        Observed {
            images,
            secret_sources,
            unreadable_secrets,
            ..Observed::default()
        }
    }

    /// Waits until there was a full list, or it is clear that there is none to be had.
    async fn available(&self) -> Result<(), SwarmError> {
        let mut health = self.health.subscribe();
        match health
            .wait_for(|health| health.listed || health.away.is_some())
            .await
        {
            Ok(health) => health.check(),
            // The sender lives as long as `self`.
            Err(_) => Ok(()),
        }
    }

    /// Reads anew what the last actions of the owner may have changed, and what its services refer to.
    async fn catch_up(&self, owner: &Key, knows: Option<&Key>) -> Result<(), SwarmError> {
        let unread = self.ledger().unread(owner);
        if unread != Unread::default() {
            self.read_anew(owner, unread, knows).await?;
        }
        let lacks_networks = self.ledger().lacks_networks(owner);
        if lacks_networks {
            let read = self.begin();
            let networks = self.engine().networks().await?;
            let touched = self.ledger().networks(read, None, networks);
            self.tell_of(knows, touched);
        }
        Ok(())
    }

    async fn read_anew(&self, owner: &Key, unread: Unread, knows: Option<&Key>) -> Result<(), SwarmError> {
        let Unread { all, services, names } = unread;
        let names = (!all).then_some(names);
        let (read, engine) = (self.begin(), self.engine());
        let found_services = async {
            match all {
                true => engine.services_of(owner, &self.instance).await,
                false => {
                    engine
                        .services_named(&Vec::from_iter(services.iter().cloned()))
                        .await
                }
            }
        };
        let (found_services, found) = tokio::try_join!(found_services, engine.shelved(names.as_ref()))?;
        let scope = match all {
            true => Scope::Owner(owner),
            false => Scope::Names(owner, &services),
        };
        let mut ledger = self.ledger();
        let mut touched = ledger.services(read, scope, found_services);
        touched.extend(ledger.shelved(read, names.as_ref(), found));
        drop(ledger);
        self.tell_of(knows, touched);
        Ok(())
    }

    /// Tells all whom it concerns, but who `knows`: they would hear of it from nobody else, since to the watch it is no
    /// news any more.
    fn tell_of(&self, knows: Option<&Key>, mut touched: BTreeSet<Key>) {
        if let Some(knows) = knows {
            touched.remove(knows);
        }
        if !touched.is_empty() {
            self.triggers.add(touched.into_iter().map(Trigger::Owner));
        }
    }

    /// Reads an owner's tasks if they are not known; says whether that told something new.
    async fn know_tasks(&self, owner: &Key, leftovers: bool) -> Result<bool, SwarmError> {
        if self.ledger().knows_tasks(owner, leftovers) {
            return Ok(false);
        }
        self.read_tasks(owner, leftovers).await
    }

    async fn know_tasks_of(&self, owners: &[Key]) -> Result<(), SwarmError> {
        let unknown: Vec<&Key> = {
            let ledger = self.ledger();
            owners
                .iter()
                .filter(|owner| !ledger.knows_tasks(owner, false))
                .collect()
        };
        match unknown.as_slice() {
            [] => Ok(()),
            [owner] => {
                if self.read_tasks(owner, false).await? {
                    self.tell_of(None, BTreeSet::from([(*owner).clone()]));
                }
                Ok(())
            }
            _ => self.read_all_tasks().await,
        }
    }

    pub(super) async fn read_all_tasks(&self) -> Result<(), SwarmError> {
        let read = self.begin();
        let tasks = self.engine().tasks(&self.instance).await?;
        let touched = self.ledger().all_tasks(read, tasks);
        self.tell_of(None, touched);
        Ok(())
    }

    async fn images(&self, wanted: &BTreeSet<String>) -> BTreeMap<String, Image> {
        let resolve = async |name: &String| (name.clone(), self.images.resolve(self.engine(), name).await);
        join_all(wanted.iter().map(resolve)).await.into_iter().collect()
    }

    /// Reads what the owner's secrets are made of: fingerprints of those that can be read, and why others cannot.
    async fn look_at_secrets(&self, want: &Want<'_>) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let namespace = &want.owner.namespace;
        let look = async |name: &String| (name.clone(), self.secrets.read(namespace, name).await);
        let (mut sources, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
        for (name, looked) in join_all(want.secrets.iter().map(look)).await {
            match looked {
                Ok(content) => {
                    sources.insert(name, content.fingerprint());
                }
                // The plan has words for it that do not depend on this machine's paths.
                Err(SecretError::Missing { .. }) => {}
                Err(error) => {
                    unreadable.insert(name, error.to_string());
                }
            }
        }
        (sources, unreadable)
    }

    /// No service uses it, so it may go: unless containers were attached to it by hand.
    async fn add_attached_containers(&self, observed: &mut Observed) -> Result<(), SwarmError> {
        for network in observed.networks.values_mut() {
            if labels::is_ours(&network.labels, &self.instance) && network.in_use.is_empty() {
                match self.engine().network(&network.id).await {
                    Ok(seen) => network.in_use.others = seen.containers.len() as u64,
                    Err(SwarmError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked did so outside of these short sections.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
