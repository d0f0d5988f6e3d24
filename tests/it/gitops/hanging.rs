//! Repositories whose servers take connections and never say a word.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::stage::{Stage, team};

const PATIENCE: Duration = Duration::from_secs(30);
/// More than have places at once.
const HANGING: usize = 16;

/// The next connection on which somebody begins to speak.
async fn caller(listener: &TcpListener) -> TcpStream {
    let accepted = timeout(PATIENCE, listener.accept()).await;
    let (mut stream, _) = accepted.expect("somebody asks").unwrap();
    stream.read_u8().await.expect("a greeting begins");
    stream
}

#[tokio::test]
async fn servers_that_hang_hold_up_their_own_namespace_alone_and_nobody_waits_for_what_is_suspended() {
    let stage = Stage::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hanging: Vec<String> = (0..HANGING)
        .map(|number| {
            json!({
                "apiVersion": "chorus.services/v1", "kind": "GitSource",
                "metadata": {"name": format!("hanging-{number}"), "namespace": "busy"},
                "spec": {"url": format!("https://localhost:{port}/{number}.git"), "timeout": "5m"},
            })
            .to_string()
        })
        .collect();
    stage.operator.apply(&hanging.join("\n---\n"), &[]).await.ok();
    let mut callers = Vec::new();
    for _ in 0..4 {
        callers.push(caller(&listener).await);
    }
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("A team");
    stage.source(json!({})).await;
    stage.until_message("is applied: 1 object").await;

    // What is suspended, or gone, is not waited for.
    for number in 0..HANGING {
        let command = if number % 2 == 0 { "suspend" } else { "delete" };
        let name = format!("gitsource/hanging-{number}");
        let all = [command, name.as_str(), "-n", "busy"];
        stage.operator.whoosh(&all).await.ok();
    }
    for mut left in callers {
        let mut rest = Vec::new();
        let closed = timeout(PATIENCE, left.read_to_end(&mut rest)).await;
        let _reset_or_ended = closed.expect("the look is broken off");
    }
}
