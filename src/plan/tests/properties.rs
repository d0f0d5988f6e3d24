//! What holds for every workload in every Swarm.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{INSTANCE, World, agent, file, labels_of_others, missing_template, network, owner, task};
use super::{model, world};
use crate::plan::action::{Action, Plan};
use crate::plan::observed::{Image, Observed, Service, TaskState};
use crate::plan::plan;
use crate::resource::names::label;
use crate::resource::policy::Rules;
use crate::resource::workload::{DesiredRole, Workload};

/// Numbers that look arbitrary and are the same in every run.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// From 0 to below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.roll(one_in) == 0
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.roll(all.len() as u64) as usize]
    }
}

fn any_workload(dice: &mut Dice) -> Workload {
    let names = ["writer", "reviewer", "lead"];
    let roles = names
        .iter()
        .filter(|_| !dice.chance(4))
        .map(|name| name.to_string())
        .collect::<Vec<_>>();
    let roles = roles.into_iter().map(|name| any_role(name, dice)).collect();
    let mut owner = owner(dice.pick(&["uid-1", "uid-1", "uid-2"]));
    owner.generation = 1 + dice.roll(3) as i64;
    Workload {
        owner,
        suspended: dice.chance(12),
        network: dice.pick(&["chorus_net", "other_net"]).to_owned(),
        progress_deadline: Duration::from_secs(600),
        templates: Vec::new(),
        roles,
        rules: Rules::default(),
    }
}

fn any_role(name: String, dice: &mut Dice) -> DesiredRole {
    let mut agent = agent();
    agent.image = dice.pick(&["agent:dev", "agent:prod"]).to_owned();
    agent.env.insert("LEVEL".into(), dice.roll(3).to_string());
    if dice.chance(3) {
        agent.networks = vec![dice.pick(&["data_net", "bridge"]).to_owned()];
    }
    if dice.chance(3) {
        agent.secrets = vec![file(dice.pick(&["token", "missing"]), None)];
    }
    if dice.chance(3) {
        agent.configs = vec![file("prompt", Some(dice.pick(&["kind", "strict"])))];
    }
    let agent = if dice.chance(8) {
        Err(missing_template(&name))
    } else {
        Ok(agent)
    };
    DesiredRole {
        name,
        replicas: dice.roll(4) as u32,
        required: !dice.chance(3),
        agent,
    }
}

/// A Swarm with a history: other workloads of the same owner were brought about, and people disturbed them.
fn any_swarm(dice: &mut Dice) -> Observed {
    let mut observed = World::new("").observed;
    let digest = Image::Resolved("agent:prod@sha256:1".into());
    observed.images.insert("agent:prod".into(), digest);
    observed.secret_sources = BTreeMap::from([("token".to_owned(), dice.roll(3).to_string())]);
    if dice.chance(2) {
        let mut bridge = network(BTreeMap::new(), 0, &[]);
        bridge.overlay = false;
        observed.networks.insert("bridge".into(), bridge);
    }
    if dice.chance(3) {
        let capacity = 2 + dice.roll(6);
        observed.networks.insert(
            "chorus_net".into(),
            network(labels_of_others(), capacity, &["somebody"]),
        );
    }
    for _ in 0..dice.roll(3) {
        let plan = plan(&any_workload(dice), &observed, INSTANCE);
        model::apply(&mut observed, &plan, world::at(1000));
    }
    for name in observed.services.keys().cloned().collect::<Vec<_>>() {
        disturb(&mut observed, &name, dice);
    }
    let token = observed.secret_sources.get_mut("token").unwrap();
    *token = dice.roll(3).to_string();
    observed
}

fn disturb(observed: &mut Observed, name: &str, dice: &mut Dice) {
    let live = observed.services.get_mut(name).unwrap();
    match dice.roll(14) {
        0 => live.spec.replicas = 3,
        1 => drop(live.spec.container.env.insert("A".into(), "1".into())),
        2 => live.spec.container.image = "other:dev".into(),
        3 => drop(live.spec.labels.remove(label::ROLE)),
        4 => live.update_state = Some("rollback_completed".into()),
        5 => live.tasks = Some(vec![task(TaskState::Failed)]),
        6 => live.spec.labels = labels_of_others(),
        7 => live.spec.labels.clear(),
        8 => drop(
            live.spec
                .labels
                .insert(label::INSTANCE.into(), "elsewhere".into()),
        ),
        9 => drop(live.spec.labels.remove(label::UID)),
        10 => {
            model::detach(observed, name);
            observed.services.remove(name);
        }
        _ => {}
    }
}

