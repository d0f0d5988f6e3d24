//! What people read of a workload.

use std::time::Duration;

use super::story::Story;
use super::world::{World, at, errored, failed, file, node, owner, task};
use crate::plan::action::{Action, FailureKind};
use crate::plan::observed::{Task, TaskState};
use crate::plan::round::Subject;
use crate::plan::teardown::Remaining;
use crate::resource::condition::ConditionType;
use crate::resource::kinds::{RoleStatus, TemplateStatus};

#[test]
fn a_new_workload_progresses_and_is_ready_when_it_is_seen_to_be() {
    let mut story = Story::new(World::new("writer reviewer=2"));
    story.round();
    assert_eq!(
        story.shown(),
        "0/3 Progressing Ready=False:AgentsStarting Progressing=True:AgentsStarting"
    );
    assert_eq!(story.status.message, "0 of 3 agents are ready: 3 being created");
    story.world.now = at(1005);
    story.round();
    assert_eq!(
        story.shown(),
        "3/3 Ready Ready=True:AgentsReady Progressing=False:AgentsReady"
    );
    assert_eq!(story.status.message, "all 3 agents are ready");
    let status = &story.status;
    assert_eq!(
        status.selector,
        "chorus.services/kind=team,chorus.services/name=payments"
    );
    assert_eq!(
        (
            status.replicas,
            status.updated_replicas,
            status.unavailable_replicas
        ),
        (3, 3, 0)
    );
    assert_eq!(
        status.roles[1],
        RoleStatus {
            name: "reviewer".into(),
            required: true,
            desired: 2,
            ready: 2
        }
    );
    assert_eq!(status.observed_generation, Some(1));
}

#[test]
fn a_status_says_which_state_of_a_template_it_speaks_of() {
    let template = |generation| TemplateStatus {
        name: "t".into(),
        uid: "u".into(),
        observed_generation: generation,
    };
    let mut story = Story::new(World::new("writer"));
    story.world.workload.templates = vec![template(1)];
    story.round();
    assert_eq!(story.status.templates, [template(1)]);
    story.world.workload.templates = vec![template(2)];
    story.round();
    assert_eq!(story.status.templates, [template(2)]);
}

#[test]
fn a_settled_workload_has_the_same_status_for_ever() {
    let mut story = Story::settled("writer reviewer=2");
    let first = story.status.clone();
    for second in [1070, 5000, 1_000_000] {
        story.world.now = at(second);
        assert_eq!(*story.round(), first);
        assert!(story.events.is_empty(), "{:?}", story.events);
    }
}

#[test]
fn ready_goes_before_an_update_and_not_for_one_in_place() {
    let mut story = Story::settled("writer");
    story.world.workload.owner.generation = 2;
    story.world.agent("writer").user = Some("1000".into());
    story.round();
    assert_eq!(
        story.shown(),
        "0/1 Progressing Ready=False:AgentsStarting Progressing=True:AgentsStarting"
    );
    assert_eq!(story.status.message, "the agent is not ready: 1 being updated");
    assert_eq!(story.status.updated_replicas, 0);
    story.round();
    assert_eq!(story.status.state, "Ready");
    story.world.spec("writer.1").replicas = 2;
    story.round();
    assert_eq!(story.status.state, "Ready");
}

#[test]
fn an_edit_that_concerns_no_agent_is_ready_at_once() {
    let mut story = Story::settled("writer");
    story.world.workload.owner.generation = 2;
    story.round();
    assert_eq!(story.status.observed_generation, Some(2));
    let generations = story
        .status
        .conditions
        .iter()
        .map(|condition| condition.observed_generation);
    assert!(generations.eq([Some(2); 5]));
    assert_eq!(story.since(ConditionType::Ready), 1060);
}

