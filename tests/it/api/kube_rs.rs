//! kube-rs, the Rust client of Kubernetes, in front of the API over TLS: with the types that our definitions are made
//! of, and with those that it finds out about by itself.

use std::fmt::Debug;

use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{
    DeleteParams, DynamicObject, GroupVersionKind, ListParams, ObjectMeta, Patch, PatchParams, PostParams,
    Preconditions, VersionMatch,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Status;
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::{Value, json};
use whoosh::resource::agent_spec::AgentSpec;
use whoosh::resource::kinds::{AgentTemplate, AgentTemplateSpec, Role, Team, TeamSpec};

use super::kubectl::Kubectl;

/// What the configuration that kubectl uses comes to.
pub(super) async fn config(somebody: &Kubectl) -> Config {
    let file = Kubeconfig::read_from(somebody.home.path().join("config")).unwrap();
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(file, &options).await.unwrap()
}

pub(super) async fn client(somebody: &Kubectl) -> Client {
    Client::try_from(config(somebody).await).unwrap()
}

/// A team of one agent.
pub(super) fn team(name: &str) -> Team {
    let spec = TeamSpec {
        defaults: Some(agent()),
        roles: vec![Role {
            name: "coordinator".to_owned(),
            ..Role::default()
        }],
        ..TeamSpec::default()
    };
    Team::new(name, spec)
}

pub(super) fn template(name: &str) -> AgentTemplate {
    AgentTemplate::new(name, AgentTemplateSpec { agent: agent() })
}

fn agent() -> AgentSpec {
    AgentSpec {
        image: Some("chorus-agent:dev".to_owned()),
        ..AgentSpec::default()
    }
}

/// What the server had to say.
#[track_caller]
fn refused<T: Debug>(answer: kube::Result<T>) -> Status {
    match answer.unwrap_err() {
        kube::Error::Api(status) => *status,
        other => panic!("{other:?}"),
    }
}

fn merge(patch: Value) -> Patch<Value> {
    Patch::Merge(patch)
}

#[tokio::test]
async fn objects_are_created_read_and_changed() {
    let ada = Kubectl::as_role("admin").await;
    let teams: Api<Team> = Api::default_namespaced(client(&ada).await);
    let (post, patch) = (PostParams::default(), PatchParams::default());
    assert!(teams.get_opt("payments").await.unwrap().is_none());
    assert!(refused(teams.get("payments").await).is_not_found());
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    teams.create(&dry, &team("payments")).await.unwrap();
    let created = teams.create(&post, &team("payments")).await.unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    let read = teams.get("payments").await.unwrap();
    assert_eq!((&read.metadata, &read.spec), (&created.metadata, &created.spec));
    assert!(refused(teams.create(&post, &team("payments")).await).is_already_exists());
    let nameless = Team {
        metadata: ObjectMeta {
            generate_name: Some("payments-".to_owned()),
            ..ObjectMeta::default()
        },
        ..team("")
    };
    let named = teams.create(&post, &nameless).await.unwrap();
    assert!(named.name_any().starts_with("payments-"), "{named:?}");
    let invalid = refused(teams.create(&post, &team("Payments")).await);
    assert!(invalid.is_invalid() && invalid.code == 422, "{invalid:?}");
    assert_eq!(invalid.details.unwrap().causes[0].field, "metadata.name");

    let mut wanted = created.clone();
    wanted.spec.replicas = Some(3);
    let replaced = teams.replace("payments", &post, &wanted).await.unwrap();
    assert_eq!(
        (replaced.spec.replicas, replaced.metadata.generation),
        (Some(3), Some(2))
    );
    assert!(refused(teams.replace("payments", &post, &wanted).await).is_conflict());

    let tier = merge(json!({"metadata": {"labels": {"tier": "web"}}}));
    let labelled = teams.patch("payments", &patch, &tier).await.unwrap();
    assert_eq!(labelled.labels()["tier"], "web");
    let operations = json!([
        {"op": "test", "path": "/spec/replicas", "value": 3},
        {"op": "add", "path": "/spec/project", "value": "acme/payments"},
    ]);
    let operations = Patch::Json::<()>(serde_json::from_value(operations).unwrap());
    let patched = teams.patch("payments", &patch, &operations).await.unwrap();
    assert_eq!(patched.spec.project.as_deref(), Some("acme/payments"));
    let strategic = Patch::Strategic(json!({"spec": {"replicas": 9}}));
    let unknown = refused(teams.patch("payments", &patch, &strategic).await);
    assert!(
        unknown.code == 415 && unknown.message.contains("application/merge-patch+json"),
        "{unknown:?}"
    );

    let metadata = teams.get_metadata("payments").await.unwrap().metadata;
    assert_eq!(metadata, patched.metadata);
    let narrow = teams
        .list_metadata(&ListParams::default().labels("tier=web"))
        .await;
    assert_eq!(narrow.unwrap().items[0].metadata, patched.metadata);
}

#[tokio::test]
async fn an_entry_is_there_afterwards_whether_it_was_or_not() {
    let ada = Kubectl::as_role("edit").await;
    let teams: Api<Team> = Api::default_namespaced(client(&ada).await);
    let post = PostParams::default();
    for (replicas, generation) in [(2, 1), (3, 2), (3, 2)] {
        let entry = teams.entry("payments").await.unwrap();
        let mut entry = entry.or_insert(|| team("payments"));
        entry.get_mut().spec.replicas = Some(replicas);
        entry.commit(&post).await.unwrap();
        assert_eq!(entry.get().metadata.generation, Some(generation));
    }
}

#[tokio::test]
async fn fields_that_are_applied_have_owners() {
    let ada = Kubectl::as_role("edit").await;
    let teams: Api<Team> = Api::default_namespaced(client(&ada).await);
    let (ci, ops) = (PatchParams::apply("ci"), PatchParams::apply("ops"));
    let mut wanted = team("payments");
    wanted.spec.replicas = Some(2);
    let apply = |team: &Team| Patch::Apply(team.clone());
    let applied = teams.patch("payments", &ci, &apply(&wanted)).await.unwrap();
    assert_eq!(applied.managed_fields()[0].manager.as_deref(), Some("ci"));
    let again = teams.patch("payments", &ci, &apply(&wanted)).await.unwrap();
    assert_eq!(again.resource_version(), applied.resource_version());

    wanted.spec.replicas = Some(5);
    let conflict = refused(teams.patch("payments", &ops, &apply(&wanted)).await);
    assert!(conflict.is_conflict(), "{conflict:?}");
    let causes = conflict.details.unwrap().causes;
    assert_eq!(
        (causes[0].reason.as_str(), causes[0].field.as_str()),
        ("FieldManagerConflict", ".spec.replicas")
    );
    let forced = teams.patch("payments", &ops.force(), &apply(&wanted)).await;
    assert_eq!(forced.unwrap().spec.replicas, Some(5));
    wanted.spec.replicas = None;
    teams.patch("payments", &ci, &apply(&wanted)).await.unwrap();
    assert_eq!(teams.get("payments").await.unwrap().spec.replicas, Some(5));
}

#[tokio::test]
async fn status_and_scale_are_changed_apart_from_the_spec() {
    let ada = Kubectl::as_role("admin").await;
    let teams: Api<Team> = Api::default_namespaced(client(&ada).await);
    let (post, patch) = (PostParams::default(), PatchParams::default());
    teams.create(&post, &team("payments")).await.unwrap();
    let roles = json!([{"name": "coordinator", "desired": 1, "required": true, "ready": 1}]);
    let seen =
        merge(json!({"status": {"state": "Ready", "replicas": 1, "roles": roles}, "spec": {"replicas": 9}}));
    let told = teams.patch_status("payments", &patch, &seen).await.unwrap();
    assert_eq!((told.spec.replicas, told.metadata.generation), (None, Some(1)));
    let mut told = teams.get_status("payments").await.unwrap();
    let status = told.status.as_mut().unwrap();
    assert_eq!(status.state, "Ready");
    status.ready_replicas = 1;
    let told = teams.replace_status("payments", &post, &told).await.unwrap();
    assert_eq!(told.status.as_ref().unwrap().ready_replicas, 1);
    let applied = json!({
        "apiVersion": "chorus.services/v1", "kind": "Team", "status": {"message": "all is well"},
    });
    let watchdog = PatchParams::apply("watchdog");
    let contested = teams
        .patch_status("payments", &watchdog, &Patch::Apply(applied.clone()))
        .await;
    assert!(refused(contested).is_conflict());
    let watchdog = watchdog.force();
    let told = teams
        .patch_status("payments", &watchdog, &Patch::Apply(applied))
        .await
        .unwrap();
    let status = told.status.unwrap();
    assert_eq!(
        (status.message.as_str(), status.ready_replicas),
        ("all is well", 1)
    );

    let scale = teams.get_scale("payments").await.unwrap();
    let (declared, counted) = (scale.spec.unwrap().replicas, scale.status.unwrap().replicas);
    assert_eq!((declared, counted), (Some(1), 1));
    let four = merge(json!({"spec": {"replicas": 4}}));
    let mut scale: Scale = teams.patch_scale("payments", &patch, &four).await.unwrap();
    assert_eq!(teams.get("payments").await.unwrap().spec.replicas, Some(4));
    scale.spec.as_mut().unwrap().replicas = Some(2);
    teams.replace_scale("payments", &post, &scale).await.unwrap();
    assert_eq!(teams.get("payments").await.unwrap().spec.replicas, Some(2));
    let stale = teams.replace_scale("payments", &post, &scale).await;
    assert!(refused(stale).is_conflict());
}

#[tokio::test]
async fn lists_come_in_parts_and_of_moments() {
    let ada = Kubectl::as_role("edit").await;
    let client = client(&ada).await;
    let templates: Api<AgentTemplate> = Api::default_namespaced(client.clone());
    let post = PostParams::default();
    for name in ["a", "b", "c", "d", "e"] {
        templates.create(&post, &template(name)).await.unwrap();
    }
    let whole = templates.list(&ListParams::default()).await.unwrap();
    let then = whole.metadata.resource_version.unwrap();
    templates.create(&post, &template("f")).await.unwrap();
    let two = ListParams::default().limit(2);
    let exact = two.clone().at(&then).matching(VersionMatch::Exact);
    for (first, expected) in [(two.clone(), "a b c d e f"), (exact, "a b c d e")] {
        let mut params = first;
        let mut names = Vec::new();
        loop {
            let part = templates.list(&params).await.unwrap();
            assert!(part.items.len() <= 2);
            names.extend(part.items.iter().map(ResourceExt::name_any));
            match part.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = two.clone().continue_token(&token),
                None => break,
            }
        }
        assert_eq!(names.join(" "), expected);
    }
    let one = ListParams::default().fields("metadata.name=c");
    assert_eq!(templates.list(&one).await.unwrap().items.len(), 1);
    let everywhere: Api<AgentTemplate> = Api::all(client.clone());
    let any = ListParams::default().match_any();
    assert_eq!(everywhere.list(&any).await.unwrap().items.len(), 6);
    let namespaces: Api<Namespace> = Api::all(client);
    assert_eq!(namespaces.get("default").await.unwrap().name_any(), "default");
}

