//! Scripts: what is asked of an engine and awaited in it, in order. They lie in `tests/it/sim/scripts/`.
//!
//! A step is a line and its argument:
//!
//! | line | argument | what it does |
//! | --- | --- | --- |
//! | `GET /path`, `POST /path`, `DELETE /path` | the body, or text that is no JSON | asks; `/v1.24/path` in that version of the API |
//! | `create NAME`, `update NAME` | what differs from [`service`] | asks; an update that came too late, again |
//! | `node NAME` | `active`, `pause` or `drain` | the same for a node of a cluster |
//! | `remove NAME` | | removes a service, and waits until its tasks are gone |
//! | `tasks NAME` | `slot desired state` of each, by slot and age | waits until they are so |
//! | `until /path` | values by JSON pointer; `null` for none | waits until an answer has them |
//! | `wait /path` | the same | waits, and records nothing |
//! | `events` | filters | asks what the engine still knows of the events since the script began |
//! | `kill NAME.SLOT` | a signal | kills the slot's running container |
//! | `version KIND/NAME` | | by how much the version grew since the last such step |
//! | `power-off NODE`, `power-on NODE` | | the node's machine loses its power, or starts on its disk |
//! | `simulated NAME` | `unhealthy` | makes the simulation's containers as the script's real ones are |
//!
//! In paths and bodies stand `$(id KIND/NAME)`, `$(version KIND/NAME)` and `$(bytes COUNT)` (Base64 of so many).
//! All that a script makes begins with the script's name, so that it can be told apart and removed.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::swarm::stage::IMAGE;

/// What the containers of a script run: it stops with 0 when it is told to.
const PROGRAM: &str = "trap 'exit 0' TERM; while :; do read -r -t 5 <> <(:) || :; done";

pub(super) struct Script {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
}

pub(super) struct Step {
    pub(super) line: String,
    pub(super) argument: Value,
}

/// The scripts of the files that are called so.
///
/// # Panics
/// If one is no script, or two could take each other's objects for their own.
pub(super) fn scripts(is_wanted: impl Fn(&str) -> bool) -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sim/scripts");
    let mut all: Vec<Script> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if is_wanted(path.file_stem().unwrap().to_str().unwrap()) {
            let text = fs::read_to_string(&path).unwrap();
            let file: Map<String, Value> =
                serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            all.extend(file.into_iter().map(|(name, steps)| read(name, &steps)));
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    for pair in all.windows(2) {
        assert!(
            !pair[1].name.starts_with(&pair[0].name),
            "the names {} and {} are too alike",
            pair[0].name,
            pair[1].name
        );
    }
    all
}

fn read(name: String, steps: &Value) -> Script {
    let step = |step: &Value| {
        let object = step.as_object().filter(|object| object.len() == 1);
        let (line, argument) = object
            .and_then(|object| object.iter().next())
            .unwrap_or_else(|| panic!("{name}: a step has one line: {step}"));
        Step {
            line: line.clone(),
            argument: argument.clone(),
        }
    };
    let steps = steps.as_array().unwrap().iter().map(step).collect();
    Script { name, steps }
}

/// A service that runs one container until that is told to stop, and what a script wants different.
pub(super) fn service(name: &str, different: &Value) -> Value {
    let mut spec = json!({
        "Name": name,
        "TaskTemplate": {
            "ContainerSpec": {"Image": IMAGE, "Args": ["-c", PROGRAM], "Healthcheck": {"Test": ["NONE"]}},
            "RestartPolicy": {"Delay": 100_000_000},
        },
        "UpdateConfig": {"Parallelism": 1, "Monitor": 200_000_000},
        "RollbackConfig": {"Parallelism": 1, "Monitor": 200_000_000},
        "EndpointSpec": {"Mode": "dnsrr"},
    });
    if !different.is_null() {
        json_patch::merge(&mut spec, different);
    }
    spec
}
