//! What the Policies of a namespace make of what an agent asks for. Pure.
//!
//! A power over the node is there when one Policy allows it; a limit holds when one Policy sets it. So nobody gets
//! around a limit by adding a Policy, and a namespace without Policies has no powers and no limits.

mod asked;
mod host_path;
mod quota;
#[cfg(test)]
mod tests;

pub use asked::{Asked, AskedPath};
pub use quota::Usage;

use super::image::ImageRef;
use super::object::Object;
use super::path;
use super::policy_spec::{Allowed, Limits, PolicySpec};
use super::validate::{Cause, CauseReason};
use crate::resource::pattern::{Pattern, one_of};

/// The Policies of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    policies: Vec<Policy>,
    /// Whether the Policies are not known, so that nothing is judged.
    unknown: bool,
}

/// One Policy.
#[derive(Clone, Debug, PartialEq)]
struct Policy {
    name: String,
    /// `None` when this version cannot read it: then nothing is allowed.
    spec: Option<PolicySpec>,
}

impl Rules {
    /// The rules that Policies make together.
    pub fn of<'a>(policies: impl IntoIterator<Item = &'a Object>) -> Self {
        let mut rules = Self::default();
        policies.into_iter().for_each(|policy| rules.put(policy));
        rules
    }

    /// For those who do not know the Policies: nothing is refused, and whoever knows them judges later.
    pub fn unknown() -> Self {
        Self {
            unknown: true,
            ..Self::default()
        }
    }

    /// Adds a Policy, or replaces it.
    pub fn put(&mut self, object: &Object) {
        let name = object.name().to_owned();
        self.remove(&name);
        let spec = serde_json::from_value(object.spec.clone()).ok();
        self.policies.push(Policy { name, spec });
    }

    /// Takes a Policy away.
    pub fn remove(&mut self, name: &str) {
        self.policies.retain(|policy| policy.name != name);
    }

    /// What is refused of what an agent asks for; `at` is the path of its block.
    pub fn judge(&self, asked: &Asked<'_>, at: &str) -> Vec<Cause> {
        if self.unknown {
            return Vec::new();
        }
        let unreadable = self.policies.iter().filter(|policy| policy.spec.is_none());
        let unreadable = unreadable.map(|Policy { name, .. }| {
            let message =
                format!("the Policy \"{name}\" cannot be read by this version, so nothing is allowed");
            Cause::new(at, CauseReason::Forbidden, message)
        });
        let powers = self.powers(asked).into_iter();
        let limits = self
            .limits()
            .flat_map(|(name, limits)| exceeded(name, limits, asked));
        let refused = powers.chain(limits).map(|Refused { field, why }| {
            let field = field
                .split('.')
                .fold(at.to_owned(), |at, name| path::field(&at, name));
            Cause::new(field, CauseReason::Forbidden, why)
        });
        unreadable.chain(refused).collect()
    }

    /// Whether agents may join a network that this installation did not make, or made for another namespace.
    pub fn allows_foreign_network(&self, name: &str) -> bool {
        self.unknown || self.allow(|allowed| one_of(&allowed.foreign_networks, name))
    }

    fn specs(&self) -> impl Iterator<Item = (&str, &PolicySpec)> {
        let policies = self.policies.iter();
        policies.filter_map(|policy| Some((policy.name.as_str(), policy.spec.as_ref()?)))
    }

    fn limits(&self) -> impl Iterator<Item = (&str, &Limits)> {
        self.specs()
            .filter_map(|(name, spec)| Some((name, spec.limits.as_ref()?)))
    }

    /// Whether one Policy allows it.
    fn allow(&self, holds: impl Fn(&Allowed) -> bool) -> bool {
        self.specs()
            .filter_map(|(_, spec)| spec.allow.as_ref())
            .any(holds)
    }

    /// The powers that no Policy allows.
    fn powers(&self, asked: &Asked<'_>) -> Vec<Refused> {
        let Asked {
            paths,
            capabilities,
            sysctls,
            ports,
            volumes,
            constraints,
            is_whole,
            // They are kept to limits.
            image: _,
            user: _,
            networks: _,
            secrets: _,
        } = asked;
        let mut refused = Vec::new();
        for path in paths {
            refused.extend(self.path(*path));
        }
        for name in volumes {
            if !self.allow(|allowed| one_of(&allowed.volumes, name)) {
                let what = format!("mounts the volume {name} of its node");
                refused.push(denied("mounts", what, "volumes"));
            }
        }
        for name in capabilities {
            let bare = bare_capability(name);
            if !self.allow(|allowed| {
                allowed
                    .capabilities
                    .iter()
                    .any(|known| bare_capability(known) == bare)
            }) {
                refused.push(denied(
                    "host.capabilities",
                    format!("adds the capability {bare}"),
                    "capabilities",
                ));
            }
        }
        for name in sysctls {
            if !self.allow(|allowed| one_of(&allowed.sysctls, name)) {
                refused.push(denied(
                    "host.sysctls",
                    format!("sets the kernel parameter {name}"),
                    "sysctls",
                ));
            }
        }
        for port in ports {
            let holds = |allowed: &Allowed| {
                let mut ranges = allowed.host_ports.iter();
                ranges.any(|range| (range.from..=range.to.unwrap_or(range.from)).contains(port))
            };
            if !self.allow(holds) {
                refused.push(denied(
                    "host.ports",
                    format!("takes port {port} of its node"),
                    "hostPorts",
                ));
            }
        }
        if !self.allow(|allowed| allowed.managers) {
            let of = |constraint: &&&str| role(constraint) == Some("manager");
            let for_managers = constraints.iter().find(of);
            refused.extend(for_managers.map(|constraint| {
                let what = format!("asks for managers by {constraint}");
                denied("placement.constraints", what, "managers")
            }));
            let on_workers = constraints
                .iter()
                .any(|constraint| role(constraint) == Some("worker"));
            let for_one = constraints.iter().find(|constraint| names_a_node(constraint));
            let for_one = for_one.filter(|_| *is_whole && !on_workers);
            refused.extend(for_one.map(|constraint| {
                let what =
                    format!("asks for one node by {constraint}, without \"node.role==worker\" beside it");
                denied("placement.constraints", what, "managers")
            }));
        }
        refused
    }

    fn path(&self, AskedPath { source, read_only }: AskedPath<'_>) -> Option<Refused> {
        if !host_path::is_plain(source) {
            let why = format!("{source} is no plain path of a node, so nobody can tell what it leads to");
            return Some(Refused { field: "mounts", why });
        }
        if host_path::reaches_docker(source) && !self.allow(|allowed| allowed.docker_socket) {
            let what = format!("mounts {source} of its node, which leads to the Docker socket");
            return Some(denied("mounts", what, "dockerSocket"));
        }
        let is_listed = |allowed: &Allowed| {
            let mut paths = allowed.host_paths.iter();
            paths.any(|known| host_path::holds(&known.path, source) && (known.writable || read_only))
        };
        if host_path::is_docker_socket(source) || self.allow(is_listed) {
            return None;
        }
        let how = if read_only { "" } else { " to write to it" };
        let what = format!("mounts {source} of its node{how}");
        Some(denied("mounts", what, "hostPaths"))
    }
}

