//! The operator's secrets folder: `<folder>/<namespace>/<name>`, and its one secret of its own: the address of NATS
//! where that holds a password. Their content goes to the engine and nowhere else.

use std::fmt;
use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::error::SecretError;
use super::reading::Reads;
use crate::resource::names::{self, NATS_URL_SECRET};

/// The largest secret that Swarm takes, in bytes.
pub(super) const SECRET_MAX: u64 = 500 * 1024 - 1;

/// How long a file may take. One on a mount that hangs takes for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// The folder that secret content comes from, when the operator has one, and the secret of its own. Cheap to clone.
#[derive(Clone, Default)]
pub struct SecretsDir {
    folder: Option<PathBuf>,
    nats_url: Option<SecretContent>,
    reads: Arc<Reads<Result<SecretContent, SecretError>>>,
}

impl fmt::Debug for SecretsDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretsDir").field(&self.folder).finish()
    }
}

/// The content of a secret; it cannot be printed.
#[derive(Clone)]
pub(super) struct SecretContent(Arc<[u8]>);

impl SecretContent {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A text that changes with the content. Only who guesses the content learns it from that, so it is shown to those
    /// alone who may see the Swarm's secrets by name.
    pub(super) fn fingerprint(&self) -> String {
        names::hex(&Sha256::digest(self.bytes()))
    }
}

impl fmt::Debug for SecretContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretContent(…)")
    }
}

impl SecretsDir {
    /// A folder, or none.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            ..Self::default()
        }
    }

    /// The same with the address of NATS, which agents get as a file that is named [`NATS_URL_SECRET`].
    #[must_use]
    pub fn with_nats_url(self, url: &str) -> Self {
        Self {
            nats_url: Some(SecretContent(url.as_bytes().into())),
            ..self
        }
    }

    /// The content of a secret: of the operator's own, or of a file. Symbolic links may be used within the folder (as Kubernetes mounts have them),
    /// but may not lead out of it.
    pub(super) async fn read(&self, namespace: &str, name: &str) -> Result<SecretContent, SecretError> {
        if name == NATS_URL_SECRET {
            return self.nats_url.clone().ok_or(SecretError::NoNatsUrl);
        }
        let name = name.to_owned();
        let Some(folder) = self.folder.clone() else {
            return Err(SecretError::NoFolder { name });
        };
        if !is_plain(namespace) || !is_plain(&name) {
            return Err(SecretError::Outside { name });
        }
        let path = folder.join(namespace).join(&name);
        let hung = SecretError::Hung {
            name: name.clone(),
            seconds: PATIENCE.as_secs(),
        };
        let asked = path.clone();
        let read = move || read_file(&folder, &path, name);
        self.reads.read(asked, PATIENCE, read).await.unwrap_or(Err(hung))
    }
}

fn read_file(folder: &Path, path: &Path, name: String) -> Result<SecretContent, SecretError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => SecretError::Missing {
            name: name.clone(),
            path: path.to_owned(),
        },
        _ => SecretError::Unreadable {
            name: name.clone(),
            reason: Arc::new(source),
        },
    };
    let root = folder.canonicalize().map_err(failed)?;
    let real = path.canonicalize().map_err(failed)?;
    if !real.starts_with(&root) {
        return Err(SecretError::Outside { name });
    }
    let (content, length) = read_bounded(&real).map_err(failed)?;
    if content.is_empty() || length > SECRET_MAX {
        return Err(SecretError::Size { name, bytes: length });
    }
    Ok(SecretContent(content.into()))
}

/// Whether a word is one plain file name.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && word != "." && word != ".." && !word.contains(['/', '\0'])
}

/// The content of a plain file and its length; no more than one byte over the limit is read.
fn read_bounded(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    // To open a FIFO waits for a writer, and to open a device may do anything.
    require_plain(&path.metadata()?)?;
    // It may have become another file since.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    require_plain(&meta)?;
    let mut content = Vec::new();
    file.take(SECRET_MAX + 1).read_to_end(&mut content)?;
    let length = meta.len().max(content.len() as u64);
    Ok((content, length))
}

fn require_plain(meta: &Metadata) -> io::Result<()> {
    match meta.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is no plain file")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode};

    use super::*;

    fn folder() -> (tempfile::TempDir, SecretsDir) {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("secrets/default");
        fs::create_dir_all(&inside).unwrap();
        fs::write(dir.path().join("outside"), "top secret").unwrap();
        fs::write(inside.join("token"), "hush").unwrap();
        fs::write(inside.join("empty"), "").unwrap();
        fs::write(inside.join("huge"), vec![b'x'; 500 * 1024]).unwrap();
        fs::create_dir(inside.join("folder")).unwrap();
        rustix::fs::mknodat(CWD, inside.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        symlink("/dev/zero", inside.join("device")).unwrap();
        symlink("token", inside.join("inside-link")).unwrap();
        symlink("../../outside", inside.join("outside-link")).unwrap();
        symlink(dir.path(), dir.path().join("secrets/elsewhere")).unwrap();
        let secrets = SecretsDir::new(Some(dir.path().join("secrets")));
        (dir, secrets)
    }

    #[tokio::test]
    async fn content_is_read_from_the_folder_and_from_nowhere_else() {
        let (_dir, secrets) = folder();
        for name in ["token", "inside-link"] {
            assert_eq!(
                secrets.read("default", name).await.unwrap().bytes(),
                b"hush",
                "{name}"
            );
        }
        for (namespace, name, expect) in [
            ("default", "none", "is missing: put its content into"),
            ("default", "outside-link", "leads out of"),
            ("elsewhere", "outside", "leads out of"),
            ("default", "../../outside", "leads out of"),
            ("..", "outside", "leads out of"),
            ("default", "empty", "holds 0 bytes"),
            ("default", "huge", "holds 512000 bytes; Swarm takes 1 to 511999"),
            ("default", "folder", "cannot be read: it is no plain file"),
            ("default", "pipe", "cannot be read: it is no plain file"),
            ("default", "device", "leads out of"),
        ] {
            let error = secrets.read(namespace, name).await.unwrap_err().to_string();
            assert!(error.contains(expect), "{namespace}/{name}: {error}");
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
        fs::write(dir.path().join("secrets/default").join(NATS_URL_SECRET), "hush").unwrap();
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
        fs::write(dir.path().join("secrets/default/token"), "hush!").unwrap();
        let after = fingerprint().await;
        assert_ne!(before, after);
        let shown = format!("{:?}", secrets.read("default", "token").await.unwrap());
        assert!(!shown.contains("hush") && !after.contains("hush"), "{shown}");
    }
}
