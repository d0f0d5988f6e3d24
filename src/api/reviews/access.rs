//! What somebody may do, by the rule that their requests are judged by.

use axum::http::{Method, Uri};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, NonResourceRule, ResourceAttributes, ResourceRule,
};

use crate::api::discovery::Group;
use crate::api::paths;
use crate::resource::access::{Deed, Grant};

/// What stands for all that there is.
const ALL: &str = "*";
/// What is served beside what discovery tells of, with its verbs; none of it is in a namespace.
const BESIDE: [(&str, &[&str]); 3] = [
    ("tokens", &["create", "delete", "list"]),
    ("wayin", &["list"]),
    ("simulations", &["create"]),
];
/// What tells a client how to speak, and how the operator is.
const OPEN_PATHS: [&str; 10] = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
];
const METRICS: &str = "/metrics";

/// Something that is served.
struct Served {
    group: Group,
    resource: String,
    subresource: String,
    namespaced: bool,
    verbs: Vec<String>,
}

impl Served {
    fn all() -> impl Iterator<Item = Self> {
        let groups = std::iter::once(Group::Core).chain(Group::NAMED);
        let told = groups.flat_map(|group| {
            group.resources().into_iter().map(move |resource| {
                let (plural, subresource) = resource.name.split_once('/').unwrap_or((&resource.name, ""));
                Self {
                    group,
                    resource: plural.to_owned(),
                    subresource: subresource.to_owned(),
                    namespaced: resource.namespaced,
                    verbs: resource.verbs,
                }
            })
        });
        let beside = BESIDE.into_iter().map(|(plural, verbs)| Self {
            group: Group::Chorus,
            resource: plural.to_owned(),
            subresource: String::new(),
            namespaced: false,
            verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
        });
        told.chain(beside)
    }

    /// Whether a question is about it, or about all of which it is one.
    fn is_meant(&self, asked: &Deed) -> bool {
        let is_there = self.namespaced || asked.namespace.is_none();
        if asked.resource == ALL {
            return is_there && matches!(asked.group.as_str(), "" | ALL);
        }
        self.resource == asked.resource
            && [ALL, self.group.name()].contains(&asked.group.as_str())
            && [ALL, &self.subresource].contains(&asked.subresource.as_str())
    }

