//! The groups of APIs that are served, and what is in each.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceSubresources;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    APIGroup, APIResource, APIResourceList, GroupVersionForDiscovery,
};

use crate::resource::Kind;
use crate::resource::object::{GROUP, VERSION};

const READ: [&str; 3] = ["get", "list", "watch"];
/// What can be done with an object that is declared.
const READ_AND_WRITE: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// A group of APIs. Each has one version, `v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Group {
    /// Events and namespaces, and the names of pods and services: the group without a name.
    Core,
    /// Our own kinds.
    Chorus,
    /// Events, in their newer form.
    Events,
    /// Who somebody is.
    Authentication,
    /// What somebody may do.
    Authorization,
    /// The definitions of our kinds.
    ApiExtensions,
}

impl Group {
    /// All but the one without a name.
    pub(in crate::api) const NAMED: [Self; 5] = [
        Self::Chorus,
        Self::Events,
        Self::Authentication,
        Self::Authorization,
        Self::ApiExtensions,
    ];

    /// The one of a name that a path holds.
    pub(in crate::api) fn named(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|group| group.name() == name)
    }

    /// Its name; empty for the core group.
    pub(in crate::api) fn name(self) -> &'static str {
        match self {
            Self::Core => "",
            Self::Chorus => GROUP,
            Self::Events => "events.k8s.io",
            Self::Authentication => "authentication.k8s.io",
            Self::Authorization => "authorization.k8s.io",
            Self::ApiExtensions => "apiextensions.k8s.io",
        }
    }

    /// As `apiVersion` carries it.
    pub(in crate::api) fn version(self) -> String {
        match self {
            Self::Core => VERSION.to_owned(),
            named => format!("{}/{VERSION}", named.name()),
        }
    }

    /// Where its resources are, without a slash at the beginning.
    pub(in crate::api) fn path(self) -> String {
        match self {
            Self::Core => format!("api/{VERSION}"),
            named => format!("apis/{}", named.version()),
        }
    }

    pub(super) fn describe(self) -> APIGroup {
        let version = GroupVersionForDiscovery {
            group_version: self.version(),
            version: VERSION.to_owned(),
        };
        APIGroup {
            name: self.name().to_owned(),
            preferred_version: Some(version.clone()),
            server_address_by_client_cidrs: None,
            versions: vec![version],
        }
    }

    pub(super) fn list(self) -> APIResourceList {
        APIResourceList {
            group_version: self.version(),
            resources: self.resources(),
        }
    }

    /// What it holds: resources, each followed by its subresources.
    pub(in crate::api) fn resources(self) -> Vec<APIResource> {
        let review = |name: &str, kind: &str| APIResource {
            kind: kind.to_owned(),
            singular_name: kind.to_ascii_lowercase(),
            namespaced: false,
            ..resource(name, &["create"])
        };
        let events = APIResource {
            kind: "Event".to_owned(),
            singular_name: "event".to_owned(),
            short_names: Some(vec!["ev".to_owned()]),
            ..resource("events", &READ)
        };
        match self {
            Self::Events => vec![events],
            Self::Core => vec![
                events,
                APIResource {
                    kind: "Namespace".to_owned(),
                    singular_name: "namespace".to_owned(),
                    short_names: Some(vec!["ns".to_owned()]),
                    namespaced: false,
                    ..resource("namespaces", &READ)
                },
                // Clients look for these names when they want logs or a shell, or where the control plane is. Nothing can be
                // done with them, and asking says why.
                APIResource {
                    kind: "Pod".to_owned(),
                    singular_name: "pod".to_owned(),
                    short_names: Some(vec!["po".to_owned()]),
                    ..resource("pods", &[])
                },
                APIResource {
                    kind: "Service".to_owned(),
                    singular_name: "service".to_owned(),
                    short_names: Some(vec!["svc".to_owned()]),
                    ..resource("services", &[])
                },
            ],
            Self::Chorus => Kind::ALL.into_iter().flat_map(of_kind).collect(),
            Self::Authentication => vec![review("selfsubjectreviews", "SelfSubjectReview")],
            Self::Authorization => vec![
                review("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
                review("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
            ],
            Self::ApiExtensions => vec![APIResource {
                kind: "CustomResourceDefinition".to_owned(),
                singular_name: "customresourcedefinition".to_owned(),
                short_names: Some(vec!["crd".to_owned(), "crds".to_owned()]),
                namespaced: false,
                ..resource("customresourcedefinitions", &READ)
            }],
        }
    }
}

/// Whether a kind has the subresource `status`.
pub(in crate::api) fn has_status(kind: Kind) -> bool {
    subresources(kind).is_some_and(|all| all.status.is_some()) && kind.is_stored()
}

/// Whether a kind has the subresource `scale`.
pub(in crate::api) fn has_scale(kind: Kind) -> bool {
    subresources(kind).is_some_and(|all| all.scale.is_some())
}

fn subresources(kind: Kind) -> Option<&'static CustomResourceSubresources> {
    kind.definition().spec.versions.first()?.subresources.as_ref()
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
                "policies",
                "policies/plan",
                "policies/history",
                "gitsources",
                "gitsources/status",
                "gitsources/plan",
                "gitsources/history",
                "agents",
                "agents/log",
            ]
        );
    }
}