#[tokio::test]
async fn objects_are_deleted_if_they_are_those_that_were_seen() {
    let ada = Kubectl::as_role("edit").await;
    let client = client(&ada).await;
    let teams: Api<Team> = Api::default_namespaced(client.clone());
    let (post, patch) = (PostParams::default(), PatchParams::default());
    let created = teams.create(&post, &team("payments")).await.unwrap();
    let seen = |uid: Option<String>, resource_version: Option<String>| {
        DeleteParams::background().preconditions(Preconditions {
            uid,
            resource_version,
        })
    };
    for other in [
        seen(Some("another".to_owned()), None),
        seen(None, Some("999".to_owned())),
    ] {
        assert!(refused(teams.delete("payments", &other).await).is_conflict());
    }
    let this = seen(created.uid(), created.resource_version());
    let dry = this.clone().dry_run();
    assert!(teams.delete("payments", &dry).await.unwrap().is_left());
    assert!(
        teams
            .get("payments")
            .await
            .unwrap()
            .metadata
            .deletion_timestamp
            .is_none()
    );
    let held = teams.delete("payments", &this).await.unwrap().left().unwrap();
    assert!(held.metadata.deletion_timestamp.is_some() && !held.finalizers().is_empty());
    let released = merge(json!({"metadata": {"finalizers": null}}));
    teams.patch("payments", &patch, &released).await.unwrap();
    assert!(teams.get_opt("payments").await.unwrap().is_none());

    let templates: Api<AgentTemplate> = Api::default_namespaced(client);
    for (name, tier) in [("a", "web"), ("b", "web"), ("c", "db")] {
        let mut one = template(name);
        one.labels_mut().insert("tier".to_owned(), tier.to_owned());
        templates.create(&post, &one).await.unwrap();
    }
    let gone = templates.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(gone.right().unwrap().is_success());
    let web = ListParams::default().labels("tier=web");
    let gone = templates
        .delete_collection(&DeleteParams::default(), &web)
        .await
        .unwrap();
    assert_eq!(gone.left().unwrap().items[0].name_any(), "b");
    let left = templates.list(&ListParams::default()).await.unwrap();
    assert_eq!(left.items[0].name_any(), "c");
}

