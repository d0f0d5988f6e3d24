//! What services refer to: images, secrets, configs and networks.

use std::collections::BTreeMap;

use serde_json::json;

use super::world::{INSTANCE, World, file, labels_of_others, network, owner};
use crate::plan::action::{Action, Report};
use crate::plan::observed::Image;
use crate::resource::condition::Reason;
use crate::resource::policy::Rules;
use crate::resource::{Key, Kind, Object, labels};

#[test]
fn an_image_tag_is_resolved_once() {
    let resolved = |digest: &str| Image::Resolved(format!("agent:dev@sha256:{digest}"));
    let images = |world: &World| -> Vec<String> {
        let services = world.observed.services.values();
        services.map(|live| live.spec.container.image.clone()).collect()
    };
    let mut world = World::new("writer=2");
    world.observed.images.insert("agent:dev".into(), resolved("1"));
    world.converge();
    assert_eq!(images(&world), ["agent:dev@sha256:1"; 2]);

    world.observed.images.insert("agent:dev".into(), resolved("2"));
    world.check(&[]);
    world.role("writer").replicas = 3;
    world.converge();
    assert_eq!(
        images(&world),
        ["agent:dev@sha256:1"; 3],
        "a new agent runs what its siblings run"
    );

    world.spec("writer.2").container.image = "other:dev".into();
    world.check(&["1 +/- service writer_2: container.image (drift)"]);
    world.converge();
    assert_eq!(
        images(&world),
        ["agent:dev@sha256:1"; 3],
        "what somebody else put there does not stay"
    );

    world.agent("writer").image = "agent:prod".into();
    for (known, expected) in [
        (
            Some(Image::Resolved("agent:prod@sha256:3".into())),
            "agent:prod@sha256:3",
        ),
        (Some(Image::Local), "agent:prod"),
        (
            Some(Image::Unknown {
                why: "no answer".into(),
            }),
            "agent:prod",
        ),
        (None, "agent:prod"),
    ] {
        world.observed.images = known
            .map(|known| ("agent:prod".to_owned(), known))
            .into_iter()
            .collect();
        let Action::UpdateService { spec, .. } = &world.plan().stages[0][0] else {
            panic!("an update");
        };
        assert_eq!(spec.container.image, expected);
    }
}

#[test]
fn an_image_that_was_never_resolved_stays_when_the_registry_comes_back() {
    let mut world = World::settled("writer");
    let resolved = Image::Resolved("agent:dev@sha256:1".into());
    world.observed.images.insert("agent:dev".into(), resolved);
    world.check(&[]);
}

#[test]
fn secrets_and_configs_are_made_by_content_and_collected() {
    let mut world = World::new("writer reviewer");
    world.agent("writer").secrets = vec![file("token", None)];
    world.agent("reviewer").configs = vec![file("prompt", Some("be kind"))];
    world.observed.secret_sources = BTreeMap::from([("token".to_owned(), "1".to_owned())]);
    world.check(&[
        "1 + network chorus_net",
        "1 + secret default_token",
        "1 + config default_prompt",
        "2 + service writer_1",
        "2 + service reviewer_1",
    ]);
    world.converge();

    world.observed.secret_sources.insert("token".into(), "2".into());
    world.agent("reviewer").configs = vec![file("prompt", Some("be strict"))];
    world.check(&[
        "1 + secret default_token",
        "1 + config default_prompt",
        "2 +/- service writer_1: container.secrets./run/token",
        "- +/- service reviewer_1: container.configs./run/prompt",
        "3 - secret default_token",
        "- - config default_prompt",
    ]);
    world.converge();
    assert_eq!(
        (world.observed.secrets.len(), world.observed.configs.len()),
        (1, 1)
    );
}

#[test]
fn what_another_service_refers_to_is_not_collected() {
    let mut world = World::new("writer");
    world.agent("writer").configs = vec![file("prompt", Some("be kind"))];
    world.converge();
    let config = world.observed.configs.values_mut().next().unwrap();
    config.in_use.insert("somebody".into());
    world.agent("writer").configs.clear();
    world.check(&["1 +/- service writer_1: container.configs./run/prompt"]);
}

#[test]
fn a_role_without_its_template_is_left_as_it_is() {
    let mut world = World::new("writer reviewer=2");
    let prompt = vec![file("prompt", Some("be kind"))];
    world.agent("reviewer").configs = prompt;
    world.agent("reviewer").networks = vec!["data_net".into()];
    world.converge();
    world.lose_template("reviewer");
    world.check(&["! reviewer.1 TemplateNotFound", "! reviewer.2 TemplateNotFound"]);
    world.remove("writer.1");
    world.role("reviewer").replicas = 1;
    world.check(&[
        "1 + service writer_1",
        "1 - service reviewer_2",
        "! reviewer.1 TemplateNotFound",
    ]);
}