/// Whether a service may be touched, said in other words than the planner's.
fn may_touch(live: &Service, workload: &Workload) -> bool {
    let is = |name: &str, value: &str| live.spec.labels.get(name).map(String::as_str) == Some(value);
    let key = &workload.owner.key;
    let same_object =
        is(label::KIND, "team") && is(label::NAMESPACE, &key.namespace) && is(label::NAME, &key.name);
    let has_uid = live
        .spec
        .labels
        .get(label::UID)
        .is_some_and(|uid| !uid.is_empty());
    is(label::MANAGED_BY, "whoosh")
        && is(label::INSTANCE, INSTANCE)
        && has_uid
        && (same_object || is(label::UID, &workload.owner.uid))
}

fn foreign(observed: &Observed, workload: &Workload) -> BTreeMap<String, Service> {
    let all = observed
        .services
        .iter()
        .filter(|(_, live)| !may_touch(live, workload));
    all.map(|(name, live)| (name.clone(), live.clone())).collect()
}

fn assert_touches_only_its_own(plan: &Plan, observed: &Observed, workload: &Workload) {
    for action in plan.stages.iter().flatten() {
        let (id, expected) = match action {
            Action::UpdateService { id, uid, .. }
            | Action::RemoveService { id, uid, .. }
            | Action::ReleaseService { id, uid, .. } => (id, uid),
            _ => continue,
        };
        let live = observed.services.values().find(|live| live.id == *id).unwrap();
        assert!(may_touch(live, workload), "{action:#?} on {live:#?}");
        assert_eq!(live.spec.labels.get(label::UID), Some(expected));
    }
}

#[test]
fn from_any_swarm_every_workload_settles_and_touches_only_what_is_its_own() {
    for seed in 1..=600 {
        let dice = &mut Dice::new(seed);
        let mut observed = any_swarm(dice);
        let workload = any_workload(dice);
        let strangers = foreign(&observed, &workload);
        let mut rounds = 0;
        let settled = loop {
            let next = plan(&workload, &observed, INSTANCE);
            assert_eq!(
                next,
                plan(&workload, &observed.clone(), INSTANCE),
                "seed {seed}: two plans differ"
            );
            assert_touches_only_its_own(&next, &observed, &workload);
            if next.is_empty() {
                break next;
            }
            rounds += 1;
            // A round replaces a part of the agents; one more removes networks that services have left.
            assert!(
                rounds <= workload.roles.iter().map(|role| role.replicas).sum::<u32>() + 2,
                "seed {seed} does not settle: {:#?}",
                world::lines(&next)
            );
            model::apply(&mut observed, &next, world::at(2000));
            for live in observed.services.values_mut() {
                live.tasks = Some(vec![task(TaskState::Running)]);
            }
        };
        assert_eq!(foreign(&observed, &workload), strangers, "seed {seed}");
        if !workload.suspended {
            assert_eq!(settled.report.changes, [], "seed {seed}");
            assert_runs_what_is_declared(&workload, &observed, &settled, seed);
        }
    }
}

fn assert_runs_what_is_declared(workload: &Workload, observed: &Observed, settled: &Plan, seed: u64) {
    let mut declared = 0;
    for role in &workload.roles {
        for slot in 1..=role.replicas {
            let agent = format!("{}.{slot}", role.name);
            let live = observed.services.get(&world::service_name(&agent));
            let own = live.filter(|live| live.spec.labels.get(label::UID) == Some(&workload.owner.uid));
            let blocked = settled
                .report
                .blocked
                .iter()
                .any(|blocked| blocked.agent == agent);
            assert!(blocked || own.is_some(), "seed {seed}: {agent}");
            declared += usize::from(own.is_some_and(|live| may_touch(live, workload)));
        }
    }
    let own = observed
        .services
        .values()
        .filter(|live| may_touch(live, workload));
    assert_eq!(own.count(), declared, "seed {seed}: a surplus service");
}