/// One thing that is refused.
struct Refused {
    /// Its path in the agent's block.
    field: &'static str,
    why: String,
}

fn denied(field: &'static str, what: String, power: &str) -> Refused {
    let why = format!("{what}, which no Policy of the namespace allows (spec.allow.{power})");
    Refused { field, why }
}

/// The limits of the Policy `name` that are not kept.
fn exceeded(name: &str, limits: &Limits, asked: &Asked<'_>) -> Vec<Refused> {
    let Limits {
        images,
        image_digests,
        non_root,
        workers_only,
        networks,
        secrets,
        volumes,
        quota: _,
    } = limits;
    let Asked {
        image: asked_image,
        user,
        networks: asked_networks,
        secrets: asked_secrets,
        volumes: asked_volumes,
        constraints,
        is_whole,
        // They are powers.
        paths: _,
        capabilities: _,
        sysctls: _,
        ports: _,
    } = asked;
    let by = |limit: &str| format!("by the limit {limit} of the Policy \"{name}\"");
    let mut refused = Vec::new();
    let image = asked_image.map(|text| (text, ImageRef::new(text)));
    if let (Some(patterns), Some((text, image))) = (images, &image)
        && !patterns.iter().any(|known| is_of(image, known))
    {
        let why = format!(
            "\"{text}\" is none of [{}] ({})",
            patterns.join(", "),
            by("images")
        );
        refused.push(Refused { field: "image", why });
    }
    if let Some((text, _)) = image.filter(|(_, image)| *image_digests && !image.has_digest()) {
        let why = format!(
            "\"{text}\" must have a digest, like {text}@sha256:… ({})",
            by("imageDigests")
        );
        refused.push(Refused { field: "image", why });
    }
    let is_open = user.is_none() && !is_whole;
    if *non_root && !is_open && !user.is_some_and(is_number_but_root) {
        let why = format!(
            "must be a number that is not 0, like \"65532:65532\" ({})",
            by("nonRoot")
        );
        refused.push(Refused { field: "user", why });
    }
    let on_workers = constraints
        .iter()
        .any(|constraint| role(constraint) == Some("worker"));
    if *workers_only && *is_whole && !on_workers {
        let why = format!("must hold \"node.role==worker\" ({})", by("workersOnly"));
        refused.push(Refused {
            field: "placement.constraints",
            why,
        });
    }
    for (field, limit, patterns, names) in [
        ("networks", "networks", networks, asked_networks),
        ("secrets", "secrets", secrets, asked_secrets),
        ("mounts", "volumes", volumes, asked_volumes),
    ] {
        let Some(patterns) = patterns else { continue };
        for other in names.iter().filter(|name| !one_of(patterns, name)) {
            let why = format!("\"{other}\" is none of [{}] ({})", patterns.join(", "), by(limit));
            refused.push(Refused { field, why });
        }
    }
    refused
}

