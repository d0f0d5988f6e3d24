//! The real kubectl, of Debian's `kubernetes-client`, in front of the API over TLS.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use whoosh::resource::{Key, Kind, lifecycle};
use whoosh::store::{EventRecord, EventType, Op, Write};

use super::network::{Door, token};
use super::{Server, server};
use crate::harness::operator::{Printed, printed};

const TEAM: &str = "\
apiVersion: chorus.services/v1
kind: Team
metadata:
  name: payments
spec:
  replicas: 2
  defaults: {image: chorus-agent:dev}
  roles:
  - name: coordinator
";
const TEMPLATE: &str = "\
apiVersion: chorus.services/v1
kind: AgentTemplate
metadata:
  name: reviewer
spec: {image: chorus-agent:dev}
";

/// Somebody with kubectl and a token.
pub(super) struct Kubectl {
    pub(super) server: Server,
    _door: Door,
    pub(super) home: TempDir,
}

impl Kubectl {
    pub(super) async fn as_role(role: &str) -> Self {
        let server = server().await;
        let door = Door::of(&server).await;
        let token = token(&server, &json!({"name": "ada", "role": role, "namespaces": null})).await;
        let home = tempfile::tempdir().unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "whoosh",
            "clusters": [{"name": "whoosh", "cluster": {
                "server": format!("https://localhost:{}", door.address.port()),
                "certificate-authority": "ca.pem",
            }}],
            "users": [{"name": "ada", "user": {"token": token}}],
            "contexts": [{"name": "whoosh", "context": {"cluster": "whoosh", "user": "ada"}}],
        });
        std::fs::write(home.path().join("ca.pem"), &door.certificate).unwrap();
        std::fs::write(home.path().join("config"), config.to_string()).unwrap();
        Self {
            server,
            _door: door,
            home,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .args(arguments)
            .env("KUBECONFIG", self.file("config"))
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    async fn run_with(&self, arguments: &[&str], input: &str) -> Printed {
        let mut child = self
            .command(arguments)
            .spawn()
            .expect("kubectl is missing: scripts/setup tests installs it");
        let mut stdin = child.stdin.take().unwrap();
        let _unread = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        printed(child).await
    }

    /// What a command prints, without spaces at the ends.
    #[track_caller]
    fn run(&self, arguments: &str) -> impl Future<Output = String> {
        let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            self.run_with(&arguments, "").await.ok().trim().to_owned()
        }
    }

    async fn refused(&self, arguments: &str) -> String {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let printed = self.run_with(&arguments, "").await;
        assert_ne!(printed.code, 0, "{}", printed.out);
        printed.err
    }

    async fn apply(&self, yaml: &str, arguments: &[&str]) -> Printed {
        let all: Vec<&str> = ["apply", "-f", "-"].iter().chain(arguments).copied().collect();
        self.run_with(&all, yaml).await
    }

    /// The `n` of its version 1.n: older ones have fewer commands and flags.
    async fn minor(&self) -> u32 {
        let version: Value = serde_json::from_str(&self.run("version -o json --client").await).unwrap();
        let minor = version["clientVersion"]["minor"].as_str().unwrap();
        minor.trim_end_matches('+').parse().unwrap()
    }

    async fn stored(&self) -> whoosh::resource::Object {
        let key = Key::new(Kind::Team, "default", "payments");
        self.server.store.get(&key).await.unwrap().unwrap()
    }

    /// Writes the status that an operator would.
    async fn set_status(&self, status: Value) {
        let old = self.stored().await;
        let op = Op::Update {
            expected: old.revision().unwrap(),
            object: lifecycle::update_status(&old, status),
        };
        let write = Write {
            op,
            actor: "test".to_owned(),
            reason: "test".to_owned(),
            epoch: None,
        };
        self.server.store.write(write).await.unwrap();
    }
}

fn ready() -> Value {
    json!({
        "replicas": 2, "readyReplicas": 2, "summary": "2/2", "state": "Ready", "observedGeneration": 2,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "AllReady", "message": "", "observedGeneration": 2,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    })
}

