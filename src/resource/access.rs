//! Who may do what: roles, and the rules that come with them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What somebody may do, from the most to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything; with all namespaces, also what belongs to none, such as tokens, and Policies, which are about nodes.
    Admin,
    /// Reads everything and changes what people declare, but no Policy, and no status, which is the operator's.
    Edit,
    /// Reads everything but tokens.
    View,
    /// What an agent needs to know of its team: reads teams, councils and agents, without logs and history.
    Agent,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::Admin, Role::Edit, Role::View, Role::Agent];

    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Edit => "edit",
            Role::View => "view",
            Role::Agent => "agent",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a role; the roles are admin, edit, view and agent")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let found = Self::ALL.into_iter().find(|role| role.word() == text);
        found.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// Stands for all namespaces where names of namespaces are listed.
pub const ALL_NAMESPACES: &str = "*";

/// A role, and where it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What may be done.
    pub role: Role,
    /// In which namespaces; `None` is in all, and in what belongs to no namespace.
    pub namespaces: Option<BTreeSet<String>>,
}

/// What a request asks for, in Kubernetes' words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// `chorus.services`, or empty for the core group.
    pub group: String,
    /// The plural.
    pub resource: String,
    /// `status`, `scale`, `log` and the like; empty for the object itself.
    pub subresource: String,
    /// `None` for all namespaces, or where there are none.
    pub namespace: Option<String>,
    /// The object; empty for a collection.
    pub name: String,
}

/// What it is about, as Kubernetes' messages name it: `teams.chorus.services "payments"`.
impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        match self.name.as_str() {
            "" => Ok(()),
            name => write!(f, " \"{name}\""),
        }
    }
}

const READS: [&str; 3] = ["get", "list", "watch"];
/// What agents may read.
const OF_AGENTS: [&str; 3] = ["teams", "councils", "agents"];
/// Who may come in is for those to say who may do everything.
const TOKENS: &str = "tokens";
/// What agents may ask of nodes is for those to say who rule all of them.
const POLICIES: &str = "policies";

impl Grant {
    /// Everything, everywhere: what the owner of the socket may do.
    pub fn everything() -> Self {
        Self {
            role: Role::Admin,
            namespaces: None,
        }
    }

    /// A role in the namespaces of a list, in which `*` alone is all of them.
    pub fn listed(role: Role, namespaces: BTreeSet<String>) -> Self {
        let everywhere = namespaces.iter().eq([ALL_NAMESPACES]);
        Self {
            role,
            namespaces: (!everywhere).then_some(namespaces),
        }
    }

    /// Nothing, anywhere.
    pub fn nothing() -> Self {
        Self {
            role: Role::Agent,
            namespaces: Some(BTreeSet::new()),
        }
    }

    /// Whether it allows all that another one does.
    pub fn covers(&self, other: &Grant) -> bool {
        let places = match (&self.namespaces, &other.namespaces) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => mine.is_superset(theirs),
        };
        places && self.role <= other.role
    }

    /// Where it holds, for people: `prod, test`.
    pub fn places(&self) -> String {
        match &self.namespaces {
            None => "all namespaces".to_owned(),
            Some(namespaces) if namespaces.is_empty() => "no namespace".to_owned(),
            Some(namespaces) => namespaces.iter().cloned().collect::<Vec<String>>().join(", "),
        }
    }

    /// Whether it holds in a namespace.
    pub fn reaches(&self, namespace: &str) -> bool {
        self.namespaces
            .as_ref()
            .is_none_or(|namespaces| namespaces.contains(namespace))
    }

    /// Whether it allows a deed.
    pub fn allows(&self, deed: &Deed) -> bool {
        let place = match &deed.namespace {
            Some(namespace) => self.reaches(namespace),
            None => self.namespaces.is_none(),
        };
        let everywhere = self.namespaces.is_none() && self.role == Role::Admin;
        let binds_nodes = deed.resource == POLICIES && !READS.contains(&deed.verb.as_str());
        place && self.role.allows(deed) && (everywhere || !binds_nodes)
    }
}

/// `the role edit in prod, test`.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the role {} in {}", self.role, self.places())
    }
}

