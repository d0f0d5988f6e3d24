//! `whoosh tree`: from a Git repository to its objects, from teams and councils to the services and nodes of their agents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cli::client::{ClientError, Selection};
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::print::paint::Tone;
use crate::cli::print::table::{Cell, Table};
use crate::cli::target::{self, Target};
use crate::cli::{agents, object, sources, talk};
use crate::resource::{Key, Kind};

/// Arguments of `tree`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Everything in this namespace
  whoosh tree

  # One team
  whoosh tree team/payments

  # What a Git repository declares, and what became of it
  whoosh tree gitsource/fleet")]
pub struct TreeArgs {
    /// Teams, councils and Git sources, as KIND, KIND NAME… or KIND/NAME…; without any, all teams and councils
    #[arg(value_name = "WHAT", add = complete::objects())]
    what: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: &TreeArgs) -> Result<Outcome, CliError> {
    let roots = roots(ctx, args).await?;
    if roots.is_empty() {
        talk::say(&ctx.nothing_found("resources"));
        return Ok(Outcome::Done);
    }
    let mut agents = agents::if_seen(ctx, &ctx.selection(Kind::Agent, None)).await?;
    let mut trees = Vec::new();
    for root in &roots {
        let declared = match object::key(root).map(|key| key.kind) {
            Some(Kind::GitSource) => Some(declared(ctx, root).await?),
            _ => None,
        };
        trees.push((root, declared));
    }
    let declared = || trees.iter().filter_map(|(_, declared)| declared.as_ref());
    for namespace in elsewhere(ctx.scope.as_deref(), declared().flatten()) {
        let there = Selection {
            namespace: Some(namespace),
            ..ctx.selection(Kind::Agent, None)
        };
        agents.extend(agents::if_seen(ctx, &there).await?);
    }
    let mut table = Table::default();
    let everywhere = ctx.scope.is_none();
    let headings = ["NAME", "READY", "STATUS", "STATE", "NODE", "SERVICE"];
    table.row(
        Some("NAMESPACE")
            .filter(|_| everywhere)
            .into_iter()
            .chain(headings),
    );
    for (root, declared) in trees {
        let node = match declared {
            Some(declared) => source_node(root, declared, &agents),
            None => owner_node(root, &agents),
        };
        for row in node.rows() {
            let namespace = Some(Cell::from(object::namespace(root))).filter(|_| everywhere);
            table.row(namespace.into_iter().chain(row));
        }
    }
    ctx.print(&table.take(ctx.paint))?;
    Ok(Outcome::Done)
}

/// What the tree begins with.
async fn roots(ctx: &Context, args: &TreeArgs) -> Result<Vec<Value>, CliError> {
    let targets = if args.what.is_empty() {
        Kind::owners().map(|kind| Target { kind, name: None }).collect()
    } else {
        target::parse(&args.what)?
    };
    let has_branches = |kind: Kind| kind.owns_agents() || kind == Kind::GitSource;
    let mut roots = Vec::new();
    for Target { kind, name } in targets.into_iter().filter(|target| has_branches(target.kind)) {
        match name {
            Some(name) => roots.push(ctx.client.get(&ctx.key(kind, &name)?).await?),
            None => roots.extend(ctx.client.list(&ctx.selection(kind, None)).await?.items),
        }
    }
    Ok(roots)
}

/// What became of an object that a source declares.
#[derive(Debug, PartialEq)]
enum Found {
    /// It is like this.
    Object(Value),
    /// It is not there.
    Gone,
    /// It is in a namespace where whoever asks may not look.
    Hidden,
}

impl Found {
    /// What an answer comes to.
    ///
    /// # Errors
    /// What says nothing of the object.
    fn of(answer: Result<Value, ClientError>) -> Result<Self, ClientError> {
        match answer {
            Ok(object) => Ok(Self::Object(object)),
            Err(error) if error.is_not_found() => Ok(Self::Gone),
            Err(error) if error.code() == Some(403) => Ok(Self::Hidden),
            Err(error) => Err(error),
        }
    }
}

/// An object of a source's inventory.
type Declared = (Key, Found);

