//! Files without names, for programs that are started: whatever becomes of this process, they are gone with it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A file with this content, which only this process and those that it starts can find.
///
/// # Errors
/// If the folder cannot be written to.
pub(super) fn file(folder: &Path, content: &[u8]) -> io::Result<File> {
    let path = folder.join(format!(".nameless-{}-{}", std::process::id(), content.len()));
    // Left by a process of the same number that ended before it could take the name away.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    file.write_all(content)?;
    Ok(file)
}

/// Where others find it, as long as it is open here.
pub(super) fn path(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}
