//! `whoosh token`: who may come in over the network.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::duration::parse_duration;
use crate::cli::error::{CliError, Outcome};
use crate::cli::print::table::{Cell, Table};
use crate::cli::talk;
use crate::cli::target::check_name;
use crate::resource::access::{Grant, Role};
use crate::resource::age::age;
use crate::resource::token::{NewToken, TokenInfo};

/// Arguments of `token`.
#[derive(Clone, Debug, clap::Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum TokenCommand {
    /// Make a token and print it, once
    #[command(after_help = "\
Examples:
  # For a pipeline that applies YAML in one namespace, for 90 days
  whoosh token create ci --role edit --for-namespace prod --lifetime 2160h

  # For a dashboard
  whoosh token create dashboard --role view")]
    Create(CreateArgs),
    /// List tokens, without what they are
    #[command(
        visible_alias = "ls",
        after_help = "\
Examples:
  # Who may come in, and who let them?
  whoosh token list -o wide

  # And who could, once?
  whoosh token list --revoked -o wide"
    )]
    List(ListArgs),
    /// Make tokens open nothing any more; watches that they opened end within seconds
    #[command(visible_alias = "rm")]
    Revoke(RevokeArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct CreateArgs {
    /// What people call it
    #[arg(value_parser = check_name)]
    name: String,
    #[command(flatten)]
    grant: GrantArgs,
}

/// What the bearer of a token may do, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct GrantArgs {
    /// What its bearer may do: admin, edit, view or agent
    #[arg(long, value_name = "ROLE", default_value = "view")]
    role: Role,
    /// Namespace in which it may be done; can be repeated [default: all]
    #[arg(long = "for-namespace", value_name = "NAME", value_parser = check_name)]
    namespaces: Vec<String>,
    /// How long it counts, at most 100 years; 0 for ever
    #[arg(long, value_name = "TIME", default_value = "720h", value_parser = parse_duration)]
    lifetime: Duration,
}

impl GrantArgs {
    /// Where it may be done; empty for everywhere.
    pub(crate) fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    /// A token of this name.
    pub(crate) fn token(&self, name: String) -> NewToken {
        let namespaces = self.namespaces.iter().cloned().collect();
        NewToken {
            name,
            grant: Grant {
                role: self.role,
                namespaces: Some(namespaces).filter(|_| !self.namespaces.is_empty()),
            },
            lifetime_seconds: Some(self.lifetime.as_secs()).filter(|seconds| *seconds > 0),
        }
    }
}

#[derive(Clone, Debug, clap::Args)]
struct ListArgs {
    /// Form: json, or wide, which also tells who made and who revoked them
    #[arg(short, long, value_name = "FORM")]
    output: Option<Form>,
    /// List those that were revoked, too
    #[arg(long)]
    revoked: bool,
    /// Print the table without headings
    #[arg(long)]
    no_headers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Json,
    Wide,
}

#[derive(Clone, Debug, clap::Args)]
struct RevokeArgs {
    /// Their names
    #[arg(required = true, value_name = "NAME", value_parser = check_name)]
    names: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: &TokenArgs) -> Result<Outcome, CliError> {
    match &args.command {
        TokenCommand::Create(args) => create(ctx, args).await,
        TokenCommand::List(args) => list(ctx, args).await,
        TokenCommand::Revoke(args) => revoke(ctx, args).await,
    }
}

async fn create(ctx: &Context, args: &CreateArgs) -> Result<Outcome, CliError> {
    let made = ctx
        .client
        .create_token(&args.grant.token(args.name.clone()))
        .await?;
    talk::say("This is shown once; the operator keeps a hash of it alone.");
    ctx.print(&format!("{}\n", made.token.unwrap_or_default()))?;
    Ok(Outcome::Done)
}

