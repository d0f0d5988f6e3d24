//! The commands: one file each, with its arguments, its help and what it does.

pub(crate) mod api_resources;
pub(crate) mod apply;
pub(crate) mod auth;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod crds;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod edit;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod kubeconfig;
pub(crate) mod logs;
pub(crate) mod mark;
pub(crate) mod patch;
pub(crate) mod scale;
pub(crate) mod simulate;
pub(crate) mod token;
pub(crate) mod tree;
pub(crate) mod validate;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod why;
