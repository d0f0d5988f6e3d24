//! Which sources wait for which others. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::Source;
use crate::resource::Key;
use crate::resource::condition::{self, ConditionType, Reason};
use crate::resource::git_source::GitReference;

/// A source as those see it that depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The sources that it depends on itself.
    needs: Vec<Key>,
    /// Why it is not ready, if it is not.
    lacks: Option<Lack>,
    /// What of which repository it applies, and the commit that it applied.
    url: String,
    reference: Option<GitReference>,
    applied: Option<String>,
}

/// Why a source is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// There is no such source, as far as the one that waits may know.
    Missing,
    /// What it was told last is not applied yet.
    Behind,
    /// It has not applied the commit that the other one would apply, of the same repository.
    Elsewhere,
    /// The condition says so, for this reason.
    NotReady(String),
}

/// Why a source waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// Others are not ready.
    For(Vec<(Key, Lack)>),
    /// It depends on itself, by this way from it to it.
    Loop(Vec<Key>),
}

impl Standing {
    /// How a source stands.
    pub(super) fn of(source: &Source) -> Self {
        let ready = condition::get(&source.status.conditions, ConditionType::Ready);
        let lacks = match ready {
            Some(ready) if ready.observed_generation != Some(source.object.generation()) => {
                Some(Lack::Behind)
            }
            // What a suspended one was told last is not applied, whatever was ready before.
            Some(ready) if ready.status == "True" && ready.reason != Reason::Suspended.to_string() => None,
            Some(ready) => Some(Lack::NotReady(ready.reason.clone())),
            None => Some(Lack::Behind),
        };
        Self {
            needs: source.needs(),
            lacks,
            url: source.spec.url.clone(),
            reference: source.spec.reference.clone(),
            applied: source.status.applied_revision.clone(),
        }
    }

    /// What keeps a source from going on that depends on this one, with a commit once it knows which.
    fn lack(&self, source: &Source, revision: Option<&str>) -> Option<Lack> {
        let is_same = (&self.url, &self.reference) == (&source.spec.url, &source.spec.reference);
        let is_elsewhere = revision.is_some_and(|revision| self.applied.as_deref() != Some(revision));
        let elsewhere = || (is_same && is_elsewhere).then_some(Lack::Elsewhere);
        self.lacks.clone().or_else(elsewhere)
    }
}

/// Why a source has to wait, among all that were seen, before it looks at its repository, or before it applies a commit that
/// it found there; `None` when it need not.
pub(super) fn waits(source: &Source, revision: Option<&str>, all: &BTreeMap<Key, Standing>) -> Option<Waits> {
    if let Some(way) = way_back(source, all) {
        return Some(Waits::Loop(way));
    }
    let lack = |needed: &Key| match all.get(needed).filter(|_| source.may_know(needed)) {
        Some(standing) => standing.lack(source, revision),
        None => Some(Lack::Missing),
    };
    let lacking: Vec<(Key, Lack)> = source
        .needs()
        .into_iter()
        .filter_map(|needed| lack(&needed).map(|lack| (needed, lack)))
        .collect();
    (!lacking.is_empty()).then_some(Waits::For(lacking))
}

/// The shortest way from a source over what it depends on back to it, both ends included, as far as it may know of it.
fn way_back(source: &Source, all: &BTreeMap<Key, Standing>) -> Option<Vec<Key>> {
    let key = source.object.key();
    let mut seen = BTreeSet::new();
    let first = source.needs().into_iter().map(|next| vec![key.clone(), next]);
    let mut ways: VecDeque<Vec<Key>> = first.collect();
    while let Some(way) = ways.pop_front() {
        let last = way.last()?;
        if *last == key {
            return Some(way);
        }
        if source.may_know(last) && seen.insert(last.clone()) {
            let needs = all.get(last).map_or(&[][..], |standing| &standing.needs);
            ways.extend(
                needs
                    .iter()
                    .map(|next| [&way[..], std::slice::from_ref(next)].concat()),
            );
        }
    }
    None
}

impl Waits {
    /// Those that should look at their repositories: those that are ready, but not with the commit that the one that waits has
    /// found; and all that are there, where somebody asked it to look.
    pub(super) fn to_look(&self, is_asked: bool) -> impl Iterator<Item = &Key> {
        let lacking = match self {
            Self::For(lacking) => lacking.as_slice(),
            Self::Loop(_) => &[],
        };
        let to_look = lacking.iter().filter(move |(_, lack)| match lack {
            Lack::Elsewhere => true,
            Lack::Behind | Lack::NotReady(_) => is_asked,
            Lack::Missing => false,
        });
        to_look.map(|(key, _)| key)
    }

