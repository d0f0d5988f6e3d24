//! What is foretold of Swarms on paper.

use std::cell::Cell;

use jiff::ToSpan;
use serde_json::{Value, json};

use super::*;
use crate::plan::observed::Image;
use crate::resource::lower::{Endpoints, Templates, lower};
use crate::resource::outlook::{NewNode, Stranded};
use crate::resource::policy::Rules;
use crate::resource::{Key, Kind, Object};

const FOREVER: Audience<'_> = Audience(&|| true);
/// Long enough for whatever is to come.
const LONG: Duration = Duration::from_secs(600);

/// A team that is new.
fn team(name: &str, replicas: u32, memory: &str) -> Owner {
    let spec = json!({
        "defaults": {"image": "agent:1", "resources": {"requests": {"memory": memory}, "limits": {"memory": memory}}},
        "roles": [{"name": "writer", "replicas": replicas}],
    });
    let mut object = Object::new(&Key::new(Kind::Team, "default", name), spec);
    object.metadata.uid = Some(format!("uid-of-{name}"));
    object.metadata.generation = Some(1);
    Owner {
        workload: lower(
            &object,
            &Templates::new(),
            &Endpoints::default(),
            &Rules::default(),
        )
        .unwrap(),
        sources: Observed {
            images: [("agent:1".to_owned(), Image::Local)].into(),
            ..Observed::default()
        },
        status: None,
        is_changed: true,
    }
}

/// Three managers of 8 GiB each that have run these teams for ten minutes.
fn today(teams: Vec<Owner>) -> Today {
    let node = |number: usize| {
        json!({
            "ID": format!("id-{number}"),
            "Spec": {"Role": "manager", "Availability": "active"},
            "Description": {
                "Hostname": format!("node-{number}"),
                "Resources": {"NanoCPUs": 8_000_000_000_i64, "MemoryBytes": 8_i64 << 30},
                "Platform": {"Architecture": "x86_64", "OS": "linux"},
            },
            "Status": {"State": "ready", "Addr": format!("10.0.0.{number}")},
            "ManagerStatus": {"Leader": number == 1, "Reachability": "reachable"},
        })
    };
    let mut today = Today {
        documents: [("nodes", (1..=3).map(node).collect::<Vec<Value>>())].into(),
        owners: teams,
        instance: "instance".to_owned(),
        now: Timestamp::UNIX_EPOCH,
    };
    pass(&mut today, LONG);
    for owner in &mut today.owners {
        owner.is_changed = false;
    }
    today
}

/// Lets time pass, in which what is to change is changed.
fn pass(today: &mut Today, length: Duration) {
    let mut swarm = Rehearsal::copy(&today.documents, today.now, Timing::lifelike()).unwrap();
    operate::operate(&mut swarm, today, length, FOREVER).unwrap();
    today.documents = swarm.documents().unwrap();
    let look = look::look(&today.documents, today, Moment::At(swarm.now()), FOREVER).unwrap();
    for owner in &mut today.owners {
        owner.status = look.objects.get(&owner.workload.owner.key).cloned();
    }
    today.now = swarm.now();
}

fn failing(nodes: &[&str]) -> Scenario {
    Scenario {
        fail_nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
        seconds: LONG.as_secs(),
        ..Scenario::default()
    }
}

/// A node joins that has so many bytes.
fn adding(memory_bytes: i64) -> Scenario {
    Scenario {
        add_nodes: vec![NewNode {
            name: "more".to_owned(),
            nano_cpus: 1_000_000_000,
            memory_bytes,
            labels: [].into(),
        }],
        seconds: LONG.as_secs(),
        ..Scenario::default()
    }
}

fn foretell(today: &Today, scenario: &Scenario) -> Outlook {
    play(today, scenario, &|| true).unwrap()
}

/// Each object that people are told something else of: `team/a: 2/2 Ready -> 1/2 Degraded`.
fn told(outlook: &Outlook) -> Vec<String> {
    let told = outlook.objects.iter().map(|object| {
        let before = object.before.as_deref().unwrap_or("new");
        format!("{}: {before} -> {}", object.object, object.after)
    });
    told.collect()
}

fn reasons(outlook: &Outlook) -> Vec<(&str, &str)> {
    let stranded = outlook.stranded.iter();
    let told = stranded.map(|Stranded { agent, reason, .. }| (agent.as_str(), reason.as_str()));
    told.collect()
}

#[test]
fn what_waits_for_room_in_vain_goes_on_waiting() {
    let today = today(vec![team("large", 2, "900Gi"), team("small", 3, "1Gi")]);
    assert_eq!(today.owners[0].status.as_ref().unwrap().state, "Stalled");
    let nothing = foretell(&today, &adding(1 << 30));
    assert!(nothing.is_empty(), "{nothing:?}");
    let failed = foretell(&today, &failing(&["node-2"]));
    assert_eq!((told(&failed), failed.moves.len()), (vec![], 1));
    let room = foretell(&today, &adding(2000 << 30));
    assert_eq!(told(&room), ["team/large: 0/2 Stalled -> 2/2 Ready"]);
}

