//! `whoosh version`: this program's version and the operator's.

use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::object;
use crate::cli::output::Document;
use crate::resource::escape;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Arguments of `version`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  whoosh version
  whoosh version --client -o json")]
pub struct VersionArgs {
    /// Show this program's version only, without asking the operator
    #[arg(long)]
    client: bool,
    /// Form: json or yaml
    #[arg(short, long, value_name = "FORM")]
    output: Option<Document>,
}

pub(crate) async fn run(ctx: &Context, args: &VersionArgs) -> Result<Outcome, CliError> {
    if matches!(args.output, Some(Document::Name)) {
        return Err(CliError::Usage(
            "a version has no name; the forms are json, yaml, jsonpath=…".to_owned(),
        ));
    }
    // What is known is told even when the operator is away.
    let server = if args.client {
        Ok(None)
    } else {
        ctx.client.version().await.map(Some)
    };
    let known = server.as_ref().ok().cloned().flatten();
    ctx.print(&render(known.as_ref(), args.output.as_ref())?)?;
    server?;
    Ok(Outcome::Done)
}

fn render(server: Option<&Value>, output: Option<&Document>) -> Result<String, CliError> {
    match output {
        None => {
            let line = |title: &str, field: &str| {
                let version = object::text(server?, field);
                (!version.is_empty()).then(|| format!("{title} version: {}\n", escape::line(version)))
            };
            Ok(format!(
                "Client version: {VERSION}\n{}{}",
                line("Server", "/gitVersion").unwrap_or_default(),
                line("Engine", "/engineVersion").unwrap_or_default(),
            ))
        }
        Some(form) => {
            let mut versions = json!({"clientVersion": {"version": VERSION}});
            if let (Value::Object(all), Some(server)) = (&mut versions, server) {
                all.insert("serverVersion".to_owned(), server.clone());
            }
            form.write(&versions)
        }
    }
}
