//! Connecting and migrating.

use std::error::Error;

use futures::future::join_all;
use whoosh::resource::Kind;
use whoosh::store::{Store, StoreError};

use super::{create, database, key};

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
