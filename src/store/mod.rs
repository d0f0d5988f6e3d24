//! Objects, revisions, watch, history, events and the leader lease: the only room that knows sqlx.
