//! The fields of a kind that a field selector may compare: those with a plain value.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;

use super::kind::Kind;
use super::schema;

/// A field selector names what no object of the kind has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field selector: {kind} has no field \"{path}\" with a plain value; these can be compared: {}", known.join(", "))]
pub struct UnknownField {
    kind: &'static str,
    path: String,
    known: Vec<String>,
}

impl UnknownField {
    /// Checks that the paths are among those that can be compared of what is called `kind`.
    ///
    /// # Errors
    /// The first that is not, and what there is instead.
    pub fn check<'a>(
        kind: &'static str,
        known: &[&str],
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Self> {
        let unknown = paths.into_iter().find(|path| !known.contains(path));
        unknown.map_or(Ok(()), |path| {
            Err(Self {
                kind,
                path: path.to_owned(),
                known: known.iter().map(|&field| field.to_owned()).collect(),
            })
        })
    }
}

/// Checks that objects of `kind` can have a plain value at each of `paths`.
///
/// # Errors
/// The first that they cannot, and what there is instead.
pub fn check<'a>(kind: Kind, paths: impl IntoIterator<Item = &'a str>) -> Result<(), UnknownField> {
    let unknown = paths.into_iter().find(|path| !is_plain(kind, path));
    unknown.map_or(Ok(()), |path| {
        Err(UnknownField {
            kind: kind.name(),
            path: path.to_owned(),
            known: known(kind),
        })
    })
}

fn root<'a>(kind: Kind, name: &str) -> Option<&'a JSONSchemaProps> {
    match name {
        "metadata" => schema::metadata(),
        "spec" | "status" => schema::member(kind, name),
        _ => None,
    }
}

fn is_plain(kind: Kind, path: &str) -> bool {
    if matches!(path, "apiVersion" | "kind") {
        return true;
    }
    let mut names = path.split('.');
    let mut found = root(kind, names.next().unwrap_or_default());
    for name in names {
        found = found.and_then(|schema| schema::described(schema, name));
    }
    found.is_some_and(|schema| !is_nested(schema))
}

fn is_nested(schema: &JSONSchemaProps) -> bool {
    matches!(schema.type_.as_deref(), Some("object" | "array"))
}

fn known(kind: Kind) -> Vec<String> {
    let mut found =
        Vec::from(["apiVersion", "kind", "metadata.name", "metadata.namespace"].map(str::to_owned));
    for name in ["spec", "status"] {
        if let Some(schema) = root(kind, name) {
            collect(schema, name, &mut found);
        }
    }
    found
}

fn collect(schema: &JSONSchemaProps, path: &str, found: &mut Vec<String>) {
    for (name, member) in schema.properties.iter().flatten() {
        let at = format!("{path}.{name}");
        if is_nested(member) {
            collect(member, &at, found);
        } else {
            found.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_no_object_of_the_kind_has_is_refused() {
        for (kind, path, expected) in [
            (Kind::Team, "kind", true),
            (Kind::Team, "metadata.name", true),
            (Kind::Team, "metadata.uid", true),
            (Kind::Team, "metadata.labels.app", true),
            (Kind::Team, "spec.suspend", true),
            (Kind::Team, "status.state", true),
            (Kind::Agent, "status.state", true),
            (Kind::Team, "spec.foo", false),
            (Kind::Team, "spec", false),
            (Kind::Team, "spec.roles", false),
            (Kind::Team, "spec.suspend.foo", false),
            (Kind::Team, "metadata.foo", false),
            (Kind::AgentTemplate, "spec.suspend", false),
        ] {
            assert_eq!(check(kind, [path]).is_ok(), expected, "{kind} {path}");
        }
        let told = check(Kind::Team, ["kind", "spec.foo"]).unwrap_err().to_string();
        assert!(
            told.starts_with("field selector: Team has no field \"spec.foo\" with a plain value"),
            "{told}"
        );
        assert!(
            told.contains("metadata.name, ") && told.contains("status.state"),
            "{told}"
        );
    }
}
