//! The query parameters that Kubernetes clients send, typed.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, Preconditions};
use serde::Deserialize;
use serde_json::Value;

use super::status::ApiError;
use crate::resource::fields::UnknownField;
use crate::resource::lifecycle::Propagation;
use crate::resource::selector::{FieldSelector, LabelSelector};
use crate::resource::{Kind, Object, Revision, fields};

/// The raw parameters, decoded, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// The parameters of a URI; none when the query cannot be decoded.
    pub(super) fn of(uri: &Uri) -> Self {
        Query::try_from_uri(uri).map_or_else(|_| Self::default(), |Query(pairs)| Self(pairs))
    }

    /// The last value of a parameter; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().rev().find(|(key, _)| key == name)?;
        (!value.is_empty()).then_some(value)
    }

    /// A flag: absent is false, and so are `0` and `false`; present without a value is true.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.0.iter().rev().find(|(key, _)| key == name) {
            None => Ok(false),
            Some((_, value)) => match value.as_str() {
                "" | "1" | "true" | "True" => Ok(true),
                "0" | "false" | "False" => Ok(false),
                other => Err(ApiError::BadRequest(format!(
                    "the parameter {name} is \"{other}\"; it must be true or false"
                ))),
            },
        }
    }

    /// A number of at least 0.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let number = |text: &str| {
            text.parse().map_err(|_| {
                ApiError::BadRequest(format!("the parameter {name} is \"{text}\"; it must be a number"))
            })
        };
        self.text(name).map(number).transpose()
    }

    /// Whether the request asks for a watch; what cannot be read is refused later.
    pub(super) fn is_watch(&self) -> bool {
        self.flag("watch").unwrap_or(false)
    }

    pub(super) fn revision(&self) -> Result<Option<Revision>, ApiError> {
        self.text("resourceVersion").map(revision).transpose()
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Query(pairs) = Query::try_from_uri(&parts.uri)
            .map_err(|error| ApiError::BadRequest(format!("the query cannot be read: {error}")))?;
        Ok(Self(pairs))
    }
}

/// Reads a `resourceVersion`.
pub(super) fn revision(text: &str) -> Result<Revision, ApiError> {
    Revision::parse(text).ok_or_else(|| {
        ApiError::BadRequest(format!(
            "the resourceVersion \"{text}\" is not one that this server hands out"
        ))
    })
}

/// Which objects of a collection are meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    pub(super) fn matches(&self, object: &Object) -> bool {
        self.labels.matches(object.metadata.labels.as_ref()) && self.fields.matches(object)
    }

    /// The same of an object that is no [`Object`].
    pub(super) fn matches_json(&self, object: &Value) -> bool {
        let labels = object
            .pointer("/metadata/labels")
            .and_then(|labels| BTreeMap::deserialize(labels).ok());
        self.labels.matches(labels.as_ref()) && self.fields.matches_json(object)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Fails when it asks for fields that no object of the kind has, so that a slip of the pen finds not nothing.
    ///
    /// # Errors
    /// 400, as in Kubernetes.
    pub(super) fn fits(&self, kind: Kind) -> Result<(), ApiError> {
        fields::check(kind, self.fields.paths()).map_err(|error| ApiError::BadRequest(error.to_string()))
    }

    /// The same of what is no kind of ours and is called `kind`: it has these fields.
    ///
    /// # Errors
    /// 400 as well.
    pub(super) fn fits_fields(&self, kind: &'static str, known: &[&str]) -> Result<(), ApiError> {
        UnknownField::check(kind, known, self.fields.paths())
            .map_err(|error| ApiError::BadRequest(error.to_string()))
    }

    /// With another name for a field.
    pub(super) fn renamed(self, from: &str, to: &str) -> Self {
        Self {
            fields: self.fields.renamed(from, to),
            ..self
        }
    }

    /// The one value that it wants a field to have, if any.
    pub(super) fn wanted(&self, path: &str) -> Option<&str> {
        self.fields.wanted(path)
    }

    /// Whether an object of this name can match in any state: identity never changes, so it can be judged without
    /// knowing an object's past.
    pub(super) fn may_match(&self, name: &str) -> bool {
        self.fields
            .wanted("metadata.name")
            .is_none_or(|wanted| wanted == name)
    }
}

