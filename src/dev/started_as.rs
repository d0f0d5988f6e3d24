//! What a background process was started as, so that `up` can tell whether it is still what is wanted.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{DevError, Home};

/// Remembers the program and the settings of one process below a home.
#[derive(Clone, Debug)]
pub struct StartedAs {
    file: PathBuf,
}

impl StartedAs {
    /// That of the process called `name`.
    pub fn new(home: &Home, name: &str) -> Self {
        Self {
            file: home.run().join(format!("{name}.started-as")),
        }
    }

    /// Whether it was started as this program, unchanged since, with these settings.
    pub fn is(&self, program: &Path, settings: &[(&str, String)]) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|known| known == fingerprint(program, settings))
    }

    /// Notes what it is started as now.
    ///
    /// # Errors
    /// [`DevError::File`] when that cannot be written.
    pub fn note(&self, program: &Path, settings: &[(&str, String)]) -> Result<(), DevError> {
        fs::write(&self.file, fingerprint(program, settings)).map_err(DevError::file("write", &self.file))
    }
}

/// A hash of what is started: the settings may hold passwords, so they are not kept themselves.
fn fingerprint(program: &Path, settings: &[(&str, String)]) -> String {
    let changed = fs::metadata(program).and_then(|data| data.modified()).ok();
    let text = format!("{program:?} {changed:?} {settings:?}");
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
