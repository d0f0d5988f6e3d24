//! Does one [`Action`]: one small match, no decisions.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::decode::{SeenBlob, SeenService};
use super::engine::Engine;
use super::error::{ActError, SwarmError};
use super::secrets::SecretsDir;
use super::spec::{Ids, encode, release};
use super::transport::{Call, escape};
use super::{Swarm, networks, policy, wire};
use crate::plan::Action;
use crate::plan::service::{FileRef, ServiceSpec};
use crate::resource::labels::{self, Labels};
use crate::resource::policy::Rules;

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was made; its engine id.
    Created(String),
    /// It was there already, and ours; its engine id.
    AlreadyThere(String),
    /// It was changed.
    Updated,
    /// It was as wanted already; nothing was sent.
    Unchanged,
    /// It was removed.
    Removed,
    /// It was gone already.
    AlreadyGone,
}

impl Swarm {
    /// Does one action of the installation `instance`, once. It decides nothing and repeats nothing, but for
    /// looking up what became of a request that was not answered. What `instance` did not make, and a service
    /// that carries another uid than the action, it leaves alone; what `rules` do not allow, it refuses.
    ///
    /// # Errors
    /// See [`ActError`]. After [`ActError::Indeterminate`], observe before planning again.
    pub async fn act(
        &self,
        action: &Action,
        instance: &str,
        secrets: &SecretsDir,
        rules: &Rules,
    ) -> Result<Done, ActError> {
        let what = action.target().to_string();
        let act = Act {
            engine: &self.engine,
            instance,
            what: &what,
        };
        policy::allows(action, rules).map_err(|message| ActError::Denied {
            what: what.clone(),
            message,
        })?;
        match action {
            Action::CreateNetwork { name, labels } => networks::create(&act, name, labels).await,
            Action::CreateSecret { name, source, labels } => {
                let content = secrets.read(&source.namespace, &source.name).await?;
                if content.fingerprint() != source.fingerprint {
                    return Err(act.conflict());
                }
                act.create_blob("secrets", name, content.bytes(), labels).await
            }
            Action::CreateConfig { name, data, labels } => {
                act.create_blob("configs", name, data.as_bytes(), labels).await
            }
            Action::CreateService { spec } => act.create_service(spec).await,
            Action::UpdateService {
                id,
                version,
                uid,
                spec,
            } => act.update(id, *version, uid, Some(spec)).await,
            Action::ReleaseService {
                id,
                version,
                uid,
                name: _,
            } => act.update(id, *version, uid, None).await,
            Action::RemoveService { id, uid, name: _ } => act.remove_service(id, uid).await,
            Action::RemoveNetwork { id, name: _ } => act.remove("networks", id).await,
            Action::RemoveSecret { id, .. } => act.remove("secrets", id).await,
            Action::RemoveConfig { id, .. } => act.remove("configs", id).await,
        }
    }
}

/// One action under way.
pub(super) struct Act<'a> {
    pub(super) engine: &'a Engine,
    /// The installation that acts.
    pub(super) instance: &'a str,
    pub(super) what: &'a str,
}

