//! What a GitSource says: which repository is kept applied, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{Grant, Role};
use super::duration::Duration;
use super::variables::Variables;

/// A GitSource is a Git repository of manifests that the operator keeps applied in the source's namespace.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "chorus.services",
    version = "v1",
    kind = "GitSource",
    namespaced,
    shortname = "gs",
    category = "chorus",
    status = "GitSourceStatus",
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".status.suspended"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.ready"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct GitSourceSpec {
    /// Where the repository is: `https://…`, `ssh://user@host/…`, `user@host:path` or `file:///…`. The operator says which
    /// it may fetch (`--git-allow`). A user or password has no place in it, but for the user of ssh.
    pub url: String,
    /// What the operator identifies itself with, and what webhooks are signed with. By ssh it is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// What is applied. Default: the branch that the repository itself names.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<GitReference>,
    /// The folder of manifests, from the repository's root: all files in `.yaml`, `.yml` and `.json` below it, but hidden ones.
    /// Default: the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Several folders, in place of `path`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "set"))]
    pub paths: Vec<String>,
    /// Files that are left out, by patterns as `.gitignore` writes them, from the repository's root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Who has to have signed what is applied. Default: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verification>,
    /// The values of variables: where manifests say `${NAME}` or `${NAME:-default}`, the value takes its place. `$${` stands
    /// for `${`. Without this field and `substituteFrom`, all that is left as it is written. No secrets: whoever may read this
    /// object sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substitute: Option<BTreeMap<String, String>>,
    /// Further variables, whose values the repository and this object do not say: lines like `NAME=value` in the file `variables`
    /// of a secret, read at each look. Those of `substitute` come first. A value then stands in the objects that name it, where
    /// whoever may read them sees it: for what agents alone may know there are their `secrets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substitute_from: Option<SecretRef>,
    /// The namespace of all that is declared, whatever the manifests say of it. Default: the one that they name, or else that
    /// of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_namespace: Option<String>,
    /// What the source may do, and where. Default: what somebody with the role `edit` in the namespace of this object may do.
    /// Nobody can give a source more than they may do themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonate: Option<Impersonation>,
    /// Other sources, beside this one or where it acts (`impersonate`): while one of them is not ready, nothing is fetched and
    /// nothing applied, and no commit before it is applied by those of them that read the same `ref` of the same `url`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub depends_on: Vec<Dependency>,
    /// The forge that is told what came of a commit, as a status beside it. By https alone, with the token of `secretRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_status: Option<CommitStatus>,
    /// How often the reference is looked up. Default: `1m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// How soon what failed is tried again, a commit that is refused, too. Default: the interval, at most `30s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<Duration>,
    /// How long a fetch may take, `5m` at most. Default: `1m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether objects that left the repository are deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prune: bool,
    /// The largest share of its objects, in percent, that one commit may have deleted; a single object may always go, unless
    /// this is 0. Default: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub max_prune: Option<i64>,
    /// Whether the source is ready only when its teams, councils and sources are; without it, when they are applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
    /// Whether nothing is fetched and nothing applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Why it is suspended, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Suspension>,
}

/// A folder of files that the operator reads, below its folder for that (`--git-secrets`) and the namespace.
///
/// For https: `password` or `token`, with a `username` if the server wants one, and `ca.crt` for a server whose
/// certificate nobody else trusts. For ssh: `identity`, a private key, and `known_hosts`. For webhooks: `webhook`. For
/// manifests: `variables`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// Its name.
    pub name: String,
}

impl GitSourceSpec {
    /// The folders that are read; none stands for all.
    pub fn folders(&self) -> Vec<String> {
        self.path.iter().chain(&self.paths).cloned().collect()
    }

    /// The values of variables, with those of a secret; `None` where nothing of the kind is looked for.
    pub fn values(&self, from: Option<&Variables>) -> Option<BTreeMap<String, String>> {
        match (&self.substitute, from) {
            (None, None) => None,
            (said, from) => Some(
                from.cloned()
                    .unwrap_or_default()
                    .with(&said.clone().unwrap_or_default()),
            ),
        }
    }

    /// Why nothing is done, and until when, if that is so.
    pub fn suspended(&self, now: Timestamp) -> Option<(String, Option<Timestamp>)> {
        let suspension = self.suspension.clone().unwrap_or_default();
        let until = suspension.until.map(|until| until.0);
        if !self.suspend || until.is_some_and(|until| until <= now) {
            return None;
        }
        let mut why = "suspended".to_owned();
        if let Some(by) = suspension.by {
            why += &format!(" by {by}");
        }
        if let Some(until) = until {
            why += &format!(" until {until}");
        }
        if let Some(reason) = suspension.reason {
            why += &format!(": {reason}");
        }
        Some((why, until))
    }

    /// What a source of `namespace` may do.
    pub fn grant(&self, namespace: &str) -> Grant {
        let Impersonation { role, namespaces } = self.impersonate.clone().unwrap_or_default();
        let role = role.unwrap_or_default().into();
        match namespaces.as_slice() {
            [] => Grant::listed(role, BTreeSet::from([namespace.to_owned()])),
            _ => Grant::listed(role, namespaces.into_iter().collect()),
        }
    }
}

