//! Actions: idempotent, refused with a reason, and never on what is not ours.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use whoosh::plan::Action;
use whoosh::plan::observed::Blob;
use whoosh::plan::service::{FileRef, MountSpec};
use whoosh::resource::names::label;
use whoosh::resource::policy::Rules;
use whoosh::resource::{Key, Kind, Object};
use whoosh::swarm::{ActError, Done, LogLine, LogOptions, LogSource, SecretsDir, Swarm, Want};

use super::proxy::{Fault, Proxy};
use super::stage::{PATIENCE, Stage, TUNING, host, hush, load_image};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;

#[tokio::test]
async fn what_was_done_already_is_not_done_again() {
    let (_, stage) = Stage::shared().await;
    let (name, labels) = (stage.network.clone(), stage.labels());
    let network = Action::CreateNetwork { name, labels };
    let Done::Created(id) = stage.act(&network).await.unwrap() else {
        panic!("made")
    };
    assert_eq!(stage.act(&network).await.unwrap(), Done::AlreadyThere(id.clone()));
    let capacity = stage.observe().await.networks[&stage.network].capacity;
    assert!(capacity >= 1000, "{capacity} addresses");

    let Done::Created(service) = stage.create(stage.spec(1)).await.unwrap() else {
        panic!("made")
    };
    assert_eq!(
        stage.create(stage.spec(1)).await.unwrap(),
        Done::AlreadyThere(service.clone())
    );

    let in_use = stage
        .act(&Action::RemoveNetwork {
            id: id.clone(),
            name: stage.network.clone(),
        })
        .await;
    assert!(matches!(in_use, Err(ActError::InUse { .. })), "{in_use:?}");

    let uid = stage.uid().to_owned();
    let remove = Action::RemoveService {
        id: service,
        name: stage.spec(1).name,
        uid,
    };
    assert_eq!(stage.act(&remove).await.unwrap(), Done::Removed);
    assert_eq!(stage.act(&remove).await.unwrap(), Done::AlreadyGone);
    stage.clear().await;
    let gone = Action::RemoveNetwork {
        id,
        name: stage.network.clone(),
    };
    assert_eq!(stage.act(&gone).await.unwrap(), Done::AlreadyGone);
}

/// Neither what somebody else made, nor what was made for another owner that had this name.
#[tokio::test]
async fn what_is_not_ours_is_never_touched() {
    let (engine, stage) = Stage::shared().await;
    stage.create_network().await;
    let mut former = stage.labels();
    former.insert(label::UID.to_owned(), "uid-0".to_owned());
    for labels in [BTreeMap::new(), former] {
        assert_service_is_left_alone(engine, &stage, &labels).await;
    }

    let name = format!("{}_theirs", stage.network);
    let network = engine
        .docker(&["network", "create", "--driver", "overlay", &name])
        .await;
    let changes = stage.swarm.calls().mutations();
    let answer = stage
        .act(&Action::RemoveNetwork {
            id: network.clone(),
            name: String::new(),
        })
        .await;
    assert!(matches!(answer, Err(ActError::Conflict { .. })), "{answer:?}");
    let labels = stage.labels();
    let answer = stage.act(&Action::CreateNetwork { name, labels }).await;
    assert!(matches!(answer, Err(ActError::NameTaken { .. })), "{answer:?}");
    assert_eq!(stage.swarm.calls().mutations(), changes, "nothing was sent");
    engine.docker(&["network", "rm", &network]).await;
    stage.clear().await;
}

/// Checks that a service of these labels, of the name of one of the owner's, is neither taken over nor changed.
async fn assert_service_is_left_alone(engine: &Engine, stage: &Stage, labels: &BTreeMap<String, String>) {
    let spec = stage.spec(1);
    let foreign = [
        "service",
        "create",
        "--detach",
        "--quiet",
        "--no-resolve-image",
        "--endpoint-mode",
        "dnsrr",
    ];
    let labels: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("--label={key}={value}"))
        .collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let args = ["--name", &spec.name, super::stage::IMAGE, "-c", "exit 0"];
    let id = engine.docker(&[&foreign[..], &labels, &args].concat()).await;
    let declared = ["service", "inspect", "--format", "{{json .Spec}}", &id];
    let before = engine.docker(&declared).await;
    let changes = stage.swarm.calls().mutations();

    let (name, uid) = (spec.name.clone(), stage.uid().to_owned());
    let create = stage.create(spec.clone()).await;
    assert!(matches!(create, Err(ActError::NameTaken { .. })), "{create:?}");
    let version = engine
        .docker(&["service", "inspect", "--format", "{{.Version.Index}}", &id])
        .await;
    let version = version.parse().unwrap();
    let spec = Box::new(spec);
    for action in [
        Action::UpdateService {
            id: id.clone(),
            version,
            uid: uid.clone(),
            spec,
        },
        Action::ReleaseService {
            id: id.clone(),
            version,
            name: name.clone(),
            uid: uid.clone(),
        },
        Action::RemoveService {
            id: id.clone(),
            name,
            uid,
        },
    ] {
        let answer = stage.act(&action).await;
        assert!(
            matches!(answer, Err(ActError::Conflict { .. })),
            "{labels:?}: {action:?}: {answer:?}"
        );
    }
    assert_eq!(
        stage.swarm.calls().mutations(),
        changes + 1,
        "only the create was sent"
    );
    assert_eq!(engine.docker(&declared).await, before);
    engine.docker(&["service", "rm", &id]).await;
}

