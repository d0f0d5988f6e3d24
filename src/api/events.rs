//! Events: `/api/v1/events` and `/api/v1/namespaces/{namespace}/events`.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

use super::options::{ListOptions, Params};
use super::paths::Scope;
use super::polled::{self, Rows};
use super::recent::Recent;
use super::state::Api;
use super::status::ApiError;

/// Lists events, the newest [`MAX_EVENTS`](crate::store::MAX_EVENTS) with the newest last, or watches them.
///
/// `fieldSelector` compares plain fields of an event, such as `involvedObject.name=payments,type!=Normal`.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(recent): Extension<Recent<Option<String>, Event>>,
    Scope(namespace): Scope,
    params: Params,
) -> Result<Response, ApiError> {
    let selection = selection(params.text("fieldSelector").unwrap_or_default())?;
    let options = ListOptions::try_from(&params.without("fieldSelector"))?;
    let store = api.store.clone();
    let look = move |look| {
        let (store, namespace, selection) = (store.clone(), namespace.clone(), selection.clone());
        let recent = recent.clone();
        async move {
            let read = async { Ok(store.list_events(namespace.as_deref()).await?) };
            let events = recent.get(look, namespace.clone(), read).await?;
            let rows = events
                .iter()
                .map(serde_json::to_value)
                .collect::<Result<Vec<Value>, _>>()
                .map_err(|error| ApiError::Internal(error.to_string()))?;
            let chosen = rows
                .into_iter()
                .filter(|row| selection.iter().all(|term| term.holds(row)));
            Ok(Rows::new(chosen.collect()))
        }
    };
    polled::answer(&api, ("v1", "Event"), &options, look).await
}

/// One comparison of a field selector.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    path: String,
    value: String,
    equal: bool,
}

impl Term {
    fn holds(&self, event: &Value) -> bool {
        let found = self.path.split('.').try_fold(event, |value, key| value.get(key));
        (found.and_then(Value::as_str).unwrap_or_default() == self.value) == self.equal
    }
}

fn selection(text: &str) -> Result<Vec<Term>, ApiError> {
    let terms = text.split(',').map(str::trim).filter(|term| !term.is_empty());
    terms.map(term).collect()
}

fn term(text: &str) -> Result<Term, ApiError> {
    let (path, value, equal) = if let Some((path, value)) = text.split_once("!=") {
        (path, value, false)
    } else if let Some((path, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (path, value, true)
    } else {
        return Err(ApiError::BadRequest(format!(
            "the field selector \"{text}\" compares nothing; write it like involvedObject.name=payments"
        )));
    };
    Ok(Term {
        path: path.trim().to_owned(),
        value: value.trim().to_owned(),
        equal,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_selected_by_what_they_are_about() {
        let event = json!({"involvedObject": {"kind": "Team", "name": "payments"}, "type": "Warning"});
        for (text, expected) in [
            ("", true),
            ("involvedObject.name=payments,involvedObject.kind==Team", true),
            ("involvedObject.name=other", false),
            ("type!=Normal", true),
            ("reason=", true),
        ] {
            let holds = selection(text).unwrap().iter().all(|term| term.holds(&event));
            assert_eq!(holds, expected, "{text}");
        }
        assert!(
            selection("payments")
                .unwrap_err()
                .to_string()
                .contains("compares nothing")
        );
    }
}