async fn list(ctx: &Context, args: &ListArgs) -> Result<Outcome, CliError> {
    let tokens = ctx.client.tokens(args.revoked).await?;
    if args.output == Some(Form::Json) {
        ctx.print(&format!("{:#}\n", json!({"items": tokens})))?;
        return Ok(Outcome::Done);
    }
    if tokens.is_empty() {
        talk::say("No tokens found.");
        return Ok(Outcome::Done);
    }
    let wide = args.output == Some(Form::Wide);
    let mut table = Table::default();
    if !args.no_headers {
        let more: &[&str] = if wide { &["MADE-BY", "REVOKED-BY"] } else { &[] };
        let headings = ["NAME", "ROLE", "NAMESPACES", "EXPIRES", "LAST-USED", "AGE"];
        table.row(headings.iter().chain(more).copied());
    }
    let now = Timestamp::now();
    for token in &tokens {
        table.row(row(token, now, wide));
    }
    ctx.print(&table.take(ctx.paint))?;
    Ok(Outcome::Done)
}

fn row(token: &TokenInfo, now: Timestamp, wide: bool) -> Vec<Cell> {
    let namespaces = token.grant.namespaces.as_ref();
    let namespaces = namespaces.map_or_else(
        || "<all>".to_owned(),
        |all| all.iter().cloned().collect::<Vec<_>>().join(","),
    );
    let expires = match (token.revoked, token.expires) {
        (Some(_), _) => "revoked".to_owned(),
        (None, None) => "never".to_owned(),
        (None, Some(then)) if then <= now => "expired".to_owned(),
        (None, Some(then)) => format!("in {}", age(now, then)),
    };
    let used = token.last_used.map_or("never".to_owned(), |then| age(then, now));
    let mut cells: Vec<Cell> = vec![
        token.name.as_str().into(),
        token.grant.role.word().into(),
        namespaces.into(),
        expires.into(),
        used.into(),
        age(token.created, now).into(),
    ];
    if wide {
        let revoked = token.revoked.zip(token.revoked_by.as_ref());
        let revoked = revoked.map(|(then, by)| format!("{by} ({} ago)", age(then, now)));
        cells.push(Cell::or_none(token.created_by.as_deref().unwrap_or_default()));
        cells.push(Cell::or_none(&revoked.unwrap_or_default()));
    }
    cells
}

async fn revoke(ctx: &Context, args: &RevokeArgs) -> Result<Outcome, CliError> {
    let mut failed = None;
    // Whatever is wrong with one name, the others' doors are shut.
    for name in &args.names {
        match ctx.client.revoke_token(name).await {
            Ok(_) => ctx.print(&format!("token/{name} revoked\n"))?,
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    talk::say(&format!("error: {before}"));
                }
            }
        }
    }
    failed.map_or(Ok(Outcome::Done), |error| Err(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_in_a_row() {
        let now: Timestamp = "2026-01-01T00:05:00Z".parse().unwrap();
        let created = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut token = TokenInfo {
            name: "ci".to_owned(),
            grant: Grant::everything(),
            created,
            created_by: Some("unix:uid=0".to_owned()),
            expires: None,
            last_used: None,
            revoked: None,
            revoked_by: None,
            token: None,
        };
        let told_so = |token: &TokenInfo, wide| {
            let mut table = Table::default();
            table.row(row(token, now, wide));
            table.take(crate::cli::print::paint::Paint::never())
        };
        let told = |token: &TokenInfo| told_so(token, false);
        assert_eq!(told(&token), "ci   admin   <all>   never   never   5m\n");
        token.expires = Some("2026-01-01T02:05:00Z".parse().unwrap());
        token.last_used = Some(created);
        token.grant.namespaces = Some(["prod".to_owned(), "test".to_owned()].into());
        assert_eq!(told(&token), "ci   admin   prod,test   in 120m   5m   5m\n");
        token.expires = Some(created);
        assert!(told(&token).contains("expired"));
        assert!(told_so(&token, true).ends_with("5m   unix:uid=0   <none>\n"));
        token.revoked = Some("2026-01-01T00:04:00Z".parse().unwrap());
        token.revoked_by = Some("token:ada@10.0.0.7".to_owned());
        let wide = told_so(&token, true);
        assert!(
            wide.contains("revoked") && wide.ends_with("token:ada@10.0.0.7 (60s ago)\n"),
            "{wide}"
        );
    }
}
