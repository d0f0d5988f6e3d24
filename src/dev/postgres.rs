//! A private Postgres: a Unix socket in a folder of our own, no TCP, no password.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tokio::net::UnixStream;

use super::process::{self, Launch, Process, folder_of};
use super::user::{self, Account};
use super::{DevError, Home};

/// The name of its only role and database.
const NAME: &str = "whoosh";
/// Names the socket file, `.s.PGSQL.5432`; no TCP port is opened.
const PORT: u16 = 5432;
/// How long it may take to come up; after a crash it first reads what it had written.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where Debian and others keep the server's programs, one folder a major version.
const VERSIONS: [&str; 3] = [
    "/usr/lib/postgresql",
    "/usr/pgsql",
    "/opt/homebrew/opt/postgresql",
];

/// The private Postgres below a home.
#[derive(Clone, Debug)]
pub struct Postgres {
    process: Process,
    data: PathBuf,
    sockets: PathBuf,
}

impl Postgres {
    /// The one that belongs to `home`.
    pub fn new(home: &Home) -> Self {
        let data = home.postgres().join("data");
        Self {
            process: Process::new(home, "postgres"),
            data,
            sockets: home.postgres().join("run"),
        }
    }

    /// Its URL. It holds no secret: whoever can enter the socket's folder may connect.
    fn url(&self) -> String {
        let folder: String = self
            .sockets
            .display()
            .to_string()
            .replace('%', "%25")
            .replace('/', "%2F");
        format!("postgres://{NAME}@{folder}:{PORT}/postgres")
    }

    /// Starts it, after making its cluster the first time, and returns its URL. Starts nothing when it runs.
    ///
    /// # Errors
    /// [`DevError`] when its programs are missing or it does not come up.
    pub async fn up(&self) -> Result<String, DevError> {
        let socket = self.sockets.join(format!(".s.PGSQL.{PORT}"));
        let answers = || async { UnixStream::connect(&socket).await.is_ok() };
        if self.process.running().is_some() {
            match self.process.wait_until(PATIENCE, answers).await {
                // It was about to end.
                Err(DevError::Ended { .. }) => {}
                ready => return ready.map(|()| self.url()),
            }
        }
        let programs = programs()?;
        let account = user::unprivileged()?;
        self.make_cluster(&programs, account.as_ref())?;
        let args = [
            format!("-D{}", self.data.display()),
            format!("-k{}", self.sockets.display()),
            format!("-p{PORT}"),
            "--listen_addresses=".to_owned(),
            "--unix_socket_permissions=0700".to_owned(),
        ];
        let program = programs.join("postgres");
        let launch = Launch {
            program: &program,
            args: &args,
            environment: &[],
            account,
        };
        self.process
            .start_until(&launch, PATIENCE, answers, || self.is_left_locked())
            .await?;
        Ok(self.url())
    }

    /// Whether its folder is locked by a server that was killed. Postgres refuses to start while that one is not
    /// buried yet, or its last processes still end.
    fn is_left_locked(&self) -> bool {
        let lock = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let pid = lock.lines().next().and_then(|line| line.trim().parse().ok());
        pid.is_some_and(|pid| !process::is_alive(pid))
    }

    /// Stops it. SIGINT is Postgres' fast shutdown: clients are cut, nothing is lost.
    ///
    /// # Errors
    /// [`DevError::StillRunning`] when it does not end.
    pub async fn down(&self) -> Result<(), DevError> {
        self.process.stop(Signal::INT, Duration::from_secs(20)).await
    }

    fn make_cluster(&self, programs: &Path, account: Option<&Account>) -> Result<(), DevError> {
        let folder = self.data.parent().unwrap_or(&self.data);
        for path in [folder, &self.sockets] {
            fs::create_dir_all(path).map_err(DevError::file("create", path))?;
            super::home::set_mode(path, 0o700)?;
            account.map_or(Ok(()), |account| account.own(path))?;
        }
        if self.data.join("PG_VERSION").exists() {
            return Ok(());
        }
        // An initdb that was cut off leaves a folder that the next one refuses.
        if self.data.exists() {
            fs::remove_dir_all(&self.data).map_err(DevError::file("remove", &self.data))?;
        }
        let mut command = Command::new(programs.join("initdb"));
        command.args([
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--username",
            NAME,
            "--no-instructions",
        ]);
        command.arg("-D").arg(&self.data).current_dir("/");
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
        let output = command.output().map_err(|source| DevError::Run {
            program: "initdb".to_owned(),
            source,
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(DevError::Failed {
            program: "initdb".to_owned(),
            output: said,
        })
    }
}

/// The folder of the newest installed server's programs.
fn programs() -> Result<PathBuf, DevError> {
    let mut found: Vec<(u32, PathBuf)> = VERSIONS
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten())
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").exists() && folder.join("postgres").exists())
        .collect();
    found.sort();
    let newest = found.pop().map(|(_, folder)| folder);
    newest.or_else(|| folder_of("initdb")).ok_or(DevError::Missing {
        program: "the Postgres server (initdb, postgres)",
        package: "postgresql",
        flag: "--database-url",
    })
}
