//! What the API does to an object's metadata when it is created, updated and deleted. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use super::names::{AGENTS_FINALIZER, FOREGROUND_FINALIZER, ORPHAN_FINALIZER};
use super::object::Object;

/// What only the server knows of a new object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The time of its creation.
    pub now: Timestamp,
    /// Its identity for ever: a UUID.
    pub uid: String,
}

/// What becomes of an object's agents, and of what names it as its owner, when it is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are removed: the agents before the object is gone, all else after it.
    #[default]
    Background,
    /// They are removed, and the object goes after them.
    Foreground,
    /// They are left: agents running, unlabelled, and all else without this owner.
    Orphan,
}

/// What a deletion comes down to.
#[derive(Clone, Debug, PartialEq)]
pub enum Deletion {
    /// Nothing holds the object: its row goes now.
    Remove,
    /// Finalizers hold it: it is stored with its deletion timestamp, and goes with the last of them.
    Mark(Box<Object>),
    /// Somebody asked before.
    AlreadyMarked,
}

/// A new object as it is stored: with uid, creation time and generation 1, held by our finalizer when it owns
/// agents, and without a status.
pub fn create(object: Object, stamp: &Stamp) -> Object {
    let mut new = object;
    let metadata = &mut new.metadata;
    metadata.uid = Some(stamp.uid.clone());
    metadata.creation_timestamp = Some(Time(whole_seconds(stamp.now)));
    metadata.generation = Some(1);
    metadata.resource_version = None;
    metadata.deletion_timestamp = None;
    metadata.deletion_grace_period_seconds = None;
    new.status = None;
    hold(&mut new);
    new
}

/// `new` as it replaces `old`: identity, times and status stay; the generation moves when the spec differs,
/// and only then.
///
/// While nobody asked for deletion, our finalizer stays. Afterwards finalizers can be taken off, but none
/// can be added.
pub fn update(old: &Object, new: Object) -> Object {
    let mut next = new;
    let metadata = &mut next.metadata;
    metadata.name.clone_from(&old.metadata.name);
    metadata.namespace.clone_from(&old.metadata.namespace);
    metadata.uid.clone_from(&old.metadata.uid);
    metadata
        .creation_timestamp
        .clone_from(&old.metadata.creation_timestamp);
    metadata
        .deletion_timestamp
        .clone_from(&old.metadata.deletion_timestamp);
    metadata.deletion_grace_period_seconds = old.metadata.deletion_grace_period_seconds;
    metadata.generation = Some(old.generation() + i64::from(next.spec != old.spec));
    if old.is_deleting() {
        if let Some(finalizers) = &mut metadata.finalizers {
            finalizers.retain(|finalizer| old.has_finalizer(finalizer));
        }
    } else {
        hold(&mut next);
    }
    next.status.clone_from(&old.status);
    next
}

/// The finalizers that `new` would add to `old` although that is being deleted, which is too late for them.
pub fn late_finalizers<'a>(old: &Object, new: &'a Object) -> Vec<&'a str> {
    let asked = new.metadata.finalizers.iter().flatten();
    let late = asked.filter(|finalizer| old.is_deleting() && !old.has_finalizer(finalizer));
    late.map(String::as_str).collect()
}

/// `old` with another status, and nothing else changed.
pub fn update_status(old: &Object, status: Value) -> Object {
    Object {
        status: Some(status),
        ..old.clone()
    }
}

/// What deleting `old` at `now` comes down to. Where nobody says how, the finalizers that it has decide, as in Kubernetes.
pub fn delete(old: &Object, how: Option<Propagation>, now: Timestamp) -> Deletion {
    let mut marked = old.clone();
    let finalizers = marked.metadata.finalizers.get_or_insert_default();
    if let Some(how) = how {
        finalizers.retain(|one| one != FOREGROUND_FINALIZER && one != ORPHAN_FINALIZER);
        finalizers.extend(match how {
            Propagation::Background => None,
            Propagation::Foreground => Some(FOREGROUND_FINALIZER.to_owned()),
            Propagation::Orphan => Some(ORPHAN_FINALIZER.to_owned()),
        });
    }
    if finalizers.is_empty() {
        return Deletion::Remove;
    }
    if old.is_deleting() {
        return match marked == *old {
            true => Deletion::AlreadyMarked,
            // How it goes can be said anew, for example when it waits in vain.
            false => Deletion::Mark(Box::new(marked)),
        };
    }
    marked.metadata.deletion_timestamp = Some(Time(whole_seconds(now)));
    marked.metadata.deletion_grace_period_seconds = Some(0);
    Deletion::Mark(Box::new(marked))
}

/// Whether nothing holds the object any more after somebody asked for its deletion: its row goes.
pub fn is_finished(object: &Object) -> bool {
    object.is_deleting() && object.metadata.finalizers.as_ref().is_none_or(Vec::is_empty)
}