/// The other namespaces where agents of what is declared may be.
fn elsewhere<'a>(scope: Option<&str>, declared: impl Iterator<Item = &'a Declared>) -> BTreeSet<String> {
    // Without one, those of everywhere are known.
    let Some(here) = scope else {
        return BTreeSet::new();
    };
    let owners = declared.filter(|(key, found)| key.kind.owns_agents() && matches!(found, Found::Object(_)));
    owners
        .map(|(key, _)| key.namespace.clone())
        .filter(|namespace| namespace != here)
        .collect()
}

/// The objects of a source's inventory, as they are now.
async fn declared(ctx: &Context, source: &Value) -> Result<Vec<Declared>, CliError> {
    let mut found = Vec::new();
    for key in sources::listed(source, "inventory") {
        let object = Found::of(ctx.client.get(&key).await)?;
        found.push((key, object));
    }
    Ok(found)
}

/// Something in the tree, and what is below it.
struct Node {
    name: String,
    /// What stands beside the name.
    cells: Vec<Cell>,
    below: Vec<Node>,
}

impl Node {
    /// Its row, and then those of what is below it.
    fn rows(self) -> Vec<Vec<Cell>> {
        let mut rows = Vec::new();
        self.draw("", "", &mut rows);
        rows
    }

    /// `branch` leads to it, and `stem` to what is below it.
    fn draw(self, branch: &str, stem: &str, rows: &mut Vec<Vec<Cell>>) {
        let mut row = vec![Cell::from(format!("{branch}{}", self.name))];
        row.extend(self.cells);
        rows.push(row);
        let last = self.below.len().saturating_sub(1);
        for (index, node) in self.below.into_iter().enumerate() {
            let (to_it, past_it) = match index == last {
                true => ("└─ ", "   "),
                false => ("├─ ", "│  "),
            };
            node.draw(&format!("{stem}{to_it}"), &format!("{stem}{past_it}"), rows);
        }
    }
}

/// A source and the objects that it declares; of those that are gone or not to be seen, only that.
fn source_node(source: &Value, declared: Vec<Declared>, agents: &[Value]) -> Node {
    let home = object::namespace(source);
    let below = declared.into_iter().map(|(key, object)| {
        let mut node = match &object {
            Found::Object(object) if key.kind.owns_agents() => owner_node(object, agents),
            object => Node {
                name: object::slashed(&key),
                cells: match object {
                    Found::Object(object) if key.kind == Kind::GitSource => source_cells(object),
                    Found::Object(_) => Vec::new(),
                    Found::Gone => vec!["".into(), Cell::toned("Gone", Tone::of_state("Missing"))],
                    Found::Hidden => vec!["".into(), "not allowed to see".into()],
                },
                below: Vec::new(),
            },
        };
        if key.namespace != home {
            node.name = format!("{} in {}", node.name, key.namespace);
        }
        if sources::tells_of(source, "pinned", &key) {
            node.name += " (pinned)";
        }
        node
    });
    Node {
        name: object::key(source)
            .map(|key| object::slashed(&key))
            .unwrap_or_default(),
        cells: source_cells(source),
        below: below.collect(),
    }
}

/// Which commit of a source is applied, and how it is.
fn source_cells(source: &Value) -> Vec<Cell> {
    let ready = object::conditions(source);
    let ready = ready.iter().find(|condition| condition.type_ == "Ready");
    let state = match ready {
        Some(ready) if ready.status == "True" => "Ready".to_owned(),
        Some(ready) => ready.reason.clone(),
        None => String::new(),
    };
    vec![
        object::text(source, "/status/revision").into(),
        Cell::toned(&state, Tone::of_state(&state)),
    ]
}