/// Two installations on one Swarm: names, and by chance even uids, are the same, and yet each has its own.
#[tokio::test]
async fn what_another_installation_made_is_never_touched() {
    let engine = Engine::shared().await;
    load_image(engine).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("default")).unwrap();
    std::fs::write(folder.path().join("default/token"), "hush").unwrap();
    let secrets = SecretsDir::new(Some(folder.path().to_owned()));
    let theirs = Stage::new(&host(engine), TUNING, secrets.clone()).await;
    let mut ours = Stage::new(&host(engine), TUNING, secrets).await;
    ours.owner = theirs.owner.clone();
    let create = |stage: &Stage| {
        let (name, labels) = (format!("{}_blob", theirs.network), stage.labels());
        let mut spec = theirs.spec(1);
        spec.labels = labels.clone();
        let network = Action::CreateNetwork {
            name: theirs.network.clone(),
            labels: labels.clone(),
        };
        let secret = Action::CreateSecret {
            name: name.clone(),
            source: hush(),
            labels: labels.clone(),
        };
        let data = "be kind".to_owned();
        let config = Action::CreateConfig { name, data, labels };
        let spec = Box::new(spec);
        [network, secret, config, Action::CreateService { spec }]
    };
    for action in create(&theirs) {
        theirs.act(&action).await.unwrap();
    }
    // The managers write to a service until it has its addresses.
    theirs.until_running().await;
    let mut want = Want::own(&theirs.owner);
    want.tasks = false;
    let before = theirs.cache.observe(&want).await.unwrap();

    for action in create(&ours) {
        let answer = ours.act(&action).await;
        assert!(
            matches!(answer, Err(ActError::NameTaken { .. })),
            "{action:?}: {answer:?}"
        );
    }
    let live = before.services.values().next().unwrap();
    let (id, version, uid) = (live.id.clone(), live.version, ours.uid().to_owned());
    let name = live.spec.name.clone();
    let network = before.networks[&theirs.network].id.clone();
    let blob_id = |blobs: &BTreeMap<String, Blob>| blobs[&format!("{}_blob", theirs.network)].id.clone();
    let none = String::new;
    for action in [
        Action::UpdateService {
            id: id.clone(),
            version,
            uid: uid.clone(),
            spec: Box::new(ours.spec(1)),
        },
        Action::ReleaseService {
            id: id.clone(),
            version,
            name: name.clone(),
            uid: uid.clone(),
        },
        Action::RemoveService { id, name, uid },
        Action::RemoveNetwork {
            id: network,
            name: none(),
        },
        Action::RemoveSecret {
            id: blob_id(&before.secrets),
            name: none(),
            users: BTreeSet::new(),
        },
        Action::RemoveConfig {
            id: blob_id(&before.configs),
            name: none(),
            users: BTreeSet::new(),
        },
    ] {
        let answer = ours.act(&action).await;
        assert!(
            matches!(answer, Err(ActError::Conflict { .. })),
            "{action:?}: {answer:?}"
        );
    }
    let mut spec = ours.spec(2);
    spec.container.secrets.push(FileRef {
        source: format!("{}_blob", theirs.network),
        path: "token".into(),
    });
    let error = ours.create(spec).await.unwrap_err().to_string();
    assert!(error.contains("not ours"), "{error}");

    theirs.cache.invalidate(&theirs.owner);
    let after = theirs.cache.observe(&want).await.unwrap();
    assert_eq!(after, before);
    theirs.clear().await;
}