/// How a collection is read.
#[derive(Clone, Debug)]
pub(super) struct ListOptions {
    pub(super) selection: Selection,
    /// Whether changes are wanted instead of the present state.
    pub(super) watch: bool,
    /// What a watch resumes after; `None`, and 0, mean the present state first.
    pub(super) from: Option<Revision>,
    /// Whether a watch begins with the present state and says when that is complete; `None` leaves it to `from`.
    initial_events: Option<bool>,
    pub(super) bookmarks: bool,
    /// How many objects are wanted at once.
    pub(super) limit: Option<NonZeroU32>,
    /// Where a list that was given in part goes on.
    pub(super) part: Option<Part>,
    /// How a list is to be of the revision in `from`, if that is said.
    pub(super) revision_match: Option<RevisionMatch>,
    /// How long a watch lasts; `None` leaves it to the server.
    pub(super) timeout: Option<Duration>,
}

/// How old a list may be: the parameter `resourceVersionMatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RevisionMatch {
    /// Of the revision that is named.
    Exact,
    /// Of that one or a newer one.
    NotOlderThan,
}

impl ListOptions {
    /// Whether a list is to be of the very revision in `from`. One that is given in parts is, unless it says otherwise.
    pub(super) fn is_exact(&self) -> bool {
        match self.revision_match {
            Some(told) => told == RevisionMatch::Exact,
            None => self.from.is_some() && self.limit.is_some(),
        }
    }

    /// What a watch goes on from; `None` when the present state comes first, or is where it starts.
    pub(super) fn resumes(&self) -> Option<Revision> {
        self.from.filter(|_| self.initial_events != Some(true))
    }

    /// Whether a watch tells the present state first.
    pub(super) fn shows_present(&self) -> bool {
        self.initial_events.unwrap_or(self.from.is_none())
    }

    /// Whether a watch says when it has told the present state.
    pub(super) fn marks_present(&self) -> bool {
        self.bookmarks && self.initial_events == Some(true)
    }

    /// Fails when a client has seen more than there is.
    ///
    /// # Errors
    /// 504, after which Kubernetes clients list again without a revision.
    pub(super) fn not_older_than_asked(&self, current: Revision) -> Result<(), ApiError> {
        match self.from {
            Some(asked) if asked > current => Err(ApiError::TooLargeRevision { asked, current }),
            _ => Ok(()),
        }
    }
}

impl TryFrom<&Params> for ListOptions {
    type Error = ApiError;

    fn try_from(params: &Params) -> Result<Self, ApiError> {
        let watch = params.flag("watch")?;
        let from = params.revision()?.filter(|revision| revision.0 > 0);
        let initial_events = match params.text("sendInitialEvents") {
            Some(_) => Some(params.flag("sendInitialEvents")?),
            None => None,
        };
        let revision_match = match params.text("resourceVersionMatch") {
            None => None,
            Some("NotOlderThan") => Some(RevisionMatch::NotOlderThan),
            Some("Exact") => Some(RevisionMatch::Exact),
            Some(other) => {
                return refused(&format!(
                    "the parameter resourceVersionMatch is \"{other}\"; it must be NotOlderThan or Exact"
                ));
            }
        };
        match (initial_events, revision_match) {
            (Some(_), _) if !watch => return refused("sendInitialEvents is for watches"),
            (Some(_), None | Some(RevisionMatch::Exact)) => {
                return refused("sendInitialEvents needs resourceVersionMatch=NotOlderThan");
            }
            (None, Some(RevisionMatch::Exact)) if from.is_none() => {
                return refused("resourceVersionMatch=Exact needs a resourceVersion above 0");
            }
            (None, Some(_)) if watch => return refused("resourceVersionMatch is for lists"),
            (None, Some(_)) if params.text("resourceVersion").is_none() => {
                return refused("resourceVersionMatch needs a resourceVersion");
            }
            _ => {}
        }
        let part = params.text("continue").map(str::parse).transpose()?;
        if part.is_some() && (watch || from.is_some() || revision_match.is_some()) {
            return refused("continue says itself which revision it is of, and a watch has no parts");
        }
        // As in Kubernetes, 0 is no limit.
        let limit = params.number("limit")?;
        let limit = limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
        let unreadable = |error: &dyn std::fmt::Display| ApiError::BadRequest(error.to_string());
        let labels = params.text("labelSelector").unwrap_or_default();
        let fields = params.text("fieldSelector").unwrap_or_default();
        Ok(Self {
            selection: Selection {
                labels: labels.parse().map_err(|error| unreadable(&error))?,
                fields: fields.parse().map_err(|error| unreadable(&error))?,
            },
            watch,
            from,
            initial_events,
            bookmarks: params.flag("allowWatchBookmarks")?,
            limit: limit.and_then(NonZeroU32::new),
            part,
            revision_match,
            timeout: params
                .number("timeoutSeconds")?
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
        })
    }
}