/// Gives one of two agents these tasks, and compares what is told, twice.
#[track_caller]
fn check(tasks: &[Task], expected: &str, message: &str) {
    let mut story = Story::settled("writer reviewer");
    story.world.tasks("writer.1", tasks);
    let mut last = None;
    for _ in 0..2 {
        story.round();
        assert_eq!(story.shown(), expected);
        assert!(
            story.status.message.starts_with(message),
            "{}",
            story.status.message
        );
        let status = story.status.clone();
        assert_eq!(*last.get_or_insert_with(|| status.clone()), status);
    }
    assert!(story.events.is_empty(), "{:?}", story.events);
}

#[test]
fn each_trouble_has_its_conditions() {
    use TaskState::{Pending, Rejected, Starting};
    let degraded = |reason: &str| {
        format!("1/2 Degraded Ready=False:{reason} Progressing=True:AgentsStarting Degraded=True:{reason}")
    };
    let stalled = |reason: &str| {
        format!(
            "1/2 Stalled Ready=False:{reason} Progressing=False:{reason} Degraded=True:{reason} Stalled=True:{reason}"
        )
    };
    let starting = "1/2 Progressing Ready=False:AgentsStarting Progressing=True:AgentsStarting";
    check(&[task(Starting)], starting, "1 of 2 agents are ready: 1 starting");
    check(
        &[task(Pending)],
        starting,
        "1 of 2 agents are ready: 1 waiting for a node",
    );
    let unfit = errored(Pending, "no suitable node (insufficient resources on 1 node)");
    check(
        std::slice::from_ref(&unfit),
        &stalled("NothingFits"),
        "writer.1: no node has nothing left",
    );
    let young = Task {
        created: at(1050),
        ..unfit
    };
    check(
        &[young],
        starting,
        "1 of 2 agents are ready: 1 waiting for a node",
    );
    check(
        &[errored(Rejected, "No such image: agent:dev")],
        &stalled("ImageMissing"),
        "writer.1: image agent:dev cannot be had",
    );
    check(
        &[failed(3, 1050)],
        &degraded("AgentFailed"),
        "writer.1: ended with exit code 3",
    );
    check(
        &[failed(3, 1050), failed(3, 1040), failed(3, 1030)],
        &stalled("CrashLoop"),
        "writer.1: ends again and again: ended with exit code 3",
    );
    check(
        &[task(Starting), errored(TaskState::Failed, "unhealthy container")],
        &degraded("Unhealthy"),
        "writer.1: was stopped because its health check failed",
    );
    let lost = Task {
        node: Some("n2".into()),
        ..task(TaskState::Running)
    };
    check(
        &[lost],
        &degraded("NodeDown"),
        "writer.1: node n2 does not answer",
    );
}

#[test]
fn an_agent_that_gets_no_address_is_told_of_its_full_network() {
    let waiting = "1/2 Progressing Ready=False:AgentsStarting Progressing=True:AgentsStarting";
    let full = "1/2 Stalled Ready=False:NetworkFull Progressing=False:NetworkFull Degraded=True:NetworkFull \
                Stalled=True:NetworkFull";
    let for_a_node = "1 of 2 agents are ready: 1 waiting for a node";
    let for_an_address = "1 of 2 agents are ready: 1 waiting for an address";
    let told = "writer.1: waits for an address, and network chorus_net has none left (it has 5 in all; each agent and \
                each node takes one): remove other services from it, or put some agents on another network";
    // Both agents and the node have an address each.
    for (capacity, others, now, expected, message) in [
        (5, 3, 1014, waiting, for_a_node),
        (5, 3, 1015, full, told),
        (5, 2, 1015, waiting, for_an_address),
        (0, 3, 1015, waiting, for_an_address),
    ] {
        let mut story = Story::settled("writer reviewer");
        story.world.tasks("writer.1", &[task(TaskState::New)]);
        story.world.now = at(now);
        let network = story.world.network("chorus_net");
        (network.capacity, network.in_use.others) = (capacity, others);
        story.round();
        assert_eq!(story.shown(), expected, "{capacity} {others} {now}");
        assert_eq!(story.status.message, message);
    }
}

