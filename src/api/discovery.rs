//! What this API serves, in the words that Kubernetes clients ask for: `/api`, `/apis` and below.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceSubresources;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    APIGroup, APIGroupList, APIResource, APIResourceList, APIVersions, GroupVersionForDiscovery,
};
use k8s_openapi::apimachinery::pkg::version::Info;
use serde::Serialize;
use tokio::time::timeout;

use super::state::Api;
use crate::resource::Kind;
use crate::resource::object::{API_VERSION, GROUP, VERSION};

/// How long the engine may take to say its version.
const ENGINE_PATIENCE: Duration = Duration::from_secs(2);

const READ: [&str; 3] = ["get", "list", "watch"];
const READ_AND_WRITE: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];

/// `GET /api`
pub(super) async fn core_versions() -> Json<APIVersions> {
    Json(APIVersions {
        server_address_by_client_cidrs: Vec::new(),
        versions: vec!["v1".to_owned()],
    })
}

/// `GET /api/v1`
pub(super) async fn core_resources() -> Json<APIResourceList> {
    let events = APIResource {
        kind: "Event".to_owned(),
        singular_name: "event".to_owned(),
        short_names: Some(vec!["ev".to_owned()]),
        ..resource("events", &["list", "watch"])
    };
    let namespaces = APIResource {
        kind: "Namespace".to_owned(),
        singular_name: "namespace".to_owned(),
        short_names: Some(vec!["ns".to_owned()]),
        namespaced: false,
        ..resource("namespaces", &READ)
    };
    Json(APIResourceList {
        group_version: "v1".to_owned(),
        resources: vec![events, namespaces],
    })
}

/// `GET /apis`
pub(super) async fn groups() -> Json<APIGroupList> {
    Json(APIGroupList {
        groups: vec![the_group()],
    })
}

/// `GET /apis/chorus.services`
pub(super) async fn group() -> Json<APIGroup> {
    Json(the_group())
}

/// `GET /apis/chorus.services/v1`
pub(super) async fn resources() -> Json<APIResourceList> {
    Json(APIResourceList {
        group_version: API_VERSION.to_owned(),
        resources: Kind::ALL.into_iter().flat_map(of_kind).collect(),
    })
}

/// What Kubernetes clients read, and what the Swarm runs on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Versions {
    #[serde(flatten)]
    own: Info,
    /// The Docker Engine's; absent while it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine_version: Option<String>,
}

/// `GET /version`
pub(super) async fn version(State(api): State<Api>) -> Json<Versions> {
    let text = |number: &str| number.to_owned();
    let own = Info {
        major: text(env!("CARGO_PKG_VERSION_MAJOR")),
        minor: text(env!("CARGO_PKG_VERSION_MINOR")),
        git_version: format!("v{}", env!("CARGO_PKG_VERSION")),
        platform: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
        ..Info::default()
    };
    // Nobody waits here for an engine that does not answer.
    let engine = match api.cache.health() {
        Ok(()) => timeout(ENGINE_PATIENCE, api.cache.swarm().version()).await.ok(),
        Err(_) => None,
    };
    let engine_version = engine.and_then(Result::ok).map(|version| version.engine);
    Json(Versions { own, engine_version })
}

/// Whether a kind has the subresource `status`.
pub(super) fn has_status(kind: Kind) -> bool {
    subresources(kind).is_some_and(|all| all.status.is_some()) && kind.is_stored()
}

/// Whether a kind has the subresource `scale`.
pub(super) fn has_scale(kind: Kind) -> bool {
    subresources(kind).is_some_and(|all| all.scale.is_some())
}

fn subresources(kind: Kind) -> Option<&'static CustomResourceSubresources> {
    kind.definition().spec.versions.first()?.subresources.as_ref()
}

fn the_group() -> APIGroup {
    let version = GroupVersionForDiscovery {
        group_version: API_VERSION.to_owned(),
        version: VERSION.to_owned(),
    };
    APIGroup {
        name: GROUP.to_owned(),
        preferred_version: Some(version.clone()),
        server_address_by_client_cidrs: None,
        versions: vec![version],
    }
}

/// A kind and its subresources.
fn of_kind(kind: Kind) -> Vec<APIResource> {
    let plural = kind.plural();
    let verbs: &[&str] = if kind.is_stored() { &READ_AND_WRITE } else { &READ };
    let words = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    let mut all = vec![APIResource {
        kind: kind.name().to_owned(),
        singular_name: kind.singular().to_owned(),
        short_names: words(kind.short_names()),
        categories: words(kind.categories()),
        ..resource(plural, verbs)
    }];
    let mut add = |name: &str, kind: &str, verbs: &[&str]| {
        all.push(APIResource {
            kind: kind.to_owned(),
            ..resource(&format!("{plural}/{name}"), verbs)
        });
    };
    if has_status(kind) {
        add("status", kind.name(), &["get", "patch", "update"]);
    }
    if kind.is_stored() {
        add("plan", "Plan", &["create", "get"]);
        add("history", "History", &["get"]);
    } else {
        add("log", kind.name(), &["get"]);
    }
    if has_scale(kind) {
        all.push(APIResource {
            kind: "Scale".to_owned(),
            group: Some("autoscaling".to_owned()),
            version: Some("v1".to_owned()),
            ..resource(&format!("{plural}/scale"), &["get", "patch", "update"])
        });
    }
    all
}

fn resource(name: &str, verbs: &[&str]) -> APIResource {
    APIResource {
        name: name.to_owned(),
        namespaced: true,
        verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
        ..APIResource::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_discovered_with_its_subresources() {
        let names: Vec<String> = Kind::ALL
            .into_iter()
            .flat_map(of_kind)
            .map(|resource| resource.name)
            .collect();
        assert_eq!(
            names,
            [
                "teams",
                "teams/status",
                "teams/plan",
                "teams/history",
                "teams/scale",
                "councils",
                "councils/status",
                "councils/plan",
                "councils/history",
                "agenttemplates",
                "agenttemplates/plan",
                "agenttemplates/history",
                "agents",
                "agents/log",
            ]
        );
    }
}
