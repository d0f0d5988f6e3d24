//! Keeps Git repositories applied: GitSources, and what they declare.
//!
//! ```text
//! follow (sources, and changes of what they declare) -> queue(key) -> turn
//!    -> depend (other sources first) -> git::Secret (files, read anew) -> git::fetch (a process of its own)
//!    -> commit: substitute, read, prune -> Api::declare (the admission of all doors)
//!    -> write: status -> Store::write_all: the commit's objects and the source's status in one transaction
//! turn, for what others changed -> repair: the applied commit, as it was fetched -> commit -> write
//! ```
//!
//! A source does what its role allows in its namespaces, by default `edit` in its own, and no more.

mod accepted;
mod commit;
mod depend;
mod fetcher;
mod follow;
mod health;
mod index;
mod memory;
mod read;
mod repair;
mod report;
mod resume;
mod slots;
mod source;
mod status;
mod tell;
mod turn;
mod write;

use std::sync::{Arc, Mutex};

use crate::api::Api;
use crate::queue::{Backoff, Queue};
use crate::resource::Key;
use crate::store::Epoch;

pub use fetcher::Fetcher;

use index::Index;
use memory::Memories;
use report::Reports;
use slots::Slots;

/// Sources that have their turns at once; most of them wait for a place to look at their repositories (`slots`).
const WORKERS: usize = 1024;

/// The controller of GitSources.
#[derive(Clone)]
pub struct Sources {
    api: Api,
    fetcher: Fetcher,
}

/// What one term of the leader works with.
struct Term {
    api: Api,
    fetcher: Fetcher,
    epoch: Epoch,
    queue: Queue<Key>,
    memories: Memories,
    index: Arc<Mutex<Index>>,
    reports: Reports,
    slots: Slots,
}

impl Sources {
    /// Sources that are applied through `api`.
    pub fn new(api: Api, fetcher: Fetcher) -> Self {
        Self { api, fetcher }
    }

    /// Keeps every source applied, as the leader of this epoch, until dropped.
    pub async fn run(&self, epoch: Epoch) {
        let term = Term {
            api: self.api.clone(),
            fetcher: self.fetcher.clone(),
            epoch,
            queue: Queue::new(Backoff::default()),
            memories: Memories::default(),
            index: Arc::default(),
            reports: Reports::default(),
            slots: Slots::default(),
        };
        tokio::select! {
            () = follow::follow(&term) => {}
            () = term.queue.run(WORKERS, |key| term.reconcile(key)) => {}
            () = term.reports.run(&term) => {}
        }
    }
}
