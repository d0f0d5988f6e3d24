//! The rules of the house that the compiler does not know: who may use which room, which room may know which
//! library, what the pure rooms must not do, and how long a file may get.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Room -> the rooms it may use. `ARCHITECTURE.md` draws the same table.
const MAY_USE: &[(&str, &[&str])] = &[
    ("agent", &["bus", "resource", "telemetry"]),
    (
        "api",
        &[
            "files",
            "resource",
            "plan",
            "store",
            "swarm",
            "telemetry",
            "whatif",
        ],
    ),
    ("bus", &[]),
    ("cli", &["git", "resource"]),
    (
        "controller",
        &["resource", "plan", "store", "queue", "swarm", "telemetry"],
    ),
    ("dev", &["cli"]),
    ("files", &[]),
    ("git", &["files", "resource"]),
    (
        "gitops",
        &["api", "files", "git", "queue", "resource", "store", "telemetry"],
    ),
    ("plan", &["resource"]),
    ("queue", &[]),
    ("resource", &[]),
    ("sim", &[]),
    ("store", &["resource"]),
    ("swarm", &["files", "plan", "resource"]),
    ("telemetry", &[]),
    ("whatif", &["plan", "resource", "sim", "swarm"]),
];

/// Library -> the one room (or file) that may name it.
const ONLY_IN: &[(&str, &str)] = &[
    ("async_nats", "src/bus/"),
    ("axum", "src/api/"),
    ("bollard", "src/swarm/"),
    ("gix_", "src/git/"),
    ("jsonwebtoken", "src/api/jwt/"),
    ("serde_yaml", "src/resource/yaml.rs"),
    ("sqlx", "src/store/"),
];

/// What the API must not do with the swarm room: it observes, and the controllers act.
const CHANGES: &[&str] = &[
    ".act(",
    ".follow(",
    ".invalidate(",
    ".settling(",
    ".stop_polling(",
    ".triggered(",
];

/// What would make a decision depend on more than its arguments.
const IMPURE: &[&str] = &[
    "async fn",
    "async move",
    ".await",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "rand::",
    "Uuid::new_v4",
    "std::env",
    "env::var",
    "std::fs",
    "tokio::",
];

/// A file that is longer holds more than one idea.
const LINES_MAX: usize = 600;

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The room that the file lies in; `None` for the map and the programs.
    fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        inside
            .split_once('/')
            .map(|(room, _)| room)
            .filter(|room| *room != "bin")
    }

    /// Its lines of code outside of comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self
            .text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim_start()));
        lines.filter(|(_, line)| !line.starts_with("//"))
    }

    /// The code before the file's unit tests.
    fn code_outside_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().take_while(|(_, line)| *line != "#[cfg(test)]")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    let mut folders = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|ending| ending.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("rs") => found.push(read(path)),
                _ => {}
            }
        }
    }
    assert!(!found.is_empty(), "no sources below {folder}");
    found
}

fn read(path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).unwrap();
    Source {
        path: path.strip_prefix(root()).unwrap().display().to_string(),
        text,
    }
}

fn report(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

/// The words that follow each `crate::` or `name::` path start in a line.
fn rooms_named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        &rest[..end]
    })
}

fn names_library(line: &str, library: &str) -> bool {
    line.match_indices(library).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + library.len()..];
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && (after.starts_with("::") || after.starts_with(';'))
    })
}

#[test]
fn rooms_use_only_the_rooms_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut offences = Vec::new();
    for source in sources("src") {
        let Some(room) = source.room() else { continue };
        let Some(may_use) = allowed.get(room) else {
            offences.push(format!("{}: the room {room} is not in the table", source.path));
            continue;
        };
        for (number, line) in source.code() {
            for used in rooms_named(line) {
                if used != room && !may_use.contains(&used) {
                    offences.push(format!("{}:{number}: {room} may not use {used}", source.path));
                }
            }
        }
    }
    report(
        "a room uses another that it may not (see ARCHITECTURE.md)",
        offences,
    );
}

