//! What a file says of an object, when the operator is to merge it and to judge what comes of it.

use jiff::Timestamp;
use serde_json::Value;

use super::{clean, place};
use crate::cli::client::{ClientError, Owner};
use crate::cli::{files, object};
use crate::resource::managed::{self, Claim, Manager};
use crate::resource::manifest::{Located, Problem};
use crate::resource::validate::{Cause, CauseReason};
use crate::resource::{Key, Kind, Object, lower};

/// The fields of one object that are to be applied.
pub(crate) struct Config {
    /// Whose they are.
    pub key: Key,
    source: Located<Value>,
}

impl Config {
    /// From manifests that say whose they are, in the order in which nothing waits for what comes later: Policies, templates, owners.
    pub(crate) fn all(sources: Vec<Located<Value>>) -> Vec<Self> {
        let config = |mut source: Located<Value>| {
            clean::strip(&mut source.value);
            let key = object::key(&source.value)?;
            Some(Self { key, source })
        };
        let mut configs: Vec<Self> = sources.into_iter().filter_map(config).collect();
        configs.sort_by_key(|config| super::turn(config.key.kind));
        configs
    }

    /// The fields.
    pub(crate) fn fields(&self) -> &Value {
        &self.source.value
    }

    /// Whether the object is judged by another: by a Policy, or by a template that its roles start from, those that the
    /// fields name or those that are live.
    pub(crate) fn uses(&self, other: &Key, live: Option<&Value>) -> bool {
        let names = |object: &Value| lower::template_names(&object["spec"]).contains(&other.name);
        let is_named = || names(self.fields()) || live.is_some_and(names);
        self.key.namespace == other.namespace && (other.kind == Kind::Policy || is_named())
    }

    /// The operator's refusal of what would come of the fields, each cause at the line of the file that it is about.
    pub(crate) fn refused(&self, error: &ClientError, live: Option<Value>, owner: &Owner) -> Vec<Problem> {
        let whole = self.merged(live, owner);
        let whole = whole.as_ref().unwrap_or(self.fields());
        files::problems(error, |field, message| {
            let found = place::find(field, self.fields(), whole, self.key.kind.schema());
            let by_keys = field.starts_with('.');
            let told: &str = if found.is_there && !by_keys {
                &found.path
            } else {
                field
            };
            let cause = Cause::new(told, CauseReason::Invalid, message);
            self.source.problem_at(&found.path, cause)
        })
    }

    /// The object as the operator made it of the fields, to find them in it again.
    fn merged(&self, live: Option<Value>, owner: &Owner) -> Option<Value> {
        let live: Object = serde_json::from_value(live?).ok()?;
        let manager = Manager::new(owner.manager.as_str());
        let (kind, now) = (self.key.kind, Timestamp::now());
        let applied = managed::apply(Some(&live), self.fields(), kind, &manager, Claim::Force, now);
        applied.ok().map(|applied| applied.object)
    }
}
