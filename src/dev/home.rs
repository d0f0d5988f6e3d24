//! The folder that holds all that `whoosh up` makes.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::DevError;
use crate::cli::paths;

/// Marks a folder as made by `whoosh up`: `down` deletes no other.
const MARK: &str = "made-by-whoosh-up";
/// The most bytes of a Unix socket's path: unix(7) has 108 with the NUL at its end.
const SOCKET_MAX: usize = 107;
/// The socket with the longest path below the folder.
const LONGEST_SOCKET: &str = "/postgres/run/.s.PGSQL.5432";

/// Paths below the folder.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The folder at `root`, whether it exists or not. Servers run elsewhere, so it becomes a whole path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            root: std::path::absolute(&root).unwrap_or(root),
        }
    }

    /// Makes what is missing. Only the owner may enter `run`, where the sockets are.
    ///
    /// # Errors
    /// [`DevError::TooLong`] when the sockets would not fit; [`DevError::NotOurs`] when somebody else's files are
    /// there, which `remove` would delete; [`DevError::File`] when a folder cannot be made.
    pub fn create(&self) -> Result<(), DevError> {
        self.fits_sockets()?;
        fs::create_dir_all(&self.root).map_err(DevError::file("create", &self.root))?;
        if !self.exists() && self.holds_others()? {
            return Err(DevError::NotOurs(self.root.clone()));
        }
        let mark = self.root.join(MARK);
        fs::write(&mark, "").map_err(DevError::file("write", &mark))?;
        let [secrets, git_secrets] = self.all_secrets();
        for folder in [self.run(), self.log(), secrets.clone(), git_secrets.clone()] {
            fs::create_dir_all(&folder).map_err(DevError::file("create", &folder))?;
        }
        for folder in [self.run(), secrets, git_secrets] {
            set_mode(&folder, 0o700)?;
        }
        Ok(())
    }

    fn fits_sockets(&self) -> Result<(), DevError> {
        let (length, most) = (self.root.as_os_str().len(), SOCKET_MAX - LONGEST_SOCKET.len());
        if length <= most {
            return Ok(());
        }
        Err(DevError::TooLong {
            path: self.root.clone(),
            length,
            most,
        })
    }

    /// Whether anything but secrets, which stay when the rest goes, is in a folder without a mark.
    fn holds_others(&self) -> Result<bool, DevError> {
        let entries = fs::read_dir(&self.root).map_err(DevError::file("read", &self.root))?;
        Ok(entries
            .flatten()
            .any(|entry| !self.all_secrets().contains(&entry.path())))
    }

    /// Whether `whoosh up` made it and `whoosh down` has not removed it.
    pub fn exists(&self) -> bool {
        self.root.join(MARK).exists()
    }

    /// Why there is nothing to stop, for people.
    pub fn nothing(&self) -> String {
        let root = self.root.display();
        match self.holds_others() {
            Ok(true) => format!("what is in {root} was not made by `whoosh up`"),
            Ok(false) if !self.kept_secrets().is_empty() => format!("{root} holds only your secrets"),
            Ok(false) => format!("{root} is empty"),
            Err(DevError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                format!("there is no {root}")
            }
            Err(error) => error.to_string(),
        }
    }

    /// Whether it holds a database of its own, and so the declarations.
    pub fn has_database(&self) -> bool {
        self.postgres().exists()
    }

    /// Deletes all of it. Folders of secrets stay when somebody put some there.
    ///
    /// # Errors
    /// [`DevError::File`] when something cannot be deleted.
    pub fn remove(&self) -> Result<(), DevError> {
        // The database goes last: it tells a removal that was cut off from a database that is not ours.
        let kubeconfig = self.kubeconfig();
        if kubeconfig.exists() {
            fs::remove_file(&kubeconfig).map_err(DevError::file("remove", &kubeconfig))?;
        }
        for folder in [self.log(), self.run(), self.git(), self.pki(), self.postgres()] {
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(DevError::file("remove", &folder))?;
            }
        }
        let mark = self.root.join(MARK);
        fs::remove_file(&mark).map_err(DevError::file("remove", &mark))?;
        // Each fails when the user keeps files there, which is what we want.
        for folder in self.all_secrets() {
            let _kept = fs::remove_dir(folder);
        }
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

    /// What was fetched from Git repositories.
    pub fn git(&self) -> PathBuf {
        self.root.join("git")
    }

    /// Secret files: `<namespace>/<name>`.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Secrets of GitSources: `<namespace>/<name>/<file>`.
    pub fn git_secrets(&self) -> PathBuf {
        self.root.join("git-secrets")
    }

    fn all_secrets(&self) -> [PathBuf; 2] {
        [self.secrets(), self.git_secrets()]
    }

    /// The folders of secrets that are there.
    pub fn kept_secrets(&self) -> Vec<PathBuf> {
        let mut kept = Vec::from(self.all_secrets());
        kept.retain(|folder| folder.exists());
        kept
    }

    /// The authority that signs the certificate of the API.
    pub fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    /// What kubectl needs to come in.
    pub fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
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
    fn why_there_is_nothing_to_stop_is_true() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        let root = home.root().display().to_string();
        assert_eq!(home.nothing(), format!("there is no {root}"));
        home.create().unwrap();
        fs::write(home.secrets().join("token"), "s3cret").unwrap();
        home.remove().unwrap();
        assert_eq!(home.nothing(), format!("{root} holds only your secrets"));
        fs::remove_dir_all(home.secrets()).unwrap();
        assert_eq!(home.nothing(), format!("{root} is empty"));
        fs::write(home.root().join("notes"), "").unwrap();
        assert_eq!(
            home.nothing(),
            format!("what is in {root} was not made by `whoosh up`")
        );
    }

    #[test]
    fn a_removal_that_was_cut_off_is_still_one_of_our_own_database() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        home.create().unwrap();
        fs::create_dir_all(home.postgres()).unwrap();
        // A folder that cannot be removed stands for an end at that moment.
        fs::remove_dir(home.run()).unwrap();
        fs::write(home.run(), "").unwrap();
        home.remove().unwrap_err();
        assert!(home.exists() && home.has_database());
    }

    #[test]
    fn a_folder_with_secrets_alone_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        home.create().unwrap();
        fs::create_dir_all(home.git().join("cache")).unwrap();
        for secrets in [home.secrets(), home.git_secrets()] {
            assert_eq!(
                fs::metadata(&secrets).unwrap().permissions().mode() & 0o777,
                0o700
            );
            fs::write(secrets.join("token"), "s3cret").unwrap();
        }
        home.remove().unwrap();
        assert_eq!(home.kept_secrets(), [home.secrets(), home.git_secrets()]);
        assert!(home.git_secrets().join("token").exists() && !home.git().exists());
        home.create().unwrap();
        home.create().unwrap();
        assert!(home.exists());
    }

    #[test]
    fn a_path_that_is_too_long_for_sockets_is_refused_before_anything_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let of_length = |length: usize| {
            let missing = length - folder.path().as_os_str().len() - 1;
            Home::new(folder.path().join("x".repeat(missing)))
        };
        of_length(80).create().unwrap();
        let longest = of_length(80).postgres().join("run/.s.PGSQL.5432");
        assert_eq!(longest.as_os_str().len(), SOCKET_MAX);
        let home = of_length(81);
        let why = home.create().unwrap_err().to_string();
        assert!(
            why.contains("has 81 bytes") && why.contains("at most 80"),
            "{why}"
        );
        assert!(!home.root().exists());
    }
}
