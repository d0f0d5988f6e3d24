//! `whoosh up` and `whoosh down`.

use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;
use whoosh::cli::{DownArgs, LogArgs, UpArgs, paths};
use whoosh::dev::operator::Started;
use whoosh::dev::{self, DevError, Home, Settings, Turn};
use whoosh::swarm::Swarm;

use super::{Failure, kubeconfig};

/// How many nodes a simulated Swarm has when nobody says.
const SIMULATED_NODES: NonZeroU16 = NonZeroU16::MIN.saturating_add(2);

/// Starts what does not run yet.
pub(crate) async fn up(args: &UpArgs) -> Result<(), Failure> {
    let home = Home::new(paths::home());
    let settings = settings(args, &home)?;
    settings.stay_with_swarm(&home)?;
    let options = dev::Options {
        database_url: args.database_url(),
        gateway: gateway(&settings).await?,
        settings,
        timeout: args.timeout,
    };
    let turn = Turn::to_start(&home, say_others_turn).await?;
    match dev::up(&turn, &options, &say_waiting).await? {
        Started::New => say(format_args!(
            "The operator runs; its log and data are in {}.",
            home.root().display()
        )),
        Started::Again => say(format_args!(
            "The operator was restarted: its program or settings had changed."
        )),
        Started::Already => say(format_args!("The operator runs already.")),
    }
    if let Some(nodes) = options.settings.simulated_nodes {
        let nodes = if nodes.get() == 1 {
            "1 node".to_owned()
        } else {
            format!("{nodes} nodes")
        };
        say(format_args!(
            "This is a simulation: the Swarm has {nodes} on paper, and no container runs."
        ));
    }
    let kubeconfig = kubeconfig::up_to_date(&home).await?;
    say(format_args!(
        "For kubectl: export KUBECONFIG={}",
        kubeconfig.display()
    ));
    Ok(())
}

/// This machine's address for containers, from an engine that manages a Swarm; a simulated one has no containers.
async fn gateway(settings: &Settings) -> Result<Option<IpAddr>, Failure> {
    if settings.simulated_nodes.is_some() {
        return Ok(None);
    }
    let swarm = Swarm::connect(&settings.docker_host)?;
    swarm.require_manager().await?;
    Ok(swarm.gateway().await)
}

/// How many nodes the simulated Swarm below `home` has, or is to have when there is none.
fn nodes_of(home: &Home) -> NonZeroU16 {
    // Settings that cannot be read are about to be replaced.
    let known = Settings::read(home).ok().flatten();
    known
        .and_then(|known| known.simulated_nodes)
        .unwrap_or(SIMULATED_NODES)
}

fn settings(args: &UpArgs, home: &Home) -> std::io::Result<Settings> {
    let servers = &args.servers;
    let LogArgs { log, log_format } = &args.log;
    Ok(Settings {
        nats_url: servers.nats_url(),
        docker_host: servers.docker_host.clone(),
        simulated_nodes: args
            .simulate
            .then(|| args.nodes.unwrap_or_else(|| nodes_of(home))),
        secrets_dir: absolute(servers.secrets_dir.as_ref())?,
        git_secrets: absolute(servers.git_secrets.as_ref())?,
        log: log.clone(),
        log_format: log_format.as_str().to_owned(),
    })
}

/// A whole path: the operator runs in another folder.
fn absolute(path: Option<&PathBuf>) -> std::io::Result<Option<PathBuf>> {
    path.map(std::path::absolute).transpose()
}

/// Removes the agents, then everything that `up` made.
pub(crate) async fn down(args: &DownArgs) -> Result<(), Failure> {
    let home = Home::new(paths::home());
    let Some(turn) = Turn::to_stop(&home, say_others_turn).await? else {
        say(format_args!("Nothing is up: {}.", home.nothing()));
        return Ok(());
    };
    // Settings that cannot be read stop only what needs them.
    let told = Settings::read(&home).ok().flatten();
    let is_simulated = told.is_some_and(|told| told.simulated_nodes.is_some());
    if args.keep {
        dev::stop(&turn).await?;
        match is_simulated {
            true => say(format_args!(
                "Stopped. What is declared stays; `whoosh up --simulate` places it anew."
            )),
            false => say(format_args!(
                "Stopped. Agents run on; `whoosh up` takes them over again."
            )),
        }
        return Ok(());
    }
    match (is_simulated, home.has_database()) {
        // Simulated agents go with their Swarm.
        (true, _) => {}
        (false, true) => remove_agents(&turn, args).await?,
        (false, false) => {
            say(format_args!(
                "The database is not WHOOSH's own: what is declared stays there, and its agents run on."
            ));
        }
    }
    dev::down(turn).await?;
    match home.kept_secrets().as_slice() {
        [] => say(format_args!(
            "Down: the operator, its servers and {} are gone.",
            home.root().display()
        )),
        kept => {
            let kept: Vec<String> = kept.iter().map(|folder| folder.display().to_string()).collect();
            say(format_args!(
                "Down: the operator and its servers are gone; your secrets stay in {}.",
                kept.join(" and ")
            ));
        }
    }
    Ok(())
}

/// Removes the agents that the private database declares; there are none when no operator ever ran.
async fn remove_agents(turn: &Turn, args: &DownArgs) -> Result<(), Failure> {
    let Some(mut settings) = Settings::read(turn.home())? else {
        return Ok(());
    };
    if let Some(docker_host) = &args.docker_host {
        settings.docker_host.clone_from(docker_host);
    }
    eprintln!("Waiting for the operator, which removes the agents.");
    let options = dev::Options {
        database_url: None,
        gateway: Swarm::connect(&settings.docker_host)?.gateway().await,
        settings,
        timeout: args.timeout,
    };
    // Only the operator knows how its agents go, so it has to run once more.
    dev::up(turn, &options, &say_waiting)
        .await
        .map_err(|error| DevError::NoOperator(Box::new(error)))?;
    delete_agents(turn.home(), args).await
}

/// Whoever closes standard output (`| head -1`) wants to hear no more of it; what is to be done is done.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn say_waiting(why: &str) {
    eprintln!("The operator is not ready: {why}");
}

fn say_others_turn() {
    eprintln!("Another `whoosh up` or `whoosh down` is at work; waiting until it is done.");
}

async fn delete_agents(home: &Home, args: &DownArgs) -> Result<(), Failure> {
    let timeout = format!("{}s", args.timeout.as_secs());
    let mut delete = Command::new(std::env::current_exe()?);
    delete
        .args([
            "delete",
            "teams,councils",
            "--all",
            "-A",
            "--timeout",
            &timeout,
            "--socket",
        ])
        .arg(home.socket());
    let status = delete.stdin(Stdio::null()).status().await?;
    if status.success() {
        Ok(())
    } else {
        Err(DevError::Agents.into())
    }
}