/// Where a list that was given in part goes on: the parameter `continue`, which is opaque to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The moment that the list is of.
    pub(super) at: Revision,
    /// The namespace and name of the last object that was given.
    pub(super) after: (String, String),
}

impl FromStr for Part {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        let read = || {
            let mut parts = text.splitn(3, '.');
            let (at, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
            let is_name = |text: &str| {
                text.bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.')
            };
            let at = Revision::parse(at)?;
            let after = (namespace.to_owned(), name.to_owned());
            (is_name(namespace) && is_name(name)).then_some(Self { at, after })
        };
        read().ok_or_else(|| ApiError::BadRequest("continue is not what this server hands out".to_owned()))
    }
}

/// A number and a namespace hold no dots.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.at, self.after.0, self.after.1)
    }
}

fn refused<T>(why: &str) -> Result<T, ApiError> {
    Err(ApiError::BadRequest(why.to_owned()))
}

/// What the parameter `dryRun` says.
pub(super) fn dry_run(word: Option<&str>) -> Result<bool, ApiError> {
    match word {
        None => Ok(false),
        Some("All") => Ok(true),
        Some(other) => Err(ApiError::BadRequest(format!(
            "the parameter dryRun is \"{other}\"; it must be All"
        ))),
    }
}

/// How something is deleted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DeleteRequest {
    pub(super) dry_run: bool,
    /// What becomes of agents and dependents, if that is said.
    pub(super) propagation: Option<Propagation>,
    pub(super) preconditions: Preconditions,
}

