//! The operator and its command line: parse, wire, run.

mod kubeconfig;
mod local;
mod network;
mod operator;
mod simulated_swarm;
mod stop;

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;

use mimalloc::MiMalloc;
use whoosh::cli::{self, Command, LogArgs};
use whoosh::git;
use whoosh::store::Store;
use whoosh::telemetry::{Chain, LogFormat, logging};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Whatever stops a server; its message and causes tell the user what to do.
type Failure = Box<dyn Error>;

/// The log of a command that has no flags for it.
const QUIET: LogArgs = LogArgs {
    log: String::new(),
    log_format: cli::LogFormat::Text,
};

fn main() -> ExitCode {
    if let Some(answered) = cli::complete() {
        return answered;
    }
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(ended) => return ended,
    };
    let result = match cli.command {
        Command::Client(command) => return cli::run(&cli.global, &command),
        Command::Operator(args) => run(&args.log, operator::run(&cli.global, &args)),
        Command::Migrate(args) => run(&args.log, migrate(args.database.url())),
        Command::GitWorker => git::worker::serve().map_err(Failure::from),
        Command::SimulatedSwarm(args) => run(&QUIET, simulated_swarm::run(&args)),
        Command::Up(args) => run(&args.log, local::up(&args)),
        Command::Down(args) => run(&QUIET, local::down(&args)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", Chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(log: &LogArgs, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let format = match log.log_format {
        cli::LogFormat::Text => LogFormat::Text,
        cli::LogFormat::Json => LogFormat::Json,
    };
    logging::init(&log.log, format)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

async fn migrate(database_url: &str) -> Result<(), Failure> {
    Store::connect(database_url).await?.migrate().await?;
    println!("The database is up to date.");
    Ok(())
}
