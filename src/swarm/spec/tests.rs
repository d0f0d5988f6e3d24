use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::plan::service::{
    ContainerSpec, FileRef, MountSpec, PortSpec, RestartPolicy, ServiceSpec, UpdatePolicy,
};
use crate::resource::workload::{Amount, DesiredHealthCheck};
use crate::swarm::wire;

/// Draws services with every field set to anything that the planner may want.
struct Draw(SmallRng);

impl Draw {
    fn flag(&mut self) -> bool {
        self.0.random()
    }

    fn number(&mut self) -> u32 {
        self.0.random_range(0..5)
    }

    fn time(&mut self) -> Duration {
        Duration::from_millis(self.0.random_range(0..5000))
    }

    fn word(&mut self) -> String {
        const WORDS: [&str; 6] = ["a", "b", "node.role==manager", "é ü", "k=v=w", "x/y"];
        WORDS[self.0.random_range(0..WORDS.len())].to_owned()
    }

    fn many<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.0.random_range(0..3)).map(|_| one(self)).collect()
    }

    fn maybe<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| one(self))
    }

    fn amount(&mut self) -> Amount {
        Amount {
            nano_cpus: i64::from(self.number()),
            memory_bytes: i64::from(self.number()),
        }
    }

    fn file(&mut self, kind: &str) -> FileRef {
        let n = self.number();
        FileRef {
            source: format!("{kind}{n}"),
            path: format!("/f{}", self.0.next_u32()),
        }
    }

    fn service(&mut self) -> ServiceSpec {
        let labels = self.many(|draw| (format!("chorus.services/{}", draw.word()), draw.word()));
        ServiceSpec {
            name: self.word(),
            labels: labels.into_iter().collect(),
            replicas: u64::from(self.number()),
            container: ContainerSpec {
                image: self.word(),
                command: self.many(Self::word),
                args: self.many(Self::word),
                env: self
                    .many(|draw| (format!("V{}", draw.number()), draw.word()))
                    .into_iter()
                    .collect(),
                user: self.maybe(Self::word).unwrap_or_default(),
                mounts: self.many(|draw| MountSpec {
                    target: format!("/m{}", draw.number()),
                    mount_type: "volume".into(),
                    source: draw.word(),
                    read_only: draw.flag(),
                }),
                capabilities: self
                    .many(|draw| format!("CAP{}", draw.number()))
                    .into_iter()
                    .collect(),
                sysctls: self
                    .many(|draw| (format!("net.s{}", draw.number()), draw.word()))
                    .into_iter()
                    .collect(),
                secrets: self.many(|draw| draw.file("secret")),
                configs: self.many(|draw| draw.file("config")),
                health_check: self.maybe(|draw| DesiredHealthCheck {
                    command: draw.many(Self::word),
                    interval: draw.time(),
                    timeout: draw.time(),
                    start_period: draw.time(),
                    retries: draw.number(),
                }),
                stop_grace_period: self.time(),
                read_only: self.flag(),
                init: self.maybe(Self::flag),
            },
            limits: self.amount(),
            reservations: self.amount(),
            constraints: self.many(Self::word),
            preferences: self.many(Self::word),
            networks: self
                .many(|draw| format!("net{}", draw.number()))
                .into_iter()
                .collect(),
            restart: RestartPolicy {
                always: self.flag(),
                delay: self.time(),
                max_attempts: u64::from(self.number()),
                window: self.time(),
            },
            update: UpdatePolicy {
                stop_first: self.flag(),
                pause_on_failure: self.flag(),
                parallelism: u64::from(self.number()),
            },
            dnsrr: self.flag(),
            ports: self
                .many(|draw| PortSpec {
                    port: draw.number(),
                    target: draw.number(),
                    protocol: "tcp".into(),
                    of_node: draw.flag(),
                })
                .into_iter()
                .collect(),
        }
    }
}

fn ids() -> Ids {
    let of = |kind: &str| -> BTreeMap<String, String> {
        (0..5)
            .map(|n| (format!("{kind}{n}"), format!("{kind}-id-{n}")))
            .collect()
    };
    Ids {
        networks: of("net"),
        secrets: of("secret"),
        configs: of("config"),
    }
}

/// What a reader who knows the network names understands.
fn understand(json: &Value) -> ServiceSpec {
    let mut spec = decode(&wire::Spec::deserialize(json).unwrap());
    let names: BTreeMap<String, String> = ids().networks.into_iter().map(|(name, id)| (id, name)).collect();
    spec.networks = spec.networks.iter().map(|id| names[id].clone()).collect();
    spec
}

/// A service as others left it, with a field that is not ours wherever there can be one.
fn foreign() -> Value {
    json!({
        "Name": "s",
        "Labels": {"theirs": "1", "chorus.services/role": "old"},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": "i", "Env": ["B=2", "A=1"], "Labels": {"l": "1"}, "Hosts": ["1.2.3.4 h"],
                "Mounts": [{"Type": "volume", "Source": "v", "Target": "/m1", "VolumeOptions": {"NoCopy": true}}],
                "Configs": [{"ConfigID": "config-id-1", "ConfigName": "config1", "Runtime": {}}],
                "Healthcheck": {"Test": ["CMD", "x"], "Interval": 1},
            },
            "Resources": {"Limits": {"Pids": 7}, "Reservations": {"GenericResources": [{"x": 1}]}},
            "Placement": {"MaxReplicas": 3, "Constraints": ["a==b"]},
            "Networks": [{"Target": "net-id-0", "Aliases": ["alias"]}, {"Target": "net-id-1"}],
            "LogDriver": {"Name": "json-file"}, "ForceUpdate": 5, "Runtime": "container",
        },
        "Mode": {"Replicated": {"Replicas": 1}},
        "UpdateConfig": {"Parallelism": 1, "Monitor": 9},
        "RollbackConfig": {"Parallelism": 2},
        "EndpointSpec": {"Mode": "dnsrr"},
    })
}

