use serde_json::json;

use super::*;
use crate::resource::object::API_VERSION;

fn now() -> Timestamp {
    "2026-03-01T10:00:00Z".parse().unwrap()
}

fn config(spec: Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": "Team", "metadata": {"name": "x"}, "spec": spec})
}

fn claim(force: bool) -> Claim {
    if force { Claim::Force } else { Claim::Fair }
}

/// Applies as `manager`, and takes what comes of it for stored.
fn stored(
    live: Option<&Object>,
    config: &Value,
    manager: &str,
    force: bool,
) -> Result<Object, Vec<Contested>> {
    let applied = apply(
        live,
        config,
        Kind::Team,
        &Manager::new(manager),
        claim(force),
        now(),
    )?;
    let mut object: Object = serde_json::from_value(applied.object).unwrap();
    object.metadata.managed_fields = applied.owners;
    Ok(object)
}

fn edited(live: &Object, manager: &str, edit: impl FnOnce(&mut Object)) -> Object {
    let mut new = live.clone();
    edit(&mut new);
    new.metadata.managed_fields = update(Some(live), &new, &Manager::new(manager), now());
    new
}

/// Who owns what: `manager operation: paths`.
fn owners(object: &Object) -> Vec<String> {
    let entries = object.metadata.managed_fields.iter().flatten();
    let owner = |entry: &ManagedFieldsEntry| {
        let fields = fields::FieldSet::from_json(&entry.fields_v1.as_ref().unwrap().0).unwrap();
        let (manager, operation) = (entry.manager.as_ref().unwrap(), entry.operation.as_ref().unwrap());
        format!("{manager} {operation}: {}", fields.paths().join(" "))
    };
    entries.map(owner).collect()
}

#[test]
fn who_applies_owns_exactly_what_they_name() {
    let first = config(json!({"replicas": 2, "roles": [{"name": "lead", "agent": {"image": "a:1"}}]}));
    let object = stored(None, &first, "ci", false).unwrap();
    assert_eq!(object.spec, first["spec"]);
    assert_eq!(
        owners(&object),
        [
            r#"ci Apply: .spec.replicas .spec.roles[name="lead"] .spec.roles[name="lead"].agent.image .spec.roles[name="lead"].name"#
        ]
    );
    let second = config(json!({"roles": [{"name": "lead", "agent": {"model": "m"}}]}));
    let object = stored(Some(&object), &second, "ci", false).unwrap();
    assert_eq!(
        object.spec, second["spec"],
        "what is not applied any more is gone"
    );
}

#[test]
fn two_may_apply_different_fields_of_the_same_item() {
    let ci = config(json!({"roles": [{"name": "lead", "agent": {"image": "a:1"}}, {"name": "aide"}]}));
    let ops = config(json!({"roles": [{"name": "lead", "replicas": 3}]}));
    let object = stored(None, &ci, "ci", false).unwrap();
    let object = stored(Some(&object), &ops, "ops", false).unwrap();
    assert_eq!(
        object.spec,
        json!({"roles": [{"name": "lead", "agent": {"image": "a:1"}, "replicas": 3}, {"name": "aide"}]})
    );
    let without = config(json!({"roles": [{"name": "aide"}]}));
    let object = stored(Some(&object), &without, "ci", false).unwrap();
    assert_eq!(
        object.spec,
        json!({"roles": [{"name": "lead", "replicas": 3}, {"name": "aide"}]}),
        "an item stays as long as anybody applies it"
    );
    let object = stored(Some(&object), &config(json!({})), "ops", false).unwrap();
    assert_eq!(object.spec, without["spec"]);
}

