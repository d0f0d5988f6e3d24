//! Every example is valid, and says what its comments promise.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use whoosh::resource::lower::{Endpoints, Templates, lower, template};
use whoosh::resource::manifest::{Source, load};
use whoosh::resource::policy::Rules;
use whoosh::resource::workload::Workload;
use whoosh::resource::{Kind, Object, validate};

fn examples() -> Vec<Object> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/examples");
    let mut files: Vec<Source> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| Source {
            bytes: fs::read(&path).unwrap(),
            name: path.display().to_string(),
        })
        .collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    let objects = load(&files, "default").unwrap_or_else(|problems| panic!("{problems}"));
    objects.into_iter().map(|located| located.value).collect()
}

fn workloads() -> BTreeMap<String, Workload> {
    let objects = examples();
    let of_kind = |object: &&Object| object.kind == Kind::AgentTemplate;
    let templates: Templates = objects
        .iter()
        .filter(of_kind)
        .map(|object| template(object).unwrap())
        .collect();
    objects
        .iter()
        .filter(|object| object.kind.owns_agents())
        .map(|object| {
            let workload = lower(object, &templates, &Endpoints::default(), &Rules::default()).unwrap();
            (object.key().to_string(), workload)
        })
        .collect()
}

#[test]
fn examples_are_valid_and_raise_no_warning() {
    let objects = examples();
    let names: Vec<String> = objects.iter().map(|object| object.key().to_string()).collect();
    assert_eq!(
        names,
        [
            "council/default/kickoff",
            "team/default/fleet",
            "gitsource/staging/fleet",
            "policy/build/build-agents",
            "team/default/payments",
            "agenttemplate/default/code-reviewer"
        ]
    );
    for object in &objects {
        assert_eq!(
            validate::warnings(object),
            Vec::<String>::new(),
            "{}",
            object.key()
        );
    }
}

#[test]
fn examples_declare_the_agents_that_they_promise() {
    let workloads = workloads();
    for (owner, roles, agents) in [
        ("team/default/payments", 3, 4),
        ("council/default/kickoff", 4, 4),
        ("team/default/fleet", 9, 34),
    ] {
        let workload = &workloads[owner];
        let count: u32 = workload.roles.iter().map(|role| role.replicas).sum();
        assert_eq!((workload.roles.len(), count), (roles, agents), "{owner}");
    }
    for (owner, role) in [
        ("team/default/payments", "reviewer"),
        ("council/default/kickoff", "quality-lead"),
    ] {
        let role = workloads[owner]
            .roles
            .iter()
            .find(|one| one.name == role)
            .unwrap();
        assert_eq!(
            role.agent.as_ref().unwrap().model.as_deref(),
            Some("llama3.1:8b"),
            "{owner} uses the template"
        );
    }
}

/// A laptop with two cores and 2 GiB to spare runs all of them at once.
#[test]
fn examples_fit_a_small_machine() {
    let workloads = workloads();
    let reserved = || {
        let roles = workloads.values().flat_map(|workload| &workload.roles);
        roles.map(|role| {
            let each = role.agent.as_ref().unwrap().reservations;
            (each, i64::from(role.replicas))
        })
    };
    let nano_cpus: i64 = reserved().map(|(each, number)| each.nano_cpus * number).sum();
    let bytes: i64 = reserved().map(|(each, number)| each.memory_bytes * number).sum();
    assert!(
        nano_cpus < 1_000_000_000 && bytes < 1 << 30,
        "{nano_cpus} nano-CPUs, {bytes} bytes"
    );
}