#[test]
fn an_image_may_still_be_on_another_node() {
    let mut story = Story::settled("writer");
    story.world.observed.nodes.insert("n2".into(), node("beta"));
    let rejected = errored(TaskState::Rejected, "No such image: agent:dev");
    story.world.tasks("writer.1", std::slice::from_ref(&rejected));
    assert_eq!(story.round().state, "Degraded");
    story.world.tasks("writer.1", &[rejected.clone(), rejected]);
    assert_eq!(story.round().state, "Stalled");
}

#[test]
fn agents_with_the_same_trouble_are_told_of_together() {
    let mut story = Story::settled("writer=5 reviewer");
    for agent in ["writer.1", "writer.2", "writer.3", "writer.4", "writer.5"] {
        story.world.remove(agent);
    }
    let foreign = World::settled("writer=5");
    for (name, mut service) in foreign.observed.services {
        service.spec.labels.clear();
        story.world.observed.services.insert(name, service);
    }
    story.world.tasks("reviewer.1", &[failed(1, 1050)]);
    story.round();
    assert_eq!(story.status.message.matches("docker service rm").count(), 3);
    assert!(
        story.status.message.ends_with("; and 2 other troubles"),
        "{}",
        story.status.message
    );
    assert!(story.status.message.starts_with("writer.1: service team_default"));
}

#[test]
fn optional_agents_only_degrade() {
    let mut story = Story::settled("lead helper=2");
    story.world.role("helper").required = false;
    let looping = [failed(3, 1050), failed(3, 1040), failed(3, 1030)];
    story.world.tasks("helper.1", &looping);
    story.world.tasks("helper.2", &looping);
    story.round();
    assert_eq!(
        story.shown(),
        "1/3 Degraded Ready=True:AgentsReady Progressing=False:AgentsReady Degraded=True:CrashLoop"
    );
    assert!(
        story
            .status
            .message
            .starts_with("helper.1, helper.2: ends again and again")
    );
    story.world.tasks("lead.1", &[task(TaskState::Starting)]);
    story.round();
    assert_eq!(story.status.conditions[0].status, "False");
}

#[test]
fn progress_has_a_deadline_that_a_new_generation_restarts() {
    let mut story = Story::settled("writer reviewer");
    story.world.workload.progress_deadline = Duration::from_secs(60);
    story.world.tasks("writer.1", &[task(TaskState::Starting)]);
    let look = |story: &mut Story, second| {
        story.world.now = at(second);
        story.round();
        story.shown()
    };
    let progressing = "1/2 Progressing Ready=False:AgentsStarting Progressing=True:AgentsStarting";
    let late = "1/2 Degraded Ready=False:ProgressDeadlineExceeded Progressing=False:ProgressDeadlineExceeded \
                Degraded=True:ProgressDeadlineExceeded";
    assert_eq!(look(&mut story, 1100), progressing);
    assert_eq!(look(&mut story, 1159), progressing);
    assert_eq!(look(&mut story, 1160), late);
    assert_eq!(story.status.message, "1 of 2 agents are ready after 1m");
    assert_eq!(
        story.events,
        ["Warning ProgressDeadlineExceeded: 1 of 2 agents are ready after 1m"]
    );
    assert_eq!(look(&mut story, 9000), late);
    assert!(story.events.is_empty());
    story.world.workload.owner.generation = 2;
    assert_eq!(look(&mut story, 9001), progressing);
    assert_eq!(look(&mut story, 9060), progressing);
    assert_eq!(look(&mut story, 9061), late);
    // A service that is made anew has its full time.
    story.world.remove("reviewer.1");
    assert_eq!(look(&mut story, 9070).split(' ').nth(1), Some("Progressing"));
    assert_eq!(look(&mut story, 9129), progressing);
    assert_eq!(look(&mut story, 9130), late);
}

