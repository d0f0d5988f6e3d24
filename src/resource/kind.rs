//! The table of kinds: everything that the rest needs to know of a kind comes from its definition.

use std::fmt;
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, JSONSchemaProps,
};
use serde::{Deserialize, Serialize};

use super::crd;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Roles with agents, working on a task.
    Team,
    /// A project's kick-off council.
    Council,
    /// A reusable agent definition.
    AgentTemplate,
    /// What the agents of a namespace may ask of their nodes.
    Policy,
    /// A Git repository that is kept applied.
    GitSource,
    /// Read-only view of one agent slot.
    Agent,
}

impl Kind {
    /// Every kind, in the order that help texts and `get all` use.
    pub const ALL: [Kind; 6] = [
        Kind::Team,
        Kind::Council,
        Kind::AgentTemplate,
        Kind::Policy,
        Kind::GitSource,
        Kind::Agent,
    ];

    /// The kinds that the store keeps: all but the views.
    pub fn stored() -> impl Iterator<Item = Kind> {
        Self::ALL.into_iter().filter(|kind| kind.is_stored())
    }

    /// The kind of this name, if the store keeps it.
    pub fn stored_as(name: &str) -> Option<Kind> {
        Self::stored().find(|kind| kind.name() == name)
    }

    /// The kinds whose objects declare agents.
    pub fn owners() -> impl Iterator<Item = Kind> {
        Self::ALL.into_iter().filter(|kind| kind.owns_agents())
    }

    /// The kind's CustomResourceDefinition, from which names, columns and the schema are read.
    pub fn definition(self) -> &'static CustomResourceDefinition {
        static ALL: LazyLock<[CustomResourceDefinition; 6]> = LazyLock::new(|| Kind::ALL.map(crd::define));
        &ALL[self as usize]
    }

    /// `Team`.
    pub fn name(self) -> &'static str {
        &self.definition().spec.names.kind
    }

    /// `a Team`, `an Agent`.
    pub fn with_article(self) -> String {
        let name = self.name();
        let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {name}")
    }

    /// `team`.
    pub fn singular(self) -> &'static str {
        self.definition()
            .spec
            .names
            .singular
            .as_deref()
            .unwrap_or_default()
    }

    /// `teams`, as paths name it.
    pub fn plural(self) -> &'static str {
        &self.definition().spec.names.plural
    }

    /// `tm`.
    pub fn short_names(self) -> &'static [String] {
        self.definition()
            .spec
            .names
            .short_names
            .as_deref()
            .unwrap_or_default()
    }

    /// `all`, `chorus`.
    pub fn categories(self) -> &'static [String] {
        self.definition()
            .spec
            .names
            .categories
            .as_deref()
            .unwrap_or_default()
    }

    /// The columns of `get`, without NAME.
    pub fn columns(self) -> &'static [CustomResourceColumnDefinition] {
        self.definition().spec.versions[0]
            .additional_printer_columns
            .as_deref()
            .unwrap_or_default()
    }

    /// The structural schema of the whole object; `None` never happens for a derived definition.
    pub fn schema(self) -> Option<&'static JSONSchemaProps> {
        self.definition().spec.versions[0]
            .schema
            .as_ref()?
            .open_api_v3_schema
            .as_ref()
    }

    /// Whether the store keeps objects of this kind. A view is computed when it is asked for.
    pub fn is_stored(self) -> bool {
        self != Kind::Agent
    }

    /// Whether objects of this kind declare agents, and so are reconciled against the Swarm.
    pub fn owns_agents(self) -> bool {
        matches!(self, Kind::Team | Kind::Council)
    }

    /// Whether objects of this kind decide what owners' agents are and may be: they are stored before owners.
    pub fn shapes_owners(self) -> bool {
        matches!(self, Kind::AgentTemplate | Kind::Policy)
    }

    /// Finds a kind by its kind, singular, plural or short name, in any case.
    pub fn find(word: &str) -> Option<Kind> {
        let word = word.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|kind| kind.words().any(|known| known == word))
    }

    /// Finds a kind by the plural that a path names.
    pub fn from_plural(plural: &str) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| kind.plural() == plural)
    }

    fn words(self) -> impl Iterator<Item = &'static str> {
        [self.singular(), self.plural()]
            .into_iter()
            .chain(self.short_names().iter().map(String::as_str))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_found_by_all_of_its_names() {
        for (word, kind) in [
            ("Team", Kind::Team),
            ("teams", Kind::Team),
            ("tm", Kind::Team),
            ("cn", Kind::Council),
            ("agenttemplates", Kind::AgentTemplate),
            ("AGENT", Kind::Agent),
            ("policies", Kind::Policy),
            ("gs", Kind::GitSource),
        ] {
            assert_eq!(Kind::find(word), Some(kind), "{word}");
        }
        assert_eq!(Kind::find("pod"), None);
    }

    #[test]
    fn each_kind_has_its_article() {
        let all = Kind::ALL.map(Kind::with_article);
        assert_eq!(
            all,
            [
                "a Team",
                "a Council",
                "an AgentTemplate",
                "a Policy",
                "a GitSource",
                "an Agent"
            ]
        );
    }

    #[test]
    fn a_definition_is_the_one_of_its_kind() {
        for kind in Kind::ALL {
            assert_eq!(kind.name(), format!("{kind:?}"));
            assert!(kind.schema().is_some(), "{kind}");
        }
    }
}