#[tokio::test]
async fn a_stale_plan_is_a_conflict_and_a_released_service_runs_on() {
    let (engine, stage) = Stage::shared().await;
    stage.create_network().await;
    let mut spec = stage.spec(1);
    stage.create(spec.clone()).await.unwrap();
    stage.until_running().await;
    let stale = stage.service(&spec.name).await;
    engine
        .docker(&[
            "service",
            "update",
            "--detach",
            "--label-add",
            "theirs=1",
            &spec.name,
        ])
        .await;
    spec.container.env.insert("A".into(), "1".into());
    let (name, uid) = (spec.name.clone(), stage.uid().to_owned());
    let (id, version) = (stale.id.clone(), stale.version);
    let update = Action::UpdateService {
        id: id.clone(),
        version,
        uid: uid.clone(),
        spec: Box::new(spec),
    };
    let answer = stage.act(&update).await;
    assert!(matches!(answer, Err(ActError::Conflict { .. })), "{answer:?}");

    let live = stage.service(&name).await;
    let task = live.tasks.unwrap()[0].id.clone();
    let version = live.version;
    let release = Action::ReleaseService {
        id: id.clone(),
        version,
        name: name.clone(),
        uid,
    };
    assert_eq!(stage.act(&release).await.unwrap(), Done::Updated);
    assert!(stage.observe().await.services.is_empty());
    let labels = engine
        .docker(&["service", "inspect", "--format", "{{.Spec.Labels}}", &id])
        .await;
    assert_eq!(labels, "map[theirs:1]");
    assert_eq!(
        engine
            .docker(&["service", "ps", "--quiet", "--no-trunc", &id])
            .await,
        task
    );
    engine.docker(&["service", "rm", &id]).await;
    eventually(PATIENCE, "the network is free", async || {
        let network = stage.observe().await.networks.remove(&stage.network).unwrap();
        stage
            .act(&Action::RemoveNetwork {
                id: network.id,
                name: stage.network.clone(),
            })
            .await
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_the_reason() {
    let (_, stage) = Stage::shared().await;
    let base = stage.spec(1);
    let mut bind = base.clone();
    bind.container.mounts.push(MountSpec {
        target: "/host".into(),
        mount_type: "bind".into(),
        source: "/".into(),
        read_only: true,
    });
    let mut capability = base.clone();
    capability.container.capabilities.insert("SYS_ADMIN".into());
    let mut host_network = base.clone();
    host_network.networks.insert("host".into());
    let mut constraint = base.clone();
    constraint.constraints = vec!["gibberish".into()];
    constraint.networks = BTreeSet::new();
    let mut secret = base.clone();
    secret.container.secrets.push(FileRef {
        source: "no-such-secret".into(),
        path: "x".into(),
    });
    for (spec, expect) in [
        (
            bind,
            "refused: mounts: mounts / of its node, which leads to the Docker socket",
        ),
        (
            capability,
            "refused: host.capabilities: adds the capability SYS_ADMIN",
        ),
        (host_network, "refused: the network host is the engine's own"),
        (constraint, "refused: constraint expected one operator"),
        (secret, "no-such-secret is not in the Swarm"),
        (base, "network stage"),
    ] {
        let error = stage.create(spec).await.unwrap_err();
        assert!(error.to_string().contains(expect), "{error}: {expect}");
        assert!(
            matches!(
                error,
                ActError::Refused { .. } | ActError::Denied { .. } | ActError::NotFound { .. }
            ),
            "{error:?}"
        );
    }
    let mut volume = stage.spec(1);
    volume.container.mounts.push(MountSpec {
        target: "/cache".into(),
        mount_type: "volume".into(),
        source: "others-cache".into(),
        read_only: true,
    });
    let policy = Key::new(Kind::Policy, "default", "own");
    let policy = Object::new(&policy, json!({"allow": {"volumes": ["own-*"]}}));
    let create = Action::CreateService {
        spec: Box::new(volume),
    };
    let rules = Rules::of([&policy]);
    let error = stage
        .swarm
        .act(&create, &stage.instance, &stage.secrets, &rules)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("mounts the volume others-cache of its node"),
        "{error}"
    );
    let (name, uid) = ("x".to_owned(), "u".to_owned());
    let hostile = Action::RemoveService {
        id: "../networks/x?".to_owned(),
        name,
        uid,
    };
    let error = stage.act(&hostile).await.unwrap_err();
    assert!(error.to_string().contains("is no engine id"), "{error}");
}

/// The engine accepts overlapping blocks and never gives the second network its addresses; several operators
/// that choose at the same time must all end with a network that works.
#[tokio::test]
async fn networks_made_at_the_same_time_all_get_addresses() {
    let (engine, stage) = Stage::shared().await;
    let operators: Vec<Swarm> = (0..4).map(|_| Swarm::connect(&host(engine)).unwrap()).collect();
    let create = |(number, swarm): (usize, Swarm)| {
        let (name, labels) = (format!("{}_{number}", stage.network), stage.labels());
        let (instance, secrets) = (&stage.instance, &stage.secrets);
        async move {
            swarm
                .act(
                    &Action::CreateNetwork { name, labels },
                    instance,
                    secrets,
                    &Rules::default(),
                )
                .await
        }
    };
    let made: Vec<Done> = futures::stream::iter(operators.into_iter().enumerate())
        .map(create)
        .buffer_unordered(4)
        .try_collect()
        .await
        .unwrap();
    assert!(
        made.iter().all(|done| matches!(done, Done::Created(_))),
        "{made:?}"
    );
    stage.cache.invalidate(&stage.owner);
    let networks = stage.observe().await.networks;
    assert_eq!(networks.len(), 4, "{networks:?}");
    assert!(
        networks.values().all(|network| network.capacity >= 1000),
        "{networks:?}"
    );
    let mut subnets = BTreeSet::new();
    for name in networks.keys() {
        let format = "{{(index .IPAM.Config 0).Subnet}}";
        subnets.insert(
            engine
                .docker(&["network", "inspect", "--format", format, name])
                .await,
        );
    }
    assert_eq!(subnets.len(), 4, "{subnets:?}");
    stage.clear().await;
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_found_and_not_repeated() {
    let (engine, stage) = Stage::shared().await;
    stage.create_network().await;
    let proxy = Proxy::start(engine.socket()).await;
    let swarm = Swarm::connect(&proxy.host()).unwrap();
    swarm.ping().await.unwrap();
    proxy.inject(Fault::LoseAnswerTo("/services/create"));
    let create = Action::CreateService {
        spec: Box::new(stage.spec(1)),
    };
    let done = swarm
        .act(&create, &stage.instance, &stage.secrets, &Rules::default())
        .await
        .unwrap();
    assert!(matches!(done, Done::AlreadyThere(_)), "{done:?}");
    assert_eq!(swarm.calls().by_route["POST /services/create"], 1);

    stage.cache.invalidate(&stage.owner);
    let live = stage.service(&stage.spec(1).name).await;
    let mut spec = stage.spec(1);
    spec.labels
        .insert("chorus.services/generation".into(), "2".into());
    let (id, version, uid) = (live.id, live.version, stage.uid().to_owned());
    proxy.inject(Fault::LoseAnswerTo("/update"));
    let update = Action::UpdateService {
        id: id.clone(),
        version,
        uid: uid.clone(),
        spec: Box::new(spec),
    };
    assert_eq!(
        swarm
            .act(&update, &stage.instance, &stage.secrets, &Rules::default())
            .await
            .unwrap(),
        Done::Updated
    );
    assert_eq!(swarm.calls().by_route["POST /services/{id}/update"], 1);

    proxy.inject(Fault::Refuse);
    let name = stage.spec(1).name;
    let remove = Action::RemoveService { id, name, uid };
    let error = swarm
        .act(&remove, &stage.instance, &stage.secrets, &Rules::default())
        .await
        .unwrap_err();
    assert!(matches!(error, ActError::Unavailable { .. }), "{error:?}");
    stage.cache.invalidate(&stage.owner);
    stage.clear().await;
}

#[tokio::test]
async fn logs_are_lines() {
    let (_, stage) = Stage::shared().await;
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    let id = stage.service(&stage.spec(1).name).await.id;
    let options = LogOptions {
        follow: false,
        tail: Some(10),
        since: 0,
        timestamps: false,
    };
    let read = async |options: &LogOptions| -> Vec<LogLine> {
        stage.swarm.logs(&id, options).try_collect().await.unwrap()
    };
    let line = |source, text: &str| LogLine {
        source,
        text: text.to_owned(),
    };
    let expect = BTreeSet::from(["Stderr err".to_owned(), "Stdout out".to_owned()]);
    eventually(PATIENCE, "both lines are there", async || {
        let lines = read(&options).await;
        let found: BTreeSet<String> = lines
            .iter()
            .map(|line| format!("{:?} {}", line.source, line.text))
            .collect();
        if found == expect {
            Ok(())
        } else {
            Err(format!("{lines:?}"))
        }
    })
    .await;
    let stamped = read(&LogOptions {
        timestamps: true,
        ..options.clone()
    })
    .await;
    assert!(
        stamped.iter().all(|line| line.text.starts_with("20")),
        "{stamped:?}"
    );
    let follow = LogOptions {
        follow: true,
        ..options
    };
    let mut lines = std::pin::pin!(stage.swarm.logs(&id, &follow));
    let first = lines.next().await.unwrap().unwrap();
    assert!(
        [line(LogSource::Stdout, "out"), line(LogSource::Stderr, "err")].contains(&first),
        "{first:?}"
    );
    let none = stage
        .swarm
        .logs("nosuchservice", &follow)
        .try_collect::<Vec<_>>()
        .await;
    assert!(none.unwrap_err().to_string().contains("not found"));
    stage.clear().await;
}
