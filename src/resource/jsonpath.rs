//! JSONPath in kubectl's dialect, such as `.status.conditions[?(@.type=="Ready")].status`, handed to an RFC 9535
//! engine; what kubectl writes differently is translated.
//!
//! kubectl allows names that the standard wants quoted (`.metadata.labels.my-app`), dots that are escaped
//! (`.labels.app\.kubernetes\.io/name`), a path without its `$`, and filters in parentheses.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value;
use serde_json_path::JsonPath;

/// Why a path or template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the JSONPath {text} cannot be read: {why}")]
pub struct JsonPathError {
    text: String,
    why: String,
}

impl JsonPathError {
    /// What is wrong with a text.
    pub fn new(text: &str, why: impl Into<String>) -> Self {
        Self {
            text: text.to_owned(),
            why: why.into(),
        }
    }
}

/// A path that was read.
#[derive(Clone, Debug)]
pub struct Path {
    from_root: bool,
    path: JsonPath,
}

impl Path {
    /// Reads a path such as `.status.conditions[?(@.type=="Ready")].status`.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        let trimmed = text.trim();
        let bare = trimmed
            .strip_prefix('{')
            .and_then(|path| path.strip_suffix('}'))
            .unwrap_or(trimmed);
        if let Some(stray) = bare.chars().find(|c| "{}".contains(*c)) {
            return Err(JsonPathError::new(
                text,
                format!("\"{stray}\" is not expected there"),
            ));
        }
        let body = bare.strip_prefix(['$', '@']).unwrap_or(bare);
        let mut chars = body.chars().peekable();
        let mut standard = "$".to_owned();
        if !body.starts_with(['.', '[']) && !body.is_empty() {
            push_name(&mut standard, &read_name(&mut chars, END_OF_NAME));
        }
        translate_segments(&mut chars, &mut standard, END_OF_NAME)
            .map_err(|why| JsonPathError::new(text, why))?;
        if let Some(rest) = chars.next() {
            return Err(JsonPathError::new(
                text,
                format!("\"{rest}\" is not expected there"),
            ));
        }
        let path = JsonPath::parse(&standard).map_err(|error| JsonPathError::new(text, error.to_string()))?;
        Ok(Self {
            from_root: bare.starts_with('$'),
            path,
        })
    }

    /// What the path leads to, in document order. Nothing when a field is absent.
    pub fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.path.query(value).all()
    }

    /// What the path leads to from where a range stands, or from the root when it starts with `$`.
    pub fn find_from<'a>(&self, root: &'a Value, here: &'a Value) -> Vec<&'a Value> {
        self.find(if self.from_root { root } else { here })
    }
}

/// A string as it is; anything else as JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

const END_OF_NAME: &str = ".[";
const END_OF_NAME_IN_FILTER: &str = ".[]()=!<>&|, ";

fn translate_segments(
    chars: &mut Peekable<Chars<'_>>,
    out: &mut String,
    end_of_name: &str,
) -> Result<(), String> {
    loop {
        match chars.peek() {
            Some('.') => {
                chars.next();
                if chars.next_if_eq(&'.').is_some() {
                    out.push_str("..");
                    if chars.peek() == Some(&'[') {
                        continue;
                    }
                }
                let name = read_name(chars, end_of_name);
                if name.is_empty() && chars.peek() != Some(&'[') && out != "$" {
                    return Err("a name is missing after a dot".to_owned());
                }
                push_name(out, &name);
            }
            Some('[') => {
                chars.next();
                let inside = read_brackets(chars)?;
                match inside.trim().strip_prefix('?') {
                    Some(filter) => out.push_str(&format!("[?{}]", translate_filter(filter)?)),
                    None => out.push_str(&format!("[{inside}]")),
                }
            }
            _ => return Ok(()),
        }
    }
}

