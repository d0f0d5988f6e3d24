//! From stored objects to workloads: which templates and Policies there are, and whom they concern.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::lower::{self, Templates};
use crate::resource::policy::{Rules, Usage};
use crate::resource::validate::Invalid;
use crate::resource::workload::Workload;
use crate::resource::{Key, Kind, Object};
use crate::store::StoreError;

use super::state::Api;

/// The templates and Policies of every namespace that was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf(BTreeMap<String, Namespace>);

/// What a namespace has beside its owners.
#[derive(Clone, Debug, Default)]
struct Namespace {
    templates: Templates,
    rules: Rules,
}

impl Shelf {
    /// Reads the templates and Policies of a namespace, or of all.
    pub(super) async fn read(api: &Api, namespace: Option<&str>) -> Result<Self, StoreError> {
        let mut shelf = Self::default();
        for kind in [Kind::AgentTemplate, Kind::Policy] {
            let listed = api.store.list(kind, namespace).await?;
            listed.items.iter().for_each(|object| shelf.put(object));
        }
        Ok(shelf)
    }

    /// Reads the Policies of a namespace, and the templates that these owners of it name; all of them where one is missing, so
    /// that the nearest name can be told, or where a quota counts all that is declared.
    ///
    /// `beside` stands in the place of what is stored.
    pub(super) async fn named_by<'a>(
        api: &Api,
        namespace: &str,
        owners: impl IntoIterator<Item = &'a Object>,
        beside: &[Object],
    ) -> Result<Self, StoreError> {
        let mut shelf = Self::default();
        let policies = api.store.list(Kind::Policy, Some(namespace)).await?;
        policies
            .items
            .iter()
            .chain(beside)
            .for_each(|other| shelf.put(other));
        let mut is_whole = shelf.rules(namespace).has_quota();
        let comes_along = |name: &String| {
            let mut templates = beside.iter().filter(|other| other.kind == Kind::AgentTemplate);
            templates.any(|template| template.name() == name && template.namespace() == namespace)
        };
        let specs = owners.into_iter().map(|owner| &owner.spec);
        let names: BTreeSet<String> = specs.flat_map(lower::template_names).collect();
        for name in names.iter().filter(|name| !comes_along(name)) {
            let key = Key::new(Kind::AgentTemplate, namespace, name);
            match api.store.get(&key).await? {
                Some(template) => shelf.put(&template),
                None => is_whole = true,
            }
        }
        if is_whole {
            shelf = Self::read(api, Some(namespace)).await?;
            beside.iter().for_each(|other| shelf.put(other));
        }
        Ok(shelf)
    }

    /// Those of some namespaces.
    pub(super) async fn of<'a>(
        api: &Api,
        namespaces: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, StoreError> {
        let mut all = Self::default();
        for namespace in namespaces {
            all.0.extend(Self::read(api, Some(namespace)).await?.0);
        }
        Ok(all)
    }

    /// Adds a template or Policy, or replaces it.
    pub(super) fn put(&mut self, object: &Object) {
        let namespace = self.0.entry(object.namespace().to_owned()).or_default();
        match object.kind {
            Kind::AgentTemplate => namespace.templates.extend(lower::template(object)),
            Kind::Policy => namespace.rules.put(object),
            Kind::Team | Kind::Council | Kind::GitSource | Kind::Agent => {}
        }
    }

    /// Takes a Policy away. Templates stay: who names one that goes is told of it, and not refused.
    pub(super) fn take_away(&mut self, key: &Key) {
        if let (Kind::Policy, Some(namespace)) = (key.kind, self.0.get_mut(&key.namespace)) {
            namespace.rules.remove(&key.name);
        }
    }

    /// Lowers an object that owns agents.
    pub(super) fn lower(&self, api: &Api, object: &Object) -> Result<Workload, Invalid> {
        let none = Namespace::default();
        let Namespace { templates, rules } = self.0.get(object.namespace()).unwrap_or(&none);
        lower::lower(object, templates, &api.endpoints, rules)
    }

    /// What objects that own agents declare in all.
    pub(super) fn usage<'a>(&self, owners: impl IntoIterator<Item = &'a Object>) -> Usage {
        let none = Templates::new();
        let mut usage = Usage::default();
        for owner in owners {
            let namespace = self.0.get(owner.namespace());
            usage += lower::usage(owner, namespace.map_or(&none, |namespace| &namespace.templates));
        }
        usage
    }

    /// What the Policies of a namespace allow.
    pub(super) fn rules(&self, namespace: &str) -> Rules {
        let found = self.0.get(namespace);
        found.map(|namespace| namespace.rules.clone()).unwrap_or_default()
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