/// Whether an image is of a repository that a pattern names, with or without what Docker Hub's names leave out.
fn is_of(image: &ImageRef<'_>, pattern: &str) -> bool {
    let pattern = Pattern(pattern);
    image.names().iter().any(|name| pattern.matches(name))
}

/// What a placement constraint compares: a fact of the node, whether it is to be equal, and to what.
fn compared(constraint: &str) -> Option<(&str, bool, &str)> {
    let (is_equal, (key, value)) = match constraint.split_once("!=") {
        Some(parts) => (false, parts),
        None => (true, constraint.split_once("==")?),
    };
    Some((key.trim(), is_equal, value.trim()))
}

/// The role that a placement constraint asks for.
fn role(constraint: &str) -> Option<&'static str> {
    let (key, is_equal, value) = compared(constraint)?;
    if !key.eq_ignore_ascii_case("node.role") {
        return None;
    }
    Some(if value.eq_ignore_ascii_case("manager") == is_equal {
        "manager"
    } else {
        "worker"
    })
}

/// Whether a placement constraint is met by one node alone, which may be a manager.
fn names_a_node(constraint: &str) -> bool {
    let facts = ["node.id", "node.hostname", "node.ip"];
    compared(constraint)
        .is_some_and(|(key, is_equal, _)| is_equal && facts.iter().any(|fact| fact.eq_ignore_ascii_case(key)))
}

/// Whether a user is told by a number, and is not root. A name may stand for anybody in the image.
fn is_number_but_root(user: &str) -> bool {
    let number = user.split(':').next().and_then(|user| user.parse::<u32>().ok());
    number.is_some_and(|number| number > 0)
}

/// A capability without the `CAP_` that some write.
pub fn bare_capability(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    name.strip_prefix("CAP_").unwrap_or(&name).to_owned()
}
