//! `whoosh export`: what is declared comes out as files that declare the same.

use std::fs;

use super::{Office, team};

#[tokio::test]
async fn what_is_exported_can_be_applied_again_and_changes_nothing() {
    let office = Office::open().await;
    office.apply(&team("payments", ""), &[]).await;
    office.apply(&team("lab", ""), &[]).await;
    let printed = office.whoosh(&["export"]).await.ok();
    assert_eq!(printed.matches("---\n").count(), 2, "{printed}");
    for leftover in [
        "uid",
        "resourceVersion",
        "status",
        "managedFields",
        "last-applied",
        "finalizers",
    ] {
        assert!(!printed.contains(leftover), "{leftover}: {printed}");
    }

    let folder = office.desk.folder.path().join("fleet");
    let written = office
        .whoosh(&["export", "--dir", folder.to_str().unwrap()])
        .await
        .ok();
    let files: Vec<_> = ["lab", "payments"]
        .map(|name| folder.join(format!("team/{name}.yaml")))
        .into();
    let expected: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
    assert_eq!(written, expected);
    let text: Vec<String> = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    assert_eq!(format!("---\n{}---\n{}", text[0], text[1]), printed);
    let again = office
        .whoosh(&["apply", "-R", "-f", folder.to_str().unwrap()])
        .await
        .ok();
    assert_eq!(again, "team/lab unchanged\nteam/payments unchanged\n");

    let refused = office.whoosh(&["export", "agents"]).await;
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("agents cannot be exported"),
        "{}",
        refused.err
    );
}
