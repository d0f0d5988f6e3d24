//! The Agent view: read-only, one object a slot, computed from what is declared and what the Swarm runs.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use serde_json::Value;

use super::answer::Answer;
use super::form::{Form, Presenter, Resource};
use super::identity;
use super::lowering::{self, Shelf};
use super::options::{ListOptions, Params};
use super::paths::{Collection, Target};
use super::polled::{self, Rows};
use super::recent::Recent;
use super::state::Api;
use super::status::ApiError;
use crate::plan::agents::{self, AgentView};
use crate::plan::observed::Service;
use crate::resource::object::API_VERSION;
use crate::resource::{Key, Kind, Object, labels};
use crate::swarm::Want;

/// `GET …/agents`, of a namespace or of all: a list, or a watch that looks once a second.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(recent): Extension<Recent<Part, Object>>,
    collection: Collection,
    form: Form,
    params: Params,
) -> Result<Response, ApiError> {
    let options = ListOptions::try_from(&params)?;
    options.selection.fits(Kind::Agent)?;
    let selection = options.selection.clone();
    let state = api.clone();
    let part = Part::of(collection.namespace.clone(), selection.wanted("spec.owner"));
    let look = move |look| {
        let (api, part, selection) = (state.clone(), part.clone(), selection.clone());
        let recent = recent.clone();
        async move {
            let agents = recent.get(look, part.clone(), views(&api, &part)).await?;
            let chosen = agents.iter().filter(|agent| selection.matches(agent));
            Ok(Rows::new(chosen.map(json).collect::<Result<_, _>>()?))
        }
    };
    let namespace = collection.namespace.as_deref();
    polled::answer(&api, presenter(form), namespace, &options, look).await
}

/// `GET …/agents/{name}`
pub(super) async fn get(
    State(api): State<Api>,
    Target(key): Target,
    form: Form,
) -> Result<Response, ApiError> {
    let agent = find(&api, &key).await?;
    let agent = polled::versioned(json(&agent)?);
    Ok(Answer::ok(presenter(form).one(&agent)?).into_response())
}

fn presenter(form: Form) -> Presenter {
    let resource = Resource::of(Kind::Agent);
    Presenter { form, resource }
}

/// The agent of a key.
pub(super) async fn find(api: &Api, key: &Key) -> Result<Object, ApiError> {
    let missing = || ApiError::NotFound {
        kind: key.kind,
        name: key.name.clone(),
    };
    let owner = owner_in(key).ok_or_else(missing)?;
    let agents = views(api, &Part::Owner(owner)).await?;
    agents
        .into_iter()
        .find(|agent| agent.name() == key.name)
        .ok_or_else(missing)
}

/// The live service of an agent; `None` when it has none yet.
pub(super) async fn service(api: &Api, agent: &Object) -> Result<Option<Service>, ApiError> {
    let name = agent.spec.get("service").and_then(Value::as_str);
    let owner = owner_in(&agent.key());
    let services = api
        .cache
        .services_of(|key| Some(key) == owner.as_ref(), false)
        .await?;
    Ok(services
        .into_iter()
        .map(|owned| owned.service)
        .find(|service| Some(service.spec.name.as_str()) == name))
}

/// Whose agents are looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Those of a namespace, or of all.
    Namespace(Option<String>),
    /// Those of one object.
    Owner(Key),
}

impl Part {
    /// The least that holds all agents of a namespace, or of all, whose `spec.owner` is `owner`.
    fn of(namespace: Option<String>, owner: Option<&str>) -> Self {
        let owner = owner.and_then(|owner| {
            let (kind, name) = owner.split_once('/')?;
            let kind = Kind::owners().find(|known| known.singular() == kind)?;
            Some((kind, name.to_owned()))
        });
        match (namespace, owner) {
            (Some(namespace), Some((kind, name))) => Self::Owner(Key::new(kind, namespace, name)),
            (namespace, _) => Self::Namespace(namespace),
        }
    }

    fn holds(&self, owner: &Key) -> bool {
        match self {
            Self::Namespace(namespace) => namespace.as_ref().is_none_or(|name| *name == owner.namespace),
            Self::Owner(key) => key == owner,
        }
    }

    fn namespace(&self) -> Option<&str> {
        match self {
            Self::Namespace(namespace) => namespace.as_deref(),
            Self::Owner(key) => Some(&key.namespace),
        }
    }

