//! Trouble that is no fault of one point: other clients of the Swarm, and leaders that do not know that they were.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use whoosh::controller::LeaseTuning;
use whoosh::sim::Simulation;
use whoosh::sim::faults::{Class, Fault, Point};

use super::oracles::judge;
use super::plans::{Place, Trouble};
use super::play::{AtFreeze, Play, QUICK};
use super::seen::Seen;
use super::suite::rehearse;
use super::workload::{Kind, Script, Step};
use super::{look, settled};
use crate::harness::eventually::{eventually, within};

const PATIENCE: Duration = Duration::from_secs(20);
const AGENT: &str = "team_default_pay_dev_1";

fn script(steps: &[Step]) -> Script {
    Script {
        steps: steps.to_vec(),
        ..Script::whole(Kind::Team)
    }
}

async fn rehearsed(script: &Script) -> Seen {
    let script = script.clone();
    let rehearsal = tokio::task::spawn_blocking(move || rehearse(&script, 1).unwrap().seen);
    rehearsal.await.unwrap()
}

async fn started(script: &Script, armed: Vec<(Place, Trouble)>) -> Play {
    let mut play = Play::new(script, QUICK, LeaseTuning::default(), armed).await;
    play.ground.start();
    play
}

fn check(seen: &Seen, expected: &Seen) {
    if let Err(verdict) = judge(seen, expected) {
        panic!("{}: {}\n{}", verdict.oracle, verdict.why, seen.said);
    }
}

/// Changes the agent's service as fast as it can, in a field that is not ours; how often it did.
async fn storm(simulation: &Simulation, times: u32) -> u32 {
    let mut done = 0;
    // A service that is not there yet, or that WHOOSH changed since the look, is no reason to stop.
    let _all = within(PATIENCE, async || {
        for _ in 0..5 {
            done += u32::from(change(simulation, done + 1));
            tokio::task::yield_now().await;
        }
        if done >= times { Ok(()) } else { Err(done) }
    })
    .await;
    done
}

fn change(simulation: &Simulation, number: u32) -> bool {
    let services = look::list(simulation, "services");
    let Some(service) = services.iter().find(|service| look::name(service) == AGENT) else {
        return false;
    };
    let mut spec = service["Spec"].clone();
    spec["TaskTemplate"]["ContainerSpec"]["Hostname"] = format!("theirs-{number}").into();
    let id = service["ID"].as_str().unwrap();
    let path = format!("/services/{id}/update?version={}", service["Version"]["Index"]);
    simulation.post(&path, &spec).is_ok()
}

#[tokio::test]
async fn another_client_changes_a_service_in_the_middle_of_a_rollout() {
    const TIMES: u32 = 40;
    let script = script(&[Step::Apply, Step::Rollout, Step::ScaleUp]);
    let mut expected = rehearsed(&script).await;
    let mut play = started(&script, Vec::new()).await;
    assert!(play.take(Step::Apply, None).await, "{:?}", play.seen.steps);
    let simulation = play.ground.simulation.clone();
    let (is_settled, stormed) = tokio::join!(play.take(Step::Rollout, None), storm(&simulation, TIMES));
    assert!(is_settled && stormed >= TIMES, "{stormed} {:?}", play.seen.steps);
    assert!(play.take(Step::ScaleUp, None).await, "{:?}", play.seen.steps);
    play.idle().await;
    let mut seen = play.finish().await;
    // The step was settled for a moment of the storm; what the Swarm was then is chance. The next step tells.
    for run in [&mut seen, &mut expected] {
        run.steps.remove(1);
        // The storm starts the agent anew, after WHOOSH has said that it was ready, and before.
        run.steps.iter_mut().for_each(|step| step.agents.clear());
    }
    // What was theirs is kept, and is all that differs.
    for step in &mut seen.steps[1..] {
        let container = &mut step.world[format!("service {AGENT}")]["spec"]["TaskTemplate"]["ContainerSpec"];
        let theirs = container.as_object_mut().unwrap().remove("Hostname");
        assert!(theirs.is_some_and(|host| host.as_str().unwrap().starts_with("theirs-")));
    }
    check(&seen, &expected);
}

#[tokio::test]
async fn an_operator_that_has_seen_it_all_does_nothing_to_what_is_settled() {
    for kind in Kind::ALL {
        let whole = Script::whole(kind);
        let steps = whole.steps.iter().copied().filter(|step| *step != Step::Delete);
        let script = Script {
            steps: steps.collect(),
            ..whole
        };
        let expected = rehearsed(&script).await;
        let mut play = Play::new(&script, QUICK, LeaseTuning::default(), Vec::new()).await;
        play.ground.resync_often();
        play.ground.start();
        for step in &script.steps {
            assert!(play.take(*step, None).await, "{:?}", play.seen.steps);
        }
        play.idle().await;
        check(&play.finish().await, &expected);
    }
}

