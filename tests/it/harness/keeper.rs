//! The folder of a test run, and the keeper that clears up after it.
//!
//! The keeper is a process that holds the reading end of a pipe; the test process holds the other. The kernel
//! closes that when the test process ends, be it by SIGKILL, and so the keeper always learns of it. It then ends
//! the servers that the run started and removes the run's folder and control groups.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

static RUN: LazyLock<Run> = LazyLock::new(Run::begin);

/// The run of this test process.
pub(crate) fn run() -> &'static Run {
    &RUN
}

/// What all tests of a process share: a folder, and the keeper who removes it.
pub(crate) struct Run {
    folder: PathBuf,
    keeper: Mutex<Child>,
    rooms: AtomicU32,
}

impl Run {
    fn begin() -> Self {
        // Right below /tmp, since a Unix socket's path has at most 107 bytes.
        let folder = tempfile::Builder::new()
            .prefix("wit-")
            .tempdir_in("/tmp")
            .unwrap()
            .keep();
        fs::set_permissions(&folder, Permissions::from_mode(0o711)).unwrap();
        let keeper = Command::new("sh")
            .args(["-c", include_str!("keeper.sh"), "keeper"])
            .arg(&folder)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            folder,
            keeper: Mutex::new(keeper),
            rooms: AtomicU32::new(0),
        }
    }

    /// The run's folder; its name is unique on this machine.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new folder in the run's, named after `what` will live there.
    pub(crate) fn room(&self, what: &str) -> PathBuf {
        let number = self.rooms.fetch_add(1, Ordering::Relaxed) + 1;
        let room = self.folder.join(format!("{what}-{number}"));
        fs::create_dir(&room).unwrap();
        room
    }

    /// Hands the process group that `leader` leads to the keeper, who ends it when the run is over.
    pub(crate) fn entrust(&self, leader: u32) {
        let line = format!("{leader} {}\n", start_time(leader));
        self.keeper
            .lock()
            .unwrap()
            .stdin
            .as_mut()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
    }
}

/// When a process started, in the kernel's ticks since boot: with its number it names one process for ever.
fn start_time(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    after_name.split_whitespace().nth(19).unwrap().to_owned()
}
