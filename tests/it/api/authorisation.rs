//! Who may do what, asked of the listener: every path that is served, every verb, every role.
//!
//! The paths are those that the router's source names, and a path that the table does not know fails the test: whoever
//! adds one has to say who may use it.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use super::network::{Door, token};
use super::{PATIENCE, Server, server};
use crate::harness::eventually::eventually;
use crate::harness::jwt::{Issuer, claims};

const ROLES: [&str; 4] = ["admin", "edit", "view", "agent"];
const EVERYBODY: &str = "admin edit view agent";
const NOBODY: &str = "";

/// Who may use a path: with verbs that read, and with verbs that change something.
struct Rule {
    reads: &'static str,
    changes: &'static str,
}

const fn rule(reads: &'static str, changes: &'static str) -> Rule {
    Rule { reads, changes }
}

/// How a client speaks, and who it is: for everybody who is known. What is not served there is nobody's secret.
const OPEN: Rule = rule(EVERYBODY, EVERYBODY);
const DECLARED: Rule = rule("admin edit view", "admin edit");
/// What an agent may know of its team.
const OF_AGENTS: Rule = rule(EVERYBODY, "admin edit");
const TOKENS: Rule = rule("admin", "admin");
/// The operator's own to change.
const STATUS: Rule = rule("admin edit view", "admin");

/// The rule of each path of the router; `{plural}` stands for the kinds that the store keeps.
const TABLE: &[(&str, Rule)] = &[
    ("/", OPEN),
    ("/version", OPEN),
    ("/openapi/v2", OPEN),
    ("/openapi/v3", OPEN),
    ("/openapi/v3/{*group}", OPEN),
    ("/api", OPEN),
    ("/api/v1", OPEN),
    ("/apis", OPEN),
    ("/apis/{group}", OPEN),
    ("/apis/{group}/v1", OPEN),
    ("/apis/authentication.k8s.io/v1/selfsubjectreviews", OPEN),
    ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", OPEN),
    ("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", OPEN),
    ("/api/v1/namespaces", DECLARED),
    ("/api/v1/namespaces/{namespace}", DECLARED),
    ("/api/v1/events", DECLARED),
    ("/api/v1/namespaces/{namespace}/events", DECLARED),
    ("/api/v1/namespaces/{namespace}/events/{name}", DECLARED),
    ("/apis/events.k8s.io/v1/events", DECLARED),
    ("/apis/events.k8s.io/v1/namespaces/{namespace}/events", DECLARED),
    (
        "/apis/events.k8s.io/v1/namespaces/{namespace}/events/{name}",
        DECLARED,
    ),
    (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        DECLARED,
    ),
    (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}",
        DECLARED,
    ),
    ("/api/v1/pods", DECLARED),
    ("/api/v1/namespaces/{namespace}/pods", DECLARED),
    ("/api/v1/namespaces/{namespace}/pods/{*rest}", DECLARED),
    ("/api/v1/services", DECLARED),
    ("/api/v1/namespaces/{namespace}/services", DECLARED),
    ("/metrics", DECLARED),
    ("all/wayin", DECLARED),
    ("all/simulations", DECLARED),
    ("all/tokens", TOKENS),
    ("all/tokens/{name}", TOKENS),
    ("all/agents", OF_AGENTS),
    ("one/agents", OF_AGENTS),
    ("one/agents/{name}", OF_AGENTS),
    ("one/agents/{name}/log", DECLARED),
    ("all/{plural}", OF_AGENTS),
    ("one/{plural}", OF_AGENTS),
    ("one/{plural}/{name}", OF_AGENTS),
    ("one/{plural}/{name}/status", STATUS),
    ("one/{plural}/{name}/scale", DECLARED),
    ("one/{plural}/{name}/plan", DECLARED),
    ("one/{plural}/{name}/history", DECLARED),
];

