//! What is done to bring a workload about.

use std::time::Duration;

use super::world::{INSTANCE, World, file, owner};
use crate::plan::action::Action;
use crate::plan::preview;
use crate::resource::agent_spec::{Mount, MountType};
use crate::resource::names::label;
use crate::resource::workload::{Amount, DesiredHealthCheck};

#[test]
fn an_empty_swarm_gets_the_network_and_then_an_agent_a_slot() {
    let mut world = World::new("coordinator reviewer=2");
    world.check(&[
        "1 + network chorus_net",
        "2 + service coordinator_1",
        "2 + service reviewer_1",
        "2 + service reviewer_2",
    ]);
    assert_eq!(world.converge(), 1);
    world.check(&[]);
}

#[test]
fn an_agent_knows_who_it_is() {
    let mut world = World::settled("reviewer=2");
    world.workload.owner.generation = 7;
    let spec = world.spec("reviewer.2").clone();
    let name = "team_default_payments_reviewer_2";
    let expected = [
        ("CHORUS_AGENT_ID", name),
        ("CHORUS_AGENT_NAME", "team.payments.reviewer.2"),
        ("CHORUS_OWNER_UID", "uid-1"),
        ("CHORUS_SLOT", "2"),
        ("RUST_LOG", "info"),
    ];
    let env: Vec<_> = spec
        .container
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(env, expected);
    let mut labels = spec.labels;
    assert_eq!(labels.remove(label::SPEC_HASH).map(|hash| hash.len()), Some(16));
    let labels: Vec<_> = labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        labels,
        [
            ("chorus.services/generation", "1"),
            ("chorus.services/image", "agent:dev"),
            ("chorus.services/instance", INSTANCE),
            ("chorus.services/kind", "team"),
            ("chorus.services/managed-by", "whoosh"),
            ("chorus.services/name", "payments"),
            ("chorus.services/namespace", "default"),
            ("chorus.services/role", "reviewer"),
            ("chorus.services/slot", "2"),
            ("chorus.services/uid", "uid-1"),
            ("com.docker.stack.namespace", "team_default_payments"),
        ]
    );
    world.check(&[]);
}

/// Edits a settled `writer reviewer` team, compares the plan, and brings it about.
#[track_caller]
fn check(edit: impl FnOnce(&mut World), expected: &[&str]) {
    let mut world = World::settled("writer reviewer");
    world.workload.owner.generation = 2;
    edit(&mut world);
    world.check(expected);
    world.converge();
    assert!(world.plan().is_empty());
}

#[test]
fn an_edit_touches_the_agents_that_it_concerns() {
    check(|_| {}, &[]);
    check(
        |world| drop(world.agent("writer").env.insert("A".into(), "1".into())),
        &["1 +/- service writer_1: container.env.A"],
    );
    check(
        |world| world.role("writer").replicas = 2,
        &["1 + service writer_2"],
    );
    check(
        |world| world.workload.network = "other_net".into(),
        &[
            "1 + network other_net",
            "2 +/- service writer_1: networks",
            "- +/- service reviewer_1: networks",
        ],
    );
    check(
        |world| world.agent("writer").networks = vec!["data_net".into()],
        &["1 + network data_net", "2 +/- service writer_1: networks"],
    );
}

#[test]
fn each_field_is_compared_and_told_by_how_deep_it_cuts() {
    let one = |edit: fn(&mut World), expected: &str| check(edit, &[expected]);
    let agent = |edit: fn(&mut crate::resource::workload::DesiredAgent), field: &str| {
        check(|world| edit(world.agent("writer")), &[&format!("1 {field}")]);
    };
    agent(
        |agent| agent.command = vec!["run".into()],
        "+/- service writer_1: container.command",
    );
    agent(
        |agent| agent.args = vec!["-v".into()],
        "+/- service writer_1: container.args",
    );
    agent(
        |agent| agent.user = Some("1000".into()),
        "+/- service writer_1: container.user",
    );
    agent(
        |agent| agent.stop_grace_period = Duration::from_secs(30),
        "+/- service writer_1: container.stopGracePeriod",
    );
    agent(
        |agent| {
            agent.limits = Amount {
                nano_cpus: 1,
                memory_bytes: 2,
            }
        },
        "+/- service writer_1: resources.limits.cpu, resources.limits.memory",
    );
    agent(
        |agent| agent.reservations.nano_cpus = 1,
        "+/- service writer_1: resources.requests.cpu",
    );
    agent(
        |agent| agent.constraints = vec!["node.role==worker".into()],
        "+/- service writer_1: placement.constraints",
    );
    agent(
        |agent| agent.preferences = vec!["node.labels.zone".into()],
        "~ service writer_1: placement.preferences",
    );
    agent(
        |agent| {
            agent.mounts = vec![Mount {
                target: "/data".into(),
                mount_type: MountType::Volume,
                source: Some("data".into()),
                read_only: false,
            }]
        },
        "+/- service writer_1: container.mounts./data",
    );
    agent(
        |agent| {
            agent.health_check = Some(DesiredHealthCheck {
                command: vec!["ok".into()],
                interval: Duration::ZERO,
                timeout: Duration::ZERO,
                start_period: Duration::ZERO,
                retries: 0,
            })
        },
        "+/- service writer_1: container.healthCheck",
    );
    one(
        |world| world.spec("writer.1").replicas = 3,
        "1 ~ service writer_1: replicas (drift)",
    );
    one(
        |world| world.spec("writer.1").dnsrr = false,
        "1 +/- service writer_1: endpoint.dnsrr (drift)",
    );
    one(
        |world| world.spec("writer.1").restart.max_attempts = 3,
        "1 +/- service writer_1: restart.maxAttempts (drift)",
    );
    one(
        |world| world.spec("writer.1").update.stop_first = false,
        "1 ~ service writer_1: update.stopFirst (drift)",
    );
    one(
        |world| world.spec("writer.1").container.read_only = false,
        "1 +/- service writer_1: container.readOnly (drift)",
    );
    one(
        |world| world.spec("writer.1").container.init = Some(true),
        "1 +/- service writer_1: container.init (drift)",
    );
    one(
        |world| drop(world.spec("writer.1").labels.remove(label::ROLE)),
        "1 ~ service writer_1: labels.chorus.services/role (drift)",
    );
}

