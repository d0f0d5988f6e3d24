//! Hints: what happens in the Swarm is told to whom it concerns, soon, and to nobody else.

use std::time::Duration;

use tokio::time::Instant;
use whoosh::plan::observed::TaskState;
use whoosh::resource::names::label;
use whoosh::resource::{Key, Kind};
use whoosh::swarm::{Done, SecretsDir, Trigger, Tuning, Want};

use super::proxy::{Fault, Proxy};
use super::stage::{IMAGE, PATIENCE, Stage, TUNING, load_image};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;

/// What a person notices as "at once".
const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn changes_by_hand_are_told_at_once() {
    let (engine, mut stage) = Stage::shared().await;
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    let name = stage.spec(1).name;
    let own = stage.own();
    for change in [
        &["service", "scale", "--detach", &format!("{name}=2")][..],
        &["service", "update", "--detach", "--env-add", "X=1", &name],
        &[
            "service",
            "update",
            "--detach",
            "--label-rm",
            "chorus.services/uid",
            &name,
        ],
        &["service", "rm", &name],
    ] {
        eventually(PATIENCE, "the engine's own updates have passed", async || {
            let live = stage.service(&name).await.update_state;
            if live.as_deref() == Some("updating") {
                Err(format!("{live:?}"))
            } else {
                Ok(())
            }
        })
        .await;
        stage.drain();
        let start = Instant::now();
        engine.docker(change).await;
        let done = start.elapsed();
        stage.until_triggered(&own).await;
        let told = start.elapsed();
        assert!(
            told < done + SOON,
            "{change:?} took {done:?} and was told after {told:?}"
        );
    }
    assert!(stage.observe().await.services.is_empty());
    stage.clear().await;
}

#[tokio::test]
async fn a_killed_container_is_told_though_its_owner_had_settled() {
    let (engine, mut stage) = Stage::shared().await;
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    let name = stage.spec(1).name;
    let task = stage.service(&name).await.tasks.unwrap().remove(0);
    stage.drain();
    engine
        .docker(&["rm", "--force", task.container.as_deref().unwrap()])
        .await;
    let own = stage.own();
    stage.until_triggered(&own).await;
    eventually(PATIENCE, "the task is seen to have failed", async || {
        let tasks = stage.service(&name).await.tasks.unwrap();
        let failed = tasks
            .iter()
            .any(|other| other.id == task.id && other.state == TaskState::Failed);
        if failed { Ok(()) } else { Err(format!("{tasks:?}")) }
    })
    .await;
    stage.until_running().await;
    stage.clear().await;
}

#[tokio::test]
async fn an_owner_sees_its_own_and_who_stands_in_its_way() {
    let (engine, mut stage) = Stage::shared().await;
    let (_, other) = Stage::shared().await;
    other.create_network().await;
    other.create(other.spec(1)).await.unwrap();
    stage.drain();
    let taken = stage.spec(1).name;
    let options = [
        "--detach",
        "--no-resolve-image",
        "--endpoint-mode",
        "dnsrr",
        "--name",
        &taken,
    ];
    engine
        .docker(&[&["service", "create"], &options[..], &[IMAGE, "-c", "exit 0"]].concat())
        .await;

    let mut want = Want::own(&stage.owner);
    want.service_names.extend([taken.clone(), other.spec(1).name]);
    want.networks.insert("ingress".to_owned());
    stage.cache.follow(&want);
    stage.cache.invalidate(&stage.owner);
    eventually(PATIENCE, "both foreign services are seen", async || {
        let services = stage.cache.observe(&want).await.unwrap().services;
        if services.len() == 2 {
            Ok(())
        } else {
            Err(format!("{services:?}"))
        }
    })
    .await;
    let observed = stage.cache.observe(&want).await.unwrap();
    assert_eq!(observed.networks.keys().collect::<Vec<_>>(), ["ingress"]);
    let node = observed.nodes.values().next().unwrap();
    assert!(
        node.ready && node.active && node.facts["node.role"] == "manager",
        "{node:?}"
    );
    want.service_names.clear();
    assert!(
        stage.cache.observe(&want).await.unwrap().services.is_empty(),
        "only its own"
    );
    assert_eq!(
        stage.cache.owners(),
        [].into(),
        "another installation's owner is none of ours"
    );
    assert_eq!(other.cache.owners(), [other.owner.clone()].into());
    let all = other.cache.services_of(|_| true, true).await.unwrap();
    assert_eq!(all.len(), 1);
    assert!(all[0].service.tasks.is_some());

    stage.drain();
    engine.docker(&["service", "rm", &taken]).await;
    let own = stage.own();
    stage.until_triggered(&own).await;
    other.clear().await;
}

#[tokio::test]
async fn a_network_is_told_to_those_who_depend_on_it() {
    let (engine, mut stage) = Stage::shared().await;
    let mut want = Want::own(&stage.owner);
    want.networks.insert(stage.network.clone());
    stage.cache.follow(&want);
    // Somebody asks what another network would mean: that is no wish.
    want.networks = ["another".to_owned()].into();
    stage.cache.observe(&want).await.unwrap();
    stage.drain();
    engine
        .docker(&["network", "create", "--driver", "overlay", &stage.network])
        .await;
    let own = stage.own();
    stage.until_triggered(&own).await;
    assert!(stage.observe().await.networks[&stage.network].overlay);
    engine.docker(&["network", "rm", &stage.network]).await;
    stage.until_triggered(&own).await;
    eventually(PATIENCE, "it is gone", async || {
        let networks = stage.observe().await.networks;
        if networks.is_empty() {
            Ok(())
        } else {
            Err(format!("{networks:?}"))
        }
    })
    .await;
}

