//! What is declared, step after step: a script that every plan plays, whatever goes wrong meanwhile.

use std::fmt;

use serde_json::{Value, json};
use whoosh::resource::{Key, Kind as ResourceKind};

/// What the script is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A Team.
    Team,
    /// A Council.
    Council,
    /// A Team whose roles start from an AgentTemplate.
    Template,
    /// A Team that is deleted and declared again under its name.
    Recreated,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Team, Self::Council, Self::Template, Self::Recreated];

    /// The word in names of plans.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Council => "council",
            Self::Template => "template",
            Self::Recreated => "recreated",
        }
    }

    /// The workload's key.
    pub(super) fn key(self) -> Key {
        let kind = match self {
            Self::Team | Self::Template | Self::Recreated => ResourceKind::Team,
            Self::Council => ResourceKind::Council,
        };
        Key::new(kind, "default", "pay")
    }

    /// The owner beside, whom nothing of the workload's trouble may hold up: it changes in every step. It is of the
    /// other kind, so that turns are told apart.
    pub(super) fn beside(self, edition: u32) -> (Key, Value) {
        let (kind, role) = match self.key().kind {
            ResourceKind::Council => (ResourceKind::Team, "dev"),
            _ => (ResourceKind::Council, "engineering-lead"),
        };
        let mut spec =
            json!({"network": "beside_net", "defaults": agent(edition), "roles": [{"name": role}]});
        if kind == ResourceKind::Council {
            spec["coreRoles"] = json!([role]);
        }
        (Key::new(kind, "default", "beside"), spec)
    }

    fn roles(self) -> [&'static str; 2] {
        match self {
            Self::Team | Self::Template | Self::Recreated => ["dev", "ops"],
            Self::Council => ["engineering-lead", "security-lead"],
        }
    }
}

/// One change of what is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Apply,
    /// The agents' environment changes.
    Rollout,
    ScaleUp,
    ScaleDown,
    /// The agents get a secret and a config.
    Attach,
    RemoveRole,
    /// It is deleted, and declared again once it is gone.
    Recreate,
    Delete,
}

impl Step {
    pub(super) const ALL: [Self; 8] = [
        Self::Apply,
        Self::Rollout,
        Self::ScaleUp,
        Self::ScaleDown,
        Self::Attach,
        Self::RemoveRole,
        Self::Recreate,
        Self::Delete,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apply => "apply",
            Self::Rollout => "change the environment",
            Self::ScaleUp => "scale up",
            Self::ScaleDown => "scale down",
            Self::Attach => "add a secret and a config",
            Self::RemoveRole => "remove a role",
            Self::Recreate => "delete and declare again",
            Self::Delete => "delete",
        })
    }
}

/// What is done, in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Script {
    pub(super) kind: Kind,
    pub(super) steps: Vec<Step>,
    /// Whether the workload has a second role from the start.
    pub(super) second_role: bool,
}

impl Script {
    /// Everything that is done with a kind, once.
    pub(super) fn whole(kind: Kind) -> Self {
        let steps = match kind {
            Kind::Recreated => vec![Step::Apply, Step::Recreate, Step::Delete],
            _ => Step::ALL
                .into_iter()
                .filter(|step| *step != Step::Recreate)
                .collect(),
        };
        Self {
            kind,
            steps,
            second_role: true,
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self.steps.iter().map(ToString::to_string).collect();
        let roles = if self.second_role { "two roles" } else { "one role" };
        write!(f, "{} with {roles}: {}", self.kind.word(), steps.join(", then "))
    }
}

/// The content of the secret that the agents get; nothing that people read may hold it.
pub(super) const SECRET: &str = "tell-nobody-4f1c9a";
/// Its name.
pub(super) const SECRET_NAME: &str = "token";
/// The workload's network.
pub(super) const NETWORK: &str = "pay_net";

/// What is declared after some steps.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    kind: Kind,
    edition: u32,
    replicas: u32,
    has_files: bool,
    second_role: bool,
    is_deleted: bool,
}

impl Declared {
    /// What a script begins with, before its first step.
    pub(super) fn new(script: &Script) -> Self {
        Self {
            kind: script.kind,
            edition: 1,
            replicas: 2,
            has_files: false,
            second_role: script.second_role,
            is_deleted: false,
        }
    }

    /// Takes a step.
    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Apply | Step::Recreate => {}
            Step::Rollout => self.edition += 1,
            Step::ScaleUp => self.replicas = 3,
            Step::ScaleDown => self.replicas = 1,
            Step::Attach => self.has_files = true,
            Step::RemoveRole => self.second_role = false,
            Step::Delete => self.is_deleted = true,
        }
    }

    /// The specs to be stored, templates first; none once it is deleted.
    pub(super) fn objects(&self) -> Vec<(Key, Value)> {
        if self.is_deleted {
            return Vec::new();
        }
        let key = self.kind.key();
        let [first, second] = self.kind.roles();
        let mut roles = vec![json!({"name": first, "replicas": self.replicas})];
        if self.second_role {
            roles.push(json!({"name": second}));
        }
        match self.kind {
            Kind::Team | Kind::Recreated => vec![(
                key,
                json!({"network": NETWORK, "defaults": self.agent(), "roles": roles}),
            )],
            Kind::Council => {
                let optional: Vec<&str> = [second].into_iter().filter(|_| self.second_role).collect();
                let spec = json!({
                    "network": NETWORK,
                    "coreRoles": [first],
                    "optionalRoles": optional,
                    "defaults": self.agent(),
                    "roles": roles,
                });
                vec![(key, spec)]
            }
            Kind::Template => {
                for role in &mut roles {
                    role["template"] = json!("worker");
                }
                let template = Key::new(ResourceKind::AgentTemplate, "default", "worker");
                vec![
                    (template, self.agent()),
                    (key, json!({"network": NETWORK, "roles": roles})),
                ]
            }
        }
    }

    fn agent(&self) -> Value {
        let mut agent = agent(self.edition);
        if self.has_files {
            agent["secrets"] = json!([{"name": SECRET_NAME}]);
            agent["configs"] = json!([{"name": "notes", "data": "be kind"}]);
        }
        agent
    }
}

fn agent(edition: u32) -> Value {
    json!({
        "image": "agent:dev",
        "env": [{"name": "EDITION", "value": edition.to_string()}],
        "healthCheck": {"command": []},
    })
}