impl DeleteRequest {
    /// What the query and the body (which wins) ask for.
    pub(super) fn from(params: &Params, body: Option<DeleteOptions>) -> Result<Self, ApiError> {
        let body = body.unwrap_or_default();
        // How long agents may take to stop, their spec says; but what is no number is a mistake.
        params.number("gracePeriodSeconds")?;
        if body.orphan_dependents.is_some() && body.propagation_policy.is_some() {
            return refused("orphanDependents and propagationPolicy cannot both be said");
        }
        let word = body
            .propagation_policy
            .as_deref()
            .or_else(|| params.text("propagationPolicy"));
        let propagation = match (word, body.orphan_dependents) {
            (None, None) => None,
            (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (Some(other), _) => {
                return Err(ApiError::BadRequest(format!(
                    "the propagationPolicy is \"{other}\"; it must be Background, Foreground or Orphan"
                )));
            }
        };
        let asked = body.dry_run.as_ref().and_then(|words| words.first());
        Ok(Self {
            dry_run: dry_run(asked.map(String::as_str).or_else(|| params.text("dryRun")))?,
            propagation,
            preconditions: body.preconditions.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::of(&format!("/x?{query}").parse().unwrap())
    }

    #[test]
    fn list_options_are_read_as_kubernetes_does() {
        let list = |query: &str| ListOptions::try_from(&params(query));
        let watch =
            list("watch=1&resourceVersion=7&allowWatchBookmarks=true&timeoutSeconds=3&limit=5").unwrap();
        assert!(watch.watch && watch.bookmarks);
        assert_eq!(
            (watch.from, watch.timeout),
            (Some(Revision(7)), Some(Duration::from_secs(3)))
        );
        assert_eq!(list("resourceVersion=0&watch=false").unwrap().from, None);
        assert_eq!(list("watch=true&timeoutSeconds=0").unwrap().timeout, None);
        assert!(list("resourceVersion=0&resourceVersionMatch=NotOlderThan").is_ok());
        for (query, part) in [
            ("watch=perhaps", "must be true or false"),
            (
                "resourceVersion=abc",
                "\"abc\" is not one that this server hands out",
            ),
            (
                "resourceVersion=-1",
                "\"-1\" is not one that this server hands out",
            ),
            ("timeoutSeconds=-3", "must be a number"),
            ("continue=abc", "is not what this server hands out"),
            ("continue=7.default", "is not what this server hands out"),
            ("continue=7.default.a%00", "is not what this server hands out"),
            (
                "continue=7.default.a&resourceVersion=7",
                "says itself which revision",
            ),
            ("limit=-1", "it must be a number"),
            ("limit=many", "it must be a number"),
            (
                "resourceVersion=0&resourceVersionMatch=Exact",
                "needs a resourceVersion above 0",
            ),
            (
                "resourceVersion=7&resourceVersionMatch=Newer",
                "it must be NotOlderThan",
            ),
            ("resourceVersionMatch=NotOlderThan", "needs a resourceVersion"),
            ("watch=1&resourceVersionMatch=NotOlderThan", "is for lists"),
            ("sendInitialEvents=true", "is for watches"),
            (
                "watch=1&sendInitialEvents=true",
                "needs resourceVersionMatch=NotOlderThan",
            ),
            (
                "watch=1&sendInitialEvents=true&resourceVersion=7&resourceVersionMatch=Exact",
                "needs resourceVersionMatch=NotOlderThan",
            ),
            ("labelSelector=a%20b", "label selector"),
            ("fieldSelector=name", "field selector"),
        ] {
            let refused = list(query).unwrap_err();
            assert_eq!(refused.code(), 400, "{query}");
            assert!(refused.to_string().contains(part), "{query}: {refused}");
        }
    }

    #[test]
    fn a_list_goes_on_where_it_was_left() {
        let part = Part {
            at: Revision(7),
            after: ("default".to_owned(), "payments".to_owned()),
        };
        assert_eq!(part.to_string().parse::<Part>().unwrap(), part);
        let options = ListOptions::try_from(&params(&format!("limit=5&continue={part}"))).unwrap();
        assert_eq!(
            (options.limit.map(NonZeroU32::get), options.part),
            (Some(5), Some(part.clone()))
        );
        assert_eq!(ListOptions::try_from(&params("limit=0")).unwrap().limit, None);
        assert!(ListOptions::try_from(&params(&format!("continue={part}&resourceVersion=0"))).is_ok());
        for (query, is_exact) in [
            ("limit=5&resourceVersion=7", true),
            (
                "limit=5&resourceVersion=7&resourceVersionMatch=NotOlderThan",
                false,
            ),
            ("limit=5&resourceVersion=0", false),
            ("resourceVersion=7", false),
            ("resourceVersion=7&resourceVersionMatch=Exact", true),
        ] {
            assert_eq!(
                ListOptions::try_from(&params(query)).unwrap().is_exact(),
                is_exact,
                "{query}"
            );
        }
    }

    #[test]
    fn a_watch_starts_where_it_is_told_to() {
        let seven = Some(Revision(7));
        let initial = "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents";
        for (query, resumes, shows_present, marks_present) in [
            (String::new(), None, true, false),
            ("resourceVersion=7".to_owned(), seven, false, false),
            (format!("{initial}=true"), None, true, true),
            (format!("{initial}=true&resourceVersion=7"), None, true, true),
            (format!("{initial}=false"), None, false, false),
            (format!("{initial}=false&resourceVersion=7"), seven, false, false),
        ] {
            let options = ListOptions::try_from(&params(&format!("watch=true&{query}"))).unwrap();
            assert_eq!(options.resumes(), resumes, "{query}");
            assert_eq!(options.shows_present(), shows_present, "{query}");
            assert_eq!(options.marks_present(), marks_present, "{query}");
        }
    }

    #[test]
    fn a_deletion_is_told_by_query_or_body() {
        let body = |json| serde_json::from_value::<DeleteOptions>(json).unwrap();
        let orphan = DeleteRequest::from(&params("propagationPolicy=Orphan&dryRun=All"), None).unwrap();
        assert_eq!(
            (orphan.propagation, orphan.dry_run),
            (Some(Propagation::Orphan), true)
        );
        let options = body(serde_json::json!({
            "propagationPolicy": "Foreground", "dryRun": ["All"], "preconditions": {"uid": "u"},
        }));
        let foreground = DeleteRequest::from(&params("propagationPolicy=Orphan"), Some(options)).unwrap();
        assert_eq!(foreground.propagation, Some(Propagation::Foreground));
        assert_eq!(foreground.preconditions.uid.as_deref(), Some("u"));
        assert!(foreground.dry_run);
        assert!(DeleteRequest::from(&params("propagationPolicy=orphan"), None).is_err());
        assert_eq!(
            DeleteRequest::from(&params(""), None).unwrap(),
            DeleteRequest::default()
        );
    }
}
