//! What others have in the Swarm, under names that look like ours.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use whoosh::resource::names::{MANAGER, label};
use whoosh::sim::Simulation;

use super::look;

const NAMES: [(&str, &str); 4] = [
    ("services", "team_default_pay_ghost_1"),
    ("networks", "pay_net_2"),
    ("secrets", "whoosh_default_token_0000"),
    ("configs", "whoosh_default_notes_0000"),
];

/// Plants it: all of it as of another installation, the service with another uid as well.
pub(super) fn plant(simulation: &Simulation) {
    let labels = json!({
        label::MANAGED_BY: MANAGER,
        label::INSTANCE: "elsewhere",
        label::KIND: "team",
        label::NAMESPACE: "default",
        label::NAME: "pay",
        label::UID: "somebody-else",
    });
    for (kind, name) in NAMES {
        let mut body = json!({"Name": name, "Labels": labels});
        match kind {
            "services" => {
                body["TaskTemplate"] = json!({"ContainerSpec": {"Image": "theirs:1"}});
                body["Mode"] = json!({"Replicated": {"Replicas": 1}});
            }
            "networks" => body["Driver"] = json!("overlay"),
            _ => body["Data"] = json!("dGhlaXJz"),
        }
        simulation.post(&format!("/{kind}/create"), &body).unwrap();
    }
}

/// What has become of it, by name, versions included: any write would show.
pub(super) fn look_at(simulation: &Simulation) -> BTreeMap<String, Value> {
    let find = |(kind, expected): (&str, &str)| {
        let all = look::list(simulation, kind);
        let found = all.into_iter().find(|object| look::name(object) == expected);
        (format!("{kind} {expected}"), found.map_or(Value::Null, |found| {
            json!({"version": found["Version"], "spec": found["Spec"], "id": [&found["ID"], &found["Id"]]})
        }))
    };
    NAMES.into_iter().map(find).collect()
}
