//! Who may come in over the network.

use std::time::Duration;

use whoosh::resource::access::Grant;

use super::store;

/// Twelve thousand years.
const FAR: Duration = Duration::from_secs(12_000 * 365 * 24 * 60 * 60);

#[tokio::test]
async fn a_token_that_ends_after_the_last_day_is_one_like_others() {
    let (_database, store) = store().await;
    let made = store
        .create_token("far", &[7; 32], &Grant::nothing(), Some(FAR), "ann")
        .await;
    let made = made.unwrap().unwrap();
    assert_eq!(made.expires.unwrap().strftime("%Y").to_string(), "9999");
    assert_eq!(store.tokens(false).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(store.token(&[7; 32]).await.unwrap().unwrap().name, "far");
    assert!(store.revoke_token("far", "bob").await.unwrap());
    assert_eq!(store.token(&[7; 32]).await.unwrap(), None);
}