impl Role {
    fn allows(self, deed: &Deed) -> bool {
        let reads = READS.contains(&deed.verb.as_str());
        match self {
            Role::Admin => true,
            _ if deed.resource == TOKENS => false,
            Role::Edit => reads || deed.subresource != "status",
            Role::View => reads,
            Role::Agent => {
                reads && deed.subresource.is_empty() && OF_AGENTS.contains(&deed.resource.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(text: &str) -> Deed {
        let mut words = text.split(' ');
        let verb = words.next().unwrap();
        let (resource, subresource) = {
            let resource = words.next().unwrap();
            resource.split_once('/').unwrap_or((resource, ""))
        };
        Deed {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: words.next().map(str::to_owned),
            ..Deed::default()
        }
    }

    #[test]
    fn each_role_does_what_it_is_for() {
        // Which of admin, edit, view, agent may do it in a namespace of theirs.
        for (text, expected) in [
            ("list teams prod", "admin edit view agent"),
            ("watch agents prod", "admin edit view agent"),
            ("get teams/history prod", "admin edit view"),
            ("get agents/log prod", "admin edit view"),
            ("list agenttemplates prod", "admin edit view"),
            ("list events prod", "admin edit view"),
            ("create teams prod", "admin edit"),
            ("delete councils prod", "admin edit"),
            ("patch teams/scale prod", "admin edit"),
            ("create teams/plan prod", "admin edit"),
            ("patch teams/status prod", "admin"),
            ("list tokens prod", "admin"),
            ("get policies prod", "admin edit view"),
            ("create policies prod", ""),
        ] {
            let allowed: Vec<&str> = Role::ALL
                .into_iter()
                .filter(|role| {
                    let grant = Grant {
                        role: *role,
                        namespaces: Some(["prod".to_owned()].into()),
                    };
                    grant.allows(&deed(text))
                })
                .map(Role::word)
                .collect();
            assert_eq!(allowed.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn a_grant_that_covers_another_allows_all_that_it_does() {
        let places = [None, Some("prod"), Some("prod test"), Some("")];
        let all: Vec<Grant> = Role::ALL
            .into_iter()
            .flat_map(|role| {
                places.map(|names| Grant {
                    role,
                    namespaces: names.map(|names| names.split_whitespace().map(str::to_owned).collect()),
                })
            })
            .collect();
        let deeds: Vec<Deed> = ["get", "create"]
            .into_iter()
            .flat_map(|verb| {
                ["teams", "teams/status", "policies", "tokens", "agents/log"]
                    .into_iter()
                    .flat_map(move |what| {
                        ["", " prod", " test"].map(|place| deed(&format!("{verb} {what}{place}")))
                    })
            })
            .collect();
        for one in &all {
            assert!(one.covers(one) && Grant::everything().covers(one), "{one}");
            for other in all.iter().filter(|other| one.covers(other)) {
                for deed in &deeds {
                    assert!(
                        one.allows(deed) || !other.allows(deed),
                        "{one}, {other}: {deed:?}"
                    );
                }
            }
        }
        let grant = |text: &str, namespaces: Option<&str>| Grant {
            role: text.parse().unwrap(),
            namespaces: namespaces.map(|names| names.split(' ').map(str::to_owned).collect()),
        };
        for (mine, theirs) in [
            (grant("edit", Some("prod")), grant("admin", Some("prod"))),
            (grant("admin", Some("prod")), grant("edit", None)),
            (grant("admin", Some("prod")), grant("view", Some("prod test"))),
        ] {
            assert!(!mine.covers(&theirs), "{mine}, {theirs}");
        }
    }

    #[test]
    fn a_grant_ends_at_its_namespaces() {
        for (namespaces, text, expected) in [
            (None, "list teams", true),
            (None, "create tokens", true),
            (None, "create policies prod", true),
            (Some("prod"), "delete policies prod", false),
            (Some("prod"), "list policies prod", true),
            (Some("prod"), "list teams", false),
            (Some("prod"), "list teams test", false),
            (Some("prod"), "create tokens", false),
        ] {
            let grant = Grant {
                role: Role::Admin,
                namespaces: namespaces.map(|name| [name.to_owned()].into()),
            };
            assert_eq!(grant.allows(&deed(text)), expected, "{namespaces:?} {text}");
        }
    }
}
