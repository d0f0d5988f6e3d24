//! Who is on a network, as one owner sees it.

use super::*;

#[test]
fn a_service_takes_an_address_a_task_and_one_for_itself() {
    let with = |replicas: u64, mode: &str| {
        let spec = json!({
            "Name": "theirs", "TaskTemplate": {"ContainerSpec": {"Image": "i"}, "Networks": [{"Target": "n1"}]},
            "Mode": {"Replicated": {"Replicas": replicas}}, "EndpointSpec": {"Mode": mode},
        });
        serde_json::from_value(json!({"ID": "s9", "Version": {"Index": replicas + 1}, "Spec": spec})).unwrap()
    };
    let owner = team("a");
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.networks(read, None, vec![network("n1", "net")]);
    for (theirs, others) in [
        (with(0, "dnsrr"), 1),
        (with(7, "dnsrr"), 7),
        (with(12, "vip"), 13),
    ] {
        let read = ledger.begin();
        let answer = vec![service("s1", 1, "a"), theirs];
        ledger.services(read, Scope::All, answer);
        let seen = ledger.slice(&want(&owner, &[], &["net"]));
        let in_use = &seen.networks["net"].in_use;
        assert_eq!((in_use.own.len(), in_use.others), (1, others));
    }
    let read = ledger.begin();
    ledger.services(read, Scope::All, vec![service("s1", 1, "a")]);
    let seen = ledger.slice(&want(&owner, &[], &["net"]));
    assert_eq!(seen.networks["net"].in_use.others, 0);
}

#[test]
fn one_owner_counts_the_others_on_its_networks_and_names_its_own() {
    let mut ledger = ledger();
    list_networks(&mut ledger, &["n1"]);
    let read = ledger.begin();
    let all = vec![
        service("s1", 1, "a"),
        service("s2", 1, "b"),
        service("s3", 1, ""),
        service("s4", 1, ""),
    ];
    ledger.services(read, Scope::All, all);
    let owner = team("a");
    let seen = ledger.slice(&want(&owner, &["name-s1", "name-s3", "name-none"], &["n1"]));
    let attached = &seen.networks["n1"].in_use;
    // Each of the two others has its task's address and a virtual one.
    assert_eq!(
        (&attached.own, attached.others),
        (&ids(&["name-s1", "name-s3"]), 4)
    );
}