#[test]
fn a_clock_that_jumps_is_believed_no_longer_than_until_the_agents_are_ready() {
    const HOUR: i64 = 3600;
    for (jump, while_starting) in [(-HOUR, "Progressing"), (HOUR, "Degraded")] {
        let mut story = Story::settled("writer reviewer");
        story.world.tasks("writer.1", &[task(TaskState::Starting)]);
        story.world.now = at(1100);
        story.round();
        story.world.now = at(1100 + jump);
        assert_eq!(story.round().state, while_starting);
        let ready = |story: &mut Story, second| {
            story.world.tasks("writer.1", &[task(TaskState::Running)]);
            story.world.now = at(second);
            story.round().state.clone()
        };
        assert_eq!(ready(&mut story, 1101 + jump), "Ready");
        // And when it is put right.
        assert_eq!(ready(&mut story, 1102), "Ready");
        assert!(story.events.is_empty(), "{:?}", story.events);
    }
}

#[test]
fn suspended_says_so_and_what_is() {
    let mut story = Story::settled("writer reviewer");
    story.world.workload.suspended = true;
    story.world.remove("writer.1");
    story.round();
    assert_eq!(
        story.shown(),
        "1/2 Suspended Ready=False:AgentsStarting Progressing=False:Suspended Suspended=True:Suspended"
    );
    assert_eq!(story.events.len(), 1);
    story.world.workload.suspended = false;
    story.round();
    assert_eq!(story.status.state, "Progressing");
}

#[test]
fn an_engine_that_does_not_answer_leaves_the_counts_and_makes_the_rest_unknown() {
    let mut story = Story::settled("writer reviewer");
    let workload = story.world.workload.clone();
    for (now, told) in [(1110, 1), (1111, 0)] {
        story.world.now = at(now);
        story.round_of(
            Subject::Workload(&workload),
            Err(("connection refused", Some(at(1100)))),
        );
        assert_eq!(
            story.shown(),
            "2/2 Unknown Ready=Unknown:EngineUnavailable Progressing=Unknown:EngineUnavailable \
             Degraded=Unknown:EngineUnavailable"
        );
        assert_eq!(story.events.len(), told);
    }
    story.world.now = at(1200);
    story.round();
    assert_eq!(
        (story.status.state.as_str(), story.since(ConditionType::Ready)),
        ("Ready", 1200)
    );
}

#[test]
fn an_engine_that_is_away_for_a_moment_changes_nothing() {
    let mut story = Story::settled("writer reviewer");
    let workload = story.world.workload.clone();
    let before = story.status.clone();
    for now in [1100, 1101, 1109] {
        story.world.now = at(now);
        story.round_of(
            Subject::Workload(&workload),
            Err(("connection refused", Some(at(1100)))),
        );
        assert_eq!((&story.status, story.events.len()), (&before, 0), "{now}");
    }
}

#[test]
fn a_look_that_fails_though_the_engine_answers_is_told_at_once() {
    let mut story = Story::settled("writer reviewer");
    let workload = story.world.workload.clone();
    story.round_of(Subject::Workload(&workload), Err(("no such answer", None)));
    assert_eq!((story.status.state.as_str(), story.events.len()), ("Unknown", 1));
}

#[test]
fn what_was_never_looked_at_is_unknown_at_once() {
    let refused = Err(("connection refused", Some(at(1000))));
    let mut story = Story::new(World::new("writer=3"));
    let workload = story.world.workload.clone();
    story.round_of(Subject::Workload(&workload), refused);
    assert_eq!(
        (story.status.summary.as_str(), story.status.state.as_str()),
        ("0/3", "Unknown")
    );

    let mut story = Story::settled("writer");
    story.world.workload.owner.generation = 2;
    let workload = story.world.workload.clone();
    story.round_of(Subject::Workload(&workload), refused);
    assert_eq!(story.status.state, "Unknown");
}

