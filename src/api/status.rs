//! Every failure of the API, and the Kubernetes `Status` that it is answered with.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusCause, StatusDetails};

use crate::resource;
use crate::resource::access::Deed;
use crate::resource::managed::Contested;
use crate::resource::nearest::did_you_mean;
use crate::resource::object::GROUP;
use crate::resource::validate::{Cause, CauseReason};
use crate::resource::{Key, Kind, Object, Revision};

/// When a client may ask again after a failure that passes.
const RETRY_AFTER_SECONDS: i32 = 1;

/// Why a request is not answered with what it asked for. Displays as the Status' message.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// 400: the request itself makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// 401: nobody knows who asks.
    #[error("Unauthorized")]
    Unauthorized,
    /// 403: whoever asks may not do this.
    #[error("{} is forbidden: {}", .deed, forbidden(.user, .deed))]
    Forbidden {
        /// Who asks.
        user: String,
        /// For what.
        deed: Box<Deed>,
    },
    /// 404: no such object.
    #[error("{} \"{name}\" not found", resource(*.kind))]
    NotFound {
        /// The kind that was asked for.
        kind: Kind,
        /// The name that was asked for.
        name: String,
    },
    /// 404: no such object of an API that is not our own.
    #[error("{resource} \"{name}\" not found")]
    NoSuch {
        /// The resource, as paths name it.
        resource: &'static str,
        /// The name that was asked for.
        name: String,
    },
    /// 404: no such path, resource or subresource.
    #[error("the server could not find the requested resource{}", did_you_mean(.nearest.as_deref()))]
    NoSuchPath {
        /// The path that was perhaps meant.
        nearest: Option<String>,
    },
    /// 404: Kubernetes has pods where a Swarm has agents.
    #[error(
        "there are no pods here, but agents: `kubectl get agents` lists them, `whoosh logs agent/NAME` reads what one \
         wrote, and what is declared is changed in its team or council"
    )]
    NoPods,
    /// 405: the path exists, the method does not apply to it.
    #[error("the server does not allow this method on the requested resource: {0}")]
    MethodNotAllowed(String),
    /// 406: nothing that the client accepts is offered.
    #[error("only the following media types are accepted: application/json")]
    NotAcceptable,
    /// 415: the body is in a format that is not offered.
    #[error(
        "the body of the request was in an unknown format ({got}) - accepted media types include: {supported}"
    )]
    UnsupportedMediaType {
        /// What the request said.
        got: String,
        /// What would do.
        supported: &'static str,
    },
    /// 409: the name is taken.
    #[error("{} \"{}\" already exists", resource(.0.kind), .0.name)]
    AlreadyExists(Key),
    /// 409: the name is taken, of something that is none of our kinds.
    #[error("{resource} \"{name}\" already exists")]
    NameTaken {
        /// The resource, as paths name it.
        resource: &'static str,
        /// The name.
        name: String,
    },
    /// 409: the object is not in the state that the client acted on.
    #[error("Operation cannot be fulfilled on {} \"{}\": {why}", resource(.key.kind), .key.name)]
    Conflict {
        /// The object.
        key: Key,
        /// What does not fit.
        why: String,
    },
    /// 409: an apply would change what others own.
    #[error("{}", contested(.by))]
    Contested {
        /// The object.
        key: Key,
        /// By whom, and what.
        by: Vec<Contested>,
    },
    /// 410: the revision is not kept any more; list again.
    #[error("{0}")]
    Expired(String),
    /// 413: the body is over the limit, in bytes.
    #[error("Request entity too large: limit is {0} bytes")]
    TooLarge(usize),
    /// 422: the object breaks rules; every one of them. 400 when some of its fields do not exist, and are not to be left out.
    #[error("{kind}.{GROUP} \"{name}\" is invalid: {}", join(.causes))]
    Invalid {
        /// Its kind.
        kind: Kind,
        /// Its name, as far as it has one.
        name: String,
        /// Every problem.
        causes: Vec<Cause>,
    },
    /// 422: a patch does not fit what it is for.
    #[error("the server rejected our request due to an error in our request: {0}")]
    Unprocessable(String),
    /// 429: this many requests are being answered.
    #[error(
        "the operator answers {0} requests and watches already, as many as it will; end some of the watches, or \
         try again later"
    )]
    TooManyRequests(usize),
    /// 429: somebody has as many requests under way as one may.
    #[error(
        "{user} has {limit} requests and watches under way, as many as one caller may; end some of the watches, or try \
         again later"
    )]
    TooManyOfOne {
        /// Who asks.
        user: String,
        /// How many one may have.
        limit: usize,
    },
    /// 429: somebody asks too often.
    #[error("too many requests from {0}; try again in a second")]
    TooFast(String),
    /// 503: something that the answer needs is away.
    #[error("{what}; {advice}")]
    Unavailable {
        /// What is away, and how that showed.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// 504: the request took too long. It may have been carried out.
    #[error("the request took longer than {}; it may still be carried out", resource::duration::Duration(*.0))]
    Timeout(std::time::Duration),
    /// 504: the client has seen a revision that there is not, or not yet: the store was restored from a backup.
    #[error("Timeout: Too large resource version: {asked}, current: {current}; list without one")]
    TooLargeRevision {
        /// What the client has seen.
        asked: Revision,
        /// What there is.
        current: Revision,
    },
    /// 500: a fault of ours.
    #[error("Internal error occurred: {0}")]
    Internal(String),
}

