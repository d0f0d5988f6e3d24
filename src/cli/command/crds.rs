//! `whoosh crds`: the kinds as Kubernetes knows them.

use std::path::PathBuf;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::files;
use crate::resource::{Kind, crd};

/// Arguments of `crds`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # All of them on standard output
  whoosh crds

  # One file for each kind
  whoosh crds --dir crds/")]
pub struct CrdsArgs {
    /// Folder to write one file for each kind into, instead of standard output
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

pub(crate) fn run(ctx: &Context, args: &CrdsArgs) -> Result<Outcome, CliError> {
    for kind in Kind::ALL {
        let text = crd::to_yaml(kind).map_err(|error| CliError::Failed(error.to_string()))?;
        match &args.dir {
            None => ctx.print(&format!("---\n{text}"))?,
            Some(dir) => {
                let path = dir.join(crd::file_name(kind));
                files::write(&path, &text)?;
                ctx.print(&format!("{}\n", path.display()))?;
            }
        }
    }
    Ok(Outcome::Done)
}
