//! `whoosh simulate`: what would come of nodes that fail, are drained or join, and of manifests, played on paper.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::cli::apply::{Item, proposed};
use crate::cli::args::{DataForm, FileArgs};
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::duration::parse_duration;
use crate::cli::error::{CliError, Outcome};
use crate::cli::files;
use crate::cli::print::outlook;
use crate::resource::outlook::{NewNode, Scenario};
use crate::resource::quantity::Measure;

/// What a node has of which nothing is said: four processors and 8 GiB.
const DEFAULT_CPUS: i64 = 4_000_000_000;
const DEFAULT_MEMORY: i64 = 8 << 30;

/// How long the operator may play: a large Swarm takes it a while.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Arguments of `simulate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
The operator copies the Swarm as it runs now, of all namespaces and with the services of others, lets happen on the \
copy what you name, all at once, and moves time on. Nothing real is changed. Where agents go is decided by the rules \
of the engine's scheduler; where several nodes are as good, another one may be chosen in fact. Times are about those \
of machines that have the images.

Exit codes: 0 nothing moves, 1 something does, 2 error.

Examples:
  # Who goes where when a node dies?
  whoosh simulate --fail-node node-2

  # Is there room for maintenance of two nodes at once, with one more beside them?
  whoosh simulate --drain-node node-2 --drain-node node-3 --add-node spare:cpus=8,memory=16Gi

  # Does a larger team still fit when a node is lost?
  whoosh simulate -f team.yaml --fail-node node-1 -o json")]
pub struct SimulateArgs {
    /// A node goes silent, by its host name, id or the start of its id; may be repeated
    #[arg(long, value_name = "NODE", add = complete::nodes())]
    fail_node: Vec<String>,
    /// A node is drained; may be repeated
    #[arg(long, value_name = "NODE", add = complete::nodes())]
    drain_node: Vec<String>,
    /// A worker joins: NAME[:cpus=4,memory=8Gi,label.KEY=VALUE]; may be repeated
    #[arg(long, value_name = "NODE", value_parser = new_node)]
    add_node: Vec<NewNode>,
    /// Manifests that are applied: file, folder, address (https://…) or - for standard input; may be repeated
    #[arg(short, long = "filename", value_name = "FILE", value_hint = clap::ValueHint::AnyPath)]
    file: Vec<String>,
    /// Read folders below a folder, too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// For how long to watch what follows, in simulated time: 1s to 24h
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = parse_length)]
    length: Duration,
    /// Form: json or yaml
    #[arg(short, long, value_name = "FORM")]
    output: Option<DataForm>,
}

pub(crate) async fn run(ctx: &Context, args: &SimulateArgs) -> Result<Outcome, CliError> {
    let SimulateArgs {
        fail_node,
        drain_node,
        add_node,
        file,
        recursive,
        length,
        output,
    } = args;
    if fail_node.is_empty() && drain_node.is_empty() && add_node.is_empty() && file.is_empty() {
        return Err(CliError::Usage(
            "nothing is to happen; name it with --fail-node, --drain-node, --add-node or -f".to_owned(),
        ));
    }
    let files = FileArgs {
        file: file.clone(),
        recursive: *recursive,
    };
    let scenario = Scenario {
        fail_nodes: fail_node.clone(),
        drain_nodes: drain_node.clone(),
        add_nodes: add_node.clone(),
        objects: objects(ctx, &files).await?,
        seconds: length.as_secs(),
    };
    let outlook = ctx.patient_client(PATIENCE).simulate(&scenario).await?;
    let value = || serde_json::to_value(&outlook).map_err(|error| CliError::Failed(error.to_string()));
    ctx.print(&match output {
        None => outlook::text(&outlook, ctx.paint),
        Some(form) => form.document().write(&value()?)?,
    })?;
    Ok(if outlook.is_empty() {
        Outcome::Done
    } else {
        Outcome::Different
    })
}

