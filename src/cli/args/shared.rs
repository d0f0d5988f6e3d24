//! Arguments that several commands share.

use crate::cli::duration::{Patience, parse_patience};

/// Which manifests are read.
#[derive(Clone, Debug, clap::Args)]
pub struct FileArgs {
    /// File, folder, address (https://…) or - for standard input; may be repeated
    #[arg(
        short,
        long = "filename",
        value_name = "FILE",
        required = true,
        value_hint = clap::ValueHint::AnyPath
    )]
    pub file: Vec<String>,
    /// Read folders below a folder, too
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

/// How long a command waits for its objects.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct TimeoutArgs {
    /// How long to wait; 0 looks once, a negative time waits for a week
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        allow_hyphen_values = true,
        value_parser = parse_patience
    )]
    pub timeout: Patience,
}
