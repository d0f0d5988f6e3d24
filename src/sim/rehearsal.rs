//! A Swarm that is asked and moved on directly, without a socket or a clock: to see what would come of something.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::world::World;
use super::world::model::Availability;
use super::world::refusal::Refusal;
use super::{NodeSettings, Timing, http};

/// What an engine lists, by the API's word for it (`nodes`, `services`, …), each in the engine's own JSON.
pub type Documents = BTreeMap<&'static str, Vec<Value>>;

/// What [`Documents`] of a Swarm hold.
pub const COLLECTIONS: [&str; 6] = ["nodes", "services", "tasks", "networks", "secrets", "configs"];

/// The engine refused a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// HTTP status code.
    pub status: u16,
    /// The engine's words.
    pub message: String,
}

impl From<Refusal> for Refused {
    fn from(Refusal { status, message }: Refusal) -> Self {
        Self { status, message }
    }
}

/// A Swarm on paper. Its time stands still until it is moved on.
#[derive(Debug)]
pub struct Rehearsal {
    world: World,
}

impl Rehearsal {
    /// Begins with a copy of a Swarm, where things take as long as `timing` says.
    ///
    /// # Errors
    /// When a document is not one that an engine writes.
    pub fn copy(documents: &Documents, start: Timestamp, timing: Timing) -> Result<Self, Refused> {
        let world = World::copy(documents, start, timing)?;
        Ok(Self { world })
    }

    /// The Swarm as it is now.
    ///
    /// # Errors
    /// When the managers have no leader.
    pub fn documents(&mut self) -> Result<Documents, Refused> {
        let mut documents = Documents::new();
        for name in COLLECTIONS {
            let list = http::answer(&mut self.world, Method::GET, &format!("/{name}"), &Value::Null)?;
            let Value::Array(list) = list else { continue };
            documents.insert(name, list);
        }
        Ok(documents)
    }

    /// Sends a request that changes something, and returns the answer.
    ///
    /// # Errors
    /// The engine's.
    pub fn post(&mut self, path: &str, body: &Value) -> Result<Value, Refused> {
        Ok(http::answer(&mut self.world, Method::POST, path, body)?)
    }

    /// Removes what a path names.
    ///
    /// # Errors
    /// The engine's.
    pub fn delete(&mut self, path: &str) -> Result<(), Refused> {
        http::answer(&mut self.world, Method::DELETE, path, &Value::Null)?;
        Ok(())
    }

    /// The time in the Swarm.
    pub fn now(&self) -> Timestamp {
        self.world.now
    }

    /// Moves time on.
    pub fn advance(&mut self, by: Duration) {
        let until = self.world.now.checked_add(by).unwrap_or(Timestamp::MAX);
        self.world.advance_to(until);
        // Nobody listens.
        self.world.events.take_fresh();
    }

    /// Adds a node that is ready.
    pub fn add_node(&mut self, node: NodeSettings) {
        self.world.add_node(node);
    }

