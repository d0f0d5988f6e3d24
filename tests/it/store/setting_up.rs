//! Connecting and migrating.

use std::error::Error;

use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::json;
use whoosh::resource::Kind;
use whoosh::store::{Op, Store, StoreError};

use super::{create, database, key, team, write};

#[tokio::test]
async fn migrating_again_or_at_once_does_no_harm() {
    let database = database().await;
    let stores: Vec<Store> = join_all((0..4).map(|_| Store::connect(&database.url)))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    for outcome in join_all(stores.iter().map(Store::migrate)).await {
        outcome.unwrap();
    }
    create(&stores[0], "a").await;
    let id = stores[0].instance_id().await.unwrap();
    assert_eq!(id.len(), 36, "{id} is a UUID");
    stores[1].migrate().await.unwrap();
    assert_eq!(stores[2].instance_id().await.unwrap(), id);
    assert!(stores[3].get(&key("a")).await.unwrap().is_some());

    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let applied = database
        .query("SELECT count(*) FROM _sqlx_migrations")
        .await
        .unwrap();
    assert_eq!(
        applied,
        files.count().to_string(),
        "a migration is not embedded: touch src/lib.rs"
    );
}

#[tokio::test]
async fn a_database_of_another_version_says_so() {
    let database = database().await;
    let store = Store::connect(&database.url).await.unwrap();
    let refused = store.list(Kind::Team, None).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotMigrated(_)), "{refused:?}");
    assert!(refused.to_string().contains("whoosh migrate"));

    store.migrate().await.unwrap();
    let from_the_future = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                           VALUES (9999, 'from the future', true, '', 0)";
    database.query(from_the_future).await.unwrap();
    let refused = store.migrate().await.unwrap_err();
    assert!(matches!(refused, StoreError::Migrate(_)), "{refused:?}");
}

#[tokio::test]
async fn a_password_is_never_told() {
    let database = database().await;
    let url = database.url.replace("postgres@", "postgres:hunter2@");
    let store = Store::connect(&url).await.unwrap();
    let told = format!("{store:?}");
    assert!(told.contains("postgres@") && !told.contains("hunter2"), "{told}");

    for bad in [
        url.replace("/test", "/no-such-test"),
        url.replace("host=/", "host=/nowhere/"),
        "postgres://ann:hunter2@127.0.0.1:1/whoosh".to_owned(),
    ] {
        let error = Store::connect(&bad).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        let told = format!("{error} {error:?} {cause}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn owners_that_are_not_there_are_forgotten_once() {
    let database = database().await;
    let store = Store::connect(&database.url).await.unwrap();
    store.migrate().await.unwrap();
    let owner = create(&store, "owner").await;
    let reference = |api_version: &str, kind: &str, name: &str, uid: &str| OwnerReference {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        ..OwnerReference::default()
    };
    let there = reference("chorus.services/v1", "Team", "owner", owner.uid());
    let absent = reference("chorus.services/v1", "Team", "owner", "another");
    let stranger = reference("apps/v1", "Deployment", "web", "w");
    let all = [there.clone(), absent.clone(), stranger.clone()];
    for (name, references) in [("some", all.to_vec()), ("lost", vec![absent])] {
        let mut object = team(name, json!({}));
        object.metadata.owner_references = Some(references);
        store.write(write(Op::Create(object))).await.unwrap();
    }
    let migration = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/migrations/0006_index_owners.sql"
    ));
    let (forgetting, _) = migration.split_once(';').unwrap();
    database.query(forgetting).await.unwrap();
    let named = async |name| {
        store
            .get(&key(name))
            .await
            .unwrap()
            .unwrap()
            .metadata
            .owner_references
    };
    assert_eq!(named("some").await, Some(vec![there, stranger]));
    assert_eq!(named("lost").await, None);
    assert_eq!(named("owner").await, None);
}
