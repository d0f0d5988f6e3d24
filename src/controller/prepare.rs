//! From a stored object to what the planner takes: templates read, defaults filled in.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::Subject;
use crate::plan::action::BlockedReason;
use crate::resource::lower::{self, Endpoints, LowerError, Templates};
use crate::resource::workload::{Owner, Workload};
use crate::resource::{Key, Kind, Object, names};
use crate::store::{Store, StoreError};
use crate::swarm::Want;

/// An object, ready to be planned for.
#[derive(Clone, Debug, PartialEq)]
pub enum Prepared {
    /// It can be brought about.
    Workload(Workload),
    /// It cannot now; its agents are left as they are.
    Blocked {
        /// Whose agents.
        owner: Owner,
        /// Why.
        reason: BlockedReason,
        /// What to know or do next.
        message: String,
    },
}

impl Prepared {
    /// What status and events call it.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Self::Workload(workload) => Subject::Workload(workload),
            Self::Blocked {
                owner,
                reason,
                message,
            } => Subject::Blocked {
                owner,
                reason: *reason,
                message,
            },
        }
    }

    /// What has to be observed for it.
    pub fn want<'a>(&self, key: &'a Key) -> Want<'a> {
        match self {
            Self::Workload(workload) => want(key, workload),
            Self::Blocked { .. } => only_own(key),
        }
    }
}

/// Whose agents an object declares.
pub fn owner(object: &Object) -> Owner {
    Owner {
        key: object.key(),
        uid: object.uid().to_owned(),
        generation: object.generation(),
    }
}

/// Everything that carries the owner's labels, and nothing else.
pub fn only_own(key: &Key) -> Want<'_> {
    Want {
        owner: key,
        service_names: BTreeSet::new(),
        networks: BTreeSet::new(),
        secrets: BTreeSet::new(),
        images: BTreeSet::new(),
        tasks: true,
    }
}

/// Lowers `object` with the templates that it names.
///
/// # Errors
/// Only those of the store: a missing template or an invalid spec is an answer, not an error.
pub async fn prepare(store: &Store, endpoints: &Endpoints, object: &Object) -> Result<Prepared, StoreError> {
    let templates = templates(store, object).await?;
    Ok(match lower::lower(object, &templates, endpoints) {
        Ok(workload) => Prepared::Workload(workload),
        Err(error) => {
            let reason = match &error {
                LowerError::MissingTemplates(_) => BlockedReason::TemplateNotFound,
                LowerError::Invalid(_) => BlockedReason::Invalid,
            };
            Prepared::Blocked {
                owner: owner(object),
                reason,
                message: error.to_string(),
            }
        }
    })
}

/// The templates that `object` names; where one is missing, all of its namespace, so that the nearest name can be told.
async fn templates(store: &Store, object: &Object) -> Result<Templates, StoreError> {
    let mut found = BTreeMap::new();
    for name in lower::template_names(object) {
        let key = Key::new(Kind::AgentTemplate, object.namespace(), &name);
        let Some(template) = store.get(&key).await? else {
            let all = store.list(Kind::AgentTemplate, Some(object.namespace())).await?;
            return Ok(all.items.iter().filter_map(block).collect());
        };
        found.extend(block(&template));
    }
    Ok(found)
}

fn block(template: &Object) -> Option<(String, crate::resource::agent_spec::AgentSpec)> {
    let spec = serde_json::from_value(template.spec.clone()).ok()?;
    Some((template.name().to_owned(), spec))
}

fn want<'a>(key: &'a Key, workload: &Workload) -> Want<'a> {
    let mut want = only_own(key);
    want.networks.insert(workload.network.clone());
    for role in &workload.roles {
        let slots = 1..=role.replicas;
        want.service_names
            .extend(slots.map(|slot| names::service_name(key, &role.name, slot)));
        want.networks.extend(role.agent.networks.iter().cloned());
        want.secrets
            .extend(role.agent.secrets.iter().map(|secret| secret.name.clone()));
        want.images.insert(role.agent.image.clone());
    }
    want
}
