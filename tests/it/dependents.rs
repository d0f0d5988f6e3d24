//! What names an owner goes with it, waits for it, or is left behind: as `--cascade` says, and whoever leads when it goes.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use whoosh::resource::names::MANAGER;
use whoosh::resource::{Key, Kind};
use whoosh::sim::{Settings, Simulation};
use whoosh::store::{Op, Store, Write};

use crate::harness::eventually::eventually;
use crate::harness::operator::Operator;
use crate::harness::postgres::{Database, database};

const PATIENCE: Duration = Duration::from_secs(60);

/// An operator on a simulated Swarm, with a team `boss`.
struct Stage {
    operator: Operator,
    database: Database,
    boss: String,
    _swarm: Simulation,
    _folder: TempDir,
}

fn team(name: &str, owners: &Value) -> Value {
    json!({"apiVersion": "chorus.services/v1", "kind": "Team",
           "metadata": {"name": name, "ownerReferences": owners},
           "spec": {"replicas": 1, "defaults": {"image": "chorus-agent:dev"}, "roles": [{"name": "lead"}]}})
}

fn template(name: &str, owners: &Value) -> Value {
    json!({"apiVersion": "chorus.services/v1", "kind": "AgentTemplate",
           "metadata": {"name": name, "ownerReferences": owners}, "spec": {"image": "chorus-agent:dev"}})
}

