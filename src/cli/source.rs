//! The GitSource as which a repository is read: which one it is, what it reads of a commit, and what would leave it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::client::Selection;
use super::context::Context;
use super::error::CliError;
use super::files;
use super::object;
use super::repository::Repository;
use crate::resource::declares;
use crate::resource::git_source::{GitSourceSpec, GitSourceStatus, Signed, Verification};
use crate::resource::manifest::Located;
use crate::resource::names::ALLOW_PRUNE;
use crate::resource::prune;
use crate::resource::repository::RepositoryUrl;
use crate::resource::{Key, Kind, Object};

/// A source, as it stands at the operator.
pub(crate) struct LiveSource {
    key: Key,
    spec: GitSourceSpec,
    status: GitSourceStatus,
    /// The commit whose guards somebody lifted.
    allowed: Option<String>,
}

/// What is read of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The folders.
    pub paths: Vec<String>,
    /// What is left out, as in a `.gitignore`.
    pub ignore: Vec<String>,
    /// Who has to have signed the commit.
    pub verify: Option<Verification>,
}

impl LiveSource {
    /// The source that applies a repository: the one of this name; or else the only one of the namespace with that url, and
    /// with that folder if one is given.
    ///
    /// # Errors
    /// When there is none of the name, or several would do.
    pub(crate) async fn find(
        ctx: &Context,
        repository: &Repository,
        path: Option<&str>,
        name: Option<&str>,
    ) -> Result<Option<Self>, CliError> {
        if let Some(name) = name {
            let key = ctx.key(Kind::GitSource, name)?;
            return Self::read(&ctx.client.get(&key).await?).map(Some);
        }
        let all = ctx
            .client
            .list(&ctx.selection(Kind::GitSource, None))
            .await?
            .items;
        let mut sources = all.iter().map(Self::read).collect::<Result<Vec<_>, _>>()?;
        sources.retain(|source| source.applies(repository.url(), path));
        match sources.len() {
            0 | 1 => Ok(sources.pop()),
            _ => {
                let names: Vec<&str> = sources.iter().map(|source| source.key.name.as_str()).collect();
                Err(CliError::Usage(format!(
                    "several GitSources apply this repository: choose one with --source ({})",
                    names.join(", ")
                )))
            }
        }
    }

    fn read(live: &Value) -> Result<Self, CliError> {
        let unreadable = |error| CliError::Failed(format!("the operator's answer cannot be read: {error}"));
        let key = Key::new(Kind::GitSource, object::namespace(live), object::name(live));
        let status = live.get("status").filter(|status| !status.is_null());
        Ok(Self {
            key,
            allowed: live["metadata"]["annotations"][ALLOW_PRUNE]
                .as_str()
                .map(str::to_owned),
            spec: serde_json::from_value(live["spec"].clone()).map_err(unreadable)?,
            status: status
                .map(|status| serde_json::from_value(status.clone()))
                .transpose()
                .map_err(unreadable)?
                .unwrap_or_default(),
        })
    }

    fn applies(&self, url: &str, path: Option<&str>) -> bool {
        let bare = |folder: &str| folder.trim_start_matches("./").trim_end_matches('/').to_owned();
        let is_its_folder = |path: &str| self.spec.folders().iter().any(|own| bare(own) == bare(path));
        RepositoryUrl::of(&self.spec.url).is_same_place(&RepositoryUrl::of(url))
            && path.is_none_or(is_its_folder)
    }

    /// Which it is.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// What it says.
    pub(crate) fn spec(&self) -> &GitSourceSpec {
        &self.spec
    }

    /// What it reads of a commit, or of one folder of it.
    pub(crate) fn reading(&self, path: Option<&str>) -> Reading {
        Reading {
            paths: path.map_or_else(|| self.spec.folders(), |path| vec![path.to_owned()]),
            ignore: self.spec.ignore.clone(),
            // Which tag a branch will have is not known.
            verify: self
                .spec
                .verify
                .clone()
                .filter(|verify| verify.signed != Some(Signed::Tag)),
        }
    }

    /// What other sources declare, by what those are called where this one is; of those that whoever asks may see.
    pub(crate) async fn others(&self, ctx: &Context) -> Result<BTreeMap<Key, String>, CliError> {
        let everywhere = Selection {
            namespace: None,
            ..ctx.selection(Kind::GitSource, None)
        };
        let all = match ctx.client.list(&everywhere).await {
            Err(error) if error.code() == Some(403) => {
                let here = Some(self.key.namespace.clone());
                let here = Selection {
                    namespace: here,
                    ..everywhere
                };
                ctx.client.list(&here).await?
            }
            answer => answer?,
        };
        let mut others = BTreeMap::new();
        // One of another version declares nothing that could be told here.
        for other in all.items.iter().filter_map(|live| Self::read(live).ok()) {
            if other.key != self.key {
                let name = declares::name_in(&other.key, &self.key.namespace);
                others.extend(other.inventory().into_iter().map(|key| (key, name.clone())));
            }
        }
        Ok(others)
    }

    /// Refuses what it may not declare; `others` are what other sources do.
    ///
    /// # Errors
    /// All of that, each at its line.
    pub(crate) fn check(
        &self,
        objects: &[Located<Object>],
        others: &BTreeMap<Key, String>,
    ) -> Result<(), CliError> {
        let refused = objects.iter().filter_map(|located| {
            let json = serde_json::to_value(&located.value).unwrap_or_default();
            let object = (&located.value.key(), &json);
            declares::refusal(&self.spec, &self.key, object, others).map(|cause| located.problem(cause))
        });
        let refused: Vec<String> = refused.map(|problem| problem.to_string()).collect();
        match refused.is_empty() {
            true => Ok(()),
            false => Err(files::say_all(refused.into_iter())),
        }
    }

    /// What it declares now and would not, if it declared these: of what it may declare.
    pub(crate) fn leaving(&self, declared: &BTreeSet<Key>) -> BTreeSet<Key> {
        &self.inventory() - declared
    }

    /// What it would delete of these that leave it, as they are `live`, if it declared these by a commit; and what holds that back.
    pub(crate) fn pruned(
        &self,
        declared: &BTreeSet<Key>,
        live: &[Object],
        revision: &str,
    ) -> (Vec<Key>, Option<String>) {
        let decide =
            |allowed| prune::decide(&self.spec, &self.inventory(), declared, live, (revision, allowed));
        match decide(self.allowed.as_deref()) {
            Ok(pruned) => (pruned.remove, None),
            Err(guard) => {
                let by_word = decide(Some(revision)).unwrap_or_default();
                (by_word.remove, Some(guard.told(&self.key.namespace)))
            }
        }
    }

    fn inventory(&self) -> BTreeSet<Key> {
        declares::inventory(&self.spec, &self.key, &self.status)
    }
}
