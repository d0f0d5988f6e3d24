//! The operator's secrets folder: `<folder>/<namespace>/<name>`, and its one secret of its own: the address of NATS
//! where that holds a password. Their content goes to the engine and nowhere else.

use std::fmt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::error::SecretError;
use crate::files::{Content, Folder, ReadError};
use crate::resource::names::{self, NATS_URL_SECRET};

/// The largest secret that Swarm takes, in bytes.
pub(super) const SECRET_MAX: u64 = 500 * 1024 - 1;

/// The folder that secret content comes from, when the operator has one, and the secret of its own. Cheap to clone.
#[derive(Clone, Default)]
pub struct SecretsDir {
    folder: Option<Folder>,
    nats_url: Option<SecretContent>,
}

impl fmt::Debug for SecretsDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretsDir").field(&self.folder).finish()
    }
}

/// The content of a secret; it cannot be printed.
#[derive(Clone, Debug)]
pub(super) struct SecretContent(Content);

impl SecretContent {
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// A text that changes with the content. Only who guesses the content learns it from that, so it is shown to those
    /// alone who may see the Swarm's secrets by name.
    pub(super) fn fingerprint(&self) -> String {
        names::hex(&Sha256::digest(self.bytes()))
    }
}

impl SecretsDir {
    /// A folder, or none.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder: folder.map(Folder::new),
            nats_url: None,
        }
    }

    /// The same with the address of NATS, which agents get as a file that is named [`NATS_URL_SECRET`].
    #[must_use]
    pub fn with_nats_url(self, url: &str) -> Self {
        Self {
            nats_url: Some(SecretContent(url.into())),
            ..self
        }
    }

    /// The content of a secret: of the operator's own, or of a file.
    pub(super) async fn read(&self, namespace: &str, name: &str) -> Result<SecretContent, SecretError> {
        if name == NATS_URL_SECRET {
            return self.nats_url.clone().ok_or(SecretError::NoNatsUrl);
        }
        let Some(folder) = &self.folder else {
            return Err(SecretError::NoFolder {
                name: name.to_owned(),
            });
        };
        let read = folder.read(&[namespace, name], SECRET_MAX).await;
        read.map(SecretContent).map_err(|why| told(name.to_owned(), why))
    }
}

/// What a file that cannot be had means for a secret.
fn told(name: String, why: ReadError) -> SecretError {
    match why {
        ReadError::Missing { path } => SecretError::Missing { name, path },
        ReadError::Outside => SecretError::Outside { name },
        ReadError::Size { bytes, most: _ } => SecretError::Size { name, bytes },
        ReadError::Unreadable { reason } => SecretError::Unreadable { name, reason },
        ReadError::Hung { seconds } => SecretError::Hung { name, seconds },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder() -> (tempfile::TempDir, SecretsDir) {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("default");
        fs::create_dir_all(inside.join("folder")).unwrap();
        fs::write(inside.join("token"), "hush\n").unwrap();
        fs::write(inside.join("huge"), vec![b'x'; 500 * 1024]).unwrap();
        let secrets = SecretsDir::new(Some(dir.path().to_owned()));
        (dir, secrets)
    }

    #[tokio::test]
    async fn content_is_a_files_and_what_is_wrong_with_it_is_told() {
        let (_dir, secrets) = folder();
        let content = secrets.read("default", "token").await.unwrap();
        assert_eq!(content.bytes(), b"hush\n", "all of it");
        for (name, expect) in [
            ("none", "secret \"none\" is missing: put its content into /"),
            ("../token", "leads out of"),
            ("huge", "holds 512000 bytes; Swarm takes 1 to 511999"),
            ("folder", "cannot be read: it is no plain file"),
        ] {
            let error = secrets.read("default", name).await.unwrap_err().to_string();
            assert!(error.contains(expect), "{name}: {error}");
        }
        let none = SecretsDir::default()
            .read("default", "token")
            .await
            .unwrap_err()
            .to_string();
        assert!(none.contains("--secrets-dir"), "{none}");
    }

    #[tokio::test]
    async fn the_address_of_nats_comes_from_no_file() {
        let (dir, secrets) = folder();
        fs::write(dir.path().join("default").join(NATS_URL_SECRET), "hush").unwrap();
        let none = secrets.read("default", NATS_URL_SECRET).await.unwrap_err();
        assert!(none.to_string().contains("--nats-url-file"), "{none}");
        let secrets = secrets.with_nats_url("nats://bob:hunter2@bus");
        for namespace in ["default", "prod"] {
            let content = secrets.read(namespace, NATS_URL_SECRET).await.unwrap();
            assert_eq!(content.bytes(), b"nats://bob:hunter2@bus");
        }
        assert!(!format!("{secrets:?}").contains("hunter2"), "{secrets:?}");
    }

    #[tokio::test]
    async fn a_fingerprint_changes_with_the_content_and_shows_none_of_it() {
        let (dir, secrets) = folder();
        let fingerprint = async || {
            let content = secrets.read("default", "token").await;
            content.unwrap().fingerprint()
        };
        let before = fingerprint().await;
        fs::write(dir.path().join("default/token"), "hush!").unwrap();
        let after = fingerprint().await;
        assert_ne!(before, after);
        let shown = format!("{:?}", secrets.read("default", "token").await.unwrap());
        assert!(!shown.contains("hush") && !after.contains("hush"), "{shown}");
    }
}
