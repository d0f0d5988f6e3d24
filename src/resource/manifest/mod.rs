//! Manifest files: from bytes to valid objects, or every problem of every file with its place.

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
mod together;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::escape;
use super::kind::Kind;
use super::object::{DEFAULT_NAMESPACE, Key, Object};
use super::path;
use super::places::{Place, Places};
use super::scan::{self, Fault};
use super::validate::{self, Cause, CauseReason, Invalid};
use super::yaml::{self, Document};

/// The largest file that is read.
const FILE_MAX: usize = 3 << 20;

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, as messages show it.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A value, and where it was found.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The file.
    pub file: String,
    /// The document in the file, from 1.
    pub document: usize,
    /// The line where the value begins.
    pub line: usize,
    /// The lines of its fields.
    pub places: Places,
}

/// What says which object it is.
pub trait Titled {
    /// `team/payments`, as far as it says so.
    fn title(&self) -> Option<String>;
}

impl Titled for Object {
    fn title(&self) -> Option<String> {
        Some(short(&self.key()))
    }
}

impl Titled for Value {
    fn title(&self) -> Option<String> {
        identity(self, DEFAULT_NAMESPACE).map(|key| short(&key))
    }
}

impl<T: Titled> Located<T> {
    /// A problem of this object, at the line that it is about; it may have been found elsewhere, by the server for example.
    pub fn problem(&self, cause: Cause) -> Problem {
        let path = cause.field.clone();
        self.problem_at(&path, cause)
    }

    /// A problem whose field stands at another path here than where it was found.
    pub fn problem_at(&self, path: &str, cause: Cause) -> Problem {
        let place = self.places.of(path);
        Problem::at(&self.file, self.document, place, self.value.title(), cause)
    }
}

/// One problem of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Document and place; `None` when the problem is with the file as a whole.
    pub at: Option<(usize, Place)>,
    /// The object, as far as it says what it is: `team/payments`.
    pub object: Option<String>,
    /// The field and what is wrong.
    pub cause: Cause,
}

impl Problem {
    fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            at: None,
            object: None,
            cause: Cause::new("", CauseReason::Invalid, message),
        }
    }

    fn of_fault(file: &str, fault: Fault) -> Self {
        let Fault {
            document,
            place,
            message,
        } = fault;
        Self::at(
            file,
            document,
            place,
            None,
            Cause::new("", CauseReason::Invalid, message),
        )
    }

    fn at(file: &str, document: usize, place: Place, object: Option<String>, cause: Cause) -> Self {
        Self {
            file: file.to_owned(),
            at: Some((document, place)),
            object,
            cause,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            at,
            object,
            cause,
        } = self;
        f.write_str(&escape::line(file))?;
        if let Some((document, place)) = at {
            write!(f, ":{} (document {document}", place.line)?;
            if let Some(object) = object {
                write!(f, ", {}", escape::line(object))?;
            }
            f.write_str(")")?;
        }
        write!(f, ": {cause}")
    }
}

/// Everything that is wrong with a set of files. Displays as one line a problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The problems, by file and line; never empty.
    pub all: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.all.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Reads and checks every object of every file. Objects that name no namespace get `namespace`.
///
/// A document may be an object, or a `List` of objects. Empty documents are skipped.
///
/// # Errors
/// Every problem of every file: unreadable bytes, YAML, schema, semantics, two objects with one identity, and
/// roles that do not go together with a template that comes along.
pub fn load(files: &[Source], namespace: &str) -> Result<Vec<Located<Object>>, Problems> {
    load_as(files, namespace, as_written)
}

/// The same, of objects that `edit` changes before anything is made of them. Their places stay those of what is written.
///
/// # Errors
/// The same, and what `edit` finds.
pub fn load_as(
    files: &[Source],
    namespace: &str,
    edit: impl FnMut(&mut Value) -> Result<(), Invalid>,
) -> Result<Vec<Located<Object>>, Problems> {
    let (objects, mut problems) = judged(files, namespace, edit, |raw| {
        let mut object = validate::object(raw)?;
        let named = &mut object.metadata.namespace;
        named.get_or_insert_with(|| namespace.to_owned());
        Ok(object)
    });
    problems.extend(together::problems(&objects));
    if problems.is_empty() {
        Ok(objects)
    } else {
        Err(Problems { all: problems })
    }
}

/// Reads every object of every file as [`load`] does, and checks no more of it than which object it is: what else it says
/// may be a part of the whole.
///
/// # Errors
/// Every problem of every file: unreadable bytes, YAML, what names no object, and two that name the same one.
pub fn load_parts(files: &[Source], namespace: &str) -> Result<Vec<Located<Value>>, Problems> {
    load_edited(files, namespace, as_written)
}

/// The same, of objects that `edit` changes before anything is made of them. Their places stay those of what is written.
///
/// # Errors
/// The same, and what `edit` finds.
pub fn load_edited(
    files: &[Source],
    namespace: &str,
    edit: impl FnMut(&mut Value) -> Result<(), Invalid>,
) -> Result<Vec<Located<Value>>, Problems> {
    let (objects, problems) = judged(files, namespace, edit, |raw| {
        validate::identity(raw)?;
        let mut object = raw.clone();
        if object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = namespace.into();
        }
        Ok(object)
    });
    if problems.is_empty() {
        Ok(objects)
    } else {
        Err(Problems { all: problems })
    }
}

/// Changes nothing of an object.
fn as_written(_: &mut Value) -> Result<(), Invalid> {
    Ok(())
}

