//! Of two operators on one database and one engine, one acts, and the other takes over when it is gone.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use whoosh::sim::faults::{Class, Fault, Point};
use whoosh::sim::{Settings, Simulation};

use crate::converge::{services, team};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::operator::Operator;
use crate::harness::postgres::database;

const PATIENCE: Duration = Duration::from_secs(60);

/// Of a network, a coordinator and twelve reviewers: a leader has eight requests under way at most, from the oldest
/// that is not answered, here the third reviewer's.
const BEFORE_THE_LAST_TWO: usize = 12;

#[tokio::test]
async fn of_an_operator_and_its_copy_one_leads_and_the_other_takes_over() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let mut first = Operator::start(engine).await;
    leads(&first).await;
    let second = first.start_copy().await;
    eventually(PATIENCE, "the copy asks for the lease", async || {
        let log = second.log();
        let asked = log.contains("another operator leads") || log.contains("leading");
        if asked { Ok(()) } else { Err(log) }
    })
    .await;
    assert!(!second.leads().await, "{}", second.log());

    let wait = ["--wait", "--timeout", "120s"];
    second.apply(&team("leaders", 1, ""), &wait).await.ok();
    assert!(!second.leads().await, "{}", second.log());
    assert!(first.leads().await, "{}", first.log());

    first.kill();
    leads(&second).await;
    let before = services(engine, "leaders").await;
    let reviewer = "team_leaders_payments_reviewer_1";
    engine.docker(&["service", "rm", reviewer]).await;
    eventually(PATIENCE, "the copy repairs", async || {
        let live = services(engine, "leaders").await;
        let back = live.len() == before.len() && live != before;
        if back { Ok(()) } else { Err(format!("{live:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_leader_that_was_stopped_past_its_lease_does_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let simulation = Simulation::start(&socket, Settings::default()).unwrap();
    let mut first = Operator::start_on(&socket, &database().await, &[]).await;
    leads(&first).await;
    let second = first.start_copy().await;

    // It is stopped in the middle of its work: most of its services are made, one is being asked for, and the last two
    // wait for its answer.
    let point = Point {
        class: Class::Call,
        signature: "create service team_default_payments_reviewer_3".to_owned(),
        occurrence: 1,
    };
    let mut reached = simulation.faults().reached();
    simulation.faults().play([(point, Fault::Freeze { done: false })]);
    second.apply(&team("default", 12, ""), &[]).await.ok();
    reached.recv().await.unwrap();
    let calls = || {
        let seen = simulation.faults().seen();
        let calls = seen.into_iter().filter(|point| point.class == Class::Call);
        calls.collect::<Vec<_>>()
    };
    eventually(PATIENCE, "nothing else is under way", async || {
        let calls = calls();
        if calls.len() == BEFORE_THE_LAST_TWO {
            Ok(())
        } else {
            Err(format!("{calls:?}"))
        }
    })
    .await;
    let signal = |signal| kill_process(Pid::from_raw(first.id().cast_signed()).unwrap(), signal).unwrap();
    signal(Signal::STOP);

    leads(&second).await;
    let wait = ["--wait", "--timeout", "60s"];
    second.apply(&team("default", 2, ""), &wait).await.ok();
    let (before, settled) = (calls(), second.get(&["team", "payments"]).await);
    signal(Signal::CONT);
    eventually(PATIENCE, "it notices", async || {
        let log = first.log();
        if log.contains("leading no longer") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    leads(&second).await;
    assert!(!first.leads().await, "{}", first.log());
    assert_eq!(calls(), before);
    assert_eq!(second.get(&["team", "payments"]).await, settled);
}

async fn leads(operator: &Operator) {
    eventually(PATIENCE, "the operator leads", async || {
        if operator.leads().await {
            Ok(())
        } else {
            Err(operator.log())
        }
    })
    .await;
}
