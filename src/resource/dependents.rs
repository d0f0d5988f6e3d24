//! What becomes of objects whose owners (`metadata.ownerReferences`) go. Pure.
//!
//! The rules are those of Kubernetes' garbage collection: an object goes with the last of its owners. One that is deleted in
//! the foreground waits for those that block it, and one that is deleted as `Orphan` leaves them behind.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::kind::Kind;
use super::lifecycle::Propagation;
use super::names::{FOREGROUND_FINALIZER, ORPHAN_FINALIZER};
use super::object::{API_VERSION, Key, Object};

/// How an owner stands, as those see it that depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there, or nobody here can tell.
    There,
    /// It is being deleted, and waits for them.
    Waits,
    /// It is gone, or was never there.
    Gone,
}

/// What becomes of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is left as it is.
    Stays,
    /// It has another owner still, and forgets those that went.
    Forgets(Box<Object>),
    /// It is deleted like this.
    Goes(Propagation),
}

/// An object as far as its relation to others goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Relative {
    /// Which.
    pub key: Key,
    /// Its metadata, with uid, finalizers and owners.
    pub metadata: ObjectMeta,
}

/// Which owners an object names.
pub fn references(metadata: &ObjectMeta) -> &[OwnerReference] {
    metadata.owner_references.as_deref().unwrap_or_default()
}

/// Which object of its namespace a reference means; `None` for one that is not among those that are kept here.
pub fn owner(object: &Object, reference: &OwnerReference) -> Option<Key> {
    let kind = Kind::stored_as(&reference.kind)?;
    (reference.api_version == API_VERSION).then(|| Key::new(kind, object.namespace(), &reference.name))
}

/// All that an object's references mean, as far as it is kept here.
pub fn owners(object: &Object) -> impl Iterator<Item = Key> {
    let references = references(&object.metadata).iter();
    references.filter_map(|reference| owner(object, reference))
}

/// How the owners that an object names stand, in the order of its references; `found` are those of its namespace that have
/// one of their uids.
pub fn standings(object: &Object, found: &[Relative]) -> Vec<Standing> {
    let standing = |reference: &OwnerReference| {
        let Some(key) = owner(object, reference) else {
            return Standing::There;
        };
        let is_meant = |one: &&Relative| one.key == key && uid(&one.metadata) == reference.uid;
        match found.iter().find(is_meant) {
            None => Standing::Gone,
            Some(owner) if waits(&owner.metadata) => Standing::Waits,
            Some(_) => Standing::There,
        }
    };
    references(&object.metadata).iter().map(standing).collect()
}

/// Whether an object is being deleted, and waits for those that depend on it.
pub fn waits(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.is_some() && has_finalizer(metadata, FOREGROUND_FINALIZER)
}

/// What becomes of an object whose owners stand like this, in the order of its references.
pub fn fate(object: &Object, standings: &[Standing]) -> Fate {
    let has = |standing| standings.contains(&standing);
    if object.is_deleting() || !(has(Standing::Waits) || has(Standing::Gone)) {
        return Fate::Stays;
    }
    if has(Standing::There) {
        let mut standings = standings.iter();
        let stays = |_: &OwnerReference| standings.next() == Some(&Standing::There);
        return Fate::Forgets(Box::new(keeping(object, stays)));
    }
    Fate::Goes(match has(Standing::Waits) {
        // What it owns itself has to be gone, too, before the one that waits may go.
        true => Propagation::Foreground,
        false => Propagation::Background,
    })
}

/// The object once it does not belong to the owner of this uid any more.
pub fn without_owner(object: &Object, uid: &str) -> Object {
    keeping(object, |reference| reference.uid != uid)
}

/// The object once no owner waits for it.
pub fn blocking_nobody(object: &Object) -> Object {
    let mut object = object.clone();
    for reference in object.metadata.owner_references.iter_mut().flatten() {
        reference.block_owner_deletion = Some(false);
    }
    object
}

/// Whether an object keeps its owner from going while that waits. Of two that both wait, and are each other's owners, neither
/// keeps the other.
pub fn blocks(object: &ObjectMeta, owner: &ObjectMeta) -> bool {
    let owned_by = |reference: &OwnerReference| reference.uid == uid(owner);
    let is_mutual = uid(object) == uid(owner)
        || waits(object) && references(owner).iter().any(|other| other.uid == uid(object));
    let blocks =
        |reference: &OwnerReference| owned_by(reference) && reference.block_owner_deletion == Some(true);
    !is_mutual && references(object).iter().any(blocks)
}

/// Whether owners or dependents decide what becomes of an object as it is now.
pub fn is_concerned(object: &Object) -> bool {
    match object.is_deleting() {
        true => [ORPHAN_FINALIZER, FOREGROUND_FINALIZER]
            .iter()
            .any(|finalizer| object.has_finalizer(finalizer)),
        false => !references(&object.metadata).is_empty(),
    }
}

fn uid(metadata: &ObjectMeta) -> &str {
    metadata.uid.as_deref().unwrap_or_default()
}

fn has_finalizer(metadata: &ObjectMeta, finalizer: &str) -> bool {
    metadata.finalizers.iter().flatten().any(|one| one == finalizer)
}

