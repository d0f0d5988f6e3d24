//! `whoosh why`: one answer out of all that the operator knows.

use serde_json::{Value, json};
use whoosh::resource::{Key, Kind};
use whoosh::store::{EventRecord, EventType};

use super::{Office, team};

/// The lines, each with single spaces.
fn lines(text: &str) -> Vec<String> {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect()
}

#[tokio::test]
async fn a_team_that_stalls_is_explained() {
    let office = Office::open().await;
    office
        .apply(&team("payments", "      template: small\n"), &[])
        .await;
    let new = office.whoosh(&["why", "team/payments"]).await.ok();
    assert!(
        lines(&new).contains(&"State: new: the operator has not looked at it yet".to_owned()),
        "{new}"
    );
    office
        .whoosh(&["scale", "team/payments", "--role=coordinator", "--replicas=2"])
        .await
        .ok();
    office
        .set_status(
            "payments",
            json!({
                "state": "Stalled", "message": "coordinator.1: no template small: apply it", "observedGeneration": 2,
                "conditions": [{"type": "Stalled", "status": "True", "reason": "TemplateNotFound", "message": "",
                                "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            }),
        )
        .await;
    let event = EventRecord {
        regarding: Key::new(Kind::Team, "default", "payments"),
        uid: "u".to_owned(),
        type_: EventType::Warning,
        reason: "AgentFailed".to_owned(),
        message: "coordinator.1 ended".to_owned(),
    };
    office.store.record_event(event).await.unwrap();

    let told = office.whoosh(&["why", "team", "payments"]).await.ok();
    let told = lines(&told);
    assert_eq!(told[0], "Object: team/payments");
    assert!(
        told[1].starts_with("State: Stalled (TemplateNotFound), for "),
        "{told:?}"
    );
    assert_eq!(told[2], "coordinator.1: no template small: apply it");
    assert_eq!(told[3], "Template: agenttemplate/small does not exist");
    assert!(
        told.iter()
            .any(|line| line.starts_with("Not ready: the agents cannot be seen: ") && line.contains("Docker")),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|line| line.starts_with("Last change: patch by unix:uid=")
                && line.contains(", which made generation 2, ")),
        "{told:?}"
    );
    assert!(
        told.contains(&"spec.roles[coordinator].replicas: set to 2".to_owned()),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|line| line.starts_with("AgentFailed, ") && line.ends_with(" ago: coordinator.1 ended")),
        "{told:?}"
    );

    let json = office.whoosh(&["why", "team/payments", "-o", "json"]).await.ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["kind"], &json["object"]),
        (&json!("Why"), &json!("team/payments"))
    );
    let topics: Vec<&str> = json["chain"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| link["topic"].as_str().unwrap())
        .collect();
    assert_eq!(
        topics,
        ["state", "template", "notReady", "lastChange", "warnings"]
    );
    let yaml = office.whoosh(&["why", "team/payments", "-o", "yaml"]).await.ok();
    assert!(yaml.contains("says: Stalled (TemplateNotFound)\n"), "{yaml}");
}

#[tokio::test]
async fn a_template_is_explained_by_its_users() {
    let office = Office::open().await;
    let template = "apiVersion: chorus.services/v1\nkind: AgentTemplate\nmetadata: {name: small}\nspec: {image: a}\n---\n";
    let files = template.to_owned() + &team("payments", "      template: small\n") + &team("other", "");
    office.apply(&files, &[]).await.ok();
    let told = office.whoosh(&["why", "at/small"]).await.ok();
    let told = lines(&told);
    assert_eq!(
        told[..4],
        [
            "Object: agenttemplate/small",
            "State: generation 1",
            "Used by: 1 team or council",
            "team/payments is new: the operator has not looked at it yet",
        ]
    );
    assert!(
        told[4].starts_with("Last change: create by unix:uid="),
        "{told:?}"
    );
    let nobody = office.whoosh(&["why", "team/nobody"]).await;
    assert_eq!((nobody.code, nobody.out.as_str()), (1, ""));
}
