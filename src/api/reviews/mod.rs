//! What somebody is told of themselves: who they are, and what they may do.

mod protobuf;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, SelfSubjectReviewStatus, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceRule, ResourceRule, SelfSubjectAccessReview, SelfSubjectRulesReview,
    SubjectAccessReviewStatus, SubjectRulesReviewStatus,
};
use serde::de::DeserializeOwned;

use super::answer::Answer;
use super::caller::Caller;
use super::discovery::{Group, READ_AND_WRITE};
use super::payload::Sent;
use super::status::ApiError;
use crate::resource::access::{Deed, Grant};

/// What a client sends, in JSON, YAML or protobuf.
pub(super) struct Asked<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let mut sent = Sent::of(request).await?;
        let review = match sent.media.as_str() {
            "application/vnd.kubernetes.protobuf" => {
                protobuf::review(&sent.bytes).map_err(ApiError::BadRequest)?
            }
            _ => sent.document()?,
        };
        let unknown = |error| ApiError::BadRequest(format!("this is no such review: {error}"));
        serde_json::from_value(review).map(Self).map_err(unknown)
    }
}

/// `POST …/selfsubjectreviews`: who somebody is.
pub(super) async fn who(caller: Caller, Asked(asked): Asked<SelfSubjectReview>) -> Answer<SelfSubjectReview> {
    created(SelfSubjectReview {
        status: Some(SelfSubjectReviewStatus {
            user_info: Some(UserInfo {
                username: Some(caller.user_name()),
                groups: Some(vec![format!("role:{}", caller.grant.role)]),
                ..UserInfo::default()
            }),
        }),
        ..asked
    })
}

/// `POST …/selfsubjectaccessreviews`: whether they may do one thing.
pub(super) async fn may(
    caller: Caller,
    Asked(asked): Asked<SelfSubjectAccessReview>,
) -> Answer<SelfSubjectAccessReview> {
    let allowed = match &asked.spec.resource_attributes {
        Some(wanted) => {
            let text = |field: &Option<String>| field.clone().unwrap_or_default();
            let deed = Deed {
                verb: text(&wanted.verb),
                group: text(&wanted.group),
                resource: text(&wanted.resource),
                subresource: text(&wanted.subresource),
                namespace: wanted.namespace.clone().filter(|namespace| !namespace.is_empty()),
                name: text(&wanted.name),
            };
            // A star stands for all of them, so that it is allowed only if each is.
            let verbs: &[&str] = match deed.verb.as_str() {
                "*" => &READ_AND_WRITE,
                verb => &[verb],
            };
            verbs.iter().all(|verb| {
                let verb = (*verb).to_owned();
                caller.grant.allows(&Deed { verb, ..deed.clone() })
            })
        }
        // What is no resource tells a client how to speak.
        None => true,
    };
    let reason = (!allowed).then(|| format!("the role {} does not allow it there", caller.grant.role));
    created(SelfSubjectAccessReview {
        status: Some(SubjectAccessReviewStatus {
            allowed,
            reason,
            ..SubjectAccessReviewStatus::default()
        }),
        ..asked
    })
}

/// `POST …/selfsubjectrulesreviews`: all that they may do in a namespace.
pub(super) async fn rules(
    caller: Caller,
    Asked(asked): Asked<SelfSubjectRulesReview>,
) -> Answer<SelfSubjectRulesReview> {
    let namespace = asked.spec.namespace.as_deref().unwrap_or_default();
    created(SelfSubjectRulesReview {
        status: Some(SubjectRulesReviewStatus {
            evaluation_error: None,
            incomplete: false,
            non_resource_rules: vec![NonResourceRule {
                non_resource_urls: Some(vec!["*".to_owned()]),
                verbs: vec!["get".to_owned()],
            }],
            resource_rules: rules_in(&caller.grant, namespace),
        }),
        ..asked
    })
}

/// What a grant allows in a namespace, a rule for each resource.
fn rules_in(grant: &Grant, namespace: &str) -> Vec<ResourceRule> {
    let groups = std::iter::once(Group::Core).chain(Group::NAMED);
    let rules = groups.flat_map(|group| {
        group.resources().into_iter().filter_map(move |resource| {
            let (plural, subresource) = resource.name.split_once('/').unwrap_or((&resource.name, ""));
            let allowed = |verb: &String| {
                grant.allows(&Deed {
                    verb: verb.clone(),
                    group: group.name().to_owned(),
                    resource: plural.to_owned(),
                    subresource: subresource.to_owned(),
                    namespace: resource.namespaced.then(|| namespace.to_owned()),
                    name: String::new(),
                })
            };
            let verbs: Vec<String> = resource
                .verbs
                .iter()
                .filter(|verb| allowed(verb))
                .cloned()
                .collect();
            (!verbs.is_empty()).then(|| ResourceRule {
                api_groups: Some(vec![group.name().to_owned()]),
                resource_names: None,
                resources: Some(vec![resource.name.clone()]),
                verbs,
            })
        })
    });
    rules.collect()
}

fn created<T>(body: T) -> Answer<T> {
    Answer {
        code: StatusCode::CREATED,
        body,
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::access::Role;

    #[test]
    fn the_rules_are_those_of_the_role() {
        let grant = |role| Grant {
            role,
            namespaces: Some(["prod".to_owned()].into()),
        };
        let told = |role, namespace: &str| {
            let rules = rules_in(&grant(role), namespace);
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
        assert_eq!(
            told(Role::Agent, "prod"),
            "teams:get,list,watch councils:get,list,watch agents:get,list,watch"
        );
        assert_eq!(told(Role::Agent, "test"), "");
        assert!(
            told(Role::Edit, "prod")
                .contains("teams:create,delete,deletecollection,get,list,patch,update,watch")
        );
        assert!(told(Role::Edit, "prod").contains("teams/status:get "));
    }
}