    async fn owners(&self, api: &Api) -> Result<Vec<Object>, ApiError> {
        Ok(match self {
            Self::Namespace(namespace) => lowering::owners(api, namespace.as_deref()).await?,
            Self::Owner(key) => api.store.get(key).await?.into_iter().collect(),
        })
    }
}

/// By owner, in the order of its spec; last come the agents whose owner is gone.
async fn views(api: &Api, part: &Part) -> Result<Vec<Object>, ApiError> {
    let shelf = Shelf::read(api, part.namespace()).await?;
    let owners = part.owners(api).await?;
    // Reads the tasks of all owners at once; what is observed owner by owner then has them.
    let mut services: BTreeMap<Key, Vec<Service>> = BTreeMap::new();
    for owned in api.cache.services_of(|owner| part.holds(owner), true).await? {
        services.entry(owned.owner).or_default().push(owned.service);
    }
    let (nodes, now) = (api.cache.nodes(), Timestamp::now());
    let mut agents = Vec::new();
    for owner in &owners {
        let own = services.remove(&owner.key()).unwrap_or_default();
        let views = match shelf.lower(api, owner) {
            Ok(workload) => {
                let observed = api.cache.observe(&Want::of(&workload)).await?;
                agents::views(&workload, &observed, &api.instance, now)
            }
            Err(_) => agents::views_of_services(&own, &nodes, &api.instance, now),
        };
        agents.extend(
            views
                .into_iter()
                .map(|view| object(view, Some(owner), owner.uid())),
        );
    }
    for left in services.into_values() {
        let views = agents::views_of_services(&left, &nodes, &api.instance, now);
        let uid = left.iter().find_map(|service| labels::uid(&service.spec.labels));
        let uid = uid.unwrap_or_default();
        agents.extend(views.into_iter().map(|view| object(view, None, uid)));
    }
    Ok(agents)
}

fn object(view: AgentView, owner: Option<&Object>, owner_uid: &str) -> Object {
    let AgentView {
        namespace,
        name,
        labels,
        created,
        spec,
        status,
    } = view;
    let key = Key::new(Kind::Agent, namespace, name);
    let mut object = Object::new(&key, serde_json::to_value(spec).unwrap_or_default());
    object.metadata.uid = Some(identity::uid(&[owner_uid, "agents", &key.namespace, &key.name]));
    object.metadata.labels = Some(labels);
    object.metadata.creation_timestamp = created.map(Time);
    object.metadata.owner_references = owner.map(|owner| vec![reference(owner)]);
    object.status = serde_json::to_value(status).ok();
    object
}

fn reference(owner: &Object) -> OwnerReference {
    OwnerReference {
        api_version: API_VERSION.to_owned(),
        kind: owner.kind.name().to_owned(),
        name: owner.name().to_owned(),
        uid: owner.uid().to_owned(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

fn json(agent: &Object) -> Result<Value, ApiError> {
    serde_json::to_value(agent).map_err(|error| ApiError::Internal(error.to_string()))
}

/// The owner that an agent's name tells: `team.payments.reviewer.2` is one of `team/payments`.
fn owner_in(agent: &Key) -> Option<Key> {
    let mut parts = agent.name.split('.');
    let (word, name) = (parts.next()?, parts.next()?);
    let kind = Kind::owners().find(|kind| kind.singular() == word)?;
    Some(Key::new(kind, &agent.namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_looked_at_than_was_asked_for() {
        let payments = Part::Owner(Key::new(Kind::Team, "prod", "payments"));
        let all = |namespace: Option<&str>| Part::Namespace(namespace.map(str::to_owned));
        for (namespace, owner, expected) in [
            (Some("prod"), Some("team/payments"), payments),
            (Some("prod"), Some("agent/payments"), all(Some("prod"))),
            (Some("prod"), None, all(Some("prod"))),
            (None, Some("team/payments"), all(None)),
        ] {
            let part = Part::of(namespace.map(str::to_owned), owner);
            assert_eq!(part, expected, "{namespace:?} {owner:?}");
        }
    }

    #[test]
    fn an_agents_name_tells_its_owner() {
        for (name, expected) in [
            ("team.payments.reviewer.2", Some((Kind::Team, "payments"))),
            ("council.kickoff.quality-lead.1", Some((Kind::Council, "kickoff"))),
            ("agenttemplate.x.y.1", None),
            ("payments", None),
            ("team", None),
        ] {
            let owner = owner_in(&Key::new(Kind::Agent, "prod", name));
            let expected = expected.map(|(kind, name)| Key::new(kind, "prod", name));
            assert_eq!(owner, expected, "{name}");
        }
    }
}
