//! The rows of `get agents`.

use super::world::{INSTANCE, World, at, errored, failed, labels_of_others, owner, task};
use crate::plan::agents::{AgentView, views, views_of_services};
use crate::plan::observed::{Task, TaskState};

fn rows(views: &[AgentView]) -> Vec<String> {
    let row = |view: &AgentView| {
        let AgentView { name, status, .. } = view;
        let node = status.node.as_deref().unwrap_or("-");
        let error = status.error.as_deref().unwrap_or("-");
        format!("{name} {} {node} {} {error}", status.state, status.restarts)
    };
    views.iter().map(row).collect()
}

#[test]
fn every_slot_has_a_row_and_so_has_what_is_still_to_go() {
    let mut world = World::settled("writer=3 reviewer=2 editor old");
    world.workload.roles.pop();
    world.tasks("writer.2", &[task(TaskState::Starting), failed(3, 1050)]);
    world.tasks(
        "writer.3",
        &[errored(TaskState::Pending, "no suitable node (x on 1 node)")],
    );
    world.remove("reviewer.1");
    world.service("reviewer.2").spec.labels = labels_of_others();
    world.agent("editor").user = Some("1000".into());
    let views = views(&world.workload, &world.observed, INSTANCE, at(1060));
    let mut rows = rows(&views);
    assert!(
        rows[4].starts_with(
            "team.payments.reviewer.2 Missing - 0 service team_default_payments_reviewer_2 exists"
        )
    );
    rows.remove(4);
    assert_eq!(
        rows,
        [
            "team.payments.writer.1 Ready alpha 0 -",
            "team.payments.writer.2 Failed alpha 1 task: non-zero exit (3)",
            "team.payments.writer.3 Pending - 0 no suitable node (x on 1 node)",
            "team.payments.reviewer.1 Missing - 0 -",
            "team.payments.editor.1 Updating alpha 0 -",
            "team.payments.old.1 Ready alpha 0 -",
        ]
    );
}

#[test]
fn a_row_says_where_the_agent_is_and_what_it_runs() {
    let mut world = World::settled("writer");
    world.agent("writer").model = Some("llama3.1:8b".into());
    world.tasks(
        "writer.1",
        &[Task {
            address: Some("10.0.1.7".into()),
            container: Some("c0ffee".into()),
            ..task(TaskState::Running)
        }],
    );
    let views = views(&world.workload, &world.observed, INSTANCE, world.now);
    let [
        AgentView {
            namespace,
            labels,
            created,
            spec,
            status,
            ..
        },
    ] = views.as_slice()
    else {
        panic!("one agent");
    };
    assert_eq!((namespace.as_str(), *created), ("default", Some(at(1000))));
    assert_eq!(labels["chorus.services/role"], "writer");
    assert_eq!((spec.owner.as_str(), spec.slot), ("team/payments", 1));
    assert_eq!(
        (spec.image.as_str(), spec.model.as_deref()),
        ("agent:dev", Some("llama3.1:8b"))
    );
    assert_eq!(status.task_state.as_deref(), Some("running"));
    assert_eq!(
        (status.address.as_deref(), status.container.as_deref()),
        (Some("10.0.1.7"), Some("c0ffee"))
    );
}

#[test]
fn agents_of_owners_that_are_not_known_are_told_from_their_labels() {
    let mut world = World::settled("writer=2");
    world.workload.owner = owner("uid-2");
    world
        .service("writer.2")
        .spec
        .labels
        .insert("chorus.services/instance".into(), "elsewhere".into());
    let services = world.observed.services.values();
    let views = views_of_services(services, &world.observed.nodes, INSTANCE, world.now);
    assert_eq!(rows(&views), ["team.payments.writer.1 Ready alpha 0 -"]);
    assert_eq!(views[0].spec.image, "agent:dev");
}

#[test]
fn an_agent_whose_template_is_gone_is_shown_as_it_runs() {
    let mut world = World::settled("writer");
    world.lose_template("writer");
    let views = views(&world.workload, &world.observed, INSTANCE, world.now);
    let [AgentView { spec, status, .. }] = views.as_slice() else {
        panic!("one agent");
    };
    assert_eq!(
        (spec.image.as_str(), status.state.as_str()),
        ("agent:dev", "Ready")
    );
    let error = status.error.as_deref().unwrap_or_default();
    assert!(error.contains("code-reviewer"), "{error}");
}
