//! The query parameters of a write, typed, and who makes it, as far as its fields are concerned.

use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use serde_json::Value;

use super::options::{Params, dry_run};
use super::payload::APPLY_PATCH;
use super::status::ApiError;
use crate::resource::managed::{self, NAME_MAX};
use crate::resource::validate::Known;

/// How something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WriteOptions {
    /// Whether nothing is stored and the answer is what would be.
    pub(super) dry_run: bool,
    /// What becomes of fields that nobody knows.
    pub(super) unknown: UnknownFields,
    /// Who owns what is set: the parameter `fieldManager`.
    manager: Option<String>,
    /// Who is asking, by the header `User-Agent`.
    agent: Option<String>,
    /// Whether an apply takes what others own.
    pub(super) force: Option<bool>,
}

/// What becomes of fields that are not in the schema, and of those that are there twice (`fieldValidation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnknownFields {
    /// They are refused, with everything else that is wrong.
    Refused,
    /// They are dropped, with a warning for each.
    Warned,
    /// They are dropped.
    Ignored,
}

impl UnknownFields {
    /// What a client asks for; one that does not say is warned, as in Kubernetes.
    ///
    /// # Errors
    /// 400 for a word that means nothing.
    pub(super) fn asked_for(params: &Params) -> Result<Self, ApiError> {
        match params.text("fieldValidation") {
            Some("Strict") => Ok(Self::Refused),
            None | Some("Warn") => Ok(Self::Warned),
            Some("Ignore") => Ok(Self::Ignored),
            Some(other) => Err(ApiError::BadRequest(format!(
                "the parameter fieldValidation is \"{other}\"; it must be Strict, Warn or Ignore"
            ))),
        }
    }

    /// The warnings of members that are there twice, of which the last counts, in Kubernetes' words.
    ///
    /// # Errors
    /// 400 with all of them, when they are to be refused.
    pub(super) fn of_repeated(self, paths: &[String]) -> Result<Vec<String>, ApiError> {
        let told = paths
            .iter()
            .map(|path| format!("json: duplicate field \"{path}\""));
        let told: Vec<String> = told.collect();
        match self {
            Self::Refused if !told.is_empty() => Err(ApiError::BadRequest(format!(
                "strict decoding error: {}",
                told.join(", ")
            ))),
            Self::Refused | Self::Ignored => Ok(Vec::new()),
            Self::Warned => Ok(told),
        }
    }

    /// Takes them out of what a client sent, unless they are to be refused; the warnings.
    pub(super) fn drop_from(self, raw: &mut Value, known: &Known) -> Vec<String> {
        if self == Self::Refused {
            return Vec::new();
        }
        let dropped = known.drop_unknown(raw);
        match self {
            Self::Warned => dropped
                .iter()
                .map(|path| format!("unknown field \"{path}\""))
                .collect(),
            Self::Refused | Self::Ignored => Vec::new(),
        }
    }
}

impl WriteOptions {
    fn new(params: &Params, headers: &HeaderMap) -> Result<Self, ApiError> {
        let unknown = UnknownFields::asked_for(params)?;
        let manager = params.text("fieldManager");
        if manager.is_some_and(|name| !managed::is_name(name)) {
            return Err(ApiError::BadRequest(format!(
                "the parameter fieldManager must have at most {NAME_MAX} characters, all of them printable"
            )));
        }
        let force = params.text("force").map(|_| params.flag("force")).transpose()?;
        Ok(Self {
            dry_run: dry_run(params.text("dryRun"))?,
            unknown,
            manager: manager.map(str::to_owned),
            agent: headers.get(USER_AGENT).and_then(program),
            force,
        })
    }

    /// Who owns what is set: who says so, or else the program that asks.
    pub(super) fn manager(&self) -> String {
        let name = self.manager.as_ref().or(self.agent.as_ref());
        name.cloned().unwrap_or_else(|| "unknown".to_owned())
    }

    /// Who applies: they must say so themselves.
    pub(super) fn applier(&self) -> Result<String, ApiError> {
        self.manager.clone().ok_or_else(|| {
            ApiError::BadRequest("an apply needs the parameter fieldManager: who owns the fields".to_owned())
        })
    }
}

/// `kubectl` out of `kubectl/v1.32.0 (linux/amd64)`.
fn program(agent: &HeaderValue) -> Option<String> {
    let name = agent.to_str().ok()?.split('/').next()?.trim();
    let name: String = name.chars().take(NAME_MAX).collect();
    (!name.is_empty()).then_some(name)
}

impl<S: Sync> FromRequestParts<S> for WriteOptions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = Params::from_request_parts(parts, state).await?;
        let options = Self::new(&params, &parts.headers)?;
        let media = parts
            .headers
            .get(CONTENT_TYPE)
            .map_or(&b""[..], HeaderValue::as_bytes);
        if options.force.is_some() && !media.starts_with(APPLY_PATCH.as_bytes()) {
            return Err(ApiError::BadRequest(
                "the parameter force is for an apply".to_owned(),
            ));
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;

    use super::*;

    fn options(query: &str, agent: Option<&'static str>) -> Result<WriteOptions, ApiError> {
        let uri: Uri = format!("/x?{query}").parse().unwrap();
        let agent = agent.map(|agent| (USER_AGENT, HeaderValue::from_static(agent)));
        WriteOptions::new(&Params::of(&uri), &agent.into_iter().collect())
    }

    #[test]
    fn who_sets_fields_is_told_by_parameter_or_by_program() {
        for (query, agent, manager) in [
            ("fieldManager=ci", Some("kubectl/v1.32.0 (linux/amd64)"), "ci"),
            ("", Some("kubectl/v1.32.0 (linux/amd64)"), "kubectl"),
            ("", Some("curl"), "curl"),
            ("", Some("/x"), "unknown"),
            ("", None, "unknown"),
        ] {
            assert_eq!(
                options(query, agent).unwrap().manager(),
                manager,
                "{query} {agent:?}"
            );
        }
        let refused = options("", Some("curl/8")).unwrap().applier().unwrap_err();
        assert!(
            refused.to_string().contains("needs the parameter fieldManager"),
            "{refused}"
        );
        let long = "x".repeat(NAME_MAX + 1);
        assert!(options(&format!("fieldManager={long}"), None).is_err());
        assert!(options("fieldManager=a%0Ab", None).is_err());
    }

    #[test]
    fn unknown_fields_are_warned_of_unless_a_client_wants_something_else() {
        for (query, unknown) in [
            ("", UnknownFields::Warned),
            ("fieldValidation=Strict", UnknownFields::Refused),
            ("fieldValidation=Warn", UnknownFields::Warned),
            ("fieldValidation=Ignore", UnknownFields::Ignored),
        ] {
            assert_eq!(options(query, None).unwrap().unknown, unknown, "{query}");
        }
        assert!(options("fieldValidation=strict", None).is_err());
    }
}
