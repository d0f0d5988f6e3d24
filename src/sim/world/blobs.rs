//! Secrets and configs: made once, changed in their labels alone, kept while a service uses them.

use serde_json::Value;

use super::World;
use super::fields;
use super::model::{Blob, Id, Labels, Service};
use super::refusal::{Code, Refusal};
use super::shape::shaped;
use super::table::Table;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlobKind {
    Secret,
    Config,
}

impl BlobKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Config => "config",
        }
    }

    /// How many bytes are too many.
    fn limit(self) -> usize {
        match self {
            Self::Secret => 500 * 1024,
            Self::Config => 1000 * 1024,
        }
    }

    fn used_by(self, service: &Service) -> &[Id] {
        match self {
            Self::Secret => &service.spec.secrets,
            Self::Config => &service.spec.configs,
        }
    }
}

/// One that is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewBlob {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    /// Base64.
    pub(crate) data: String,
    /// The name of the driver that would hold it.
    pub(crate) driver: Option<String>,
    pub(crate) templating: Option<Value>,
}

impl World {
    pub(crate) fn blobs(&self, kind: BlobKind) -> &Table<Blob> {
        match kind {
            BlobKind::Secret => &self.secrets,
            BlobKind::Config => &self.configs,
        }
    }

    fn blobs_mut(&mut self, kind: BlobKind) -> &mut Table<Blob> {
        match kind {
            BlobKind::Secret => &mut self.secrets,
            BlobKind::Config => &mut self.configs,
        }
    }

    pub(super) fn put_blob(&mut self, kind: BlobKind, id: Id, blob: Blob) {
        self.blobs_mut(kind).put(id, blob);
    }

    /// Finds one by id, name, or the start of an id.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find_blob(&self, kind: BlobKind, name: &str) -> Result<&Blob, Refusal> {
        let all = || self.blobs(kind).iter().map(|(_, blob)| blob);
        self.blobs(kind)
            .get(name)
            .or_else(|| all().find(|blob| blob.name == name))
            .or_else(|| all().find(|blob| blob.id.starts_with(name)))
            .ok_or_else(|| Refusal::not_found(kind.word(), name))
    }

    /// Makes one from Base64; its id.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn create_blob(&mut self, kind: BlobKind, new: NewBlob) -> Result<Id, Refusal> {
        let word = kind.word();
        let NewBlob {
            name,
            labels,
            data,
            driver,
            templating,
        } = new;
        let templating = templating.map(|templating| shaped(&fields::DRIVER, &templating));
        if let Some(at) = first_illegal(&data) {
            return Err(Refusal::new(
                400,
                format!("illegal base64 data at input byte {at}"),
            ));
        }
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() {
            return Err(Refusal::invalid("name must be provided"));
        }
        let end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        if name.len() > 64
            || !name.bytes().all(letter)
            || !end(name.bytes().next())
            || !end(name.bytes().last())
        {
            return Err(Refusal::invalid(
                "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must \
                 be [a-zA-Z0-9]",
            ));
        }
        // A config's is passed over.
        match driver.filter(|_| kind == BlobKind::Secret) {
            Some(driver) if driver.is_empty() => {
                return Err(Refusal::invalid("secret driver must have a name"));
            }
            Some(driver) => {
                return Err(Refusal::rpc(
                    Code::Unknown,
                    &format!("plugin {driver:?} not found"),
                ));
            }
            None => {}
        }
        if !(1..kind.limit()).contains(&decoded_length(&data)) {
            return Err(Refusal::invalid(&format!(
                "{word} data must be larger than 0 and less than {} bytes",
                kind.limit()
            )));
        }
        if self.blobs(kind).iter().any(|(_, blob)| blob.name == name) {
            return Err(Refusal::rpc(
                Code::AlreadyExists,
                &format!("{word} {name} already exists"),
            ));
        }
        let blob = Blob {
            id: self.dice.id(),
            meta: self.born(),
            name,
            labels,
            data,
            templating: templating.transpose()?.flatten(),
        };
        let id = blob.id.clone();
        self.tell(word, "create", &id, &blob.name, &[]);
        self.blobs_mut(kind).put(id.clone(), blob);
        Ok(id)
    }

    /// Changes the labels.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn update_blob(
        &mut self,
        kind: BlobKind,
        found_by: &str,
        version: u64,
        name: &str,
        labels: Labels,
        data: Option<&str>,
    ) -> Result<(), Refusal> {
        let mut blob = self.find_blob(kind, found_by)?.clone();
        if name != blob.name || data.is_some_and(|data| !data.is_empty() && data != blob.data) {
            return Err(Refusal::invalid("only updates to Labels are allowed"));
        }
        if blob.meta.version != version {
            return Err(Refusal::out_of_sequence());
        }
        blob.labels = labels;
        blob.meta = self.written(blob.meta);
        self.tell(kind.word(), "update", &blob.id, &blob.name, &[]);
        self.blobs_mut(kind).put(blob.id.clone(), blob);
        Ok(())
    }

    /// Removes one that no service uses.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn remove_blob(&mut self, kind: BlobKind, name: &str) -> Result<(), Refusal> {
        let blob = self.find_blob(kind, name)?.clone();
        let users: Vec<&str> = self
            .services
            .iter()
            .filter(|(_, service)| kind.used_by(service).contains(&blob.id))
            .map(|(_, service)| service.spec.name.as_str())
            .collect();
        if !users.is_empty() {
            let plural = if users.len() == 1 { "" } else { "s" };
            return Err(Refusal::invalid(&format!(
                "{} '{}' is in use by the following service{plural}: {}",
                kind.word(),
                blob.name,
                users.join(", ")
            )));
        }
        self.blobs_mut(kind).remove(&blob.id);
        self.next_index();
        self.tell(kind.word(), "remove", &blob.id, &blob.name, &[]);
        Ok(())
    }
}

/// Where Base64 has a character that is none of its own.
fn first_illegal(base64: &str) -> Option<usize> {
    base64
        .bytes()
        .position(|byte| !byte.is_ascii_alphanumeric() && !b"+/=".contains(&byte))
}

fn decoded_length(base64: &str) -> usize {
    let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}