#[test]
fn order_is_no_difference_where_it_means_nothing() {
    let mut world = World::new("writer");
    let agent = &mut world.agent("writer");
    agent.constraints = vec!["node.role==worker".into(), "node.labels.a==b".into()];
    agent.configs = vec![file("one", Some("1")), file("two", Some("2"))];
    world.converge();
    let spec = world.spec("writer.1");
    spec.constraints.reverse();
    spec.container.configs.reverse();
    world.check(&[]);
}

#[test]
fn bookkeeping_labels_alone_touch_nobody_and_go_along_with_a_change() {
    let mut world = World::settled("writer reviewer");
    world.workload.owner.generation = 2;
    world
        .spec("reviewer.1")
        .labels
        .insert(label::SPEC_HASH.into(), "other".into());
    world.check(&[]);
    world.agent("writer").user = Some("1000".into());
    world.converge();
    let generation =
        |world: &mut World, agent| world.service(agent).spec.labels.get(label::GENERATION).cloned();
    assert_eq!(generation(&mut world, "writer.1").as_deref(), Some("2"));
    assert_eq!(generation(&mut world, "reviewer.1").as_deref(), Some("1"));
}

#[test]
fn surplus_slots_go_highest_first_after_those_of_removed_roles() {
    let mut world = World::settled("writer=3 reviewer=2");
    world.workload.roles.retain(|role| role.name == "writer");
    world.role("writer").replicas = 1;
    world.check(&[
        "1 - service reviewer_2",
        "1 - service reviewer_1",
        "1 - service writer_3",
        "1 - service writer_2",
    ]);
}

#[test]
fn a_foreign_service_blocks_its_slot_alone_and_is_never_touched() {
    for (label, value) in [
        (label::UID, "uid-9"),
        (label::UID, ""),
        (label::INSTANCE, "elsewhere"),
        (label::MANAGED_BY, "somebody"),
    ] {
        let mut world = World::settled("writer reviewer");
        let service = world.service("writer.1");
        service.spec.labels.insert(label.into(), value.into());
        service.spec.labels.insert(label::NAME.into(), "others".into());
        service.spec.container.user = "root".into();
        world.remove("reviewer.1");
        world.check(&["1 + service reviewer_1", "! writer.1 NameConflict"]);
        world.workload.roles.clear();
        world.check(&[]);
    }
}

#[test]
fn what_a_dead_predecessor_left_goes_first_under_its_own_uid() {
    let mut world = World::settled("writer=2");
    world.workload.owner = owner("uid-2");
    world.role("writer").replicas = 1;
    world.check(&[
        "1 - service writer_1",
        "1 - service writer_2",
        "2 + service writer_1",
    ]);
    let first = &world.plan().stages[0];
    let uids = first.iter().filter_map(|action| match action {
        Action::RemoveService { uid, .. } => Some(uid.as_str()),
        _ => None,
    });
    assert_eq!(uids.collect::<Vec<_>>(), ["uid-1", "uid-1"]);
    world.converge();
}

#[test]
fn a_suspended_workload_is_left_as_it_is() {
    let mut world = World::settled("writer");
    world.workload.suspended = true;
    world.spec("writer.1").replicas = 2;
    assert!(world.plan().stages.is_empty());
    world.check(&["- ~ service writer_1: replicas (drift)"]);
    let preview = preview(&world.plan());
    assert_eq!((preview.suspended, preview.interrupted), (true, 0));
}

#[test]
fn an_update_that_the_engine_took_back_is_made_again() {
    let mut world = World::settled("writer");
    world.agent("writer").user = Some("1000".into());
    world.service("writer.1").update_state = Some("rollback_completed".into());
    world.check(&["1 +/- service writer_1: container.user"]);
}

#[test]
fn braces_in_a_variable_reach_the_agent_as_they_are() {
    let mut world = World::settled("reviewer=1");
    let said = "Fill {{ .Values.x }} and {{{y}}}";
    world.agent("reviewer").env.insert("SAID".into(), said.into());
    world.converge();
    let spec = world.spec("reviewer.1");
    let expected = r#"Fill {{"{{"}} .Values.x }} and {{"{{"}}{y}}}"#;
    assert_eq!(spec.container.env["SAID"], expected);
}

#[test]
fn a_preview_masks_secrets_and_counts_interruptions() {
    let mut world = World::settled("writer=3");
    world.role("writer").replicas = 2;
    world
        .agent("writer")
        .env
        .insert("API_TOKEN".into(), "s3cret".into());
    let preview = preview(&world.plan());
    assert_eq!(preview.interrupted, 3);
    let text = preview.to_string();
    assert!(text.contains("container.env.API_TOKEN: (none) -> ***"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}
