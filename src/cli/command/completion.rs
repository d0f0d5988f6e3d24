//! `whoosh completion`: the script that a shell needs to complete this program's command lines.

use std::path::Path;

use clap_complete::env::Shells;

use crate::cli::complete::VARIABLE;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};

/// Arguments of `completion`.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # In this shell
  source <(whoosh completion bash)

  # In every new shell
  echo 'source <(whoosh completion bash)' >> ~/.bashrc
  echo 'source <(whoosh completion zsh)' >> ~/.zshrc
  whoosh completion fish > ~/.config/fish/completions/whoosh.fish
  whoosh completion powershell >> $PROFILE")]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
            Shell::Powershell => "powershell",
        }
    }
}

pub(crate) fn run(ctx: &Context, args: CompletionArgs) -> Result<Outcome, CliError> {
    let shells = Shells::builtins();
    let shell = shells
        .completer(args.shell.name())
        .ok_or_else(|| CliError::Failed(format!("{} is not supported", args.shell.name())))?;
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "whoosh", "whoosh", &program(), &mut script)
        .map_err(CliError::Output)?;
    ctx.print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Done)
}

/// How the script finds this program again: by its name when it was found by name, else by its full path.
fn program() -> String {
    let called_by_path = std::env::args_os()
        .next()
        .is_some_and(|name| Path::new(&name).components().count() > 1);
    std::env::current_exe()
        .ok()
        .filter(|_| called_by_path)
        .map_or_else(|| "whoosh".to_owned(), |path| path.to_string_lossy().into_owned())
}
