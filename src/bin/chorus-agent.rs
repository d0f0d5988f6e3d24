//! The process that runs in each container.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use whoosh::agent::settings::DEFAULT_PORT;
use whoosh::agent::{self, Settings, health};
use whoosh::resource::env;
use whoosh::telemetry::{Chain, LogFormat, logging};

/// An agent of a CHORUS team or council; its environment tells it who it is.
#[derive(Parser)]
#[command(name = "chorus-agent", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Run until SIGTERM or SIGINT; this is the default.
    Run(RunArgs),
    /// Exit with 0 if the agent on this machine is healthy, with 1 if not.
    Health {
        /// The port that the agent answers on.
        #[arg(long, env = env::AGENT_PORT, default_value_t = DEFAULT_PORT)]
        port: u16,
    },
}

#[derive(Args)]
struct RunArgs {
    /// The port to answer on, instead of CHORUS_AGENT_PORT; 0 picks a free one and logs it.
    #[arg(long)]
    port: Option<u16>,
    /// What to log, "info" or "whoosh::agent=debug" for example.
    #[arg(long, env = env::LOG_FILTER, default_value = logging::DEFAULT_FILTER)]
    log: String,
    /// How to write log lines.
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    log_format: LogFormat,
}

fn main() -> ExitCode {
    let Cli { command, run } = Cli::parse();
    let outcome = match command {
        Some(Command::Health { port }) => health::check(port).map_err(Into::into),
        Some(Command::Run(args)) => run_agent(args),
        None => run_agent(run),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chorus-agent: {}", Chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run_agent(args: RunArgs) -> Result<(), Box<dyn std::error::Error>> {
    logging::init(&args.log, args.log_format)?;
    let variables = std::env::vars_os();
    let environment = variables
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect();
    let mut settings = Settings::from_environment(&environment)?;
    settings.port = args.port.unwrap_or(settings.port);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()?;
    let outcome = runtime.block_on(agent::run(settings));
    // A name lookup that hangs must not hold the exit.
    runtime.shutdown_background();
    Ok(outcome?)
}
