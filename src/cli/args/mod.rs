//! The command line: global flags, the commands, and what several of them share.

mod server;
mod server_url;
mod shared;
mod switches;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

pub use server::{
    DatabaseArgs, DownArgs, GitArgs, LogArgs, LogFormat, MigrateArgs, NetworkArgs, OperatorArgs, ServerArgs,
    SimulatedSwarmArgs, UpArgs,
};
pub(crate) use shared::{DataForm, DryRun, DryRunArgs, FileArgs, TimeoutArgs, check_fields, check_labels};

use super::command::{
    api_resources, apply, auth, bootstrap, completion, config, crds, delete, describe, diff, edit, events,
    explain, export, get, history, kubeconfig, logs, mark, patch, reconcile, rollout, scale, simulate,
    suspend, token, tree, validate, version, wait, why,
};
use super::duration::parse_duration;
use super::target::check_name;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

/// WHOOSH runs the teams and councils of AI agents that you declare, on a Docker Swarm.
///
/// Write what you want as YAML, apply it, and WHOOSH makes the Swarm so and keeps it so: what drifts is
/// repaired, what fails is explained.
#[derive(Parser)]
#[command(
    name = "whoosh",
    version,
    styles = STYLES,
    max_term_width = 100,
    after_help = "\
Start here:
  whoosh up                             start a private operator on this machine
  whoosh apply -f manifests/examples/ --wait
  whoosh get teams,councils,agents
  whoosh explain team.spec              which fields there are

`whoosh COMMAND -h` shows a command's flags and examples.
Exit codes: 0 success, 1 error, 2 wrong usage; diff, simulate: 0 no differences, 1 differences, 2 error."
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    /// What is to be told instead: help, the version, or how the command line is wrong.
    pub(super) fn read() -> Result<Self, clap::Error> {
        Self::try_parse_from(switches::plain(std::env::args_os(), &Self::command()))?.of_this_machine()
    }

    /// Refuses a context where a command is about this machine alone: whoever names one means another.
    fn of_this_machine(self) -> Result<Self, clap::Error> {
        match (&self.command, &self.global.context) {
            (Command::Client(_), _) | (_, None) => Ok(self),
            (_, Some(context)) => Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                format!("this command is about this machine, and --context {context} is not: leave it out"),
            )),
        }
    }
}

/// Flags of every command.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Namespace of the objects [default: default]
    #[arg(short, long, global = true, value_name = "NAME", value_parser = check_name)]
    pub namespace: Option<String>,
    /// All namespaces, where a command lists objects
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// The operator's Unix socket [default: the one of `whoosh up`]
    ///
    /// That is run/whoosh.sock below $WHOOSH_HOME, which is /var/lib/whoosh for root and ~/.local/share/whoosh
    /// for others.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "WHOOSH_SOCKET",
        hide_env_values = true
    )]
    pub socket: Option<PathBuf>,
    /// The file of contexts, of kubectl's kind [default: ~/.config/whoosh/config]
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "WHOOSH_CONFIG",
        hide_env_values = true,
        value_hint = clap::ValueHint::FilePath
    )]
    pub config: Option<PathBuf>,
    /// The context to use, instead of the current one; see `whoosh config`
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// How long to wait for each answer of the operator; 0 waits without end [default: 30s; 10m for what `simulate`
    /// foretells]
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_duration)]
    pub request_timeout: Option<Duration>,
    /// Say on standard error what is asked of the operator
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// Every command: those that ask a running operator or none, and those that run one.
#[derive(Subcommand)]
pub enum Command {
    /// Commands that `cli` runs itself.
    #[command(flatten)]
    Client(ClientCommand),
    /// Start a private operator on this machine, with Postgres and NATS of its own
    ///
    /// It runs in the background; all that it needs is below $WHOOSH_HOME (/var/lib/whoosh for root,
    /// ~/.local/share/whoosh for others). Running this again changes nothing when all is well, and starts what
    /// is missing when it is not.
    Up(UpArgs),
    /// Stop what `whoosh up` started and remove all that it made
    ///
    /// The agents go first, then the operator, its servers and its folder.
    Down(DownArgs),
    /// Run the operator: serve the API and drive the Swarm
    ///
    /// It runs in the foreground, and brings the database's schema up to date first. Several may run on one
    /// database: one leads, the others stand by.
    Operator(Box<OperatorArgs>),
    /// Bring a database's schema up to date
    ///
    /// `whoosh operator` does the same when it starts.
    Migrate(MigrateArgs),
    /// Serve a simulated Swarm: the Docker Engine's API on a Unix socket, without Docker and containers
    ///
    /// It runs in the foreground, and keeps everything in memory. `whoosh up --simulate` starts one by itself.
    SimulatedSwarm(SimulatedSwarmArgs),
    /// Fetch a Git repository for an operator, which starts this itself
    #[command(hide = true)]
    GitWorker,
}