#[test]
fn what_is_written_is_understood_as_what_was_wanted() {
    let mut draw = Draw(SmallRng::seed_from_u64(1));
    let mut before = foreign();
    for round in 0..500 {
        let want = draw.service();
        assert_eq!(
            understand(&encode(&want, None, &ids())),
            want,
            "new, round {round}"
        );
        let over = encode(&want, Some(&before), &ids());
        assert_eq!(understand(&over), want, "over another, round {round}");
        assert_eq!(
            encode(&want, Some(&over), &ids()),
            over,
            "nothing differs, round {round}"
        );
        before = over;
    }
}

#[test]
fn what_is_not_ours_stays() {
    let theirs = [
        "/Labels/theirs",
        "/TaskTemplate/ContainerSpec/Labels",
        "/TaskTemplate/ContainerSpec/Hosts",
        "/TaskTemplate/Resources/Limits/Pids",
        "/TaskTemplate/Resources/Reservations/GenericResources",
        "/TaskTemplate/Placement/MaxReplicas",
        "/TaskTemplate/LogDriver",
        "/TaskTemplate/ForceUpdate",
        "/UpdateConfig/Monitor",
        "/RollbackConfig",
    ];
    let mut draw = Draw(SmallRng::seed_from_u64(2));
    for round in 0..200 {
        let after = encode(&draw.service(), Some(&foreign()), &ids());
        for path in theirs {
            assert_eq!(
                after.pointer(path),
                foreign().pointer(path),
                "{path}, round {round}"
            );
        }
        let configs = after["TaskTemplate"]["ContainerSpec"]["Configs"]
            .as_array()
            .unwrap();
        assert!(
            configs.iter().any(|config| config.get("Runtime").is_some()),
            "round {round}"
        );
    }
}

#[test]
fn an_entry_that_stays_keeps_what_others_added_to_it() {
    let mut want = understand(&foreign());
    want.networks = BTreeSet::from(["net0".to_owned(), "net2".to_owned()]);
    want.container.mounts[0].read_only = true;
    let after = encode(&want, Some(&foreign()), &ids());
    assert_eq!(
        after["TaskTemplate"]["Networks"],
        json!([{"Target": "net-id-0", "Aliases": ["alias"]}, {"Target": "net-id-2"}])
    );
    assert_eq!(
        after["TaskTemplate"]["ContainerSpec"]["Mounts"][0]["VolumeOptions"],
        json!({"NoCopy": true})
    );
}

#[test]
fn a_change_of_labels_leaves_the_task_template_alone() {
    let mut want = understand(&foreign());
    want.labels = BTreeMap::from([("chorus.services/role".into(), "new".into())]);
    let after = encode(&want, Some(&foreign()), &ids());
    assert_eq!(after["TaskTemplate"], foreign()["TaskTemplate"]);
    assert_eq!(
        after["Labels"],
        json!({"theirs": "1", "chorus.services/role": "new"})
    );
}

#[test]
fn a_service_that_is_let_go_loses_our_labels_and_nothing_else() {
    let mut expect = foreign();
    expect["Labels"] = json!({"theirs": "1"});
    assert_eq!(release(&foreign()), expect);
}

#[test]
fn a_task_is_current_as_long_as_the_engine_would_keep_it() {
    let service = foreign()["TaskTemplate"].clone();
    let mut task = service.clone();
    task.as_object_mut().unwrap().shift_remove("Runtime");
    task["Placement"] = json!({"Constraints": ["other"]});
    assert_eq!(template_print(&task), template_print(&service));
    for path in ["/ForceUpdate", "/ContainerSpec/Image", "/Networks/0/Target"] {
        let mut old = task.clone();
        *old.pointer_mut(path).unwrap() = json!("changed");
        assert_ne!(template_print(&old), template_print(&service), "{path}");
    }
}

#[test]
fn the_engines_defaults_are_understood() {
    let spec = understand(&json!({
        "Name": "s",
        "TaskTemplate": {"ContainerSpec": {"Image": "i", "Env": null}, "Networks": null},
        "Labels": null,
    }));
    assert!(spec.restart.always && spec.update.stop_first && spec.update.pause_on_failure && !spec.dnsrr);
    assert_eq!(spec.restart.delay, Duration::from_secs(5));
    assert_eq!(spec.container.stop_grace_period, Duration::from_secs(10));
    assert_eq!(spec.container.health_check, None);
}

#[test]
fn a_version_over_31_bits_and_unknown_words_are_read() {
    let service: wire::Service = serde_json::from_value(json!({
        "ID": "x", "Version": {"Index": u64::MAX}, "NewField": {}, "Spec": {"EndpointSpec": {"Mode": "quantum"}},
        "CreatedAt": "2026-11-21T00:57:15.239334658Z", "UpdateStatus": {"State": "novel"},
    }))
    .unwrap();
    assert_eq!(service.version.index, u64::MAX);
    assert_eq!(service.update.unwrap().state, "novel");
}
