//! `whoosh api-resources`: the kinds and how they are named.

use std::collections::BTreeMap;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::print::table::{Cell, Table};
use crate::resource::Kind;
use crate::resource::object::{API_VERSION, GROUP};

/// Arguments of `api-resources`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  whoosh api-resources
  whoosh api-resources -o wide")]
pub struct ApiResourcesArgs {
    /// Form: wide adds what can be done with a kind, as the operator tells it; name prints full names only
    #[arg(short, long, value_name = "FORM")]
    output: Option<Form>,
    /// Print the table without headings
    #[arg(long)]
    no_headers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Wide,
    Name,
}

pub(crate) async fn run(ctx: &Context, args: &ApiResourcesArgs) -> Result<Outcome, CliError> {
    if args.output == Some(Form::Name) {
        let names: String = Kind::ALL
            .into_iter()
            .map(|kind| format!("{}.{GROUP}\n", kind.plural()))
            .collect();
        ctx.print(&names)?;
        return Ok(Outcome::Done);
    }
    let wide = args.output == Some(Form::Wide);
    let verbs = if wide { verbs(ctx).await? } else { BTreeMap::new() };
    let mut table = Table::default();
    if !args.no_headers {
        let more = if wide {
            vec!["VERBS", "CATEGORIES"]
        } else {
            Vec::new()
        };
        table.row(
            ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
                .into_iter()
                .chain(more),
        );
    }
    for kind in Kind::ALL {
        let mut row: Vec<Cell> = vec![
            kind.plural().into(),
            kind.short_names().join(",").into(),
            API_VERSION.into(),
            "true".into(),
            kind.name().into(),
        ];
        if wide {
            row.push(Cell::or_none(verbs.get(kind.plural()).map_or("", String::as_str)));
            row.push(kind.categories().join(",").into());
        }
        table.row(row);
    }
    ctx.print(&table.take(ctx.paint))?;
    Ok(Outcome::Done)
}

/// What can be done with each kind, by its plural.
async fn verbs(ctx: &Context) -> Result<BTreeMap<String, String>, CliError> {
    let resources = ctx.client.resources().await?;
    let verbs = resources
        .into_iter()
        .map(|resource| (resource.name, resource.verbs.join(",")));
    Ok(verbs.collect())
}