#[test]
fn what_has_waited_for_long_has_done_so_from_the_first() {
    let today = today(vec![team("mixed", 4, "8Gi")]);
    assert_eq!(
        told(&foretell(&today, &failing(&["node-2"]))),
        ["team/mixed: 3/4 Stalled -> 2/4 Stalled"]
    );
    // Less than it takes to see that nothing fits.
    let early = Scenario {
        drain_nodes: vec!["node-2".to_owned()],
        seconds: 5,
        ..Scenario::default()
    };
    assert_eq!(
        told(&foretell(&today, &early)),
        ["team/mixed: 3/4 Stalled -> 2/4 Stalled"]
    );
}

#[test]
fn an_object_to_which_nothing_happens_is_told_of_as_it_is() {
    let mut today = today(vec![team("a", 2, "1Gi"), team("b", 1, "1Gi")]);
    // Of a crash loop, or a team that is late, a copy on which everything runs knows nothing.
    for owner in &mut today.owners {
        "Degraded".clone_into(&mut owner.status.as_mut().unwrap().state);
    }
    assert!(foretell(&today, &adding(1 << 30)).is_empty());
}

#[test]
fn without_a_leader_nobody_knows_how_teams_are_and_nothing_new_starts() {
    let mut today = today(vec![team("a", 3, "1Gi"), team("b", 1, "1Gi")]);
    today.owners.push(team("new", 2, "1Gi"));
    let mut more = team("b", 2, "1Gi");
    more.workload.owner.generation = 2;
    more.status = today.owners[1].status.clone();
    today.owners[1] = more;
    let outlook = foretell(&today, &failing(&["node-1", "node-2"]));
    assert!(!outlook.managers.has_leader);
    assert_eq!(
        told(&outlook),
        [
            "team/a: 3/3 Ready -> 3/3 Unknown",
            "team/b: 1/1 Ready -> 1/2 Unknown",
            "team/new: new -> 0/2 Unknown",
        ]
    );
    assert!(
        outlook.objects[0]
            .message
            .starts_with("the agents cannot be looked at: the Swarm has no leader"),
        "{outlook:?}"
    );
    let (started, replaced): (Vec<_>, Vec<_>) = reasons(&outlook)
        .into_iter()
        .partition(|(_, reason)| *reason == "nothing is started while the managers have no leader");
    let started: Vec<&str> = started.into_iter().map(|(agent, _)| agent).collect();
    assert_eq!(
        started,
        ["team.b.writer.2", "team.new.writer.1", "team.new.writer.2"]
    );
    assert!(!replaced.is_empty());

    // An election is over before anybody is told anything.
    today.owners.truncate(1);
    let early = Scenario {
        seconds: 1,
        ..failing(&["node-1"])
    };
    let early = foretell(&today, &early);
    assert_eq!((early.managers.has_leader, told(&early)), (false, vec![]));
}

#[test]
fn a_silence_that_nobody_notices_is_told() {
    let mut today = today(vec![team("a", 3, "1Gi")]);
    let early = Scenario {
        seconds: 1,
        ..failing(&["node-2", "id-3"])
    };
    // Two of three managers would be too many.
    let nodes = today.documents.get_mut("nodes").unwrap();
    for node in nodes.iter_mut().filter(|node| node["ID"] != "id-1") {
        node["Spec"]["Role"] = json!("worker");
        node.as_object_mut().unwrap().shift_remove("ManagerStatus");
    }
    let outlook = foretell(&today, &early);
    assert!(outlook.is_empty());
    let unnoticed = outlook.unnoticed.unwrap();
    assert_eq!(
        (unnoticed.nodes.join(" "), unnoticed.after),
        ("node-2 node-3".to_owned(), 15.0)
    );
    let noticed = foretell(&today, &failing(&["node-2"]));
    assert_eq!((noticed.unnoticed, noticed.moves.len()), (None, 1));
}

#[test]
fn a_game_that_nobody_waits_for_ends_at_once() {
    let mut today = today(vec![team("a", 20, "1Mi")]);
    today.owners.push(team("b", 20, "1Mi"));
    today.now = today.now.checked_add(1.minute()).unwrap();
    let scenario = failing(&["node-3"]);
    let asked = Cell::new(0_usize);
    let count = || {
        asked.set(asked.get() + 1);
        true
    };
    play(&today, &scenario, &count).unwrap();
    let all = asked.get();
    // Again and again in each second, for each owner, and for each action.
    assert!(all > 12_000, "{all}");
    for last in (0..all).step_by(all / 10) {
        asked.set(0);
        let is_wanted = || {
            asked.set(asked.get() + 1);
            asked.get() <= last
        };
        let ended = play(&today, &scenario, &is_wanted);
        assert_eq!(ended, Err(ScenarioError::Unwanted(Unwanted)));
        assert_eq!(asked.get(), last + 1);
    }
}
