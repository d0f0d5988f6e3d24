//! How an owner leaves the Swarm.

use std::collections::BTreeSet;

use super::model;
use super::world::{INSTANCE, World, file, labels_of_others, lines, owner, task};
use crate::plan::action::{Failure, FailureKind, Outcome, Target};
use crate::plan::observed::TaskState;
use crate::plan::teardown::{Remaining, Teardown, teardown};

fn leave(world: &World, orphan: bool) -> Teardown {
    let networks = BTreeSet::from([world.workload.network.clone()]);
    teardown(
        &world.workload.owner.key,
        &networks,
        orphan,
        &world.observed,
        INSTANCE,
    )
}

/// Plans a teardown, compares it, and does it. Returns whether it is finished.
#[track_caller]
fn check(world: &mut World, orphan: bool, remaining: (usize, usize), expected: &[&str]) -> bool {
    let teardown = leave(world, orphan);
    assert_eq!(lines(&teardown.plan), expected);
    let (services, tasks) = remaining;
    assert_eq!(teardown.remaining, Remaining { services, tasks });
    model::apply(&mut world.observed, &teardown.plan, world.now);
    let done = teardown.plan.stages.iter().flatten().cloned().collect();
    let failed = Vec::new();
    teardown.finished(&Outcome { done, failed })
}

#[test]
fn services_go_then_their_tasks_then_what_they_used() {
    let mut world = World::new("writer=2");
    world.agent("writer").configs = vec![file("prompt", Some("be kind"))];
    world.converge();
    let services = ["1 - service writer_1", "1 - service writer_2"];
    assert!(!check(&mut world, false, (2, 0), &services));

    world.observed.leftover_tasks = vec![task(TaskState::Running), task(TaskState::Shutdown)];
    assert!(!check(&mut world, false, (0, 1), &[]));

    world.observed.leftover_tasks = vec![task(TaskState::Shutdown)];
    let rest = ["1 - network chorus_net", "1 - config default_prompt"];
    assert!(check(&mut world, false, (0, 0), &rest));
    assert!(check(&mut world, false, (0, 0), &[]));
}

#[test]
fn nobody_waits_for_a_node_that_is_down() {
    let mut world = World::new("writer");
    world.observed.leftover_tasks = vec![task(TaskState::Running)];
    for node in world.observed.nodes.values_mut() {
        node.ready = false;
    }
    assert!(check(&mut world, false, (0, 0), &[]));
}

#[test]
fn services_of_every_uid_go_and_foreign_ones_stay() {
    let mut world = World::settled("writer=2");
    world.service("writer.1").spec.labels.extend(labels_of_others());
    world.workload.owner = owner("uid-2");
    assert!(!check(&mut world, false, (1, 0), &["1 - service writer_2"]));
    assert!(
        check(&mut world, false, (0, 0), &[]),
        "the network is still in use"
    );
}

#[test]
fn a_shared_network_goes_with_the_last_that_declares_it() {
    let mut world = World::settled("writer");
    let net = world.network("chorus_net");
    net.labels = labels_of_others();
    net.in_use.others = 1;
    assert!(!check(&mut world, false, (1, 0), &["1 - service writer_1"]));
    assert!(check(&mut world, false, (0, 0), &[]));
    world.network("chorus_net").in_use.others = 0;
    assert!(check(&mut world, false, (0, 0), &["1 - network chorus_net"]));
}

#[test]
fn a_network_whose_maker_is_gone_goes_when_its_last_user_has_left_it() {
    let mut world = World::settled("writer");
    world.remove("writer.1");
    let sweep = |world: &World| {
        let key = &world.workload.owner.key;
        lines(&teardown(key, &BTreeSet::new(), false, &world.observed, INSTANCE).plan)
    };
    world.network("chorus_net").in_use.others = 1;
    assert!(sweep(&world).is_empty());
    world.network("chorus_net").in_use.others = 0;
    assert_eq!(sweep(&world), ["1 - network chorus_net"]);
}

#[test]
fn a_network_of_others_is_never_removed() {
    let mut world = World::new("writer");
    let mut theirs = super::world::network(labels_of_others(), 0, &[]);
    theirs
        .labels
        .insert("chorus.services/instance".into(), "elsewhere".into());
    world.observed.networks.insert("chorus_net".into(), theirs);
    assert!(check(&mut world, false, (0, 0), &[]));
}

#[test]
fn an_orphan_runs_on_without_labels() {
    let mut world = World::settled("writer");
    assert!(!check(&mut world, true, (1, 0), &["1 ~ service writer_1"]));
    world.observed.leftover_tasks = vec![task(TaskState::Running)];
    assert!(check(&mut world, true, (0, 0), &[]));
    assert!(world.observed.services.len() == 1 && world.observed.networks.len() == 1);
}

#[test]
fn it_is_finished_when_what_is_left_is_not_its_own() {
    let mut world = World::settled("writer");
    world.remove("writer.1");
    let teardown = leave(&world, false);
    for (kind, expected) in [
        (FailureKind::InUse, true),
        (FailureKind::NotFound, true),
        (FailureKind::Unavailable, false),
        (FailureKind::Indeterminate, false),
        (FailureKind::Refused, false),
        (FailureKind::Denied, false),
    ] {
        let failed = vec![Failure {
            what: Target::Network("chorus_net".into()),
            kind,
            message: String::new(),
        }];
        let done = Vec::new();
        assert_eq!(teardown.finished(&Outcome { done, failed }), expected, "{kind:?}");
    }
    assert!(!teardown.finished(&Outcome::default()), "nothing was tried yet");
}
