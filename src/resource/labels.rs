//! The labels by which whatever is made in a Swarm names its owner. Written and read here alone.

use std::collections::BTreeMap;

use super::names::{MANAGER, label};
use super::workload::Owner;
use super::{Key, Kind};

/// Labels of a service, network, secret or config.
pub type Labels = BTreeMap<String, String>;

/// The labels of all that the installation `instance` makes for an owner.
pub fn of_owner(owner: &Owner, instance: &str) -> Labels {
    let Owner {
        key,
        uid,
        generation: _,
    } = owner;
    let all = selector(key, instance)
        .into_iter()
        .chain([(label::UID, uid.as_str())]);
    all.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What all that `instance` made carries.
pub fn of_instance(instance: &str) -> [(&'static str, &str); 2] {
    [(label::MANAGED_BY, MANAGER), (label::INSTANCE, instance)]
}

/// What all that `instance` made for `key` carries, under any uid.
pub fn selector<'a>(key: &'a Key, instance: &'a str) -> [(&'static str, &'a str); 5] {
    let [manager, instance] = of_instance(instance);
    [
        manager,
        instance,
        (label::KIND, key.kind.singular()),
        (label::NAMESPACE, &key.namespace),
        (label::NAME, &key.name),
    ]
}

/// Whether `instance` made it.
pub fn is_ours(labels: &Labels, instance: &str) -> bool {
    of_instance(instance)
        .into_iter()
        .all(|(name, value)| has(labels, name, value))
}

/// Whether `instance` made it for `key`, under any uid.
pub fn belongs_to(labels: &Labels, key: &Key, instance: &str) -> bool {
    let selected = selector(key, instance)
        .into_iter()
        .all(|(name, value)| has(labels, name, value));
    uid(labels).is_some() && selected
}

/// The owner that it names, whoever made it.
pub fn owner(labels: &Labels) -> Option<Key> {
    let kind = labels.get(label::KIND)?;
    let kind = Kind::ALL.into_iter().find(|known| known.singular() == kind)?;
    let (namespace, name) = (labels.get(label::NAMESPACE)?, labels.get(label::NAME)?);
    Some(Key::new(kind, namespace, name))
}

/// The owner uid that it carries.
pub fn uid(labels: &Labels) -> Option<&str> {
    labels
        .get(label::UID)
        .map(String::as_str)
        .filter(|uid| !uid.is_empty())
}

fn has(labels: &Labels, name: &str, value: &str) -> bool {
    labels.get(name).is_some_and(|found| found == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_for_an_owner_is_found_and_read_again() {
        let key = Key::new(Kind::Team, "default", "payments");
        let owned = Owner {
            key: key.clone(),
            uid: "uid-1".to_owned(),
            generation: 3,
        };
        let labels = of_owner(&owned, "here");
        assert_eq!((owner(&labels), uid(&labels)), (Some(key.clone()), Some("uid-1")));
        let other = Key::new(Kind::Council, "default", "payments");
        for (key, instance, expected) in [
            (&key, "here", true),
            (&key, "elsewhere", false),
            (&other, "here", false),
        ] {
            assert_eq!(belongs_to(&labels, key, instance), expected, "{key} {instance}");
        }
        for missing in [label::MANAGED_BY, label::UID, label::NAME] {
            let mut labels = labels.clone();
            labels.remove(missing);
            assert!(!belongs_to(&labels, &key, "here"), "{missing}");
        }
    }
}
