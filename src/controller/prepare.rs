//! From a stored object to what the planner takes: templates read, defaults filled in.

use std::collections::BTreeMap;

use crate::plan::Subject;
use crate::resource::lower::{self, Endpoints, Templates};
use crate::resource::policy::Rules;
use crate::resource::workload::{Owner, Workload};
use crate::resource::{Key, Kind, Object};
use crate::store::{Store, StoreError};
use crate::swarm::Want;

/// An object, ready to be planned for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Prepared {
    /// It can be brought about.
    Workload(Workload),
    /// It cannot; its agents are left as they are.
    Invalid {
        /// Whose agents.
        owner: Owner,
        /// What is not valid.
        why: String,
    },
}

impl Prepared {
    /// What status and events call it.
    pub(super) fn subject(&self) -> Subject<'_> {
        match self {
            Self::Workload(workload) => Subject::Workload(workload),
            Self::Invalid { owner, why } => Subject::Invalid { owner, why },
        }
    }

    /// What the Policies of its namespace allow; nothing while it cannot be brought about.
    pub(super) fn rules(&self) -> Rules {
        match self {
            Self::Workload(workload) => workload.rules.clone(),
            Self::Invalid { .. } => Rules::default(),
        }
    }

    /// What has to be observed for it.
    pub(super) fn want(&self) -> Want<'_> {
        match self {
            Self::Workload(workload) => Want::of(workload),
            Self::Invalid { owner, .. } => Want {
                leftovers: false,
                ..Want::own(&owner.key)
            },
        }
    }
}

/// Lowers `object` with the templates that it names and the Policies of its namespace.
///
/// # Errors
/// Only those of the store: a missing template or an invalid spec is an answer, not an error.
pub(super) async fn prepare(
    store: &Store,
    endpoints: &Endpoints,
    object: &Object,
) -> Result<Prepared, StoreError> {
    let templates = templates(store, object).await?;
    let policies = store.list(Kind::Policy, Some(object.namespace())).await?;
    let rules = Rules::of(&policies.items);
    Ok(match lower::lower(object, &templates, endpoints, &rules) {
        Ok(workload) => Prepared::Workload(workload),
        Err(invalid) => Prepared::Invalid {
            owner: Owner::of(object),
            why: invalid.to_string(),
        },
    })
}

/// The templates that `object` names; where one is missing, all of its namespace, so that the nearest name can be told.
async fn templates(store: &Store, object: &Object) -> Result<Templates, StoreError> {
    let mut found = BTreeMap::new();
    for name in lower::template_names(&object.spec) {
        let key = Key::new(Kind::AgentTemplate, object.namespace(), &name);
        let Some(template) = store.get(&key).await? else {
            let all = store.list(Kind::AgentTemplate, Some(object.namespace())).await?;
            return Ok(all.items.iter().filter_map(lower::template).collect());
        };
        found.extend(lower::template(&template));
    }
    Ok(found)
}
