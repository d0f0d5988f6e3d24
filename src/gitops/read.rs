//! From a commit's files to what they declare, or every problem with its place. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::source::Source;
use crate::resource::manifest::{self, Located, Problem, Source as File};
use crate::resource::substitute::edits;
use crate::resource::validate::Cause;
use crate::resource::{Key, Kind, declares};

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

/// Reads what files declare for a source, with the `values` of its variables; `others` are what other sources declare, by source.
///
/// # Errors
/// The problems, as people read them: what cannot be read, and what this source may not declare.
pub(super) fn read(
    files: &[File],
    source: &Source,
    values: Option<&BTreeMap<String, String>>,
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
    let objects = manifest::load_edited(&files, source.namespace(), edits(&source.spec, values))
        .map_err(|problems| told(&problems.all))?;
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
    let itself = source.object.key();
    let problems: Vec<Problem> = declared
        .iter()
        .filter_map(|(key, located)| {
            let object = (key, &located.value);
            let cause = declares::refusal(&source.spec, &itself, object, others)?;
            Some(located.problem(cause))
        })
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
    use serde_json::json;

    use super::*;
    use crate::resource::Object;

    fn read(
        files: &[File],
        source: &Source,
        others: &BTreeMap<Key, String>,
    ) -> Result<Vec<Declared>, String> {
        super::read(files, source, source.spec.values(None).as_ref(), others)
    }

    /// A source of the namespace `prod`, with further fields.
    fn source(more: Value) -> Source {
        let mut spec = json!({"url": "u"});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        Source::read(Object::new(&Key::new(Kind::GitSource, "prod", "fleet"), spec)).unwrap()
    }

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
        let read = read(files, &source(json!({})), &others).map(|declared| {
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
                "a.yaml:1 (document 1, team/a): metadata.namespace: is \"other\", and this source may declare \
                 objects of prod alone (spec.impersonate)",
            ),
            (
                "Policy",
                "name: a",
                "a.yaml:1 (document 1, policy/a): kind: a Policy is not for this source to declare, which has the role edit in prod \
                 (spec.impersonate)",
            ),
            (
                "GitSource",
                "name: fleet",
                "a.yaml:1 (document 1, gitsource/fleet): metadata.name: is this source itself, which does not decide on itself: apply it \
                 yourself",
            ),
            (
                "Team",
                "name: a, annotations: {chorus.services/pinned: x}",
                "a.yaml:1 (document 1, team/a): metadata.annotations[chorus.services/pinned]: is for the object as it is in the operator, \
                 which it keeps from commits: leave it out",
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
        read(&[file("a.yaml", text)], &source(json!({})), &others).unwrap_err()
    }

    #[test]
    fn variables_are_those_of_the_source_and_what_is_undefined_is_told_with_its_place() {
        let text = "apiVersion: chorus.services/v1\nkind: Team\nmetadata:\n  name: ${NAME}\nspec:\n  project: ${PROJECT}\n";
        let files = [
            file("a.yaml", text),
            file("b.yaml", &text.replace("NAME", "OTHER")),
        ];
        let refused = read(
            &files,
            &source(json!({"substitute": {"NAME": "payments"}})),
            &BTreeMap::new(),
        );
        let refused = refused.unwrap_err();
        let places: Vec<&str> = refused
            .lines()
            .filter_map(|line| line.split(" is not defined").next())
            .collect();
        assert_eq!(
            places,
            [
                "a.yaml:6 (document 1, team/payments): spec.project: ${PROJECT}",
                "b.yaml:4 (document 1, team/${OTHER}): metadata.name: ${OTHER}",
                "b.yaml:6 (document 1, team/${OTHER}): spec.project: ${PROJECT}",
            ],
            "{refused}"
        );
        let values =
            json!({"substitute": {"NAME": "payments", "OTHER": "refunds", "PROJECT": "acme/payments"}});
        let declared = read(&files, &source(values), &BTreeMap::new()).unwrap();
        let told: Vec<_> = declared
            .iter()
            .map(|(key, located)| (key.to_string(), located.value["spec"]["project"].as_str()))
            .collect();
        let project = Some("acme/payments");
        assert_eq!(
            told,
            [
                ("team/prod/payments".to_owned(), project),
                ("team/prod/refunds".to_owned(), project)
            ]
        );
    }

    #[test]
    fn a_target_namespace_is_where_everything_goes() {
        let one = |name: &str, more: &str| object("Team", &format!("name: {name}{more}"));
        let source = source(json!({"targetNamespace": "prod"}));
        let read = |files: &[File]| {
            let declared = read(files, &source, &BTreeMap::new());
            declared.map(|declared| {
                let keys = declared.iter().map(|(key, located)| {
                    let namespace = &located.value["metadata"]["namespace"];
                    format!("{key} {}", namespace.as_str().unwrap_or_default())
                });
                keys.collect::<Vec<String>>()
            })
        };
        let files = [
            file("a.yaml", &one("a", "")),
            file("b.yaml", &one("b", ", namespace: other")),
        ];
        let expected = ["team/prod/a prod", "team/prod/b prod"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(read(&files), Ok(expected));
        let twice = [
            file("a.yaml", &one("a", ", namespace: one")),
            file("b.yaml", &one("a", ", namespace: other")),
        ];
        let refused = read(&twice).unwrap_err();
        assert!(
            refused.contains("team/a is declared twice, first in a.yaml:1"),
            "{refused}"
        );
        for nothing in ["just text\n", "metadata: [1]\n", "- 1\n"] {
            assert!(read(&[file("a.yaml", nothing)]).is_err());
        }
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
        let refused = read(&bombs, &source(json!({})), &BTreeMap::new()).unwrap_err();
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
