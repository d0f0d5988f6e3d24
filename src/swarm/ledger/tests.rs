mod acted;
mod attached;
mod claims;

use serde_json::json;

use super::*;
use crate::plan::action::Target;
use crate::resource::kind::Kind;
use crate::resource::names::{MANAGER, label};
use crate::swarm::Want;

const INSTANCE: &str = "here";

fn team(name: &str) -> Key {
    Key::new(Kind::Team, "default", name)
}

/// A service `id` that is `owner`'s (nobody's for the empty name), at a version.
fn service(id: &str, version: u64, owner: &str) -> SeenService {
    let labels = match owner {
        "" => json!({}),
        name => json!({
            label::MANAGED_BY: MANAGER, label::INSTANCE: INSTANCE,
            label::KIND: "team", label::NAMESPACE: "default", label::NAME: name,
        }),
    };
    let spec = json!({
        "Name": format!("name-{id}"), "Labels": labels,
        "TaskTemplate": {"ContainerSpec": {"Image": "i"}, "Networks": [{"Target": "n1"}]},
    });
    serde_json::from_value(json!({"ID": id, "Version": {"Index": version}, "Spec": spec})).unwrap()
}

fn counted(running: u64, service: SeenService) -> SeenService {
    SeenService {
        running: Some(running),
        ..service
    }
}

fn task(id: &str, service: &str, state: &str, image: &str) -> SeenTask {
    let spec = json!({"ContainerSpec": {"Image": image}, "Networks": [{"Target": "n1"}]});
    serde_json::from_value(json!({
        "ID": id, "ServiceID": service, "Spec": spec, "Status": {"State": state}, "DesiredState": "running",
    }))
    .unwrap()
}

fn network(id: &str, name: &str) -> SeenNetwork {
    serde_json::from_value(json!({"Id": id, "Name": name, "Scope": "swarm", "Driver": "overlay"})).unwrap()
}

fn ledger() -> Ledger {
    Ledger::new(INSTANCE.to_owned())
}

/// Ids and versions of an owner's services.
fn services(ledger: &Ledger, owner: &str) -> Vec<(String, u64)> {
    let (services, _) = ledger.owned(&team(owner));
    services
        .into_iter()
        .map(|service| (service.id, service.version))
        .collect()
}