/// What the files come to, judged by the operator one by one.
async fn objects(ctx: &Context, args: &FileArgs) -> Result<Vec<Value>, CliError> {
    if args.file.is_empty() {
        return Ok(Vec::new());
    }
    let (mut objects, mut beside) = (Vec::new(), Vec::new());
    for item in Item::all(files::load(ctx, args).await?) {
        let live = ctx.client.find(&item.key).await?;
        let object = proposed(&item, live.as_ref());
        match ctx.client.judge(&item.key, &object, &beside).await {
            Err(error) if !error.causes().is_empty() => {
                return Err(files::say_problems(&files::refused(&item.source, &error)));
            }
            judged => judged?,
        }
        if !item.key.kind.owns_agents() {
            beside.push(object.clone());
        }
        objects.push(object);
    }
    Ok(objects)
}

/// Reads `NAME[:cpus=4,memory=8Gi,label.zone=b]`.
fn new_node(text: &str) -> Result<NewNode, String> {
    let (name, details) = text.split_once(':').unwrap_or((text, ""));
    if name.is_empty()
        || !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    {
        return Err("a node needs a name of letters, digits, -, _ and .".to_owned());
    }
    let mut node = NewNode {
        name: name.to_owned(),
        nano_cpus: DEFAULT_CPUS,
        memory_bytes: DEFAULT_MEMORY,
        labels: BTreeMap::new(),
    };
    let mut said = BTreeSet::new();
    for detail in details.split(',').filter(|detail| !detail.is_empty()) {
        let (key, value) = detail.split_once('=').ok_or_else(|| no_detail(detail))?;
        if !said.insert(key) {
            return Err(format!("{key} is there twice"));
        }
        let quantity = |measure: Measure| match measure.parse(value) {
            Ok(0) => Err(format!("a node needs {key} of more than 0")),
            parsed => parsed.map_err(|error| error.to_string()),
        };
        match key {
            "cpus" => node.nano_cpus = quantity(Measure::Cpu)?,
            "memory" => node.memory_bytes = quantity(Measure::Memory)?,
            _ => {
                let label = key.strip_prefix("label.").filter(|label| !label.is_empty());
                let label = label.ok_or_else(|| no_detail(detail))?;
                node.labels.insert(label.to_owned(), value.to_owned());
            }
        }
    }
    Ok(node)
}

/// Reads a `--for`.
fn parse_length(text: &str) -> Result<Duration, String> {
    let length = parse_duration(text)?;
    let limits = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
    let refuse = || "must be from 1s to 24h".to_owned();
    limits.contains(&length).then_some(length).ok_or_else(refuse)
}

fn no_detail(detail: &str) -> String {
    format!("\"{detail}\" is not cpus=…, memory=… or label.KEY=…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_node_is_read_with_what_it_has() {
        let node = new_node("spare:cpus=1500m,memory=2Gi,label.zone=b").unwrap();
        assert_eq!((node.nano_cpus, node.memory_bytes), (1_500_000_000, 2 << 30));
        assert_eq!(node.labels["zone"], "b");
        let plain = new_node("spare").unwrap();
        assert_eq!(
            (plain.nano_cpus, plain.memory_bytes),
            (DEFAULT_CPUS, DEFAULT_MEMORY)
        );
        let label = new_node("spare:label.label.rack=c").unwrap().labels;
        assert_eq!(label["label.rack"], "c");
        for bad in [
            "",
            ":cpus=1",
            "a b",
            "x:cpu=1",
            "x:cpus=many",
            "x:cpus",
            "x:label.=b",
        ] {
            new_node(bad).unwrap_err();
        }
        for (bad, told) in [
            ("x:cpus=1,cpus=2", "cpus is there twice"),
            ("x:label.a=1,label.a=1", "label.a is there twice"),
            ("x:cpus=0", "a node needs cpus of more than 0"),
            ("x:memory=0Gi", "a node needs memory of more than 0"),
        ] {
            assert_eq!(new_node(bad).unwrap_err(), told, "{bad}");
        }
    }

    #[test]
    fn what_is_played_takes_a_second_to_a_day() {
        assert_eq!(parse_length("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_length("24h"), Ok(Duration::from_secs(86_400)));
        for bad in ["500ms", "25h", "-1s", "soon"] {
            parse_length(bad).unwrap_err();
        }
    }
}
