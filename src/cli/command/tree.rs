//! `whoosh tree`: teams and councils down to the services and nodes that run their agents.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::print::paint::Tone;
use crate::cli::print::table::{Cell, Table};
use crate::cli::target::{self, Target};
use crate::cli::{agents, object, talk};
use crate::resource::Kind;

/// Arguments of `tree`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Everything in this namespace
  whoosh tree

  # One team
  whoosh tree team/payments")]
pub struct TreeArgs {
    /// Teams and councils, as KIND, KIND NAME… or KIND/NAME…; without any, all of them
    #[arg(value_name = "WHAT", add = complete::objects())]
    what: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: &TreeArgs) -> Result<Outcome, CliError> {
    let owners = owners(ctx, args).await?;
    if owners.is_empty() {
        talk::say(&ctx.nothing_found("resources"));
        return Ok(Outcome::Done);
    }
    let agents = agents::if_seen(ctx, &ctx.selection(Kind::Agent, None)).await?;
    let mut table = Table::default();
    let everywhere = ctx.scope.is_none();
    let headings = ["NAME", "READY", "STATUS", "STATE", "NODE", "SERVICE"];
    table.row(
        Some("NAMESPACE")
            .filter(|_| everywhere)
            .into_iter()
            .chain(headings),
    );
    for owner in &owners {
        for row in rows(owner, &agents) {
            let namespace = Some(Cell::from(object::namespace(owner))).filter(|_| everywhere);
            table.row(namespace.into_iter().chain(row));
        }
    }
    ctx.print(&table.take(ctx.paint))?;
    Ok(Outcome::Done)
}

async fn owners(ctx: &Context, args: &TreeArgs) -> Result<Vec<Value>, CliError> {
    let targets = if args.what.is_empty() {
        Kind::owners().map(|kind| Target { kind, name: None }).collect()
    } else {
        target::parse(&args.what)?
    };
    let mut owners = Vec::new();
    for Target { kind, name } in targets.into_iter().filter(|target| target.kind.owns_agents()) {
        match name {
            Some(name) => owners.push(ctx.client.get(&ctx.key(kind, &name)?).await?),
            None => owners.extend(ctx.client.list(&ctx.selection(kind, None)).await?.items),
        }
    }
    Ok(owners)
}

/// The rows of one owner: itself, its roles, and each role's agents.
fn rows(owner: &Value, agents: &[Value]) -> Vec<Vec<Cell>> {
    let Some(key) = object::key(owner) else {
        return Vec::new();
    };
    let name = object::slashed(&key);
    let mut roles: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for agent in agents {
        if object::text(agent, "/spec/owner") == name && object::namespace(agent) == key.namespace {
            roles
                .entry(object::text(agent, "/spec/role"))
                .or_default()
                .push(agent);
        }
    }
    let declared = owner.pointer("/status/roles").and_then(Value::as_array);
    let mut order: Vec<(&str, String)> = declared
        .into_iter()
        .flatten()
        .map(|role| {
            (
                object::text(role, "/name"),
                format!("{}/{}", role["ready"], role["desired"]),
            )
        })
        .collect();
    for role in roles.keys() {
        if !order.iter().any(|(known, _)| known == role) {
            order.push((role, String::new()));
        }
    }
    let state = object::text(owner, "/status/state");
    let mut rows = vec![vec![
        name.into(),
        object::text(owner, "/status/summary").into(),
        Cell::toned(state, Tone::of_state(state)),
    ]];
    let last_role = order.len().saturating_sub(1);
    for (index, (role, ready)) in order.into_iter().enumerate() {
        let (branch, stem) = if index == last_role {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        rows.push(vec![format!("{branch}{role}").into(), ready.into()]);
        let agents = roles.remove(role).unwrap_or_default();
        let last = agents.len().saturating_sub(1);
        for (index, agent) in agents.into_iter().enumerate() {
            let branch = if index == last { "└─ " } else { "├─ " };
            rows.push(agent_row(&format!("{stem}{branch}"), agent));
        }
    }
    rows
}

fn agent_row(prefix: &str, agent: &Value) -> Vec<Cell> {
    let text = |pointer| object::text(agent, pointer);
    let state = text("/status/state");
    vec![
        format!("{prefix}{}", object::name(agent)).into(),
        "".into(),
        Cell::toned(state, Tone::of_state(state)),
        Cell::or_none(text("/status/taskState")),
        Cell::or_none(text("/status/node")),
        text("/spec/service").into(),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::print::paint::Paint;

    #[test]
    fn a_team_is_shown_down_to_its_services() {
        let team = json!({
            "kind": "Team", "metadata": {"name": "pay"},
            "status": {"summary": "1/2", "state": "Progressing", "roles": [
                {"name": "lead", "ready": 1, "desired": 1}, {"name": "dev", "ready": 0, "desired": 1}]},
        });
        let agent = |role: &str, owner: &str, state: &str, node: &str| {
            json!({
                "metadata": {"name": format!("team.pay.{role}.1")},
                "spec": {"owner": owner, "role": role, "service": format!("team_default_pay_{role}_1")},
                "status": {"state": state, "taskState": "running", "node": node},
            })
        };
        let agents = [
            agent("dev", "team/pay", "Pending", ""),
            agent("lead", "team/pay", "Ready", "n1"),
            agent("lead", "team/other", "Ready", "n1"),
        ];
        let mut table = Table::default();
        for row in rows(&team, &agents) {
            table.row(row);
        }
        assert_eq!(
            table.take(Paint::never()),
            "team/pay                1/2   Progressing\n\
             ├─ lead                 1/1\n\
             │  └─ team.pay.lead.1         Ready         running   n1       team_default_pay_lead_1\n\
             └─ dev                  0/1\n   \
                └─ team.pay.dev.1          Pending       running   <none>   team_default_pay_dev_1\n"
        );
    }
}