/// How many values files hold, aliases expanded, as far as they can be read. Nothing is built to count them.
pub fn values(files: &[Source]) -> usize {
    let texts = files.iter().filter_map(|file| text(&file.bytes).ok());
    texts.map(|text| scan::scan(text).values).sum()
}

/// What `judge` makes of every object of every file, once `edit` has changed it; and every problem.
fn judged<T>(
    files: &[Source],
    namespace: &str,
    mut edit: impl FnMut(&mut Value) -> Result<(), Invalid>,
    judge: impl Fn(&Value) -> Result<T, Invalid>,
) -> (Vec<Located<T>>, Vec<Problem>) {
    let mut objects = Vec::new();
    let mut problems = Vec::new();
    let mut seen = BTreeMap::new();
    for file in files {
        let (documents, mut found) = read(file);
        if documents.is_empty() && found.is_empty() {
            found.push(Problem::of_file(&file.name, "has no objects"));
        }
        for mut document in documents {
            if let Err(Invalid { causes }) = edit(&mut document.value) {
                found.extend(causes.into_iter().map(|cause| document.problem(cause)));
                continue;
            }
            found.extend(twice(&document, namespace, &mut seen));
            match judge(&document.value) {
                Ok(object) => objects.push(located(document, object)),
                Err(Invalid { causes }) => {
                    found.extend(causes.into_iter().map(|cause| document.problem(cause)));
                }
            }
        }
        found.sort_by_key(|problem| problem.at);
        problems.extend(found);
    }
    (objects, problems)
}

/// The raw objects of a file.
fn read(file: &Source) -> (Vec<Located<Value>>, Vec<Problem>) {
    let text = match text(&file.bytes) {
        Ok(text) => text,
        Err(message) => return (Vec::new(), vec![Problem::of_file(&file.name, message)]),
    };
    let yaml::Documents { good, faults } = yaml::parse(text);
    let problems = faults
        .into_iter()
        .map(|fault| Problem::of_fault(&file.name, fault))
        .collect();
    let documents = good
        .into_iter()
        .flat_map(|document| unpack(&file.name, document))
        .collect();
    (documents, problems)
}

/// The bytes as text, unless they are too many or none that people write.
fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > FILE_MAX {
        let size = bytes.len().div_ceil(1024);
        return Err(format!(
            "has {size} KiB: a file of manifests may have at most {} KiB; split it",
            FILE_MAX / 1024
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = line_of(bytes, error.valid_up_to());
        format!("is not UTF-8 text (line {line}): is it a binary file?")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let control =
        |c: char| (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) || c == '\u{feff}';
    match text.char_indices().find(|(_, c)| control(*c)) {
        Some((at, c)) => {
            let line = line_of(text.as_bytes(), at);
            Err(format!(
                "holds the control character U+{:04X} (line {line}): is it a binary file?",
                u32::from(c)
            ))
        }
        None => Ok(text),
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The objects of a document: itself, or the items of a `List`.
fn unpack(file: &str, document: Document) -> Vec<Located<Value>> {
    let Document { index, value, places } = document;
    let locate = |value: Value, places: Places| Located {
        value,
        file: file.to_owned(),
        document: index,
        line: places.start().line,
        places,
    };
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    let is_list = kind
        .strip_suffix("List")
        .is_some_and(|item| item.is_empty() || is_kind(item));
    match value.get("items").and_then(Value::as_array).filter(|_| is_list) {
        Some(items) => {
            let item = |(index, item): (usize, &Value)| {
                let part = places.part(&path::item("items", index));
                locate(item.clone(), part.unwrap_or_else(|| places.clone()))
            };
            items.iter().enumerate().map(item).collect()
        }
        None => vec![locate(value, places)],
    }
}

fn is_kind(word: &str) -> bool {
    Kind::ALL.iter().any(|kind| kind.name() == word)
}

fn located<T>(document: Located<Value>, value: T) -> Located<T> {
    let Located {
        value: _,
        file,
        document,
        line,
        places,
    } = document;
    Located {
        value,
        file,
        document,
        line,
        places,
    }
}

/// A problem when an earlier document has the same identity.
fn twice(document: &Located<Value>, namespace: &str, seen: &mut BTreeMap<Key, String>) -> Option<Problem> {
    let key = identity(&document.value, namespace)?;
    let here = format!(
        "{}:{} (document {})",
        document.file, document.line, document.document
    );
    let Some(first) = seen.get(&key) else {
        seen.insert(key, here);
        return None;
    };
    let message = format!("{} is declared twice, first in {first}", short(&key));
    let cause = Cause::new("metadata.name", CauseReason::Duplicate, message);
    Some(document.problem(cause))
}

/// Which object a raw document speaks of, if it says so.
fn identity(raw: &Value, namespace: &str) -> Option<Key> {
    let kind = raw.get("kind")?.as_str()?;
    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
    let metadata = raw.get("metadata")?;
    let name = metadata.get("name")?.as_str()?;
    let namespace = metadata
        .get("namespace")
        .and_then(Value::as_str)
        .unwrap_or(namespace);
    Some(Key::new(kind, namespace, name))
}

/// `team/payments`; a name that is far too long is cut.
fn short(key: &Key) -> String {
    let name: String = key.name.chars().take(64).collect();
    let more = if name.len() < key.name.len() { "…" } else { "" };
    format!("{}/{name}{more}", key.kind.singular())
}
