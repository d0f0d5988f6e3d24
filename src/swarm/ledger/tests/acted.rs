//! What is read again after an owner was acted on, and by whom.

use super::*;

#[test]
fn what_was_being_read_when_an_owner_was_acted_on_is_read_again() {
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
    let under_way = ledger.begin();
    ledger.acted_on(&team("a"), None);
    ledger.owner_tasks(
        under_way,
        &team("a"),
        vec![task("t1", "s1", "running", "i")],
        true,
    );
    ledger.services(under_way, Scope::Owner(&team("a")), vec![service("s1", 1, "a")]);
    assert!(ledger.unread(&team("a")).all && !ledger.knows_tasks(&team("a"), true));
    let read = ledger.begin();
    ledger.services(read, Scope::Owner(&team("a")), vec![service("s1", 2, "a")]);
    ledger.owner_tasks(read, &team("a"), vec![task("t1", "s1", "running", "i")], true);
    assert!(!ledger.unread(&team("a")).all && ledger.knows_tasks(&team("a"), true));
}

#[test]
fn what_was_noted_of_owners_that_are_gone_is_forgotten() {
    let mut ledger = ledger();
    ledger.acted_on(&team("a"), None);
    assert!(ledger.owned(&team("a")).1.is_empty());
    let read = ledger.begin();
    ledger.services(read, Scope::All, Vec::new());
    assert!(ledger.acted_on.is_empty() && ledger.tasks.is_empty());
}

/// Notes an action on a service of `a`.
fn act_on(ledger: &mut Ledger, service: &str) {
    ledger.acted_on(&team("a"), Some(&Target::Service(service.to_owned())));
}

#[test]
fn what_was_acted_on_is_read_again_once_by_whoever_reads_it_first() {
    let owner = team("a");
    let names = ids(&["name-s1"]);
    for scope in [
        Scope::All,
        Scope::Ids(&ids(&["s1"])),
        Scope::Owner(&owner),
        Scope::Names(&owner, &names),
    ] {
        for answer in [vec![service("s1", 2, "a")], vec![]] {
            let mut ledger = ledger();
            let read = ledger.begin();
            ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
            let under_way = ledger.begin();
            act_on(&mut ledger, "name-s1");
            ledger.services(under_way, Scope::All, vec![service("s1", 1, "a")]);
            assert_eq!(ledger.unread(&owner).services, names, "{scope:?}");
            let read = ledger.begin();
            ledger.services(read, scope, answer);
            assert_eq!(ledger.unread(&owner), Unread::default(), "{scope:?}");
            assert!(ledger.acted_on.is_empty());
        }
    }
}

#[test]
fn a_service_that_a_look_by_name_does_not_find_is_gone() {
    let mut ledger = ledger();
    let owner = team("a");
    let read = ledger.begin();
    let both = vec![service("s1", 1, "a"), service("s2", 1, "a")];
    ledger.services(read, Scope::All, both);
    let read = ledger.begin();
    ledger.services(
        read,
        Scope::Names(&owner, &ids(&["name-s1", "name-none"])),
        Vec::new(),
    );
    assert_eq!(services(&ledger, "a"), [("s2".to_owned(), 1)]);
}

#[test]
fn what_several_owners_acted_on_is_read_for_all_of_them() {
    let mut ledger = ledger();
    let net = Target::Network("net".to_owned());
    for owner in ["a", "b"] {
        ledger.acted_on(&team(owner), Some(&net));
    }
    ledger.acted_on(&team("b"), Some(&Target::Secret("net".to_owned())));
    let read = ledger.begin();
    ledger.networks(read, Some(&ids(&["net"])), Vec::new());
    assert_eq!(ledger.unread(&team("a")), Unread::default());
    assert_eq!(ledger.unread(&team("b")).names.secrets, ids(&["net"]));
    let read = ledger.begin();
    ledger.secrets(read, None, Vec::new());
    assert!(ledger.acted_on.is_empty() && ledger.actors.is_empty());
}