/// A team or council, its roles, and each role's agents.
fn owner_node(owner: &Value, agents: &[Value]) -> Node {
    let key = object::key(owner);
    let name = key.as_ref().map(object::slashed).unwrap_or_default();
    let mut roles: BTreeMap<&str, Vec<Node>> = BTreeMap::new();
    for agent in agents {
        if object::text(agent, "/spec/owner") == name && object::namespace(agent) == object::namespace(owner)
        {
            let role = object::text(agent, "/spec/role");
            roles.entry(role).or_default().push(agent_node(agent));
        }
    }
    let declared = owner.pointer("/status/roles").and_then(Value::as_array);
    let mut below: Vec<Node> = declared
        .into_iter()
        .flatten()
        .map(|role| {
            let name = object::text(role, "/name");
            Node {
                name: name.to_owned(),
                cells: vec![format!("{}/{}", role["ready"], role["desired"]).into()],
                below: roles.remove(name).unwrap_or_default(),
            }
        })
        .collect();
    below.extend(roles.into_iter().map(|(role, agents)| Node {
        name: role.to_owned(),
        cells: Vec::new(),
        below: agents,
    }));
    let state = object::text(owner, "/status/state");
    Node {
        name,
        cells: vec![
            object::text(owner, "/status/summary").into(),
            Cell::toned(state, Tone::of_state(state)),
        ],
        below,
    }
}

fn agent_node(agent: &Value) -> Node {
    let text = |pointer| object::text(agent, pointer);
    let state = text("/status/state");
    Node {
        name: object::name(agent).to_owned(),
        cells: vec![
            "".into(),
            Cell::toned(state, Tone::of_state(state)),
            Cell::or_none(text("/status/taskState")),
            Cell::or_none(text("/status/node")),
            text("/spec/service").into(),
        ],
        below: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
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
        for row in owner_node(&team, &agents).rows() {
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

    #[test]
    fn what_may_not_be_seen_ends_no_tree() {
        let refused = |code| {
            Found::of(Err(ClientError::Refused(Box::new(Status {
                code: Some(code),
                ..Status::default()
            }))))
        };
        assert_eq!(refused(404).unwrap(), Found::Gone);
        assert_eq!(refused(403).unwrap(), Found::Hidden);
        assert!(refused(500).is_err());
    }

    #[test]
    fn agents_are_looked_for_wherever_a_source_declares_some() {
        let team = |namespace: &str, found| (Key::new(Kind::Team, namespace, "a"), found);
        let there = || Found::Object(json!({}));
        let declared = [
            team("default", there()),
            team("prod", there()),
            team("gone", Found::Gone),
            team("secret", Found::Hidden),
            (Key::new(Kind::AgentTemplate, "shelf", "t"), there()),
        ];
        assert_eq!(
            elsewhere(Some("default"), declared.iter()),
            ["prod".to_owned()].into()
        );
        assert_eq!(elsewhere(None, declared.iter()), BTreeSet::new());
    }

    #[test]
    fn a_source_is_shown_with_all_that_it_declares() {
        let source = json!({
            "apiVersion": "chorus.services/v1", "kind": "GitSource",
            "metadata": {"name": "fleet", "namespace": "default"},
            "status": {"revision": "main@1a2b3c4", "pinned": ["team/other/lost"], "conditions": [
                {"type": "Ready", "status": "True", "reason": "RevisionApplied", "message": "",
                 "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        });
        let team = json!({"kind": "Team", "metadata": {"name": "pay"}, "status": {"summary": "0/1", "state": "Failed",
                          "roles": [{"name": "lead", "ready": 0, "desired": 1}]}});
        let key = |kind, namespace: &str, name: &str| Key::new(kind, namespace, name);
        let declared = vec![
            (
                key(Kind::AgentTemplate, "default", "small"),
                Found::Object(json!({})),
            ),
            (key(Kind::Team, "default", "pay"), Found::Object(team)),
            (key(Kind::Team, "other", "lost"), Found::Gone),
            (key(Kind::Team, "secret", "own"), Found::Hidden),
        ];
        let mut table = Table::default();
        for row in source_node(&source, declared, &[]).rows() {
            table.row(row);
        }
        assert_eq!(
            table.take(Paint::never()),
            "gitsource/fleet                  main@1a2b3c4   Ready\n\
             ├─ agenttemplate/small\n\
             ├─ team/pay                      0/1            Failed\n\
             │  └─ lead                       0/1\n\
             ├─ team/lost in other (pinned)                  Gone\n\
             └─ team/own in secret                           not allowed to see\n"
        );
    }
}
