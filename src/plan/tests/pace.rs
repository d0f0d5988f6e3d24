//! A change takes down a part of the agents at a time, and stops where it does harm.

use super::story::Story;
use super::world::{World, failed, lines, task};
use crate::plan::observed::TaskState;

/// The services that the next plan replaces.
fn replaced(world: &World) -> Vec<String> {
    let lines = lines(&world.plan()).into_iter();
    let due = lines.filter_map(|line| Some(line.strip_prefix("1 +/- service ")?.to_owned()));
    due.map(|line| line.split(':').next().unwrap_or_default().to_owned())
        .collect()
}

fn set_task(world: &mut World, agent: &str, state: TaskState) {
    world.tasks(agent, &[task(state)]);
}

#[test]
fn a_quarter_is_replaced_at_a_time() {
    let mut world = World::settled("writer reviewer=8");
    world.agent("reviewer").image = "agent:prod".into();
    assert_eq!(replaced(&world), ["reviewer_1", "reviewer_2"]);
    assert_eq!(world.plan().report.changes.len(), 8, "the report has them all");
    let rounds = world.converge();
    assert_eq!(rounds, 4);
}

#[test]
fn a_change_that_does_harm_stops_at_the_first_agents() {
    let mut story = Story::settled("reviewer=8");
    story.world.agent("reviewer").image = "agent:prod".into();
    story.round();
    for agent in ["reviewer.1", "reviewer.2"] {
        story.world.tasks(agent, &[failed(1, 1061)]);
    }
    assert!(story.world.plan().is_empty());
    story.round();
    assert_eq!(story.status.summary, "0/8");
    // What mends them is let through; the others still wait for their turn.
    story.world.agent("reviewer").image = "agent:mended".into();
    assert_eq!(replaced(&story.world), ["reviewer_1", "reviewer_2"]);
}

#[test]
fn agents_that_do_not_run_are_replaced_at_once_and_count_as_taken_down() {
    let mut world = World::settled("reviewer=8");
    world.agent("reviewer").image = "agent:prod".into();
    set_task(&mut world, "reviewer.7", TaskState::Starting);
    assert_eq!(replaced(&world), ["reviewer_1", "reviewer_7"]);
    for agent in ["reviewer.1", "reviewer.2", "reviewer.3", "reviewer.4"] {
        set_task(&mut world, agent, TaskState::Pending);
    }
    assert_eq!(
        replaced(&world),
        [
            "reviewer_1",
            "reviewer_2",
            "reviewer_3",
            "reviewer_4",
            "reviewer_7"
        ]
    );
    world.observed.nodes.get_mut("n1").unwrap().ready = false;
    assert_eq!(replaced(&world).len(), 8, "nothing runs on a node that is down");
}
