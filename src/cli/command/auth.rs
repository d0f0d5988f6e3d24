//! `whoosh auth`: who somebody is, and what they may do.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};

use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::print::table::Table;
use crate::cli::target::{self, Target};
use crate::resource::object::GROUP;

/// Arguments of `auth`.
#[derive(Clone, Debug, clap::Args)]
pub struct AuthArgs {
    #[command(subcommand)]
    command: AuthCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum AuthCommand {
    /// Tell whether something may be done; exits with 1 when not
    #[command(after_help = "\
Examples:
  whoosh auth can-i create teams -n prod
  whoosh auth can-i delete team/payments
  whoosh auth can-i patch teams --subresource status

  # All that may be done in a namespace
  whoosh auth can-i --list -n prod")]
    CanI(CanIArgs),
    /// Tell who the operator takes you for
    Whoami,
}

#[derive(Clone, Debug, clap::Args)]
struct CanIArgs {
    /// get, list, watch, create, update, patch, delete, deletecollection, or * for all of them
    #[arg(required_unless_present = "list")]
    verb: Option<String>,
    /// A kind, or one object as KIND/NAME
    #[arg(required_unless_present = "list")]
    what: Option<String>,
    /// A part of the object: status, scale, log
    #[arg(long, value_name = "NAME", default_value = "")]
    subresource: String,
    /// Say nothing; the exit code tells
    #[arg(short, long)]
    quiet: bool,
    /// List all that may be done in the namespace
    #[arg(long, conflicts_with_all = ["verb", "what", "subresource", "quiet"])]
    list: bool,
}

pub(crate) async fn run(ctx: &Context, args: &AuthArgs) -> Result<Outcome, CliError> {
    match &args.command {
        AuthCommand::CanI(args) => can_i(ctx, args).await,
        AuthCommand::Whoami => whoami(ctx).await,
    }
}

async fn can_i(ctx: &Context, args: &CanIArgs) -> Result<Outcome, CliError> {
    let (Some(verb), Some(what)) = (&args.verb, &args.what) else {
        return list(ctx).await;
    };
    let targets = target::parse(std::slice::from_ref(what))?;
    let [Target { kind, name }] = targets.as_slice() else {
        return Err(CliError::Usage("ask for one kind at a time".to_owned()));
    };
    let asked = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some(verb.clone()),
                group: Some(GROUP.to_owned()),
                resource: Some(kind.plural().to_owned()),
                subresource: Some(args.subresource.clone()),
                namespace: ctx.scope.clone(),
                name: name.clone(),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = ctx.client.may(&asked).await?.status.unwrap_or_default();
    let told = match (answer.allowed, &answer.reason) {
        (true, _) => "yes".to_owned(),
        (false, None) => "no".to_owned(),
        (false, Some(reason)) => format!("no: {reason}"),
    };
    if !args.quiet {
        ctx.print(&format!("{told}\n"))?;
    }
    if answer.allowed {
        Ok(Outcome::Done)
    } else {
        Err(CliError::Said)
    }
}

async fn list(ctx: &Context) -> Result<Outcome, CliError> {
    let rules = ctx.client.rules(ctx.default_namespace()).await?;
    let mut table = Table::default();
    table.row(["RESOURCES", "NON-RESOURCE URLS", "VERBS"]);
    for rule in &rules.resource_rules {
        let groups = rule.api_groups.as_deref().unwrap_or_default();
        let group = groups.first().map_or("", String::as_str);
        let named = |resource: &String| match group {
            "" => resource.clone(),
            group => format!("{resource}.{group}"),
        };
        let resources: Vec<String> = rule.resources.iter().flatten().map(named).collect();
        table.row([resources.join(", ").as_str(), "", &rule.verbs.join(", ")]);
    }
    for rule in &rules.non_resource_rules {
        let urls = rule.non_resource_urls.as_deref().unwrap_or_default();
        table.row(["", &urls.join(", "), &rule.verbs.join(", ")]);
    }
    ctx.print(&table.take(ctx.paint))?;
    Ok(Outcome::Done)
}

async fn whoami(ctx: &Context) -> Result<Outcome, CliError> {
    let review: SelfSubjectReview = ctx.client.who_am_i().await?;
    let user = review
        .status
        .and_then(|status| status.user_info)
        .unwrap_or_default();
    let mut table = Table::default();
    table.row(["ATTRIBUTE", "VALUE"]);
    table.row(["Username", user.username.as_deref().unwrap_or_default()]);
    table.row(["Groups", &user.groups.unwrap_or_default().join(",")]);
    ctx.print(&table.take(ctx.paint))?;
    Ok(Outcome::Done)
}
