//! `whoosh explain`: what a field is for, and which fields stand below it.

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::print::{indent, wrap};
use crate::resource::explain::{Explanation, Field, explain};

/// How wide descriptions are written.
const WIDTH: usize = 80;

/// Arguments of `explain`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # A kind
  whoosh explain team

  # A field of it
  whoosh explain team.spec.roles

  # Every field, as an outline
  whoosh explain council.spec --recursive")]
pub struct ExplainArgs {
    /// A kind, or a field of one: KIND.field.field
    #[arg(value_name = "PATH", add = complete::kinds())]
    path: String,
    /// Show the fields of all levels, without their descriptions
    #[arg(long)]
    recursive: bool,
}

pub(crate) fn run(ctx: &Context, args: &ExplainArgs) -> Result<Outcome, CliError> {
    let explanation = explain(&args.path).map_err(|error| CliError::Failed(error.to_string()))?;
    ctx.print(&render(&explanation, args.recursive))?;
    Ok(Outcome::Done)
}

fn render(explanation: &Explanation, recursive: bool) -> String {
    let Explanation {
        kind,
        group,
        version,
        field,
    } = explanation;
    let mut text = format!("GROUP:      {group}\nKIND:       {kind}\nVERSION:    {version}\n\n");
    if !field.name.is_empty() {
        text.push_str(&format!("FIELD: {}\n\n", signature(field)));
    }
    text.push_str("DESCRIPTION:\n");
    text.push_str(&indent(&wrap(&notes(field), WIDTH)));
    if !field.fields.is_empty() {
        text.push_str("\nFIELDS:\n");
        for field in &field.fields {
            text.push_str(&indent(&if recursive { outline(field) } else { entry(field) }));
        }
    }
    text
}

/// `roles <[]Object> -required-`
fn signature(field: &Field) -> String {
    let required = if field.required { " -required-" } else { "" };
    format!("{} <{}>{required}", field.name, field.type_name)
}

fn entry(field: &Field) -> String {
    format!("{}\n{}\n", signature(field), indent(&wrap(&notes(field), WIDTH)))
}

fn outline(field: &Field) -> String {
    let below: String = field.fields.iter().map(outline).collect();
    format!("{}\n{}", signature(field), indent(&below))
}

/// The description, the allowed values and the default.
fn notes(field: &Field) -> String {
    let mut text = field.description.clone();
    if !field.allowed.is_empty() {
        text.push_str(&format!("\nOne of: {}", field.allowed.join(", ")));
    }
    if let Some(default) = &field.default {
        text.push_str(&format!("\nDefault: {default}"));
    }
    text
}
