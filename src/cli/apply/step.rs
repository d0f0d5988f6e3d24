//! What applying one object comes to, from what is live.

use serde_json::{Value, json};

use super::clean;
use crate::cli::client::{Client, ClientError};
use crate::cli::{merge, object};
use crate::resource::manifest::Located;
use crate::resource::names::LAST_APPLIED;
use crate::resource::{Key, Object};

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
    /// Nothing.
    Unchanged,
}

impl Item {
    /// From checked manifests, in the order in which nothing waits for what comes later: templates first.
    pub(crate) fn all(objects: Vec<Located<Object>>) -> Vec<Self> {
        let mut items: Vec<Self> = objects.into_iter().map(Self::new).collect();
        items.sort_by_key(|item| item.key.kind.owns_agents());
        items
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
            Step::Unchanged => Ok(()),
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
    let new = with_last_applied(&item.manifest);
    match live {
        None => new,
        Some(live) => merge::merge(&last_applied(live), live, &new, item.key.kind.schema()),
    }
}

fn step(item: &Item, live: Option<&Value>) -> Step {
    let proposed = proposed(item, live);
    let Some(live) = live else {
        return Step::Create(proposed);
    };
    let mut patch = merge::patch(live, &proposed);
    if patch == json!({}) {
        return Step::Unchanged;
    }
    patch["metadata"]["resourceVersion"] = object::revision(live).into();
    Step::Patch(patch)
}

fn with_last_applied(manifest: &Value) -> Value {
    let mut object = manifest.clone();
    object["metadata"]["annotations"][LAST_APPLIED] = manifest.to_string().into();
    object
}

fn last_applied(live: &Value) -> Value {
    object::annotations(live)
        .get(LAST_APPLIED)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::manifest::{Source, load};

    fn item(spec: &str) -> Item {
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
        let item = item("{image: a}");
        let live = stored(step(&item, None));
        assert_eq!(step(&item, Some(&live)), Step::Unchanged);
    }

    #[test]
    fn a_patch_holds_the_difference_and_the_revision() {
        let mut live = stored(step(&item("{image: a, model: m}"), None));
        live["spec"]["user"] = "theirs".into();
        let changed = item("{image: b}");
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
