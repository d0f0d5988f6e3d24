//! Nobody gives a GitSource more power than they have. It acts long after they asked, on behalf of whoever writes to its
//! repository: so who changes what one does must have all that it has, whether or not they gave it that.

use crate::resource::git_source::GitSourceSpec;
use crate::resource::names::ALLOW_PRUNE;
use crate::resource::repository::RepositoryUrl;
use crate::resource::validate::{Cause, CauseReason};
use crate::resource::{Kind, Object, path};

use super::caller::{Caller, Home};

/// Why `caller` may not make `object` of what was there, at the fields that do something; nothing for other kinds.
///
/// Labels, and a request to look at a repository, give nothing. Nor does the end of a source, or of its rights.
pub(super) fn causes(caller: &Caller, object: &Object, old: Option<&Object>) -> Vec<Cause> {
    let word = |object: &Object| object.metadata.annotations.as_ref()?.get(ALLOW_PRUNE).cloned();
    let is_lifted = word(object).is_some_and(|commit| old.and_then(word) != Some(commit));
    let is_told = old.is_none_or(|old| old.spec != object.spec);
    let fields = [
        (is_told, "spec.impersonate".to_owned()),
        (is_lifted, path::field("metadata.annotations", ALLOW_PRUNE)),
    ];
    let changed = fields.into_iter().filter(|(is_changed, _)| *is_changed);
    let beyond = changed.filter_map(|(_, field)| beyond(caller, object, &field));
    let of_secrets = sent_away(caller, object)
        .into_iter()
        .chain(read_away(caller, object));
    beyond.chain(of_secrets.filter(|_| is_told)).collect()
}

/// Why a source that another one declares cannot have variables of a secret: who may push would put their values where they
/// can read them. The one that the other source has is theirs already.
fn read_away(caller: &Caller, object: &Object) -> Option<Cause> {
    let home = caller.home().filter(|_| object.kind == Kind::GitSource)?;
    let spec: GitSourceSpec = serde_json::from_value(object.spec.clone()).ok()?;
    let named = (object.namespace().to_owned(), spec.substitute_from?.name);
    (home.variables.as_ref() != Some(&named)).then(|| {
        let message = format!(
            "is not what {}, which declares this source, has its own variables from: who may push must not choose which secrets \
             are read; apply this source yourself",
            caller.user_name()
        );
        Cause::new("spec.substituteFrom", CauseReason::Forbidden, message)
    })
}

/// Why a source that another one declares cannot have its secret: it would go to a server of those who may push, and who they
/// are is for nobody here to say. That server has to be one that the other one sends a secret to itself, or that the operator
/// names.
fn sent_away(caller: &Caller, object: &Object) -> Option<Cause> {
    let Home { url, allowed, .. } = caller.home().filter(|_| object.kind == Kind::GitSource)?;
    let spec: GitSourceSpec = serde_json::from_value(object.spec.clone()).ok()?;
    spec.secret_ref.as_ref()?;
    let to = RepositoryUrl::of(&spec.url);
    let is_home = url
        .as_deref()
        .is_some_and(|url| RepositoryUrl::of(url).is_beside(&to));
    let is_named = allowed.iter().any(|pattern| pattern.names_server_of(&spec.url));
    (!is_home && !is_named).then(|| {
        let (to, who) = (to.server(), caller.user_name());
        let message = format!(
            "goes to {to}, where {who}, who declares this source, sends none: who may push must not choose where secrets go; \
             name that server to the operator, as `--git-allow '{to}/*'`, or apply this source yourself"
        );
        Cause::new("spec.secretRef", CauseReason::Forbidden, message)
    })
}

/// Why `caller` may not write the status of a source, which says what it may delete.
pub(super) fn of_status(caller: &Caller, object: &Object) -> Vec<Cause> {
    beyond(caller, object, "status").into_iter().collect()
}

