//! `whoosh config`: the operators that somebody uses over the network.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::args::GlobalArgs;
use crate::cli::contexts::Contexts;
use crate::cli::error::{CliError, Outcome};
use crate::cli::print::paint::Paint;
use crate::cli::print::table::{Cell, Table};
use crate::cli::{paths, print, talk};
use crate::resource::yaml;

/// Arguments of `config`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
The file is of kubectl's kind: what `whoosh kubeconfig` prints on the operator's machine serves both.

Examples:
  # Take in what a colleague has sent you, and use it from now on
  whoosh config add prod -f prod.kubeconfig
  whoosh config use-context prod

  # This machine's own operator again
  whoosh config unset")]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum ConfigCommand {
    /// List the contexts
    #[command(visible_alias = "list")]
    GetContexts,
    /// Print the name of the current context
    CurrentContext,
    /// Make a context the current one
    UseContext {
        /// Its name
        name: String,
    },
    /// Have no current context: without --context, this machine's own operator is meant
    Unset,
    /// Take in the current context of a kubeconfig, under a name
    Add {
        /// What it is to be called here
        name: String,
        /// The kubeconfig
        #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Forget a context
    Remove {
        /// Its name
        name: String,
    },
}

pub(crate) fn run(global: &GlobalArgs, args: &ConfigArgs) -> Result<Outcome, CliError> {
    let path = global.config.clone().or_else(paths::default_config);
    let path = path
        .ok_or_else(|| CliError::Usage("there is no home folder: name the file with --config".to_owned()))?;
    let contexts = Contexts::read(&path)?;
    match &args.command {
        ConfigCommand::GetContexts => list(&contexts)?,
        ConfigCommand::CurrentContext => match contexts.current() {
            Some(name) => print::out(&format!("{name}\n"))?,
            None => return Err(CliError::Failed("there is no current context".to_owned())),
        },
        ConfigCommand::UseContext { name } => {
            contexts.choose(name)?;
            save(&path, with_current(contexts.raw, name))?;
            print::out(&format!("the current context is {name}\n"))?;
        }
        ConfigCommand::Unset => {
            save(&path, with_current(contexts.raw, ""))?;
            print::out("there is no current context; this machine's own operator is meant\n")?;
        }
        ConfigCommand::Add { name, file } => {
            let given = Contexts::read(file)?;
            let current = given
                .current()
                .ok_or_else(|| CliError::Failed(format!("{} has no current context", file.display())))?;
            let entry = given.portable(current)?;
            save(&path, with_entry(contexts.raw, name, &entry))?;
            print::out(&format!("context {name} added\n"))?;
        }
        ConfigCommand::Remove { name } => {
            contexts.choose(name)?;
            let is_current = contexts.current() == Some(name);
            let mut raw = without_context(contexts.raw, name);
            if is_current {
                raw = with_current(raw, "");
            }
            save(&path, raw)?;
            print::out(&format!("context {name} removed\n"))?;
        }
    }
    Ok(Outcome::Done)
}

fn list(contexts: &Contexts) -> Result<(), CliError> {
    let all: Vec<_> = contexts.all().collect();
    if all.is_empty() {
        talk::say("No contexts found; `whoosh config add` takes one in.");
        return Ok(());
    }
    let mut table = Table::default();
    table.row(["CURRENT", "NAME", "SERVER", "USER", "NAMESPACE"]);
    for context in all {
        let current = if context.is_current { "*" } else { "" };
        let cells: [Cell; 5] = [
            current.into(),
            context.name.into(),
            Cell::or_none(&context.server),
            context.user.into(),
            Cell::or_none(&context.namespace),
        ];
        table.row(cells);
    }
    print::out(&table.take(Paint::for_stdout()))
}

/// The parts of a kubeconfig that name things.
const LISTS: [(&str, &str); 3] = [
    ("clusters", "cluster"),
    ("users", "user"),
    ("contexts", "context"),
];

