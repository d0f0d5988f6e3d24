//! A private Postgres, on a Unix socket only.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::eventually::eventually;
use super::hush::Hush;
use super::keeper::run;
use super::process::Process;

const PATIENCE: Duration = Duration::from_secs(30);

static SHARED: OnceCell<Postgres> = OnceCell::const_new();

/// A Postgres server with a data folder of its own.
pub(crate) struct Postgres {
    folder: PathBuf,
    server: Process,
    databases: AtomicU32,
}

/// A new, empty database of the Postgres that the tests share.
pub(crate) async fn database() -> Database {
    SHARED.get_or_init(Postgres::start).await.database().await
}

impl Postgres {
    /// Starts a Postgres for a test that will kill it; others use [`database`].
    pub(crate) async fn start() -> Self {
        let folder = run().room("postgres");
        if let Some((user, group)) = owner() {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let created = tool("initdb")
            .args([
                "--pgdata=data",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-sync",
            ])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(
            created.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&created.stderr)
        );
        let server = serve(&folder);
        let mut postgres = Self {
            folder,
            server,
            databases: AtomicU32::new(0),
        };
        postgres.until_it_answers().await;
        postgres
    }

    /// Creates an empty database.
    pub(crate) async fn database(&self) -> Database {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let maintenance = Database {
            url: self.url("postgres"),
        };
        maintenance
            .query(&format!("CREATE DATABASE {name} TEMPLATE template0"))
            .await
            .unwrap();
        Database { url: self.url(&name) }
    }

    /// SIGKILL: the server has no chance to say goodbye to its clients or its disk.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts the killed server on its data, and waits until it answers.
    pub(crate) async fn restart(&mut self) {
        // Sessions outlive a killed server by a moment, and no new one starts beside them.
        let data = self.folder.join("data");
        eventually(PATIENCE, "the killed server's sessions end", async || {
            let attached = sessions(&data);
            if attached == 0 { Ok(()) } else { Err(attached) }
        })
        .await;
        self.server = serve(&self.folder);
        self.until_it_answers().await;
    }

    fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}",
            self.folder.display()
        )
    }

    async fn until_it_answers(&mut self) {
        let maintenance = Database {
            url: self.url("postgres"),
        };
        eventually(PATIENCE, "Postgres answers", async || {
            self.server.assert_running();
            maintenance.query("SELECT 1").await
        })
        .await;
    }
}

/// A database of a private Postgres.
#[derive(Clone)]
pub(crate) struct Database {
    /// What sqlx and psql connect with.
    pub(crate) url: String,
}

impl Database {
    /// A new database with what is in this one, to which nobody else may be connected by then.
    pub(crate) async fn copy(&self) -> Self {
        static COPIES: AtomicU32 = AtomicU32::new(0);
        let copy = format!("copy{}", COPIES.fetch_add(1, Ordering::Relaxed));
        let command = format!("CREATE DATABASE {copy} TEMPLATE {}", self.name());
        let maintenance = self.beside("postgres");
        eventually(PATIENCE, "the database is copied", async || {
            maintenance.query(&command).await
        })
        .await;
        self.beside(&copy)
    }

    /// Removes it, whoever is connected.
    pub(crate) async fn remove(self) {
        let command = format!("DROP DATABASE {} WITH (FORCE)", self.name());
        self.beside("postgres").query(&command).await.unwrap();
    }

    fn name(&self) -> &str {
        let (before, _) = self.url.split_once('?').unwrap();
        before.rsplit('/').next().unwrap()
    }

    /// Another database of the same server.
    fn beside(&self, name: &str) -> Self {
        let url = self
            .url
            .replacen(&format!("/{}?", self.name()), &format!("/{name}?"), 1);
        Self { url }
    }

    /// Starts something between clients and the server that can go silent, and returns it with the URL to connect by.
    pub(crate) async fn hushed(&self) -> (Hush, String) {
        let (rest, folder) = self.url.split_once("host=").unwrap();
        let hush = Hush::before(&Path::new(folder).join(".s.PGSQL.5432")).await;
        let url = format!("{rest}host={}", hush.folder().display());
        (hush, url)
    }

    /// The answer of `psql` to a statement: a line for each row, `|` between columns; or its complaint.
    pub(crate) async fn query(&self, statement: &str) -> Result<String, String> {
        let output = tokio::process::Command::new("psql")
            .args([
                "--no-psqlrc",
                "--no-align",
                "--tuples-only",
                "--set=ON_ERROR_STOP=1",
            ])
            .args(["--dbname", &self.url, "--command", statement])
            .output()
            .await
            .unwrap();
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

fn serve(folder: &PathBuf) -> Process {
    let mut command = tool("postgres");
    command
        .args(["-D", "data", "-k"])
        .arg(folder)
        .current_dir(folder)
        .stdin(Stdio::null());
    for setting in [
        "listen_addresses=",
        "max_connections=400",
        // Nothing here has to outlive this machine's power.
        "fsync=off",
        "full_page_writes=off",
        // A killed server leaves nothing outside its folder.
        "dynamic_shared_memory_type=mmap",
    ] {
        command.args(["-c", setting]);
    }
    Process::spawn(&mut command, &folder.join("log"))
}

/// How many processes are attached to the shared memory that the pid file names.
fn sessions(data: &Path) -> u32 {
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let Some((_key, id)) = pid_file
        .lines()
        .nth(6)
        .and_then(|line| line.trim().split_once(' '))
    else {
        return 0;
    };
    let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let rows = segments
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    let attached = rows
        .filter(|row| row[1] == id.trim())
        .map(|row| row[6].parse::<u32>().unwrap());
    attached.sum()
}

/// One of Postgres's programs; it runs as `postgres` if we are root, as whom Postgres refuses to run.
fn tool(name: &str) -> Command {
    let mut command = Command::new(installed(name));
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    command
}

/// Debian keeps the programs of each version in a folder of their own and off the PATH.
fn installed(name: &str) -> PathBuf {
    let version = |folder: &fs::DirEntry| {
        folder
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
    };
    let newest = fs::read_dir("/usr/lib/postgresql").ok().and_then(|folders| {
        folders
            .filter_map(Result::ok)
            .filter(|folder| version(folder).is_some())
            .max_by_key(version)
    });
    newest.map_or_else(|| name.into(), |folder| folder.path().join("bin").join(name))
}

fn owner() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let account = accounts.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<&str> = account
        .expect("there is no user postgres; run scripts/setup")
        .split(':')
        .collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}