    /// One word for machines.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::For(_) => Reason::DependencyNotReady,
            Self::Loop(_) => Reason::DependencyLoop,
        }
    }

    /// What people are told of the source that waits.
    pub(super) fn told(&self, source: &Source) -> String {
        let here = source.object.namespace();
        let name = |key: &Key| match key.namespace == here {
            true => key.name.clone(),
            false => format!("{}/{}", key.namespace, key.name),
        };
        match self {
            Self::For(lacking) => {
                let told = lacking.iter().map(|(key, lack)| {
                    let why = match lack {
                        Lack::Missing if key.namespace == here => "is not there".to_owned(),
                        // The same, whether or not there is one that is not for it to know of.
                        Lack::Missing => {
                            "is not there, or not for this source to see: spec.impersonate says where it acts"
                                .to_owned()
                        }
                        Lack::Elsewhere => "has not applied the same commit yet".to_owned(),
                        Lack::Behind => "is not looked at yet as it is now".to_owned(),
                        Lack::NotReady(reason) => format!("is not ready: {reason}"),
                    };
                    format!("gitsource/{} ({why})", name(key))
                });
                format!("waits for {}", told.collect::<Vec<String>>().join(", "))
            }
            Self::Loop(way) => {
                let way: Vec<String> = way.iter().map(name).collect();
                format!(
                    "waits for itself: {}; take one of these out of spec.dependsOn of the one before it",
                    way.join(" -> ")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Kind, Object};

    /// A source as `name: what it depends on`, for example `a: b infra/c`, with the status of its condition.
    fn source(text: &str, ready: &str, observed: i64) -> Source {
        let (name, needs) = text.split_once(':').unwrap();
        let needs: Vec<_> = needs
            .split_whitespace()
            .map(|needed| match needed.split_once('/') {
                Some((namespace, name)) => json!({"namespace": namespace, "name": name}),
                None => json!({"name": needed}),
            })
            .collect();
        let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
        let key = Key::new(Kind::GitSource, namespace, name);
        let everywhere = json!({"namespaces": ["*"]});
        let spec = json!({"url": "u", "dependsOn": needs, "impersonate": everywhere});
        let mut object = Object::new(&key, spec);
        object.metadata.generation = Some(2);
        object.status = Some(json!({"conditions": [{
            "type": "Ready", "status": ready, "reason": "FetchFailed", "message": "", "observedGeneration": observed,
            "lastTransitionTime": "2026-03-01T10:00:00Z",
        }]}));
        Source::read(object).unwrap()
    }

    fn check(sources: &[Source], expected: &str) {
        check_at(None, sources, expected);
    }

    /// What is told of the first of several, once it knows the commit.
    fn check_at(revision: Option<&str>, sources: &[Source], expected: &str) {
        let all = sources
            .iter()
            .map(|source| (source.object.key(), Standing::of(source)))
            .collect();
        let told = waits(&sources[0], revision, &all).map(|waits| waits.told(&sources[0]));
        assert_eq!(told.unwrap_or_default(), expected);
    }

    #[test]
    fn a_source_waits_until_all_are_ready_as_they_are_now() {
        let ready = |text| source(text, "True", 2);
        check(&[ready("a:")], "");
        check(&[ready("a: b infra/c"), ready("b:"), ready("infra/c:")], "");
        check(
            &[ready("a: b"), ready("infra/b:")],
            "waits for gitsource/b (is not there)",
        );
        check(
            &[
                ready("a: b infra/c d"),
                source("b:", "False", 2),
                source("infra/c:", "True", 1),
                ready("d:"),
            ],
            "waits for gitsource/b (is not ready: FetchFailed), gitsource/infra/c (is not looked at yet as it is now)",
        );
        // What those wait for is theirs to tell.
        check(
            &[ready("a: b"), source("b: c", "Unknown", 2)],
            "waits for gitsource/b (is not ready: FetchFailed)",
        );
        let mut resting = ready("b:");
        resting.status.conditions[0].reason = "Suspended".to_owned();
        check(
            &[ready("a: b"), resting],
            "waits for gitsource/b (is not ready: Suspended)",
        );
        let mut new = ready("b:");
        new.status.conditions.clear();
        check(
            &[ready("a: b"), new],
            "waits for gitsource/b (is not looked at yet as it is now)",
        );
    }

    #[test]
    fn a_source_that_waits_for_itself_is_told_the_way() {
        let ready = |text| source(text, "True", 2);
        let told = |way: &str| {
            format!("waits for itself: {way}; take one of these out of spec.dependsOn of the one before it")
        };
        check(&[ready("a: a")], &told("a -> a"));
        check(&[ready("a: b"), ready("b: a")], &told("a -> b -> a"));
        check(
            &[
                ready("a: b c"),
                ready("b: d"),
                ready("d: c"),
                ready("c: infra/e"),
                ready("infra/e: infra/f"),
                ready("infra/f: default/a"),
            ],
            &told("a -> c -> infra/e -> infra/f -> a"),
        );
        // Others go round in a circle, and this one only waits for one of them.
        check(
            &[ready("a: b"), source("b: c", "False", 2), ready("c: b")],
            "waits for gitsource/b (is not ready: FetchFailed)",
        );
    }

    #[test]
    fn a_commit_goes_from_one_source_to_the_next_where_both_read_the_same() {
        let ready = |text| source(text, "True", 2);
        let mut base = ready("b:");
        base.status.applied_revision = Some("1".to_owned());
        let sources = [ready("a: b"), base];
        check_at(None, &sources, "");
        check_at(Some("1"), &sources, "");
        let behind = "waits for gitsource/b (has not applied the same commit yet)";
        check_at(Some("2"), &sources, behind);
        let mut other = sources.clone();
        other[1].spec.url = "v".to_owned();
        check_at(Some("2"), &other, "");
        let mut tagged = sources.clone();
        tagged[1].spec.reference = Some(GitReference::default());
        check_at(Some("2"), &tagged, "");
    }

    #[test]
    fn what_a_source_may_not_see_is_as_if_it_were_not_there() {
        let ready = |text| {
            let mut source = source(text, "True", 2);
            source.spec.impersonate = None;
            source
        };
        let told = "waits for gitsource/infra/c (is not there, or not for this source to see: spec.impersonate says where it \
                    acts)";
        check(&[ready("a: infra/c")], told);
        check(&[ready("a: infra/c"), ready("infra/c:")], told);
        check(&[ready("a: infra/c"), ready("infra/c: infra/d")], told);
        check(
            &[ready("a: infra/c"), source("infra/c: default/a", "True", 2)],
            told,
        );
    }
}
