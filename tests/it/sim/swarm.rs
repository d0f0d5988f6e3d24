//! What WHOOSH does to a Swarm and sees of it, in a simulated one.

use whoosh::plan::Action;
use whoosh::plan::observed::TaskState;
use whoosh::sim::Settings;
use whoosh::sim::faults::{Class, Fault, Point};
use whoosh::swarm::{ActError, Done, LogOptions};

use super::stage::Sim;
use crate::harness::eventually::eventually;
use crate::swarm::stage::PATIENCE;

#[tokio::test]
async fn a_deployment_runs_is_updated_and_goes() {
    let sim = Sim::start(Settings::default());
    let mut stage = sim.stage().await;
    stage.swarm.require_manager().await.unwrap();
    assert_eq!(stage.swarm.version().await.unwrap().api, "1.41");
    stage.create_network().await;
    let mut want = stage.spec(1);
    assert!(matches!(
        stage.create(want.clone()).await.unwrap(),
        Done::Created(_)
    ));
    assert!(matches!(
        stage.create(want.clone()).await.unwrap(),
        Done::AlreadyThere(_)
    ));
    let own = stage.own();
    stage.until_triggered(&own).await;
    assert_eq!(
        stage.service(&want.name).await.spec,
        want,
        "it is read as written"
    );
    stage.until_running().await;
    let first = stage.service(&want.name).await.tasks.unwrap().remove(0);
    assert!(first.address.is_some() && first.container.is_some(), "{first:?}");

    assert_eq!(stage.update(want.clone()).await.unwrap(), Done::Unchanged);
    want.labels
        .insert("chorus.services/generation".into(), "2".into());
    assert_eq!(stage.update(want.clone()).await.unwrap(), Done::Updated);
    let same = stage.service(&want.name).await.tasks.unwrap();
    assert_eq!(
        (same.len(), &same[0].id),
        (1, &first.id),
        "labels replace no task"
    );
    want.container.env.insert("A".into(), "1".into());
    stage.drain();
    assert_eq!(stage.update(want.clone()).await.unwrap(), Done::Updated);
    stage.until_triggered(&own).await;
    stage.until_running().await;
    let tasks = stage.service(&want.name).await.tasks.unwrap();
    assert_ne!(tasks[0].id, first.id);
    assert_eq!(tasks[1].state, TaskState::Shutdown);

    let network = stage.observe().await.networks.remove(&stage.network).unwrap();
    let remove = Action::RemoveNetwork {
        id: network.id,
        name: stage.network.clone(),
    };
    let in_use = stage.act(&remove).await;
    assert!(matches!(in_use, Err(ActError::InUse { .. })), "{in_use:?}");
    stage.clear().await;
    assert_eq!(stage.act(&remove).await.unwrap(), Done::AlreadyGone);
}

#[tokio::test]
async fn an_old_answer_does_not_pass_for_a_removal() {
    let sim = Sim::start(Settings::default());
    let stage = sim.stage().await;
    stage.create_network().await;
    let network = stage.observe().await.networks.remove(&stage.network).unwrap();
    let look = Point {
        class: Class::List,
        signature: format!("list /networks/{}", stage.network),
        occurrence: 1,
    };
    let faults = sim.simulation.faults();
    faults.reset();
    faults.play([(look, Fault::Stale { back: 1 })]);
    let remove = Action::RemoveNetwork {
        id: network.id,
        name: stage.network.clone(),
    };
    assert_eq!(stage.act(&remove).await.unwrap(), Done::Removed);
    assert!(faults.armed().is_empty(), "the old answer was given");
    assert_eq!(stage.act(&remove).await.unwrap(), Done::AlreadyGone);
}

#[tokio::test]
async fn a_killed_container_is_told_and_replaced() {
    let sim = Sim::start(Settings::default());
    let mut stage = sim.stage().await;
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    let name = stage.spec(1).name;
    let first = stage.service(&name).await.tasks.unwrap().remove(0);
    stage.drain();
    assert_eq!(sim.simulation.end_containers(&name, 3), 1);
    let own = stage.own();
    stage.until_triggered(&own).await;
    stage.until_running().await;
    let tasks = stage.service(&name).await.tasks.unwrap();
    let failed = tasks.iter().find(|task| task.id == first.id).unwrap();
    assert_eq!(
        (failed.state, failed.exit_code, failed.error.as_deref()),
        (TaskState::Failed, Some(3), Some("task: non-zero exit (3)"))
    );
    stage.clear().await;
}

#[tokio::test]
async fn what_fits_nowhere_says_why() {
    let sim = Sim::start(Settings::default().with_nodes(3));
    let stage = sim.stage().await;
    stage.create_network().await;
    let mut nowhere = stage.spec(1);
    nowhere.constraints = vec!["node.labels.gpu==true".into()];
    let mut huge = stage.spec(2);
    huge.reservations.memory_bytes = 1 << 50;
    stage.create(nowhere.clone()).await.unwrap();
    stage.create(huge.clone()).await.unwrap();
    stage.cache.settling(&stage.owner, true);
    for (name, expect) in [
        (
            nowhere.name,
            "no suitable node (scheduling constraints not satisfied on 3 nodes)",
        ),
        (huge.name, "no suitable node (insufficient resources on 3 nodes)"),
    ] {
        eventually(PATIENCE, "the reason is told", async || {
            let tasks = stage.service(&name).await.tasks.unwrap();
            let told = tasks.iter().any(|task| task.error.as_deref() == Some(expect));
            if told { Ok(()) } else { Err(format!("{tasks:?}")) }
        })
        .await;
    }
    stage.clear().await;
}

#[tokio::test]
async fn logs_are_lines() {
    use futures::TryStreamExt;
    let sim = Sim::start(Settings::default());
    let stage = sim.stage().await;
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    let id = stage.service(&stage.spec(1).name).await.id;
    let options = LogOptions {
        follow: false,
        tail: None,
        since: 0,
        timestamps: false,
    };
    let lines: Vec<_> = stage.swarm.logs(&id, &options).try_collect().await.unwrap();
    let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(lines, ["out", "err"]);
}
