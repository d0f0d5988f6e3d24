//! A simulated Swarm, and an owner that acts and observes in it.

use std::path::PathBuf;

use tempfile::TempDir;
use whoosh::sim::{Settings, Simulation};
use whoosh::swarm::{SecretsDir, Tuning};

use crate::swarm::stage::{Stage, TUNING};

/// A simulation, and the folder of its socket.
pub(super) struct Sim {
    pub(super) simulation: Simulation,
    folder: TempDir,
}

impl Sim {
    pub(super) fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulation = Simulation::start(&folder.path().join("docker.sock"), settings).unwrap();
        Self { simulation, folder }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// An owner in it.
    pub(super) async fn stage(&self) -> Stage {
        self.stage_tuned(TUNING).await
    }

    pub(super) async fn stage_tuned(&self, tuning: Tuning) -> Stage {
        Stage::new(&self.host(), tuning, SecretsDir::default()).await
    }
}