#[tokio::test]
async fn a_service_goes_and_comes_and_no_event_tells() {
    let script = script(&[Step::Apply, Step::Rollout]);
    let expected = rehearsed(&script).await;
    let dropped = |event: &str, occurrence| {
        let signature = format!("event service {event} {AGENT}");
        let point = Point {
            class: Class::Event,
            signature,
            occurrence,
        };
        (Place::Engine(point), Trouble::Engine(Fault::Drop))
    };
    let mut play = started(&script, vec![dropped("remove", 1), dropped("create", 2)]).await;
    assert!(play.take(Step::Apply, None).await, "{:?}", play.seen.steps);
    play.ground
        .simulation
        .delete(&format!("/services/{AGENT}"))
        .unwrap();
    eventually(PATIENCE, "the service is made again", async || {
        settled_as(&play.ground.simulation, &expected.steps[0].world)
    })
    .await;
    assert!(play.take(Step::Rollout, None).await, "{:?}", play.seen.steps);
    play.idle().await;
    let mut seen = play.finish().await;
    assert!(seen.met);
    assert_eq!(seen.done.insert(format!("create service {AGENT}"), 1), Some(2));
    check(&seen, &expected);
}

fn settled_as(simulation: &Simulation, expected: &Value) -> Result<(), String> {
    settled::agree(expected, &look::world(simulation))
}

#[tokio::test]
async fn a_leader_that_was_stopped_wakes_when_another_leads() {
    const LEASE: LeaseTuning = LeaseTuning {
        ttl: Duration::from_millis(1500),
        period: Duration::from_millis(200),
        margin: Duration::from_millis(500),
    };
    let script = script(&[Step::Apply, Step::Rollout]);
    let expected = rehearsed(&script).await;
    let update = Point {
        class: Class::Call,
        signature: format!("update service {AGENT}"),
        occurrence: 1,
    };
    let armed = vec![(
        Place::Engine(update),
        Trouble::Engine(Fault::Freeze { done: false }),
    )];
    let mut play = Play::new(&script, QUICK, LEASE, armed).await;
    play.at_freeze = AtFreeze::Replace;
    play.ground.start();
    for (step, expected) in script.steps.iter().zip(&expected.steps) {
        assert!(
            play.take(*step, Some(&expected.world)).await,
            "{:?}",
            play.seen.steps
        );
    }
    play.ground.wake_the_stopped();
    eventually(PATIENCE, "the old leader knows that it is none", async || {
        let log = play.ground.settings.log.text();
        if log.contains("leading no longer") {
            Ok(())
        } else {
            Err(log.len())
        }
    })
    .await;
    play.idle().await;
    let seen = play.finish().await;
    assert!(seen.met);
    let lives: BTreeSet<&str> = seen.written.iter().map(|(_, life)| life.as_str()).collect();
    assert_eq!(lives, BTreeSet::from(["life-1", "life-2"]));
    check(&seen, &expected);
}

#[tokio::test]
async fn a_clock_jumps_and_two_believe_that_they_lead() {
    const LEASE: LeaseTuning = LeaseTuning {
        ttl: Duration::from_secs(90),
        // The first one does not ask again before all is over.
        period: Duration::from_secs(60),
        margin: Duration::from_secs(5),
    };
    let script = script(&[Step::Apply, Step::Rollout, Step::ScaleUp]);
    let expected = rehearsed(&script).await;
    // The first one may be too slow each time: then the object has changed, and its epoch is not what it fails by.
    let mut said = String::new();
    for _ in 0..5 {
        let mut play = Play::new(&script, QUICK, LEASE, Vec::new()).await;
        play.ground.start();
        assert!(play.take(Step::Apply, None).await, "{:?}", play.seen.steps);
        play.ground.depose().await;
        for step in [Step::Rollout, Step::ScaleUp] {
            assert!(play.take(step, None).await, "{:?}", play.seen.steps);
        }
        play.idle().await;
        let seen = play.finish().await;
        let lives: BTreeSet<&str> = seen.written.iter().map(|(_, life)| life.as_str()).collect();
        assert_eq!(lives, BTreeSet::from(["life-1", "life-2"]));
        check(&seen, &expected);
        if seen.said.contains("no longer the leader") {
            return;
        }
        said = seen.said;
    }
    panic!("{said}");
}
