//! The operator's secrets folder: `<folder>/<namespace>/<name>`. Its content goes to the engine and nowhere else.

use std::path::PathBuf;

use super::error::SecretError;

/// The largest secret that Swarm takes, in bytes.
pub const SECRET_MAX: u64 = 500 * 1024;

/// The folder that secret content comes from, when the operator has one.
#[derive(Clone, Debug, Default)]
pub struct SecretsDir(Option<PathBuf>);

impl SecretsDir {
    /// A folder, or none.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// The Swarm name of a secret, by its present content.
    pub fn swarm_name(&self, namespace: &str, name: &str) -> Result<String, SecretError> {
        let _ = namespace;
        Err(SecretError::NoFolder {
            name: name.to_owned(),
        })
    }
}
