//! What strangers, and people with too few rights, try on the listener of the network.

mod bearers;
mod requests;

use serde_json::{Value, json};

use super::network::{Door, token};
use super::{Server, TEAMS, server, team};
use crate::harness::jwt::{Issuer, claims};

const GROUP: &str = "/apis/chorus.services/v1";

/// A server that is open to the network, with a team in each of two namespaces, and an issuer whom it trusts.
struct House {
    server: Server,
    door: Door,
    issuer: Issuer,
    /// The teams, as they were made.
    teams: Value,
}

impl House {
    async fn new() -> Self {
        let mut server = server().await;
        let issuer = Issuer::new();
        server.api.jwt = Some(issuer.trusted());
        let door = Door::of(&server).await;
        server.create("payments").await;
        let prod = TEAMS.replace("default", "prod");
        server.post(&prod, &team("vault")).await.ok(201);
        let teams = server.get(&format!("{GROUP}/teams")).await.ok(200)["items"].clone();
        Self {
            server,
            door,
            issuer,
            teams,
        }
    }

    /// A new token of a role, in the namespace `default` alone.
    async fn narrow(&self, role: &str) -> String {
        let wanted = json!({"name": role, "role": role, "namespaces": ["default"]});
        token(&self.server, &wanted).await
    }

    fn jwt(&self, role: &str) -> String {
        self.issuer.sign(&claims(role, role))
    }

    /// Nothing was made, changed or removed.
    async fn is_untouched(&self) {
        let teams = self.server.get(&format!("{GROUP}/teams")).await.ok(200);
        assert_eq!(teams["items"], self.teams);
    }
}

/// The head of a request whose connection is closed when it was answered.
fn head(method: &str, path: &str, token: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {token}\r\n"
    )
}
