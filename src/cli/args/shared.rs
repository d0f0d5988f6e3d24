//! Arguments that several commands share.

use crate::cli::duration::{Patience, parse_patience};
use crate::cli::output::Document;
use crate::resource::selector::{FieldSelector, LabelSelector};

/// Which manifests are read.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FileArgs {
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

/// Whether a change is only tried, as an argument.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct DryRunArgs {
    /// Only tell what would be done: client asks nobody to check it, server has the operator check it
    #[arg(
        long = "dry-run",
        value_name = "MODE",
        default_value = "none",
        default_missing_value = "client",
        num_args = 0..=1,
        require_equals = true
    )]
    pub mode: DryRun,
}

/// Whether a change is only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DryRun {
    /// It is made.
    None,
    /// It is only told.
    Client,
    /// The operator checks it and stores nothing.
    Server,
}

impl DryRun {
    /// What is added to each line of the result.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            DryRun::None => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        }
    }
}

/// The form of an answer that is data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DataForm {
    Json,
    Yaml,
}

impl DataForm {
    /// What writes it.
    pub(crate) fn document(self) -> Document {
        match self {
            DataForm::Json => Document::Json,
            DataForm::Yaml => Document::Yaml,
        }
    }
}

/// Refuses a label selector that cannot be read, before anything is asked.
pub(crate) fn check_labels(text: &str) -> Result<String, String> {
    let parsed: Result<LabelSelector, _> = text.parse();
    parsed.map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Refuses a field selector that cannot be read, before anything is asked.
pub(crate) fn check_fields(text: &str) -> Result<String, String> {
    let parsed: Result<FieldSelector, _> = text.parse();
    parsed.map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// How long a command waits for its objects.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct TimeoutArgs {
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
