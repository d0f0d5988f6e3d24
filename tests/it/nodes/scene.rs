//! A turn with the cluster, an operator that talks to one of its managers, and a team.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::converge::{services, team};
use crate::harness::eventually::eventually;
use crate::harness::nodes::Turn;
use crate::harness::operator::Operator;

/// Managers need up to 20 s for an election, and one that was cut off has been seen to need more than 90 on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

pub(super) const MANAGERS: [&str; 3] = ["manager-1", "manager-2", "manager-3"];
const WORKERS: [&str; 2] = ["worker-1", "worker-2"];

/// Whoever asks is answered by then, be it that there is no answer.
pub(super) const SOON: Duration = Duration::from_secs(12);

/// The scene of a test. The operator ends before the turn does.
pub(super) struct Scene {
    pub(super) operator: Operator,
    cluster: Turn,
    manager: &'static str,
    pub(super) namespace: &'static str,
}

impl Deref for Scene {
    type Target = Turn;

    fn deref(&self) -> &Turn {
        &self.cluster
    }
}

impl DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut Turn {
        &mut self.cluster
    }
}

impl Scene {
    /// An operator that talks to `manager`, and nothing declared.
    pub(super) async fn begin(manager: &'static str, namespace: &'static str) -> Self {
        let cluster = Turn::begin().await;
        let operator = Operator::start(cluster.engine(manager)).await;
        Self::of(cluster, operator, manager, namespace)
    }

    /// The same, with the manager that leads.
    pub(super) async fn begin_at_leader(namespace: &'static str) -> Self {
        Self::begin_where(|manager, leader| manager == leader, namespace).await
    }

    /// The same, with a manager that does not lead.
    pub(super) async fn begin_at_follower(namespace: &'static str) -> Self {
        Self::begin_where(|manager, leader| manager != leader, namespace).await
    }

    async fn begin_where(fits: impl Fn(&str, &str) -> bool, namespace: &'static str) -> Self {
        let cluster = Turn::begin().await;
        let leader = cluster.leader("manager-1").await;
        let manager = MANAGERS
            .into_iter()
            .find(|manager| fits(manager, &leader))
            .unwrap();
        let operator = Operator::start(cluster.engine(manager)).await;
        Self::of(cluster, operator, manager, namespace)
    }

    /// The scene of an `operator` that talks to `manager`.
    pub(super) fn of(
        cluster: Turn,
        operator: Operator,
        manager: &'static str,
        namespace: &'static str,
    ) -> Self {
        Self {
            operator,
            cluster,
            manager,
            namespace,
        }
    }

    /// The manager that the operator talks to, and the others.
    pub(super) fn own_and_other_managers(&self) -> (&'static str, Vec<&'static str>) {
        let others = MANAGERS.into_iter().filter(|manager| *manager != self.manager);
        (self.manager, others.collect())
    }

    /// Applies the team with `reviewers` and `more` lines in their agent block, and waits until it is ready.
    pub(super) async fn apply(&self, reviewers: u32, more: &str) {
        let wait = ["--wait", "--timeout", "90s"];
        let team = team(self.namespace, reviewers, more);
        self.operator.apply(&team, &wait).await.ok();
    }

    /// The same, without waiting.
    pub(super) async fn declare(&self, reviewers: u32, more: &str) {
        let team = team(self.namespace, reviewers, more);
        self.operator.apply(&team, &[]).await.ok();
    }

    /// `docker node …` at a manager. It is refused when the node was changed since the engine looked at it, as nodes that
    /// come and go are.
    pub(super) async fn change_node(&self, manager: &str, words: &[&str]) {
        let all = [&["node"], words].concat();
        eventually(PATIENCE, &format!("docker {all:?}"), async || {
            self.engine(manager).try_docker(&all).await
        })
        .await;
    }

    /// Checks that, while the engine is away, whoever asks for the team or its agents is answered soon: what is
    /// declared, and why the agents cannot be shown.
    pub(super) async fn assert_answers_without_agents(&self) {
        let answer = async |arguments: &[&str]| {
            let all = [arguments, &["-n", self.namespace]].concat();
            let answer = timeout(SOON, self.operator.whoosh(&all)).await;
            answer.unwrap_or_else(|_| panic!("no answer to {arguments:?} within {SOON:?}"))
        };
        let teams = answer(&["get", "teams"]).await.ok();
        assert!(teams.contains("payments") && teams.contains("Unknown"), "{teams}");
        let described = answer(&["describe", "team", "payments"]).await;
        assert!(
            described.err.contains("the agents cannot be shown"),
            "{described:?}"
        );
        let agents = answer(&["get", "agents"]).await;
        assert_eq!(agents.code, 1, "{agents:?}");
        assert!(
            agents.err.contains("is brought about when Docker is back"),
            "{agents:?}"
        );
    }

    /// The team's status.
    pub(super) async fn status(&self) -> Value {
        let mut team = self
            .operator
            .get(&["team", "payments", "-n", self.namespace])
            .await;
        team["status"].take()
    }

