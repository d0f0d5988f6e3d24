//! Of two operators on one database and one engine, one acts, and the other takes over when it is gone.

use std::time::Duration;

use crate::converge::{services, team};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::operator::Operator;

const PATIENCE: Duration = Duration::from_secs(60);

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
