//! What a table shows of an object: the columns that its kind's definition names.

use std::sync::LazyLock;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;
use serde_json::Value;

use super::age::age;
use super::jsonpath::Path;
use super::kind::Kind;

/// One column of a kind.
#[derive(Clone, Debug)]
pub struct Column {
    definition: &'static CustomResourceColumnDefinition,
    path: Path,
}

/// The columns of a kind, without NAME.
pub fn of(kind: Kind) -> &'static [Column] {
    static ALL: LazyLock<[Vec<Column>; 6]> = LazyLock::new(|| Kind::ALL.map(read));
    &ALL[kind as usize]
}

/// A path that cannot be read, which none of ours is, would show nothing.
fn read(kind: Kind) -> Vec<Column> {
    let column = |definition: &'static CustomResourceColumnDefinition| {
        let path = Path::parse(&definition.json_path).ok()?;
        Some(Column { definition, path })
    };
    kind.columns().iter().filter_map(column).collect()
}

impl Column {
    /// Its name, type, format, description and priority.
    pub fn definition(&self) -> &'static CustomResourceColumnDefinition {
        self.definition
    }

    /// Whether it is shown on request only.
    pub fn is_wide(&self) -> bool {
        self.definition.priority.unwrap_or_default() > 0
    }

    /// What the object says in this column: a date as an age, and a flag that is not there as `false`. `None` when it
    /// says nothing.
    pub fn value(&self, item: &Value, now: Timestamp) -> Option<Value> {
        let found = self.path.find(item).into_iter().next();
        let found = found.filter(|value| !value.is_null());
        match self.definition.type_.as_str() {
            "boolean" => Some(found.cloned().unwrap_or(Value::Bool(false))),
            "date" => {
                let then = found?.as_str()?.parse().ok()?;
                Some(Value::from(age(then, now)))
            }
            _ => found.cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_column_of_a_definition_can_be_read() {
        for kind in Kind::ALL {
            assert_eq!(of(kind).len(), kind.columns().len(), "{kind}");
        }
    }

    #[test]
    fn a_column_tells_what_the_object_says() {
        let team = json!({
            "metadata": {"generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"summary": "3/4", "state": null},
        });
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        let told = |name: &str| {
            let column = of(Kind::Team)
                .iter()
                .find(|column| column.definition().name == name);
            column.unwrap().value(&team, now)
        };
        assert_eq!(told("Ready"), Some(json!("3/4")));
        assert_eq!(told("Status"), None);
        assert_eq!(told("Generation"), Some(json!(3)));
        assert_eq!(told("Suspended"), Some(json!(false)));
        assert_eq!(told("Age"), Some(json!("5m")));
    }
}
