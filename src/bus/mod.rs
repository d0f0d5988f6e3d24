//! Subjects, message types and client of NATS: the only room that knows async-nats.
