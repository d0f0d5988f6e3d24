//! Reconcile pipelines and their wiring: watch -> queue -> reconcile.
//!
//! ```text
//! declared (store watch) --+                 +-> fetch -> prepare -> observe -> plan -> act -> status, events
//! cache (engine, polls) ---+-> queue(key) ---+
//! sweep (what owners left) +                 +-> finalize, when the object is being deleted or gone
//! ```

pub mod act;
pub mod declared;
pub mod error;
pub mod finalize;
pub mod index;
pub mod leader;
pub mod next;
pub mod outages;
pub mod prepare;
pub mod reconcile;
pub mod report;
pub mod run;

pub use error::StepError;
pub use reconcile::Reconciler;
pub use run::{Controller, run};
