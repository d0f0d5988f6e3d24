//! What is written to the engine is what is read back: no drift where there is none.

use std::collections::BTreeMap;
use std::time::Duration;

use whoosh::plan::Action;
use whoosh::plan::observed::{Image, Task, TaskState};
use whoosh::plan::service::{FileRef, MountSpec, ServiceSpec};
use whoosh::resource::workload::{Amount, DesiredHealthCheck};
use whoosh::swarm::{ActError, Done, SecretsDir, Want};

use super::stage::{IMAGE, PATIENCE, Stage, TUNING, host, hush, load_image};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;

/// Every field set to something that is not its default.
fn full(stage: &Stage) -> ServiceSpec {
    let mut spec = stage.spec(1);
    let container = &mut spec.container;
    container.command = vec!["/chorus-agent".to_owned()];
    container.env = BTreeMap::from([("A".into(), "1 = 2".into()), ("EMPTY".into(), String::new())]);
    container.user = "1000:1000".to_owned();
    container.mounts = vec![
        mount("/scratch", "tmpfs", "", false),
        mount("/data", "volume", "vol", true),
    ];
    container.secrets = vec![file("sec", "token"), file("sec", "/elsewhere/token")];
    container.configs = vec![file("conf", "/etc/conf.yaml")];
    container.health_check = Some(DesiredHealthCheck {
        command: vec!["/chorus-agent".into(), "-c".into(), "true".into()],
        interval: Duration::from_millis(1500),
        timeout: Duration::from_secs(3),
        start_period: Duration::from_secs(60),
        retries: 7,
    });
    container.stop_grace_period = Duration::from_millis(2500);
    container.read_only = true;
    container.init = Some(false);
    spec.limits = Amount {
        nano_cpus: 500_000_000,
        memory_bytes: 64 << 20,
    };
    spec.reservations = Amount {
        nano_cpus: 10_000_000,
        memory_bytes: 8 << 20,
    };
    spec.constraints = vec!["node.platform.os==linux".into(), "node.labels.none != x".into()];
    spec.preferences = vec!["node.labels.zone".into(), "node.labels.rack".into()];
    spec.restart.max_attempts = 4;
    spec.restart.window = Duration::from_secs(30);
    spec.update.parallelism = 2;
    spec.update.stop_first = false;
    spec.labels
        .insert("com.docker.stack.namespace".into(), "a_stack".into());
    spec
}

fn mount(target: &str, mount_type: &str, source: &str, read_only: bool) -> MountSpec {
    MountSpec {
        target: target.to_owned(),
        mount_type: mount_type.to_owned(),
        source: source.to_owned(),
        read_only,
    }
}

fn file(name: &str, path: &str) -> FileRef {
    FileRef {
        source: name.to_owned(),
        path: path.to_owned(),
    }
}

#[tokio::test]
async fn a_service_is_read_back_as_it_was_written() {
    let engine = Engine::shared().await;
    load_image(engine).await;
    write_and_read_back(&host(engine)).await;
}

