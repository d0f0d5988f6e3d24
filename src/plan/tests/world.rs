//! A workload and the Swarm that it is to run on.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::plan::action::{Change, ChangeKind, Plan, Target};
use crate::plan::observed::{Attached, Image, Network, Node, Observed, Service, Task, TaskState};
use crate::plan::service::ServiceSpec;
use crate::plan::{plan, tests::model};
use crate::resource::names::{MANAGER, label};
use crate::resource::policy::Rules;
use crate::resource::workload::{
    Amount, DesiredAgent, DesiredFile, DesiredRole, MissingTemplate, Owner, Withheld, Workload,
};
use crate::resource::{Key, Kind};

pub(super) const INSTANCE: &str = "here";
const PREFIX: &str = "team_default_payments_";

pub(super) struct World {
    pub(super) workload: Workload,
    pub(super) observed: Observed,
    pub(super) now: Timestamp,
}

impl World {
    /// A team with roles like `writer` or `reviewer=2`, and an empty Swarm of one node.
    pub(super) fn new(roles: &str) -> Self {
        let workload = Workload {
            owner: owner("uid-1"),
            suspended: false,
            network: "chorus_net".to_owned(),
            progress_deadline: Duration::from_secs(600),
            templates: Vec::new(),
            roles: roles.split_whitespace().map(role).collect(),
            rules: Rules::default(),
        };
        let mut observed = Observed::default();
        observed.nodes.insert("n1".to_owned(), node("alpha"));
        observed.images.insert("agent:dev".to_owned(), Image::Local);
        Self {
            workload,
            observed,
            now: at(1000),
        }
    }

    /// The same, with every agent running for a minute.
    pub(super) fn settled(roles: &str) -> Self {
        let mut world = Self::new(roles);
        world.converge();
        world.now = at(1060);
        world
    }

    pub(super) fn plan(&self) -> Plan {
        plan(&self.workload, &self.observed, INSTANCE)
    }

    /// Plans and acts until nothing is left to do; returns how many plans that took.
    pub(super) fn converge(&mut self) -> usize {
        for round in 0..5 {
            let plan = self.plan();
            if plan.is_empty() {
                return round;
            }
            model::apply(&mut self.observed, &plan, self.now);
        }
        panic!("never settles: {:#?}", self.plan());
    }

    pub(super) fn role(&mut self, name: &str) -> &mut DesiredRole {
        let roles = &mut self.workload.roles;
        roles.iter_mut().find(|role| role.name == name).unwrap()
    }

    /// How the agents of a role run.
    pub(super) fn agent(&mut self, role: &str) -> &mut DesiredAgent {
        self.role(role).agent.as_mut().unwrap()
    }

    /// Takes a role's template away.
    pub(super) fn lose_template(&mut self, role: &str) {
        self.role(role).agent = Err(missing_template(role));
    }

    /// The service of `reviewer.2`.
    pub(super) fn service(&mut self, agent: &str) -> &mut Service {
        let name = service_name(agent);
        self.observed.services.get_mut(&name).unwrap()
    }

    pub(super) fn spec(&mut self, agent: &str) -> &mut ServiceSpec {
        &mut self.service(agent).spec
    }

    pub(super) fn remove(&mut self, agent: &str) -> Service {
        let name = service_name(agent);
        model::detach(&mut self.observed, &name);
        self.observed.services.remove(&name).unwrap()
    }

    /// Gives an agent's service these tasks, newest first.
    pub(super) fn tasks(&mut self, agent: &str, tasks: &[Task]) {
        self.service(agent).tasks = Some(tasks.to_vec());
    }

    pub(super) fn network(&mut self, name: &str) -> &mut Network {
        self.observed.networks.get_mut(name).unwrap()
    }

    /// Compares the plan with lines as `2 +/- service reviewer_1: container.user`: stage, symbol, thing,
    /// fields. What is blocked comes last, as `! reviewer.1 NameConflict`; what waits is in stage `-`.
    #[track_caller]
    pub(super) fn check(&self, expected: &[&str]) {
        assert_eq!(lines(&self.plan()), expected);
    }
}

pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let mut due: Vec<(Target, String)> = Vec::new();
    for (index, stage) in plan.stages.iter().enumerate() {
        due.extend(
            stage
                .iter()
                .map(|action| (action.target(), (index + 1).to_string())),
        );
    }
    let mut stage_of = |change: &Change| {
        let at = due.iter().position(|(target, _)| *target == change.what);
        at.map_or("-".to_owned(), |at| due.remove(at).1)
    };
    let changes = plan.report.changes.iter().map(|change| {
        let stage = stage_of(change);
        let symbol = match change.kind {
            ChangeKind::Create => "+",
            ChangeKind::Remove => "-",
            ChangeKind::Replace => "+/-",
            ChangeKind::InPlace => "~",
        };
        let fields: Vec<_> = change.because.iter().map(|field| field.field.as_str()).collect();
        let fields = if fields.is_empty() {
            String::new()
        } else {
            format!(": {}", fields.join(", "))
        };
        let drift = if change.drift { " (drift)" } else { "" };
        let (kind, name) = (change.what.kind(), short(change.what.name()));
        format!("{stage} {symbol} {kind} {name}{fields}{drift}")
    });
    let blocked = plan
        .report
        .blocked
        .iter()
        .map(|blocked| format!("! {} {:?}", blocked.agent, blocked.reason));
    changes.chain(blocked).collect()
}

