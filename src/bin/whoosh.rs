//! The operator and its command line.

use std::process::ExitCode;

use whoosh::cli::{self, Command};

fn main() -> ExitCode {
    if let Some(answered) = cli::complete() {
        return answered;
    }
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(ended) => return ended,
    };
    match cli.command {
        Command::Client(command) => cli::run(&cli.global, &command),
        Command::Up(_) | Command::Down(_) | Command::Operator(_) | Command::Migrate(_) => {
            // The rooms that run servers are wired in here.
            ExitCode::FAILURE
        }
    }
}