fn read_name(chars: &mut Peekable<Chars<'_>>, end: &str) -> String {
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| !end.contains(*c)) {
        match c {
            '\\' => name.extend(chars.next()),
            other => name.push(other),
        }
    }
    name
}

fn push_name(out: &mut String, name: &str) {
    match name {
        "" => {}
        "*" => out.push_str("[*]"),
        name => {
            // With `..` before it, `["name"]` makes the standard's descendant segment.
            let quoted = Value::from(name).to_string();
            out.push_str(&format!("[{quoted}]"));
        }
    }
}

/// What stands between a bracket that was just opened and its partner.
fn read_brackets(chars: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut inside = String::new();
    let mut depth = 1;
    while let Some(c) = chars.next() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '"' | '\'' => {
                inside.push_str(&read_quoted(chars, c)?);
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            return Ok(inside);
        }
        inside.push(c);
    }
    Err("a bracket is not closed".to_owned())
}

/// A quoted string whose opening quote was just read, with both quotes.
fn read_quoted(chars: &mut Peekable<Chars<'_>>, quote: char) -> Result<String, String> {
    let mut text = quote.to_string();
    while let Some(c) = chars.next() {
        text.push(c);
        if c == quote {
            return Ok(text);
        }
        if c == '\\' {
            text.extend(chars.next());
        }
    }
    Err("a quote is not closed".to_owned())
}

fn translate_filter(filter: &str) -> Result<String, String> {
    let mut chars = filter.chars().peekable();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => out.push_str(&read_quoted(&mut chars, c)?),
            '@' | '$' => {
                out.push(c);
                translate_segments(&mut chars, &mut out, END_OF_NAME_IN_FILTER)?;
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kubectls_dialect_is_understood() {
        let value = json!({
            "metadata": {"name": "payments", "labels": {"app.kubernetes.io/name": "pay", "my-app": "x"}},
            "items": [{"n": 1, "tags": ["a"]}, {"n": 2, "tags": []}, {"n": 3}],
            "conditions": [{"type": "Ready", "status": "False"}, {"type": "Stalled", "status": "True"}],
        });
        let check = |path: &str, expected: Value| {
            let found = Path::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(json!(found.find(&value)), expected, "{path}");
        };
        check(".metadata.name", json!(["payments"]));
        check("metadata.name", json!(["payments"]));
        check("$.metadata.name", json!(["payments"]));
        check("{.metadata.name}", json!(["payments"]));
        check("$['metadata']['name']", json!(["payments"]));
        check(r".metadata.labels.app\.kubernetes\.io/name", json!(["pay"]));
        check(".metadata.labels['app.kubernetes.io/name']", json!(["pay"]));
        check(".metadata.labels.my-app", json!(["x"]));
        check(".items[*].n", json!([1, 2, 3]));
        check(".items.*.n", json!([1, 2, 3]));
        check(".items[0,2].n", json!([1, 3]));
        check(".items[-1].n", json!([3]));
        check(".items[1:].n", json!([2, 3]));
        check("..n", json!([1, 2, 3]));
        check(r#".conditions[?(@.type=="Ready")].status"#, json!(["False"]));
        check(".conditions[?(@.type == 'Stalled')].status", json!(["True"]));
        check(".items[?(@.n>1)].n", json!([2, 3]));
        check(".items[?(@.tags)].n", json!([1, 2]));
        check(".absent.field", json!([]));
    }

    #[test]
    fn what_is_no_path_says_why() {
        let why = |text: &str| Path::parse(text).unwrap_err().to_string();
        assert_eq!(
            why(".items[0"),
            "the JSONPath .items[0 cannot be read: a bracket is not closed"
        );
        assert!(why("{.a").contains("\"{\" is not expected there"));
        assert!(why(".a..").contains("a name is missing after a dot"));
        assert!(why(".items[?(@.a=='x)]").contains("a quote is not closed"));
        assert!(why(".items[x]").starts_with("the JSONPath .items[x] cannot be read: "));
    }
}