#[tokio::test]
async fn objects_are_applied_shown_compared_and_deleted() {
    let kubectl = Kubectl::as_role("edit").await;
    let none = kubectl.run_with(&["get", "teams"], "").await;
    assert_eq!(
        (none.err.as_str(), none.code),
        ("No resources found in default namespace.\n", 0)
    );

    assert_eq!(
        kubectl.apply(TEAM, &[]).await.ok(),
        "team.chorus.services/payments created\n"
    );
    assert_eq!(
        kubectl.apply(TEAM, &[]).await.ok(),
        "team.chorus.services/payments unchanged\n"
    );
    let three = TEAM.replace("replicas: 2", "replicas: 3");
    let diff = kubectl.run_with(&["diff", "-f", "-"], &three).await;
    assert_eq!(diff.code, 1, "{}", diff.err);
    assert!(
        diff.out.contains("-  replicas: 2\n+  replicas: 3"),
        "{}",
        diff.out
    );
    assert_eq!(kubectl.stored().await.generation(), 1);
    assert_eq!(
        kubectl.apply(&three, &[]).await.ok(),
        "team.chorus.services/payments configured\n"
    );
    assert_eq!(kubectl.stored().await.spec["replicas"], 3);

    kubectl.set_status(ready()).await;
    let table = kubectl.run("get tm").await;
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        ["NAME", "READY", "STATUS", "GENERATION", "SUSPENDED", "AGE"]
    );
    assert_eq!(lines[1][..3], ["payments", "2/2", "Ready"]);
    assert!(kubectl.run("get teams -A -o wide").await.contains("MESSAGE"));
    assert_eq!(
        kubectl.run("get teams -o name").await,
        "team.chorus.services/payments"
    );
    assert_eq!(
        kubectl
            .run("get team payments -o jsonpath={.spec.replicas}")
            .await,
        "3"
    );
    assert_eq!(
        kubectl
            .run("wait team/payments --for=condition=Ready --timeout=10s")
            .await,
        "team.chorus.services/payments condition met"
    );
    let described = kubectl.run("describe team payments").await;
    assert!(
        described.contains("API Version:  chorus.services/v1"),
        "{described}"
    );

    assert_eq!(
        kubectl.run("delete team payments --wait=false").await,
        "team.chorus.services \"payments\" deleted"
    );
    assert!(kubectl.stored().await.is_deleting());
    assert!(
        kubectl
            .refused("get team nobody")
            .await
            .contains("teams.chorus.services \"nobody\" not found")
    );
}

#[tokio::test]
async fn fields_have_owners() {
    let kubectl = Kubectl::as_role("edit").await;
    let applied = "team.chorus.services/payments serverside-applied\n";
    let as_ci = ["--server-side", "--field-manager=ci"];
    assert_eq!(kubectl.apply(TEAM, &as_ci).await.ok(), applied);
    let three = TEAM.replace("replicas: 2", "replicas: 3");
    let refused = kubectl.apply(&three, &["--server-side"]).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .err
            .contains("Apply failed with 1 conflict: conflict with \"ci\": .spec.replicas"),
        "{}",
        refused.err
    );
    assert_eq!(
        kubectl
            .apply(&three, &["--server-side", "--force-conflicts"])
            .await
            .ok(),
        applied
    );
    let minor = kubectl.minor().await;
    let flag = if minor >= 21 { " --show-managed-fields" } else { "" };
    let shown = kubectl.run(&format!("get team payments -o yaml{flag}")).await;
    assert!(
        shown.contains("manager: ci") && shown.contains("manager: kubectl"),
        "{shown}"
    );
    if minor < 26 {
        return;
    }
    // Who applied on the client's side goes over to the server's.
    assert_eq!(
        kubectl.apply(TEMPLATE, &[]).await.ok(),
        "agenttemplate.chorus.services/reviewer created\n"
    );
    let over = kubectl.apply(TEMPLATE, &["--server-side"]).await.ok();
    assert_eq!(
        over,
        "agenttemplate.chorus.services/reviewer serverside-applied\n"
    );
}

