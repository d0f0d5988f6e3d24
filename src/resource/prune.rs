//! What a commit may delete of what its source declared before. Pure.

use std::collections::BTreeSet;

use super::git_source::GitSourceSpec;
use super::names::PRUNE;
use super::object::{Key, Object};

/// The share of its objects, in percent, that one commit may have deleted when the source does not say.
const SHARE: i64 = 30;
/// How many names a message tells.
const NAMES: usize = 5;
/// The shortest beginning of a commit's hash that names it.
const HASH_MIN: usize = 7;

/// What becomes of the objects that a source declared so far (`inventory`) and does not any more, by how they are now
/// (`live`): those that are not there are nothing that anybody deletes.
///
/// `revision` is the commit, and `allowed` the one whose guards somebody lifted.
///
/// # Errors
/// The guard that holds.
pub fn decide(
    spec: &GitSourceSpec,
    inventory: &BTreeSet<Key>,
    declared: &BTreeSet<Key>,
    live: &[Object],
    (revision, allowed): (&str, Option<&str>),
) -> Result<Pruned, Guard> {
    let which = |holds: fn(&Object) -> bool| -> BTreeSet<Key> {
        let those = live.iter().filter(|object| holds(object));
        those.map(Object::key).collect()
    };
    let there = which(|_| true);
    let inventory = inventory
        .iter()
        .filter(|key| declared.contains(key) || there.contains(key));
    prune(Question {
        prune: spec.prune,
        max_prune: spec.max_prune,
        inventory: &inventory.cloned().collect(),
        declared,
        protected: &which(stays),
        pinned: &which(Object::is_pinned),
        revision,
        allowed,
    })
}

/// What the decision rests on.
#[derive(Clone, Copy, Debug)]
struct Question<'a> {
    /// Whether objects that left the repository are deleted at all.
    prune: bool,
    /// The largest share that may go, in percent.
    max_prune: Option<i64>,
    /// What the source declared so far.
    inventory: &'a BTreeSet<Key>,
    /// What it declares now.
    declared: &'a BTreeSet<Key>,
    /// The objects that say that they stay.
    protected: &'a BTreeSet<Key>,
    /// The objects that are left as they are, whatever anybody says of commits.
    pinned: &'a BTreeSet<Key>,
    /// The commit.
    revision: &'a str,
    /// The commit whose guards somebody lifted.
    allowed: Option<&'a str>,
}

/// What becomes of the objects that left the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// They are deleted.
    pub remove: Vec<Key>,
    /// They say that they stay, and the source keeps them in mind.
    pub kept: Vec<Key>,
    /// They are left as they are, and are still the source's.
    pub pinned: Vec<Key>,
    /// They stay, and are the source's no longer.
    pub left: Vec<Key>,
}

/// Why a commit is not applied without a person's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// It declares nothing at all.
    Empty {
        /// How many objects would go.
        owned: usize,
    },
    /// It has more deleted than it may.
    Share {
        /// What would go.
        gone: Vec<Key>,
        /// Of how many.
        owned: usize,
        /// The most that may go.
        most: usize,
    },
}

/// Decides it.
///
/// # Errors
/// The guard that holds.
fn prune(question: Question<'_>) -> Result<Pruned, Guard> {
    let Question {
        prune,
        max_prune,
        inventory,
        declared,
        protected,
        pinned,
        revision,
        allowed,
    } = question;
    let gone = inventory.difference(declared).cloned();
    let (pinned, gone): (Vec<Key>, Vec<Key>) = gone.partition(|key| pinned.contains(key));
    if !prune {
        return Ok(Pruned {
            left: gone,
            pinned,
            ..Pruned::default()
        });
    }
    if allowed.is_some_and(|allowed| names(allowed, revision)) {
        return Ok(Pruned {
            remove: gone,
            pinned,
            ..Pruned::default()
        });
    }
    let (kept, remove): (Vec<Key>, Vec<Key>) = gone.into_iter().partition(|key| protected.contains(key));
    let owned = inventory.len();
    if declared.is_empty() && !remove.is_empty() {
        return Err(Guard::Empty { owned });
    }
    let most = most(max_prune.unwrap_or(SHARE), owned);
    if remove.len() > most {
        return Err(Guard::Share {
            gone: remove,
            owned,
            most,
        });
    }
    Ok(Pruned {
        remove,
        kept,
        pinned,
        left: Vec::new(),
    })
}

/// Whether an object says that it stays when it leaves its repository.
fn stays(object: &Object) -> bool {
    object.annotation(PRUNE) == Some("disabled")
}

/// How many of so many may go; a single one always, unless none may.
fn most(percent: i64, owned: usize) -> usize {
    let share = owned.saturating_mul(usize::try_from(percent).unwrap_or(0)) / 100;
    share.max(usize::from(percent > 0))
}

/// Whether a word, the beginning of a hash at least, names a commit.
pub fn names(word: &str, revision: &str) -> bool {
    word.len() >= HASH_MIN && revision.starts_with(word)
}

impl Guard {
    /// What people are told of it whose source is in the namespace `here`.
    pub fn told(&self, here: &str) -> String {
        match self {
            Self::Empty { owned: 1 } => {
                "it declares nothing, and the only object of this source would be deleted".to_owned()
            }
            Self::Empty { owned } => {
                format!("it declares nothing, and all {owned} objects of this source would be deleted")
            }
            Self::Share { gone, owned, most } => format!(
                "{} of the {owned} objects of this source would be deleted ({}), and at most {most} may be at once \
                 (spec.maxPrune)",
                gone.len(),
                list(gone, here)
            ),
        }
    }
}

