//! The Unix socket: ours alone, and gone with us.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::connections::{self, Listener};

/// Names one run of one kernel; two machines never share it, however one was made from the other.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why the API cannot be served on a socket.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another operator holds the socket.
    #[error(
        "an operator is already running on {}; stop it with `whoosh down`, or choose another --socket",
        .0.display()
    )]
    AlreadyRunning(PathBuf),
    /// Other users can reach into the folder.
    #[error(
        "the folder {} is open to other users; use a folder of your own, or `chmod 700` it if only WHOOSH uses it",
        .0.display()
    )]
    OpenFolder(PathBuf),
    /// Something that is not a socket has the name.
    #[error("{} is in the way: it is not a socket; move it, or choose another --socket", .0.display())]
    InTheWay(PathBuf),
    /// The system refused.
    #[error("cannot listen on {}", .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A socket that only its owner can connect to. Its files go with it.
#[derive(Debug)]
pub struct Socket {
    listener: Listener,
    path: PathBuf,
    lock: Lock,
}

impl Socket {
    /// Listens on `path`, with mode 0600 in a folder with mode 0700 that is made when it is not there.
    ///
    /// A socket that a dead process left is replaced.
    ///
    /// # Errors
    /// [`ServeError::AlreadyRunning`] when a live process has it; otherwise what stands in the way.
    pub fn bind(path: &Path) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Io {
            path: path.to_owned(),
            source,
        };
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        make_private(folder).map_err(failed)?;
        if !is_private(folder).map_err(failed)? {
            return Err(ServeError::OpenFolder(folder.to_owned()));
        }
        let lock = Lock::take(path)?;
        clear(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self {
            listener: Listener::Unix(listener),
            path: path.to_owned(),
            lock,
        })
    }

    /// Names the process that holds this socket among all processes of all machines: another one has this name only
    /// once this one is gone, as its successor on the socket, until the machine starts anew.
    ///
    /// It is the lock's own identity: no other file of one run of one kernel has the same device and number.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn holder(&self) -> io::Result<String> {
        let boot = std::fs::read_to_string(BOOT_ID)?;
        let lock = self.lock.file.metadata()?;
        Ok(format!("{}/{}/{}", boot.trim(), lock.dev(), lock.ino()))
    }

    /// Serves `app` until `closing`, then lets requests that are under way end, for a few seconds at most.
    pub async fn serve(self, app: Router, closing: CancellationToken) {
        connections::serve(&self.listener, app, &closing).await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn is_private(folder: &Path) -> io::Result<bool> {
    let metadata = folder.metadata()?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    Ok(ours && metadata.mode() & 0o077 == 0)
}

/// Tells a socket that is in use from one that a dead process left: held as long as the socket.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Locks `<socket>.lock`.
    fn take(socket: &Path) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Io {
            path: socket.to_owned(),
            source,
        };
        let path = lock_path(socket);
        loop {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(ServeError::AlreadyRunning(socket.to_owned())),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            let locked = file.metadata().map_err(failed)?.ino();
            // Whoever held it may have removed it in between: then the lock is on a file without a name.
            if path.metadata().is_ok_and(|named| named.ino() == locked) {
                return Ok(Self { path, file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn lock_path(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        debug!(path = %path.display(), %error, "cannot remove a file of the socket");
    }
}

/// Removes what a dead process left at `path`. The lock is ours, but a live program without one counts too.
fn clear(path: &Path) -> Result<(), ServeError> {
    let failed = |source| ServeError::Io {
        path: path.to_owned(),
        source,
    };
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(ServeError::InTheWay(path.to_owned()));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(ServeError::AlreadyRunning(path.to_owned()));
    }
    std::fs::remove_file(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(path: &Path) -> Result<Socket, String> {
        Socket::bind(path).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_socket_is_its_owners_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/deep/whoosh.sock");
        let socket = bind(&path).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        drop(socket);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/whoosh.sock");
        make_private(path.parent().unwrap()).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let first = bind(&path).unwrap();
        let refused = bind(&path).unwrap_err();
        assert!(
            refused.starts_with("an operator is already running on "),
            "{refused}"
        );
        assert!(path.exists());
        drop(first);

        let stranger = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let refused = bind(&path).unwrap_err();
        assert!(
            refused.starts_with("an operator is already running on "),
            "{refused}"
        );
        drop(stranger);
        bind(&path).unwrap();
    }

    #[tokio::test]
    async fn a_holder_is_its_dead_predecessor_and_nobody_else() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("run");
        let path = folder.join("whoosh.sock");
        let first = bind(&path).unwrap();
        let name = first.holder().unwrap();

        let moved = home.path().join("moved");
        std::fs::rename(&folder, &moved).unwrap();
        let second = bind(&path).unwrap();
        assert_ne!(second.holder().unwrap(), name, "equal paths");
        drop(second);

        std::fs::remove_dir(&folder).unwrap();
        std::fs::rename(&moved, &folder).unwrap();
        // What the kernel does when a process is killed, but for the socket.
        first.lock.file.unlock().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(bind(&path).unwrap().holder().unwrap(), name, "after a crash");
    }

    #[tokio::test]
    async fn what_is_not_ours_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("run/whoosh.sock");
        make_private(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "precious").unwrap();
        let refused = bind(&file).unwrap_err();
        assert!(refused.contains("it is not a socket"), "{refused}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");

        let open = home.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        let refused = bind(&open.join("whoosh.sock")).unwrap_err();
        assert!(refused.contains("is open to other users"), "{refused}");
    }
}
