//! Who an agent is, as its environment tells it.

use std::collections::BTreeMap;

use super::super::agent_spec::AgentSpec;
use super::super::duration::Duration;
use super::super::env;
use super::super::workload::Owner;
use super::declared::Work;
use super::{Endpoints, NatsUrl};

/// The variables that the operator sets itself, here and for each slot: a spec cannot.
pub(in super::super) const RESERVED_ENV: [&str; 19] = [
    env::AGENT_ID,
    env::AGENT_NAME,
    env::ROLE,
    env::SLOT,
    env::OWNER_UID,
    env::TEAM_ID,
    env::PROJECT,
    env::TASK_ID,
    env::TASK_TITLE,
    env::TASK_DESC,
    env::PRIORITY,
    env::EXTERNAL_URL,
    env::CAPABILITIES,
    env::EXPERTISE,
    env::MODEL,
    env::SYSTEM_PROMPT,
    env::COORDINATOR,
    env::ENDPOINT,
    env::STOP_GRACE,
];

/// The environment of a role's agents: the spec's own variables, and the identity that all slots share.
///
/// What is not known is not set. A `NATS_URL` of the spec's own stays, and so does a file that it names for it.
pub(super) fn environment(
    owner: &Owner,
    role: &str,
    agent: &AgentSpec,
    work: &Work,
    endpoints: &Endpoints,
    grace: Duration,
) -> BTreeMap<String, String> {
    let own = agent.env.iter().flatten();
    let mut all: BTreeMap<String, String> = own
        .map(|variable| (variable.name.clone(), variable.value.clone()))
        .collect();
    if !all.contains_key(env::NATS_URL) && !all.contains_key(env::NATS_URL_FILE) {
        let told = endpoints.nats_url.as_ref().map(|url| match url {
            NatsUrl::Open(url) => (env::NATS_URL, url.as_str()),
            NatsUrl::Secret => (env::NATS_URL_FILE, env::NATS_URL_PATH),
        });
        all.extend(told.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let Work {
        project,
        task_id,
        title,
        description,
        priority,
        url,
    } = work;
    let list = |words: &Option<Vec<String>>| words.as_ref().map(|words| words.join(","));
    let identity = [
        (env::TEAM_ID, Some(owner.uid.clone())),
        (env::OWNER_UID, Some(owner.uid.clone())),
        (env::ROLE, Some(role.to_owned())),
        (env::PROJECT, project.clone()),
        (env::TASK_ID, task_id.clone()),
        (env::TASK_TITLE, title.clone()),
        (env::TASK_DESC, description.clone()),
        (env::PRIORITY, priority.map(|priority| priority.name().to_owned())),
        (env::EXTERNAL_URL, url.clone()),
        (env::CAPABILITIES, list(&agent.capabilities)),
        (env::EXPERTISE, list(&agent.expertise)),
        (env::MODEL, agent.model.clone()),
        (env::SYSTEM_PROMPT, agent.system_prompt.clone()),
        (env::COORDINATOR, Some("true".to_owned())),
        (env::ENDPOINT, endpoints.whoosh_endpoint.clone()),
        (env::STOP_GRACE, Some(grace.to_string())),
    ];
    let known = identity
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    all.extend(known.filter(|(_, value)| !value.is_empty()));
    all
}