    /// Waits until the team's condition `type_` has `status`, and its reason and message hold every one of `words`.
    pub(super) async fn until(&self, type_: &str, status: &str, words: &[&str]) {
        eventually(
            PATIENCE,
            &format!("{type_} is {status} with {words:?}"),
            async || {
                let seen = self.status().await;
                let conditions = seen["conditions"].as_array().cloned().unwrap_or_default();
                let condition = conditions.iter().find(|condition| condition["type"] == type_);
                let told = condition.is_some_and(|condition| {
                    let text = format!("{} {}", condition["reason"], condition["message"]);
                    condition["status"] == status && words.iter().all(|word| text.contains(word))
                });
                if told { Ok(()) } else { Err(seen.to_string()) }
            },
        )
        .await;
    }

    /// Since when the team is ready, or is not.
    pub(super) async fn ready_since(&self) -> Value {
        let conditions = self.status().await["conditions"].take();
        let conditions = conditions.as_array().cloned().unwrap_or_default();
        let mut ready = conditions
            .into_iter()
            .filter(|condition| condition["type"] == "Ready");
        ready.next().unwrap_or_default()["lastTransitionTime"].take()
    }

    /// Waits until that is another time: what was lost may be back before anybody looks.
    pub(super) async fn until_ready_moved(&self, since: &Value) {
        eventually(PATIENCE, "the team was not ready once", async || {
            let now = self.ready_since().await;
            if now == *since {
                Err(now.to_string())
            } else {
                Ok(())
            }
        })
        .await;
    }

    /// Waits until the team is ready and that is the truth: `manager` knows one service for each of `slots`, and each
    /// has one container on the nodes that are not `lost`.
    pub(super) async fn until_true(&self, manager: &str, slots: usize, lost: &[&str]) {
        eventually(PATIENCE, "the team is ready, one container a slot", async || {
            let status = self.status().await;
            if status["state"] != "Ready" || status["summary"] != format!("{slots}/{slots}") {
                return Err(status.to_string());
            }
            let known = services(self.engine(manager), self.namespace).await;
            let running = self.running(lost).await;
            let one_a_slot = known.len() == slots
                && known.iter().map(|(name, _, _)| name).eq(running.keys())
                && running.values().all(|nodes| nodes.len() == 1);
            if one_a_slot {
                Ok(())
            } else {
                Err(format!("{running:?} of {known:?}"))
            }
        })
        .await;
    }

    /// Waits until the team is ready, and checks at once that every agent runs on the nodes that are not `lost`.
    pub(super) async fn until_ready_in_truth(&self, slots: usize, lost: &[&str]) {
        self.until("Ready", "True", &[]).await;
        let running = self.running(lost).await;
        assert_eq!(
            running.len(),
            slots,
            "it is ready, and there run only {running:?}"
        );
    }

    /// Waits until none of the team's containers runs on the node, as the node itself says.
    pub(super) async fn until_moved_from(&self, node: &str) {
        eventually(PATIENCE, &format!("nothing runs on {node}"), async || {
            let left = self.engine(node).docker(&["ps", "--quiet"]).await;
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await;
    }

    /// How many containers run on the node, as the node itself says.
    pub(super) async fn on(&self, node: &str) -> usize {
        self.engine(node).docker(&["ps", "--quiet"]).await.lines().count()
    }

    /// Waits until the managers have heard from a node that was lost what became of the tasks that it had.
    pub(super) async fn until_told_how_tasks_ended_on(&self, node: &str) {
        let list = [
            "node",
            "ps",
            node,
            "--filter",
            "desired-state=shutdown",
            "--format",
            "{{.CurrentState}}",
        ];
        eventually(PATIENCE, &format!("the tasks of {node} have ended"), async || {
            let tasks = self.engine("manager-1").docker(&list).await;
            let ended = !tasks.is_empty() && !tasks.contains("Running");
            if ended { Ok(()) } else { Err(tasks) }
        })
        .await;
    }

    /// Of each service that has containers: the nodes where they run, as these themselves say; `lost` are not asked.
    pub(super) async fn running(&self, lost: &[&str]) -> BTreeMap<String, Vec<&'static str>> {
        let mut running: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
        let service = r#"{{.Label "com.docker.swarm.service.name"}}"#;
        for node in MANAGERS
            .into_iter()
            .chain(WORKERS)
            .filter(|node| !lost.contains(node))
        {
            let containers = self.engine(node).docker(&["ps", "--format", service]).await;
            for name in containers.lines() {
                running.entry(name.to_owned()).or_default().push(node);
            }
        }
        running
    }

    /// A line an agent.
    pub(super) async fn agents(&self) -> String {
        let get = ["get", "agents", "-n", self.namespace, "--no-headers"];
        self.operator.whoosh(&get).await.ok()
    }

    /// What people are told of the team, with its events.
    pub(super) async fn told(&self) -> String {
        let describe = ["describe", "team", "payments", "-n", self.namespace];
        self.operator.whoosh(&describe).await.ok()
    }
}

/// Checks that nobody changed or made anew any of the services of before.
pub(super) fn assert_unchanged(before: &[(String, String, u64)], now: &[(String, String, u64)]) {
    let is_kept = before.iter().all(|service| now.contains(service));
    assert!(is_kept, "{before:?} {now:?}");
}
