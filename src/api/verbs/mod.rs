//! What can be done with the objects that the store keeps: one file a verb or subresource; and with the Swarm on paper.

pub(super) mod apply;
pub(super) mod change;
pub(super) mod delete;
pub(super) mod history;
pub(super) mod plan;
pub(super) mod read;
pub(super) mod scale;
pub(super) mod simulate;
pub(super) mod status;
pub(super) mod watch;
pub(super) mod write;
