//! The operator's secrets folder: `<folder>/<namespace>/<name>`. Its content goes to the engine and nowhere else.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::SecretError;
use crate::resource::names;

/// The largest secret that Swarm takes, in bytes.
pub(super) const SECRET_MAX: u64 = 500 * 1024 - 1;

/// The folder that secret content comes from, when the operator has one.
#[derive(Clone, Debug, Default)]
pub struct SecretsDir(Option<PathBuf>);

/// The content of a secret; it cannot be printed.
pub(super) struct SecretContent(Vec<u8>);

impl SecretContent {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
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
        Self(folder)
    }

    /// A text that changes with a secret's content, and tells nothing else of it.
    pub(super) fn fingerprint(&self, namespace: &str, name: &str) -> Result<String, SecretError> {
        let content = self.read(namespace, name)?;
        Ok(names::hex(&Sha256::digest(content.bytes())))
    }

    /// The content of a secret. Symbolic links may be used within the folder (as Kubernetes mounts have them),
    /// but may not lead out of it.
    pub(super) fn read(&self, namespace: &str, name: &str) -> Result<SecretContent, SecretError> {
        let folder = self.0.as_deref().ok_or_else(|| SecretError::NoFolder {
            name: name.to_owned(),
        })?;
        if !is_plain(namespace) || !is_plain(name) {
            return Err(SecretError::Outside {
                name: name.to_owned(),
            });
        }
        let path = folder.join(namespace).join(name);
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => SecretError::Missing {
                name: name.to_owned(),
                path: path.clone(),
            },
            _ => SecretError::Unreadable {
                name: name.to_owned(),
                source,
            },
        };
        let root = folder.canonicalize().map_err(failed)?;
        let real = path.canonicalize().map_err(failed)?;
        if !real.starts_with(&root) {
            return Err(SecretError::Outside {
                name: name.to_owned(),
            });
        }
        let (content, length) = read_bounded(&real).map_err(failed)?;
        if content.is_empty() || length > SECRET_MAX {
            return Err(SecretError::Size {
                name: name.to_owned(),
                bytes: length,
            });
        }
        Ok(SecretContent(content))
    }
}

/// Whether a word is one plain file name.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && word != "." && word != ".." && !word.contains(['/', '\0'])
}

/// The content of a plain file and its length; no more than one byte over the limit is read.
fn read_bounded(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    // Before it is opened: to open a pipe waits for somebody who writes.
    let meta = path.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let file = std::fs::File::open(path)?;
    let mut content = Vec::new();
    file.take(SECRET_MAX + 1).read_to_end(&mut content)?;
    let length = meta.len().max(content.len() as u64);
    Ok((content, length))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, Mode, mkfifoat};

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
        mkfifoat(CWD, inside.join("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        symlink("token", inside.join("inside-link")).unwrap();
        symlink("../../outside", inside.join("outside-link")).unwrap();
        symlink(dir.path(), dir.path().join("secrets/elsewhere")).unwrap();
        let secrets = SecretsDir::new(Some(dir.path().join("secrets")));
        (dir, secrets)
    }

    #[test]
    fn content_is_read_from_the_folder_and_from_nowhere_else() {
        let (_dir, secrets) = folder();
        for name in ["token", "inside-link"] {
            assert_eq!(secrets.read("default", name).unwrap().bytes(), b"hush", "{name}");
        }
        for (namespace, name, expect) in [
            ("default", "none", "is missing: put its content into"),
            ("default", "outside-link", "leads out of"),
            ("elsewhere", "outside", "leads out of"),
            ("default", "../../outside", "leads out of"),
            ("..", "outside", "leads out of"),
            ("default", "empty", "holds 0 bytes"),
            ("default", "huge", "holds 512000 bytes; Swarm takes 1 to 511999"),
            ("default", "folder", "cannot be read"),
            ("default", "pipe", "cannot be read"),
        ] {
            let error = secrets.read(namespace, name).unwrap_err().to_string();
            assert!(error.contains(expect), "{namespace}/{name}: {error}");
        }
        let none = SecretsDir::default()
            .read("default", "token")
            .unwrap_err()
            .to_string();
        assert!(none.contains("--secrets-dir"), "{none}");
    }

    #[test]
    fn a_fingerprint_changes_with_the_content_and_shows_none_of_it() {
        let (dir, secrets) = folder();
        let before = secrets.fingerprint("default", "token").unwrap();
        fs::write(dir.path().join("secrets/default/token"), "hush!").unwrap();
        let after = secrets.fingerprint("default", "token").unwrap();
        assert_ne!(before, after);
        let shown = format!("{:?}", secrets.read("default", "token").unwrap());
        assert!(!shown.contains("hush") && !after.contains("hush"), "{shown}");
    }
}
