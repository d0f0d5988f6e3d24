//! Reconcile pipelines and their wiring: watch -> queue -> reconcile.
