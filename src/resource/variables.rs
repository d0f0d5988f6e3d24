//! Values of variables that stand in a file. Pure.

use std::collections::BTreeMap;
use std::fmt;

use super::git_source::is_variable;

/// The shortest value that is looked for in what people are told, in characters: a shorter one stands in any text.
const HIDDEN_MIN: usize = 4;
/// How much of a value's beginning is looked for, in characters: messages are cut off.
const BEGINNING: usize = 12;

/// The values of variables, by name. They cannot be printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

/// What is wrong with a file of variables. Holds nothing of it but numbers of lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} is not like NAME=value, with a name of letters, digits and \"_\" that begins with no digit"
)]
pub struct NotVariables {
    /// The first line that is not as it should be, from 1.
    pub line: usize,
}

impl Variables {
    /// Reads lines like `NAME=value`, as `docker run --env-file` does: a value is all that follows the first `=`. Of two with one
    /// name the last counts. Lines that are empty or begin with `#` say nothing.
    ///
    /// # Errors
    /// The first line that says anything else.
    pub fn parse(text: &str) -> Result<Self, NotVariables> {
        let mut values = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let pair = line.split_once('=').filter(|(name, _)| is_variable(name));
            let (name, value) = pair.ok_or(NotVariables { line: index + 1 })?;
            values.insert(name.to_owned(), value.to_owned());
        }
        Ok(Self(values))
    }

    /// These, and those that are `said` in their place or beside them.
    pub fn with(&self, said: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut all = self.0.clone();
        all.extend(said.iter().map(|(name, value)| (name.clone(), value.clone())));
        all
    }

    /// A text that people are told, with the names of variables in place of their values, also where these are cut off or
    /// escaped.
    pub fn hide(&self, mut text: String) -> String {
        let mut values: Vec<(&String, String)> = Vec::new();
        for (name, value) in &self.0 {
            let escaped = format!("{value:?}");
            let escaped = escaped[1..escaped.len() - 1].to_owned();
            values.extend([(name, value.clone()), (name, escaped)]);
        }
        values.retain(|(_, value)| value.chars().count() >= HIDDEN_MIN);
        // One may be a part of another.
        values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        for (name, value) in values {
            text = without(&text, &value, &format!("${{{name}}}"));
        }
        text
    }

    /// The same of a message, of which nothing that it quotes is told but what `is_written` in the manifests: a value may have
    /// been changed for it, to one that would do.
    pub fn hide_in(&self, text: String, is_written: impl Fn(&str) -> bool) -> String {
        if self.0.is_empty() {
            return text;
        }
        let hidden = self.hide(text);
        let (mut told, mut rest) = (String::new(), hidden.as_str());
        while let Some((before, after)) = rest.split_once('"') {
            told.push_str(before);
            let Some((quoted, after)) = after.split_once('"') else {
                rest = "\"…";
                break;
            };
            let shown = match is_written(quoted) || quoted.starts_with("${") {
                true => quoted,
                false => "…",
            };
            told.extend(["\"", shown, "\""]);
            rest = after;
        }
        told.push_str(rest);
        told
    }
}

/// A text with `name` in every place of a value, or of a beginning of it that is long enough to be none of anything else.
fn without(text: &str, value: &str, name: &str) -> String {
    let beginning: String = value.chars().take(BEGINNING).collect();
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(&beginning) {
        plain.push_str(before);
        plain.push_str(name);
        let end = &value[beginning.len()..];
        let same = end
            .chars()
            .zip(after.chars())
            .take_while(|(one, other)| one == other);
        rest = &after[same.map(|(one, _)| one.len_utf8()).sum()..];
    }
    plain.push_str(rest);
    plain
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_variable() {
        let text = "# of the west\n\nREGION=west\nEMPTY=\r\n  # and\nURL=https://x/?a=b \"c\"\nREGION=east";
        let variables = Variables::parse(text).unwrap();
        let expected = [("EMPTY", ""), ("REGION", "east"), ("URL", "https://x/?a=b \"c\"")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables.with(&BTreeMap::new()), BTreeMap::from(expected));
        let said = BTreeMap::from([("REGION".to_owned(), "north".to_owned())]);
        assert_eq!(variables.with(&said)["REGION"], "north");
        assert_eq!(format!("{variables:?}"), "Variables(…)");
    }

    #[test]
    fn a_line_that_is_none_is_told_by_its_number_alone() {
        for (text, line) in [
            ("hunter2", 1),
            ("A=1\n\nexport B=hunter2", 3),
            ("1A=hunter2", 1),
            ("A =hunter2", 1),
            ("=hunter2", 1),
        ] {
            let error = Variables::parse(text).unwrap_err();
            assert_eq!(error, NotVariables { line }, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_value_is_not_told() {
        let variables = Variables::parse("HOST=db.example\nURL=https://db.example/x\nN=3").unwrap();
        for (text, hidden) in [
            ("cut off: https://db.exa…", "cut off: ${URL}…"),
            ("got \"https://db.example/x\" 3 times", "got \"${URL}\" 3 times"),
            ("db.example and db.example", "${HOST} and ${HOST}"),
        ] {
            assert_eq!(variables.hide(text.to_owned()), hidden);
        }
        let odd = Variables::parse("ODD=say \"hi\" to").unwrap();
        assert_eq!(odd.hide(r#"got "say \"hi\" to""#.to_owned()), "got \"${ODD}\"");
    }

    #[test]
    fn a_message_quotes_what_is_written_alone() {
        let variables = Variables::parse("NAME=Sekret!").unwrap();
        let told = |text: &str| variables.hide_in(text.to_owned(), |quoted| quoted == "team");
        assert_eq!(
            told("\"team\": must be a label, got \"Sekret!\"; try \"sekret\""),
            "\"team\": must be a label, got \"${NAME}\"; try \"…\""
        );
        assert_eq!(told("cut \"sek"), "cut \"…");
        assert_eq!(
            Variables::default().hide_in("\"a\"".to_owned(), |_| false),
            "\"a\""
        );
    }
}