#[tokio::test]
async fn what_there_is_is_discovered_and_used_without_knowing_it() {
    let ada = Kubectl::as_role("edit").await;
    ada.server.create("payments").await;
    let client = client(&ada).await;
    let apart = Discovery::new(client.clone()).run().await.unwrap();
    let at_once = Discovery::new(client.clone()).run_aggregated().await.unwrap();
    for discovery in [apart, at_once] {
        let mut listed = Vec::new();
        for (resource, able) in discovery
            .groups_alphabetical()
            .into_iter()
            .flat_map(|group| group.recommended_resources())
        {
            // What runs is not told while the Docker Engine is away.
            if !able.supports_operation(verbs::LIST) || resource.kind == "Agent" {
                continue;
            }
            let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            let list = all.list(&ListParams::default()).await.unwrap();
            listed.push(format!("{} {}", resource.kind, list.items.len()));
        }
        listed.sort();
        assert_eq!(
            listed.join(", "),
            "AgentTemplate 0, Council 0, CustomResourceDefinition 6, Event 0, Event 0, GitSource 0, Namespace 1, Policy 0, \
             Team 1"
        );

        let kind = GroupVersionKind::gvk("chorus.services", "v1", "Team");
        let (resource, able) = discovery.resolve_gvk(&kind).unwrap();
        assert_eq!(
            (resource.plural.as_str(), &able.scope),
            ("teams", &Scope::Namespaced)
        );
        let parts: Vec<&str> = able
            .subresources
            .iter()
            .map(|(part, _)| part.plural.as_str())
            .collect();
        assert_eq!(parts, ["status", "plan", "history", "scale"]);
        let teams: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
        let mut team = teams.get("payments").await.unwrap();
        team.data["spec"]["project"] = json!("acme/payments");
        let replaced = teams.replace("payments", &PostParams::default(), &team).await;
        assert_eq!(replaced.unwrap().data["spec"]["project"], "acme/payments");
    }
    let version = client.apiserver_version().await.unwrap();
    assert_eq!(version.git_version, format!("v{}", env!("CARGO_PKG_VERSION")));
}
