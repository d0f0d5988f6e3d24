//! What is told of rounds, and that it is told once.

use std::collections::BTreeMap;

use super::story::Story;
use super::world::{World, at, failed, network, owner, task};
use crate::plan::observed::{Task, TaskState};
use crate::plan::round::Subject;
use crate::plan::teardown::Remaining;

/// Does something to a settled team, compares what the next round tells, and that the one after is silent but
/// for the agents being ready again.
#[track_caller]
fn check(roles: &str, disturb: impl FnOnce(&mut World), expected: &[&str]) {
    let mut story = Story::settled(roles);
    disturb(&mut story.world);
    story.round();
    assert_eq!(story.events, expected);
    story.round();
    assert!(
        story
            .events
            .iter()
            .all(|event| event.starts_with("Normal Ready: ")),
        "{:?}",
        story.events
    );
    story.round();
    assert!(story.events.is_empty(), "{:?}", story.events);
}

#[test]
fn the_first_round_tells_what_it_makes_and_the_next_that_it_is_ready() {
    let mut story = Story::new(World::new("writer reviewer"));
    story.round();
    assert_eq!(
        story.events,
        [
            "Normal NetworkCreated: made network chorus_net",
            "Normal ServiceCreated: made services team_default_payments_writer_1, team_default_payments_reviewer_1",
        ]
    );
    story.round();
    assert_eq!(story.events, ["Normal Ready: all 2 agents are ready"]);
    let mut fleet = Story::new(World::new("writer=34"));
    fleet.round();
    assert_eq!(fleet.events[1], "Normal ServiceCreated: made 34 services");
}

#[test]
fn an_edit_is_told_with_its_fields() {
    check(
        "writer=2",
        |world| {
            world.workload.owner.generation = 2;
            world.agent("writer").user = Some("1000".into());
            world.role("writer").replicas = 1;
        },
        &[
            "Normal ServiceRemoved: removed service team_default_payments_writer_2",
            "Normal ServiceUpdated: updated service team_default_payments_writer_1 (container.user)",
        ],
    );
    check(
        "writer",
        |world| {
            world.workload.owner.generation = 2;
            world.role("writer").replicas = 2;
        },
        &["Normal ServiceCreated: made service team_default_payments_writer_2"],
    );
}

#[test]
fn what_was_done_outside_is_told_apart() {
    check(
        "writer reviewer",
        |world| drop(world.remove("writer.1")),
        &["Warning DriftRepaired: made service team_default_payments_writer_1 again: removed outside WHOOSH"],
    );
    check(
        "writer reviewer",
        |world| {
            world.spec("writer.1").replicas = 3;
            world
                .spec("reviewer.1")
                .container
                .env
                .insert("TOKEN".into(), "s3cret".into());
        },
        &[
            "Warning DriftRepaired: changed back services team_default_payments_writer_1, \
           team_default_payments_reviewer_1 (container.env.TOKEN, replicas): changed outside WHOOSH",
        ],
    );
}

#[test]
fn an_agent_that_ended_is_told_with_its_exit_code_even_when_it_runs_again() {
    let again = |second| Task {
        since: at(second),
        ..task(TaskState::Running)
    };
    let mut story = Story::settled("writer reviewer");
    story.world.tasks("writer.1", &[again(1055), failed(137, 1050)]);
    story.round();
    let told = "Warning AgentFailed: writer.1 ended with exit code 137 (the engine says \"task: non-zero exit (137)\") \
                on node alpha";
    assert_eq!(story.events, [told]);
    story.round();
    assert!(story.events.is_empty());

    story
        .world
        .tasks("writer.1", &[failed(3, 1059), failed(137, 1050)]);
    story.round();
    assert_eq!(story.events.len(), 1, "{:?}", story.events);
    assert!(story.events[0].contains("exit code 3 "));

    story
        .world
        .tasks("writer.1", &[failed(3, 1060), failed(3, 1059), failed(137, 1050)]);
    story.round();
    let kinds: Vec<_> = story
        .events
        .iter()
        .map(|event| event.split(':').next().unwrap())
        .collect();
    assert_eq!(kinds, ["Warning AgentFailed", "Warning CrashLoop"]);
    story.round();
    assert!(story.events.is_empty());
}

#[test]
fn an_agent_that_ends_is_told_when_the_engine_has_forgotten_as_many_ends() {
    let mut story = Story::settled("writer reviewer");
    story.world.tasks("writer.1", &[failed(1, 1052), failed(1, 1051)]);
    story.round();
    assert_eq!(story.events.len(), 2, "{:?}", story.events);
    story.world.tasks("writer.1", &[failed(7, 1055), failed(1, 1052)]);
    story.round();
    assert_eq!(story.events.len(), 1, "{:?}", story.events);
    assert!(story.events[0].contains("exit code 7 "));
    story.round();
    assert_eq!(story.events, [""; 0]);
}

#[test]
fn a_conflict_is_told_once_and_then_its_end() {
    let mut story = Story::settled("writer");
    let mut foreign = story.world.remove("writer.1");
    foreign.spec.labels = BTreeMap::new();
    story
        .world
        .observed
        .services
        .insert(foreign.spec.name.clone(), foreign.clone());
    story.round();
    assert_eq!(story.events.len(), 1);
    assert!(
        story.events[0]
            .starts_with("Warning NameConflict: writer.1: service team_default_payments_writer_1 exists")
    );
    story.round();
    assert!(story.events.is_empty());
    story.world.observed.services.clear();
    story.round();
    assert_eq!(
        story.events,
        ["Normal ServiceCreated: made service team_default_payments_writer_1"]
    );
    story.round();
    assert_eq!(story.events, ["Normal Ready: the agent is ready"]);
}

#[test]
fn suspension_and_deletion_are_told_once() {
    let mut story = Story::settled("writer");
    let suspended = "Normal Suspended: its agents are left as they are until `spec.suspend` is taken away";
    let resumed = "Normal Resumed: its agents are kept as they are declared again";
    for (is_suspended, expected) in [
        (true, vec![suspended]),
        (true, vec![]),
        (false, vec![resumed]),
        (false, vec![]),
    ] {
        story.world.workload.suspended = is_suspended;
        story.round();
        assert_eq!(story.events, expected);
    }
    let owner = owner("uid-1");
    for (services, expected) in [(1, vec!["Normal Deleting: removes 1 agent"]), (0, vec![])] {
        let remaining = Remaining { services, tasks: 0 };
        let subject = Subject::Deleting {
            owner: &owner,
            remaining,
        };
        story.round_of(subject, Ok(()));
        assert_eq!(story.events, expected);
    }
}

#[test]
fn a_removed_network_is_told() {
    check(
        "writer",
        |world| {
            let labels = world.observed.networks["chorus_net"].labels.clone();
            world
                .observed
                .networks
                .insert("old_net".into(), network(labels, 0, &[]));
        },
        &["Normal NetworkRemoved: removed network old_net"],
    );
}