/// Another source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Its namespace. Default: the namespace of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Whether a variable of [`GitSourceSpec::substitute`] can have this name.
pub fn is_variable(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What a source may do, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Impersonation {
    /// The role that the source has; what is not for that role is refused. Default: `edit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<SourceRole>,
    /// The namespaces where it has it; `*` alone stands for all of them. Default: the namespace of this object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "set"))]
    pub namespaces: Vec<String>,
}

/// What of the namespaces a source may change, in the words of roles. What is not for its role is refused. Default: `edit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceRole {
    /// All that can be declared; with all namespaces, also Policies.
    Admin,
    /// All that can be declared, but no Policies.
    #[default]
    Edit,
    /// Nothing is applied.
    View,
}

impl From<SourceRole> for Role {
    fn from(role: SourceRole) -> Self {
        match role {
            SourceRole::Admin => Role::Admin,
            SourceRole::Edit => Role::Edit,
            SourceRole::View => Role::View,
        }
    }
}

/// What of a repository is applied: one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitReference {
    /// The newest commit of a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit that a tag names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The highest tag that is a version in a range, for example `>=1.2 <2`, `1.x`, `^1.4 || ^2`. `1.2` alone is all of 1.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
    /// A commit, by its whole hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Who has to have signed what is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verification {
    /// What has to be signed: the commit, or the annotated tag that `ref` names. Default: `Commit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    /// Public keys, one of which has to have signed it: lines of SSH like `ssh-ed25519 AAAA… ada`, or blocks of OpenPGP in
    /// armor.
    #[schemars(length(min = 1, max = 64))]
    pub keys: Vec<String>,
}

/// What has to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Signed {
    /// The commit that is applied.
    Commit,
    /// The annotated tag that names it.
    Tag,
}

/// Who is told what came of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommitStatus {
    /// Whose ways of being told are meant; Forgejo is told as Gitea is.
    pub forge: Forge,
}

/// A place where repositories are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Forge {
    /// GitHub, or GitHub Enterprise at the url's host.
    GitHub,
    /// Gitea or Forgejo at the url's host.
    Gitea,
}

/// Why a source is suspended, and until when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Suspension {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// What became of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitSourceStatus {
    /// The generation that this status speaks of.
    #[serde(default)]
    pub observed_generation: i64,
    /// What is applied, for people: `main@1a2b3c4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether it is ready: `True`, `False` or `Unknown`.
    #[serde(default)]
    pub ready: String,
    /// Whether it is suspended now: a suspension may end by itself.
    #[serde(default)]
    pub suspended: bool,
    /// One line that says how it stands.
    #[serde(default)]
    pub message: String,
    /// The commit that was fetched last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<FetchedCommit>,
    /// The commit that was to be applied last, whatever came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted_revision: Option<String>,
    /// The commit whose objects are applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_revision: Option<String>,
    /// The generation whose spec they were applied by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_generation: Option<i64>,
    /// The request to reconcile that was answered last (annotation `chorus.services/reconcile-requested-at`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled_request: Option<String>,
    /// Paths of the spec that the applied commit does not have: somebody lifted the guard for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub missing_paths: Vec<String>,
    /// The objects that the source declares, as `team/default/payments`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub inventory: Vec<String>,
    /// Those of them that left the repository and stay, because they are annotated so (`chorus.services/prune`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub kept: Vec<String>,
    /// Those of them that are left as they are, whatever the repository says (annotation `chorus.services/pinned`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub pinned: Vec<String>,
    /// How its teams, councils and sources are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<SourceHealth>,
    /// What was applied or refused, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Application>,
    /// Ready, Reconciling, Stalled and Suspended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// How the teams, councils and sources that a source declares are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceHealth {
    /// How many are ready.
    pub ready: usize,
    /// Of how many.
    pub total: usize,
    /// Those that are not ready, the first 20 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_ready: Vec<ObjectHealth>,
}

/// How one object of a source is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectHealth {
    /// Which, as `team/default/payments`.
    pub object: String,
    /// Its state, in one word.
    pub state: String,
    /// What it says of that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A commit as it was fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FetchedCommit {
    /// Its hash.
    pub revision: String,
    /// The branch or tag that led to it.
    pub reference: String,
    /// Who wrote it.
    pub author: String,
    /// The first line of its message.
    pub message: String,
    /// Who signed it, where `verify` asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

/// One commit that was applied, or refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The commit.
    pub revision: String,
    /// Who wrote it.
    pub author: String,
    /// The first line of its message.
    pub message: String,
    /// When it was applied.
    pub time: Time,
    /// How long that took, in milliseconds.
    pub duration_ms: i64,
    /// What came of it.
    pub result: ApplicationResult,
    /// What changed, or why nothing did.
    pub detail: String,
}

/// What came of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApplicationResult {
    /// All of it was applied.
    Applied,
    /// Something in it is not valid, or not allowed; none of it was applied.
    Refused,
    /// It would delete more than it may without a person's word; none of it was applied.
    Guarded,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_suspension_ends_by_itself() {
        let until = "2026-05-01T10:00:00Z";
        let suspension = json!({"reason": "audit", "by": "ada", "until": until});
        let spec = json!({"url": "u", "suspend": true, "suspension": suspension});
        let suspended: GitSourceSpec = serde_json::from_value(spec).unwrap();
        let told = suspended.suspended("2026-05-01T09:59:59Z".parse().unwrap());
        let until: Timestamp = until.parse().unwrap();
        let why = "suspended by ada until 2026-05-01T10:00:00Z: audit".to_owned();
        assert_eq!(told, Some((why, Some(until))));
        assert_eq!(suspended.suspended(until), None);
        assert_eq!(GitSourceSpec::default().suspended(until), None);
    }
}
