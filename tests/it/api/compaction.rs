//! The log does not grow without end: the operator forgets its older part, and whoever stands there lists again.

use serde_json::{Value, json};
use whoosh::store::Store;

use super::{PATIENCE, TEAMS, client};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::operator::Operator;
use crate::harness::postgres::database;

/// Revisions that an operator keeps.
const KEPT: i64 = 100_000;

#[tokio::test]
async fn an_operator_forgets_the_older_part_of_the_log() {
    let database = database().await;
    let store = Store::connect(&database.url).await.unwrap();
    store.migrate().await.unwrap();
    let busy = json!({
        "apiVersion": "chorus.services/v1",
        "kind": "AgentTemplate",
        "metadata": {"name": "busy", "namespace": "default"},
        "spec": {},
    });
    let long_past = format!(
        "INSERT INTO revisions (revision, change, kind, namespace, name, object, actor, reason, at)
             SELECT n, 'Modified', 'AgentTemplate', 'default', 'busy', '{busy}', 'ann', 'a test', now() - interval '8 days'
             FROM generate_series(1, {KEPT} + 7000) AS n;
         UPDATE head SET revision = {KEPT} + 7000"
    );
    database.query(&long_past).await.unwrap();
    let url = ("WHOOSH_DATABASE_URL", database.url.clone());
    let operator = Operator::start_with(Engine::shared().await, &[url]).await;

    eventually(PATIENCE, "the log is cut", async || {
        let bounds = "SELECT min(revisions.revision) BETWEEN 7000 AND 7010, compacted BETWEEN 6999 AND 7009 \
                      FROM revisions, head GROUP BY compacted";
        let bounds = database.query(bounds).await?;
        if bounds == "t|t" { Ok(()) } else { Err(bounds) }
    })
    .await;
    let http = client(&operator.socket());
    let watch = format!("http://localhost{TEAMS}?watch=true&timeoutSeconds=1&resourceVersion=6000");
    let told = http.get(watch).send().await.unwrap().text().await.unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["type"], &told["object"]["code"]),
        (&"ERROR".into(), &410.into())
    );
    let list = operator.whoosh(&["get", "teams"]).await;
    assert_eq!(list.code, 0, "{}", list.err);
}
