//! Faults are played where they were asked for, and WHOOSH's client meets them.

use std::collections::BTreeSet;
use std::time::Duration;

use whoosh::plan::Action;
use whoosh::plan::action::Target;
use whoosh::resource::policy::Rules;
use whoosh::sim::Settings;
use whoosh::sim::faults::{Class, Fault, Point};
use whoosh::swarm::{ActError, Done, Tuning, Want};

use super::stage::Sim;
use crate::harness::eventually::eventually;
use crate::swarm::stage::{PATIENCE, TUNING};

fn point(class: Class, signature: &str, occurrence: u32) -> Point {
    Point {
        class,
        signature: signature.to_owned(),
        occurrence,
    }
}

fn call(signature: &str) -> Point {
    point(Class::Call, signature, 1)
}

#[tokio::test]
async fn a_run_without_faults_names_its_points() {
    let sim = Sim::start(Settings::default());
    let stage = sim.stage().await;
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    stage.clear().await;
    let (network, service) = (&stage.network, stage.spec(1).name);
    let seen = sim.simulation.faults().seen();
    let calls: Vec<String> = seen
        .iter()
        .filter(|point| point.class == Class::Call)
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        calls,
        [
            format!("create network {network} #1"),
            format!("create service {service} #1"),
            format!("remove service {service} #1"),
            format!("remove network {network} #1"),
        ]
    );
    for expect in [
        point(Class::List, "list /services", 1),
        point(Class::List, &format!("list /services/{service}"), 1),
        point(Class::Event, &format!("event service create {service}"), 1),
        point(Class::Event, &format!("event network remove {network}"), 1),
    ] {
        assert!(seen.contains(&expect), "{expect} is not among {seen:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_lost_was_done_or_was_not() {
    let sim = Sim::start(Settings::default());
    let stage = sim.stage().await;
    stage.create_network().await;
    let spec = |slot| stage.spec(slot);
    let create = |slot| call(&format!("create service {}", spec(slot).name));
    let answer = |text: &str| (500, text.to_owned());
    let (status, text) = answer("rpc error: code = DeadlineExceeded desc = context deadline exceeded");
    sim.simulation.faults().play([
        (create(1), Fault::Lose),
        (create(2), Fault::LoseBefore),
        (
            create(3),
            Fault::DoThenAnswer {
                status,
                text: text.clone(),
            },
        ),
        (create(4), Fault::Answer { status, text }),
        (
            create(5),
            Fault::Answer {
                status: 503,
                text: "This node is not a swarm manager.".to_owned(),
            },
        ),
    ]);
    for (slot, is_done) in [(1, true), (2, false), (3, true), (4, false)] {
        let done = stage.create(spec(slot)).await;
        match (&done, is_done) {
            (Ok(Done::AlreadyThere(_)), true) | (Err(ActError::Indeterminate { .. }), false) => {}
            _ => panic!("slot {slot}: {done:?}"),
        }
    }
    let refused = stage.create(spec(5)).await;
    assert!(
        matches!(refused, Err(ActError::Unavailable { .. })),
        "{refused:?}"
    );
    assert_eq!(stage.observe().await.services.len(), 2);
    assert!(sim.simulation.faults().armed().is_empty());
    stage.clear().await;
}

#[tokio::test]
async fn a_frozen_call_tells_its_driver() {
    let sim = Sim::start(Settings::default());
    let stage = sim.stage().await;
    stage.create_network().await;
    let mut reached = sim.simulation.faults().reached();
    for (slot, done) in [(1, false), (2, true)] {
        let freeze = call(&format!("create service {}", stage.spec(slot).name));
        sim.simulation
            .faults()
            .play([(freeze.clone(), Fault::Freeze { done })]);
        tokio::select! {
            answer = stage.create(stage.spec(slot)) => panic!("answered: {answer:?}"),
            point = reached.recv() => assert_eq!(point, Some(freeze)),
        }
        // Its sender is gone; the next look tells what became of it.
        stage.cache.invalidate(&stage.owner);
        let services = stage.observe().await.services;
        assert_eq!(
            services.contains_key(&stage.spec(slot).name),
            done,
            "{services:?}"
        );
    }
    stage.clear().await;
}

#[tokio::test]
async fn a_list_can_be_old() {
    let sim = Sim::start(Settings::default());
    let stage = sim.stage().await;
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    assert_eq!(stage.observe().await.services.len(), 1);
    let uid = stage.uid().to_owned();
    let found = stage.service(&stage.spec(1).name).await;
    let remove = Action::RemoveService {
        id: found.id.clone(),
        name: found.spec.name.clone(),
        uid,
    };
    stage.act(&remove).await.unwrap();
    let count = |signature: &str| {
        let seen = sim.simulation.faults().seen();
        seen.iter().filter(|point| point.signature == signature).count() as u32
    };
    let next = count("list /services") + 1;
    sim.simulation.faults().play((next..next + 3).map(|number| {
        (
            point(Class::List, "list /services", number),
            Fault::Stale { back: 1 },
        )
    }));
    stage.cache.invalidate(&stage.owner);
    let old = stage.observe().await.services;
    assert_eq!(
        old.values().map(|service| &service.id).collect::<Vec<_>>(),
        [&found.id]
    );
    eventually(PATIENCE, "the present is seen again", async || {
        stage.cache.invalidate(&stage.owner);
        let services = stage.observe().await.services;
        if services.is_empty() {
            Ok(())
        } else {
            Err(format!("{services:?}"))
        }
    })
    .await;
    stage.clear().await;
}

#[tokio::test]
async fn events_get_lost_and_the_list_finds_out() {
    const EAGER: Tuning = Tuning {
        relist: Duration::from_millis(100),
        ..TUNING
    };
    for fault in [
        Fault::Drop,
        Fault::Twice,
        Fault::AfterNext,
        Fault::Silence,
        Fault::Cut,
    ] {
        let sim = Sim::start(Settings::default());
        let mut stage = sim.stage_tuned(EAGER).await;
        stage.create_network().await;
        let name = stage.spec(1).name;
        stage.create(stage.spec(1)).await.unwrap();
        stage.until_running().await;
        let event = point(Class::Event, &format!("event service remove {name}"), 1);
        sim.simulation.faults().play([(event, fault.clone())]);
        stage.drain();
        let uid = stage.uid().to_owned();
        let id = stage.service(&name).await.id;
        stage
            .swarm
            .act(
                &Action::RemoveService { id, name, uid },
                &stage.instance,
                &stage.secrets,
                &Rules::default(),
            )
            .await
            .unwrap();
        eventually(PATIENCE, "the loss is told and seen", async || {
            let hint = stage.cache.triggered().await;
            stage.cache.health().map_err(|error| error.to_string())?;
            let seen = stage.observe().await.services;
            if seen.is_empty() {
                Ok(())
            } else {
                Err(format!("{fault:?}: {hint:?}, {seen:?}"))
            }
        })
        .await;
        assert!(sim.simulation.faults().armed().is_empty(), "{fault:?}");
        stage.clear().await;
    }
}

#[tokio::test]
async fn without_a_quorum_the_swarm_says_so() {
    let sim = Sim::start(Settings::default());
    let stage = sim.stage().await;
    stage.create_network().await;
    sim.simulation.set_quorum(false);
    let error = stage.swarm.require_manager().await.unwrap_err();
    assert!(error.to_string().contains("no leader"), "{error}");
    let refused = stage.create(stage.spec(1)).await;
    assert!(
        matches!(refused, Err(ActError::Unavailable { .. })),
        "{refused:?}"
    );
    sim.simulation.set_quorum(true);
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    stage.clear().await;
}

/// Asked for networks, an engine whose managers have no leader answers all the same: with those on its own node.
#[tokio::test]
async fn a_network_is_not_gone_because_nobody_leads() {
    let sim = Sim::start(Settings::default());
    let stage = sim.stage().await;
    stage.create_network().await;
    sim.simulation.set_quorum(false);
    let networks = sim.simulation.look("/networks").unwrap();
    let mut names = networks
        .as_array()
        .unwrap()
        .iter()
        .map(|network| &network["Name"]);
    assert!(names.all(|name| *name != stage.network), "{networks}");

    let target = Target::Network(stage.network.clone());
    stage.cache.acted_on(&stage.owner, &target);
    let want = Want {
        networks: BTreeSet::from([stage.network.clone()]),
        ..Want::own(&stage.owner)
    };
    let unseen = stage.cache.observe(&want).await.unwrap_err();
    assert!(unseen.to_string().contains("leader"), "{unseen}");
    sim.simulation.set_quorum(true);
    eventually(PATIENCE, "the Swarm is seen again", async || {
        let seen = stage
            .cache
            .observe(&want)
            .await
            .map_err(|error| error.to_string())?;
        assert!(seen.networks.contains_key(&stage.network));
        Ok::<_, String>(())
    })
    .await;
    stage.clear().await;
}
