//! Runs one command and turns its end into an exit code.

use std::process::ExitCode;

use super::args::{Cli, ClientCommand, GlobalArgs};
use super::command::{
    api_resources, apply, auth, bootstrap, completion, config, crds, delete, describe, diff, edit, events,
    explain, export, get, history, kubeconfig, logs, mark, patch, reconcile, rollout, scale, simulate,
    suspend, token, tree, validate, version, wait, why,
};
use super::context::Context;
use super::error::{CliError, Outcome};
use super::talk;

/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Reads the command line. Help and version are printed, and usage errors told, here.
///
/// # Errors
/// The exit code to end with: 0 after help and version, 2 after a usage error.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::read().map_err(|error| {
        // A reader that went away needs no help text.
        let _ = error.print();
        if error.use_stderr() {
            ExitCode::from(2)
        } else {
            ExitCode::SUCCESS
        }
    })
}

/// Runs a command of people who use an operator, to its end or until Ctrl-C.
pub fn run(global: &GlobalArgs, command: &ClientCommand) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            talk::say(&format!("error: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            outcome = dispatch(global, command) => finish(command, outcome),
            _ = tokio::signal::ctrl_c() => ExitCode::from(INTERRUPTED),
        }
    })
}

async fn dispatch(global: &GlobalArgs, command: &ClientCommand) -> Result<Outcome, CliError> {
    if let ClientCommand::Config(args) = command {
        return config::run(global, args);
    }
    let ctx = &Context::new(global)?;
    match command {
        ClientCommand::Apply(args) => apply::run(ctx, args).await,
        ClientCommand::Diff(args) => diff::run(ctx, args).await,
        ClientCommand::Simulate(args) => simulate::run(ctx, args).await,
        ClientCommand::Validate(args) => validate::run(ctx, args).await,
        ClientCommand::Get(args) => get::run(ctx, args).await,
        ClientCommand::Describe(args) => describe::run(ctx, args).await,
        ClientCommand::Tree(args) => tree::run(ctx, args).await,
        ClientCommand::Why(args) => why::run(ctx, args).await,
        ClientCommand::Events(args) => events::run(ctx, args).await,
        ClientCommand::Logs(args) => logs::run(ctx, args).await,
        ClientCommand::Wait(args) => wait::run(ctx, args).await,
        ClientCommand::Scale(args) => scale::run(ctx, args).await,
        ClientCommand::Edit(args) => edit::run(ctx, args).await,
        ClientCommand::Patch(args) => patch::run(ctx, args).await,
        ClientCommand::Label(args) => mark::run(ctx, args, mark::Mark::Label).await,
        ClientCommand::Annotate(args) => mark::run(ctx, args, mark::Mark::Annotation).await,
        ClientCommand::History(args) => history::run(ctx, args).await,
        ClientCommand::Rollout(args) => rollout::run(ctx, args).await,
        ClientCommand::Config(args) => config::run(global, args),
        ClientCommand::Auth(args) => auth::run(ctx, args).await,
        ClientCommand::Bootstrap(args) => bootstrap::run(ctx, args).await,
        ClientCommand::Reconcile(args) => reconcile::run(ctx, args).await,
        ClientCommand::Suspend(args) => suspend::suspend(ctx, args).await,
        ClientCommand::Resume(args) => suspend::resume(ctx, args).await,
        ClientCommand::Delete(args) => delete::run(ctx, args).await,
        ClientCommand::Explain(args) => explain::run(ctx, args),
        ClientCommand::Export(args) => export::run(ctx, args).await,
        ClientCommand::ApiResources(args) => api_resources::run(ctx, args).await,
        ClientCommand::Crds(args) => crds::run(ctx, args),
        ClientCommand::Completion(args) => completion::run(ctx, *args),
        ClientCommand::Token(args) => token::run(ctx, args).await,
        ClientCommand::Kubeconfig(args) => kubeconfig::run(ctx, args).await,
        ClientCommand::Version(args) => version::run(ctx, args).await,
    }
}

fn finish(command: &ClientCommand, outcome: Result<Outcome, CliError>) -> ExitCode {
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            if let Some(message) = error.message() {
                talk::say(&message);
            }
            // For these, 1 means differences.
            let least = if matches!(command, ClientCommand::Diff(_) | ClientCommand::Simulate(_)) {
                2
            } else {
                1
            };
            ExitCode::from(error.code().max(least))
        }
    }
}
