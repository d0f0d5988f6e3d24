//! `whoosh why`: why something is as it is, as a chain of answers.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use crate::cli::args::DataForm;
use crate::cli::client::{ClientError, Selection};
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::past::Entry;
use crate::cli::print::{events, why};
use crate::cli::why::{
    AgentFacts, Answer, Change, Commit, Link, Origin, OwnerFacts, SourceFacts, TemplateFacts, Told,
};
use crate::cli::{agents, object, sources, target};
use crate::resource::{Key, Kind, lower};

/// Arguments of `why`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
The most important comes first: how it stands and what to do about it, what stands in the way, who asks for it, and who \
changed that last.

Examples:
  # Why is this team not ready?
  whoosh why team/payments

  # Why does this agent fail, and who wanted it so?
  whoosh why agent/team.payments.reviewer.1

  # The same as data
  whoosh why team payments -o json")]
pub struct WhyArgs {
    /// An object, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1..=2, add = complete::objects())]
    what: Vec<String>,
    /// Form: json or yaml
    #[arg(short, long, value_name = "FORM")]
    output: Option<DataForm>,
}

pub(crate) async fn run(ctx: &Context, args: &WhyArgs) -> Result<Outcome, CliError> {
    let (kind, name) = target::parse_one(&args.what)?;
    let key = ctx.key(kind, &name)?;
    let now = Timestamp::now();
    let chain = match kind {
        Kind::Agent => of_agent(ctx, &key, now).await?,
        Kind::Team | Kind::Council => of_owner(ctx, &key, now).await?,
        Kind::AgentTemplate | Kind::Policy => of_template(ctx, &key).await?,
        Kind::GitSource => of_source(ctx, &key, now).await?,
    };
    let answer = Answer::about(&key, chain);
    let value = || serde_json::to_value(&answer).map_err(|error| CliError::Failed(error.to_string()));
    ctx.print(&match args.output {
        None => why::text(&answer, now, ctx.paint),
        Some(form) => form.document().write(&value()?)?,
    })?;
    Ok(Outcome::Done)
}

async fn of_owner(ctx: &Context, key: &Key, now: Timestamp) -> Result<Vec<Link>, CliError> {
    let owner = ctx.client.get(key).await?;
    let mut missing = Vec::new();
    for name in lower::template_names(&owner["spec"]) {
        let template = Key::new(Kind::AgentTemplate, key.namespace.as_str(), name.as_str());
        if ctx.client.find(&template).await?.is_none() {
            missing.push(name);
        }
    }
    let agents = told(ctx.client.list(&agents::of(key)).await)?;
    let facts = OwnerFacts {
        agents: agents.map(|listed| listed.items),
        preview: told(ctx.client.still_to_do(key).await)?.map(|proposal| proposal.preview),
        missing,
        origin: origin(ctx, key).await?,
        events: about(ctx, key).await?,
        owner,
    };
    Ok(facts.chain(now))
}

async fn of_agent(ctx: &Context, key: &Key, now: Timestamp) -> Result<Vec<Link>, CliError> {
    let agent = ctx.client.get(key).await?;
    let owner = object::text(&agent, "/spec/owner").split_once('/');
    let owner =
        owner.and_then(|(kind, name)| Some(Key::new(Kind::find(kind)?, key.namespace.as_str(), name)));
    let mut facts = AgentFacts {
        agent,
        owner: None,
        template: None,
        origin: Origin::unknown(),
        template_origin: Origin::unknown(),
        events: Vec::new(),
    };
    if let Some(owner) = &owner {
        facts.owner = ctx.client.find(owner).await?;
        facts.origin = origin(ctx, owner).await?;
        facts.events = about(ctx, owner).await?;
    }
    let template = facts
        .owner
        .as_ref()
        .and_then(|owner| AgentFacts::template_name(owner, &facts.agent));
    if let Some(name) = template {
        let template = Key::new(Kind::AgentTemplate, key.namespace.as_str(), name);
        facts.template = ctx.client.find(&template).await?;
        facts.template_origin = origin(ctx, &template).await?;
    }
    Ok(facts.chain(now))
}

/// Of a template, or of a Policy, which all owners of its namespace go by.
async fn of_template(ctx: &Context, key: &Key) -> Result<Vec<Link>, CliError> {
    let template = ctx.client.get(key).await?;
    let mut users = Vec::new();
    for kind in Kind::owners() {
        let selection = Selection {
            kind,
            namespace: Some(key.namespace.clone()),
            labels: None,
            fields: None,
        };
        let mut found = ctx.client.list(&selection).await?.items;
        found.retain(|user| {
            key.kind == Kind::Policy || lower::template_names(&user["spec"]).contains(&key.name)
        });
        users.extend(found);
    }
    let facts = TemplateFacts {
        template,
        users,
        origin: origin(ctx, key).await?,
    };
    Ok(facts.chain())
}

async fn of_source(ctx: &Context, key: &Key, now: Timestamp) -> Result<Vec<Link>, CliError> {
    let facts = SourceFacts {
        source: ctx.client.get(key).await?,
        origin: origin(ctx, key).await?,
        events: about(ctx, key).await?,
    };
    Ok(facts.chain(now))
}

async fn origin(ctx: &Context, key: &Key) -> Result<Origin, CliError> {
    let change = match ctx.client.history::<Entry>(key, None).await {
        Err(error) if error.is_not_found() => Ok(None),
        history => told(history)?.map(|past| Change::last(&past.entries)),
    };
    let sources = told(sources::seen(ctx, &key.namespace).await)?;
    let last = change.as_ref().ok().and_then(Option::as_ref);
    let commit = sources.ok().and_then(|seen| Commit::of(&seen.sources, key, last));
    Ok(Origin { change, commit })
}

async fn about(ctx: &Context, key: &Key) -> Result<Vec<Event>, CliError> {
    let mut events = ctx.client.events(Some(&key.namespace)).await?;
    events.retain(|event| events::is_about(event, key));
    Ok(events)
}

/// What is only a part of the answer may be missing: the rest is worth telling without it.
///
/// # Errors
/// When the operator itself is away.
fn told<T>(answer: Result<T, ClientError>) -> Result<Told<T>, ClientError> {
    match answer {
        Ok(told) => Ok(Ok(told)),
        Err(error) if error.code().is_some() => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}
