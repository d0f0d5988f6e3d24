//! The folder that holds all that `whoosh up` makes.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

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
    /// [`DevError::NotOurs`] when somebody else's files are there, which `remove` would delete;
    /// [`DevError::File`] when a folder cannot be made.
    pub fn create(&self) -> Result<(), DevError> {
        fs::create_dir_all(&self.root).map_err(DevError::file("create", &self.root))?;
        if !self.exists() && self.holds_others()? {
            return Err(DevError::NotOurs(self.root.clone()));
        }
        let mark = self.root.join(MARK);
        fs::write(&mark, "").map_err(DevError::file("write", &mark))?;
        for folder in [self.run(), self.log(), self.secrets()] {
            fs::create_dir_all(&folder).map_err(DevError::file("create", &folder))?;
        }
        set_mode(&self.run(), 0o700)?;
        set_mode(&self.secrets(), 0o700)
    }

    /// Waits for its turn to start or stop what is below the folder, for as long as the result lives.
    ///
    /// # Errors
    /// [`DevError::File`] when the folder is not there or cannot be locked.
    pub async fn lock(&self) -> Result<File, DevError> {
        let folder = File::open(&self.root).map_err(DevError::file("open", &self.root))?;
        loop {
            match folder.try_lock() {
                Ok(()) => return Ok(folder),
                Err(fs::TryLockError::WouldBlock) => sleep(Duration::from_millis(50)).await,
                Err(fs::TryLockError::Error(source)) => {
                    return Err(DevError::file("lock", &self.root)(source));
                }
            }
        }
    }

    /// Whether anything but secrets, which stay when the rest goes, is in a folder without a mark.
    fn holds_others(&self) -> Result<bool, DevError> {
        let entries = fs::read_dir(&self.root).map_err(DevError::file("read", &self.root))?;
        Ok(entries.flatten().any(|entry| entry.path() != self.secrets()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_somebody_elses_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("log")).unwrap();
        let home = Home::new(folder.path());
        assert!(matches!(home.create(), Err(DevError::NotOurs(_))));
        assert!(!home.exists());
        assert!(!home.run().exists());
    }

    #[test]
    fn a_folder_with_secrets_alone_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        home.create().unwrap();
        fs::write(home.secrets().join("token"), "s3cret").unwrap();
        home.remove().unwrap();
        assert!(home.secrets().join("token").exists());
        home.create().unwrap();
        home.create().unwrap();
        assert!(home.exists());
    }
}