#[test]
fn ports_are_told_apart_by_their_protocols_which_need_not_be_said() {
    let ports = |ports: Value| config(json!({"defaults": {"host": {"ports": ports}}}));
    let both = ports(json!([{"port": 80}, {"port": 80, "protocol": "udp"}]));
    let object = stored(None, &both, "ci", false).unwrap();
    let target = ports(json!([{"port": 80, "protocol": "tcp", "target": 8080}]));
    let object = stored(Some(&object), &target, "ops", false).unwrap();
    let expected = json!([
        {"port": 80, "protocol": "tcp", "target": 8080}, {"port": 80, "protocol": "udp"}
    ]);
    assert_eq!(object.spec["defaults"]["host"]["ports"], expected);
    let object = stored(Some(&object), &ports(json!([])), "ci", false).unwrap();
    let left = json!([{"port": 80, "protocol": "tcp", "target": 8080}]);
    assert_eq!(object.spec["defaults"]["host"]["ports"], left);
    let unsaid = stored(None, &ports(json!([{"port": 80, "target": 1}])), "ci", false).unwrap();
    let shared = stored(Some(&unsaid), &ports(json!([{"port": 80}])), "ops", false).unwrap();
    let without = stored(Some(&shared), &config(json!({})), "ci", false).unwrap();
    assert_eq!(without.spec["defaults"]["host"]["ports"], json!([{"port": 80}]));
}

#[test]
fn what_others_own_is_taken_by_force_alone() {
    let object = stored(
        None,
        &config(json!({"replicas": 2, "roles": [{"name": "a"}]})),
        "ci",
        false,
    )
    .unwrap();
    let more = config(json!({"replicas": 3}));
    let refused = stored(Some(&object), &more, "ops", false).unwrap_err();
    let contested = Contested {
        manager: "\"ci\"".to_owned(),
        fields: vec![".spec.replicas".to_owned()],
    };
    assert_eq!(refused, [contested]);
    let taken = stored(Some(&object), &more, "ops", true).unwrap();
    assert_eq!(taken.spec["replicas"], 3);
    assert_eq!(
        owners(&taken),
        [
            r#"ci Apply: .spec.roles[name="a"] .spec.roles[name="a"].name"#,
            "ops Apply: .spec.replicas"
        ]
    );
    let shared = stored(Some(&object), &config(json!({"replicas": 2})), "ops", false).unwrap();
    assert_eq!(
        owners(&shared)[1],
        "ops Apply: .spec.replicas",
        "the same value is nobody's alone"
    );
    let left = stored(Some(&shared), &config(json!({})), "ops", false).unwrap();
    assert_eq!(left.spec["replicas"], 2);
}

#[test]
fn who_edits_owns_what_they_set() {
    let object = stored(
        None,
        &config(json!({"replicas": 2, "roles": [{"name": "a"}]})),
        "ci",
        false,
    )
    .unwrap();
    let scaled = edited(&object, "scaler", |object| object.spec["replicas"] = json!(5));
    assert_eq!(
        owners(&scaled),
        [
            r#"ci Apply: .spec.roles[name="a"] .spec.roles[name="a"].name"#,
            "scaler Update: .spec.replicas"
        ]
    );
    let refused = stored(
        Some(&scaled),
        &config(json!({"replicas": 2, "roles": [{"name": "a"}]})),
        "ci",
        false,
    );
    assert_eq!(
        refused.unwrap_err()[0].manager,
        "\"scaler\" using chorus.services/v1"
    );
    let same = edited(&scaled, "scaler", |_| {});
    assert_eq!(same, scaled, "who changes nothing leaves no trace");
    let labelled = edited(&scaled, "kubectl", |object| {
        object.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
    });
    assert!(owners(&labelled).contains(&"kubectl Update: .metadata.labels.a".to_owned()));
    let bare = edited(&labelled, "other", |object| object.metadata.labels = None);
    assert_eq!(owners(&bare), owners(&scaled));
}

#[test]
fn owners_can_be_forgotten_and_those_before_all_records_are_named() {
    let object = stored(
        None,
        &config(json!({"replicas": 2, "roles": [{"name": "a"}]})),
        "ci",
        false,
    )
    .unwrap();
    let reset = edited(&object, "kubectl", |object| {
        object.metadata.managed_fields = Some(vec![ManagedFieldsEntry::default()]);
    });
    assert_eq!(reset.metadata.managed_fields, None);
    let kept = edited(&object, "kubectl", |object| object.metadata.managed_fields = None);
    assert_eq!(kept, object, "who leaves the owners out forgets none");
    let refused = stored(Some(&reset), &config(json!({"replicas": 3})), "ci", false).unwrap_err();
    assert!(refused[0].manager.starts_with("\"before-first-apply\" using "));
}

