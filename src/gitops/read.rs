//! From a commit's files to what they declare, or every problem with its place. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::source::may_declare;
use crate::resource::manifest::{self, Located, Problem, Source as File};
use crate::resource::validate::{Cause, CauseReason};
use crate::resource::{Key, Kind};

/// How many problems a message tells.
const PROBLEMS: usize = 8;
/// How many values all files of a commit may hold, aliases expanded.
const VALUES: usize = 1_000_000;
/// How many objects a commit may declare: they are written at once, while others wait.
const OBJECTS: usize = 2_000;
/// The longest line of a problem, in characters.
const LINE: usize = 400;

/// One object of a commit.
pub(super) type Declared = (Key, Located<Value>);

/// Reads what files declare for a source of `namespace`; `others` are what other sources declare there, by source.
///
/// # Errors
/// The problems, as people read them: what cannot be read, and what this source may not declare.
pub(super) fn read(
    files: &[File],
    namespace: &str,
    others: &BTreeMap<Key, String>,
) -> Result<Vec<Declared>, String> {
    // Files without objects are no mistake in a repository, as they are in a command.
    let files: Vec<File> = files
        .iter()
        .filter(|file| says_something(file))
        .cloned()
        .collect();
    // Each file has its limits; so have all of them, which one process reads for everybody.
    if manifest::values(&files) > VALUES {
        return Err(format!(
            "its files hold more than {VALUES} values, aliases expanded"
        ));
    }
    let objects = manifest::load_parts(&files, namespace).map_err(|problems| told(&problems.all))?;
    if objects.len() > OBJECTS {
        let count = objects.len();
        return Err(format!(
            "it declares {count} objects, and one source may declare {OBJECTS}"
        ));
    }
    let mut declared: Vec<Declared> = objects
        .into_iter()
        .filter_map(|located| Some((key(&located.value)?, located)))
        .collect();
    let problems: Vec<Problem> = declared
        .iter()
        .filter_map(|(key, located)| Some(located.problem(refusal(key, namespace, others)?)))
        .collect();
    if !problems.is_empty() {
        return Err(told(&problems));
    }
    // Those that decide what others are come first, as in the log of a person's apply.
    declared.sort_by(|(one, _), (other, _)| {
        (!one.kind.shapes_owners(), one).cmp(&(!other.kind.shapes_owners(), other))
    });
    Ok(declared)
}

/// What admission refused, at the lines that it is about.
pub(super) fn refused(declared: &[Declared], refused: Vec<(usize, Vec<Cause>)>) -> String {
    let problems: Vec<Problem> = refused
        .into_iter()
        .filter_map(|(place, causes)| Some((declared.get(place)?, causes)))
        .flat_map(|((_, located), causes)| causes.into_iter().map(|cause| located.problem(cause)))
        .collect();
    told(&problems)
}

fn says_something(file: &File) -> bool {
    let blank = |line: &[u8]| {
        let line = line.trim_ascii();
        line.is_empty() || line.starts_with(b"#") || line == b"---"
    };
    !file.bytes.split(|byte| *byte == b'\n').all(blank)
}

/// The key of an object whose identity was judged.
fn key(object: &Value) -> Option<Key> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let kind = Kind::find(text("/kind")?)?;
    Some(Key::new(
        kind,
        text("/metadata/namespace")?,
        text("/metadata/name")?,
    ))
}

/// Why a source may not declare an object.
fn refusal(key: &Key, namespace: &str, others: &BTreeMap<Key, String>) -> Option<Cause> {
    let forbidden = |field: &str, message: String| Cause::new(field, CauseReason::Forbidden, message);
    if let Err((field, message)) = may_declare(namespace, key) {
        return Some(forbidden(field, message));
    }
    let other = others.get(key)?;
    let message = format!("is declared by gitsource/{other} already: leave it to one of the two");
    Some(forbidden("metadata.name", message))
}