#[test]
fn what_is_not_valid_is_stalled_and_its_agents_count_on() {
    let mut story = Story::settled("writer reviewer");
    story.world.remove("writer.1");
    let owner = owner("uid-1");
    let why = "spec.roles: is required";
    story.round_of(Subject::Invalid { owner: &owner, why }, Ok(()));
    assert_eq!(
        story.shown(),
        "1/2 Stalled Ready=False:InvalidSpec Progressing=False:InvalidSpec Stalled=True:InvalidSpec"
    );
    assert_eq!(
        story
            .status
            .roles
            .iter()
            .map(|role| role.ready)
            .collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!(story.events, ["Warning InvalidSpec: spec.roles: is required"]);
}

#[test]
fn a_role_without_its_template_is_told_and_its_agents_count_on() {
    let mut story = Story::settled("writer reviewer=2");
    story.world.lose_template("reviewer");
    story.world.remove("reviewer.2");
    story.world.remove("writer.1");
    story.round();
    story.round();
    assert_eq!(
        story.shown(),
        "2/3 Stalled Ready=False:TemplateNotFound Progressing=False:TemplateNotFound Degraded=True:TemplateNotFound \
         Stalled=True:TemplateNotFound"
    );
    let status = &story.status;
    assert_eq!(
        (
            status.updated_replicas,
            status.ready_replicas,
            status.unavailable_replicas
        ),
        (1, 2, 1),
        "reviewer.1 is ready as it was, and not updated"
    );
    assert_eq!(
        story.status.message,
        "reviewer.1, reviewer.2: role reviewer waits for the AgentTemplate \"code-reviewer\", which does not exist"
    );
    story.world.role("reviewer").required = false;
    assert_eq!(story.round().state, "Degraded");
}

#[test]
fn a_deletion_says_what_it_waits_for() {
    let mut story = Story::settled("writer reviewer");
    let owner = owner("uid-1");
    for (services, tasks, message) in [
        (2, 0, "removes 2 agents"),
        (0, 1, "waits for 1 agent to stop"),
        (0, 0, "its agents are gone"),
    ] {
        let remaining = Remaining { services, tasks };
        let subject = Subject::Deleting {
            owner: &owner,
            remaining,
        };
        story.round_of(subject, Ok(()));
        assert_eq!(
            story.shown(),
            "0/2 Deleting Ready=False:Deleting Progressing=True:Deleting"
        );
        assert_eq!(story.status.message, message);
    }
}

#[test]
fn failures_of_the_engine_are_tried_again_or_need_a_person() {
    let check = |fault: fn(&Action) -> Option<FailureKind>, expected: &str, message: &str| {
        let mut story = Story::settled("writer reviewer");
        story.world.remove("writer.1");
        story.fault = fault;
        story.round();
        assert_eq!(story.shown(), expected);
        assert_eq!(story.status.message, message);
    };
    let again = "1 of 2 agents are ready: 1 being created; trying again: the engine does not want service";
    check(
        |_| Some(FailureKind::Conflict),
        "1/2 Progressing Ready=False:AgentsStarting Progressing=True:AgentsStarting",
        again,
    );
    check(
        |_| Some(FailureKind::Unavailable),
        "1/2 Progressing Ready=False:AgentsStarting Progressing=True:EngineUnavailable",
        again,
    );
    check(
        |_| Some(FailureKind::Refused),
        "1/2 Stalled Ready=False:EngineRefused Progressing=False:EngineRefused Degraded=True:EngineRefused \
         Stalled=True:EngineRefused",
        "writer.1: the engine does not want service",
    );
    check(
        |_| Some(FailureKind::Denied),
        "1/2 Stalled Ready=False:PolicyDenied Progressing=False:PolicyDenied Degraded=True:PolicyDenied \
         Stalled=True:PolicyDenied",
        "writer.1: the engine does not want service",
    );
}

#[test]
fn an_agent_whose_needs_cannot_be_made_waits_and_the_others_start() {
    let mut story = Story::new(World::new("writer reviewer"));
    story.world.agent("writer").configs = vec![file("prompt", Some("be kind"))];
    story.fault = |action| matches!(action, Action::CreateConfig { .. }).then_some(FailureKind::Unavailable);
    story.round();
    story.round();
    assert_eq!(
        story.shown(),
        "1/2 Progressing Ready=False:AgentsStarting Progressing=True:EngineUnavailable"
    );
    story.fault = |_| None;
    story.round();
    assert_eq!(story.round().state, "Ready");
}
