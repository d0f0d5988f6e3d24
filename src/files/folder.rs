//! A folder whose files are secrets, and how one of them is read.

use std::fmt;
use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use super::Content;
use super::reading::Reads;

/// How long a file may take. One on a mount that hangs takes for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// A folder with files of secrets. Clones share their reads.
#[derive(Clone)]
pub struct Folder {
    root: PathBuf,
    reads: Arc<Reads<Result<Content, ReadError>>>,
}

/// Why a file cannot be had. Never holds its content.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("there is no {}", path.display())]
    Missing {
        /// Where it is looked for.
        path: PathBuf,
    },
    /// A name or a link leads out of the folder.
    #[error("it leads out of its folder; use a plain file")]
    Outside,
    /// It holds nothing, or too much.
    #[error("it holds {bytes} bytes; 1 to {most} are read")]
    Size {
        /// Its length.
        bytes: u64,
        /// The most that is read.
        most: u64,
    },
    /// The file is there and cannot be read.
    #[error("it cannot be read: {reason}")]
    Unreadable {
        /// What the system said, or what is wrong with the file.
        reason: Arc<io::Error>,
    },
    /// The file did not answer in time.
    #[error("it does not answer within {seconds} s; look at the mount that it is on")]
    Hung {
        /// How long it had.
        seconds: u64,
    },
}

impl Folder {
    /// The folder at `root`, whether it is there or not.
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            reads: Arc::default(),
        }
    }

    /// Where the file of these names is: folders below this one, and its own.
    pub fn path(&self, names: &[&str]) -> PathBuf {
        names.iter().fold(self.root.clone(), |path, name| path.join(name))
    }

    /// The content of the file of these names, which has 1 to `most` bytes.
    ///
    /// Symbolic links may be used within the folder (as Kubernetes mounts have them), but may not lead out of it.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn read(&self, names: &[&str], most: u64) -> Result<Content, ReadError> {
        if !names.iter().copied().all(is_plain) {
            return Err(ReadError::Outside);
        }
        let (root, path) = (self.root.clone(), self.path(names));
        let asked = path.clone();
        let read = move || read_file(&root, &path, most);
        let hung = ReadError::Hung {
            seconds: PATIENCE.as_secs(),
        };
        self.reads.read(asked, PATIENCE, read).await.unwrap_or(Err(hung))
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Folder").field(&self.root).finish()
    }
}

/// Whether a word is one plain file name.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && word != "." && word != ".." && !word.contains(['/', '\0'])
}

fn read_file(root: &Path, path: &Path, most: u64) -> Result<Content, ReadError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ReadError::Missing {
            path: path.to_owned(),
        },
        _ => ReadError::Unreadable {
            reason: Arc::new(source),
        },
    };
    let root = root.canonicalize().map_err(failed)?;
    let real = path.canonicalize().map_err(failed)?;
    if !real.starts_with(&root) {
        return Err(ReadError::Outside);
    }
    let (content, bytes) = read_bounded(&real, most).map_err(failed)?;
    if content.is_empty() || bytes > most {
        return Err(ReadError::Size { bytes, most });
    }
    Ok(content.into())
}

/// The content of a plain file and its length; no more than one byte over the limit is read.
fn read_bounded(path: &Path, most: u64) -> io::Result<(Vec<u8>, u64)> {
    // To open a FIFO waits for a writer, and to open a device may do anything.
    check(&path.metadata()?)?;
    // It may have become another file since.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    check(&meta)?;
    let mut content = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut content)?;
    let bytes = meta.len().max(content.len() as u64);
    Ok((content, bytes))
}

/// Who may read it is for its folder to say, too, as container engines hand secrets out; who may write it is not.
fn check(meta: &Metadata) -> io::Result<()> {
    if !meta.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    match Mode::from_raw_mode(meta.mode()).contains(Mode::WOTH) {
        true => Err(io::Error::other("anybody may write to it; `chmod o-w` it")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    const MOST: u64 = 100;

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("secrets/default");
        fs::create_dir_all(&inside).unwrap();
        fs::write(dir.path().join("outside"), "top secret").unwrap();
        fs::write(inside.join("token"), "hush").unwrap();
        fs::write(inside.join("empty"), "").unwrap();
        fs::write(inside.join("huge"), [b'x'; 101]).unwrap();
        fs::write(inside.join("everybodys"), "hush").unwrap();
        fs::set_permissions(inside.join("everybodys"), Permissions::from_mode(0o666)).unwrap();
        fs::create_dir(inside.join("folder")).unwrap();
        mknodat(CWD, inside.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        symlink("/dev/zero", inside.join("device")).unwrap();
        symlink("token", inside.join("inside-link")).unwrap();
        symlink("../../outside", inside.join("outside-link")).unwrap();
        symlink(dir.path(), dir.path().join("secrets/elsewhere")).unwrap();
        let folder = Folder::new(dir.path().join("secrets"));
        (dir, folder)
    }

    #[tokio::test]
    async fn content_is_read_from_the_folder_and_from_nowhere_else() {
        let (_dir, folder) = folder();
        for name in ["token", "inside-link"] {
            let content = folder.read(&["default", name], MOST).await.unwrap();
            assert_eq!(content.bytes(), b"hush", "{name}");
        }
        for (names, expect) in [
            (&["default", "none"][..], "there is no /"),
            (&["none", "token"], "secrets/none/token"),
            (&["default", "outside-link"], "leads out of"),
            (&["elsewhere", "outside"], "leads out of"),
            (&["default", "../../outside"], "leads out of"),
            (&["..", "outside"], "leads out of"),
            (&["default", ""], "leads out of"),
            (&["default", "empty"], "it holds 0 bytes; 1 to 100 are read"),
            (&["default", "huge"], "it holds 101 bytes"),
            (&["default", "folder"], "it is no plain file"),
            (&["default", "pipe"], "it is no plain file"),
            (&["default", "everybodys"], "anybody may write to it"),
            (&["default", "device"], "leads out of"),
        ] {
            let error = folder.read(names, MOST).await.unwrap_err().to_string();
            assert!(
                error.contains(expect) && !error.contains("hush"),
                "{names:?}: {error}"
            );
        }
    }
}