#[tokio::test]
async fn objects_are_changed_in_every_way() {
    let kubectl = Kubectl::as_role("edit").await;
    let done = |what: &str| format!("team.chorus.services/payments {what}");
    let created = kubectl
        .run_with(&["create", "-f", "-", "--dry-run=server"], TEAM)
        .await
        .ok();
    assert_eq!(created, format!("{}\n", done("created (server dry run)")));
    kubectl.run_with(&["create", "-f", "-"], TEAM).await.ok();
    let again = kubectl.run_with(&["create", "-f", "-"], TEAM).await;
    assert!(again.err.contains("AlreadyExists"), "{}", again.err);

    assert_eq!(
        kubectl.run("scale team/payments --replicas=4").await,
        done("scaled")
    );
    assert_eq!(kubectl.run("label team payments tier=web").await, done("labeled"));
    assert_eq!(
        kubectl.run("annotate team payments note=x").await,
        done("annotated")
    );
    let merge = r#"{"spec":{"suspend":true}}"#;
    assert_eq!(
        kubectl
            .run(&format!("patch team payments --type=merge -p {merge}"))
            .await,
        done("patched")
    );
    let json = r#"[{"op":"add","path":"/spec/roles/0/replicas","value":5}]"#;
    assert_eq!(
        kubectl
            .run(&format!("patch team payments --type=json -p {json}"))
            .await,
        done("patched")
    );
    let mut edit = kubectl.command(&["edit", "team", "payments"]);
    edit.env("KUBE_EDITOR", "sed -i 's/suspend: true/suspend: false/'");
    assert_eq!(printed(edit.spawn().unwrap()).await.ok().trim(), done("edited"));

    let stored = kubectl.stored().await;
    assert_eq!(
        stored.spec,
        json!({
            "replicas": 4, "suspend": false, "defaults": {"image": "chorus-agent:dev"},
            "roles": [{"name": "coordinator", "replicas": 5}],
        })
    );
    assert_eq!(
        kubectl.run("get teams -l tier=web -o name").await,
        "team.chorus.services/payments"
    );
    assert_eq!(
        kubectl
            .run("get teams --field-selector metadata.name=other -o name")
            .await,
        ""
    );
    let replaced = kubectl.run_with(&["replace", "-f", "-"], TEAM).await.ok();
    assert_eq!(replaced.trim(), done("replaced"));
    assert_eq!(kubectl.stored().await.spec["replicas"], 2);

    let slip = TEAM.replace("  replicas: 2", "  replcas: 2");
    let refused = kubectl.apply(&slip, &[]).await;
    assert!(
        refused.code == 1 && refused.err.contains("replcas"),
        "{}",
        refused.err
    );
    if kubectl.minor().await < 25 {
        return;
    }
    let warned = kubectl.apply(&slip, &["--validate=warn"]).await;
    assert!(
        warned.code == 0 && warned.err.contains("Warning: unknown field \"spec.replcas\""),
        "{}",
        warned.err
    );
}

