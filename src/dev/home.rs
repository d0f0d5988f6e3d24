//! The folder that holds all that `whoosh up` makes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::DevError;
use crate::cli::paths;

/// Marks a folder as made by `whoosh up`: `down` deletes no other.
const MARK: &str = "made-by-whoosh-up";

/// Paths below the folder.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The folder at `root`, whether it exists or not.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes what is missing. Only the owner may enter `run`, where the sockets are.
    ///
    /// # Errors
    /// [`DevError::File`] when a folder cannot be made.
    pub fn create(&self) -> Result<(), DevError> {
        for folder in [self.root.clone(), self.run(), self.log(), self.secrets()] {
            fs::create_dir_all(&folder).map_err(DevError::file("create", &folder))?;
        }
        set_mode(&self.run(), 0o700)?;
        set_mode(&self.secrets(), 0o700)?;
        let mark = self.root.join(MARK);
        fs::write(&mark, "").map_err(DevError::file("write", &mark))
    }

    /// Whether `whoosh up` made it and `whoosh down` has not removed it.
    pub fn exists(&self) -> bool {
        self.root.join(MARK).exists()
    }

    /// Whether it holds a database of its own, and so the declarations.
    pub fn has_database(&self) -> bool {
        self.postgres().exists()
    }

    /// Deletes all of it. The secrets folder stays when somebody put secrets there.
    ///
    /// # Errors
    /// [`DevError::File`] when something cannot be deleted.
    pub fn remove(&self) -> Result<(), DevError> {
        for folder in [self.postgres(), self.run(), self.log()] {
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(DevError::file("remove", &folder))?;
            }
        }
        let mark = self.root.join(MARK);
        fs::remove_file(&mark).map_err(DevError::file("remove", &mark))?;
        // Both fail when the user keeps files there, which is what we want.
        let _kept = fs::remove_dir(self.secrets());
        let _kept = fs::remove_dir(&self.root);
        Ok(())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Sockets and pid files.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Logs.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The Postgres cluster.
    pub fn postgres(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// Secret files: `<namespace>/<name>`.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// The API's socket.
    pub fn socket(&self) -> PathBuf {
        paths::socket_in(&self.root)
    }
}

/// Sets a file's or folder's permission bits.
///
/// # Errors
/// [`DevError::File`] when the file system refuses.
pub fn set_mode(path: &Path, mode: u32) -> Result<(), DevError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(DevError::file("set the mode of", path))
}
