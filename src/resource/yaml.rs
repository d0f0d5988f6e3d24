//! YAML in and out. The one file that knows serde_yaml.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::path;
use super::places::{Place, Places};
use super::scan::{self, Fault};

/// One YAML document as JSON.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its number in the text, from 1; empty documents count.
    pub index: usize,
    /// What it holds.
    pub value: Value,
    /// Where its values stand.
    pub places: Places,
}

/// The documents of a text that can be read, and what is wrong with the others.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// Documents that hold something, in the order of the text.
    pub good: Vec<Document>,
    /// What is wrong, in the order of the text.
    pub faults: Vec<Fault>,
}

/// Reads every document of a text: YAML, or JSON.
///
/// Anchors, aliases and `<<` work, within bounds that are checked before anything is expanded. Keys must be
/// strings and unique; tags other than YAML's own are refused.
pub fn parse(text: &str) -> Documents {
    let text = json_as_yaml(text);
    let scan = scan::scan(&text);
    let faulty: BTreeSet<usize> = scan.faults.iter().map(|fault| fault.document).collect();
    let mut result = Documents {
        good: Vec::new(),
        faults: scan.faults,
    };
    let mut sources = serde_yaml::Deserializer::from_str(&text);
    for (index, places) in (1..).zip(scan.documents) {
        let source = sources.next();
        if faulty.contains(&index) {
            continue;
        }
        match read(source, &places) {
            Ok(Value::Null) => {}
            Ok(value) => result.good.push(Document { index, value, places }),
            Err((place, message)) => result.faults.push(Fault {
                document: index,
                place,
                message,
            }),
        }
    }
    result.faults.extend(scan.stopped);
    result.faults.sort_by_key(|fault| (fault.document, fault.place));
    result
}

/// JSON that YAML would not take as it stands: it may be indented with tabs, which its strings cannot hold, and a character
/// may be written as two escapes.
fn json_as_yaml(text: &str) -> Cow<'_, str> {
    let is_json = text.trim_start().starts_with(['{', '['])
        && (text.contains('\t') || text.contains("\\u"))
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if is_json {
        with_whole_escapes(&text.replace('\t', " ")).into()
    } else {
        text.into()
    }
}

/// JSON's text with `\U0001f600` for `\ud83d\ude00`.
fn with_whole_escapes(json: &str) -> String {
    let (mut written, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        written.push_str(before);
        rest = match escaped_pair(escape) {
            Some((character, after)) => {
                written.push_str(&format!("\\U{:08x}", u32::from(character)));
                after
            }
            None => {
                // What is escaped may be a backslash, which escapes nothing then.
                let end = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
                written.push_str(&escape[..end]);
                &escape[end..]
            }
        };
    }
    written + rest
}

/// The character that a text's first two escapes stand for together (a surrogate pair), and the text after them.
fn escaped_pair(text: &str) -> Option<(char, &str)> {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let pair = [unit(text)?, unit(text.get(6..)?)?];
    let character = char::decode_utf16(pair).next()?.ok()?;
    (u32::from(character) > 0xffff).then_some((character, text.get(12..)?))
}

fn read(source: Option<serde_yaml::Deserializer<'_>>, places: &Places) -> Result<Value, (Place, String)> {
    let invalid = |error: serde_yaml::Error| {
        let at = error.location().map(|at| Place {
            line: at.line(),
            column: at.column(),
        });
        let said = error.to_string();
        let message = too_large(&said).unwrap_or_else(|| format!("is not valid YAML: {said}"));
        (at.unwrap_or_else(|| places.start()), message)
    };
    let source = source.ok_or_else(|| {
        let message =
            "cannot be told from the document before: put \"---\" on a line of its own between them";
        (places.start(), message.to_owned())
    })?;
    let mut value = serde_yaml::Value::deserialize(source).map_err(invalid)?;
    value.apply_merge().map_err(invalid)?;
    to_json(value, "").map_err(|(at, message)| (places.of(&at), message))
}

/// Plain words for what the library says of a whole number that no type of it holds.
fn too_large(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("invalid type: integer `")?;
    let (number, _) = rest.split_once("` as ")?;
    Some(format!(
        "{number} is not a number that an object can hold: whole numbers go from {} to {}; if it is a text, put it in \
         quotes",
        i64::MIN,
        u64::MAX
    ))
}

