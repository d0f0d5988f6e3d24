//! What can go wrong on this machine, and what to do then.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why `up` or `down` could not finish.
#[derive(Debug, Error)]
pub enum DevError {
    /// A program that is needed is not installed.
    #[error(
        "cannot find {program}; install it (on Debian: apt-get install {package}), or use an existing server with {flag}"
    )]
    Missing {
        /// The program.
        program: &'static str,
        /// Debian's package of it.
        package: &'static str,
        /// The flag that names an existing server instead.
        flag: &'static str,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {what} {path}", path = path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What `up` was told cannot be read.
    #[error(
        "cannot read in {path} what `whoosh up` was told (run `whoosh up` again, with its flags)",
        path = path.display()
    )]
    Settings {
        /// Where it is kept.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What is below the folder manages a simulated Swarm, and a real one was asked for; or the other way round.
    #[error(
        "the operator below {home} manages a {there} Swarm; `whoosh up{flag}` starts what is missing of it, `whoosh down` \
         removes it with what is declared, and WHOOSH_HOME set to another folder has a {wanted} one beside it",
        home = home.display(),
        there = kind_of_swarm(*is_simulated),
        flag = if *is_simulated { " --simulate" } else { "" },
        wanted = kind_of_swarm(!is_simulated)
    )]
    OtherSwarm {
        /// The folder.
        home: PathBuf,
        /// Whether the Swarm that is there is the simulated one.
        is_simulated: bool,
    },
    /// Sockets below the folder would have longer paths than the system takes.
    #[error(
        "{path} is too long a path: it has {length} bytes, and sockets below it need it to have at most {most}; set \
         WHOOSH_HOME to a shorter one",
        path = path.display()
    )]
    TooLong {
        /// The folder.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// The most that it may have.
        most: usize,
    },
    /// The folder has files that WHOOSH did not make.
    #[error(
        "{path} holds files that are not WHOOSH's; set WHOOSH_HOME to a new or an empty folder",
        path = _0.display()
    )]
    NotOurs(PathBuf),
    /// A program could not be run.
    #[error("cannot run {program}")]
    Run {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A program that prepares something failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program.
        program: String,
        /// What it said.
        output: String,
    },
    /// There is no configuration for kubectl.
    #[error("the operator runs, but no configuration for kubectl could be made; try `whoosh kubeconfig`")]
    Kubeconfig,
    /// A server did not come up.
    #[error("{name} did not become ready within {seconds} s; its log, {log}, ends:\n{tail}", log = log.display())]
    NotReady {
        /// Which server.
        name: &'static str,
        /// How long it had.
        seconds: u64,
        /// Its log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A server came up and waits for something else.
    #[error("{name} did not become ready within {seconds} s: {why}")]
    Waits {
        /// Which server.
        name: &'static str,
        /// How long it had.
        seconds: u64,
        /// What it waits for, in its own words.
        why: String,
    },
    /// A server ended before it was ready.
    #[error("{name} ended after {after}; its log, {log}, ends:\n{tail}", log = log.display())]
    Ended {
        /// Which server.
        name: &'static str,
        /// How long it ran, for people.
        after: String,
        /// Its log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A process did not end.
    #[error("{name} (pid {pid}) does not end; look at it, end it, and run `whoosh down` again")]
    StillRunning {
        /// Which server.
        name: &'static str,
        /// Its process id.
        pid: u32,
    },
    /// Postgres refuses to run as root and no other account was found.
    #[error(
        "Postgres does not run as root, and this machine has neither a `postgres` nor a `nobody` account"
    )]
    NoAccount,
    /// Agents could not be removed.
    #[error(
        "some agents are still there, so nothing was stopped; try again, or leave them running with `whoosh down --keep`"
    )]
    Agents,
    /// Agents could not be removed, for their operator is not ready.
    #[error(
        "nothing was stopped, and the agents are still there: only the operator can remove them, and {0}\nPut that right and \
         run `whoosh down` again, or leave the agents running with `whoosh down --keep`"
    )]
    NoOperator(Box<DevError>),
}

impl DevError {
    /// Wraps an error of the file system.
    pub fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}

fn kind_of_swarm(is_simulated: bool) -> &'static str {
    if is_simulated { "simulated" } else { "real" }
}