fn keeping(object: &Object, stays: impl FnMut(&OwnerReference) -> bool) -> Object {
    let mut object = object.clone();
    let references = object.metadata.owner_references.get_or_insert_default();
    references.retain(stays);
    if references.is_empty() {
        object.metadata.owner_references = None;
    }
    object
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;

    fn reference(name: &str) -> OwnerReference {
        OwnerReference {
            api_version: API_VERSION.to_owned(),
            kind: "Team".to_owned(),
            name: name.to_owned(),
            uid: format!("uid-of-{name}"),
            ..OwnerReference::default()
        }
    }

    fn owned_by(names: &[&str]) -> Object {
        let mut object = Object::new(&Key::new(Kind::AgentTemplate, "prod", "x"), json!({}));
        object.metadata.owner_references = Some(names.iter().map(|name| reference(name)).collect());
        object
    }

    fn team(uid: &str, finalizer: Option<&str>) -> Object {
        let mut team = Object::new(&Key::new(Kind::Team, "prod", "a"), json!({}));
        team.metadata.uid = Some(uid.to_owned());
        if let Some(finalizer) = finalizer {
            team.metadata.finalizers = Some(vec![finalizer.to_owned()]);
            team.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        }
        team
    }

    fn found(team: Object) -> Relative {
        Relative {
            key: team.key(),
            metadata: team.metadata,
        }
    }

    #[test]
    fn an_owner_is_known_by_its_place_and_its_uid() {
        for (there, expected) in [
            (None, Standing::Gone),
            (Some(team("another", None)), Standing::Gone),
            (Some(team("uid-of-a", None)), Standing::There),
            (Some(team("uid-of-a", Some(ORPHAN_FINALIZER))), Standing::There),
            (
                Some(team("uid-of-a", Some(FOREGROUND_FINALIZER))),
                Standing::Waits,
            ),
        ] {
            let found: Vec<Relative> = there.into_iter().map(found).collect();
            assert_eq!(standings(&owned_by(&["a"]), &found), [expected], "{found:?}");
        }
        let mut elsewhere = found(team("uid-of-a", None));
        elsewhere.key.name = "b".to_owned();
        assert_eq!(standings(&owned_by(&["a"]), &[elsewhere]), [Standing::Gone]);
        let mut stranger = owned_by(&["a", "a"]);
        stranger.metadata.owner_references.as_mut().unwrap()[0].kind = "Agent".to_owned();
        assert_eq!(standings(&stranger, &[]), [Standing::There, Standing::Gone]);
    }

    #[test]
    fn what_is_not_kept_here_is_nobodys_owner() {
        let object = owned_by(&[]);
        let means = |reference| owner(&object, &reference);
        assert_eq!(means(reference("a")), Some(Key::new(Kind::Team, "prod", "a")));
        for (api_version, kind) in [("apps/v1", "Team"), (API_VERSION, "Agent"), ("v1", "ConfigMap")] {
            let other = OwnerReference {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                ..reference("a")
            };
            assert_eq!(means(other), None, "{api_version} {kind}");
        }
    }

    #[test]
    fn an_object_goes_with_the_last_of_its_owners() {
        use Standing::{Gone, There, Waits};
        let object = owned_by(&["a", "b"]);
        let forgets = |left: &[&str]| Fate::Forgets(Box::new(owned_by(left)));
        for (standings, expected) in [
            ([There, There], Fate::Stays),
            ([There, Gone], forgets(&["a"])),
            ([Waits, There], forgets(&["b"])),
            ([Gone, Gone], Fate::Goes(Propagation::Background)),
            ([Gone, Waits], Fate::Goes(Propagation::Foreground)),
        ] {
            assert_eq!(fate(&object, &standings), expected, "{standings:?}");
        }
        assert_eq!(fate(&owned_by(&[]), &[]), Fate::Stays);
        let mut leaving = object;
        leaving.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert_eq!(fate(&leaving, &[Gone, Gone]), Fate::Stays);
    }

    #[test]
    fn nobody_waits_for_themselves() {
        let blocking = |mut object: Object, owner: &str| {
            let mut reference = reference(owner);
            reference.block_owner_deletion = Some(true);
            object.metadata.owner_references = Some(vec![reference]);
            object
        };
        let waits = Some(FOREGROUND_FINALIZER);
        let (a, b) = (team("uid-of-a", waits), team("uid-of-b", waits));
        let blocks = |object: &Object, owner: &Object| blocks(&object.metadata, &owner.metadata);
        assert!(blocks(&blocking(b.clone(), "a"), &a));
        assert!(!blocks(&blocking_nobody(&blocking(b.clone(), "a")), &a));
        assert!(!blocks(&b, &a));
        assert!(!blocks(&blocking(a.clone(), "a"), &a));
        let (a, b) = (blocking(a, "b"), blocking(b, "a"));
        assert!(!blocks(&b, &a) && !blocks(&a, &b));
    }

    #[test]
    fn who_is_left_behind_has_no_such_owner() {
        let object = owned_by(&["a", "b"]);
        assert_eq!(without_owner(&object, "uid-of-a"), owned_by(&["b"]));
        let alone = without_owner(&owned_by(&["a"]), "uid-of-a");
        assert_eq!(alone.metadata.owner_references, None);
        assert!(is_concerned(&object) && !is_concerned(&alone));
    }
}