fn ids(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn an_answer_tells_whom_it_concerns() {
    let mut ledger = ledger();
    let read = ledger.begin();
    let touched = ledger.services(
        read,
        Scope::All,
        vec![service("s1", 1, "a"), service("s2", 1, "b")],
    );
    assert_eq!(touched, [team("a"), team("b")].into());
    let read = ledger.begin();
    let touched = ledger.services(
        read,
        Scope::All,
        vec![service("s1", 2, "a"), service("s2", 1, "b")],
    );
    assert_eq!(touched, [team("a")].into(), "only what changed");
    let read = ledger.begin();
    let touched = ledger.services(read, Scope::Ids(&ids(&["s1"])), Vec::new());
    assert_eq!(touched, [team("a")].into(), "what is gone");
    assert_eq!(
        (services(&ledger, "a"), services(&ledger, "b")),
        (vec![], vec![("s2".into(), 1)])
    );
}

#[test]
fn a_service_that_loses_its_labels_is_told_to_its_old_owner() {
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
    let read = ledger.begin();
    let touched = ledger.services(read, Scope::Ids(&ids(&["s1"])), vec![service("s1", 2, "")]);
    assert_eq!((touched, services(&ledger, "a")), ([team("a")].into(), vec![]));
    let other = Ledger::new("elsewhere".to_owned());
    assert_eq!(other.owners(), [].into());
}

#[test]
fn an_old_answer_does_not_undo_a_new_one() {
    // The list begins first and is answered last.
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.services(
        read,
        Scope::All,
        vec![service("old", 1, "a"), service("gone", 1, "a")],
    );
    let list = ledger.begin();
    let event = ledger.begin();
    let spoken_of = ids(&["old", "new", "gone"]);
    ledger.services(
        event,
        Scope::Ids(&spoken_of),
        vec![service("old", 5, "a"), service("new", 4, "a")],
    );
    let late = vec![service("old", 1, "a"), service("gone", 1, "a")];
    let touched = ledger.services(list, Scope::All, late);
    assert_eq!(touched, [].into());
    assert_eq!(
        services(&ledger, "a"),
        [("new".to_owned(), 4), ("old".to_owned(), 5)]
    );
    let read = ledger.begin();
    ledger.services(read, Scope::Owner(&team("a")), vec![service("new", 4, "a")]);
    assert_eq!(
        services(&ledger, "a"),
        [("new".to_owned(), 4)],
        "a later absence counts"
    );
}

#[test]
fn tasks_are_judged_by_what_their_service_says_now() {
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
    assert!(!ledger.knows_tasks(&team("a"), true) && ledger.owned(&team("a")).0[0].tasks.is_none());
    let read = ledger.begin();
    let tasks = vec![
        task("t1", "s1", "running", "i"),
        task("t2", "s1", "failed", "old"),
        task("t3", "removed", "running", "i"),
    ];
    assert!(ledger.owner_tasks(read, &team("a"), tasks.clone(), true));
    assert!(ledger.knows_tasks(&team("a"), true));
    let (services, leftover) = ledger.owned(&team("a"));
    let current: Vec<bool> = services[0]
        .tasks
        .iter()
        .flatten()
        .map(|task| task.current)
        .collect();
    assert_eq!(current, [false, true], "newest first");
    assert_eq!(
        leftover.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(),
        ["t3"]
    );

    let read = ledger.begin();
    let reordered = tasks.iter().rev().cloned().collect();
    assert!(
        !ledger.owner_tasks(read, &team("a"), reordered, true),
        "nothing new"
    );
    let mut changed = service("s1", 2, "a");
    changed.template += 1;
    let read = ledger.begin();
    ledger.services(read, Scope::Ids(&ids(&["s1"])), vec![changed]);
    let (services, _) = ledger.owned(&team("a"));
    assert!(services[0].tasks.iter().flatten().all(|task| !task.current));
}

#[test]
fn a_count_that_differs_from_what_is_known_is_a_hint() {
    for (running, hints) in [(1, false), (0, true), (2, true)] {
        let mut ledger = ledger();
        let read = ledger.begin();
        ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
        let read = ledger.begin();
        ledger.owner_tasks(read, &team("a"), vec![task("t1", "s1", "running", "i")], true);
        let read = ledger.begin();
        let touched = ledger.services(read, Scope::All, vec![counted(running, service("s1", 1, "a"))]);
        assert_eq!(touched.contains(&team("a")), hints, "{running} run");
        assert_eq!(ledger.knows_tasks(&team("a"), true), !hints, "{running} run");
    }
}

#[test]
fn a_count_from_before_the_tasks_were_read_says_nothing() {
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
    let list = ledger.begin();
    let read = ledger.begin();
    ledger.owner_tasks(read, &team("a"), vec![task("t1", "s1", "running", "i")], true);
    let touched = ledger.services(list, Scope::All, vec![counted(0, service("s1", 1, "a"))]);
    assert_eq!(touched, [].into());
}

/// What an owner depends on, by name.
fn want<'a>(owner: &'a Key, services: &[&str], networks: &[&str]) -> Want<'a> {
    Want {
        service_names: ids(services),
        networks: ids(networks),
        ..Want::own(owner)
    }
}

#[test]
fn who_stands_in_the_way_is_told_about_from_its_coming_to_its_going() {
    let mut ledger = ledger();
    let (owner, names) = (team("a"), ["name-none", "name-s1"]);
    ledger.follow(&want(&owner, &names, &[]));
    let mut seen: Vec<Vec<u64>> = Vec::new();
    for answer in [vec![service("s1", 1, "")], vec![service("s1", 2, "")], vec![]] {
        let read = ledger.begin();
        let touched = ledger.services(read, Scope::Ids(&ids(&["s1"])), answer);
        assert_eq!(touched, [team("a")].into());
        let services = ledger.slice(&want(&owner, &names, &[])).services;
        seen.push(services.into_values().map(|service| service.version).collect());
    }
    assert_eq!(seen, [vec![1], vec![2], vec![]]);
}

#[test]
fn a_read_for_one_owner_tells_who_waits_for_a_name_of_it() {
    let mut ledger = ledger();
    let (waiting, holder) = (team("a"), team("b"));
    ledger.follow(&want(&waiting, &["name-s1"], &[]));
    for answer in [vec![service("s1", 1, "b")], vec![]] {
        let read = ledger.begin();
        let touched = ledger.services(read, Scope::Owner(&holder), answer);
        assert_eq!(touched, [waiting.clone(), holder.clone()].into());
    }
}

/// Takes a list of networks; who is told.
fn list_networks(ledger: &mut Ledger, names: &[&str]) -> BTreeSet<Key> {
    let read = ledger.begin();
    ledger.networks(read, None, names.iter().map(|name| network(name, name)).collect())
}

