//! A service between the engine's JSON and the fields that we own.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(super) use decode::{decode, template_print};
pub(super) use encode::{encode, release};

use crate::resource::names::label;
use crate::resource::object::GROUP;

/// How long the engine waits between two starts when nobody says.
const DEFAULT_RESTART_DELAY_NANOS: i64 = 5_000_000_000;
/// How long the engine waits for a container to stop when nobody says.
const DEFAULT_STOP_GRACE_NANOS: i64 = 10_000_000_000;

/// Engine ids by name, of what a service refers to.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    /// Networks.
    pub(super) networks: BTreeMap<String, String>,
    /// Secrets.
    pub(super) secrets: BTreeMap<String, String>,
    /// Configs.
    pub(super) configs: BTreeMap<String, String>,
}

/// Whether a service label is ours to write and to remove.
fn is_ours(key: &str) -> bool {
    key == label::STACK || key.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'))
}
