//! How much of a repository is too much.

use serde::{Deserialize, Serialize};

const MIB: u64 = 1024 * 1024;

/// What one fetch may cost. Whatever is more ends it, with an error that names the figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes that the server sends in answer to one request; 256 MiB.
    pub pack: u64,
    /// Bytes of the largest object in it when it is unpacked, wherever in the repository it lies; 64 MiB.
    pub object: u64,
    /// Names of files and folders below the path, of any kind; 200,000.
    pub entries: usize,
    /// Folders within folders below the path; 32.
    pub depth: usize,
    /// Files that are read; 10,000.
    pub files: usize,
    /// Bytes of a file that is read; 1 MiB.
    pub file: u64,
    /// Bytes of all files that are read; 16 MiB.
    pub total: u64,
    /// Bytes of address space that the process may take, its program and the mapped pack included; 2 GiB.
    pub memory: u64,
    /// Bytes that a cache may hold before it is made anew; 1 GiB.
    pub cache: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pack: 256 * MIB,
            object: 64 * MIB,
            entries: 200_000,
            depth: 32,
            files: 10_000,
            file: MIB,
            total: 16 * MIB,
            memory: 2048 * MIB,
            cache: 1024 * MIB,
        }
    }
}

/// A number of bytes as people read it: exact, in the largest unit that keeps it whole.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0 => "0 bytes".to_owned(),
        count if count.is_multiple_of(MIB) => format!("{} MiB", count / MIB),
        count if count.is_multiple_of(1024) => format!("{} KiB", count / 1024),
        count => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_exact() {
        let shown: Vec<String> = [0, 1023, 1024, 3 * MIB, MIB + 1].map(bytes).into();
        assert_eq!(
            shown,
            ["0 bytes", "1023 bytes", "1 KiB", "3 MiB", "1048577 bytes"]
        );
    }
}
