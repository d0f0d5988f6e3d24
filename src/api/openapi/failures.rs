//! The failures that an operation may be answered with: each a `Status`, described once and referred to by name.

use serde_json::{Map, Value, json};

use super::schemas;

/// A code, Kubernetes' word for it, and what it means.
type Failure = (u16, &'static str, &'static str);

const BAD_REQUEST: Failure = (
    400,
    "BadRequest",
    "The request itself makes no sense, or names fields that there are not and are not to be left out.",
);
const UNAUTHORIZED: Failure = (401, "Unauthorized", "Nobody knows who asks.");
const FORBIDDEN: Failure = (403, "Forbidden", "Whoever asks may not do this.");
const NOT_FOUND: Failure = (404, "NotFound", "There is no such object.");
const NOT_ACCEPTABLE: Failure = (
    406,
    "NotAcceptable",
    "Nothing that the client accepts is offered.",
);
const CONFLICT: Failure = (
    409,
    "Conflict",
    "The name is taken, the object is not what the client saw, or fields belong to others.",
);
const EXPIRED: Failure = (
    410,
    "Expired",
    "The state that was asked for is not kept any more; list again.",
);
const TOO_LARGE: Failure = (413, "RequestEntityTooLarge", "The body is over the limit.");
const UNSUPPORTED: Failure = (
    415,
    "UnsupportedMediaType",
    "The body is in a format that is not offered.",
);
const INVALID: Failure = (
    422,
    "Invalid",
    "The object breaks rules, and every one of them is told; or a patch does not fit it.",
);
const TOO_MANY: Failure = (
    429,
    "TooManyRequests",
    "Too much at once; `Retry-After` says when to try again.",
);
const INTERNAL: Failure = (500, "InternalError", "A fault of the operator's own.");
const UNAVAILABLE: Failure = (
    503,
    "ServiceUnavailable",
    "Something that the answer needs is away, such as the Docker Engine.",
);
const TIMEOUT: Failure = (
    504,
    "Timeout",
    "It took too long, or the client has seen more than there is.",
);

/// Those of every operation.
const OF_ALL: [Failure; 8] = [
    BAD_REQUEST,
    UNAUTHORIZED,
    FORBIDDEN,
    NOT_ACCEPTABLE,
    TOO_MANY,
    INTERNAL,
    UNAVAILABLE,
    TIMEOUT,
];
const OF_BODIES: [Failure; 2] = [TOO_LARGE, UNSUPPORTED];

/// The failures of a verb, about one object that may not be there or about many.
fn of(verb: &str, is_of_one: bool) -> Vec<Failure> {
    let mut all = OF_ALL.to_vec();
    if is_of_one {
        all.push(NOT_FOUND);
    }
    match verb {
        "list" => all.push(EXPIRED),
        "create" | "update" | "patch" => {
            all.extend(OF_BODIES);
            all.extend([CONFLICT, INVALID]);
        }
        "delete" | "deletecollection" => {
            all.extend(OF_BODIES);
            all.push(CONFLICT);
        }
        _ => {}
    }
    all.sort_unstable();
    all
}

/// References to the failures of a verb, by code.
pub(super) fn references(verb: &str, is_of_one: bool) -> impl Iterator<Item = (String, Value)> {
    let reference = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
    of(verb, is_of_one)
        .into_iter()
        .map(move |(code, name, _)| (code.to_string(), reference(name)))
}

/// What the references lead to.
pub(super) fn responses() -> Map<String, Value> {
    let mut all = OF_ALL.to_vec();
    all.extend(OF_BODIES);
    all.extend([NOT_FOUND, CONFLICT, EXPIRED, INVALID]);
    all.sort_unstable();
    let described = |(_, name, description): Failure| (name.to_owned(), described(description));
    all.into_iter().map(described).collect()
}

/// Any failure, for documents that do not tell them apart.
pub(super) fn any() -> Value {
    described("What went wrong.")
}

fn described(description: &str) -> Value {
    super::operations::content(&schemas::status(), description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_fails_in_its_own_ways() {
        for (verb, is_of_one, beyond_those_of_all) in [
            ("get", true, "404"),
            ("list", false, "410"),
            ("create", false, "409 413 415 422"),
            ("patch", true, "404 409 413 415 422"),
            ("deletecollection", false, "409 413 415"),
        ] {
            let codes = of(verb, is_of_one).into_iter().map(|(code, ..)| code);
            let own = codes.filter(|code| OF_ALL.iter().all(|(common, ..)| common != code));
            let own: Vec<String> = own.map(|code| code.to_string()).collect();
            assert_eq!(own.join(" "), beyond_those_of_all, "{verb}");
        }
    }
}
