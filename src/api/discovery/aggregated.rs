//! Aggregated discovery: every group and resource in one answer, for clients that ask for it.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;
use serde_json::{Value, json};

use super::Group;
use crate::resource::object::VERSION;

/// What a client accepts, and gets, when it knows aggregated discovery.
const MEDIA: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// These groups at once; `None` when the client did not ask for that.
pub(super) fn answer(headers: &HeaderMap, groups: &[Group]) -> Option<Response> {
    if !is_wanted(headers) {
        return None;
    }
    let items: Vec<Value> = groups.iter().map(|group| describe(*group)).collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    });
    let content_type = HeaderValue::from_static(MEDIA);
    Some(([(header::CONTENT_TYPE, content_type)], Json(list)).into_response())
}

fn is_wanted(headers: &HeaderMap) -> bool {
    let named = headers.get_all(header::ACCEPT).iter();
    let texts = named.map(|value| String::from_utf8_lossy(value.as_bytes()));
    texts.into_iter().any(|text| text.split(',').any(names_it))
}

/// Whether one choice of an `Accept` is [`MEDIA`], in whatever order.
fn names_it(choice: &str) -> bool {
    let mut parts: Vec<&str> = choice.split(';').map(str::trim).collect();
    let mut wanted: Vec<&str> = MEDIA.split(';').collect();
    parts.sort_unstable();
    wanted.sort_unstable();
    parts == wanted
}

fn describe(group: Group) -> Value {
    let all = group.resources();
    let (whole, parts): (Vec<_>, Vec<_>) = all.iter().partition(|resource| !resource.name.contains('/'));
    let resources: Vec<Value> = whole
        .into_iter()
        .map(|resource| {
            let own = parts.iter().filter_map(|part| {
                let (of, name) = part.name.split_once('/')?;
                (of == resource.name).then(|| {
                    json!({
                        "subresource": name,
                        "responseKind": kind(group, part),
                        "verbs": part.verbs,
                    })
                })
            });
            json!({
                "resource": resource.name,
                "responseKind": kind(group, resource),
                "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
                "singularResource": resource.singular_name,
                "verbs": resource.verbs,
                // Some clients take no null for a list.
                "shortNames": resource.short_names.as_deref().unwrap_or_default(),
                "categories": resource.categories.as_deref().unwrap_or_default(),
                "subresources": own.collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "metadata": {"name": group.name()},
        "versions": [{"version": VERSION, "freshness": "Current", "resources": resources}],
    })
}

fn kind(group: Group, resource: &APIResource) -> Value {
    json!({
        "group": resource.group.as_deref().unwrap_or(group.name()),
        "version": resource.version.as_deref().unwrap_or(VERSION),
        "kind": resource.kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_knows_it_gets_all_at_once() {
        for (accept, expected) in [
            (
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
                true,
            ),
            (
                "application/json; as=APIGroupDiscoveryList; v=v2; g=apidiscovery.k8s.io",
                true,
            ),
            (
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
                false,
            ),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(is_wanted(&headers), expected, "{accept}");
        }
        let chorus = describe(Group::Chorus);
        let teams = &chorus["versions"][0]["resources"][0];
        assert_eq!(teams["resource"], "teams");
        let own = teams["subresources"].as_array().unwrap();
        let named: Vec<&str> = own
            .iter()
            .map(|part| part["subresource"].as_str().unwrap())
            .collect();
        assert_eq!(named, ["status", "plan", "history", "scale"]);
        assert_eq!(own[3]["responseKind"]["group"], "autoscaling");
        let core = describe(Group::Core);
        assert_eq!(core["versions"][0]["resources"][0]["categories"], json!([]));
    }
}