/// JSON from YAML, or the path of what JSON cannot hold and why.
fn to_json(value: serde_yaml::Value, at: &str) -> Result<Value, (String, String)> {
    match value {
        serde_yaml::Value::Null => Ok(Value::Null),
        serde_yaml::Value::Bool(flag) => Ok(flag.into()),
        serde_yaml::Value::String(text) => Ok(text.into()),
        serde_yaml::Value::Number(number) => json_number(&number).ok_or_else(|| {
            (
                at.to_owned(),
                format!("{number} is not a number that an object can hold"),
            )
        }),
        serde_yaml::Value::Sequence(items) => {
            let item = |(index, item)| to_json(item, &path::item(at, index));
            items.into_iter().enumerate().map(item).collect()
        }
        serde_yaml::Value::Mapping(members) => {
            let mut object = Map::new();
            for (key, member) in members {
                let key = key_text(key).map_err(|message| (at.to_owned(), message))?;
                let member = to_json(member, &path::field(at, &key))?;
                object.insert(key, member);
            }
            Ok(object.into())
        }
        serde_yaml::Value::Tagged(tagged) => Err((
            at.to_owned(),
            format!("the tag {} means nothing here: leave it out", tagged.tag),
        )),
    }
}

fn json_number(number: &serde_yaml::Number) -> Option<Value> {
    if let Some(whole) = number.as_i64() {
        return Some(whole.into());
    }
    if let Some(whole) = number.as_u64() {
        return Some(whole.into());
    }
    serde_json::Number::from_f64(number.as_f64()?).map(Value::Number)
}

fn key_text(key: serde_yaml::Value) -> Result<String, String> {
    let written = match key {
        serde_yaml::Value::String(text) => return Ok(text),
        serde_yaml::Value::Bool(flag) => flag.to_string(),
        serde_yaml::Value::Number(number) => number.to_string(),
        serde_yaml::Value::Null => "null".to_owned(),
        _ => return Err("a key must be a string, written out".to_owned()),
    };
    Err(format!("the key {written} must be a string: write \"{written}\""))
}

