//! What `whoosh up` was told, kept for a `whoosh down` that needs the operator once more.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroU16;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{DevError, Home};

/// How the operator is started, whatever its database. The NATS address may hold a password.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// An existing NATS; a private one is started when `None`.
    pub nats_url: Option<String>,
    /// The Docker Engine, as `DOCKER_HOST` names one. It is not asked when the Swarm is simulated.
    pub docker_host: String,
    /// How many nodes a simulated Swarm has; there is none, but a Docker Engine, when `None`.
    #[serde(default)]
    pub simulated_nodes: Option<NonZeroU16>,
    /// The folder of secret files, as a whole path; one below the home when `None`.
    pub secrets_dir: Option<PathBuf>,
    /// The folder of the secrets of GitSources, likewise.
    #[serde(default)]
    pub git_secrets: Option<PathBuf>,
    /// What is logged.
    pub log: String,
    /// How a line of the log is written: `text` or `json`.
    pub log_format: String,
}

impl Settings {
    /// Those that the last operator below `home` was started with; `None` when there was none.
    ///
    /// # Errors
    /// [`DevError::Settings`] when they cannot be read.
    pub fn read(home: &Home) -> Result<Option<Self>, DevError> {
        let path = path(home);
        let failed = |source| DevError::Settings {
            path: path.clone(),
            source,
        };
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| failed(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Refuses to take what is declared below `home` from a real Swarm to a simulated one, or back: agents would
    /// be left behind on the one, and started on the other without anybody asking for it.
    ///
    /// # Errors
    /// [`DevError::OtherSwarm`].
    pub fn stay_with_swarm(&self, home: &Home) -> Result<(), DevError> {
        // Those that cannot be read are about to be replaced.
        match Self::read(home).ok().flatten() {
            Some(known) if known.simulated_nodes.is_some() != self.simulated_nodes.is_some() => {
                Err(DevError::OtherSwarm {
                    home: home.root().to_owned(),
                    is_simulated: known.simulated_nodes.is_some(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Keeps them, for the owner of `home` alone.
    ///
    /// # Errors
    /// [`DevError::File`] when they cannot be written.
    pub fn write(&self, home: &Home) -> Result<(), DevError> {
        let path = path(home);
        let new = path.with_extension("new");
        let written = || -> io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            fs::rename(&new, &path)
        };
        written().map_err(DevError::file("write", &path))
    }
}

fn path(home: &Home) -> PathBuf {
    home.run().join("up.json")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_up_was_told_is_there_for_down_and_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        home.create().unwrap();
        assert!(Settings::read(&home).unwrap().is_none());
        let told = Settings {
            nats_url: Some("nats://user:hunter2@nats:4222".to_owned()),
            docker_host: "unix:///elsewhere.sock".to_owned(),
            simulated_nodes: None,
            secrets_dir: Some("/etc/whoosh/secrets".into()),
            git_secrets: Some("/etc/whoosh/git-secrets".into()),
            log: "debug".to_owned(),
            log_format: "json".to_owned(),
        };
        told.write(&home).unwrap();
        assert!(Settings::read(&home).unwrap() == Some(told.clone()));
        told.stay_with_swarm(&home).unwrap();
        let simulated = Settings {
            simulated_nodes: NonZeroU16::new(3),
            ..told
        };
        let why = simulated.stay_with_swarm(&home).unwrap_err().to_string();
        assert!(why.contains("manages a real Swarm"), "{why}");
        let mode = fs::metadata(path(&home)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(path(&home), "{").unwrap();
        let why = Settings::read(&home).err().unwrap().to_string();
        assert!(why.contains("run `whoosh up` again"), "{why}");
        home.remove().unwrap();
        assert!(!path(&home).exists());
    }
}
