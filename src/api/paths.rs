//! What a path names: a collection or one object, by kind, namespace and name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use percent_encoding::percent_decode_str;

use super::options::Params;
use super::status::ApiError;
use crate::resource::access::Deed;
use crate::resource::nearest::nearest;
use crate::resource::object::API_VERSION;
use crate::resource::{Key, Kind, validate};

/// The longest name that can exist: the Agent view joins five names with dots.
const NAME_MAX: usize = 253;

/// All objects of a kind, in one namespace or in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Collection {
    pub(super) kind: Kind,
    pub(super) namespace: Option<String>,
}

/// The namespace that a path names; `None` for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope(pub(super) Option<String>);

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target(pub(super) Key);

/// The one name that a path holds, of something that is none of our kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

type Segments = BTreeMap<String, String>;

impl<S: Send + Sync> FromRequestParts<S> for Collection {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = segments(parts, state).await?;
        Ok(Self {
            kind: kind(&segments)?,
            namespace: namespace(&segments)?,
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Scope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(namespace(&segments(parts, state).await?)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = segments(parts, state).await?;
        let kind = kind(&segments)?;
        let name = segments.get("name").cloned().unwrap_or_default();
        if !may_exist(&name) {
            return Err(ApiError::NotFound { kind, name });
        }
        let namespace = namespace(&segments)?.unwrap_or_default();
        Ok(Self(Key::new(kind, namespace, name)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let name = segments(parts, state).await?.into_values().next();
        Ok(Self(name.unwrap_or_default()))
    }
}

async fn segments<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Segments, ApiError> {
    match Path::<Segments>::from_request_parts(parts, state).await {
        Ok(Path(segments)) => Ok(segments),
        Err(error) => Err(ApiError::BadRequest(format!("the path cannot be read: {error}"))),
    }
}

/// The kind that `{plural}` names; routes without it are those of the Agent view.
fn kind(segments: &Segments) -> Result<Kind, ApiError> {
    let Some(plural) = segments.get("plural") else {
        return Ok(Kind::Agent);
    };
    Kind::from_plural(plural).ok_or_else(|| ApiError::NoSuchPath {
        nearest: Kind::find(plural)
            .map(Kind::plural)
            .or_else(|| nearest(plural, Kind::ALL.map(Kind::plural)))
            .map(|plural| format!("/apis/{API_VERSION}/{plural}")),
    })
}

fn namespace(segments: &Segments) -> Result<Option<String>, ApiError> {
    match segments.get("namespace") {
        Some(namespace) if validate::label(namespace).is_err() => Err(ApiError::BadRequest(format!(
            "the namespace \"{}\" cannot exist: a name has lower-case letters, digits and \"-\"",
            namespace.escape_default()
        ))),
        namespace => Ok(namespace.cloned()),
    }
}

/// Whether a name is made of what names are made of. Anything else is not looked up at all.
pub(super) fn may_exist(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(plain)
}

/// The resource that a path is about, out of a closed list of words that metrics can count by.
pub(super) fn resource(path: &str) -> &'static str {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let plural = match segments.as_slice() {
        ["apis", _, _, "namespaces", _, plural, ..] | ["apis", _, _, plural, ..] => *plural,
        ["api", "v1", "namespaces", _, "events", ..] | ["api", "v1", "events", ..] => return "events",
        ["api", "v1", "namespaces"] | ["api", "v1", "namespaces", _] => return "namespaces",
        ["api" | "apis", ..] => return "discovery",
        ["healthz" | "livez" | "readyz"] => return "health",
        ["metrics"] => return "metrics",
        ["hooks", ..] => return "hooks",
        ["version"] => return "version",
        _ => return "unknown",
    };
    Kind::from_plural(plural).map_or("unknown", Kind::plural)
}

/// Takes the `/` off the end of a request's path.
pub(super) async fn without_slash(mut request: Request) -> Request {
    let uri = request.uri();
    let path = uri.path().trim_end_matches('/');
    if !path.is_empty() && path != uri.path() {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = format!("{path}{query}").parse().ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// The object that a path names, if it names one of a known kind.
pub(super) fn key(path: &str) -> Option<Key> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["apis", _, _, "namespaces", namespace, plural, name, ..] => {
            Kind::from_plural(plural).map(|kind| Key::new(kind, *namespace, *name))
        }
        _ => None,
    }
}

/// What a request asks for; `None` when that is nothing of anybody's: health, versions and what else tells a client how
/// to speak.
///
/// A path that is not served counts, too: whether it is there is for those to know who might use it. Each segment is read
/// as the router reads its parameters, so that nothing is asked for under another spelling.
pub(super) fn deed(method: &Method, uri: &Uri) -> Option<Deed> {
    let segments = uri.path().trim_matches('/').split('/');
    let segments: Vec<Cow<'_, str>> = segments
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy())
        .collect();
    let segments: Vec<&str> = segments.iter().map(Cow::as_ref).collect();
    let (group, rest) = match segments.as_slice() {
        ["metrics"] => ("", &segments[..]),
        // Everybody may know who they are and what they may do.
        ["apis", "authentication.k8s.io" | "authorization.k8s.io", ..] => return None,
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let (namespace, resource, name, subresource) = match rest {
        [] => return None,
        ["namespaces"] => (None, "namespaces", "", &[][..]),
        ["namespaces", name] => (Some(*name), "namespaces", *name, &[][..]),
        ["namespaces", namespace, resource, rest @ ..] => {
            let (name, subresource) = rest.split_first().unwrap_or((&"", &[]));
            (Some(*namespace), *resource, *name, subresource)
        }
        [resource, rest @ ..] => {
            let (name, subresource) = rest.split_first().unwrap_or((&"", &[]));
            (None, *resource, *name, subresource)
        }
    };
    let verb = match *method {
        Method::GET | Method::HEAD if Params::of(uri).is_watch() => "watch",
        Method::GET | Method::HEAD if name.is_empty() => "list",
        Method::GET | Method::HEAD => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if name.is_empty() => "deletecollection",
        Method::DELETE => "delete",
        _ => "other",
    };
    Some(Deed {
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.join("/"),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    })
}

/// The failure of a path that is not served, with the served one that is nearest.
pub(super) fn unknown(uri: &Uri) -> ApiError {
    let path = uri.path();
    let collections = Kind::ALL.map(|kind| format!("/apis/{API_VERSION}/{}", kind.plural()));
    let others = [
        "/healthz",
        "/livez",
        "/readyz",
        "/metrics",
        "/version",
        "/apis",
        "/api/v1/events",
    ];
    let known = collections.iter().map(String::as_str).chain(others);
    ApiError::NoSuchPath {
        nearest: nearest(path, known).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_count_by_known_words_alone() {
        for (path, expected) in [
            ("/apis/chorus.services/v1/teams", "teams"),
            (
                "/apis/chorus.services/v1/namespaces/default/councils/teams/status",
                "councils",
            ),
            ("/apis/chorus.services/v1/namespaces/default/pods", "unknown"),
            ("/apis/chorus.services/v1", "discovery"),
            ("/api/v1/namespaces/default/events", "events"),
            ("/readyz", "health"),
            ("/hooks/v1/namespaces/default/gitsources/fleet", "hooks"),
            ("/../etc/passwd", "unknown"),
        ] {
            assert_eq!(resource(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_names_an_object_or_none() {
        let teams = "/apis/chorus.services/v1/namespaces/prod/teams";
        for (path, expected) in [
            (format!("{teams}/payments/scale"), Some("team/prod/payments")),
            (format!("{teams}/payments"), Some("team/prod/payments")),
            (teams.to_owned(), None),
            (teams.replace("teams", "pods/x"), None),
            ("/healthz".to_owned(), None),
        ] {
            let key = key(&path).map(|key| key.to_string());
            assert_eq!(key.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_request_asks_for_one_deed() {
        let group = "/apis/chorus.services/v1";
        for (method, path, expected) in [
            (Method::GET, format!("{group}/teams"), Some("list teams - - ")),
            (
                Method::GET,
                format!("{group}/namespaces/prod/teams?watch=1"),
                Some("watch teams - prod "),
            ),
            (
                Method::GET,
                format!("{group}/namespaces/prod/teams/"),
                Some("list teams - prod "),
            ),
            (
                Method::PATCH,
                format!("{group}/namespaces/prod/teams/x/status"),
                Some("patch teams status prod x"),
            ),
            (
                Method::DELETE,
                format!("{group}/tokens/ci"),
                Some("delete tokens - - ci"),
            ),
            (
                Method::GET,
                "/api/v1/namespaces/prod".to_owned(),
                Some("get namespaces - prod prod"),
            ),
            (
                Method::GET,
                "/api/v1/namespaces/prod/events".to_owned(),
                Some("list events - prod "),
            ),
            (Method::GET, "/metrics".to_owned(), Some("list metrics - - ")),
            (Method::GET, "/apis/chorus.services".to_owned(), None),
            (Method::GET, group.to_owned(), None),
            (Method::GET, "/readyz".to_owned(), None),
            (Method::TRACE, format!("{group}/teams"), Some("other teams - - ")),
        ] {
            let deed = deed(&method, &path.parse().unwrap()).map(|deed| {
                let or_dash = |text: &str| {
                    if text.is_empty() {
                        "-".to_owned()
                    } else {
                        text.to_owned()
                    }
                };
                let namespace = deed.namespace.as_deref().unwrap_or("-");
                format!(
                    "{} {} {} {namespace} {}",
                    deed.verb,
                    deed.resource,
                    or_dash(&deed.subresource),
                    deed.name
                )
            });
            assert_eq!(deed.as_deref(), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_kind_is_named_by_its_plural_and_a_typo_by_the_nearest() {
        for (plural, nearest) in [
            ("team", Some("/apis/chorus.services/v1/teams")),
            ("tm", Some("/apis/chorus.services/v1/teams")),
            ("councls", Some("/apis/chorus.services/v1/councils")),
            ("deployments", None),
        ] {
            let segments = Segments::from([("plural".to_owned(), plural.to_owned())]);
            match kind(&segments) {
                Err(ApiError::NoSuchPath { nearest: found }) => assert_eq!(found.as_deref(), nearest),
                other => panic!("{plural}: {other:?}"),
            }
        }
    }

    #[test]
    fn names_that_cannot_exist_are_not_looked_up() {
        for (name, expected) in [
            ("payments", true),
            ("team.payments.reviewer.2", true),
            ("../../etc", false),
            ("a\0b", false),
            ("Upper", false),
            ("", false),
        ] {
            assert_eq!(may_exist(name), expected, "{name:?}");
        }
        assert!(!may_exist(&"a".repeat(254)));
    }
}