#[tokio::test]
async fn lists_come_in_chunks_and_changes_as_they_happen() {
    let kubectl = Kubectl::as_role("edit").await;
    for name in ["a", "b", "c"] {
        kubectl.apply(&TEMPLATE.replace("reviewer", name), &[]).await.ok();
    }
    for (what, count) in [
        ("agenttemplates", 3),
        ("customresourcedefinitions", Kind::ALL.len()),
    ] {
        let names = kubectl.run(&format!("get {what} --chunk-size=1 -o name")).await;
        assert_eq!(names.lines().count(), count, "{names}");
    }
    let mut watching = kubectl
        .command(&["get", "at", "-w", "-o", "name"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for name in ["a", "b", "c"] {
        let line = lines.next_line().await.unwrap();
        assert_eq!(line.unwrap(), format!("agenttemplate.chorus.services/{name}"));
    }
    kubectl.run("label at b tier=web").await;
    assert_eq!(
        lines.next_line().await.unwrap().unwrap(),
        "agenttemplate.chorus.services/b"
    );
    watching.kill().await.unwrap();
    let deleted = kubectl.run("delete at --all").await;
    assert_eq!(deleted.lines().count(), 3, "{deleted}");
}

#[tokio::test]
async fn everything_is_explained() {
    let kubectl = Kubectl::as_role("view").await;
    let resources = kubectl.run("api-resources").await;
    for part in [
        "teams ",
        "councils ",
        "agenttemplates ",
        "agents ",
        "namespaces ",
        "customresourcedefinitions ",
    ] {
        assert!(resources.contains(part), "{part}: {resources}");
    }
    assert!(kubectl.run("api-versions").await.contains("chorus.services/v1"));
    assert!(kubectl.run("version").await.contains("Server Version: v"));
    let explained = kubectl.run("explain team.spec.roles").await;
    assert!(explained.contains(": roles <[]Object>"), "{explained}");
    assert!(
        kubectl
            .run("explain team --recursive")
            .await
            .contains("healthCheck")
    );
    assert_eq!(kubectl.run("get ns -o name").await, "namespace/default");
    assert!(
        kubectl
            .run("get crd -o name")
            .await
            .contains("customresourcedefinition.apiextensions.k8s.io/teams.chorus.services")
    );
}

#[tokio::test]
async fn events_are_told_in_both_forms() {
    let kubectl = Kubectl::as_role("edit").await;
    kubectl.apply(TEAM, &[]).await.ok();
    let team = kubectl.stored().await;
    let event = EventRecord {
        regarding: team.key(),
        uid: team.uid().to_owned(),
        type_: EventType::Warning,
        reason: "NodeLost".to_owned(),
        message: "a node is gone".to_owned(),
    };
    kubectl.server.store.record_event(event).await.unwrap();
    let mut commands = vec!["get events", "get events.events.k8s.io", "describe team payments"];
    if kubectl.minor().await >= 26 {
        commands.extend(["events", "events --for team/payments"]);
    }
    for command in commands {
        let told = kubectl.run(command).await;
        assert!(
            told.contains("NodeLost") && told.contains("a node is gone"),
            "{command}: {told}"
        );
    }
}

#[tokio::test]
async fn who_may_do_what_is_told_and_kept() {
    let kubectl = Kubectl::as_role("view").await;
    if kubectl.minor().await >= 28 {
        let whoami = kubectl.run("auth whoami").await;
        assert!(
            whoami.contains("token:ada") && whoami.contains("role:view"),
            "{whoami}"
        );
    }
    assert_eq!(kubectl.run("auth can-i list teams").await, "yes");
    let no = kubectl.run_with(&["auth", "can-i", "create", "teams"], "").await;
    assert_eq!(
        (no.out.lines().next(), no.code),
        (Some("no - the role view does not allow it there"), 1)
    );
    let rules = kubectl.run("auth can-i --list").await;
    assert!(rules.contains("teams.chorus.services"), "{rules}");
    let refused = kubectl.apply(TEAM, &[]).await;
    assert!(
        refused.err.contains("(Forbidden)") && refused.err.contains("cannot create"),
        "{}",
        refused.err
    );
}

#[tokio::test]
async fn who_looks_for_pods_is_told_of_agents() {
    let kubectl = Kubectl::as_role("edit").await;
    kubectl.apply(TEAM, &[]).await.ok();
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: payments}\nspec: {containers: []}\n";
    let applied = kubectl.apply(pod, &[]).await;
    assert_eq!(applied.code, 1);
    let mut told = vec![("apply".to_owned(), applied.err)];
    for command in [
        "get pods",
        "get po -A",
        "get pods --watch",
        "describe pod payments",
        "logs payments",
        "logs -f team.payments.coordinator.1",
        "exec payments -- ls",
        "delete pod payments",
        "run payments --image=agent",
    ] {
        told.push((command.to_owned(), kubectl.refused(command).await));
    }
    for (command, told) in told {
        assert!(
            told.contains("there are no pods here, but agents: `kubectl get agents` lists them"),
            "{command}: {told}"
        );
    }
    // Whoever does not ask for them is not told of them.
    let resources = kubectl.run("api-resources").await;
    assert!(!resources.contains("pods"), "{resources}");
    let all = kubectl.run_with(&["get", "all", "-o", "name"], "").await;
    assert_eq!(all.out, "team.chorus.services/payments\n", "{}", all.err);
    assert!(!all.err.contains("pods"), "{}", all.err);
}

#[tokio::test]
async fn who_asks_where_the_operator_is_is_told() {
    let kubectl = Kubectl::as_role("view").await;
    let told = kubectl.run("cluster-info").await;
    assert!(
        told.contains("is running at") && told.contains("https://localhost:"),
        "{told}"
    );
    let services = kubectl.run_with(&["get", "services"], "").await;
    assert!(services.err.contains("`kubectl get agents`"), "{}", services.err);
}

#[tokio::test]
async fn a_namespace_is_what_is_in_it() {
    let kubectl = Kubectl::as_role("edit").await;
    for command in [
        "create namespace prod",
        "delete namespace default",
        "label namespace default tier=web",
    ] {
        let refused = kubectl.refused(command).await;
        assert!(
            refused.contains("a namespace begins with the first object in it and ends with the last"),
            "{command}: {refused}"
        );
    }
    let missing = kubectl.refused("get namespace prod").await;
    assert!(missing.contains("namespaces \"prod\" not found"), "{missing}");
    kubectl.apply(TEMPLATE, &["--namespace=prod"]).await.ok();
    assert_eq!(kubectl.run("get namespace prod -o name").await, "namespace/prod");
    kubectl.run("delete at reviewer --namespace=prod").await;
    kubectl.refused("get namespace prod").await;
}
