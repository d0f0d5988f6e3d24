//! What somebody is told of themselves: who they are, and what they may do.

mod access;
mod protobuf;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, SelfSubjectReviewStatus, UserInfo};
use k8s_openapi::api::authorization::v1::{
    SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReviewStatus, SubjectRulesReviewStatus,
};
use serde::de::DeserializeOwned;

use super::answer::Answer;
use super::caller::Caller;
use super::payload::Sent;
use super::status::ApiError;

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
) -> Result<Answer<SelfSubjectAccessReview>, ApiError> {
    let (grant, spec) = (&caller.grant, &asked.spec);
    let judged = match (&spec.resource_attributes, &spec.non_resource_attributes) {
        (Some(wanted), _) => access::may(grant, wanted),
        (None, Some(wanted)) => access::may_ask(grant, wanted),
        (None, None) => {
            return Err(ApiError::BadRequest(
                "spec must have resourceAttributes or nonResourceAttributes".to_owned(),
            ));
        }
    };
    Ok(created(SelfSubjectAccessReview {
        status: Some(SubjectAccessReviewStatus {
            allowed: judged.is_ok(),
            reason: judged.err(),
            ..SubjectAccessReviewStatus::default()
        }),
        ..asked
    }))
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
            non_resource_rules: vec![access::paths_of(&caller.grant)],
            resource_rules: access::rules_in(&caller.grant, namespace),
        }),
        ..asked
    })
}

fn created<T>(body: T) -> Answer<T> {
    Answer {
        code: StatusCode::CREATED,
        body,
        warnings: Vec::new(),
    }
}