#[test]
fn a_look_changes_nothing_of_what_an_owner_is_told() {
    let mut ledger = ledger();
    let owner = team("a");
    ledger.follow(&want(&owner, &["name-s1"], &["net"]));
    let proposed = team("proposed");
    for looked_at in [&owner, &proposed] {
        ledger.slice(&want(looked_at, &["name-s2"], &["other"]));
    }
    for (id, networks, told) in [
        ("s1", &["net"][..], Some(&owner)),
        ("s2", &["net", "other"], None),
    ] {
        let told: BTreeSet<Key> = told.into_iter().cloned().collect();
        assert_eq!(list_networks(&mut ledger, networks), told, "{networks:?}");
        let read = ledger.begin();
        let touched = ledger.services(read, Scope::Ids(&ids(&[id])), vec![service(id, 1, "")]);
        assert_eq!(touched, told, "service {id}");
    }
}

#[test]
fn what_an_owner_does_not_follow_any_more_is_forgotten() {
    let mut ledger = ledger();
    let owner = team("a");
    ledger.follow(&want(&owner, &["name-s1", "name-s2"], &["net"]));
    ledger.follow(&want(&owner, &["name-s2"], &["other"]));
    let read = ledger.begin();
    let touched = ledger.services(read, Scope::All, vec![service("s1", 1, "")]);
    assert_eq!(
        (touched, list_networks(&mut ledger, &["net"])),
        ([].into(), [].into())
    );
    assert_eq!(
        list_networks(&mut ledger, &["net", "other"]),
        [owner.clone()].into()
    );
    ledger.follow(&Want::own(&owner));
    assert_eq!(
        format!("{:?}", ledger.followers),
        format!("{:?}", Followers::default())
    );
}

#[test]
fn networks_are_known_by_name_to_those_who_named_them() {
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
    assert!(ledger.lacks_networks(&team("a")));
    ledger.follow(&want(&team("b"), &[], &["net"]));
    let read = ledger.begin();
    let told = ledger.networks(read, None, vec![network("n1", "net"), network("n2", "other")]);
    assert_eq!(told, [team("b")].into());
    assert!(!ledger.lacks_networks(&team("a")));
    assert_eq!(ledger.owned(&team("a")).0[0].spec.networks, ids(&["net"]));
    assert_eq!(ledger.users(&Used::Network("n1".to_owned())), ids(&["name-s1"]));
    let read = ledger.begin();
    let told = ledger.networks(read, None, vec![network("n2", "other")]);
    assert_eq!(told, [team("b")].into(), "it is gone");
}

#[test]
fn all_tasks_find_their_owners_by_service() {
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.services(
        read,
        Scope::All,
        vec![service("s1", 1, "a"), service("s2", 1, "b"), service("s3", 1, "")],
    );
    let read = ledger.begin();
    let tasks = vec![task("t1", "s1", "running", "i"), task("t3", "s3", "running", "i")];
    ledger.all_tasks(read, tasks);
    let count = |owner| ledger.owned(&team(owner)).0[0].tasks.as_ref().map(Vec::len);
    assert_eq!((count("a"), count("b")), (Some(1), Some(0)));
}

#[test]
fn an_owner_sees_what_concerns_it() {
    let ours = |name: &str, options: serde_json::Value| {
        json!({
            "Id": name, "Name": name, "Scope": "swarm", "Driver": "overlay", "Options": options,
            "Labels": {label::MANAGED_BY: MANAGER, label::INSTANCE: INSTANCE},
        })
    };
    let allocated = json!({"com.docker.network.driver.overlay.vxlanid_list": "1"});
    let networks: Vec<SeenNetwork> = serde_json::from_value(json!([
        ours("n1", allocated.clone()),
        ours("idle", allocated),
        ours("stillborn", json!({})),
        {"Id": "1", "Name": "named", "Scope": "local", "Driver": "bridge"},
        {"Id": "2", "Name": "named", "Scope": "swarm", "Driver": "overlay"},
        {"Id": "3", "Name": "other", "Scope": "swarm", "Driver": "overlay"},
    ]))
    .unwrap();
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.networks(read, None, networks);
    ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
    for (named, expect) in [
        (&["named"][..], &["named"][..]),
        (&["n1", "stillborn"], &["n1"]),
        (&["idle"], &["idle"]),
        (&[], &[]),
    ] {
        let owner = team("b");
        let mut want = Want::own(&owner);
        want.networks = ids(named);
        let seen = ledger.slice(&want).networks;
        assert_eq!(seen.keys().collect::<Vec<_>>(), expect, "{named:?}");
        assert!(seen.get("named").is_none_or(|network| network.overlay));
    }
}

