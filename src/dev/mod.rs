//! `whoosh up|down`: a private Postgres, NATS and operator on this machine.
