//! A source as it is declared, and when it is due. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::status::{self, Ended};
use crate::resource::access::{Deed, Grant, Role};
use crate::resource::condition::Reason;
use crate::resource::git_source::{GitSourceSpec, GitSourceStatus};
use crate::resource::names::{ALLOW_PRUNE, RECONCILE_REQUESTED};
use crate::resource::object::GROUP;
use crate::resource::{Key, Kind, Object};

const INTERVAL: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(60);

/// A GitSource, read.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The object that it was read from.
    pub(super) object: Object,
    /// What is declared.
    pub(super) spec: GitSourceSpec,
    /// What is known of it.
    pub(super) status: GitSourceStatus,
}

impl Source {
    /// Reads an object that was validated when it was stored.
    ///
    /// # Errors
    /// When another version of this program stored something that this one does not know.
    pub(super) fn read(object: Object) -> Result<Self, serde_json::Error> {
        let spec = serde_json::from_value(object.spec.clone())?;
        // A status that cannot be read is made anew.
        let status = object
            .status
            .clone()
            .and_then(|status| serde_json::from_value(status).ok());
        Ok(Self {
            spec,
            status: status.unwrap_or_default(),
            object,
        })
    }

    /// Who owns the fields that it sets.
    pub(super) fn manager(&self) -> String {
        format!("gitops/{}", self.object.name())
    }

    /// The request to reconcile that it carries.
    pub(super) fn request(&self) -> Option<&str> {
        self.annotation(RECONCILE_REQUESTED)
    }

    /// The commit whose guards somebody lifted.
    pub(super) fn allowed(&self) -> Option<&str> {
        self.annotation(ALLOW_PRUNE)
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        let annotations = self.object.metadata.annotations.as_ref()?;
        annotations.get(name).map(String::as_str)
    }

