//! Changing objects without a manifest: labels, annotations, patches, an editor; and who did.

use super::{Office, team};

async fn with_team() -> Office {
    let office = Office::open().await;
    office.apply(&team("payments", ""), &[]).await.ok();
    office
}

#[tokio::test]
async fn a_team_is_suspended_and_resumed() {
    let office = with_team().await;
    let told = office.whoosh(&["suspend", "team/payments"]).await.ok();
    assert!(
        told.contains("team/payments suspended; `whoosh resume team/payments"),
        "{told}"
    );
    assert_eq!(office.stored("payments").await.unwrap().spec["suspend"], true);
    let noted = office.whoosh(&["suspend", "team/payments", "--for", "1h"]).await;
    assert!(
        noted.code != 0 && noted.err.contains("are for GitSources"),
        "{noted:?}"
    );
    office.whoosh(&["resume", "team/payments"]).await.ok();
    assert_eq!(office.stored("payments").await.unwrap().spec.get("suspend"), None);
    let template = office.whoosh(&["suspend", "agenttemplate/x"]).await;
    assert!(
        template.code == 1 && template.err.contains("does nothing by itself"),
        "{template:?}"
    );
}

#[tokio::test]
async fn labels_and_annotations_are_set_and_taken_away() {
    let office = with_team().await;
    let tried = office
        .whoosh(&["label", "team/payments", "tier=web", "--dry-run=server"])
        .await
        .ok();
    assert_eq!(tried, "team/payments labeled (server dry run)\n");
    let set = office
        .whoosh(&["label", "team", "payments", "tier=web", "fleet-"])
        .await
        .ok();
    assert_eq!(set, "team/payments labeled\n");
    let labels = office.stored("payments").await.unwrap().metadata.labels.unwrap();
    assert_eq!(labels, [("tier".to_owned(), "web".to_owned())].into());
    let again = office
        .whoosh(&["label", "teams", "-l", "tier=web", "tier=web"])
        .await
        .ok();
    assert_eq!(again, "team/payments unchanged\n");
    let refused = office.whoosh(&["label", "teams", "--all", "tier=db"]).await;
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(
        refused
            .err
            .contains("error: team/payments: tier is web already; --overwrite"),
        "{}",
        refused.err
    );
    office
        .whoosh(&["label", "teams", "--all", "tier=db", "--overwrite"])
        .await
        .ok();
    let noted = office
        .whoosh(&["annotate", "team/payments", "note=a b=c"])
        .await
        .ok();
    assert_eq!(noted, "team/payments annotated\n");
    let notes = office
        .stored("payments")
        .await
        .unwrap()
        .metadata
        .annotations
        .unwrap();
    assert_eq!(notes["note"], "a b=c");
    for both in [
        &["label", "team/payments", "--all", "x=1"][..],
        &["delete", "team", "payments", "-l", "x=y"],
    ] {
        let refused = office.whoosh(both).await;
        assert!(
            refused.code == 2 && refused.err.contains("named or selected, not both"),
            "{}",
            refused.err
        );
    }
    let wrong = office.whoosh(&["label", "team/payments"]).await;
    assert_eq!(wrong.code, 2, "{}", wrong.err);
    let bad = office.whoosh(&["label", "team/payments", "-x-=1"]).await;
    assert_ne!(bad.code, 0, "{}", bad.err);
}

#[tokio::test]
async fn of_several_objects_those_that_can_be_are_marked() {
    let office = with_team().await;
    office
        .apply(&(team("billing", "") + &team("audit", "")), &[])
        .await
        .ok();
    office.whoosh(&["label", "team/billing", "tier=db"]).await.ok();
    for command in ["label", "annotate"] {
        let all = [
            command, "team", "billing", "nobody", "payments", "audit", "tier=web",
        ];
        let marked = office.whoosh(&all).await;
        let done = if command == "label" {
            "labeled"
        } else {
            "annotated"
        };
        let expected = match command {
            "label" => format!("team/payments {done}\nteam/audit {done}\n"),
            _ => format!("team/billing {done}\nteam/payments {done}\nteam/audit {done}\n"),
        };
        assert_eq!((marked.out, marked.code), (expected, 1), "{}", marked.err);
        let refused = marked
            .err
            .contains("error: team/billing: tier is db already; --overwrite");
        assert_eq!(refused, command == "label", "{}", marked.err);
        assert!(
            marked
                .err
                .contains("error: team/nobody: teams.chorus.services \"nobody\" not found"),
            "{}",
            marked.err
        );
    }
    let labels = office.stored("billing").await.unwrap().metadata.labels.unwrap();
    assert_eq!(labels["tier"], "db");
}

