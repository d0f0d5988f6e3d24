//! `whoosh edit`: changes an object in an editor.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::cli::apply::declared;
use crate::cli::change::change;
use crate::cli::client::ClientError;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::{files, merge, object, talk, target};
use crate::resource::manifest::{Located, Problem, Source, load};
use crate::resource::{Key, Object, yaml};

const HELP: &str = "\
# Save and leave the editor to change the object; leave it unchanged, or empty, to change nothing.
# Lines that begin with # are left out.
#
";

/// Arguments of `edit`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
The editor is $VISUAL or $EDITOR, or vi. What the operator refuses is shown at the top of the file, to be mended.

Examples:
  whoosh edit team/payments
  EDITOR='code --wait' whoosh edit team/payments")]
pub struct EditArgs {
    /// An object, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1..=2, add = complete::objects())]
    what: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: &EditArgs) -> Result<Outcome, CliError> {
    let (kind, name) = target::parse_one(&args.what)?;
    let key = ctx.key(kind, &name)?;
    let live = ctx.client.get(&key).await?;
    let before: Object = serde_json::from_value(live.clone()).map_err(ClientError::Unreadable)?;
    let before = declared(&before);
    let original = yaml::to_yaml(&before).map_err(|error| CliError::Failed(error.to_string()))?;
    let draft = Draft::new(&key)?;
    let edited = until_taken(ctx, &key, &live, &before, &original, &draft).await;
    let is_untouched = || draft.read().is_ok_and(|text| without_notes(&text) == original);
    match edited {
        Err(error) if !is_untouched() => {
            talk::say(&format!("what you wrote is in {}", draft.path.display()));
            return Err(error);
        }
        Err(error) => {
            draft.remove();
            return Err(error);
        }
        Ok(is_changed) => {
            draft.remove();
            match is_changed {
                true => ctx.print(&format!("{} edited\n", object::slashed(&key)))?,
                false => talk::say("nothing was changed"),
            }
        }
    }
    Ok(Outcome::Done)
}

/// Opens the editor again and again, until the operator takes what was written; `false` when nothing is to be changed.
async fn until_taken(
    ctx: &Context,
    key: &Key,
    live: &Value,
    before: &Value,
    original: &str,
    draft: &Draft,
) -> Result<bool, CliError> {
    let (mut text, mut notes) = (original.to_owned(), String::new());
    loop {
        draft.write(&format!("{HELP}{notes}{text}"))?;
        editor(&draft.path)?;
        let edited = without_notes(&draft.read()?);
        if edited.trim().is_empty() || edited == text {
            return match notes.is_empty() {
                true => Ok(false),
                false => Err(CliError::Failed(format!(
                    "nothing was changed:\n{}",
                    notes.trim_end()
                ))),
            };
        }
        text = edited;
        let problems = match parse(key, &text) {
            Err(problems) => problems,
            Ok(wanted) => {
                let mut patch = merge::patch(before, &declared(&wanted.value));
                if patch == json!({}) {
                    return Ok(false);
                }
                patch["metadata"]["uid"] = live["metadata"]["uid"].clone();
                match send(ctx, key, before, patch, &wanted).await {
                    Ok(()) => return Ok(true),
                    Err(Refusal::Mendable(problems)) => problems,
                    Err(Refusal::Final(error)) => return Err(error),
                }
            }
        };
        notes = problems.iter().map(|problem| format!("# {problem}\n")).collect();
        notes.push_str("#\n");
    }
}

/// Why an edit was not taken.
enum Refusal {
    /// It can be mended in the editor.
    Mendable(Vec<String>),
    /// It cannot.
    Final(CliError),
}

async fn send(
    ctx: &Context,
    key: &Key,
    before: &Value,
    patch: Value,
    wanted: &Located<Object>,
) -> Result<(), Refusal> {
    let made_of = |live: &Value| {
        let live: Object = serde_json::from_value(live.clone()).map_err(ClientError::Unreadable)?;
        match is_touched(before, &declared(&live), &patch) {
            true => Err(CliError::Failed(
                "somebody else changed the same fields meanwhile; edit it again".to_owned(),
            )),
            false => Ok(Some(patch.clone())),
        }
    };
    match change(ctx, key, false, made_of).await {
        Ok(_) => Ok(()),
        Err(CliError::Client(error)) if !error.causes().is_empty() => {
            let problems = files::refused(wanted, &error);
            Err(Refusal::Mendable(told(&problems)))
        }
        Err(error) => Err(Refusal::Final(error)),
    }
}

/// Whether anything that a merge patch changes is no longer what it was before.
fn is_touched(before: &Value, live: &Value, patch: &Value) -> bool {
    match patch {
        Value::Object(members) => members.iter().any(|(name, patch)| {
            // The patch names whom it means.
            name != "uid" && is_touched(&before[name], &live[name], patch)
        }),
        _ => before != live,
    }
}

/// The object in the text, which must be the same one still.
fn parse(key: &Key, text: &str) -> Result<Located<Object>, Vec<String>> {
    let source = Source {
        name: "the file".to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let mut objects = load(&[source], &key.namespace).map_err(|problems| told(&problems.all))?;
    match (objects.pop(), objects.is_empty()) {
        (Some(only), true) if only.value.key() == *key => Ok(only),
        (Some(_), true) => Err(vec![format!("it must still be {}", object::slashed(key))]),
        _ => Err(vec!["it must hold one object".to_owned()]),
    }
}

/// Without lines: they are others once the problems stand above them.
fn told(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| problem.cause.to_string()).collect()
}

fn without_notes(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

fn editor(file: &Path) -> Result<(), CliError> {
    let named = ["VISUAL", "EDITOR"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok());
    let editor = named.into_iter().find(|editor| !editor.trim().is_empty());
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    // An editor may come with arguments, in the shell's way of writing them.
    let ended = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(file)
        .status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(CliError::Failed(format!(
            "the editor ({editor}) failed: {status}; nothing was changed"
        ))),
        Err(error) => Err(CliError::Failed(format!(
            "cannot start the editor ({editor}): {error}"
        ))),
    }
}

/// A file that only its owner can read.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn new(key: &Key) -> Result<Self, CliError> {
        let name = format!(
            "whoosh-edit-{}-{}-{:08x}.yaml",
            key.kind.singular(),
            key.name,
            rand::random::<u32>()
        );
        let path = std::env::temp_dir().join(name);
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        created.map_err(|error| failed(&path, &error))?;
        Ok(Self { path })
    }

    fn write(&self, text: &str) -> Result<(), CliError> {
        let file = OpenOptions::new().write(true).truncate(true).open(&self.path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| failed(&self.path, &error))
    }

    fn read(&self) -> Result<String, CliError> {
        let text = fs::read_to_string(&self.path).map_err(|error| failed(&self.path, &error))?;
        Ok(files::without_mark(text))
    }

    fn remove(&self) {
        // What is left is in a folder that is cleared at times.
        let _left = fs::remove_file(&self.path);
    }
}

fn failed(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_change_matters_where_it_is_changed_too() {
        let before = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 1, "roles": [1]}});
        let live =
            json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"replicas": 2, "roles": [1]}});
        for (patch, touched) in [
            (
                json!({"spec": {"roles": []}, "metadata": {"uid": "u", "labels": {"a": null}}}),
                false,
            ),
            (json!({"spec": {"replicas": 3}}), true),
            (json!({"metadata": {"labels": {"b": "3"}}}), true),
        ] {
            assert_eq!(is_touched(&before, &live, &patch), touched, "{patch}");
        }
    }
}