fn told(problems: &[Problem]) -> String {
    let lines = problems.iter().take(PROBLEMS);
    let mut lines: Vec<String> = lines
        .map(|problem| problem.to_string().chars().take(LINE).collect())
        .collect();
    if let more @ 1.. = problems.len().saturating_sub(PROBLEMS) {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File {
            name: name.to_owned(),
            bytes: text.as_bytes().to_vec(),
        }
    }

    fn object(kind: &str, metadata: &str) -> String {
        format!("apiVersion: chorus.services/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{}}\n")
    }

    fn check(files: &[File], expected: Result<&[&str], &str>) {
        let others = BTreeMap::from([(Key::new(Kind::Team, "prod", "taken"), "other".to_owned())]);
        let read = read(files, "prod", &others).map(|declared| {
            let keys = declared.iter().map(|(key, _)| key.to_string());
            keys.collect::<Vec<String>>()
        });
        let expected = expected
            .map(|keys| keys.iter().map(|key| (*key).to_owned()).collect())
            .map_err(str::to_owned);
        assert_eq!(read, expected);
    }

    #[test]
    fn templates_come_before_those_who_use_them() {
        let teams = file("teams.yaml", &object("Team", "name: a"));
        let templates = file("z.yaml", &object("AgentTemplate", "name: t, namespace: prod"));
        check(&[teams, templates], Ok(&["agenttemplate/prod/t", "team/prod/a"]));
    }

    #[test]
    fn a_file_that_says_nothing_declares_nothing() {
        check(&[file("notes.yaml", "# later\n---\n\n")], Ok(&[]));
    }

    #[test]
    fn what_a_source_may_not_declare_is_refused_with_its_place() {
        for (kind, metadata, expected) in [
            (
                "Team",
                "name: a, namespace: other",
                "a.yaml:1 (document 1, team/a): metadata.namespace: is \"other\", and a source declares objects of its own \
                 namespace, \"prod\"",
            ),
            (
                "Policy",
                "name: a",
                "a.yaml:1 (document 1, policy/a): kind: a Policy is not for a source to declare: apply it yourself",
            ),
            (
                "GitSource",
                "name: fleet",
                "a.yaml:1 (document 1, gitsource/fleet): kind: a GitSource is not for a source to declare: apply it yourself",
            ),
            (
                "Team",
                "name: taken",
                "a.yaml:1 (document 1, team/taken): metadata.name: is declared by gitsource/other already: leave it to one \
                 of the two",
            ),
        ] {
            let read = read_one(&object(kind, metadata));
            let place = read.split_once(':').map(|(file, rest)| {
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{file}:1{rest}")
            });
            assert_eq!(place.as_deref(), Some(expected));
        }
    }

    fn read_one(text: &str) -> String {
        let others = BTreeMap::from([(Key::new(Kind::Team, "prod", "taken"), "other".to_owned())]);
        read(&[file("a.yaml", text)], "prod", &others).unwrap_err()
    }

    #[test]
    fn a_commit_is_small_enough_for_one_process_and_one_write() {
        let one = |number| format!("---\n{}", object("Team", &format!("name: t{number}")));
        let many: String = (0..=OBJECTS).map(one).collect();
        let expected = format!(
            "it declares {} objects, and one source may declare {OBJECTS}",
            OBJECTS + 1
        );
        assert_eq!(read_one(&many), expected);
        let bomb = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(1_000), "*a,".repeat(900));
        let bombs: Vec<File> = (0..2)
            .map(|number| file(&format!("{number}.yaml"), &bomb))
            .collect();
        let refused = read(&bombs, "prod", &BTreeMap::new()).unwrap_err();
        assert!(refused.contains("more than 1000000 values"), "{refused}");
    }

    #[test]
    fn every_problem_is_told_up_to_a_number() {
        let many: String = (0..20)
            .map(|number| format!("---\nkind: Team{number}\n"))
            .collect();
        let told = read_one(&many);
        assert_eq!(told.lines().count(), PROBLEMS + 1, "{told}");
        assert!(
            told.lines().last().is_some_and(|line| line.starts_with("and ")),
            "{told}"
        );
    }
}