#[tokio::test]
async fn fields_are_patched() {
    let office = with_team().await;
    let merge = ["patch", "team/payments", "-p", "spec: {suspend: true}"];
    assert_eq!(office.whoosh(&merge).await.ok(), "team/payments patched\n");
    assert_eq!(
        office.whoosh(&merge).await.ok(),
        "team/payments patched (no change)\n"
    );
    let json = r#"[{"op": "add", "path": "/spec/roles/0/replicas", "value": 3}]"#;
    office
        .whoosh(&["patch", "team/payments", "--type=json", "-p", json])
        .await
        .ok();
    let spec = office.stored("payments").await.unwrap().spec;
    assert_eq!(
        (&spec["suspend"], &spec["roles"][0]["replicas"]),
        (&true.into(), &3.into())
    );
    let file = ["patch", "team/payments", "--patch-file", "-"];
    let printed = office
        .desk
        .whoosh_with(&file, "\u{feff}{\"spec\": {\"suspend\": null}}")
        .await;
    assert_eq!(printed.ok(), "team/payments patched\n");
    let refused = office
        .whoosh(&["patch", "team/payments", "-p", "{spec: {rolls: 1}}"])
        .await;
    assert!(
        refused.code == 1 && refused.err.contains("spec.rolls"),
        "{}",
        refused.err
    );
    for wrong in [&["-p", "a: ["][..], &["-p", "{}", "--dry-run"], &[]] {
        let printed = office
            .whoosh(&[&["patch", "team/payments"], wrong].concat())
            .await;
        assert_eq!(printed.code, 2, "{wrong:?}: {}", printed.err);
    }
}

/// Edits with a program that changes the file.
async fn edit(office: &Office, script: &str) -> super::Printed {
    let mut command = office.desk.command(&["edit", "team/payments"]);
    command
        .env("EDITOR", script)
        .env("TMPDIR", office.desk.folder.path());
    super::printed(command.spawn().unwrap()).await
}