fn hold(object: &mut Object) {
    if object.kind.owns_agents() && !object.has_finalizer(AGENTS_FINALIZER) {
        let finalizers = object.metadata.finalizers.get_or_insert_default();
        finalizers.push(AGENTS_FINALIZER.to_owned());
    }
}

/// Kubernetes' times have no fractions, and what a client reads must equal what is stored.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::kind::Kind;
    use super::super::object::Key;
    use super::*;

    const UID: &str = "6f9619ff-8b86-d011-b42d-00c04fc964ff";

    fn now() -> Timestamp {
        "2026-03-01T10:00:00.987Z".parse().unwrap()
    }

    fn stored(kind: Kind) -> Object {
        let sent = Object {
            status: Some(json!({"state": "Ready"})),
            ..Object::new(&Key::new(kind, "default", "payments"), json!({"roles": []}))
        };
        let stamp = Stamp {
            now: now(),
            uid: UID.to_owned(),
        };
        create(sent, &stamp)
    }

    #[test]
    fn a_new_object_is_stamped_and_held() {
        let team = stored(Kind::Team);
        assert_eq!((team.uid(), team.generation(), &team.status), (UID, 1, &None));
        assert!(team.has_finalizer(AGENTS_FINALIZER));
        let metadata = serde_json::to_value(&team.metadata).unwrap();
        assert_eq!(metadata["creationTimestamp"], "2026-03-01T10:00:00Z");
        assert!(!stored(Kind::AgentTemplate).has_finalizer(AGENTS_FINALIZER));
    }

    #[test]
    fn the_generation_moves_with_the_spec_alone() {
        let mut old = stored(Kind::Team);
        old.status = Some(json!({"state": "Ready"}));
        let key = old.key();
        let mut same = Object::new(&key, old.spec.clone());
        same.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        let updated = update(&old, same);
        assert_eq!((updated.generation(), updated.uid()), (1, UID));
        assert_eq!(updated.status, old.status);
        assert!(updated.has_finalizer(AGENTS_FINALIZER));
        let changed = update(&old, Object::new(&key, json!({"roles": [{"name": "a"}]})));
        assert_eq!(changed.generation(), 2);
        assert_eq!(update_status(&old, json!({})).generation(), 1);
    }

    #[test]
    fn deletion_waits_for_the_last_finalizer() {
        let team = stored(Kind::Team);
        let Deletion::Mark(marked) = delete(&team, None, now()) else {
            panic!("a held object must be marked");
        };
        assert!(marked.is_deleting() && !is_finished(&marked));
        assert_eq!(
            delete(&marked, Some(Propagation::Background), now()),
            Deletion::AlreadyMarked
        );

        let mut released = (*marked).clone();
        released.metadata.finalizers = None;
        let released = update(&marked, released);
        assert!(is_finished(&released));

        let mut more = (*marked).clone();
        more.metadata
            .finalizers
            .get_or_insert_default()
            .push("late".to_owned());
        assert_eq!(late_finalizers(&marked, &more), ["late"]);
        assert!(late_finalizers(&marked, &released).is_empty());
        assert!(late_finalizers(&team, &more).is_empty());
        assert!(!update(&marked, more).has_finalizer("late"));
    }

    #[test]
    fn what_dependents_decide_is_a_finalizer_of_its_own() {
        for (how, finalizer) in [
            (Propagation::Orphan, ORPHAN_FINALIZER),
            (Propagation::Foreground, FOREGROUND_FINALIZER),
        ] {
            for (kind, has_agents) in [(Kind::Council, true), (Kind::AgentTemplate, false)] {
                let Deletion::Mark(marked) = delete(&stored(kind), Some(how), now()) else {
                    panic!("a held object must be marked");
                };
                assert!(marked.has_finalizer(finalizer), "{how:?} {kind:?}");
                assert_eq!(marked.has_finalizer(AGENTS_FINALIZER), has_agents);
            }
        }
        let template = stored(Kind::AgentTemplate);
        assert_eq!(
            delete(&template, Some(Propagation::Background), now()),
            Deletion::Remove
        );
        // What somebody says of it later counts for more than what was said of it before.
        let mut orphaning = template;
        orphaning.metadata.finalizers = Some(vec![ORPHAN_FINALIZER.to_owned()]);
        for (how, finalizers) in [
            (None, vec![ORPHAN_FINALIZER]),
            (Some(Propagation::Foreground), vec![FOREGROUND_FINALIZER]),
        ] {
            let Deletion::Mark(marked) = delete(&orphaning, how, now()) else {
                panic!("a held object must be marked");
            };
            assert_eq!(marked.metadata.finalizers.unwrap(), finalizers);
        }
        assert_eq!(
            delete(&orphaning, Some(Propagation::Background), now()),
            Deletion::Remove
        );
    }
}