/// What is answered to everybody, known or not.
const HEALTH: [&str; 3] = ["/healthz", "/livez", "/readyz"];
/// What nobody's token opens: forges prove otherwise that they may (`hooks.rs`).
const HOOKS: [&str; 1] = ["/hooks/v1/namespaces/{namespace}/gitsources/{name}"];
/// What is no agent's to read, though they are kinds like others.
const TEMPLATES: [&str; 2] = ["agenttemplates", "gitsources"];
/// What is about nodes: no agent's to read, and changed by who may do everything, everywhere.
const POLICIES: &str = "policies";

/// The paths that the router's source names, in the words of the table.
fn routes() -> BTreeSet<String> {
    const ALL: &str = "/apis/chorus.services/v1/";
    const ONE: &str = "/apis/chorus.services/v1/namespaces/{namespace}/";
    let source = include_str!("../../../src/api/router.rs");
    let calls = source.split(".route(").skip(1).map(|call| {
        let (before, rest) = call.split_once('"').unwrap();
        let (path, _) = rest.split_once('"').unwrap();
        let path = path.replace("{GROUP}/", ALL);
        match before.trim() {
            "&all(" => format!("all/{path}"),
            "&one(" => format!("one/{path}"),
            _ => path.replace(ONE, "one/").replace(ALL, "all/"),
        }
    });
    let others = |path: &&str| HEALTH.contains(path) || HOOKS.contains(path);
    calls.filter(|path| !others(&path.as_str())).collect()
}

/// A path as it is asked for.
fn filled(path: &str, plural: &str, group: &str, namespace: &str) -> String {
    path.replace("all/", "/apis/chorus.services/v1/")
        .replace("one/", "/apis/chorus.services/v1/namespaces/{namespace}/")
        .replace("{plural}", plural)
        .replace("{*rest}", "payments/log")
        .replace("{*group}", &format!("apis/{group}/v1"))
        .replace("{group}", group)
        .replace("{namespace}", namespace)
        .replace("{name}", "payments")
}

