//! Callers that give up at any moment: nothing is left open, half done or blocked behind them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::{Instant, timeout};
use whoosh::resource::Kind;
use whoosh::store::{Op, Store};

use super::{PATIENCE, Watch, create, key, store, team, write};
use crate::harness::eventually::eventually;

const WAVES: usize = 30;
/// More than there are connections, so that some wait for one.
const CALLERS: u32 = 20;

/// Does one of the store's calls, for a limited time; whether it came to its end.
async fn call(store: &Store, name: &str, kind: u32, limit: Duration) -> bool {
    match kind % 4 {
        0 => timeout(limit, store.list(Kind::Team, None)).await.is_ok(),
        1 => timeout(limit, store.acquire_lease("l", name, PATIENCE))
            .await
            .is_ok(),
        _ => {
            let op = Op::Create(team(name, json!({"project": name})));
            timeout(limit, store.write(write(op))).await.is_ok()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_give_up_leave_nothing_behind() {
    let (database, store) = store().await;
    let mut watch = Watch::new(&store, 0);
    let wave = async |name: &str, patience: Duration| {
        let callers = (0..CALLERS).map(async |caller| {
            // From at once to about the end, whatever the speed of this machine.
            let limit = patience * caller / CALLERS;
            call(&store, &format!("{name}-{caller}"), caller, limit).await
        });
        join_all(callers).await
    };
    wave("warm-up", PATIENCE).await;
    let start = Instant::now();
    wave("measured", PATIENCE).await;
    let patience = start.elapsed();
    let mut ended = Vec::new();
    for number in 0..WAVES {
        ended.extend(wave(&format!("w{number}"), patience).await);
    }
    assert!(ended.contains(&true) && ended.contains(&false));
    let names: Vec<String> = (0..32).map(|n| format!("after{n}")).collect();
    join_all(names.iter().map(|name| create(&store, name))).await;

    eventually(
        PATIENCE,
        "no session is left in a transaction or waiting",
        async || {
            let stuck = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND pid <> pg_backend_pid() AND state <> 'idle'";
            let stuck = database.query(stuck).await?;
            if stuck == "0" { Ok(()) } else { Err(stuck) }
        },
    )
    .await;
    let head = store.revision().await.unwrap().0;
    let logged: BTreeSet<String> = watch
        .take(usize::try_from(head).unwrap())
        .await
        .into_iter()
        .map(|change| change.object.name().to_owned())
        .collect();
    let listed = store.list(Kind::Team, None).await.unwrap();
    let stored: BTreeSet<String> = listed
        .items
        .iter()
        .map(|object| object.name().to_owned())
        .collect();
    assert_eq!(logged, stored, "what is logged is stored, and nothing else");
    assert!(store.get(&key("after0")).await.unwrap().is_some());
}
