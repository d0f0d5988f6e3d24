//! The engine goes and comes back, and says what it is.

use whoosh::plan::Action;
use whoosh::swarm::{ActError, SecretsDir, Swarm, SwarmError, Trigger, Want};

use super::stage::{PATIENCE, Stage, TUNING, host, load_image};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;

#[tokio::test]
async fn an_engine_that_was_away_is_followed_again() {
    let mut engine = Engine::start().await;
    load_image(&engine).await;
    let mut stage = Stage::new(&host(&engine), TUNING, SecretsDir::default()).await;
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    stage.swarm.require_manager().await.unwrap();
    let version = stage.swarm.version().await.unwrap();
    assert!(
        version.api.starts_with("1.") && !version.engine.is_empty(),
        "{version:?}"
    );
    let id = stage.service(&stage.spec(1).name).await.id;

    engine.kill().await;
    eventually(PATIENCE, "the loss is noticed", async || {
        match stage.cache.health() {
            Err(why) => Ok(why),
            Ok(()) => Err("healthy"),
        }
    })
    .await;
    let owner = stage.owner.clone();
    let want = Want::own(&owner);
    let error = stage.cache.observe(&want).await.unwrap_err();
    assert!(
        matches!(error, SwarmError::Away(_)),
        "old knowledge is not served as new: {error:?}"
    );
    let (name, uid) = (stage.spec(1).name, stage.uid().to_owned());
    let remove = Action::RemoveService { id, name, uid };
    let error = stage.act(&remove).await.unwrap_err();
    assert!(matches!(error, ActError::Unavailable { .. }), "{error:?}");

    stage.drain();
    engine.restart().await;
    stage.until_triggered(&Trigger::All).await;
    assert_eq!(stage.observe().await.services.len(), 1);
    stage.until_running().await;
    let own = stage.own();
    stage.drain();
    engine.docker(&["service", "rm", &stage.spec(1).name]).await;
    stage.until_triggered(&own).await;

    engine.docker(&["swarm", "leave", "--force"]).await;
    let error = stage.swarm.require_manager().await.unwrap_err();
    assert!(error.to_string().contains("run `docker swarm init`"), "{error}");
    stage.cache.invalidate(&stage.owner);
    let error = stage.cache.observe(&want).await.unwrap_err();
    assert!(
        matches!(error, SwarmError::NotAManager { .. } | SwarmError::Away(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_told_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = folder.path().join("nobody.sock");
    let swarm = Swarm::connect(&format!("unix://{}", nobody.display())).unwrap();
    let error = swarm.ping().await.unwrap_err();
    assert!(error.to_string().contains("check that it runs"), "{error}");
}