    /// A node goes silent; after a time the managers notice.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn fail_node(&mut self, node: &str) -> Result<(), Refused> {
        Ok(self.world.fail_node(node)?)
    }

    /// Takes everything off a node.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn drain_node(&mut self, node: &str) -> Result<(), Refused> {
        Ok(self.world.set_availability(node, Availability::Drain)?)
    }

    /// How many managers answer, and how many there are.
    pub fn managers(&self) -> (usize, usize) {
        self.world.count_managers()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Three managers, of which the second leads, and a worker that is drained, with services on them.
    fn swarm() -> Rehearsal {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 7, Timing::default());
        for number in 1..=4 {
            world.add_node(NodeSettings {
                hostname: format!("node-{number}"),
                labels: [("zone".to_owned(), format!("z{number}"))].into(),
                is_manager: number <= 3,
                ..NodeSettings::default()
            });
        }
        world.images.has_all = true;
        world.move_leader().unwrap();
        let mut swarm = Rehearsal { world };
        swarm.advance(Duration::from_secs(1));
        swarm.drain_node("node-4").unwrap();
        swarm
            .post("/networks/create", &json!({"Name": "net", "Driver": "overlay"}))
            .unwrap();
        for (name, constraint) in [
            ("a", "node.labels.zone == z2"),
            ("b", "node.role == manager"),
            ("c", "node.id == x"),
        ] {
            let spec = json!({
                "Name": name,
                "TaskTemplate": {
                    "ContainerSpec": {"Image": "agent:1"},
                    "Placement": {"Constraints": [constraint]},
                    "Networks": [{"Target": "net"}],
                },
                "Mode": {"Replicated": {"Replicas": 2}},
            });
            swarm.post("/services/create", &spec).unwrap();
        }
        swarm.advance(Duration::from_secs(1));
        swarm
    }

    /// What every node is, and every task: service, slot, node, state and error.
    fn told(swarm: &mut Rehearsal) -> (Vec<Value>, Vec<String>) {
        let mut documents = swarm.documents().unwrap();
        let mut nodes = documents.remove("nodes").unwrap();
        for node in &mut nodes {
            let node = node.as_object_mut().unwrap();
            for changing in ["Version", "CreatedAt", "UpdatedAt"] {
                node.remove(changing);
            }
        }
        let tasks = documents["tasks"].iter().map(|task| {
            let status = &task["Status"];
            [
                &task["ServiceID"],
                &task["Slot"],
                &task["NodeID"],
                &status["State"],
                &status["Err"],
            ]
            .map(Value::to_string)
            .join(" ")
        });
        let mut tasks: Vec<String> = tasks.collect();
        tasks.sort();
        (nodes, tasks)
    }

    #[test]
    fn a_copy_is_as_its_original_and_goes_on_like_it() {
        let mut original = swarm();
        let documents = original.documents().unwrap();
        let mut copy = Rehearsal::copy(&documents, original.now(), Timing::default()).unwrap();
        for swarm in [&mut original, &mut copy] {
            swarm.advance(Duration::from_secs(60));
        }
        assert_eq!(told(&mut copy), told(&mut original));
        assert_eq!(copy.managers(), (3, 3));
        for swarm in [&mut original, &mut copy] {
            swarm.fail_node("node-2").unwrap();
            swarm.advance(Duration::from_secs(60));
        }
        let running = |swarm: &mut Rehearsal| {
            let (_, tasks) = told(swarm);
            tasks.iter().filter(|task| task.contains("\"running\"")).count()
        };
        assert_eq!(copy.managers(), (2, 3));
        let stranded = |swarm: &mut Rehearsal| {
            let (_, tasks) = told(swarm);
            let waiting = tasks.into_iter().filter(|task| task.contains("\"pending\""));
            waiting.collect::<Vec<String>>()
        };
        assert_eq!(stranded(&mut copy), stranded(&mut original));
        assert_eq!(running(&mut copy), running(&mut original));
    }

    #[test]
    fn services_that_change_at_the_same_time_get_new_tasks_each() {
        let mut original = swarm();
        let documents = original.documents().unwrap();
        let mut copy = Rehearsal::copy(&documents, original.now(), Timing::default()).unwrap();
        let services = &documents["services"];
        for service in services {
            let (id, version) = (service["ID"].as_str().unwrap(), &service["Version"]["Index"]);
            let mut spec = service["Spec"].clone();
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!("agent:2");
            spec["TaskTemplate"]["Placement"] = json!({});
            copy.post(&format!("/services/{id}/update?version={version}"), &spec)
                .unwrap();
        }
        copy.advance(Duration::from_secs(60));
        let documents = copy.documents().unwrap();
        let renewed = documents["tasks"].iter().filter(|task| {
            let image = &task["Spec"]["ContainerSpec"]["Image"];
            (image, &task["Status"]["State"]) == (&json!("agent:2"), &json!("running"))
        });
        assert_eq!(renewed.count(), 2 * services.len());
    }

    #[test]
    fn a_node_of_another_kind_is_copied_as_it_is() {
        let mut documents = swarm().documents().unwrap();
        let node = &mut documents.get_mut("nodes").unwrap()[0];
        node["Description"]["Platform"] = json!({"Architecture": "aarch64", "OS": "linux"});
        node["Description"]["Engine"]["Labels"] = json!({"disk": "ssd"});
        let id = node["ID"].as_str().unwrap().to_owned();
        let mut copy = Rehearsal::copy(&documents, Timestamp::UNIX_EPOCH, Timing::default()).unwrap();
        copy.drain_node("node-4").unwrap();
        for (name, placement) in [
            (
                "arm",
                json!({"Platforms": [{"Architecture": "arm64", "OS": "linux"}]}),
            ),
            ("aarch", json!({"Constraints": ["node.platform.arch == aarch64"]})),
            ("ssd", json!({"Constraints": ["engine.labels.disk == ssd"]})),
        ] {
            let template = json!({"ContainerSpec": {"Image": "agent:1"}, "Placement": placement});
            let made = copy
                .post(
                    "/services/create",
                    &json!({"Name": name, "TaskTemplate": template}),
                )
                .unwrap();
            copy.advance(Duration::from_secs(5));
            let documents = copy.documents().unwrap();
            let mut tasks = documents["tasks"]
                .iter()
                .filter(|task| task["ServiceID"] == made["ID"]);
            assert_eq!(tasks.next().unwrap()["NodeID"], id.as_str(), "{name}");
        }
    }

    #[test]
    fn a_copy_of_managers_without_a_majority_has_no_leader() {
        let mut documents = swarm().documents().unwrap();
        let nodes = documents.get_mut("nodes").unwrap();
        for node in nodes.iter_mut().filter(|node| node["ManagerStatus"].is_object()) {
            if node["ManagerStatus"]["Leader"] != true {
                node["ManagerStatus"]["Reachability"] = json!("unreachable");
            }
        }
        let mut copy = Rehearsal::copy(&documents, Timestamp::UNIX_EPOCH, Timing::default()).unwrap();
        copy.documents().unwrap_err();
        assert_eq!(copy.managers(), (1, 3));
    }

    #[test]
    fn a_copy_of_a_full_network_is_full() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 7, Timing::default());
        world.add_node(NodeSettings::default());
        world.images.has_all = true;
        let mut original = Rehearsal { world };
        // Five addresses: one for the node, four for tasks.
        let network =
            json!({"Name": "net", "Driver": "overlay", "IPAM": {"Config": [{"Subnet": "10.9.0.0/29"}]}});
        original.post("/networks/create", &network).unwrap();
        let service = |name: &str, replicas: u32| {
            json!({
                "Name": name,
                "TaskTemplate": {"ContainerSpec": {"Image": "agent:1"}, "Networks": [{"Target": "net"}]},
                "EndpointSpec": {"Mode": "dnsrr"},
                "Mode": {"Replicated": {"Replicas": replicas}},
            })
        };
        original.post("/services/create", &service("a", 4)).unwrap();
        original.advance(Duration::from_secs(5));
        let documents = original.documents().unwrap();
        let mut copy = Rehearsal::copy(&documents, original.now(), Timing::default()).unwrap();
        for swarm in [&mut original, &mut copy] {
            swarm.post("/services/create", &service("b", 1)).unwrap();
            swarm.advance(Duration::from_secs(5));
            let tasks = &swarm.documents().unwrap()["tasks"];
            let waiting = tasks.iter().filter(|task| task["Status"]["State"] == "new");
            assert_eq!(waiting.count(), 1, "{tasks:?}");
        }
    }

    #[test]
    fn a_service_that_cannot_be_played_keeps_no_other_from_it() {
        let mut documents = swarm().documents().unwrap();
        let services = documents.get_mut("services").unwrap();
        let spec = &mut services[0]["Spec"]["TaskTemplate"];
        spec.as_object_mut().unwrap().remove("ContainerSpec");
        spec["PluginSpec"] = json!({"Name": "p"});
        let mut copy = Rehearsal::copy(&documents, Timestamp::UNIX_EPOCH, Timing::default()).unwrap();
        assert_eq!(
            copy.documents().unwrap()["services"].len(),
            documents["services"].len() - 1
        );
    }

    #[test]
    fn a_service_on_a_network_of_its_machine_is_a_load_like_others() {
        let mut documents = swarm().documents().unwrap();
        let services = documents.get_mut("services").unwrap();
        services[0]["Spec"]["TaskTemplate"]["Networks"] = json!([{"Target": "hidden-host"}]);
        let mut copy = Rehearsal::copy(&documents, Timestamp::UNIX_EPOCH, Timing::default()).unwrap();
        let copied = copy.documents().unwrap();
        for collection in ["services", "tasks"] {
            assert_eq!(
                copied[collection].len(),
                documents[collection].len(),
                "{collection}"
            );
        }
    }

    #[test]
    fn what_is_no_document_of_an_engine_is_refused() {
        let documents = Documents::from([("nodes", vec![json!({"ID": 7})])]);
        let refused = Rehearsal::copy(&documents, Timestamp::UNIX_EPOCH, Timing::default()).unwrap_err();
        assert!(refused.message.starts_with("nodes: "), "{refused}");
    }
}
