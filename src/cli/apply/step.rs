//! What applying one object comes to, from what is live.

use serde_json::{Value, json};

use super::clean;
use crate::cli::client::{Client, ClientError};
use crate::cli::{merge, object};
use crate::resource::manifest::Located;
use crate::resource::names::LAST_APPLIED;
use crate::resource::{Key, Kind, Object, lower};

/// One object that is to be applied.
pub(crate) struct Item {
    /// Its identity.
    pub key: Key,
    /// Where it was declared.
    pub source: Located<Object>,
    /// What is declared.
    manifest: Value,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A new object.
    Create(Value),
    /// A merge patch that names the revision it was made for.
    Patch(Value),
    /// Nothing: it is as it is to be.
    Unchanged,
    /// Nothing: it cannot be changed now, for this reason.
    Refuse(&'static str),
}

impl Item {
    /// From checked manifests, in the order in which nothing waits for what comes later: Policies, templates, owners.
    pub(crate) fn all(objects: Vec<Located<Object>>) -> Vec<Self> {
        let mut items: Vec<Self> = objects.into_iter().map(Self::new).collect();
        items.sort_by_key(|item| super::turn(item.key.kind));
        items
    }

    /// Whether the object is judged by another: by a template that its roles start from, or by a Policy.
    pub(crate) fn uses(&self, other: &Key) -> bool {
        let is_named = || lower::template_names(&self.source.value.spec).contains(&other.name);
        self.key.namespace == other.namespace && (other.kind == Kind::Policy || is_named())
    }

    fn new(source: Located<Object>) -> Self {
        Self {
            key: source.value.key(),
            manifest: clean::declared(&source.value),
            source,
        }
    }
}

impl Step {
    /// What people are told was done.
    pub(crate) fn done(&self) -> &'static str {
        match self {
            Step::Create(_) => "created",
            Step::Patch(_) => "configured",
            Step::Unchanged => "unchanged",
            Step::Refuse(_) => "refused",
        }
    }

    /// Sends it. `dry_run` has the operator check it without storing anything.
    ///
    /// # Errors
    /// As the operator answers; a conflict when the object changed since the step was made.
    pub(crate) async fn send(&self, client: &Client, key: &Key, dry_run: bool) -> Result<(), ClientError> {
        match self {
            Step::Create(object) => client.create(key, object, dry_run).await.map(drop),
            Step::Patch(patch) => client.patch(key, patch, dry_run).await.map(drop),
            Step::Unchanged | Step::Refuse(_) => Ok(()),
        }
    }
}

/// Reads what is live and says what is to be sent.
///
/// # Errors
/// When the operator cannot be asked.
pub(crate) async fn next_step(client: &Client, item: &Item) -> Result<Step, ClientError> {
    Ok(step(item, client.find(&item.key).await?.as_ref()))
}

/// The object as it is to be, from what is live.
pub(crate) fn proposed(item: &Item, live: Option<&Value>) -> Value {
    let mut new = item.manifest.clone();
    let remembered = live
        .map(object::annotations)
        .unwrap_or_default()
        .remove(LAST_APPLIED);
    let last: Value = remembered
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    // The same manifest with its fields in another order is no change.
    let text = match remembered {
        Some(text) if last == item.manifest => text,
        _ => item.manifest.to_string(),
    };
    new["metadata"]["annotations"][LAST_APPLIED] = text.into();
    match live {
        None => new,
        Some(live) => merge::merge(&last, live, &new, item.key.kind.schema()),
    }
}

/// What is to be sent, from what is live.
pub(crate) fn step(item: &Item, live: Option<&Value>) -> Step {
    let proposed = proposed(item, live);
    let Some(live) = live else {
        return Step::Create(proposed);
    };
    let mut patch = merge::patch(live, &proposed);
    // Even one that equals the manifest: soon it is there no more.
    if object::is_going(live) {
        return Step::Refuse("is being deleted; apply it again when it is gone");
    }
    if patch == json!({}) {
        return Step::Unchanged;
    }
    patch["metadata"]["resourceVersion"] = object::revision(live).into();
    Step::Patch(patch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::manifest::{Source, load};

    fn item_of(spec: &str) -> Item {
        let text = format!(
            "apiVersion: chorus.services/v1\nkind: AgentTemplate\nmetadata: {{name: t}}\nspec: {spec}\n"
        );
        let source = Source {
            name: "t.yaml".to_owned(),
            bytes: text.into_bytes(),
        };
        Item::new(load(&[source], "default").unwrap().remove(0))
    }

    /// What the store makes of a created object.
    fn stored(step: Step) -> Value {
        let Step::Create(mut object) = step else {
            panic!("{step:?} creates nothing");
        };
        object["metadata"]["resourceVersion"] = "5".into();
        object["metadata"]["uid"] = "u".into();
        object
    }

    #[test]
    fn a_second_apply_sends_nothing() {
        let item = item_of("{image: a}");
        let live = stored(step(&item, None));
        assert_eq!(step(&item, Some(&live)), Step::Unchanged);
        let reordered = item_of("{model: m, image: a}");
        let live = stored(step(&item_of("{image: a, model: m}"), None));
        assert_eq!(step(&reordered, Some(&live)), Step::Unchanged);
    }

    #[test]
    fn what_is_going_is_not_changed() {
        let item = item_of("{image: a}");
        let mut live = stored(step(&item, None));
        live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        for item in [item, item_of("{image: b}")] {
            assert!(matches!(step(&item, Some(&live)), Step::Refuse(_)));
        }
    }

    #[test]
    fn a_patch_holds_the_difference_and_the_revision() {
        let mut live = stored(step(&item_of("{image: a, model: m}"), None));
        live["spec"]["user"] = "theirs".into();
        let changed = item_of("{image: b}");
        let Step::Patch(mut patch) = step(&changed, Some(&live)) else {
            panic!("a patch is needed");
        };
        let remembered = patch["metadata"]["annotations"].take();
        assert_eq!(remembered[LAST_APPLIED], changed.manifest.to_string());
        assert_eq!(
            patch,
            json!({
                "metadata": {"annotations": null, "resourceVersion": "5"},
                "spec": {"image": "b", "model": null},
            })
        );
    }
}