/// Makes a service with all that it can have at an engine, takes everything off, and puts it on again.
pub(crate) async fn write_and_read_back(host: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("default")).unwrap();
    std::fs::write(folder.path().join("default/token"), "hush").unwrap();
    let secrets = SecretsDir::new(Some(folder.path().to_owned()));
    let stage = Stage::new(host, TUNING, secrets).await;
    stage.create_network().await;
    let (secret, config) = (
        format!("{}_sec", stage.network),
        format!("{}_conf", stage.network),
    );
    let (source, labels) = (hush(), stage.labels());
    let action = Action::CreateSecret {
        name: secret.clone(),
        source,
        labels: labels.clone(),
    };
    let file = folder.path().join("default/token");
    std::fs::write(&file, "changed after the plan was made").unwrap();
    let refused = stage.act(&action).await;
    assert!(matches!(refused, Err(ActError::Conflict { .. })), "{refused:?}");
    std::fs::write(&file, "hush").unwrap();
    assert!(matches!(stage.act(&action).await.unwrap(), Done::Created(_)));
    assert!(matches!(stage.act(&action).await.unwrap(), Done::AlreadyThere(_)));
    let action = Action::CreateConfig {
        name: config.clone(),
        data: "a: 1".into(),
        labels,
    };
    assert!(matches!(stage.act(&action).await.unwrap(), Done::Created(_)));
    assert!(matches!(stage.act(&action).await.unwrap(), Done::AlreadyThere(_)));

    let mut want = full(&stage);
    want.container
        .secrets
        .iter_mut()
        .for_each(|file| file.source.clone_from(&secret));
    want.container
        .configs
        .iter_mut()
        .for_each(|file| file.source.clone_from(&config));
    assert!(matches!(
        stage.create(want.clone()).await.unwrap(),
        Done::Created(_)
    ));
    let observed = stage.observe().await;
    assert_eq!(observed.services[&want.name].spec, want, "created");
    assert!(observed.networks[&stage.network].in_use.own.contains(&want.name));
    assert!(observed.secrets[&secret].in_use.contains(&want.name));
    assert!(observed.configs[&config].in_use.contains(&want.name));

    assert_eq!(stage.update(want.clone()).await.unwrap(), Done::Unchanged);
    let plain = stage.spec(1);
    assert_eq!(stage.update(plain.clone()).await.unwrap(), Done::Updated);
    assert_eq!(
        stage.service(&want.name).await.spec,
        plain,
        "everything taken off"
    );
    assert_eq!(stage.update(want.clone()).await.unwrap(), Done::Updated);
    assert_eq!(
        stage.service(&want.name).await.spec,
        want,
        "everything put on again"
    );
    stage.clear().await;
}

#[tokio::test]
async fn what_others_set_outlives_our_updates() {
    let (engine, stage) = Stage::shared().await;
    stage.create_network().await;
    let mut want = stage.spec(1);
    stage.create(want.clone()).await.unwrap();
    let theirs = [
        "service",
        "update",
        "--detach",
        "--label-add",
        "theirs=1",
        "--container-label-add",
        "inner=2",
    ];
    let more = [
        "--limit-pids",
        "99",
        "--hostname",
        "custom",
        "--log-driver",
        "json-file",
        &want.name,
    ];
    engine.docker(&[&theirs[..], &more[..]].concat()).await;
    engine
        .docker(&["service", "update", "--detach", "--force", &want.name])
        .await;
    stage.cache.invalidate(&stage.owner);
    assert_eq!(stage.service(&want.name).await.spec, want, "none of it is drift");

    want.container.env.insert("NEW".into(), "1".into());
    want.limits.memory_bytes = 64 << 20;
    assert_eq!(stage.update(want.clone()).await.unwrap(), Done::Updated);
    let live = stage.service(&want.name).await;
    assert_eq!(live.spec, want);
    let format = "{{.Spec.Labels.theirs}} {{with .Spec.TaskTemplate}}{{.ContainerSpec.Labels}} \
                  {{.ContainerSpec.Hostname}} {{.Resources.Limits.Pids}} {{.LogDriver.Name}} {{.ForceUpdate}}{{end}}";
    let kept = engine
        .docker(&["service", "inspect", "--format", format, &want.name])
        .await;
    assert_eq!(kept, "1 map[inner:2] custom 99 json-file 1");
    stage.clear().await;
}

#[tokio::test]
async fn a_task_is_current_as_long_as_it_runs_what_its_service_says() {
    let (engine, stage) = Stage::shared().await;
    stage.create_network().await;
    let mut want = stage.spec(1);
    stage.create(want.clone()).await.unwrap();
    stage.until_running().await;
    let tasks = || async { stage.service(&stage.spec(1).name).await.tasks.unwrap() };
    let first = tasks().await;
    assert_eq!(first.len(), 1);
    assert!(first[0].current && first[0].container.is_some() && first[0].node.is_some());
    assert!(
        first[0].address.as_deref().unwrap().starts_with("10."),
        "{first:?}"
    );

    want.labels
        .insert("chorus.services/generation".into(), "2".into());
    want.constraints = vec!["node.platform.os==linux".into()];
    assert_eq!(stage.update(want.clone()).await.unwrap(), Done::Updated);
    let same = tasks().await;
    assert_eq!(
        (same.len(), same[0].current),
        (1, true),
        "labels and constraints replace no task"
    );

    for change in ["--force", "--env-add=X=1"] {
        let newest = tasks().await[0].id.clone();
        engine
            .docker(&["service", "update", "--detach", change, &want.name])
            .await;
        stage.cache.invalidate(&stage.owner);
        let all = tasks().await;
        let old: Vec<&Task> = all.iter().filter(|task| task.id == newest).collect();
        assert!(!old[0].current, "{change} makes {newest} old at once: {all:?}");
        stage.until_running().await;
        assert_ne!(tasks().await[0].id, newest, "{change}: the newest is first");
    }

    let before = stage.service(&want.name).await;
    let (id, name, uid) = (before.id, want.name.clone(), stage.uid().to_owned());
    assert_eq!(
        stage.act(&Action::RemoveService { id, name, uid }).await.unwrap(),
        Done::Removed
    );
    let observed = stage.observe().await;
    assert!(observed.services.is_empty());
    assert!(!observed.leftover_tasks.is_empty(), "the container still stops");
    stage.clear().await;
}

