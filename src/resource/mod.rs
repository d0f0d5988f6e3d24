//! Kinds, their types, names, labels, defaulting and validation.
//!
//! Raw YAML or JSON comes in; [`object::Object`] is what is stored; what the planner sees has been validated.

pub mod access;
pub mod age;
pub mod agent_spec;
pub mod columns;
pub mod condition;
pub mod crd;
pub mod declares;
pub mod dependents;
pub mod duration;
pub mod env;
pub mod escape;
pub mod event;
pub mod explain;
pub mod fields;
pub mod git_source;
pub mod image;
pub mod json;
pub mod jsonpath;
pub mod kind;
pub mod kinds;
pub mod labels;
pub mod lifecycle;
pub mod lower;
pub mod managed;
pub mod manifest;
pub mod merge;
pub mod names;
pub mod nearest;
pub mod object;
pub mod outlook;
pub mod path;
pub mod pattern;
pub mod places;
pub mod policy;
pub mod policy_spec;
pub mod preview;
pub mod proposal;
pub mod prune;
pub mod quantity;
pub mod repository;
pub mod scan;
pub mod schema;
pub mod secrecy;
pub mod selector;
pub mod substitute;
pub mod token;
pub mod validate;
pub mod variables;
pub mod versions;
pub mod workload;
pub mod yaml;

pub use kind::Kind;
pub use object::{Key, Object, Revision};
