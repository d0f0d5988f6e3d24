//! `sshd` on a port of this machine, for the user that runs the tests and one key of theirs.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::super::eventually::eventually;
use super::super::keeper::run;
use super::super::process::Process;

/// sshd wants a folder below /run; it gets one that nobody else sees.
const START: &str =
    "mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec \"$(command -v sshd)\" -D -e -f \"$0\"";
/// Where sshd is, if not where everybody's programs are.
const SYSTEM: &str = "/usr/local/sbin:/usr/sbin:/sbin";

/// A server with a host key of its own.
pub(crate) struct Sshd {
    port: u16,
    folder: PathBuf,
    _process: Process,
}

impl Sshd {
    pub(crate) async fn start() -> Self {
        let folder = run().room("sshd");
        for name in ["host", "client"] {
            new_key(&folder.join(name));
        }
        fs::copy(folder.join("client.pub"), folder.join("authorized_keys")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let path = std::env::var("PATH").unwrap();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized_keys\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             PidFile none\nAcceptEnv GIT_PROTOCOL\nSetEnv PATH={path} GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1\n",
            folder.display()
        );
        fs::write(folder.join("config"), config).unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", START])
            .arg(folder.join("config"))
            .env("PATH", format!("{path}:{SYSTEM}"));
        let mut process = Process::spawn(&mut command, &folder.join("log"));
        eventually(Duration::from_secs(10), "sshd listens", async || {
            process.assert_running();
            TcpStream::connect(("127.0.0.1", port)).map(drop)
        })
        .await;
        Self {
            port,
            folder,
            _process: process,
        }
    }

    /// The address of a folder of this machine.
    pub(crate) fn url(&self, path: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", user(), self.port, path.display())
    }

    /// The key that it lets in.
    pub(crate) fn identity(&self) -> String {
        fs::read_to_string(self.folder.join("client")).unwrap()
    }

    /// The line by which it is known.
    pub(crate) fn known_hosts(&self) -> String {
        self.known_as("host")
    }

    /// A line by which another server would be known in its place.
    pub(crate) fn known_hosts_of_another(&self) -> String {
        self.known_as("client")
    }

    fn known_as(&self, key: &str) -> String {
        let public = fs::read_to_string(self.folder.join(key).with_extension("pub")).unwrap();
        format!("[127.0.0.1]:{} {public}", self.port)
    }
}

/// A new private key that nobody lets in.
pub(crate) fn strangers_key() -> String {
    let path = run().room("stranger").join("key");
    new_key(&path);
    fs::read_to_string(path).unwrap()
}

fn new_key(path: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status()
        .unwrap();
    assert!(made.success());
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