#[test]
fn a_service_that_has_the_name_of_another_has_replaced_it() {
    let named = |id: &str, version| {
        let mut seen = service(id, version, "a");
        seen.service.spec.name = "name".to_owned();
        seen
    };
    let mut ledger = ledger();
    let owner = team("a");
    let read = ledger.begin();
    ledger.services(read, Scope::All, vec![named("s1", 1)]);
    let (early, late) = (ledger.begin(), ledger.begin());
    ledger.services(late, Scope::Names(&owner, &ids(&["name"])), vec![named("s2", 7)]);
    assert_eq!(services(&ledger, "a"), [("s2".to_owned(), 7)]);
    ledger.services(early, Scope::Ids(&ids(&["s1"])), vec![named("s1", 2)]);
    assert_eq!(services(&ledger, "a"), [("s2".to_owned(), 7)], "an older answer");
}

#[test]
fn tasks_of_a_service_that_was_not_asked_about_are_not_known() {
    let mut ledger = ledger();
    let owner = team("a");
    let (list, tasks) = (ledger.begin(), ledger.begin());
    ledger.services(list, Scope::All, vec![service("s1", 1, "a")]);
    ledger.owner_tasks(tasks, &owner, Vec::new(), false);
    assert!(!ledger.knows_tasks(&owner, false));
    let tasks = ledger.begin();
    ledger.owner_tasks(tasks, &owner, Vec::new(), false);
    assert!(ledger.knows_tasks(&owner, false));
}

#[test]
fn only_what_was_acted_on_is_read_again() {
    let mut ledger = ledger();
    let owner = team("a");
    for name in ["net", "other"] {
        ledger.acted_on(&owner, Some(&Target::Network(name.to_owned())));
    }
    ledger.acted_on(&owner, Some(&Target::Config("prompt".to_owned())));
    let mut expect = Unread {
        names: Names {
            networks: ids(&["net", "other"]),
            configs: ids(&["prompt"]),
            ..Names::default()
        },
        ..Unread::default()
    };
    assert_eq!(ledger.unread(&owner), expect);
    let read = ledger.begin();
    ledger.networks(read, Some(&ids(&["net"])), vec![network("n1", "net")]);
    expect.names.networks = ids(&["other"]);
    assert_eq!(ledger.unread(&owner), expect);
    list_networks(&mut ledger, &["net"]);
    let read = ledger.begin();
    ledger.configs(read, None, Vec::new());
    assert_eq!(ledger.unread(&owner), Unread::default());
}

#[test]
fn what_was_read_by_name_outlasts_lists_that_began_before() {
    let mut ledger = ledger();
    let names = |ledger: &Ledger| -> Vec<String> {
        let networks = ledger.networks.iter();
        networks.map(|network| network.network.id.clone()).collect()
    };
    let early = ledger.begin();
    list_networks(&mut ledger, &["gone", "kept"]);
    let (under_way, read) = (ledger.begin(), ledger.begin());
    let answer = vec![network("made", "made"), network("longer", "made-longer")];
    ledger.networks(read, Some(&ids(&["gone", "made"])), answer);
    assert_eq!(names(&ledger), ["kept", "made"], "others are not spoken of");
    let old = || {
        vec![
            network("gone", "gone"),
            network("kept", "kept"),
            network("new", "new"),
        ]
    };
    ledger.networks(early, None, Vec::new());
    ledger.networks(under_way, None, old());
    assert_eq!(names(&ledger), ["kept", "made", "new"]);
    let read = ledger.begin();
    ledger.networks(read, None, old());
    assert_eq!(names(&ledger), ["gone", "kept", "new"]);
    ledger.networks(under_way, Some(&ids(&["new"])), Vec::new());
    assert_eq!(names(&ledger), ["gone", "kept", "new"]);
}
