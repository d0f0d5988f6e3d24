//! Puts the parts together: lead, follow, work.

use std::future::Future;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::queue::Queue;
use crate::resource::lower::Endpoints;
use crate::resource::{Key, Revision};
use crate::store::{Epoch, Store};
use crate::swarm::{Cache, SecretsDir, Trigger};
use crate::telemetry::{Chain, Metrics};

use super::leader::{self, Term};
use super::{Reconciler, Tuning, declared};

/// Keys that are worked on at once.
const WORKERS: usize = 16;
/// How long events are told.
const EVENT_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// How often old events and revisions are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(10 * 60);
/// Revisions that are kept for watchers, however old they are.
const REVISIONS_KEPT: i64 = 100_000;
/// How long others are kept, too, for the history: one busy writer must not be able to push out what others did.
const HISTORY_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Revisions that are kept at most.
const REVISIONS_MAX: i64 = 1_000_000;

/// What the controllers need, whoever leads.
#[derive(Clone)]
pub struct Controller {
    /// What is declared.
    pub store: Store,
    /// What is observed; it is kept fresh by somebody else.
    pub cache: Cache,
    /// Where secret content comes from.
    pub secrets: SecretsDir,
    /// What agents are told of their surroundings.
    pub endpoints: Endpoints,
    /// The installation's id.
    pub instance: String,
    /// Who we are among the operators of one database.
    pub holder: String,
    /// Figures.
    pub metrics: Metrics,
    /// How long they wait.
    pub tuning: Tuning,
}

/// Leads when it may, and reconciles while it leads, until `stop`; what `beside` makes of the leader's epoch runs while it
/// leads, too.
pub async fn run<B: Future<Output = ()>>(
    controller: &Controller,
    beside: impl Fn(Epoch) -> B,
    stop: impl Future<Output = ()>,
) {
    tokio::pin!(stop);
    let tuning = controller.tuning;
    loop {
        let lease = tokio::select! {
            () = &mut stop => return,
            lease = leader::acquire(&controller.store, &controller.holder, tuning.lease) => lease,
        };
        tracing::info!(holder = controller.holder, epoch = lease.epoch.0, "leading");
        let queue = Queue::new(tuning.backoff);
        let waiting = queue.clone();
        controller.metrics.leads(move || waiting.due());
        let term = Term::of(&lease, tuning.lease.margin);
        let work = async {
            tokio::select! {
                () = lead(controller, lease.epoch, term.clone(), &queue) => {}
                () = beside(lease.epoch) => {}
            }
        };
        let ended = tokio::select! {
            () = &mut stop => None,
            ended = leader::while_leading(&controller.store, lease.clone(), &term, tuning.lease.period, work) => Some(ended),
        };
        controller.metrics.follows();
        controller.cache.stop_polling();
        match ended {
            None => {
                if let Err(error) = controller.store.release_lease(&lease).await {
                    tracing::warn!(error = %Chain(&error), "cannot give the leader lease up; it runs out by itself");
                }
                return;
            }
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(error = %Chain(&error), "leading no longer; everything in progress was dropped")
            }
        }
    }
}

async fn lead(controller: &Controller, epoch: Epoch, term: Term, queue: &Queue<Key>) {
    let reconciler = Reconciler {
        controller: controller.clone(),
        epoch,
        term,
    };
    // Nothing is decided before the first full list, an empty observation is not an empty Swarm: a look waits for it, or
    // fails when the engine is away, and then the status says so.
    let collected = Queue::new(controller.tuning.backoff);
    tokio::select! {
        () = declared::follow(&controller.store, queue, &collected, controller.tuning.list_again) => {}
        () = hear(&controller.cache, queue) => {}
        () = keep_house(&controller.store) => {}
        () = reconciler.collect(&collected) => {}
        () = queue.run(WORKERS, |key| reconciler.reconcile(key)) => {}
    }
}

/// Turns hints into keys. What owners left behind is swept whenever everything is looked at.
async fn hear(cache: &Cache, queue: &Queue<Key>) {
    sweep(cache, queue);
    loop {
        match cache.triggered().await {
            Trigger::Owner(key) => queue.add(key),
            Trigger::All => {
                sweep(cache, queue);
                // What is declared is in the queue already, or is about to be by its own watch: this needs no
                // database, which may be away as well.
                queue.add_all();
            }
        }
    }
}

fn sweep(cache: &Cache, queue: &Queue<Key>) {
    for owner in cache.owners() {
        queue.add(owner);
    }
}

async fn keep_house(store: &Store) {
    let mut ticks = interval(HOUSEKEEPING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = forget(store).await {
            tracing::warn!(error = %Chain(&error), "cannot forget old events and revisions now");
            sleep(Duration::from_secs(1)).await;
        }
    }
}

async fn forget(store: &Store) -> Result<(), crate::store::StoreError> {
    store.expire_events(EVENT_AGE).await?;
    let head = store.revision().await?;
    let young = store.first_within(HISTORY_AGE).await?;
    store.compact(oldest_kept(head, young)).await
}

/// Where the log begins once its older part is forgotten; `young` is its first entry that is not old yet.
fn oldest_kept(Revision(head): Revision, young: Option<Revision>) -> Revision {
    let of_watchers = head - REVISIONS_KEPT;
    let of_history = young.map_or(of_watchers, |Revision(young)| young.min(of_watchers));
    Revision(of_history.max(head - REVISIONS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_kept_for_watchers_and_for_the_history_and_never_grows_without_end() {
        for (head, young, expected) in [
            (7, Some(1), -99_993),
            (150_000, None, 50_000),
            (150_000, Some(149_000), 50_000),
            (150_000, Some(20_000), 20_000),
            (2_000_000, Some(20_000), 1_000_000),
        ] {
            let kept = oldest_kept(Revision(head), young.map(Revision));
            assert_eq!(kept, Revision(expected), "{head} {young:?}");
        }
    }
}