/// The commands of people who use an operator.
#[derive(Subcommand)]
pub enum ClientCommand {
    /// Make the operator's objects match YAML files
    Apply(apply::ApplyArgs),
    /// Show what applying YAML files would change, down to each agent
    Diff(diff::DiffArgs),
    /// Show what would move if nodes failed, were drained or joined, or if YAML files were applied
    Simulate(simulate::SimulateArgs),
    /// Check YAML files without an operator
    Validate(validate::ValidateArgs),
    /// List objects, or show some
    Get(get::GetArgs),
    /// Show objects in detail, with conditions and events
    Describe(describe::DescribeArgs),
    /// Show teams and councils with their roles, agents, services and nodes
    Tree(tree::TreeArgs),
    /// Tell why an object is as it is, and what to do about it
    Why(why::WhyArgs),
    /// Show what happened
    Events(events::EventsArgs),
    /// Read what agents write to their logs
    Logs(logs::LogsArgs),
    /// Wait until something holds for objects
    Wait(wait::WaitArgs),
    /// Change the number of agents
    Scale(scale::ScaleArgs),
    /// Change an object in your editor
    Edit(edit::EditArgs),
    /// Change some fields of an object
    Patch(patch::PatchArgs),
    /// Set labels, by which objects are selected, and take them away
    Label(mark::MarkArgs),
    /// Set annotations, and take them away
    Annotate(mark::MarkArgs),
    /// Show who changed an object, when, why, and what
    History(history::HistoryArgs),
    /// Put an object back as it was, list the changes of its spec, or wait until it is ready
    Rollout(rollout::RolloutArgs),
    /// Set up a Git repository to be kept applied
    Bootstrap(bootstrap::BootstrapArgs),
    /// Have a Git repository looked at now
    Reconcile(reconcile::ReconcileArgs),
    /// Leave a Git repository alone for now
    Suspend(suspend::SuspendArgs),
    /// Keep a suspended Git repository applied again
    Resume(suspend::ResumeArgs),
    /// Delete objects and stop their agents
    Delete(delete::DeleteArgs),
    /// Explain the fields of a kind
    Explain(explain::ExplainArgs),
    /// Write what is declared as YAML files, to keep in a Git repository
    Export(export::ExportArgs),
    /// List the kinds and their short names
    ApiResources(api_resources::ApiResourcesArgs),
    /// Write the kinds as Kubernetes CustomResourceDefinitions
    Crds(crds::CrdsArgs),
    /// Make, list and revoke tokens, with which clients come in over the network
    Token(token::TokenArgs),
    /// Tell who you are to the operator, and what you may do
    Auth(auth::AuthArgs),
    /// List the operators that you use over the network, and choose one
    Config(config::ConfigArgs),
    /// Print a configuration for kubectl, with a token of its own
    Kubeconfig(kubeconfig::KubeconfigArgs),
    /// Print a script that completes commands, flags, kinds and live names in your shell
    Completion(completion::CompletionArgs),
    /// Show the version of this program and of the operator
    Version(version::VersionArgs),
}