    /// What is asked with one verb of it.
    fn deed(&self, verb: &str, namespace: Option<&str>, name: &str) -> Deed {
        let is_namespace = self.resource == "namespaces" && !name.is_empty();
        let namespace = if is_namespace { Some(name) } else { namespace };
        Deed {
            verb: verb.to_owned(),
            group: self.group.name().to_owned(),
            resource: self.resource.clone(),
            subresource: self.subresource.clone(),
            namespace: namespace
                .filter(|_| self.namespaced || is_namespace)
                .map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// Everybody may know who they are and what they may do.
    fn is_allowed(&self, grant: &Grant, deed: &Deed) -> bool {
        matches!(self.group, Group::Authentication | Group::Authorization) || grant.allows(deed)
    }
}

/// Whether a grant allows something; if not, why.
///
/// A star stands for all that there are, so that it is allowed only if each is. What cannot be done with anything here
/// is nobody's to do.
pub(super) fn may(grant: &Grant, wanted: &ResourceAttributes) -> Result<(), String> {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let asked = Deed {
        verb: text(&wanted.verb),
        group: text(&wanted.group),
        resource: text(&wanted.resource),
        subresource: text(&wanted.subresource),
        namespace: wanted.namespace.clone().filter(|namespace| !namespace.is_empty()),
        name: text(&wanted.name),
    };
    let mut is_served = false;
    for served in Served::all().filter(|served| served.is_meant(&asked)) {
        for verb in served
            .verbs
            .iter()
            .filter(|verb| [ALL, verb].contains(&asked.verb.as_str()))
        {
            is_served = true;
            let deed = served.deed(verb, asked.namespace.as_deref(), &asked.name);
            if !served.is_allowed(grant, &deed) {
                return Err(format!("the role {} does not allow it there", grant.role));
            }
        }
    }
    match is_served {
        true => Ok(()),
        false => Err("the operator has nothing of which that could be asked".to_owned()),
    }
}

/// Whether a grant allows a request for a path that is no resource's.
pub(super) fn may_ask(grant: &Grant, wanted: &NonResourceAttributes) -> Result<(), String> {
    let path = wanted.path.as_deref().unwrap_or_default();
    let paths = match path.strip_suffix(ALL) {
        // All else below it is open.
        Some(beginning) if METRICS.starts_with(beginning) || beginning.is_empty() => METRICS,
        Some(beginning) => beginning,
        None => path,
    };
    let verb = wanted.verb.as_deref().unwrap_or("get").to_ascii_uppercase();
    let method = Method::from_bytes(verb.as_bytes()).unwrap_or(Method::GET);
    let allowed = paths.parse::<Uri>().is_ok_and(|uri| {
        let deed = paths::deed(&method, &uri);
        deed.is_none_or(|deed| grant.allows(&deed))
    });
    match allowed {
        true => Ok(()),
        false => Err(format!("the role {} does not allow it", grant.role)),
    }
}

/// What a grant allows in a namespace, a rule for each resource.
pub(super) fn rules_in(grant: &Grant, namespace: &str) -> Vec<ResourceRule> {
    let rules = Served::all().filter_map(|served| {
        let allowed = |verb: &String| {
            let deed = served.deed(verb, Some(namespace), "");
            served.is_allowed(grant, &deed)
        };
        let verbs: Vec<String> = served
            .verbs
            .iter()
            .filter(|verb| allowed(verb))
            .cloned()
            .collect();
        let name = match served.subresource.as_str() {
            "" => served.resource.clone(),
            part => format!("{}/{part}", served.resource),
        };
        (!verbs.is_empty()).then(|| ResourceRule {
            api_groups: Some(vec![served.group.name().to_owned()]),
            resource_names: None,
            resources: Some(vec![name]),
            verbs,
        })
    });
    rules.collect()
}

/// The paths that are no resource's and that a grant allows to read.
pub(super) fn paths_of(grant: &Grant) -> NonResourceRule {
    let metrics = NonResourceAttributes {
        path: Some(METRICS.to_owned()),
        verb: Some("get".to_owned()),
    };
    let metrics = may_ask(grant, &metrics).ok().map(|()| METRICS);
    NonResourceRule {
        non_resource_urls: Some(OPEN_PATHS.into_iter().chain(metrics).map(str::to_owned).collect()),
        verbs: vec!["get".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::access::Role;

    fn grant(role: Role, namespaces: Option<&str>) -> Grant {
        Grant {
            role,
            namespaces: namespaces.map(|name| [name.to_owned()].into()),
        }
    }

    #[test]
    fn a_star_stands_for_all_that_there_is_and_nothing_else_is_there() {
        // Which of admin, edit, view, agent may do it in a namespace of theirs; and then everywhere.
        for (verb, resource, in_theirs, everywhere) in [
            ("*", "*", "", "admin"),
            ("list", "*", "admin edit view", "admin"),
            ("create", "*", "", "admin"),
            ("*", "teams", "admin edit", "admin edit"),
            ("get", "teams", "admin edit view agent", "admin edit view agent"),
            ("update", "teams/status", "admin", "admin"),
            ("get", "namespaces", "", "admin edit view"),
            ("create", "tokens", "", "admin"),
            ("create", "policies", "", "admin"),
            ("impersonate", "users", "", ""),
            ("impersonate", "teams", "", ""),
            ("create", "pods", "", ""),
            (
                "create",
                "selfsubjectaccessreviews",
                "admin edit view agent",
                "admin edit view agent",
            ),
        ] {
            let (plural, part) = resource.split_once('/').unwrap_or((resource, ""));
            let asked = |namespace: Option<&str>| ResourceAttributes {
                verb: Some(verb.to_owned()),
                group: Some(match plural {
                    "selfsubjectaccessreviews" => "authorization.k8s.io".to_owned(),
                    "*" | "namespaces" | "pods" | "users" => String::new(),
                    _ => "chorus.services".to_owned(),
                }),
                resource: Some(plural.to_owned()),
                subresource: Some(part.to_owned()),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            };
            let told = |namespace: Option<&str>| {
                let mut allowed = Role::ALL.to_vec();
                allowed.retain(|role| may(&grant(*role, namespace), &asked(namespace)).is_ok());
                let allowed: Vec<&str> = allowed.into_iter().map(Role::word).collect();
                allowed.join(" ")
            };
            assert_eq!(told(Some("prod")), in_theirs, "{verb} {resource} in prod");
            assert_eq!(told(None), everywhere, "{verb} {resource} everywhere");
        }
    }

    #[test]
    fn a_path_is_told_as_it_is_answered() {
        for (path, view, agent) in [
            ("/version", true, true),
            ("/healthz", true, true),
            ("/openapi/*", true, true),
            ("/metrics", true, false),
            ("/*", true, false),
            ("*", true, false),
        ] {
            let asked = NonResourceAttributes {
                path: Some(path.to_owned()),
                verb: Some("get".to_owned()),
            };
            let may = |role| may_ask(&grant(role, None), &asked).is_ok();
            assert_eq!((may(Role::View), may(Role::Agent)), (view, agent), "{path}");
        }
        let told = |role| paths_of(&grant(role, Some("prod"))).non_resource_urls.unwrap();
        assert!(!told(Role::Admin).contains(&METRICS.to_owned()));
        assert!(told(Role::Admin).contains(&"/version".to_owned()));
    }

    #[test]
    fn the_rules_are_those_of_the_role() {
        let told = |role, namespace: &str| {
            let rules = rules_in(&grant(role, Some("prod")), namespace);
            let told: Vec<String> = rules
                .into_iter()
                .map(|rule| {
                    format!(
                        "{}:{}",
                        rule.resources.unwrap_or_default().join(","),
                        rule.verbs.join(",")
                    )
                })
                .collect();
            told.join(" ")
        };
        let reviews =
            "selfsubjectreviews:create selfsubjectaccessreviews:create selfsubjectrulesreviews:create";
        assert_eq!(
            told(Role::Agent, "prod"),
            format!("teams:get,list,watch councils:get,list,watch agents:get,list,watch {reviews}")
        );
        assert_eq!(told(Role::Agent, "test"), reviews);
        assert!(
            told(Role::Edit, "prod")
                .contains("teams:create,delete,deletecollection,get,list,patch,update,watch")
        );
        assert!(told(Role::Edit, "prod").contains("teams/status:get "));
    }
}