#[tokio::test]
async fn a_container_that_ends_is_told_with_its_exit_code() {
    let (_, stage) = Stage::shared().await;
    stage.create_network().await;
    let mut want = stage.spec(1);
    want.container.args = vec!["-c".into(), "exit 3".into()];
    stage.create(want.clone()).await.unwrap();
    stage.cache.settling(&stage.owner, true);
    let failed = eventually(PATIENCE, "a task has failed", async || {
        let tasks = stage.service(&want.name).await.tasks.unwrap();
        tasks
            .iter()
            .find(|task| task.state == TaskState::Failed)
            .cloned()
            .ok_or(format!("{tasks:?}"))
    })
    .await;
    assert_eq!(
        (failed.exit_code, failed.error.is_some()),
        (Some(3), true),
        "{failed:?}"
    );
    let mut nowhere = stage.spec(2);
    nowhere.constraints = vec!["node.labels.gpu==true".into()];
    stage.create(nowhere.clone()).await.unwrap();
    eventually(PATIENCE, "the engine says why nothing fits", async || {
        let tasks = stage.service(&nowhere.name).await.tasks.unwrap();
        let told = tasks.iter().any(|task| {
            task.state == TaskState::Pending
                && task
                    .error
                    .as_ref()
                    .is_some_and(|error| error.contains("constraints"))
        });
        if told { Ok(()) } else { Err(format!("{tasks:?}")) }
    })
    .await;
    stage.clear().await;
}

#[tokio::test]
async fn a_local_image_is_known_without_a_registry() {
    let (_, stage) = Stage::shared().await;
    let mut want = Want::own(&stage.owner);
    let pinned = format!("a@sha256:{}", "0".repeat(64));
    want.images
        .extend([IMAGE.to_owned(), "nowhere:1".to_owned(), pinned.clone()]);
    let images = stage.cache.observe(&want).await.unwrap().images;
    assert_eq!(images[IMAGE], Image::Local);
    assert_eq!(images[&pinned], Image::Resolved(pinned));
    assert!(
        matches!(&images["nowhere:1"], Image::Unknown { why } if !why.is_empty()),
        "{images:?}"
    );
    let asked = stage.swarm.calls().by_route["GET /distribution/{id}/json"];
    stage.cache.observe(&want).await.unwrap();
    assert_eq!(
        stage.swarm.calls().by_route["GET /distribution/{id}/json"],
        asked,
        "answers are remembered"
    );
    assert_eq!(asked, 1, "a registry is asked for what is not here alone");
}

#[tokio::test]
async fn a_secret_is_told_by_a_print_of_its_content() {
    let engine = Engine::shared().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("default")).unwrap();
    std::fs::write(folder.path().join("default/token"), "hush").unwrap();
    let secrets = SecretsDir::new(Some(folder.path().to_owned()));
    let stage = Stage::new(&host(engine), TUNING, secrets).await;
    let mut want = Want::own(&stage.owner);
    want.secrets.extend(["token".to_owned(), "missing".to_owned()]);
    let print = |observed: &whoosh::plan::Observed| observed.secret_sources.clone();
    let before = print(&stage.cache.observe(&want).await.unwrap());
    assert_eq!(before.keys().collect::<Vec<_>>(), ["token"]);
    std::fs::write(folder.path().join("default/token"), "hush!").unwrap();
    assert_ne!(print(&stage.cache.observe(&want).await.unwrap()), before);
}
