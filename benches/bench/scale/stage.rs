//! An operator between a Postgres that counts statements and a simulated engine that counts requests.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::AGENTS;
use super::cost::Cost;
use super::engine::SimulatedEngine;
use crate::harness::operator::Operator;
use crate::harness::postgres::{Database, Postgres};
use crate::idle::{self, processor_seconds};

/// Nothing that is awaited takes this long.
pub(super) const PATIENCE: Duration = Duration::from_secs(900);
/// How often it is looked whether what is awaited is there.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// Where teams are.
pub(super) const TEAMS: &str = "http://whoosh/apis/chorus.services/v1/namespaces/default/teams";
/// Teams that share a network: its addresses suffice for them.
const TEAMS_A_NETWORK: usize = 1_000;

/// Everything that one size is measured with.
pub(super) struct Stage {
    pub(super) teams: usize,
    pub(super) operator: Operator,
    pub(super) client: Client,
    pub(super) engine: SimulatedEngine,
    pub(super) database: Database,
    /// The operator's processor time when it was asked for last.
    processor: f64,
    /// Lives as long as its database is used.
    _postgres: Postgres,
}

impl Stage {
    pub(super) async fn start(teams: usize) -> Self {
        let (postgres, database) = counting_postgres().await;
        let engine = SimulatedEngine::start().await;
        let quiet = [("WHOOSH_LOG", "warn".to_owned())];
        let operator = Operator::start_on(engine.socket(), &database, &quiet).await;
        let client = crate::harness::http()
            .unix_socket(operator.socket())
            .build()
            .unwrap();
        Self {
            teams,
            operator,
            client,
            engine,
            database,
            processor: 0.0,
            _postgres: postgres,
        }
    }

    /// What was used since this was asked last.
    pub(super) async fn cost(&mut self) -> Cost {
        let used = processor_seconds(self.operator.id());
        let before = std::mem::replace(&mut self.processor, used);
        Cost {
            requests: self.engine.requests(),
            statements: self.statements().await,
            processor: used - before,
        }
    }

    /// SIGKILLs the operator, and starts it again, without waiting.
    pub(super) async fn restart_operator(&mut self) {
        self.cost().await;
        self.operator.kill();
        self.processor = 0.0;
        self.operator.start_again();
    }

    /// Statements since this was asked last, but for those that keep the lease by the clock, and for our own.
    async fn statements(&self) -> u64 {
        let counted = self.database.query(
            "SELECT coalesce(sum(calls), 0) AS bench FROM pg_stat_statements \
             WHERE query NOT LIKE '%leases%' AND query NOT LIKE '%bench%'",
        );
        let counted = counted.await.unwrap();
        let reset = "SELECT pg_stat_statements_reset() AS bench";
        self.database.query(reset).await.unwrap();
        counted.parse().unwrap()
    }

    /// Waits until every team had its turn, and none waits for one.
    pub(super) async fn until_nothing_to_do(&self) {
        idle::until_nothing_to_do(&self.operator, self.teams).await;
    }

    /// How many teams are ready.
    pub(super) async fn ready(&self) -> usize {
        let counted = self.database.query(
            r#"SELECT count(*) AS bench FROM objects WHERE kind = 'Team'
               AND status @> '{"conditions": [{"type": "Ready", "status": "True"}]}'"#,
        );
        counted.await.unwrap().parse().unwrap()
    }
}

async fn counting_postgres() -> (Postgres, Database) {
    let mut postgres = Postgres::start().await;
    let database = postgres.database().await;
    let preload = "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'";
    database.query(preload).await.unwrap();
    postgres.kill();
    postgres.restart().await;
    let extension = "CREATE EXTENSION pg_stat_statements";
    database.query(extension).await.unwrap();
    (postgres, database)
}

/// The name of a team.
pub(super) fn name(number: usize) -> String {
    format!("t{number}")
}

/// A team: one agent leads, and has `edition` in its environment; the others work.
pub(super) fn team(number: usize, edition: u32) -> Value {
    json!({
        "apiVersion": "chorus.services/v1",
        "kind": "Team",
        "metadata": {"name": name(number)},
        "spec": {
            "network": format!("net{}", number / TEAMS_A_NETWORK),
            "defaults": {
                "image": "agent:1",
                "resources": {
                    "requests": {"cpu": "10m", "memory": "16Mi"},
                    "limits": {"cpu": "100m", "memory": "64Mi"},
                },
            },
            "roles": [
                {"name": "lead", "agent": {"env": [{"name": "EDITION", "value": edition.to_string()}]}},
                {"name": "worker", "replicas": AGENTS - 1},
            ],
        },
    })
}

/// The service of the agent that leads a team.
pub(super) fn lead_service(number: usize) -> String {
    format!("team_default_{}_lead_1", name(number))
}

/// Sends a request, and reads its answer.
pub(super) async fn send(request: RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert!(status.is_success(), "{status} {body}");
    body
}