/// Whoever looks first takes the news: it must reach those whom it concerns all the same.
#[tokio::test]
async fn what_a_look_for_one_owner_finds_is_told_to_others() {
    let engine = Engine::shared().await;
    load_image(engine).await;
    let proxy = Proxy::start(engine.socket()).await;
    proxy.inject(Fault::Silence);
    let mut stage = Stage::new(&proxy.host(), TUNING, SecretsDir::default()).await;
    let name = stage.spec(1).name;
    let mut want = Want::own(&stage.owner);
    want.service_names.insert(name.clone());
    want.networks.insert(stage.network.clone());
    stage.cache.follow(&want);
    let other = Key::new(Kind::Team, "default", format!("{}-other", stage.owner.name));
    let look_for_other = async || {
        stage.cache.invalidate(&other);
        let want = Want::own(&other);
        stage.cache.observe_to_reconcile(&want).await.unwrap();
    };
    let own = stage.own();
    engine
        .docker(&["network", "create", "--driver", "overlay", &stage.network])
        .await;
    look_for_other().await;
    assert_eq!(stage.cache.triggered().await, own);

    let mut spec = stage.spec(1);
    spec.networks.clear();
    spec.labels.insert(label::NAME.to_owned(), other.name.clone());
    let Done::Created(id) = stage.create(spec).await.unwrap() else {
        panic!("made")
    };
    look_for_other().await;
    assert_eq!(stage.cache.triggered().await, own);
    engine.docker(&["service", "rm", &id]).await;
    look_for_other().await;
    assert_eq!(stage.cache.triggered().await, own);
    assert_eq!(
        stage.drain(),
        [],
        "and who reconciles is not told of what it sees"
    );
    engine.docker(&["network", "rm", &stage.network]).await;
}

#[tokio::test]
async fn a_network_that_its_last_user_has_left_is_told_to_its_maker() {
    let engine = Engine::shared().await;
    load_image(engine).await;
    let mut stage = Stage::new(&super::stage::host(engine), EAGER, SecretsDir::default()).await;
    stage.create_network().await;
    let name = format!("{}-user", stage.network);
    let options = ["--detach", "--no-resolve-image", "--endpoint-mode", "dnsrr"];
    let user = [
        "--name",
        &name,
        "--network",
        &stage.network,
        IMAGE,
        "-c",
        "exit 0",
    ];
    engine
        .docker(&[&["service", "create"], &options[..], &user[..]].concat())
        .await;
    eventually(PATIENCE, "the network is seen in use", async || {
        let networks = stage.observe().await.networks;
        match networks.get(&stage.network) {
            Some(network) if network.in_use.others > 0 => Ok(()),
            _ => Err(format!("{networks:?}")),
        }
    })
    .await;
    stage.drain();
    engine.docker(&["service", "rm", &name]).await;
    let own = stage.own();
    stage.until_triggered(&own).await;
    stage.clear().await;
}

/// Lists so often that a test can wait for several.
const EAGER: Tuning = Tuning {
    relist: Duration::from_millis(100),
    ..TUNING
};

#[tokio::test]
async fn a_settled_swarm_is_looked_at_and_left_alone() {
    let engine = Engine::start().await;
    load_image(&engine).await;
    let mut stage = Stage::new(&super::stage::host(&engine), EAGER, SecretsDir::default()).await;
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    stage.observe().await;
    let lists = |stage: &Stage| stage.swarm.calls().by_route["GET /services"];
    let before = lists(&stage);
    // What the deployment itself still tells comes first.
    eventually(PATIENCE, "two lists", async || {
        more_than(lists(&stage), before + 2)
    })
    .await;
    stage.drain();
    let start = stage.swarm.calls();
    eventually(PATIENCE, "ten lists", async || {
        more_than(lists(&stage), before + 12)
    })
    .await;
    for _ in 0..10 {
        stage.observe().await;
    }
    let end = stage.swarm.calls();
    assert_eq!(end.mutations(), start.mutations());
    assert_eq!(
        stage.drain(),
        [],
        "nothing happened, and nobody is told otherwise"
    );
    assert_eq!(
        end.by_route.get("GET /tasks"),
        start.by_route.get("GET /tasks"),
        "known tasks are not read again"
    );
}

fn more_than(count: u64, least: u64) -> Result<(), u64> {
    if count > least { Ok(()) } else { Err(count) }
}

#[tokio::test]
async fn what_a_silent_stream_hides_is_found_by_the_list() {
    let engine = Engine::shared().await;
    load_image(engine).await;
    let proxy = Proxy::start(engine.socket()).await;
    proxy.inject(Fault::Silence);
    let mut stage = Stage::new(&proxy.host(), EAGER, SecretsDir::default()).await;
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    let task = stage.service(&stage.spec(1).name).await.tasks.unwrap().remove(0);
    stage.drain();
    let own = stage.own();
    engine
        .docker(&["rm", "--force", task.container.as_deref().unwrap()])
        .await;
    stage.until_triggered(&own).await;
    stage.until_running().await;
    stage.drain();
    engine.docker(&["service", "rm", &stage.spec(1).name]).await;
    stage.until_triggered(&own).await;
    eventually(PATIENCE, "the service is gone", async || {
        let services = stage.observe().await.services;
        if services.is_empty() {
            Ok(())
        } else {
            Err(format!("{services:?}"))
        }
    })
    .await;
    assert_eq!(
        stage
            .drain()
            .iter()
            .filter(|trigger| **trigger == Trigger::All)
            .count(),
        0
    );
    stage.clear().await;
}
