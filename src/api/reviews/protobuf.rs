//! Reviews in protobuf, the one form in which kubectl sends them.
//!
//! The numbers of the fields are those of Kubernetes' `generated.proto` files, which never change.

use prost::Message;
use serde_json::{Value, json};

/// What each such body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// `k8s.io/apimachinery/pkg/runtime.Unknown`: says what it holds.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(message, optional, tag = "1")]
    type_meta: Option<TypeMeta>,
    #[prost(bytes = "vec", tag = "2")]
    raw: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeMeta {
    #[prost(string, tag = "1")]
    api_version: String,
    #[prost(string, tag = "2")]
    kind: String,
}

#[derive(Clone, PartialEq, Message)]
struct AccessReview {
    #[prost(message, optional, tag = "2")]
    spec: Option<AccessSpec>,
}

#[derive(Clone, PartialEq, Message)]
struct AccessSpec {
    #[prost(message, optional, tag = "1")]
    resource: Option<ResourceAttributes>,
    #[prost(message, optional, tag = "2")]
    path: Option<NonResourceAttributes>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceAttributes {
    #[prost(string, tag = "1")]
    namespace: String,
    #[prost(string, tag = "2")]
    verb: String,
    #[prost(string, tag = "3")]
    group: String,
    #[prost(string, tag = "4")]
    version: String,
    #[prost(string, tag = "5")]
    resource: String,
    #[prost(string, tag = "6")]
    subresource: String,
    #[prost(string, tag = "7")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct NonResourceAttributes {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(string, tag = "2")]
    verb: String,
}

#[derive(Clone, PartialEq, Message)]
struct RulesReview {
    #[prost(message, optional, tag = "2")]
    spec: Option<RulesSpec>,
}

#[derive(Clone, PartialEq, Message)]
struct RulesSpec {
    #[prost(string, tag = "1")]
    namespace: String,
}

/// The review in a body, as JSON.
///
/// # Errors
/// What is wrong with it.
pub(super) fn review(body: &[u8]) -> Result<Value, String> {
    let broken = |error: prost::DecodeError| format!("the body is not protobuf: {error}");
    let rest = body
        .strip_prefix(MAGIC)
        .ok_or("the body does not begin like Kubernetes' protobuf")?;
    let Envelope { type_meta, raw } = Envelope::decode(rest).map_err(broken)?;
    let TypeMeta { api_version, kind } = type_meta.unwrap_or_default();
    let spec = match kind.as_str() {
        "SelfSubjectReview" => Value::Null,
        "SelfSubjectAccessReview" => {
            let spec = AccessReview::decode(&*raw)
                .map_err(broken)?
                .spec
                .unwrap_or_default();
            access(spec)
        }
        "SelfSubjectRulesReview" => {
            let spec = RulesReview::decode(&*raw)
                .map_err(broken)?
                .spec
                .unwrap_or_default();
            json!({"namespace": spec.namespace})
        }
        other => return Err(format!("the body holds a {other} in protobuf; send it as JSON")),
    };
    let mut review = json!({"apiVersion": api_version, "kind": kind});
    if !spec.is_null() {
        review["spec"] = spec;
    }
    Ok(review)
}

fn access(spec: AccessSpec) -> Value {
    let mut json = json!({});
    if let Some(wanted) = spec.resource {
        json["resourceAttributes"] = json!({
            "namespace": wanted.namespace,
            "verb": wanted.verb,
            "group": wanted.group,
            "version": wanted.version,
            "resource": wanted.resource,
            "subresource": wanted.subresource,
            "name": wanted.name,
        });
    }
    if let Some(wanted) = spec.path {
        json["nonResourceAttributes"] = json!({"path": wanted.path, "verb": wanted.verb});
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(kind: &str, message: &impl Message) -> Vec<u8> {
        let envelope = Envelope {
            type_meta: Some(TypeMeta {
                api_version: "authorization.k8s.io/v1".to_owned(),
                kind: kind.to_owned(),
            }),
            raw: message.encode_to_vec(),
        };
        [MAGIC, &envelope.encode_to_vec()].concat()
    }

    #[test]
    fn a_review_is_read() {
        let spec = AccessSpec {
            resource: Some(ResourceAttributes {
                verb: "create".to_owned(),
                resource: "teams".to_owned(),
                ..ResourceAttributes::default()
            }),
            path: None,
        };
        let review = review(&body(
            "SelfSubjectAccessReview",
            &AccessReview { spec: Some(spec) },
        ))
        .unwrap();
        assert_eq!(review["kind"], "SelfSubjectAccessReview");
        assert_eq!(review["spec"]["resourceAttributes"]["resource"], "teams");
    }

    #[test]
    fn what_is_none_is_told() {
        for (body, part) in [
            (b"{}".to_vec(), "does not begin like"),
            ([MAGIC, &[0xff]].concat(), "is not protobuf"),
            (body("Pod", &RulesReview::default()), "holds a Pod in protobuf"),
        ] {
            let why = review(&body).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
    }
}
