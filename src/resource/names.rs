//! Labels, finalizers and the names of what we make in a Swarm: each has its one home here.

use sha2::{Digest, Sha256};

use super::object::Key;

/// Value of [`label::MANAGED_BY`].
pub const MANAGER: &str = "whoosh";
/// Held by every object that owns agents, until they are gone from the Swarm.
pub const AGENTS_FINALIZER: &str = "chorus.services/agents";
/// Kubernetes' own finalizer for "leave the dependents behind"; set by `--cascade=orphan`.
pub const ORPHAN_FINALIZER: &str = "orphan";
/// Kubernetes' own finalizer for "the dependents go first"; set by `--cascade=foreground`.
pub const FOREGROUND_FINALIZER: &str = "foregroundDeletion";
/// Holds the manifest that `whoosh apply` sent last, for its three-way merge.
pub const LAST_APPLIED: &str = "chorus.services/last-applied";
/// Annotation of a GitSource: asks for a look at the repository now. The value, a time, is what is answered.
pub const RECONCILE_REQUESTED: &str = "chorus.services/reconcile-requested-at";
/// Annotation of a GitSource: the commit that may delete what guards would keep.
pub const ALLOW_PRUNE: &str = "chorus.services/allow-prune";
/// Annotation of an object that a GitSource declared: `disabled` keeps it when it leaves the repository.
pub const PRUNE: &str = "chorus.services/prune";
/// Annotation of an object that a GitSource declares: while it is there, whatever it says, the source leaves the object as it
/// is.
pub const PINNED: &str = "chorus.services/pinned";
/// How the names of the operator's own parts begin, as the store records who did something.
pub const OPERATOR: &str = "system:whoosh:";
/// Who writes what a GitSource declares; the source's name follows, after a colon.
pub const GITOPS_ACTOR: &str = "system:whoosh:gitops";
/// Annotation of an object in a GitSource's repository: `disabled` leaves its variables as they are written.
pub const SUBSTITUTE: &str = "chorus.services/substitute";
/// Who owns the fields that `whoosh` sets, where it is not told another name.
pub const FIELD_MANAGER: &str = "whoosh";
/// Who owns the fields that the operator sets by itself: those of statuses, above all.
pub const OPERATOR_MANAGER: &str = "whoosh-operator";
/// Who owns the fields that `whoosh rollout undo` puts back in what a GitSource declares, until the source applies it again.
pub const ROLLBACK_MANAGER: &str = "whoosh-rollout";
/// How the names of those begin who own the fields that a GitSource sets; the source's name follows, after its namespace where
/// that is another than the object's.
pub const GITOPS_MANAGER: &str = "gitops/";
/// The longest service name that Swarm accepts, in bytes.
pub const SERVICE_NAME_MAX: usize = 63;
/// The network of a Team or Council that names none.
pub const DEFAULT_NETWORK: &str = "chorus_net";
/// The secret that holds the operator's address of NATS. No spec can name it: there, a secret's name begins with a letter
/// or digit.
pub const NATS_URL_SECRET: &str = "_nats-url";
/// Networks of the engine itself; `host` is the node's own.
pub const ENGINE_NETWORKS: [&str; 6] = ["bridge", "default", "host", "none", "ingress", "docker_gwbridge"];

/// Service, network, secret and config labels.
pub mod label {
    /// Always [`super::MANAGER`].
    pub const MANAGED_BY: &str = "chorus.services/managed-by";
    /// Which WHOOSH installation (its store's id) made it.
    pub const INSTANCE: &str = "chorus.services/instance";
    /// The owner's kind, lower case (`team`).
    pub const KIND: &str = "chorus.services/kind";
    /// The owner's namespace.
    pub const NAMESPACE: &str = "chorus.services/namespace";
    /// The owner's name.
    pub const NAME: &str = "chorus.services/name";
    /// The owner's uid: nothing without it is ever touched.
    pub const UID: &str = "chorus.services/uid";
    /// The role that the slot belongs to.
    pub const ROLE: &str = "chorus.services/role";
    /// The slot's number, from 1.
    pub const SLOT: &str = "chorus.services/slot";
    /// The owner's generation that the service was last written for.
    pub const GENERATION: &str = "chorus.services/generation";
    /// A hash of the desired service.
    pub const SPEC_HASH: &str = "chorus.services/spec-hash";
    /// The image as the spec names it, before its tag was resolved to a digest.
    pub const IMAGE: &str = "chorus.services/image";
    /// Makes `docker stack ps` show a team.
    pub const STACK: &str = "com.docker.stack.namespace";
}

/// The file of a GitSource's secret that holds what its webhooks are signed with.
pub const WEBHOOK_FILE: &str = "webhook";
/// The file of a GitSource's secret that holds values of variables for manifests.
pub const VARIABLES_FILE: &str = "variables";
/// The path at which the operator takes the webhooks of a GitSource.
pub fn hook_path(source: &Key) -> String {
    let Key { namespace, name, .. } = source;
    format!("/hooks/v1/namespaces/{namespace}/gitsources/{name}")
}

/// The service name of one slot: `<kind>_<namespace>_<name>_<role>_<slot>`.
///
/// Injective, because none of the parts can hold `_`. A name over [`SERVICE_NAME_MAX`] bytes keeps its head
/// and ends in a hash of the whole.
pub fn service_name(owner: &Key, role: &str, slot: u32) -> String {
    shorten(format!("{}_{slot}", role_prefix(owner, role)))
}

/// The name that `docker stack` shows for an owner: `<kind>_<namespace>_<name>`.
pub fn stack_name(owner: &Key) -> String {
    format!("{}_{}_{}", owner.kind.singular(), owner.namespace, owner.name)
}

/// The name of an agent in the API: a DNS-1123 name that is unique in its namespace.
///
/// `<name>-<role>-<slot>` may be ambiguous (`a-b` + `c`, `a` + `b-c`), so the kind leads and dots part the
/// fields: `team.payments.reviewer.2`.
pub fn agent_name(owner: &Key, role: &str, slot: u32) -> String {
    format!("{}.{}.{role}.{slot}", owner.kind.singular(), owner.name)
}

/// The name of a Swarm secret or config: `whoosh_<namespace>_<name>_<hash>`, by content, since neither can change.
pub fn blob_name(namespace: &str, name: &str, content: &[u8]) -> String {
    let hash = hex(&Sha256::digest(content));
    let head: String = format!("{MANAGER}_{namespace}_{name}")
        .chars()
        .take(64 - 13)
        .collect();
    format!("{head}_{}", &hash[..12])
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn role_prefix(owner: &Key, role: &str) -> String {
    format!("{}_{role}", stack_name(owner))
}

fn shorten(name: String) -> String {
    if name.len() <= SERVICE_NAME_MAX {
        return name;
    }
    let hash = hex(&Sha256::digest(name.as_bytes()));
    format!("{}_{}", &name[..SERVICE_NAME_MAX - 11], &hash[..10])
}