impl Act<'_> {
    async fn create_service(&self, spec: &ServiceSpec) -> Result<Done, ActError> {
        let ids = self.ids(spec).await?;
        let body = encode(spec, None, &ids);
        let sent: Result<wire::Created, _> = self
            .engine
            .transport
            .call(Call::post("/services/create", &body))
            .await;
        let error = match sent {
            Ok(created) => return Ok(Done::Created(created.id)),
            Err(error) => self.failed(error),
        };
        if !matches!(error, ActError::NameTaken { .. } | ActError::Indeterminate { .. }) {
            return Err(error);
        }
        match self.engine.service_named(&spec.name).await {
            Ok(Some(SeenService { service, .. }))
                if labels::uid(&spec.labels).is_some_and(|uid| self.is_owned(&service.spec.labels, uid)) =>
            {
                Ok(Done::AlreadyThere(service.id))
            }
            Ok(Some(_)) => Err(self.name_taken()),
            Ok(None) | Err(_) => Err(error),
        }
    }

    /// Brings a service to `want`, or lets it go. The engine's own answer to a version that is not the planned
    /// one would come as late and say less.
    async fn update(
        &self,
        id: &str,
        version: u64,
        uid: &str,
        want: Option<&ServiceSpec>,
    ) -> Result<Done, ActError> {
        let ids = match want {
            Some(spec) => self.all_ids(spec).await?,
            None => Ids::default(),
        };
        let next = |base: &Value| want.map_or_else(|| release(base), |spec| encode(spec, Some(base), &ids));
        let live = self.owned(id, uid).await?.ok_or_else(|| self.missing())?;
        let base = &live["Spec"];
        let body = next(base);
        if body == *base {
            return Ok(Done::Unchanged);
        }
        if live.pointer("/Version/Index").and_then(Value::as_u64) != Some(version) {
            return Err(self.conflict());
        }
        let path = format!(
            "/services/{}/update?version={version}&registryAuthFrom=spec",
            escape(id)
        );
        let sent: Result<serde::de::IgnoredAny, _> =
            self.engine.transport.call(Call::post(path, &body)).await;
        let error = match sent {
            Ok(_) => return Ok(Done::Updated),
            Err(error) => self.failed(error),
        };
        if let ActError::Indeterminate { .. } = error
            && let Ok(now) = self.engine.raw_service(id).await
            && next(&now["Spec"]) == now["Spec"]
        {
            return Ok(Done::Updated);
        }
        Err(error)
    }

    async fn remove_service(&self, id: &str, uid: &str) -> Result<Done, ActError> {
        match self.owned(id, uid).await? {
            Some(_) => self.delete("services", id).await,
            None => Ok(Done::AlreadyGone),
        }
    }

    /// Removes a network, secret or config, if this installation made it. A look that does not find it may be old: that
    /// it is gone is for the removal to say.
    async fn remove(&self, kind: &str, id: &str) -> Result<Done, ActError> {
        let path = format!("/{kind}/{}", escape(id));
        let found: Value = match self.engine.transport.call(Call::get(path)).await {
            Err(SwarmError::NotFound { .. }) => return self.delete(kind, id).await,
            answer => answer.map_err(|error| self.failed_read(error))?,
        };
        let labels = found.pointer("/Spec/Labels").or_else(|| found.get("Labels"));
        let labels = labels.and_then(|labels| Labels::deserialize(labels).ok());
        match labels.is_some_and(|labels| self.is_ours(&labels)) {
            true => self.delete(kind, id).await,
            false => Err(self.conflict()),
        }
    }

    pub(super) async fn delete(&self, kind: &str, id: &str) -> Result<Done, ActError> {
        let docker = &self.engine.docker;
        let what = format!("DELETE /{kind}/{id}");
        let sent = self.engine.bollard(what, self.engine.limits().write, async {
            match kind {
                "services" => docker.delete_service(id).await,
                "networks" => docker.remove_network(id).await,
                "secrets" => docker.delete_secret(id).await,
                _ => docker.delete_config(id).await,
            }
        });
        match sent.await {
            Ok(()) => Ok(Done::Removed),
            Err(SwarmError::NotFound { .. }) => Ok(Done::AlreadyGone),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// A service as it is now, if it is there; fails when it is not its owner's.
    async fn owned(&self, id: &str, uid: &str) -> Result<Option<Value>, ActError> {
        let live = match self.engine.raw_service(id).await {
            Err(SwarmError::NotFound { .. }) => return Ok(None),
            answer => answer.map_err(|error| self.failed_read(error))?,
        };
        let spec = wire::Spec::deserialize(&live["Spec"]).unwrap_or_default();
        match self.is_owned(&spec.labels, uid) {
            true => Ok(Some(live)),
            false => Err(self.conflict()),
        }
    }

    /// The ids of the files that a service refers to: ours alone. Networks are found by the engine itself.
    async fn ids(&self, spec: &ServiceSpec) -> Result<Ids, ActError> {
        let (secrets, configs) = (&spec.container.secrets, &spec.container.configs);
        let mut ids = Ids::default();
        if !secrets.is_empty() {
            let found = self.engine.secrets_named(&sources(secrets)).await;
            ids.secrets = self.ours(found.map_err(|error| self.failed_read(error))?);
        }
        if !configs.is_empty() {
            let found = self.engine.configs_named(&sources(configs)).await;
            ids.configs = self.ours(found.map_err(|error| self.failed_read(error))?);
        }
        let no_secret = secrets
            .iter()
            .find(|file| !ids.secrets.contains_key(&file.source));
        let no_config = configs
            .iter()
            .find(|file| !ids.configs.contains_key(&file.source));
        match no_secret.or(no_config) {
            Some(file) => Err(ActError::NotFound {
                what: self.what.to_owned(),
                message: format!("{} is not in the Swarm, or not ours", file.source),
            }),
            None => Ok(ids),
        }
    }

    async fn all_ids(&self, spec: &ServiceSpec) -> Result<Ids, ActError> {
        let names: Vec<String> = spec.networks.iter().cloned().collect();
        let networks = async {
            if names.is_empty() {
                return Ok(Vec::new());
            }
            let found = self.engine.networks_named(&names).await;
            found.map_err(|error| self.failed_read(error))
        };
        let (ids, networks) = tokio::try_join!(self.ids(spec), networks)?;
        let networks = networks.into_iter().filter(|network| network.swarm);
        Ok(Ids {
            networks: networks
                .map(|network| (network.name, network.network.id))
                .collect(),
            ..ids
        })
    }

    /// Of secrets or configs those that this installation made, ids by name.
    fn ours(&self, blobs: Vec<SeenBlob>) -> BTreeMap<String, String> {
        let ours = blobs.into_iter().filter(|blob| self.is_ours(&blob.blob.labels));
        ours.map(|blob| (blob.name, blob.blob.id)).collect()
    }

    /// Whether this installation made what carries these labels.
    pub(super) fn is_ours(&self, found: &Labels) -> bool {
        labels::is_ours(found, self.instance)
    }

    /// Whether this installation made it, for the owner of that uid.
    fn is_owned(&self, found: &Labels, uid: &str) -> bool {
        self.is_ours(found) && labels::uid(found) == Some(uid)
    }

    pub(super) fn failed(&self, error: SwarmError) -> ActError {
        ActError::from_engine(self.what, error)
    }

    /// A read before the change failed: whatever became of it, nothing was changed.
    pub(super) fn failed_read(&self, error: SwarmError) -> ActError {
        match self.failed(error) {
            ActError::Indeterminate { what, source } => ActError::Unavailable { what, source },
            other => other,
        }
    }

    pub(super) fn name_taken(&self) -> ActError {
        ActError::NameTaken {
            what: self.what.to_owned(),
        }
    }

    fn conflict(&self) -> ActError {
        ActError::Conflict {
            what: self.what.to_owned(),
        }
    }

    pub(super) fn refused(&self, message: &str) -> ActError {
        ActError::Refused {
            what: self.what.to_owned(),
            message: message.to_owned(),
        }
    }

    fn missing(&self) -> ActError {
        ActError::NotFound {
            what: self.what.to_owned(),
            message: "it was removed by somebody else".to_owned(),
        }
    }
}

/// What files are made of, by Swarm name.
fn sources(files: &[FileRef]) -> Vec<String> {
    files.iter().map(|file| file.source.clone()).collect()
}
