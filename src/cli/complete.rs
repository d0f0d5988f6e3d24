//! Completion in the shell: commands and flags come from clap, kinds from here, names from the operator.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::env::CompleteEnv;
use clap_complete::{ArgValueCompleter, CompletionCandidate};
use serde_json::Value;

use super::args::Cli;
use super::client::{Client, Selection};
use super::context::chosen;
use super::contexts::Chosen;
use super::{object, target};
use crate::resource::Kind;
use crate::resource::object::DEFAULT_NAMESPACE;

/// The variable by which a shell's script asks this program for candidates.
pub(crate) const VARIABLE: &str = "WHOOSH_COMPLETE";

/// How long a shell is kept waiting for names.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers a shell that asks for candidates; `None` when this is an ordinary run.
///
/// Must come before anything is written to standard output.
pub fn complete() -> Option<ExitCode> {
    let asked = CompleteEnv::with_factory(Cli::command)
        .var(VARIABLE)
        .try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref());
    match asked {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// Completes objects: kinds first, then names of the kind.
pub(crate) fn objects() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates(current, None))
}

/// Completes an agent's name, or an object that has agents.
pub(crate) fn agents() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates(current, Some(Kind::Agent)))
}

/// Completes the host name of a node that agents run on.
pub(crate) fn nodes() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let agents = list(Kind::Agent, None, &Line::of(std::env::args_os())).unwrap_or_default();
        let nodes: BTreeSet<String> = agents
            .iter()
            .map(|agent| object::text(agent, "/status/node").to_owned())
            .filter(|node| !node.is_empty())
            .collect();
        starting_with(nodes, &current.to_string_lossy())
    })
}

/// Completes kinds.
pub(crate) fn kinds() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| starting_with(kind_words(), &current.to_string_lossy()))
}

/// What fits at a place in the command line.
#[derive(Debug, PartialEq, Eq)]
enum Fits {
    /// A kind.
    Kinds,
    /// A name of this kind, after a prefix that stands already.
    Names(Kind, String),
}

fn candidates(current: &OsStr, bare_names: Option<Kind>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let line = Line::of(std::env::args_os());
    let (kind, prefix) = match fits(&line.words, &current) {
        Fits::Names(kind, prefix) => (kind, prefix),
        Fits::Kinds => match bare_names {
            Some(kind) => (kind, String::new()),
            None => return starting_with(kind_words(), &current),
        },
    };
    let names = names(kind, &line).unwrap_or_default();
    starting_with(names.into_iter().map(|name| format!("{prefix}{name}")), &current)
}

fn fits(words: &[String], current: &str) -> Fits {
    if let Some((kind, _)) = current.split_once('/') {
        return match Kind::find(kind) {
            Some(found) => Fits::Names(found, format!("{kind}/")),
            None => Fits::Kinds,
        };
    }
    match words.iter().find_map(|word| Kind::find(word)) {
        Some(kind) => Fits::Names(kind, String::new()),
        None => Fits::Kinds,
    }
}

fn kind_words() -> impl Iterator<Item = String> {
    let all = Kind::ALL
        .into_iter()
        .filter_map(|kind| target::words_of(kind).into_iter().next());
    all.chain(["all"]).map(str::to_owned)
}

fn starting_with(words: impl IntoIterator<Item = String>, start: &str) -> Vec<CompletionCandidate> {
    let fitting = words.into_iter().filter(|word| word.starts_with(start));
    fitting.map(CompletionCandidate::new).collect()
}

/// The command line so far, as far as completion of names needs it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    words: Vec<String>,
    namespace: Option<String>,
    socket: Option<String>,
    config: Option<String>,
    context: Option<String>,
}

impl Line {
    /// Shells pass the line after `--`, with the program's name first.
    fn of(args: impl IntoIterator<Item = OsString>) -> Self {
        let mut words = args
            .into_iter()
            .map(|word| word.to_string_lossy().into_owned())
            .skip_while(|word| word != "--")
            .skip(2);
        let mut line = Self::default();
        while let Some(word) = words.next() {
            match word.split_once('=') {
                Some(("--namespace", value)) => line.namespace = Some(value.to_owned()),
                Some(("--socket", value)) => line.socket = Some(value.to_owned()),
                Some(("--config", value)) => line.config = Some(value.to_owned()),
                Some(("--context", value)) => line.context = Some(value.to_owned()),
                _ if word == "--config" => line.config = words.next(),
                _ if word == "--context" => line.context = words.next(),
                _ if word == "-n" || word == "--namespace" => line.namespace = words.next(),
                _ if word == "--socket" => line.socket = words.next(),
                _ => line.words.push(word),
            }
        }
        line
    }
}

/// The names of a kind's objects in the line's namespace.
fn names(kind: Kind, line: &Line) -> Option<Vec<String>> {
    let namespace = line.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let items = list(kind, Some(target::check_name(namespace).ok()?), line)?;
    Some(items.iter().map(|item| object::name(item).to_owned()).collect())
}

/// A kind's objects; `None` when the operator is away or slow: completion stays silent.
fn list(kind: Kind, namespace: Option<String>, line: &Line) -> Option<Vec<Value>> {
    let said = |word: &Option<String>, variable| {
        let word = word.clone().map(OsString::from);
        word.or_else(|| std::env::var_os(variable)).map(PathBuf::from)
    };
    let (socket, config) = (
        said(&line.socket, "WHOOSH_SOCKET"),
        said(&line.config, "WHOOSH_CONFIG"),
    );
    let Chosen { endpoint, .. } = chosen(socket, config, line.context.as_deref()).ok()?;
    let client = Client::new(endpoint, Some(PATIENCE), false).ok()?;
    let selection = Selection {
        kind,
        namespace,
        labels: None,
        fields: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let listed = runtime.block_on(async {
        let listed = tokio::time::timeout(PATIENCE, client.list(&selection)).await;
        listed.ok()?.ok()
    })?;
    Some(listed.items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::of(text.split(' ').map(OsString::from))
    }

    #[test]
    fn names_follow_their_kind() {
        fn check(text: &str, current: &str, expected: Fits) {
            assert_eq!(fits(&line(text).words, current), expected, "{text} {current}");
        }
        check("/bin/whoosh -- whoosh get", "te", Fits::Kinds);
        check(
            "/bin/whoosh -- whoosh get team",
            "pa",
            Fits::Names(Kind::Team, String::new()),
        );
        check(
            "/bin/whoosh -- whoosh get",
            "tm/pa",
            Fits::Names(Kind::Team, "tm/".to_owned()),
        );
        check("/bin/whoosh -- whoosh get", "pods/x", Fits::Kinds);
    }

    #[test]
    fn the_line_tells_where_to_look() {
        let read = line("whoosh -- whoosh -n prod get --socket=/s team x");
        assert_eq!(read.namespace.as_deref(), Some("prod"));
        assert_eq!(read.socket.as_deref(), Some("/s"));
        assert_eq!(read.words, ["get", "team", "x"]);
    }
}
