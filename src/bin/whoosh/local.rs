//! `whoosh up` and `whoosh down`.

use std::process::Stdio;

use tokio::process::Command;
use whoosh::cli::{DownArgs, UpArgs, paths};
use whoosh::dev::operator::Started;
use whoosh::dev::{self, DevError, Home};
use whoosh::swarm::Swarm;

use super::Failure;

/// Starts what does not run yet.
pub(crate) async fn up(args: &UpArgs) -> Result<(), Failure> {
    let home = Home::new(paths::home());
    let swarm = Swarm::connect(&args.servers.docker_host)?;
    swarm.require_manager().await?;
    let options = dev::Options {
        database_url: args.database_url.as_ref().map(|url| url.as_str().to_owned()),
        nats_url: args.servers.nats_url.as_ref().map(|url| url.as_str().to_owned()),
        docker_host: args.servers.docker_host.clone(),
        secrets_dir: args.servers.secrets_dir.clone(),
        gateway: swarm.gateway().await,
        timeout: args.timeout,
    };
    match dev::up(&home, &options).await? {
        Started::New => println!(
            "The operator runs; its log and data are in {}.",
            home.root().display()
        ),
        Started::Again => println!("The operator was restarted: its program or settings had changed."),
        Started::Already => println!("The operator runs already."),
    }
    Ok(())
}

/// Removes the agents, then everything that `up` made.
pub(crate) async fn down(args: &DownArgs) -> Result<(), Failure> {
    let home = Home::new(paths::home());
    if !home.exists() {
        println!(
            "Nothing is up: {} was not made by `whoosh up`.",
            home.root().display()
        );
        return Ok(());
    }
    if args.keep {
        dev::stop(&home).await?;
        println!("Stopped. Agents run on; `whoosh up` takes them over again.");
        return Ok(());
    }
    if home.has_database() {
        // Only the operator knows how its agents go, so it has to run once more.
        let docker_host = args.docker_host.clone();
        dev::up(
            &home,
            &dev::Options {
                docker_host,
                timeout: args.timeout,
                ..dev::Options::default()
            },
        )
        .await?;
        delete_agents(&home, args).await?;
    } else {
        println!("The database is not WHOOSH's own: what is declared stays there, and its agents run on.");
    }
    dev::down(&home).await?;
    let (root, secrets) = (home.root().display(), home.secrets());
    match secrets.exists() {
        true => println!(
            "Down: the operator and its servers are gone; your secrets stay in {}.",
            secrets.display()
        ),
        false => println!("Down: the operator, its servers and {root} are gone."),
    }
    Ok(())
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
