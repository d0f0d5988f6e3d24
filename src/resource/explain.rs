//! What `whoosh explain` shows: a field of a kind, and the fields below it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;

use super::kind::Kind;
use super::nearest;
use super::object::{GROUP, VERSION};
use super::schema;

/// A field of a kind, or a kind as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The kind.
    pub kind: Kind,
    /// Its API group.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The field and all below it; for a kind as a whole, its name is empty.
    pub field: Field,
}

/// A field, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type as kubectl writes it: `string`, `[]Object`, `map[string]string`, `Quantity`.
    pub type_name: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it is for.
    pub description: String,
    /// The values that are allowed, when only some are.
    pub allowed: Vec<String>,
    /// The value of a field that is not set, when the schema knows it.
    pub default: Option<String>,
    /// The fields below it, by name.
    pub fields: Vec<Field>,
}

/// Why a path cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// It does not begin with a kind.
    #[error("there is no kind \"{word}\"{hint}: one of {known}")]
    UnknownKind {
        /// What was asked for.
        word: String,
        /// ` (did you mean "team"?)`, or nothing.
        hint: String,
        /// The kinds, parted by commas.
        known: String,
    },
    /// It names a field that its parent does not have.
    #[error("{parent} has no field \"{word}\"{hint}{known}")]
    UnknownField {
        /// The path up to there.
        parent: String,
        /// What was asked for.
        word: String,
        /// ` (did you mean "roles"?)`, or nothing.
        hint: String,
        /// `: it has …`, or that it has none.
        known: String,
    },
}

/// Explains a path such as `team`, `team.spec.roles` or `council.spec.roles[0].agent`.
///
/// # Errors
/// When the kind or one of the fields is unknown; the nearest name is offered.
pub fn explain(path: &str) -> Result<Explanation, ExplainError> {
    let mut words = path.split('.').map(|word| word.split('[').next().unwrap_or(word));
    let kind = kind(words.next().unwrap_or_default())?;
    let mut field = whole(kind);
    let mut parent = kind.singular().to_owned();
    for word in words {
        field = below(field, word, &parent)?;
        parent = format!("{parent}.{word}");
    }
    Ok(Explanation {
        kind,
        group: GROUP,
        version: VERSION,
        field,
    })
}

fn kind(word: &str) -> Result<Kind, ExplainError> {
    Kind::find(word).ok_or_else(|| {
        let names = || Kind::ALL.into_iter().map(Kind::singular);
        ExplainError::UnknownKind {
            word: word.to_owned(),
            hint: nearest::hint(word, names()),
            known: names().collect::<Vec<_>>().join(", "),
        }
    })
}

/// The kind as a field without a name. Its `metadata` is Kubernetes' own.
fn whole(kind: Kind) -> Field {
    let Some(root) = kind.schema() else {
        return describe("", &JSONSchemaProps::default(), false);
    };
    let mut field = describe("", root, true);
    if let (Some(metadata), Some(schema)) = (
        field.fields.iter_mut().find(|field| field.name == "metadata"),
        schema::metadata(),
    ) {
        let description = std::mem::take(&mut metadata.description);
        *metadata = Field {
            description,
            ..describe("metadata", schema, true)
        };
    }
    field
}

fn below(field: Field, word: &str, parent: &str) -> Result<Field, ExplainError> {
    let names: Vec<String> = field.fields.iter().map(|field| field.name.clone()).collect();
    field
        .fields
        .into_iter()
        .find(|field| field.name == word)
        .ok_or_else(|| ExplainError::UnknownField {
            parent: parent.to_owned(),
            word: word.to_owned(),
            hint: nearest::hint(word, names.iter().map(String::as_str)),
            known: match names.as_slice() {
                [] => ": there is nothing below it".to_owned(),
                names => format!(": it has {}", names.join(", ")),
            },
        })
}

