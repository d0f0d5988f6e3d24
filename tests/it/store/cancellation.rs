//! Callers that give up at any moment: nothing is left open, half done or blocked behind them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::timeout;
use whoosh::resource::Kind;
use whoosh::store::{Op, Store};

use super::{PATIENCE, Watch, create, key, store, team, write};
use crate::harness::eventually::eventually;

/// Enough to hit each await of a write many times.
const CALLERS: usize = 600;

/// Every kind of call, dropped after a time within which some finish and some do not.
async fn give_up(store: &Store, caller: usize) {
    let limit = Duration::from_micros((caller as u64 * 37) % 3000);
    let name = format!("a{caller}");
    let _ = match caller % 4 {
        0 => timeout(limit, store.list(Kind::Team, None)).await.is_ok(),
        1 => timeout(limit, store.acquire_lease("l", &name, PATIENCE))
            .await
            .is_ok(),
        _ => {
            let op = Op::Create(team(&name, json!({"project": name})));
            timeout(limit, store.write(write(op))).await.is_ok()
        }
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_give_up_leave_nothing_behind() {
    let (database, store) = store().await;
    let mut watch = Watch::new(&store, 0);
    for wave in 0..CALLERS / 20 {
        join_all((0..20).map(|caller| give_up(&store, wave * 20 + caller))).await;
    }
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
