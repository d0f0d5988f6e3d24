//! Who this agent is: its name, place and task, as its environment declares them.

use crate::bus::AgentId;
use crate::resource::env;

use super::environment::Reader;

/// The identity of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id on the bus.
    pub id: AgentId,
    /// The name that people see.
    pub name: String,
    /// The role that it fills.
    pub role: String,
    /// The number of its slot in the role.
    pub slot: u32,
    /// The uid of the resource that declares it.
    pub owner_uid: Option<String>,
    /// The team or council that it belongs to.
    pub team_id: Option<String>,
    /// The repository that it works on.
    pub project: Option<String>,
    /// What the team works on.
    pub task: Task,
    /// Whether WHOOSH coordinates it: its team and its task are given, not looked for.
    pub coordinated: bool,
    /// Where the operator answers.
    pub endpoint: Option<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// What it knows about.
    pub expertise: Vec<String>,
    /// Its language model.
    pub model: Option<String>,
    /// What it tells its model first.
    pub system_prompt: Option<String>,
}

/// The task of a team.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: Option<String>,
    /// One line.
    pub title: Option<String>,
    /// In full.
    pub description: Option<String>,
    /// How urgent it is.
    pub priority: Option<String>,
    /// Its web page.
    pub url: Option<String>,
}

impl Identity {
    /// Reads the identity; `None` after a problem that `reader` keeps.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let name = reader.required(env::AGENT_NAME);
        let role = reader.required(env::ROLE);
        let slot = read_slot(reader);
        let id = read_id(reader, &name);
        let task = Task {
            id: reader.owned(env::TASK_ID),
            title: reader.owned(env::TASK_TITLE),
            description: reader.owned(env::TASK_DESC),
            priority: reader.owned(env::PRIORITY),
            url: reader.parsed(env::EXTERNAL_URL, web_address),
        };
        let coordinated = reader.parsed(env::COORDINATOR, boolean).unwrap_or(false);
        let endpoint = reader.parsed(env::ENDPOINT, web_address);
        Some(Self {
            id: id?,
            name,
            role,
            slot: slot?,
            owner_uid: reader.owned(env::OWNER_UID),
            team_id: reader.owned(env::TEAM_ID),
            project: reader.owned(env::PROJECT),
            task,
            coordinated,
            endpoint,
            capabilities: reader.list(env::CAPABILITIES),
            expertise: reader.list(env::EXPERTISE),
            model: reader.owned(env::MODEL),
            system_prompt: reader.owned(env::SYSTEM_PROMPT),
        })
    }
}

fn read_slot(reader: &mut Reader<'_>) -> Option<u32> {
    if reader.text(env::SLOT).is_none() {
        reader.problem(env::SLOT, "is missing");
    }
    reader.parsed(env::SLOT, |value| {
        value
            .parse()
            .map_err(|_| format!("is {value:?}, expected a whole number from 0"))
    })
}

/// The id of its own, or the name where it can serve as an id.
fn read_id(reader: &mut Reader<'_>, name: &str) -> Option<AgentId> {
    if reader.text(env::AGENT_ID).is_some() {
        return reader.parsed(env::AGENT_ID, str::parse);
    }
    match name.parse() {
        Ok(id) => Some(id),
        Err(_) if name.is_empty() => None,
        Err(problem) => {
            reader.problem(
                env::AGENT_NAME,
                format_args!("{problem}; or set {} as well", env::AGENT_ID),
            );
            None
        }
    }
}

fn boolean(value: &str) -> Result<bool, String> {
    value
        .parse()
        .map_err(|_| format!("is {value:?}, expected true or false"))
}

fn web_address(value: &str) -> Result<String, &'static str> {
    let host = value
        .strip_prefix("http://")
        .or_else(|| value.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(value.to_owned()),
        _ => Err("must start with http:// or https:// and a host"),
    }
}