fn with_current(mut raw: Value, name: &str) -> Value {
    raw["current-context"] = name.into();
    raw
}

/// With a cluster, a user and a context of a name, in the place of those that had it.
fn with_entry(raw: Value, name: &str, entry: &Value) -> Value {
    let mut raw = without_context(raw, name);
    for (list, _) in LISTS {
        retain(&mut raw, list, |named| named["name"] != name);
    }
    raw["apiVersion"] = "v1".into();
    raw["kind"] = "Config".into();
    for (list, what) in LISTS {
        if !raw[list].is_array() {
            raw[list] = json!([]);
        }
        let mut body = entry[what].clone();
        if what == "context" {
            body["cluster"] = name.into();
            body["user"] = name.into();
        }
        let named = json!({"name": name, what: body});
        raw[list]
            .as_array_mut()
            .into_iter()
            .for_each(|list| list.push(named.clone()));
    }
    raw
}

/// Without a context, and without the cluster and the user that no other one names.
fn without_context(mut raw: Value, name: &str) -> Value {
    let contexts = raw["contexts"].as_array().cloned().unwrap_or_default();
    let (gone, left): (Vec<Value>, Vec<Value>) =
        contexts.into_iter().partition(|context| context["name"] == name);
    for (list, what) in LISTS {
        retain(&mut raw, list, |named| {
            let names_it = |context: &Value| context["context"][what] == named["name"];
            !gone.iter().any(names_it) || left.iter().any(names_it)
        });
    }
    retain(&mut raw, "contexts", |context| context["name"] != name);
    raw
}

fn retain(raw: &mut Value, list: &str, keep: impl Fn(&Value) -> bool) {
    let list = raw.get_mut(list).and_then(Value::as_array_mut);
    list.into_iter().for_each(|list| list.retain(&keep));
}

/// Writes the file whole or not at all, for its owner's eyes alone.
fn save(path: &Path, raw: Value) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::Failed(format!("{}: {error}", path.display()));
    let text = yaml::to_yaml(&raw).map_err(|error| CliError::Failed(error.to_string()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&new, path)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_takes_the_place_of_the_one_of_its_name() {
        let entry = |server: &str| {
            json!({
                "cluster": {"server": server}, "user": {"token": "t"}, "context": {"cluster": "x", "user": "y", "namespace": "shop"},
            })
        };
        let raw = with_entry(json!({"preferences": {}}), "prod", &entry("https://a"));
        let raw = with_entry(raw, "prod", &entry("https://b"));
        assert_eq!(
            raw,
            json!({
                "preferences": {}, "apiVersion": "v1", "kind": "Config",
                "clusters": [{"name": "prod", "cluster": {"server": "https://b"}}],
                "users": [{"name": "prod", "user": {"token": "t"}}],
                "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "prod", "namespace": "shop"}}],
            })
        );
    }

    #[test]
    fn a_context_goes_with_what_is_its_own() {
        let context = |name: &str, cluster: &str, user: &str| json!({"name": name, "context": {"cluster": cluster, "user": user}});
        let raw = json!({
            "clusters": [{"name": "whoosh"}, {"name": "ada"}],
            "users": [{"name": "kubeconfig-1a2b"}, {"name": "eve"}, {"name": "ada"}],
            "contexts": [context("ada", "whoosh", "kubeconfig-1a2b"), context("eve", "whoosh", "eve"), context("x", "ada", "ada")],
        });
        let raw = without_context(raw, "ada");
        assert_eq!(
            raw,
            json!({
                "clusters": [{"name": "whoosh"}, {"name": "ada"}],
                "users": [{"name": "eve"}, {"name": "ada"}],
                "contexts": [context("eve", "whoosh", "eve"), context("x", "ada", "ada")],
            })
        );
        assert_eq!(
            without_context(without_context(raw, "eve"), "x")["clusters"],
            json!([])
        );
    }
}