#[test]
fn the_files_of_others_are_hidden() {
    let labels = |name: &str| service("x", 1, name).service.spec.labels;
    let blobs = json!([
        {"ID": "1", "Spec": {"Name": "own", "Labels": labels("a")}},
        {"ID": "2", "Spec": {"Name": "others", "Labels": labels("b")}},
        {"ID": "3", "Spec": {"Name": "foreign", "Labels": null}},
    ]);
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.secrets(read, None, serde_json::from_value(blobs).unwrap());
    let owner = team("a");
    let seen = ledger.slice(&Want::own(&owner)).secrets;
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["own"]);
    assert_eq!(ledger.owners(), [team("a"), team("b")].into());
}

#[test]
fn the_maker_of_a_network_is_asked_for_when_its_last_user_has_left() {
    let mut ledger = ledger();
    let mut made = network("n1", "net");
    made.network.labels = service("x", 1, "gone").service.spec.labels;
    let read = ledger.begin();
    ledger.networks(read, None, vec![made, network("n2", "theirs")]);
    ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
    assert_eq!(ledger.makers_of_idle_networks(), [].into());
    let read = ledger.begin();
    ledger.services(read, Scope::All, Vec::new());
    assert_eq!(ledger.makers_of_idle_networks(), [team("gone")].into());
    assert_eq!(ledger.owners(), [team("gone")].into());
}

#[test]
fn tasks_of_services_that_are_gone_are_known_only_when_they_were_asked_for() {
    let mut ledger = ledger();
    let owner = team("a");
    let knows = |ledger: &Ledger| [false, true].map(|leftovers| ledger.knows_tasks(&owner, leftovers));
    let read = ledger.begin();
    ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
    for has_leftovers in [false, true] {
        let read = ledger.begin();
        ledger.owner_tasks(read, &owner, Vec::new(), has_leftovers);
        assert_eq!(knows(&ledger), [true, has_leftovers]);
        assert_eq!(ledger.has_leftovers(&owner), has_leftovers);
    }
    let read = ledger.begin();
    ledger.services(read, Scope::Ids(&ids(&["s2"])), vec![service("s2", 1, "a")]);
    assert_eq!(
        knows(&ledger),
        [false, false],
        "those of a new service are not known"
    );
}

#[test]
fn a_list_is_taken_one_by_one_and_only_what_changed_is_decoded() {
    let mut ledger = ledger();
    let read = ledger.begin();
    let both = vec![service("s1", 1, "a"), service("s2", 1, "b")];
    ledger.services(read, Scope::All, both);
    let read = ledger.begin();
    ledger.owner_tasks(read, &team("a"), vec![task("t1", "s1", "running", "i")], false);

    let mut list = |answer: &[serde_json::Value]| {
        let (read, mut touched) = (ledger.begin(), BTreeSet::new());
        for service in answer {
            ledger
                .listed(read, service.to_string().as_bytes(), &mut touched)
                .unwrap();
        }
        ledger.end(read, Scope::All, &mut touched);
        touched
    };
    let row = |id: &str, version: u64, running: u64, spec: serde_json::Value| {
        let counts = json!({"RunningTasks": running});
        json!({"ID": id, "Version": {"Index": version}, "ServiceStatus": counts, "Spec": spec})
    };
    let undecodable = || json!("no spec");
    let (same, other) = (row("s1", 1, 1, undecodable()), row("s2", 1, 0, undecodable()));
    assert_eq!(list(&[same.clone(), other.clone()]), [].into());
    let ended = row("s1", 1, 0, undecodable());
    assert_eq!(
        list(&[ended, other.clone()]),
        [team("a")].into(),
        "its task has ended"
    );
    let changed = row("s2", 2, 0, json!({"Name": "name-s2"}));
    assert_eq!(
        list(&[same, changed]),
        [team("b")].into(),
        "it has lost its labels"
    );
    assert_eq!(
        list(&[other]),
        [team("a")].into(),
        "s1 is gone, and s2 of old is not news"
    );
    let (read, mut touched) = (ledger.begin(), BTreeSet::new());
    let broken = row("s3", 1, 0, undecodable()).to_string();
    assert!(ledger.listed(read, broken.as_bytes(), &mut touched).is_err());
}
