//! `whoosh apply --server-side`: the operator merges, and knows who owns which field.

use super::{Office, team};

#[tokio::test]
async fn who_applies_on_the_server_owns_what_they_name() {
    let office = Office::open().await;
    let two = team("payments", "      replicas: 2\n");
    let as_ci = ["--server-side", "--field-manager=ci"];
    let tried = office
        .apply(&two, &["--server-side", "--dry-run=server"])
        .await
        .ok();
    assert_eq!(tried, "team/payments serverside-applied (server dry run)\n");
    assert_eq!(office.stored("payments").await, None);
    assert_eq!(
        office.apply(&two, &as_ci).await.ok(),
        "team/payments serverside-applied\n"
    );

    let three = team("payments", "      replicas: 3\n");
    let refused = office
        .apply(&(three.clone() + &team("other", "")), &["--server-side"])
        .await;
    assert_eq!((refused.out.as_str(), refused.code), ("", 1));
    for part in [
        "standard input:6 (document 1, team/payments): .spec.roles[name=\"coordinator\"].replicas: conflict with \"ci\"",
        "--force-conflicts",
        "1 problem; nothing was changed",
    ] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!(office.stored("other").await, None);
    office
        .apply(&three, &["--server-side", "--force-conflicts"])
        .await
        .ok();
    let spec = office.stored("payments").await.unwrap().spec;
    assert_eq!(spec["roles"][0]["replicas"], 3);

    let shown = office.whoosh(&["get", "team/payments", "-o", "yaml"]).await.ok();
    assert!(!shown.contains("managedFields"), "{shown}");
    let shown = office
        .whoosh(&["get", "team/payments", "-o", "yaml", "--show-managed-fields"])
        .await
        .ok();
    assert!(
        shown.contains("manager: whoosh") && shown.contains("operation: Apply"),
        "{shown}"
    );

    for wrong in [
        &["--server-side", "--dry-run"][..],
        &["--force-conflicts"],
        &["--server-side", "--prune", "-l", "a=b"],
    ] {
        let printed = office.apply(&two, wrong).await;
        assert_eq!(printed.code, 2, "{wrong:?}: {}", printed.err);
    }
}