impl ApiError {
    /// The failure of a change that was made from a state which is no longer the present one.
    pub(super) fn modified(key: Key) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::Conflict {
            key,
            why: why.to_owned(),
        }
    }

    /// The HTTP status code.
    pub(super) fn code(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::NotFound { .. } | Self::NoSuch { .. } | Self::NoSuchPath { .. } | Self::NoPods => {
                StatusCode::NOT_FOUND
            }
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::AlreadyExists(_)
            | Self::NameTaken { .. }
            | Self::Conflict { .. }
            | Self::Contested { .. } => StatusCode::CONFLICT,
            Self::Expired(_) => StatusCode::GONE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid { causes, .. } if has_unknown(causes) => StatusCode::BAD_REQUEST,
            Self::Invalid { .. } | Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests(_) | Self::TooManyOfOne { .. } | Self::TooFast(_) => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout(_) | Self::TooLargeRevision { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Kubernetes' word for the failure.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotFound { .. } | Self::NoSuch { .. } | Self::NoSuchPath { .. } | Self::NoPods => {
                "NotFound"
            }
            Self::MethodNotAllowed(_) => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::UnsupportedMediaType { .. } => "UnsupportedMediaType",
            Self::AlreadyExists(_) | Self::NameTaken { .. } => "AlreadyExists",
            Self::Conflict { .. } | Self::Contested { .. } => "Conflict",
            Self::Expired(_) => "Expired",
            Self::TooLarge(_) => "RequestEntityTooLarge",
            Self::Invalid { causes, .. } if has_unknown(causes) => "BadRequest",
            Self::Invalid { .. } | Self::Unprocessable(_) => "Invalid",
            Self::TooManyRequests(_) | Self::TooManyOfOne { .. } | Self::TooFast(_) => "TooManyRequests",
            Self::Unavailable { .. } => "ServiceUnavailable",
            Self::Timeout(_) | Self::TooLargeRevision { .. } => "Timeout",
            Self::Internal(_) => "InternalError",
        }
    }

    /// The `Status` object of the failure.
    pub(super) fn status(&self) -> Status {
        Status {
            code: Some(i32::from(self.code().as_u16())),
            details: self.details(),
            message: Some(self.to_string()),
            reason: Some(self.reason().to_owned()),
            status: Some("Failure".to_owned()),
            ..Status::default()
        }
    }

    fn details(&self) -> Option<StatusDetails> {
        match self {
            Self::NotFound { kind, name } => Some(details(kind.plural(), name)),
            Self::AlreadyExists(key) | Self::Conflict { key, .. } => {
                Some(details(key.kind.plural(), &key.name))
            }
            Self::Invalid { kind, name, causes } => Some(StatusDetails {
                causes: Some(causes.iter().map(status_cause).collect()),
                ..details(kind.name(), name)
            }),
            Self::Contested { key, by } => Some(StatusDetails {
                causes: Some(by.iter().flat_map(contested_causes).collect()),
                ..details(key.kind.plural(), &key.name)
            }),
            Self::Forbidden { deed, .. } => Some(StatusDetails {
                name: Some(deed.name.clone()).filter(|name| !name.is_empty()),
                group: Some(deed.group.clone()).filter(|group| !group.is_empty()),
                kind: Some(deed.resource.clone()),
                ..StatusDetails::default()
            }),
            Self::NoSuch { resource, name } | Self::NameTaken { resource, name } => Some(StatusDetails {
                name: Some(name.clone()),
                kind: Some((*resource).to_owned()),
                ..StatusDetails::default()
            }),
            Self::TooManyRequests(_)
            | Self::TooManyOfOne { .. }
            | Self::TooFast(_)
            | Self::Unavailable { .. } => Some(StatusDetails {
                retry_after_seconds: Some(RETRY_AFTER_SECONDS),
                ..StatusDetails::default()
            }),
            // Kubernetes clients know this failure by its cause.
            Self::TooLargeRevision { .. } => Some(StatusDetails {
                causes: Some(vec![StatusCause {
                    reason: Some("ResourceVersionTooLarge".to_owned()),
                    message: Some("Too large resource version".to_owned()),
                    field: None,
                }]),
                retry_after_seconds: Some(RETRY_AFTER_SECONDS),
                ..StatusDetails::default()
            }),
            Self::BadRequest(_)
            | Self::Unprocessable(_)
            | Self::Unauthorized
            | Self::NoSuchPath { .. }
            | Self::NoPods
            | Self::MethodNotAllowed(_)
            | Self::NotAcceptable
            | Self::UnsupportedMediaType { .. }
            | Self::Expired(_)
            | Self::TooLarge(_)
            | Self::Timeout(_)
            | Self::Internal(_) => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry_after = status
            .details
            .as_ref()
            .and_then(|details| details.retry_after_seconds);
        let mut response = (self.code(), Json(status)).into_response();
        if let Some(seconds) = retry_after {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        if matches!(self, Self::Unauthorized) {
            let bearer = HeaderValue::from_static("Bearer realm=\"whoosh\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

/// Who owns what an apply would change, in Kubernetes' words.
fn contested(by: &[Contested]) -> String {
    let count: usize = by.iter().map(|one| one.fields.len()).sum();
    let owned = by
        .iter()
        .map(|Contested { manager, fields }| match fields.as_slice() {
            [only] => format!("conflict with {manager}: {only}"),
            fields => format!("conflicts with {manager}:\n- {}", fields.join("\n- ")),
        });
    let owned: Vec<String> = owned.collect();
    let conflicts = if count == 1 { "conflict" } else { "conflicts" };
    format!("Apply failed with {count} {conflicts}: {}", owned.join("\n"))
}

fn contested_causes(Contested { manager, fields }: &Contested) -> Vec<StatusCause> {
    let cause = |field: &String| StatusCause {
        field: Some(field.clone()),
        message: Some(format!("conflict with {manager}")),
        reason: Some("FieldManagerConflict".to_owned()),
    };
    fields.iter().map(cause).collect()
}

/// What somebody may not do, in Kubernetes' words.
fn forbidden(user: &str, deed: &Deed) -> String {
    let Deed {
        verb,
        group,
        resource,
        subresource,
        namespace,
        ..
    } = deed;
    let resource = match subresource.as_str() {
        "" => resource.clone(),
        subresource => format!("{resource}/{subresource}"),
    };
    let place = match namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    format!("User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}")
}

/// The `Status` of a deletion that left nothing behind.
pub(super) fn deleted(key: &Key, uid: &str) -> Status {
    Status {
        details: Some(StatusDetails {
            uid: Some(uid.to_owned()),
            ..details(key.kind.plural(), &key.name)
        }),
        status: Some("Success".to_owned()),
        ..Status::default()
    }
}

fn details(kind: &str, name: &str) -> StatusDetails {
    StatusDetails {
        name: Some(name.to_owned()),
        group: Some(GROUP.to_owned()),
        kind: Some(kind.to_owned()),
        ..StatusDetails::default()
    }
}

fn status_cause(cause: &Cause) -> StatusCause {
    let Cause {
        field,
        reason,
        message,
    } = cause;
    StatusCause {
        field: (!field.is_empty()).then(|| field.clone()),
        message: Some(message.clone()),
        reason: Some(reason.as_str().to_owned()),
    }
}

/// `teams.chorus.services`, as messages name a resource.
fn resource(kind: Kind) -> String {
    format!("{}.{GROUP}", kind.plural())
}

fn join(causes: &[Cause]) -> String {
    match causes {
        [one] => one.to_string(),
        many => {
            let all: Vec<String> = many.iter().map(Cause::to_string).collect();
            format!("[{}]", all.join(", "))
        }
    }
}

/// Whether somebody asked strictly for fields that there are not: what was sent cannot even be read, say Kubernetes' servers.
fn has_unknown(causes: &[Cause]) -> bool {
    causes.iter().any(|cause| cause.reason == CauseReason::Unknown)
}

/// Fails when there are causes to refuse an object.
///
/// # Errors
/// [`ApiError::Invalid`], with every cause.
pub(super) fn refused(object: &Object, causes: Vec<Cause>) -> Result<(), ApiError> {
    match causes.is_empty() {
        true => Ok(()),
        false => Err(ApiError::Invalid {
            kind: object.kind,
            name: object.name().to_owned(),
            causes,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> Key {
        Key::new(Kind::Team, "default", "x")
    }

    #[test]
    fn messages_read_like_kubectls() {
        for (error, code, reason, message) in [
            (
                ApiError::NotFound {
                    kind: Kind::Team,
                    name: "x".into(),
                },
                404,
                "NotFound",
                r#"teams.chorus.services "x" not found"#,
            ),
            (
                ApiError::NoSuchPath {
                    nearest: Some("/apis/chorus.services/v1/teams".into()),
                },
                404,
                "NotFound",
                r#"the server could not find the requested resource (did you mean "/apis/chorus.services/v1/teams"?)"#,
            ),
            (
                ApiError::AlreadyExists(key()),
                409,
                "AlreadyExists",
                r#"teams.chorus.services "x" already exists"#,
            ),
            (
                ApiError::Conflict {
                    key: key(),
                    why: "the object has been modified".into(),
                },
                409,
                "Conflict",
                r#"Operation cannot be fulfilled on teams.chorus.services "x": the object has been modified"#,
            ),
        ] {
            assert_eq!(error.code().as_u16(), code);
            assert_eq!(error.reason(), reason);
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn an_invalid_object_tells_every_cause() {
        let error = ApiError::Invalid {
            kind: Kind::Team,
            name: "x".into(),
            causes: vec![
                Cause::new("spec.roles", CauseReason::Required, "must be there"),
                Cause::new("", CauseReason::Invalid, "is odd"),
            ],
        };
        assert_eq!(
            serde_json::to_value(error.status()).unwrap(),
            json!({
                "apiVersion": "v1",
                "kind": "Status",
                "metadata": {},
                "status": "Failure",
                "code": 422,
                "reason": "Invalid",
                "message": r#"Team.chorus.services "x" is invalid: [spec.roles: must be there, is odd]"#,
                "details": {
                    "name": "x",
                    "group": "chorus.services",
                    "kind": "Team",
                    "causes": [
                        {"field": "spec.roles", "message": "must be there", "reason": "FieldValueRequired"},
                        {"message": "is odd", "reason": "FieldValueInvalid"},
                    ],
                },
            })
        );
    }
}