/// What a source may do beyond what `caller` may.
fn beyond(caller: &Caller, object: &Object, field: &str) -> Option<Cause> {
    if object.kind != Kind::GitSource {
        return None;
    }
    // What is no such spec does nothing, and is refused elsewhere.
    let spec: GitSourceSpec = serde_json::from_value(object.spec.clone()).ok()?;
    let grant = spec.grant(object.namespace());
    (!caller.grant.covers(&grant)).then(|| {
        let message = format!(
            "this source has {grant}, and {} has {}: nobody lets a source do what they may not do themselves",
            caller.user_name(),
            caller.grant
        );
        Cause::new(field, CauseReason::Forbidden, message)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::resource::Key;
    use crate::resource::access::{Grant, Role};

    fn source(impersonate: &Value) -> Object {
        let spec = json!({"url": "u", "impersonate": impersonate});
        Object::new(&Key::new(Kind::GitSource, "prod", "fleet"), spec)
    }

    fn caller(role: Role, namespaces: Option<&[&str]>) -> Caller {
        let namespaces = namespaces.map(|all| all.iter().map(|name| (*name).to_owned()).collect());
        Caller::program("ada".to_owned(), Grant { role, namespaces }, home(&[]))
    }

    fn home(allowed: &[&str]) -> Home {
        let allowed = allowed.iter().map(|pattern| pattern.parse().unwrap());
        Home {
            url: Some("https://git.example/acme/fleet.git".to_owned()),
            allowed: allowed.collect(),
            variables: Some(("prod".to_owned(), "values".to_owned())),
        }
    }

    #[test]
    fn who_may_push_does_not_choose_which_secrets_are_read() {
        let child = |namespace: &str, secret: &str| {
            let spec = json!({"url": "u", "substituteFrom": {"name": secret}});
            Object::new(&Key::new(Kind::GitSource, namespace, "child"), spec)
        };
        let pushed = Caller::program("fleet".to_owned(), Grant::everything(), home(&[]));
        let fields = |caller: &Caller, object: &Object| -> Vec<String> {
            let causes = causes(caller, object, None);
            causes.into_iter().map(|cause| cause.field).collect()
        };
        assert!(fields(&pushed, &child("prod", "values")).is_empty(), "its own");
        for (namespace, secret) in [("prod", "others"), ("dev", "values")] {
            assert_eq!(
                fields(&pushed, &child(namespace, secret)),
                ["spec.substituteFrom"]
            );
        }
        assert!(fields(&Caller::local(Some(0)), &child("prod", "others")).is_empty());
    }

    #[test]
    fn who_may_push_does_not_choose_where_secrets_go() {
        let child = |url: &str, secret: Value| {
            let spec = json!({"url": url, "secretRef": secret});
            Object::new(&Key::new(Kind::GitSource, "prod", "child"), spec)
        };
        let by = |allowed: &[&str], object: &Object, old: Option<&Object>| {
            let caller = Caller::program("fleet".to_owned(), Grant::everything(), home(allowed));
            let told: Vec<String> = causes(&caller, object, old)
                .iter()
                .map(ToString::to_string)
                .collect();
            told.join("; ")
        };
        let secret = json!({"name": "fleet"});
        let evil = child("https://evil.test/x.git", secret.clone());
        let wide = ["https://*", "ssh://*"];
        assert_eq!(
            by(&wide, &evil, None),
            "spec.secretRef: goes to https://evil.test, where fleet, who declares this source, sends none: who may push must \
             not choose where secrets go; name that server to the operator, as `--git-allow 'https://evil.test/*'`, or apply \
             this source yourself"
        );
        assert_eq!(
            by(&["https://evil.test/*"], &evil, None),
            "",
            "the operator names it"
        );
        assert_eq!(by(&wide, &evil, Some(&evil)), "", "a person applied it");
        for url in ["https://git.example/other.git", "git@GIT.example:acme/other.git"] {
            assert_eq!(by(&wide, &child(url, secret.clone()), None), "", "{url}");
        }
        assert_ne!(by(&wide, &child("https://git.example:8443/x", secret), None), "");
        assert_eq!(
            by(&wide, &child("https://evil.test/x.git", Value::Null), None),
            ""
        );
        // One without a secret may be of any server, and so decides for none.
        let open = Home {
            url: None,
            ..home(&wide)
        };
        let open = Caller::program("open".to_owned(), Grant::everything(), open);
        let beside = child("https://git.example/other.git", json!({"name": "fleet"}));
        assert_eq!(causes(&open, &beside, None).len(), 1);
        let person = Caller::local(None);
        assert_eq!(causes(&person, &evil, None), []);
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        for (impersonate, allowed) in [
            (Value::Null, "edit-prod edit-both edit-all admin-prod admin-all"),
            (
                json!({"role": "edit"}),
                "edit-prod edit-both edit-all admin-prod admin-all",
            ),
            (
                json!({"role": "view"}),
                "edit-prod edit-both edit-all admin-prod admin-all",
            ),
            (
                json!({"namespaces": ["prod", "test"]}),
                "edit-both edit-all admin-all",
            ),
            (json!({"namespaces": ["*"]}), "edit-all admin-all"),
            (json!({"role": "admin"}), "admin-prod admin-all"),
            (json!({"role": "admin", "namespaces": ["*"]}), "admin-all"),
        ] {
            let source = source(&impersonate);
            let people = [
                ("edit-prod", caller(Role::Edit, Some(&["prod"]))),
                ("edit-test", caller(Role::Edit, Some(&["test"]))),
                ("edit-both", caller(Role::Edit, Some(&["prod", "test"]))),
                ("edit-all", caller(Role::Edit, None)),
                ("admin-prod", caller(Role::Admin, Some(&["prod"]))),
                ("admin-all", caller(Role::Admin, None)),
            ];
            let may: Vec<&str> = people
                .iter()
                .filter(|(_, caller)| causes(caller, &source, None).is_empty())
                .map(|(name, _)| *name)
                .collect();
            assert_eq!(may.join(" "), allowed, "{impersonate}");
        }
    }

    #[test]
    fn who_changes_what_a_source_does_must_have_all_that_it_has() {
        let ada = caller(Role::Edit, Some(&["prod"]));
        let strong = source(&json!({"role": "admin", "namespaces": ["prod", "test"]}));
        let fields = |new: &Object| {
            let causes = causes(&ada, new, Some(&strong));
            causes
                .into_iter()
                .map(|cause| cause.field)
                .collect::<Vec<String>>()
        };
        assert_eq!(fields(&strong), [""; 0]);
        let mut labelled = strong.clone();
        labelled.metadata.labels = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        assert_eq!(fields(&labelled), [""; 0]);
        let mut elsewhere = strong.clone();
        elsewhere.spec["url"] = json!("https://evil.example/fleet.git");
        assert_eq!(fields(&elsewhere), ["spec.impersonate"]);
        let mut lifted = strong.clone();
        let word = (ALLOW_PRUNE.to_owned(), "1a2b3c4".to_owned());
        lifted.metadata.annotations = Some(BTreeMap::from([word]));
        assert_eq!(
            fields(&lifted),
            ["metadata.annotations[chorus.services/allow-prune]"]
        );
        assert_eq!(
            fields(&source(&Value::Null)),
            [""; 0],
            "to take power away is no power"
        );
        assert_eq!(
            of_status(&ada, &strong)[0].to_string(),
            "status: this source has the role admin in prod, test, and ada has the role edit in prod: nobody lets a source do \
             what they may not do themselves"
        );
    }

    #[test]
    fn other_kinds_give_no_power() {
        let ada = caller(Role::View, Some(&[]));
        let team = Object::new(
            &Key::new(Kind::Team, "prod", "a"),
            json!({"impersonate": {"role": "admin"}}),
        );
        assert_eq!(causes(&ada, &team, None), []);
    }
}