fn describe(name: &str, schema: &JSONSchemaProps, required: bool) -> Field {
    let inner = innermost(schema);
    let must = |name: &String| inner.required.iter().flatten().any(|one| one == name);
    let properties = inner.properties.iter().flatten();
    Field {
        name: name.to_owned(),
        type_name: type_name(schema),
        required,
        description: schema.description.clone().unwrap_or_default(),
        allowed: inner
            .enum_
            .iter()
            .flatten()
            .map(|value| plain(&value.0))
            .collect(),
        default: schema
            .default
            .as_ref()
            .map(|value| plain(&value.0))
            .filter(|text| !text.is_empty()),
        fields: properties
            .map(|(name, schema)| describe(name, schema, must(name)))
            .collect(),
    }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The schema of what a list or map holds, or the schema itself.
fn innermost(schema: &JSONSchemaProps) -> &JSONSchemaProps {
    match schema::items(schema).or_else(|| schema::values(schema)) {
        Some(inner) => innermost(inner),
        None => schema,
    }
}

fn type_name(schema: &JSONSchemaProps) -> String {
    if let Some(items) = schema::items(schema) {
        return format!("[]{}", type_name(items));
    }
    if let Some(values) = schema::values(schema) {
        return format!("map[string]{}", type_name(values));
    }
    if schema.x_kubernetes_int_or_string == Some(true) {
        return "Quantity".to_owned();
    }
    match (schema.type_.as_deref(), schema.format.as_deref()) {
        (Some("object"), _) => "Object".to_owned(),
        (Some("string"), Some("duration")) => "Duration".to_owned(),
        (Some("string"), Some("date-time")) => "Time".to_owned(),
        (type_, _) => type_.unwrap_or("Object").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(path: &str) -> Field {
        explain(path).unwrap().field
    }

    #[test]
    fn a_path_leads_to_its_field() {
        for (path, type_name, required) in [
            ("team", "Object", true),
            ("tm.spec", "Object", true),
            ("Team.spec.roles", "[]Object", true),
            ("team.spec.roles[0].name", "string", true),
            ("team.spec.roles.replicas", "integer", false),
            ("team.spec.suspend", "boolean", false),
            ("team.spec.defaults.env", "[]Object", false),
            ("team.spec.defaults.args", "[]string", false),
            ("team.spec.defaults.resources.limits.cpu", "Quantity", false),
            ("council.spec.formation.deadline", "Duration", false),
            ("agenttemplate.spec.image", "string", false),
            ("team.metadata.labels", "map[string]string", false),
            ("team.metadata.creationTimestamp", "Time", false),
            ("team.status.conditions.reason", "string", true),
            ("agent.status.node", "string", false),
        ] {
            let field = field(path);
            assert_eq!(
                (field.type_name.as_str(), field.required),
                (type_name, required),
                "{path}"
            );
            assert!(!field.description.is_empty(), "{path} is not described");
        }
    }

    #[test]
    fn values_and_fields_are_listed() {
        assert_eq!(
            field("team.spec.task.priority").allowed,
            ["low", "medium", "high", "critical"]
        );
        let core = field("council.spec.coreRoles");
        assert_eq!(
            core.allowed,
            ["product-manager", "engineering-lead", "quality-lead"]
        );
        assert_eq!(
            field("team.spec.defaults.mounts.type").default.as_deref(),
            Some("volume")
        );
        let names: Vec<String> = field("team.spec.roles")
            .fields
            .into_iter()
            .map(|field| field.name)
            .collect();
        assert_eq!(names, ["agent", "name", "replicas", "required", "template"]);
    }

    #[test]
    fn an_unknown_word_gets_the_nearest() {
        for (path, message) in [
            (
                "taem",
                "there is no kind \"taem\" (did you mean \"team\"?): one of team, council, agenttemplate, policy, gitsource, agent",
            ),
            (
                "team.spec.roels",
                "team.spec has no field \"roels\" (did you mean \"roles\"?): it has defaults, network, project, \
                 replicas, roles, suspend, task",
            ),
            (
                "team.spec.project.x",
                "team.spec.project has no field \"x\": there is nothing below it",
            ),
        ] {
            assert_eq!(explain(path).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn every_field_of_ours_is_described() {
        fn check(path: &str, field: &Field) {
            assert!(!field.description.is_empty(), "{path} is not described");
            for field in &field.fields {
                check(&format!("{path}.{}", field.name), field);
            }
        }
        for kind in Kind::ALL {
            for field in field(kind.singular()).fields {
                check(&format!("{kind}.{}", field.name), &field);
            }
        }
    }
}
