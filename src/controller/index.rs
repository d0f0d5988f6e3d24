//! Which objects a change concerns: the changed one, and those that refer to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{Key, Kind, Object, lower};

/// Who uses which template, and whom the Policies of a namespace bind. Pure memory; its size is the number of
/// references and of owners.
#[derive(Debug, Default)]
pub(super) struct References {
    owners_in: BTreeMap<String, BTreeSet<Key>>,
    templates_of: BTreeMap<Key, BTreeSet<Key>>,
    users_of: BTreeMap<Key, BTreeSet<Key>>,
}

impl References {
    /// Takes note of an object's present state and returns every key to reconcile because of it.
    pub(super) fn upsert(&mut self, object: &Object) -> BTreeSet<Key> {
        let key = object.key();
        if key.kind.owns_agents() {
            let owners = self.owners_in.entry(key.namespace.clone()).or_default();
            owners.insert(key.clone());
            let templates = lower::template_names(&object.spec);
            self.replace(
                &key,
                templates
                    .into_iter()
                    .map(|name| template_key(&key.namespace, name))
                    .collect(),
            );
        }
        self.concerned(&key)
    }

    /// Takes note that an object is gone and returns every key to reconcile because of it.
    pub(super) fn remove(&mut self, key: &Key) -> BTreeSet<Key> {
        self.replace(key, BTreeSet::new());
        if let Some(owners) = self.owners_in.get_mut(&key.namespace) {
            owners.remove(key);
        }
        self.concerned(key)
    }

    fn concerned(&self, key: &Key) -> BTreeSet<Key> {
        if key.kind.owns_agents() {
            return BTreeSet::from([key.clone()]);
        }
        if key.kind == Kind::Policy {
            return self.owners_in.get(&key.namespace).cloned().unwrap_or_default();
        }
        self.users_of.get(key).cloned().unwrap_or_default()
    }

    fn replace(&mut self, user: &Key, templates: BTreeSet<Key>) {
        for old in self.templates_of.remove(user).unwrap_or_default() {
            let emptied = self.users_of.get_mut(&old).is_some_and(|users| {
                users.remove(user);
                users.is_empty()
            });
            if emptied {
                self.users_of.remove(&old);
            }
        }
        for new in &templates {
            self.users_of.entry(new.clone()).or_default().insert(user.clone());
        }
        if !templates.is_empty() {
            self.templates_of.insert(user.clone(), templates);
        }
    }
}

fn template_key(namespace: &str, name: String) -> Key {
    Key::new(Kind::AgentTemplate, namespace, name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn team(name: &str, template: Option<&str>) -> Object {
        let mut role = json!({"name": "reviewer"});
        if let Some(template) = template {
            role["template"] = json!(template);
        }
        Object::new(&Key::new(Kind::Team, "default", name), json!({"roles": [role]}))
    }

    fn template(name: &str) -> Object {
        Object::new(&Key::new(Kind::AgentTemplate, "default", name), json!({}))
    }

    fn names(keys: BTreeSet<Key>) -> Vec<String> {
        keys.into_iter().map(|key| key.name).collect()
    }

    #[test]
    fn a_template_concerns_those_who_use_it_now() {
        let mut references = References::default();
        assert_eq!(names(references.upsert(&team("a", Some("x")))), ["a"]);
        assert_eq!(names(references.upsert(&team("b", Some("x")))), ["b"]);
        assert_eq!(names(references.upsert(&template("x"))), ["a", "b"]);
        references.upsert(&team("a", Some("y")));
        assert_eq!(names(references.upsert(&template("x"))), ["b"]);
        assert_eq!(names(references.remove(&template("y").key())), ["a"]);
        assert_eq!(names(references.remove(&team("b", None).key())), ["b"]);
        assert_eq!(names(references.upsert(&template("x"))), Vec::<String>::new());
    }

    #[test]
    fn a_policy_concerns_all_of_its_namespace() {
        let mut references = References::default();
        let policy = |namespace: &str| Object::new(&Key::new(Kind::Policy, namespace, "p"), json!({}));
        references.upsert(&team("a", None));
        references.upsert(&team("b", Some("x")));
        assert_eq!(names(references.upsert(&policy("default"))), ["a", "b"]);
        assert_eq!(names(references.upsert(&policy("prod"))), Vec::<String>::new());
        references.remove(&team("a", None).key());
        assert_eq!(names(references.remove(&policy("default").key())), ["b"]);
    }
}