#[tokio::test]
async fn an_object_is_edited_until_it_is_right() {
    let office = with_team().await;
    assert_eq!(edit(&office, "true").await.err, "nothing was changed\n");
    let edited = edit(&office, "sed -i 's/name: coordinator/name: lead/'").await;
    assert_eq!(edited.ok(), "team/payments edited\n");
    assert_eq!(
        office.stored("payments").await.unwrap().spec["roles"][0]["name"],
        "lead"
    );

    // The second time, it sees what was wrong with the first.
    let mending = "sh -c 'if grep -q \"# spec.colour: unknown field\" \"$0\"; then sed -i \"s/colour: red/suspend: true/\" \"$0\"; \
                   else sed -i \"s/^spec:/spec:\\n  colour: red/\" \"$0\"; fi'";
    assert_eq!(edit(&office, mending).await.ok(), "team/payments edited\n");
    assert_eq!(office.stored("payments").await.unwrap().spec["suspend"], true);

    // Some editors begin a file with a byte order mark.
    let marking = |change: &str| format!(r#"sh -c 'sed -i "1s/^/\xef\xbb\xbf/{change}" "$0"'"#);
    let marked = edit(&office, &marking("")).await;
    assert_eq!((marked.code, marked.err.as_str()), (0, "nothing was changed\n"));
    let marked = edit(&office, &marking("; s/name: lead/name: chief/")).await;
    assert_eq!(marked.ok(), "team/payments edited\n");

    let failed = edit(&office, "false").await;
    assert!(
        failed.code == 1 && failed.err.contains("the editor (false) failed"),
        "{}",
        failed.err
    );
    let other = edit(&office, "sed -i 's/name: payments/name: other/; 1i# x'").await;
    assert_eq!(other.code, 1);
    let kept = other
        .err
        .lines()
        .next()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    assert!(
        std::fs::read_to_string(&kept)
            .unwrap()
            .contains("# it must still be team/payments"),
        "{}",
        other.err
    );
    std::fs::remove_file(kept).unwrap();
}

#[tokio::test]
async fn an_edit_stands_what_others_change_beside_it() {
    let office = with_team().await;
    let whoosh = env!("CARGO_BIN_EXE_whoosh");
    let beside =
        format!("sh -c '{whoosh} label team/payments tier=web >&2; sed -i s/coordinator/lead/ \"$0\"'");
    assert_eq!(edit(&office, &beside).await.ok(), "team/payments edited\n");
    let stored = office.stored("payments").await.unwrap();
    assert_eq!(stored.spec["roles"][0]["name"], "lead");
    assert_eq!(stored.metadata.labels.unwrap()["tier"], "web");

    let same = format!(
        "sh -c '{whoosh} scale team/payments --role lead --replicas 3 >&2; sed -i s/lead/chief/ \"$0\"'"
    );
    let refused = edit(&office, &same).await;
    assert!(
        refused.code == 1 && refused.err.contains("changed the same fields meanwhile"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("what you wrote is in "), "{}", refused.err);
}

#[tokio::test]
async fn who_changed_what_is_told() {
    let office = with_team().await;
    office.whoosh(&["label", "team/payments", "tier=web"]).await.ok();
    office
        .set_status("payments", serde_json::json!({"replicas": 0}))
        .await;
    office
        .whoosh(&["scale", "team/payments", "--role=coordinator", "--replicas=2"])
        .await
        .ok();
    let told = office.whoosh(&["history", "team/payments"]).await.ok();
    let rows: Vec<Vec<&str>> = told
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["REVISION", "GENERATION", "WHO", "WHAT", "AGE"]);
    let told: Vec<[&str; 2]> = rows[1..].iter().map(|row| [row[0], row[3]]).collect();
    assert_eq!(told, [["1", "create"], ["2", "patch"], ["4", "patch"]]);
    assert!(rows[1][2].starts_with("unix:uid="), "{rows:?}");
    let all = office
        .whoosh(&["history", "team/payments", "--all", "--no-headers"])
        .await
        .ok();
    assert_eq!(all.lines().count(), 4);
    let diff = office.whoosh(&["history", "team/payments", "--diff"]).await.ok();
    assert!(
        diff.contains("revision 2, patch by unix:uid=") && diff.contains("+    tier: web"),
        "{diff}"
    );
    assert!(
        diff.contains("+    replicas: 2") && !diff.contains("managedFields"),
        "{diff}"
    );
    office
        .whoosh(&["delete", "team/payments", "--wait=false"])
        .await
        .ok();
    office.remove("payments").await;
    let told = office.whoosh(&["history", "team/payments"]).await.ok();
    let end: Vec<&str> = told.lines().rev().take(2).collect();
    assert!(
        end[1].contains(" unix:uid=") && end[1].contains(" delete "),
        "{told}"
    );
    assert!(end[0].contains("system:whoosh:"), "{told}");
    office.apply(&team("payments", ""), &[]).await.ok();
    let diff = office.whoosh(&["history", "team/payments", "--diff"]).await.ok();
    let last = diff.rsplit("create by ").next().unwrap();
    assert!(last.contains("+  name: payments"), "it is made anew: {diff}");
    let nobody = office.whoosh(&["history", "team/nobody"]).await;
    assert_eq!(nobody.code, 1);
}

#[tokio::test]
async fn one_is_told_who_one_is_and_what_one_may_do() {
    let office = Office::open().await;
    assert_eq!(
        office
            .whoosh(&["auth", "can-i", "delete", "team/payments"])
            .await
            .ok(),
        "yes\n"
    );
    let all = office.whoosh(&["auth", "can-i", "--list"]).await.ok();
    assert!(
        all.contains("teams.chorus.services") && all.contains("/metrics"),
        "{all}"
    );
    let nothing = office.whoosh(&["auth", "can-i", "get"]).await;
    assert_eq!(nothing.code, 2, "{}", nothing.err);
    let whoami = office.whoosh(&["auth", "whoami"]).await.ok();
    assert!(
        whoami.contains("Username    unix:uid=") && whoami.contains("role:admin"),
        "{whoami}"
    );
    let wrong = office.whoosh(&["auth", "can-i", "get", "pods"]).await;
    assert!(
        wrong.code == 2 && wrong.err.contains("there is no kind \"pods\""),
        "{}",
        wrong.err
    );
}