/// The kinds and the groups that discovery tells of.
async fn discovered(server: &Server) -> (Vec<String>, Vec<String>) {
    let groups = server.get("/apis").await.ok(200);
    let names = |list: &Value, field: &str| -> Vec<String> {
        let list = list[field].as_array().unwrap();
        list.iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let kinds = server.get("/apis/chorus.services/v1").await.ok(200);
    let mut kinds = names(&kinds, "resources");
    kinds.retain(|name| !name.contains('/') && name != "agents");
    (kinds, names(&groups, "groups"))
}

/// A verb of HTTP, and whether it reads.
fn verbs() -> [(Method, &'static str, bool); 8] {
    [
        (Method::GET, "", true),
        (Method::HEAD, "", true),
        (Method::GET, "?watch=true&timeoutSeconds=1", true),
        (Method::POST, "", false),
        (Method::PUT, "", false),
        (Method::PATCH, "", false),
        (Method::DELETE, "", false),
        (Method::OPTIONS, "", false),
    ]
}

/// The code of an answer; whoever asks this much is sometimes told to wait.
async fn code(door: &Door, method: &Method, path: &str, bearer: &str) -> u16 {
    eventually(PATIENCE, "the answer", async || {
        let request = door.request(method.clone(), path, bearer);
        // Nothing that could be done.
        let request = match *method {
            Method::PATCH => request.header("content-type", super::MERGE_PATCH).body("[]"),
            Method::POST | Method::PUT => request.json(&json!([])),
            _ => request,
        };
        match request.send().await.unwrap().status().as_u16() {
            429 => Err("too many requests"),
            code => Ok(code),
        }
    })
    .await
}

/// Somebody who asks: their role, where it holds, and what they come in with.
struct Somebody {
    role: &'static str,
    everywhere: bool,
    bearer: String,
}

async fn everybody(server: &Server, issuer: &Issuer) -> Vec<Somebody> {
    let mut all = Vec::new();
    for role in ROLES {
        let narrow = json!({"name": role, "role": role, "namespaces": ["default"]});
        all.push(Somebody {
            role,
            everywhere: false,
            bearer: token(server, &narrow).await,
        });
        all.push(Somebody {
            role,
            everywhere: true,
            bearer: issuer.sign(&claims(role, role)),
        });
    }
    all
}

#[test]
fn every_path_has_a_rule() {
    let table: Vec<&str> = TABLE.iter().map(|(path, _)| *path).collect();
    let known: BTreeSet<String> = table.iter().map(|&path| path.to_owned()).collect();
    assert_eq!(known.len(), table.len(), "a path has two rules");
    assert_eq!(routes(), known, "left: the router's paths; right: the table's");
}

#[tokio::test]
async fn every_role_may_do_on_every_path_what_the_table_says() {
    let mut server = server().await;
    let issuer = Issuer::new();
    server.api.jwt = Some(issuer.trusted());
    let door = Door::of(&server).await;
    let people = everybody(&server, &issuer).await;
    let (kinds, groups) = discovered(&server).await;
    for known in TEMPLATES.into_iter().chain([POLICIES]) {
        assert!(kinds.iter().any(|kind| kind == known), "{kinds:?}");
    }

    let mut asked = BTreeMap::new();
    for (template, rule) in TABLE {
        let kinds = if template.contains("{plural}") {
            kinds.as_slice()
        } else {
            &kinds[..1]
        };
        let groups = if template.contains("group}") {
            groups.as_slice()
        } else {
            &groups[..1]
        };
        let in_namespace = template.contains("{namespace}") || template.starts_with("one/");
        let namespaces: &[&str] = if in_namespace { &["default", "prod"] } else { &[""] };
        for kind in kinds {
            let is_of = |known: &str| template.contains("{plural}") && kind == known;
            let (is_template, is_policy) = (TEMPLATES.into_iter().any(is_of), is_of(POLICIES));
            for group in groups {
                for namespace in namespaces {
                    let path = filled(template, kind, group, namespace);
                    asked.insert(path, (rule, *namespace, is_template, is_policy));
                }
            }
        }
    }
    for (path, (rule, namespace, is_template, is_policy)) in asked {
        for (method, query, reads) in verbs() {
            let path = format!("{path}{query}");
            let told = code(&door, &method, &path, "").await;
            assert_eq!(told, 401, "nobody: {method} {path}");
            for Somebody {
                role,
                everywhere,
                bearer,
            } in &people
            {
                let allowed = match (reads, rule.reads) {
                    (true, EVERYBODY) if is_template || is_policy => DECLARED.reads,
                    (false, _) if is_policy => TOKENS.changes,
                    (true, reads) => reads,
                    (false, _) => rule.changes,
                };
                // What belongs to no namespace is for those who may come in to all.
                let is_theirs = *everywhere || namespace == "default" || rule.changes == EVERYBODY;
                let is_theirs = is_theirs && (*everywhere || reads || !is_policy);
                let may = is_theirs && allowed.split(' ').any(|allowed| allowed == *role);
                let told = code(&door, &method, &path, bearer).await;
                let place = if *everywhere { "everywhere" } else { "in default" };
                match may {
                    true => assert!(
                        !matches!(told, 401 | 403 | 500),
                        "{role} {place}: {method} {path} is {told}"
                    ),
                    false => assert_eq!(told, 403, "{role} {place}: {method} {path}"),
                }
            }
        }
    }
    for path in HOOKS {
        let path = filled(path, "", "", "default");
        let bearers = people.iter().map(|somebody| somebody.bearer.as_str());
        for bearer in bearers.chain([NOBODY]) {
            let told = code(&door, &Method::POST, &path, bearer).await;
            assert_eq!(told, 401, "{path}");
        }
    }
    for path in HEALTH {
        for (bearer, who) in [(NOBODY, "nobody"), ("whoosh_0", "a stranger")] {
            let told = code(&door, &Method::GET, path, bearer).await;
            assert!(matches!(told, 200 | 503), "{who} {path}: {told}");
        }
    }
}
