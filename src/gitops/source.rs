//! A source as it is declared, and when it is due. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::status;
use crate::git::Known;
use crate::resource::access::Grant;
use crate::resource::declares;
use crate::resource::git_source::{GitSourceSpec, GitSourceStatus};
use crate::resource::managed::NAME_MAX as MANAGER_MAX;
use crate::resource::names::{ALLOW_PRUNE, GITOPS_ACTOR, GITOPS_MANAGER, RECONCILE_REQUESTED};
use crate::resource::{Key, Kind, Object, prune};

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

    /// What it is called in a namespace: `fleet` in its own, `tools/fleet` elsewhere.
    pub(super) fn name_in(&self, namespace: &str) -> String {
        declares::name_in(&self.object.key(), namespace)
    }

    /// Who owns the fields that it sets in objects of a namespace.
    pub(super) fn manager(&self, namespace: &str) -> String {
        let manager = format!("{GITOPS_MANAGER}{}", self.name_in(namespace));
        manager.chars().take(MANAGER_MAX).collect()
    }

    /// Who does what it does, as the store records it.
    pub(super) fn actor(&self) -> String {
        let here = self.object.namespace();
        let places = self.grant().namespaces;
        let is_at_home = places.is_some_and(|places| places.iter().all(|place| place == here));
        format!(
            "{GITOPS_ACTOR}:{}",
            self.name_in(if is_at_home { here } else { "" })
        )
    }

    /// The request to reconcile that it carries.
    pub(super) fn request(&self) -> Option<&str> {
        self.object.annotation(RECONCILE_REQUESTED)
    }

    /// The commit whose guards somebody lifted.
    pub(super) fn allowed(&self) -> Option<&str> {
        self.object.annotation(ALLOW_PRUNE)
    }

    /// Whether that is this commit.
    pub(super) fn is_allowed(&self, revision: &str) -> bool {
        self.allowed()
            .is_some_and(|allowed| prune::names(allowed, revision))
    }

    /// The folders that are read; none stands for all.
    pub(super) fn paths(&self) -> Vec<String> {
        self.spec.folders()
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

    /// What it may do.
    pub(super) fn grant(&self) -> Grant {
        self.spec.grant(self.object.namespace())
    }

    /// The sources that must be ready first.
    pub(super) fn needs(&self) -> Vec<Key> {
        let here = self.object.namespace();
        let needs = self.spec.depends_on.iter().map(|needed| {
            let namespace = needed.namespace.as_deref().unwrap_or(here);
            Key::new(Kind::GitSource, namespace, &needed.name)
        });
        needs.collect()
    }

    /// Whether it may know of a source: one beside it, or where it acts.
    pub(super) fn may_know(&self, source: &Key) -> bool {
        source.namespace == self.object.namespace() || self.grant().reaches(&source.namespace)
    }

    /// The namespace of objects that name none.
    pub(super) fn namespace(&self) -> &str {
        let target = self.spec.target_namespace.as_deref();
        target.unwrap_or_else(|| self.object.namespace())
    }

    /// The objects that it declared when it was applied last.
    pub(super) fn inventory(&self) -> BTreeSet<Key> {
        declares::inventory(&self.spec, &self.object.key(), &self.status)
    }

    /// The objects that it declared when it was applied last, and may not declare any more.
    pub(super) fn out_of_reach(&self) -> Vec<Key> {
        let told = self.status.inventory.iter().filter_map(|text| Key::parse(text));
        told.filter(|key| self.may_declare(key).is_err()).collect()
    }

    /// The commit that is applied by this very spec, whatever was found since.
    pub(super) fn applied(&self) -> Option<Known> {
        let status = &self.status;
        let by_this = status.applied_generation == Some(self.object.generation());
        let revision = status.applied_revision.clone().filter(|_| by_this)?;
        let fetched = status.fetched.as_ref();
        let fetched = fetched.filter(|fetched| fetched.revision == revision);
        let reference = fetched.map_or(&revision, |fetched| &fetched.reference).clone();
        Some(Known { revision, reference })
    }

    /// The commit that need not be fetched again: it is applied, and nothing newer was found.
    pub(super) fn known(&self) -> Option<Known> {
        let status = &self.status;
        self.applied()
            .filter(|_| status::is_applied(status) && status.attempted_revision == status.applied_revision)
    }

    /// Whether it may declare an object, and so delete it.
    ///
    /// # Errors
    /// The field that says otherwise, and why.
    pub(super) fn may_declare(&self, key: &Key) -> Result<(), (&'static str, String)> {
        declares::may_declare(&self.spec, &self.object.key(), key)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::resource::managed::is_name;

    fn source(spec: Value, status: Value) -> Source {
        let mut object = Object::new(&Key::new(Kind::GitSource, "default", "fleet"), spec);
        object.metadata.generation = Some(3);
        object.status = Some(status);
        Source::read(object).unwrap()
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
            source(json!({"url": "u"}), status)
                .known()
                .map(|known| known.revision)
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
        let status = json!({"inventory": inventory});
        let edits = source(json!({"url": "u"}), status.clone());
        assert_eq!(edits.inventory(), BTreeSet::from([key]));
        let views = json!({"url": "u", "impersonate": {"role": "view"}});
        assert_eq!(source(views, status.clone()).inventory(), BTreeSet::new());
        let rules = json!({"url": "u", "impersonate": {"role": "admin", "namespaces": ["*"]}});
        let all: Vec<String> = source(rules, status)
            .inventory()
            .iter()
            .map(Key::to_string)
            .collect();
        assert_eq!(
            all,
            [
                "team/default/payments",
                "team/other/payments",
                "policy/default/limits"
            ],
            "all but itself"
        );
    }

    #[test]
    fn a_source_is_told_apart_where_it_is_not_at_home() {
        let at_home = source(json!({"url": "u"}), Value::Null);
        assert_eq!(at_home.actor(), "system:whoosh:gitops:fleet");
        assert_eq!(at_home.manager("default"), "gitops/fleet");
        let abroad = json!({"url": "u", "impersonate": {"namespaces": ["default", "prod"]}});
        let abroad = source(abroad, Value::Null);
        assert_eq!(abroad.actor(), "system:whoosh:gitops:default/fleet");
        assert_eq!(abroad.manager("default"), "gitops/fleet");
        assert_eq!(abroad.manager("prod"), "gitops/default/fleet");
        let long = Key::new(Kind::GitSource, "n".repeat(63), "s".repeat(63));
        let long = Source::read(Object::new(&long, json!({"url": "u"}))).unwrap();
        assert!(is_name(&long.manager("prod")), "{}", long.manager("prod"));
    }
}
