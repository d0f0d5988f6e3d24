//! Reconcile pipelines and their wiring: watch -> queue -> reconcile.
//!
//! ```text
//! declared (store watch) --+                 +-> fetch -> prepare -> observe -> plan -> act -> status, events
//! cache (engine, polls) ---+-> queue(key) ---+
//! sweep (what owners left) +                 +-> finalize, when the object is being deleted or gone
//! ```

mod act;
mod collect;
mod declared;
mod error;
mod finalize;
mod index;
mod leader;
mod next;
mod prepare;
mod reconcile;
mod report;
mod run;
mod tuning;

use error::StepError;
use reconcile::Reconciler;

pub use run::{Controller, run};
pub use tuning::{LeaseTuning, Tuning};