#[test]
fn a_missing_secret_blocks_the_agents_that_name_it() {
    let mut world = World::new("writer=2 reviewer");
    world.agent("writer").secrets = vec![file("token", None), file("key", None)];
    world.check(&[
        "1 + network chorus_net",
        "2 + service reviewer_1",
        "! writer.1 SecretNotFound",
        "! writer.2 SecretNotFound",
    ]);
    let Report { blocked, .. } = world.plan().report;
    assert_eq!(
        blocked[0].message,
        "files default/token, default/key are not in the operator's secrets folder: put the content there, or take \
         the secret out of the spec"
    );
}

#[test]
fn a_secret_that_is_there_and_cannot_be_used_says_why() {
    let mut world = World::new("writer");
    world.agent("writer").secrets = vec![file("token", None), file("key", None)];
    let why = "secret \"token\" holds 0 bytes; Swarm takes 1 to 511999";
    world.observed.unreadable_secrets = BTreeMap::from([("token".to_owned(), why.to_owned())]);
    let told = |world: &World| {
        let Report { blocked, .. } = world.plan().report;
        (blocked[0].reason, blocked[0].message.clone())
    };
    assert_eq!(
        told(&world),
        (
            Reason::SecretNotFound,
            format!(
                "file default/key is not in the operator's secrets folder: put the content there, or take the secret out of \
             the spec; {why}"
            )
        )
    );
    world
        .observed
        .secret_sources
        .insert("key".to_owned(), "1".to_owned());
    assert_eq!(told(&world), (Reason::SecretUnusable, why.to_owned()));
}

#[test]
fn a_secret_that_vanishes_leaves_the_agent_as_it_is() {
    let mut world = World::new("writer");
    world.agent("writer").secrets = vec![file("token", None)];
    world.observed.secret_sources = BTreeMap::from([("token".to_owned(), "1".to_owned())]);
    world.converge();
    world.observed.secret_sources.clear();
    world.check(&["! writer.1 SecretNotFound"]);
}

#[test]
fn a_network_that_cannot_join_services_blocks_its_agents() {
    let mut world = World::new("writer reviewer");
    world.agent("reviewer").networks = vec!["bridge".into()];
    let mut bridge = network(BTreeMap::new(), 0, &[]);
    bridge.overlay = false;
    world.observed.networks.insert("bridge".into(), bridge);
    world.check(&[
        "1 + network chorus_net",
        "2 + service writer_1",
        "! reviewer.1 NameConflict",
    ]);
}

#[test]
fn a_network_of_another_namespace_is_joined_where_a_policy_allows_it() {
    let made_for = |namespace: &str| {
        let mut owner = owner("uid-9");
        owner.key.namespace = namespace.to_owned();
        network(labels::of_owner(&owner, INSTANCE), 0, &[])
    };
    let blocked = &["! writer.1 PolicyDenied"][..];
    let joined = &["1 + service writer_1"][..];
    let policy = Key::new(Kind::Policy, "default", "net");
    let policy = Object::new(&policy, json!({"allow": {"foreignNetworks": ["data_*"]}}));
    for (namespace, name, rules, expected) in [
        ("other", "data_net", Rules::default(), blocked),
        ("other", "data_net", Rules::of([&policy]), joined),
        ("default", "data_net", Rules::default(), joined),
        ("other", "chorus_net", Rules::default(), joined),
    ] {
        let mut world = World::new("writer");
        world.workload.network = name.to_owned();
        world.workload.rules = rules;
        world.observed.networks.insert(name.into(), made_for(namespace));
        world.check(expected);
    }
}

#[test]
fn agents_come_to_a_network_that_has_room_for_all_of_them_or_not_at_all() {
    let check = |capacity, users: &[&str], expected: &[&str]| {
        let mut world = World::settled("writer");
        world.role("writer").replicas = 3;
        let mut users = users.to_vec();
        users.push("team_default_payments_writer_1");
        world
            .observed
            .networks
            .insert("chorus_net".into(), network(labels_of_others(), capacity, &users));
        world.check(expected);
    };
    let both = ["1 + service writer_2", "1 + service writer_3"];
    let none = ["! writer.2 NetworkFull", "! writer.3 NetworkFull"];
    check(0, &["a", "b"], &both);
    check(4, &[], &both);
    check(4, &["a"], &none);
    check(2, &["a", "b"], &none);
}

#[test]
fn a_network_goes_when_its_maker_is_off_it_and_nobody_else_is_on_it() {
    let mut world = World::settled("writer");
    world.workload.network = "other_net".into();
    world.network("chorus_net").in_use.others = 1;
    world.converge();
    assert!(world.observed.networks.contains_key("chorus_net"));
    world.network("chorus_net").in_use.others = 0;
    world.check(&["1 - network chorus_net"]);
    world.network("chorus_net").labels = labels_of_others();
    world.check(&[]);
}