/// `team/a, team/b in prod and 3 more`.
pub fn list(keys: &[Key], here: &str) -> String {
    let named = keys.iter().take(NAMES);
    let names: Vec<String> = named.map(|key| key.seen_from(here)).collect();
    match keys.len().saturating_sub(NAMES) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;

    const REVISION: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f80910111213";

    fn keys(names: &str) -> BTreeSet<Key> {
        names
            .split_whitespace()
            .map(|name| Key::new(Kind::Team, "default", name))
            .collect()
    }

    fn told(keys: &[Key]) -> String {
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        names.join(" ")
    }

    struct Case<'a> {
        inventory: &'a str,
        declared: &'a str,
        protected: &'a str,
        pinned: &'a str,
        max_prune: Option<i64>,
        allowed: Option<&'a str>,
        expected: Result<(&'a str, &'a str), &'a str>,
    }

    #[test]
    fn what_left_the_repository_goes_unless_a_guard_holds() {
        let plain = Case {
            inventory: "a b c d e f g h i j",
            declared: "a b c d e f g h i j",
            protected: "",
            pinned: "",
            max_prune: None,
            allowed: None,
            expected: Ok(("", "")),
        };
        let cases = [
            Case {
                declared: "a b c d e f g k",
                expected: Ok(("h i j", "")),
                ..plain
            },
            Case {
                declared: "a b c d e f",
                expected: Err(
                    "4 of the 10 objects of this source would be deleted (team/g, team/h, team/i, team/j), and at \
                               most 3 may be at once (spec.maxPrune)",
                ),
                ..plain
            },
            Case {
                declared: "a b c d e f",
                max_prune: Some(40),
                expected: Ok(("g h i j", "")),
                ..plain
            },
            Case {
                declared: "a b c d e f",
                allowed: Some(REVISION),
                expected: Ok(("g h i j", "")),
                ..plain
            },
            Case {
                declared: "a b c d e f",
                allowed: Some("1a2b3c4"),
                expected: Ok(("g h i j", "")),
                ..plain
            },
            Case {
                declared: "k",
                allowed: Some("1a2b3c"),
                expected: Err(
                    "10 of the 10 objects of this source would be deleted (team/a, team/b, team/c, team/d, team/e \
                               and 5 more), and at most 3 may be at once (spec.maxPrune)",
                ),
                ..plain
            },
            Case {
                declared: "",
                max_prune: Some(100),
                expected: Err("it declares nothing, and all 10 objects of this source would be deleted"),
                ..plain
            },
            Case {
                declared: "a b c d e f",
                protected: "g",
                expected: Ok(("h i j", "g")),
                ..plain
            },
            Case {
                declared: "a b c d e f",
                protected: "g",
                allowed: Some(REVISION),
                expected: Ok(("g h i j", "")),
                ..plain
            },
            // What is pinned stays, and does not count.
            Case {
                declared: "a b c d e f",
                pinned: "a g",
                expected: Ok(("h i j", "g")),
                ..plain
            },
            Case {
                declared: "a b c d e f",
                pinned: "g",
                allowed: Some(REVISION),
                expected: Ok(("h i j", "g")),
                ..plain
            },
            Case {
                inventory: "a",
                declared: "",
                pinned: "a",
                expected: Ok(("", "a")),
                ..plain
            },
            // One of few may always go, unless none may.
            Case {
                inventory: "a b",
                declared: "a",
                expected: Ok(("b", "")),
                ..plain
            },
            Case {
                inventory: "a b",
                declared: "a",
                max_prune: Some(0),
                expected: Err(
                    "1 of the 2 objects of this source would be deleted (team/b), and at most 0 may be at once \
                               (spec.maxPrune)",
                ),
                ..plain
            },
            Case {
                inventory: "",
                declared: "",
                expected: Ok(("", "")),
                ..plain
            },
        ];
        for case in cases {
            let (inventory, declared) = (keys(case.inventory), keys(case.declared));
            let decided = prune(Question {
                prune: true,
                max_prune: case.max_prune,
                inventory: &inventory,
                declared: &declared,
                protected: &keys(case.protected),
                pinned: &keys(case.pinned),
                revision: REVISION,
                allowed: case.allowed,
            });
            let decided = decided
                .map(|pruned| {
                    let stay = [pruned.kept, pruned.pinned].concat();
                    (told(&pruned.remove), told(&stay))
                })
                .map_err(|guard| guard.told("default"));
            let expected = case
                .expected
                .map(|(remove, kept)| (remove.to_owned(), kept.to_owned()))
                .map_err(str::to_owned);
            assert_eq!(decided, expected, "from {} to {}", case.inventory, case.declared);
        }
    }

    #[test]
    fn a_source_that_does_not_prune_lets_go() {
        let decided = prune(Question {
            prune: false,
            max_prune: None,
            inventory: &keys("a b c"),
            declared: &keys(""),
            protected: &keys("a"),
            pinned: &keys("c"),
            revision: REVISION,
            allowed: None,
        });
        let left = keys("a b").into_iter().collect();
        assert_eq!(
            decided,
            Ok(Pruned {
                left,
                pinned: keys("c").into_iter().collect(),
                ..Pruned::default()
            })
        );
    }

    #[test]
    fn what_is_elsewhere_is_told_with_its_namespace() {
        let gone: Vec<Key> = keys("a b").into_iter().collect();
        assert_eq!(list(&gone, "default"), "team/a, team/b");
        assert_eq!(list(&gone, "infra"), "team/a in default, team/b in default");
    }
}