/// Why a value cannot be written as YAML.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// It does not serialize to JSON's data model.
    #[error("the value cannot be serialized")]
    Serialize(#[source] serde_json::Error),
    /// The YAML library refused it.
    #[error("the value cannot be written as YAML")]
    Emit(#[source] serde_yaml::Error),
}

/// Writes a value as kubectl does: keys in alphabetical order, whole numbers without a fraction.
///
/// # Errors
/// When the value cannot be serialized.
pub fn to_yaml(value: &impl Serialize) -> Result<String, EmitError> {
    let mut json = serde_json::to_value(value).map_err(EmitError::Serialize)?;
    normalise(&mut json);
    let mut quoted = Vec::new();
    if !holds_mark(&json) {
        quote(&mut json, &mut quoted);
    }
    let text = serde_yaml::to_string(&json).map_err(EmitError::Emit)?;
    Ok(match quoted.as_slice() {
        [] => text,
        quoted => with_quoted(&text, quoted),
    })
}

/// What stands for a text that is to be quoted, until the rest is written: characters that nobody else uses.
const MARK: (char, char) = ('\u{f8fe}', '\u{f8ff}');

/// Whether somebody does, after all: then nothing is marked.
fn holds_mark(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(MARK.0),
        Value::Array(items) => items.iter().any(holds_mark),
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| name.contains(MARK.0) || holds_mark(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Puts marks in the place of texts that YAML 1.1, which kubectl reads, takes for something else: `off`, `1_000`, `1:30`.
fn quote(value: &mut Value, quoted: &mut Vec<String>) {
    let mut mark = |text: &str| {
        is_odd(text).then(|| {
            quoted.push(text.to_owned());
            format!("{}{}{}", MARK.0, quoted.len() - 1, MARK.1)
        })
    };
    match value {
        Value::String(text) => {
            if let Some(marked) = mark(text) {
                *text = marked;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| quote(item, quoted)),
        Value::Object(members) => {
            let marked: Map<String, Value> = std::mem::take(members)
                .into_iter()
                .map(|(name, member)| (mark(&name).unwrap_or(name), member))
                .collect();
            *members = marked;
            members.values_mut().for_each(|member| quote(member, quoted));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text with what is quoted in the place of its marks.
fn with_quoted(text: &str, quoted: &[String]) -> String {
    let mut parts = text.split(MARK.0);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let marked = part.split_once(MARK.1).and_then(|(index, rest)| {
            let text = quoted.get(index.parse::<usize>().ok()?)?;
            Some(["'", text, "'", rest])
        });
        whole.extend(marked.into_iter().flatten());
    }
    whole
}

/// Whether YAML 1.1 may read the text, unquoted, as anything but a text.
fn is_odd(text: &str) -> bool {
    const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "=", "<<"];
    let digits = text.strip_prefix(['+', '-', '.']).unwrap_or(text);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && match digits.get(..2) {
            Some("0x" | "0o" | "0b" | "0X") => digits[2..].chars().all(|c| c.is_ascii_hexdigit() || c == '_'),
            _ => digits
                .chars()
                .all(|c| c.is_ascii_digit() || "_:.-+eE".contains(c)),
        };
    is_number || WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// Sorts keys, and turns `0.0` into `0`: Kubernetes' schema types keep bounds as floats.
fn normalise(value: &mut Value) {
    /// Up to here every whole float is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            if let Some(float) = float.filter(|float| float.fract() == 0.0 && float.abs() < EXACT) {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(members) => {
            members.sort_keys();
            members.values_mut().for_each(normalise);
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_kubectl_would_read_as_something_else_is_quoted() {
        let value = json!({
            "off": "No", "a": ["1_000", "1:30", "010", "0x1f", "2026-01-01", "1e3", "=", "yes", "Y"],
            "b": "plain", "c": "off and on\nno\n", "d": "1 day", "e": "", "f": true, "g": 1,
        });
        let yaml = "a:\n- '1_000'\n- '1:30'\n- '010'\n- '0x1f'\n- '2026-01-01'\n- '1e3'\n- '='\n- 'yes'\n- 'Y'\nb: plain\nc: |\n  \
                    off and on\n  no\nd: 1 day\n";
        let written = to_yaml(&value).unwrap();
        assert!(written.starts_with(yaml), "{written}");
        assert!(
            written.contains("'off': 'No'\n") && written.contains("f: true\ng: 1\n"),
            "{written}"
        );
        assert_eq!(parse(&written).good[0].value, value);
        let marked = json!({"a": "off", "b": "\u{f8fe}0\u{f8ff}"});
        assert_eq!(parse(&to_yaml(&marked).unwrap()).good[0].value, marked);
    }

    #[test]
    fn values_are_written_as_kubectl_does() {
        let value = json!({
            "kind": "Team",
            "apiVersion": "chorus.services/v1",
            "spec": {"b": 1.0, "a": [{"y": 0.5, "x": "5"}], "c": "two\nlines\n", "d": "true", "e": -3, "f": ""}
        });
        let yaml = "apiVersion: chorus.services/v1\nkind: Team\nspec:\n  a:\n  - x: '5'\n    'y': 0.5\n  b: 1\n  c: |\n    two\n    \
                    lines\n  d: 'true'\n  e: -3\n  f: ''\n";
        assert_eq!(to_yaml(&value).unwrap(), yaml);
    }

    #[test]
    fn what_is_written_can_be_read() {
        for value in [
            json!({}),
            json!([]),
            json!({"a": {"b": [null, true, 1, 1.5, "x: y", "- z", "#", " ", "\t"]}}),
        ] {
            let documents = parse(&to_yaml(&value).unwrap());
            assert_eq!(documents.faults, []);
            assert_eq!(documents.good[0].value, value);
        }
    }

    #[test]
    fn json_is_read_whatever_its_escapes_and_tabs() {
        for json in [
            "{\n\t\"a\": \"b\"}",
            r#"{"a": "\ud83d\uDE00 and \u00e9\/\ud83d\ude01"}"#,
            r#"{"a": "\\ud83d\\ude00", "b": "\\\ud83d\ude00\u0041\n"}"#,
            r#"["\\", "\"", "\u0000", "é\\", "\ud83d\ude00\t"]"#,
        ] {
            let documents = parse(json);
            assert_eq!(documents.faults, [], "{json}");
            let expected: Value = serde_json::from_str(json).unwrap();
            assert_eq!(documents.good[0].value, expected, "{json}");
        }
        // Half of a pair is nothing in JSON, either.
        assert_eq!(parse(r#"{"a": "\ud83d"}"#).good.len(), 0);
    }

    #[test]
    fn a_number_that_is_too_large_is_told_with_its_place() {
        for number in ["99999999999999999999999", "-99999999999999999999999"] {
            let documents = parse(&format!("a: 1\nb:\n  - c: {number}\n"));
            let [fault] = documents.faults.as_slice() else {
                panic!("{documents:?}")
            };
            assert_eq!(fault.place.line, 3, "{fault:?}");
            assert!(
                fault
                    .message
                    .starts_with(&format!("{number} is not a number that an object can hold")),
                "{fault:?}"
            );
        }
    }

    #[test]
    fn documents_are_numbered_as_they_stand() {
        let documents = parse("---\n---\na: 1\n---\n# none\n---\nb: [x, {c: 2}]\n");
        let found: Vec<_> = documents
            .good
            .iter()
            .map(|document| (document.index, document.places.start().line))
            .collect();
        assert_eq!(found, [(2, 3), (4, 7)]);
        let places = &documents.good[1].places;
        for (path, line, column) in [
            ("", 7, 1),
            ("b", 7, 1),
            ("b[0]", 7, 5),
            ("b[1].c", 7, 9),
            ("b[1].none", 7, 8),
            ("z", 7, 1),
        ] {
            assert_eq!(places.of(path), Place { line, column }, "{path}");
        }
    }
}
