//! From stored objects to workloads: which templates there are, and who uses them.

use std::collections::BTreeMap;

use crate::resource::lower::{self, Templates};
use crate::resource::validate::Invalid;
use crate::resource::workload::Workload;
use crate::resource::{Kind, Object};
use crate::store::StoreError;

use super::state::Api;

/// The templates of every namespace that was asked for, by namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf(BTreeMap<String, Templates>);

impl Shelf {
    /// Reads the templates of a namespace, or of all.
    pub(super) async fn read(api: &Api, namespace: Option<&str>) -> Result<Self, StoreError> {
        let listed = api.store.list(Kind::AgentTemplate, namespace).await?;
        let mut shelf = Self::default();
        listed.items.iter().for_each(|template| shelf.put(template));
        Ok(shelf)
    }

    /// Adds a template, or replaces it.
    pub(super) fn put(&mut self, template: &Object) {
        let templates = self.0.entry(template.namespace().to_owned()).or_default();
        templates.extend(lower::template(template));
    }

    /// Lowers an object that owns agents.
    pub(super) fn lower(&self, api: &Api, object: &Object) -> Result<Workload, Invalid> {
        let none = Templates::new();
        let templates = self.0.get(object.namespace()).unwrap_or(&none);
        lower::lower(object, templates, &api.endpoints)
    }
}

/// Every object that owns agents, in a namespace or in all; by kind, namespace and name.
pub(super) async fn owners(api: &Api, namespace: Option<&str>) -> Result<Vec<Object>, StoreError> {
    let mut owners = Vec::new();
    for kind in Kind::owners() {
        owners.extend(api.store.list(kind, namespace).await?.items);
    }
    Ok(owners)
}

/// The objects whose roles start from a template.
pub(super) async fn users(api: &Api, namespace: &str, template: &str) -> Result<Vec<Object>, StoreError> {
    let mut owners = owners(api, Some(namespace)).await?;
    owners.retain(|object| lower::template_names(&object.spec).contains(template));
    Ok(owners)
}