#[test]
fn a_permission_that_nobody_uses_is_none() {
    let sources = sources("src");
    let uses = |room: &str, other: &str| {
        let mut inside = sources.iter().filter(|source| source.room() == Some(room));
        inside.any(|source| {
            source
                .code()
                .any(|(_, line)| rooms_named(line).any(|used| used == other))
        })
    };
    let mut offences = Vec::new();
    for (room, may_use) in MAY_USE {
        let unused = may_use.iter().filter(|other| !uses(room, other));
        offences.extend(unused.map(|other| format!("{room} does not use {other}")));
    }
    report(
        "a room may use another and does not: take it out of both tables",
        offences,
    );
}

#[test]
fn the_api_only_observes_the_swarm() {
    let mut offences = Vec::new();
    for source in sources("src")
        .iter()
        .filter(|source| source.room() == Some("api"))
    {
        for (number, line) in source.code() {
            for word in CHANGES.iter().filter(|word| line.contains(**word)) {
                offences.push(format!("{}:{number}: `{word}`: {line}", source.path));
            }
        }
    }
    report("the API does what is the controllers' to do", offences);
}

#[test]
fn a_library_is_known_to_its_one_room() {
    let mut offences = Vec::new();
    for source in sources("src") {
        for (library, home) in ONLY_IN {
            if source.path.starts_with(home) {
                continue;
            }
            for (number, line) in source.code().filter(|(_, line)| names_library(line, library)) {
                offences.push(format!(
                    "{}:{number}: only {home} may know {library}: {line}",
                    source.path
                ));
            }
        }
    }
    report("a library is used outside of its room", offences);
}

#[test]
fn decisions_depend_on_their_arguments_alone() {
    let mut offences = Vec::new();
    for source in sources("src") {
        let is_pure = matches!(source.room(), Some("plan" | "resource" | "whatif"))
            || source.path.starts_with("src/sim/world/");
        if !is_pure {
            continue;
        }
        for (number, line) in source.code_outside_tests() {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                offences.push(format!("{}:{number}: `{word}` in a pure room", source.path));
            }
        }
    }
    report(
        "plan/, resource/, whatif/ and sim/world/ are pure: time, chance and the world are arguments",
        offences,
    );
}

#[test]
fn no_file_holds_more_than_one_idea() {
    let long = sources("src")
        .into_iter()
        .chain(sources("tests"))
        .filter_map(|source| {
            let lines = source.text.lines().count();
            (lines > LINES_MAX).then(|| format!("{}: {lines} lines", source.path))
        });
    report("files over 600 lines: split them by decision", long.collect());
}

#[test]
fn no_test_file_is_forgotten() {
    let main = read(root().join("tests/it/main.rs")).text;
    let mut offences = Vec::new();
    for entry in fs::read_dir(root().join("tests/it")).unwrap() {
        let name = entry
            .unwrap()
            .path()
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if name != "main" && !main.contains(&format!("mod {name};")) {
            offences.push(format!("tests/it/{name} is not a module of tests/it/main.rs"));
        }
    }
    report("test files that never run", offences);
}

#[test]
fn every_test_runs_and_none_sleeps() {
    let ignore = concat!("#[", "ignore");
    let mut offences = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        let may_sleep = source.room().is_some() || source.path.starts_with("tests/it/harness/");
        for (number, line) in source.code() {
            if line.contains(ignore) {
                offences.push(format!(
                    "{}:{number}: an ignored test is not a passing one",
                    source.path
                ));
            }
            if !may_sleep && line.contains(concat!("sleep", "(")) {
                offences.push(format!(
                    "{}:{number}: wait on a condition, or pause the clock",
                    source.path
                ));
            }
        }
    }
    report("tests that do not test", offences);
}

/// `scripts/mutations` breaks rules with them, long after they were written.
#[test]
fn every_mutation_still_applies() {
    let patches: Vec<PathBuf> = fs::read_dir("tests/mutations")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!patches.is_empty());
    for patch in patches {
        let text = fs::read_to_string(&patch).unwrap();
        for line in ["Rule: ", "Run: ", "Notice: "] {
            assert!(
                text.lines().any(|found| found.starts_with(line)),
                "{patch:?}: {line}"
            );
        }
        let apply = Command::new("git")
            .args(["apply", "--check"])
            .arg(&patch)
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&apply.stderr);
        assert!(apply.status.success(), "{complaint}");
    }
}
