//! What a namespace uses, while services are being made, changed and removed.

use super::*;
use crate::plan::service::ServiceSpec;

/// Claims `agents` agents of a service for a team; how many agents there are before and after, if there may be `most`.
fn claim(
    ledger: &mut Ledger,
    owner: &str,
    id: &str,
    agents: u64,
    most: i64,
) -> Result<(i64, i64), (i64, i64)> {
    let spec = ServiceSpec {
        replicas: agents,
        ..service(id, 1, owner).service.spec
    };
    let mut told = (0, 0);
    ledger
        .claim(&team(owner), &spec, |before, after| {
            told = (before.agents, after.agents);
            match after.agents > most {
                true => Err(told),
                false => Ok(()),
            }
        })
        .map(|()| told)
}

#[test]
fn what_is_being_made_counts_until_it_is_seen() {
    let mut ledger = ledger();
    let read = ledger.begin();
    ledger.services(
        read,
        Scope::All,
        vec![service("s1", 1, "a"), service("s2", 1, "b"), service("s3", 1, "")],
    );
    assert_eq!(claim(&mut ledger, "a", "s4", 1, 4), Ok((2, 3)));
    assert_eq!(claim(&mut ledger, "b", "s5", 1, 4), Ok((3, 4)));
    assert_eq!(claim(&mut ledger, "a", "s6", 1, 4), Err((4, 5)));
    // The same one again, and one that is changed, count once.
    assert_eq!(claim(&mut ledger, "a", "s4", 1, 4), Ok((4, 4)));
    assert_eq!(claim(&mut ledger, "a", "s1", 1, 4), Ok((4, 4)));

    // Neither does an answer from before the action was over say what became of it.
    let during = ledger.begin();
    ledger.services(during, Scope::Owner(&team("a")), vec![service("s1", 1, "a")]);
    assert_eq!(claim(&mut ledger, "a", "s6", 1, 4), Err((4, 5)));

    // An answer from before the claim says nothing of it.
    let early = ledger.begin();
    assert_eq!(claim(&mut ledger, "a", "s4", 2, 9), Ok((4, 5)));
    let target = Target::Service("name-s4".to_owned());
    ledger.acted_on(&team("a"), Some(&target));
    ledger.services(
        early,
        Scope::Owner(&team("a")),
        vec![service("s1", 1, "a"), service("s4", 1, "a")],
    );
    assert_eq!(claim(&mut ledger, "c", "s7", 1, 5), Err((5, 6)));
    let late = ledger.begin();
    ledger.services(
        late,
        Scope::Names(&team("a"), &ids(&["name-s4"])),
        vec![service("s4", 1, "a")],
    );
    assert_eq!(claim(&mut ledger, "c", "s7", 1, 5), Ok((4, 5)));
}

#[test]
fn what_did_not_come_about_and_what_is_gone_does_not_count() {
    let mut ledger = ledger();
    assert_eq!(claim(&mut ledger, "a", "s1", 1, 1), Ok((0, 1)));
    assert_eq!(claim(&mut ledger, "b", "s2", 1, 1), Err((1, 2)));
    // Nobody knows what became of it, until all of its owner's is read.
    ledger.acted_on(&team("a"), None);
    let read = ledger.begin();
    ledger.services(read, Scope::Owner(&team("a")), Vec::new());
    assert_eq!(claim(&mut ledger, "b", "s2", 1, 1), Ok((0, 1)));

    ledger.acted_on(&team("b"), Some(&Target::Service("name-s2".to_owned())));
    let read = ledger.begin();
    ledger.services(read, Scope::Owner(&team("b")), vec![service("s2", 1, "b")]);
    let read = ledger.begin();
    ledger.services(read, Scope::Owner(&team("b")), Vec::new());
    assert_eq!(claim(&mut ledger, "a", "s1", 1, 1), Ok((0, 1)));
    // Whoever was to tell of it is no more: two full lists have seen that it is not there.
    for _ in 0..2 {
        let read = ledger.begin();
        ledger.services(read, Scope::All, Vec::new());
    }
    assert_eq!(claim(&mut ledger, "b", "s2", 1, 1), Ok((0, 1)));
}
