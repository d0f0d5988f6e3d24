//! What changes by time alone changes at the moments that were foretold.

use std::time::Duration;

use super::story::Story;
use super::world::{World, at, errored, failed, task};
use crate::plan::next_moment;
use crate::plan::observed::{Task, TaskState};

/// Looks at an agent with these tasks each second for half an hour; the seconds in which its status changed, and how
/// many moments were foretold.
#[track_caller]
fn watch(tasks: &[Task]) -> (Vec<i64>, usize) {
    let mut story = Story::new(World::settled("writer reviewer"));
    story.world.workload.progress_deadline = Duration::from_secs(300);
    story.world.tasks("writer.1", tasks);
    let (mut changed, mut moments) = (Vec::new(), 0);
    let mut foretold = None;
    for second in 1061..2861 {
        story.world.now = at(second);
        let before = story.status.clone();
        let status = story.round().clone();
        if status != before && second > 1061 {
            changed.push(second);
            assert!(
                foretold.is_some_and(|moment| moment <= at(second)),
                "{second} was not foretold, but {foretold:?}"
            );
        }
        if foretold.is_none_or(|moment| moment <= at(second)) {
            foretold = next_moment(
                &story.world.workload,
                &story.world.observed,
                &status,
                story.world.now,
            );
            moments += usize::from(foretold.is_some());
        }
    }
    (changed, moments)
}

#[test]
fn a_status_changes_by_time_alone_when_it_was_foretold() {
    use TaskState::{New, Pending, Starting};
    let created = |second, task| Task {
        created: at(second),
        ..task
    };
    let unplaced = errored(Pending, "no suitable node (insufficient resources on 1 node)");
    let looping = [failed(1, 1060), failed(1, 1050), failed(1, 1040)];
    let stable = Task {
        since: at(1060),
        ..task(TaskState::Running)
    };
    for (tasks, changes) in [
        (vec![task(Starting)], &[1361_i64][..]),
        (vec![created(1060, task(New))], &[1075, 1361][..]),
        (vec![created(1060, unplaced)], &[1075][..]),
        (vec![failed(1, 1060)], &[1361, 1661][..]),
        ([&[stable], &looping[..]].concat(), &[1090][..]),
        (
            [&[task(Starting)], &looping[..]].concat(),
            &[1641, 1661, 1941][..],
        ),
        (vec![task(TaskState::Running)], &[][..]),
    ] {
        let (changed, moments) = watch(&tasks);
        assert_eq!(changed, changes, "{tasks:#?}");
        assert!(moments <= 12, "{moments} moments: {tasks:#?}");
    }
}