#[test]
fn the_oldest_editors_become_one() {
    let mut object = stored(None, &config(json!({"roles": [{"name": "a"}]})), "ci", false).unwrap();
    for number in 0..15 {
        object = edited(&object, &format!("m{number}"), |object| {
            let labels = object.metadata.labels.get_or_insert_default();
            labels.insert(format!("l{number}"), String::new());
        });
    }
    let owners = owners(&object);
    assert_eq!(owners.len(), 11, "{owners:?}");
    assert!(
        owners[1].starts_with("ancient-changes Update: .metadata.labels.l0 "),
        "{owners:?}"
    );
}

#[test]
fn the_status_is_applied_apart() {
    let object = stored(None, &config(json!({"roles": [{"name": "a"}]})), "ci", false).unwrap();
    let manager = Manager::of_status("watcher");
    let mut said = config(json!({"roles": []}));
    said["status"] = json!({"replicas": 1});
    let applied = apply(Some(&object), &said, Kind::Team, &manager, Claim::Fair, now()).unwrap();
    assert_eq!(applied.object["spec"], object.spec);
    assert_eq!(applied.object["status"], said["status"]);
    let owner = &applied.owners.unwrap()[1];
    assert_eq!(owner.subresource.as_deref(), Some("status"));
}

#[test]
fn what_the_operator_says_of_an_object_is_its_own_as_far_as_it_moves() {
    let object = stored(None, &config(json!({"roles": [{"name": "a"}]})), "ci", false).unwrap();
    let ready = |word: &str| json!({"replicas": 2, "conditions": [{"type": "Ready", "status": word}]});
    let told = with_status(&object, ready("False"), now());
    assert_eq!(told.status, Some(ready("False")));
    let conditions =
        ["", ".type", ".status"].map(|field| format!(".status.conditions[type=\"Ready\"]{field}"));
    for field in conditions.iter().map(String::as_str).chain([".status.replicas"]) {
        assert!(owners(&told)[1].contains(field), "{:?}", owners(&told));
    }
    assert!(
        owners(&told)[1].starts_with("whoosh-operator Update: .status."),
        "{:?}",
        owners(&told)
    );
    assert_eq!(owners(&told)[0], owners(&object)[0]);

    let manager = Manager::of_status("a-person");
    let mut patched = told.clone();
    patched.status = Some(json!({"replicas": 7, "conditions": ready("False")["conditions"]}));
    patched.metadata.managed_fields = update(Some(&told), &patched, &manager, now());
    assert!(owners(&patched).contains(&"a-person Update: .status.replicas".to_owned()));
    let healed = with_status(&patched, ready("True"), now());
    assert_eq!(owners(&healed), owners(&told));
}