fn owned_by(name: &str, uid: &str) -> Value {
    json!({"apiVersion": "chorus.services/v1", "kind": "Team", "name": name, "uid": uid, "blockOwnerDeletion": true})
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let swarm = Simulation::start(&socket, Settings::default()).unwrap();
        let database = database().await;
        let operator = Operator::start_on(&socket, &database, &[]).await;
        let mut stage = Self {
            operator,
            database,
            boss: String::new(),
            _swarm: swarm,
            _folder: folder,
        };
        stage.boss = stage.declare(&team("boss", &json!([]))).await;
        stage
    }

    /// Applies an object; its uid.
    async fn declare(&self, object: &Value) -> String {
        self.operator.apply(&object.to_string(), &[]).await.ok();
        let kind = object["kind"].as_str().unwrap();
        let found = self
            .operator
            .get(&[kind, object["metadata"]["name"].as_str().unwrap()])
            .await;
        found["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    fn of_boss(&self) -> Value {
        json!([owned_by("boss", &self.boss)])
    }

    /// All teams and templates that are there, by name.
    async fn there(&self) -> Vec<String> {
        let all = self.operator.get(&["teams,agenttemplates"]).await;
        let items = all["items"].as_array().unwrap().iter();
        let mut names: Vec<String> = items
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    async fn until_there(&self, expected: &[&str]) {
        let what = format!("{expected:?} are there");
        eventually(PATIENCE, &what, async || {
            let there = self.there().await;
            (there == expected).then_some(()).ok_or(format!("{there:?}"))
        })
        .await;
    }

    async fn delete_boss(&self, cascade: &str) {
        let cascade = format!("--cascade={cascade}");
        let delete = ["delete", "team/boss", &cascade, "--wait=false"];
        self.operator.whoosh(&delete).await.ok();
    }
}

#[tokio::test]
async fn what_has_no_other_owner_goes_with_it() {
    let stage = Stage::new().await;
    let second = stage.declare(&team("second", &json!([]))).await;
    let worker = stage.declare(&team("worker", &stage.of_boss())).await;
    // What it owns in turn goes, too.
    stage
        .declare(&template("tools", &json!([owned_by("worker", &worker)])))
        .await;
    let both = json!([owned_by("boss", &stage.boss), owned_by("second", &second)]);
    stage.declare(&template("shared", &both)).await;
    stage.delete_boss("background").await;
    stage.until_there(&["second", "shared"]).await;

    eventually(PATIENCE, "the owner that went is forgotten", async || {
        let shared = stage.operator.get(&["agenttemplate", "shared"]).await;
        let owners = shared["metadata"]["ownerReferences"].clone();
        let is_left = owners == json!([owned_by("second", &second)]);
        is_left.then_some(()).ok_or(owners)
    })
    .await;
    eventually(PATIENCE, "why it went is told", async || {
        let events = ["events", "--for", "team/worker"];
        let events = stage.operator.whoosh(&events).await.ok();
        let is_told = events.contains("no owner of it is left: team/boss");
        is_told.then_some(()).ok_or(events)
    })
    .await;
    let history = ["history", "agenttemplate/tools"];
    let history = stage.operator.whoosh(&history).await.ok();
    assert!(history.contains("owner gone"), "{history}");
    // Nobody owns the reference that went with the owner, so that another one can be applied.
    let shown = ["agenttemplate", "shared", "--show-managed-fields"];
    let shared = stage.operator.get(&shown).await;
    let owners = shared["metadata"]["managedFields"].as_array().unwrap().iter();
    let owned: Vec<&Value> = owners
        .map(|owner| &owner["fieldsV1"]["f:metadata"]["f:ownerReferences"])
        .filter(|owned| !owned.is_null())
        .collect();
    let left = format!("k:{}", json!({"uid": second}));
    assert_eq!(owned, [&json!({left: {}})], "{shared}");
}

#[tokio::test]
async fn an_owner_waits_for_nobody_who_has_another_one() {
    let stage = Stage::new().await;
    let second = stage.declare(&team("second", &json!([]))).await;
    let both = json!([owned_by("boss", &stage.boss), owned_by("second", &second)]);
    stage.declare(&template("shared", &both)).await;
    stage.delete_boss("foreground").await;
    stage.until_there(&["second", "shared"]).await;
}

#[tokio::test]
async fn who_waits_in_vain_can_be_told_another_way() {
    for cascade in ["background", "orphan"] {
        let stage = Stage::new().await;
        let mut held = template("held", &stage.of_boss());
        held["metadata"]["finalizers"] = json!(["example.com/held"]);
        stage.declare(&held).await;
        stage.delete_boss("foreground").await;
        eventually(PATIENCE, "the boss waits", async || {
            let boss = stage.operator.get(&["team", "boss"]).await;
            let finalizers = boss["metadata"]["finalizers"].clone();
            (finalizers == json!(["foregroundDeletion"]))
                .then_some(())
                .ok_or(boss)
        })
        .await;
        let why = stage.operator.whoosh(&["why", "team/boss"]).await.ok();
        let waits = "until what names it as its owner, and blocks its end, is gone";
        assert!(why.contains(waits) && !why.contains("To do"), "{why}");
        stage.delete_boss(cascade).await;
        stage.until_there(&["held"]).await;
    }
}

#[tokio::test]
async fn an_owner_waits_in_the_foreground_for_who_blocks_it() {
    let stage = Stage::new().await;
    let mut held = template("held", &stage.of_boss());
    held["metadata"]["finalizers"] = json!(["example.com/held"]);
    stage.declare(&held).await;
    let mut free = template("free", &stage.of_boss());
    free["metadata"]["finalizers"] = json!(["example.com/held"]);
    free["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = json!(false);
    stage.declare(&free).await;
    stage.delete_boss("foreground").await;
    for name in ["held", "free"] {
        eventually(PATIENCE, "it is being deleted", async || {
            let object = stage.operator.get(&["agenttemplate", name]).await;
            let since = object["metadata"]["deletionTimestamp"].clone();
            since.is_string().then_some(()).ok_or(object)
        })
        .await;
    }
    eventually(PATIENCE, "the boss waits for it alone", async || {
        let boss = stage.operator.get(&["team", "boss"]).await;
        let finalizers = boss["metadata"]["finalizers"].clone();
        let waits = finalizers == json!(["foregroundDeletion"]);
        waits.then_some(()).ok_or(boss)
    })
    .await;
    let release = ["-p", r#"{"metadata": {"finalizers": null}}"#, "--type=merge"];
    let patch = |name| ["patch", "agenttemplate", name].into_iter().chain(release);
    let patched: Vec<&str> = patch("held").collect();
    stage.operator.whoosh(&patched).await.ok();
    stage.until_there(&["free"]).await;
    let patched: Vec<&str> = patch("free").collect();
    stage.operator.whoosh(&patched).await.ok();
    stage.until_there(&[]).await;
}

#[tokio::test]
async fn owners_that_go_round_in_a_circle_go_all_the_same() {
    for names in [vec!["boss"], vec!["boss", "b"], vec!["boss", "b", "c"]] {
        let stage = Stage::new().await;
        let mut owner = stage.boss.clone();
        for (last, name) in names.iter().zip(names.iter().skip(1)) {
            owner = stage.declare(&team(name, &json!([owned_by(last, &owner)]))).await;
        }
        let last = names.last().unwrap();
        stage
            .declare(&team("boss", &json!([owned_by(last, &owner)])))
            .await;
        stage.delete_boss("foreground").await;
        stage.until_there(&[]).await;
    }
}

#[tokio::test]
async fn orphans_stay_without_their_owner() {
    let stage = Stage::new().await;
    let worker = stage.declare(&team("worker", &stage.of_boss())).await;
    stage.declare(&template("tools", &stage.of_boss())).await;
    stage.delete_boss("orphan").await;
    stage.until_there(&["tools", "worker"]).await;
    for what in [["team", "worker"], ["agenttemplate", "tools"]] {
        let left = stage.operator.get(&what).await;
        assert_eq!(left["metadata"]["ownerReferences"], Value::Null, "{left}");
        assert_eq!(left["metadata"]["deletionTimestamp"], Value::Null, "{left}");
    }
    let left = stage.operator.get(&["team", "worker"]).await;
    assert_eq!(left["metadata"]["uid"], worker.as_str());

    // A template owns nothing that runs, and all the same leaves behind what names it.
    let tools = stage.operator.get(&["agenttemplate", "tools"]).await;
    let mut owner = owned_by("tools", tools["metadata"]["uid"].as_str().unwrap());
    owner["kind"] = json!("AgentTemplate");
    stage.declare(&template("copy", &json!([owner]))).await;
    let delete = ["delete", "agenttemplate/tools", "--cascade=orphan"];
    stage.operator.whoosh(&delete).await.ok();
    stage.until_there(&["copy", "worker"]).await;
    let copy = stage.operator.get(&["agenttemplate", "copy"]).await;
    assert_eq!(copy["metadata"]["ownerReferences"], Value::Null, "{copy}");
}

#[tokio::test]
async fn an_owner_that_nobody_saw_go_is_missed_by_who_leads_next() {
    let mut stage = Stage::new().await;
    stage.declare(&template("tools", &stage.of_boss())).await;
    stage.operator.kill();
    let store = Store::connect(&stage.database.url).await.unwrap();
    let key = Key::new(Kind::Team, "default", "boss");
    let boss = store.get(&key).await.unwrap().unwrap();
    let write = Write {
        op: Op::Remove {
            key,
            expected: boss.revision().unwrap(),
        },
        actor: MANAGER.to_owned(),
        reason: "test".to_owned(),
        epoch: None,
    };
    store.write(write).await.unwrap();
    stage.operator.start_again();
    stage.operator.until_ready().await;
    stage.until_there(&[]).await;
}

#[tokio::test]
async fn whoever_names_an_owner_that_is_not_there_is_told() {
    let stage = Stage::new().await;
    let stranger = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "y"}]);
    let told = stage
        .operator
        .apply(&template("tools", &stranger).to_string(), &[])
        .await;
    let why = "metadata.ownerReferences[0]: no Deployment of apps/v1 is kept here, so this object stays when it goes";
    assert!(told.err.contains(why), "{}", told.err);

    let absent = template("lost", &json!([owned_by("boss", "no-such-uid")]));
    let told = stage.operator.apply(&absent.to_string(), &[]).await;
    assert_eq!(told.code, 0, "{}", told.err);
    let why = "metadata.ownerReferences[0] is not there under this uid, and there is no other owner: \
               the object is deleted at once";
    assert!(told.err.contains(why), "{}", told.err);
    stage.until_there(&["boss", "tools"]).await;
}