    /// The folders that are read.
    pub(super) fn paths(&self) -> Vec<String> {
        match (&self.spec.path, self.spec.paths.as_slice()) {
            (Some(path), _) => vec![path.clone()],
            (None, []) => vec![".".to_owned()],
            (None, paths) => paths.to_vec(),
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.spec.interval.map_or(INTERVAL, |interval| interval.0)
    }

    pub(super) fn retry_interval(&self) -> Duration {
        let most = self.interval().min(RETRY);
        self.spec.retry_interval.map_or(most, |interval| interval.0)
    }

    pub(super) fn timeout(&self) -> Duration {
        self.spec.timeout.map_or(TIMEOUT, |timeout| timeout.0)
    }

    /// The objects that it declared when it was applied last.
    pub(super) fn inventory(&self) -> BTreeSet<Key> {
        let told = self.status.inventory.iter().filter_map(|text| Key::parse(text));
        // Others may write a status: what is not a source's to declare is not its to delete.
        told.filter(|key| may_declare(self.object.namespace(), key).is_ok())
            .collect()
    }

    /// How a turn ends that found nothing new.
    pub(super) fn as_before(&self) -> Ended {
        match &self.status.fetched {
            Some(commit) => Ended::Applied {
                commit: commit.clone(),
                inventory: self.status.inventory.clone(),
                changes: None,
            },
            None => Ended::Failed {
                reason: Reason::FetchFailed,
                why: "what was fetched is not known any more".to_owned(),
                transient: true,
            },
        }
    }

    /// Why nothing is done, and until when, if that is so.
    pub(super) fn suspended(&self, now: Timestamp) -> Option<(String, Option<Timestamp>)> {
        let suspension = self.spec.suspension.clone().unwrap_or_default();
        let until = suspension.until.map(|until| until.0);
        if !self.spec.suspend || until.is_some_and(|until| until <= now) {
            return None;
        }
        let mut why = "suspended".to_owned();
        if let Some(by) = suspension.by {
            why += &format!(" by {by}");
        }
        if let Some(until) = until {
            why += &format!(" until {until}");
        }
        if let Some(reason) = suspension.reason {
            why += &format!(": {reason}");
        }
        Some((why, until))
    }

    /// The commit that need not be fetched again: all of it is applied by this very spec.
    pub(super) fn known(&self) -> Option<&str> {
        let status = &self.status;
        let by_this = status.applied_generation == Some(self.object.generation());
        let known = status.applied_revision.as_deref();
        known.filter(|_| {
            by_this && status::is_applied(status) && status.attempted_revision == status.applied_revision
        })
    }
}

/// Whether a source of `namespace` may declare an object, and so delete it: it does what somebody with the role `edit` there
/// could do, and declares no sources, which would decide on themselves.
///
/// # Errors
/// The field that says otherwise, and why.
pub(super) fn may_declare(namespace: &str, key: &Key) -> Result<(), (&'static str, String)> {
    if key.namespace != namespace {
        let message = format!(
            "is \"{}\", and a source declares objects of its own namespace, \"{namespace}\"",
            key.namespace
        );
        return Err(("metadata.namespace", message));
    }
    let deed = Deed {
        verb: "patch".to_owned(),
        group: GROUP.to_owned(),
        resource: key.kind.plural().to_owned(),
        namespace: Some(key.namespace.clone()),
        name: key.name.clone(),
        ..Deed::default()
    };
    let grant = Grant {
        role: Role::Edit,
        namespaces: Some(BTreeSet::from([namespace.to_owned()])),
    };
    match grant.allows(&deed) && key.kind.is_stored() && key.kind != Kind::GitSource {
        true => Ok(()),
        false => Err((
            "kind",
            format!(
                "{} is not for a source to declare: apply it yourself",
                key.kind.with_article()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn source(spec: Value, status: Value) -> Source {
        let mut object = Object::new(&Key::new(Kind::GitSource, "default", "fleet"), spec);
        object.metadata.generation = Some(3);
        object.status = Some(status);
        Source::read(object).unwrap()
    }

    #[test]
    fn a_suspension_ends_by_itself() {
        let until = "2026-05-01T10:00:00Z";
        let suspended = source(
            json!({"url": "u", "suspend": true, "suspension": {"reason": "audit", "by": "ada", "until": until}}),
            Value::Null,
        );
        let told = suspended.suspended("2026-05-01T09:59:59Z".parse().unwrap());
        let until: Timestamp = until.parse().unwrap();
        let why = "suspended by ada until 2026-05-01T10:00:00Z: audit".to_owned();
        assert_eq!(told, Some((why, Some(until))));
        assert_eq!(suspended.suspended(until), None);
        let running = source(json!({"url": "u"}), Value::Null);
        assert_eq!(running.suspended(until), None);
    }

    #[test]
    fn a_commit_is_known_only_while_all_of_it_is_applied_by_this_spec() {
        let ready = |reason: &str| {
            json!([{"type": "Ready", "status": "False", "reason": reason, "message": "",
                    "lastTransitionTime": "2026-01-01T00:00:00Z"}])
        };
        let good = json!({"appliedRevision": "a", "attemptedRevision": "a", "appliedGeneration": 3,
                          "conditions": ready("RevisionApplied")});
        let with = |name: &str, value: Value| {
            let mut status = good.clone();
            status[name] = value;
            source(json!({"url": "u"}), status).known().map(str::to_owned)
        };
        assert_eq!(with("message", json!("x")), Some("a".to_owned()));
        assert_eq!(with("conditions", ready("ObjectsNotReady")), Some("a".to_owned()));
        assert_eq!(with("appliedGeneration", json!(2)), None);
        assert_eq!(with("attemptedRevision", json!("b")), None);
        assert_eq!(with("conditions", ready("FetchFailed")), None);
    }

    #[test]
    fn an_inventory_is_read_back_as_far_as_it_is_the_sources() {
        let key = Key::new(Kind::Team, "default", "payments");
        let mut inventory: Vec<String> = [
            "team/other/payments",
            "policy/default/limits",
            "gitsource/default/fleet",
            "nonsense",
        ]
        .map(str::to_owned)
        .into();
        inventory.push(key.to_string());
        let source = source(json!({"url": "u"}), json!({"inventory": inventory}));
        assert_eq!(source.inventory(), BTreeSet::from([key]));
    }
}