/// Service names without what they share, secret and config names without their hash.
fn short(name: &str) -> &str {
    if let Some(rest) = name.strip_prefix("whoosh_") {
        return rest.rsplit_once('_').map_or(rest, |(head, _)| head);
    }
    name.strip_prefix(PREFIX).unwrap_or(name)
}

pub(super) fn service_name(agent: &str) -> String {
    format!("{PREFIX}{}", agent.replace('.', "_"))
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn owner(uid: &str) -> Owner {
    Owner {
        key: Key::new(Kind::Team, "default", "payments"),
        uid: uid.to_owned(),
        generation: 1,
    }
}

fn role(text: &str) -> DesiredRole {
    let (name, replicas) = text.split_once('=').unwrap_or((text, "1"));
    DesiredRole {
        name: name.to_owned(),
        replicas: replicas.parse().unwrap(),
        required: true,
        agent: Ok(agent()),
    }
}

pub(super) fn agent() -> DesiredAgent {
    DesiredAgent {
        image: "agent:dev".to_owned(),
        command: Vec::new(),
        args: Vec::new(),
        env: BTreeMap::from([("RUST_LOG".to_owned(), "info".to_owned())]),
        limits: Amount {
            nano_cpus: 500_000_000,
            memory_bytes: 128 << 20,
        },
        reservations: Amount::default(),
        mounts: Vec::new(),
        capabilities: Vec::new(),
        sysctls: BTreeMap::new(),
        ports: Vec::new(),
        secrets: Vec::new(),
        configs: Vec::new(),
        health_check: None,
        constraints: Vec::new(),
        preferences: Vec::new(),
        stop_grace_period: Duration::from_secs(10),
        user: None,
        networks: Vec::new(),
        model: None,
    }
}

pub(super) fn missing_template(role: &str) -> Withheld {
    Withheld::MissingTemplate(MissingTemplate {
        role: role.to_owned(),
        template: "code-reviewer".to_owned(),
        nearest: None,
    })
}

pub(super) fn file(name: &str, data: Option<&str>) -> DesiredFile {
    DesiredFile {
        name: name.to_owned(),
        path: format!("/run/{name}"),
        data: data.map(str::to_owned),
    }
}

pub(super) fn node(hostname: &str) -> Node {
    Node {
        hostname: hostname.to_owned(),
        ready: true,
        active: true,
        facts: BTreeMap::from([("node.hostname".to_owned(), hostname.to_owned())]),
    }
}

/// Labels of something that another owner of this installation made.
pub(super) fn labels_of_others() -> BTreeMap<String, String> {
    [
        (label::MANAGED_BY, MANAGER),
        (label::INSTANCE, INSTANCE),
        (label::KIND, "team"),
        (label::NAMESPACE, "default"),
        (label::NAME, "others"),
        (label::UID, "uid-9"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

pub(super) fn network(labels: BTreeMap<String, String>, capacity: u64, users: &[&str]) -> Network {
    Network {
        id: "net".to_owned(),
        labels,
        overlay: true,
        capacity,
        in_use: Attached {
            own: users.iter().map(|user| user.to_string()).collect(),
            others: 0,
        },
    }
}

/// A task of the current spec on the first node, since second 1000.
pub(super) fn task(state: TaskState) -> Task {
    let ended = state > TaskState::Running;
    Task {
        id: "task".to_owned(),
        current: true,
        state,
        desired: if ended {
            TaskState::Shutdown
        } else {
            TaskState::Running
        },
        node: (state > TaskState::Pending).then(|| "n1".to_owned()),
        message: String::new(),
        error: None,
        exit_code: None,
        container: None,
        address: None,
        created: at(1000),
        updated: at(1000),
        since: at(1000),
    }
}

pub(super) fn failed(exit_code: i64, second: i64) -> Task {
    Task {
        error: Some(format!("task: non-zero exit ({exit_code})")),
        exit_code: Some(exit_code),
        since: at(second),
        ..task(TaskState::Failed)
    }
}

pub(super) fn errored(state: TaskState, error: &str) -> Task {
    Task {
        error: Some(error.to_owned()),
        ..task(state)
    }
}

pub(super) fn old(task: Task) -> Task {
    Task {
        current: false,
        ..task
    }
}
