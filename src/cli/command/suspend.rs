//! `whoosh suspend` and `whoosh resume`: whether a repository is kept applied, or a team as it is declared, for now.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::change::change;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::duration::parse_duration;
use crate::cli::error::{CliError, Outcome};
use crate::cli::{object, talk, target};
use crate::resource::names::GITOPS_MANAGER;
use crate::resource::{Key, Kind};

/// Arguments of `suspend`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
While a GitSource is suspended, nothing is fetched, applied, put back or deleted. Who did it, why and until when stand in \
its spec, and `whoosh get gitsources` shows them. The agents of a suspended Team or Council are left as they are.

Examples:
  # While somebody looks at what went wrong
  whoosh suspend gitsource/fleet --reason 'looking at the outage' --for 2h

  # Until somebody resumes it
  whoosh suspend gitsource/fleet")]
pub struct SuspendArgs {
    /// GitSources, Teams or Councils, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1.., add = complete::objects())]
    what: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long, until it resumes by itself; without it, until `whoosh resume`
    #[arg(long = "for", value_name = "TIME", value_parser = some_time)]
    duration: Option<Duration>,
}

/// Arguments of `resume`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
The repository of a GitSource is looked at right away.

Examples:
  whoosh resume gitsource/fleet")]
pub struct ResumeArgs {
    /// GitSources, Teams or Councils, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1.., add = complete::objects())]
    what: Vec<String>,
}

pub(crate) async fn suspend(ctx: &Context, args: &SuspendArgs) -> Result<Outcome, CliError> {
    let keys = suspendable(ctx, &args.what)?;
    let has_note = args.reason.is_some() || args.duration.is_some();
    if let Some(key) = keys.iter().find(|key| has_note && key.kind != Kind::GitSource) {
        return Err(CliError::Usage(format!(
            "--reason and --for are for GitSources; {} is suspended until it is resumed",
            key.kind.with_article()
        )));
    }
    let too_long = |_| CliError::Usage("--for is longer than time is counted; leave it out".to_owned());
    let until = args
        .duration
        .map(|duration| Timestamp::now().checked_add(duration));
    let until = until.transpose().map_err(too_long)?;
    let by = ctx
        .client
        .who_am_i()
        .await?
        .status
        .and_then(|status| status.user_info?.username);
    // All of it, so that nothing of an earlier suspension is left.
    let suspension = json!({"reason": args.reason, "by": by, "until": until});
    for key in &keys {
        let spec = match key.kind {
            Kind::GitSource => json!({"suspend": true, "suspension": suspension}),
            _ => json!({"suspend": true}),
        };
        let name = object::slashed(key);
        if let Some(source) = declared_by(&ctx.client.get(key).await?) {
            talk::say(&format!(
                "gitsource/{source} declares spec.suspend of {name}, and puts it back: suspend that one, or commit this."
            ));
        }
        change(ctx, key, false, |_: &Value| Ok(Some(json!({"spec": spec})))).await?;
        let until = match until {
            Some(until) => format!(" until {until}"),
            None => format!("; `whoosh resume {name} -n {}` ends that", key.namespace),
        };
        ctx.print(&format!("{name} suspended{until}\n"))?;
    }
    Ok(Outcome::Done)
}

pub(crate) async fn resume(ctx: &Context, args: &ResumeArgs) -> Result<Outcome, CliError> {
    for key in &suspendable(ctx, &args.what)? {
        let spec = match key.kind {
            Kind::GitSource => json!({"suspend": null, "suspension": null}),
            _ => json!({"suspend": null}),
        };
        change(ctx, key, false, |_: &Value| Ok(Some(json!({"spec": spec})))).await?;
        ctx.print(&format!("{} resumed\n", object::slashed(key)))?;
    }
    Ok(Outcome::Done)
}

/// The source that declares whether an object is suspended.
fn declared_by(live: &Value) -> Option<&str> {
    let owners = live["metadata"]["managedFields"].as_array()?.iter();
    let mut declares = owners.filter(|owner| {
        let fields = &owner["fieldsV1"]["f:spec"];
        owner["operation"] == "Apply" && fields.get("f:suspend").is_some()
    });
    declares.find_map(|owner| owner["manager"].as_str()?.strip_prefix(GITOPS_MANAGER))
}

fn suspendable(ctx: &Context, words: &[String]) -> Result<Vec<Key>, CliError> {
    let named = target::parse_named(words)?.into_iter();
    let keys = named.map(
        |(kind, name)| match kind == Kind::GitSource || kind.owns_agents() {
            true => ctx.key(kind, &name),
            false => Err(CliError::Failed(format!(
                "{} does nothing by itself; what can be suspended is a GitSource, a Team or a Council",
                kind.with_article()
            ))),
        },
    );
    keys.collect()
}

fn some_time(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        time => Ok(time),
    }
}