#[test]
fn several_may_each_name_an_owner() {
    let owned_by = |uid: &str| {
        let mut config = config(json!({"roles": [{"name": "a"}]}));
        config["metadata"]["ownerReferences"] =
            json!([{"apiVersion": API_VERSION, "kind": "Team", "name": uid, "uid": uid}]);
        config
    };
    let first = stored(None, &owned_by("u"), "one", false).unwrap();
    let both = stored(Some(&first), &owned_by("v"), "two", false).unwrap();
    let uids = |object: &Object| -> Vec<String> {
        let references = object.metadata.owner_references.iter().flatten();
        references.map(|reference| reference.uid.clone()).collect()
    };
    assert_eq!(uids(&both), ["u", "v"]);
    let nobody = config(json!({"roles": [{"name": "a"}]}));
    let left = stored(Some(&both), &nobody, "one", false).unwrap();
    assert_eq!(uids(&left), ["v"]);
    assert!(
        owners(&left)[1].contains(r#".metadata.ownerReferences[uid="v"]"#),
        "{:?}",
        owners(&left)
    );
}

#[test]
fn an_empty_field_that_is_applied_stays() {
    let image = config(json!({"roles": [{"name": "a", "agent": {"image": "x", "env": [{"name": "A"}]}}]}));
    let object = stored(None, &image, "ci", false).unwrap();
    for empty in [json!({}), json!({"env": []})] {
        let empty = config(json!({"roles": [{"name": "a", "agent": empty}]}));
        let once = stored(Some(&object), &empty, "ci", false).unwrap();
        assert_eq!(once.spec, empty["spec"]);
        assert_eq!(stored(Some(&once), &empty, "ci", false).unwrap(), once);
    }
}

#[test]
fn what_is_no_part_of_an_object_is_left_to_admission() {
    let object = stored(None, &config(json!({"roles": [{"name": "a"}]})), "ci", false).unwrap();
    let mut slip = config(json!({}));
    slip["sepc"] = json!({"replicas": 2});
    let applied = apply(
        Some(&object),
        &slip,
        Kind::Team,
        &Manager::new("ops"),
        Claim::Fair,
        now(),
    )
    .unwrap();
    assert_eq!(applied.object["sepc"], slip["sepc"]);
}

#[test]
fn what_is_claimed_alone_goes_with_whoever_claims_it() {
    let two = config(json!({"replicas": 2, "roles": [{"name": "a"}, {"name": "b"}]}));
    let one = config(json!({"roles": [{"name": "a"}]}));
    let source = Manager::new("gitops/fleet");
    for (how, roles, replicas) in [(Claim::Force, 2, json!(2)), (Claim::Alone, 1, Value::Null)] {
        let mut object = stored(None, &two, "whoosh", false).unwrap();
        for said in [&two, &one] {
            let applied = apply(Some(&object), said, Kind::Team, &source, how, now()).unwrap();
            object = serde_json::from_value(applied.object).unwrap();
            object.metadata.managed_fields = applied.owners;
        }
        assert_eq!(object.spec["roles"].as_array().unwrap().len(), roles, "{how:?}");
        assert_eq!(object.spec["replicas"], replicas, "{how:?}");
    }
}

#[test]
fn who_applies_nothing_owns_nothing() {
    let object = stored(None, &config(json!({"roles": [{"name": "a"}]})), "ci", false).unwrap();
    let mut nothing = config(Value::Null);
    nothing.as_object_mut().unwrap().remove("spec");
    let same = stored(Some(&object), &nothing, "ops", false).unwrap();
    assert_eq!(same, object);
}

#[test]
fn the_time_of_an_owner_moves_with_what_they_do() {
    let later = "2026-03-02T10:00:00Z".parse().unwrap();
    let object = stored(
        None,
        &config(json!({"replicas": 2, "roles": [{"name": "a"}]})),
        "ci",
        false,
    )
    .unwrap();
    let more = config(json!({"replicas": 3, "roles": [{"name": "a"}]}));
    let applied = apply(
        Some(&object),
        &more,
        Kind::Team,
        &Manager::new("ci"),
        Claim::Fair,
        later,
    )
    .unwrap();
    let times = applied.owners.unwrap();
    assert_eq!(times[0].time.as_ref().unwrap().0, later);
}

#[test]
fn paths_of_very_many_fields_are_cut() {
    let many: serde_json::Map<String, Value> = (0..1_000)
        .map(|number| (format!("{number}{}", "x".repeat(1_000)), json!("v")))
        .collect();
    let labelled = |value: &str| {
        let mut config = config(json!({"roles": [{"name": "a"}]}));
        config["metadata"]["labels"] = many.keys().map(|key| (key.clone(), json!(value))).collect();
        config
    };
    let object = stored(None, &labelled("v"), "ci", false).unwrap();
    let refused = stored(Some(&object), &labelled("w"), "ops", false).unwrap_err();
    let told = &refused[0].fields;
    assert!(
        told.len() == 100 && told.iter().all(|path| path.len() < 300),
        "{}",
        told.len()
    );
}

/// What `whoosh apply` makes when it merges by itself: it leaves a note of what it applied.
fn applied_by_client(config: &Value) -> Object {
    let mut object: Object = serde_json::from_value(config.clone()).unwrap();
    let note = (LAST_APPLIED.to_owned(), config.to_string());
    object.metadata.annotations = Some([note].into());
    object.metadata.managed_fields = update(None, &object, &Manager::new(FIELD_MANAGER), now());
    object
}

#[test]
fn what_our_own_client_merged_is_what_it_applied_before() {
    let first = config(json!({"replicas": 2, "defaults": {"image": "a:1"}, "roles": [{"name": "a"}]}));
    let object = applied_by_client(&first);
    let object = edited(&object, FIELD_MANAGER, |object| {
        object.metadata.labels = Some([("tier".to_owned(), "web".to_owned())].into());
    });
    let object = edited(&object, "kubectl", |object| object.spec["replicas"] = json!(5));
    let second = config(json!({"roles": [{"name": "a"}]}));

    let theirs = stored(Some(&object), &second, "ops", false).unwrap();
    assert_eq!(
        theirs.spec["defaults"], first["spec"]["defaults"],
        "another one takes nothing over"
    );
    let refused = stored(
        Some(&object),
        &config(json!({"defaults": {"image": "b:1"}})),
        "ops",
        false,
    );
    assert_eq!(
        refused.unwrap_err()[0].manager,
        "\"whoosh\" using chorus.services/v1"
    );

    let ours = stored(Some(&object), &second, FIELD_MANAGER, false).unwrap();
    assert_eq!(
        ours.spec,
        json!({"replicas": 5, "roles": [{"name": "a"}]}),
        "what the file does not say any more is gone, and what others set since is theirs"
    );
    assert_eq!(ours.metadata.annotations, None, "the note is of no use any more");
    assert_eq!(
        owners(&ours),
        [
            r#"whoosh Apply: .spec.roles[name="a"] .spec.roles[name="a"].name"#,
            "whoosh Update: .metadata.labels.tier",
            "kubectl Update: .spec.replicas",
        ]
    );
    let changed = config(json!({"defaults": {"image": "b:1"}, "roles": [{"name": "a"}]}));
    let changed = stored(Some(&object), &changed, FIELD_MANAGER, false).unwrap();
    assert_eq!(
        changed.spec["defaults"]["image"], "b:1",
        "nobody is in conflict with themselves"
    );
}

#[test]
fn what_our_own_client_merged_before_owners_were_recorded_is_taken_over_too() {
    let mut object = applied_by_client(&config(json!({"replicas": 2, "roles": [{"name": "a"}]})));
    object.metadata.managed_fields = None;
    let second = config(json!({"roles": [{"name": "a"}]}));
    let ours = stored(Some(&object), &second, FIELD_MANAGER, false).unwrap();
    assert_eq!((&ours.spec, &ours.metadata.annotations), (&second["spec"], &None));
}

#[test]
fn what_is_handed_over_goes_with_what_was_applied() {
    let first = config(json!({"project": "a", "roles": [{"name": "a"}, {"name": "b"}]}));
    let second = config(json!({"roles": [{"name": "a"}]}));
    let (git, rollback) = (Manager::new("git"), Manager::new("rollback"));
    let before = stored(None, &first, "git", true).unwrap();
    let object = stored(Some(&before), &second, "git", true).unwrap();
    let object = edited(&object, "ada", |object| object.spec["replicas"] = json!(5));
    assert!(
        handed_over(&object, &rollback, &git, now()).is_none(),
        "there is nothing"
    );
    let object = edited(&object, "rollback", |object| object.spec = before.spec.clone());
    let kept = stored(Some(&object), &second, "git", true).unwrap();
    assert_eq!(kept.spec, first["spec"], "what others set stays");
    let handed = handed_over(&object, &rollback, &git, now()).unwrap();
    let applied = stored(Some(&handed), &second, "git", true).unwrap();
    assert_eq!(applied.spec, second["spec"]);
    assert_eq!(
        owners(&applied),
        [r#"git Apply: .spec.roles[name="a"] .spec.roles[name="a"].name"#]
    );
}
