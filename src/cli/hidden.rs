//! What a diff shows of texts that hold values of a secret: whoever may look at a pipeline need not know them, nor those that
//! were there before.

use serde_json::Value;

use crate::resource::variables::Variables;

/// What stands in the place of a text that a hidden one replaces.
const BEFORE: &str = "…";

/// Both sides of a comparison, with the names of variables in place of their values.
pub(crate) fn both(
    variables: &Variables,
    live: Option<&Value>,
    proposed: Option<&Value>,
) -> (Option<Value>, Option<Value>) {
    let (mut live, mut proposed) = (live.cloned(), proposed.cloned());
    if let Some(proposed) = &mut proposed {
        hide(variables, live.as_mut(), proposed);
    }
    if let Some(live) = &mut live {
        hide(variables, None, live);
    }
    (live, proposed)
}

/// A change in words, like `env.A: (none) -> value`: of one whose value is hidden, what was there before is, too.
pub(crate) fn change(variables: &Variables, line: &str) -> String {
    let hidden = variables.hide(line.to_owned());
    match (
        hidden == line,
        hidden.split_once(": "),
        hidden.rsplit_once(" -> "),
    ) {
        (false, Some((what, _)), Some((_, new))) => format!("{what}: {BEFORE} -> {new}"),
        _ => hidden,
    }
}

fn hide(variables: &Variables, live: Option<&mut Value>, proposed: &mut Value) {
    match proposed {
        Value::String(text) => {
            let hidden = change(variables, text);
            if hidden != *text
                && let Some(live) = live
                && live.as_str() != Some(text)
            {
                *live = BEFORE.into();
            }
            *text = hidden;
        }
        Value::Array(items) => {
            let mut live = live.and_then(Value::as_array_mut).map(|live| live.iter_mut());
            for item in items {
                hide(variables, live.as_mut().and_then(Iterator::next), item);
            }
        }
        Value::Object(members) => {
            let mut live = live.and_then(Value::as_object_mut);
            for (name, member) in members {
                let live = live.as_mut().and_then(|live| live.get_mut(name));
                hide(variables, live, member);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn neither_the_value_nor_the_one_before_is_shown() {
        let variables = Variables::parse("REGION=west-1\nPORT=5432").unwrap();
        let live = json!({"a": "east-1", "b": ["x", "in west-1"], "c": 5432, "d": "same"});
        let proposed =
            json!({"a": "west-1", "b": ["in east-1", "in west-1"], "c": 5432, "d": "same", "e": "5432"});
        let (live, proposed) = both(&variables, Some(&live), Some(&proposed));
        assert_eq!(
            live.unwrap(),
            json!({"a": "…", "b": ["x", "in ${REGION}"], "c": 5432, "d": "same"})
        );
        assert_eq!(
            proposed.unwrap(),
            json!({"a": "${REGION}", "b": ["in east-1", "in ${REGION}"], "c": 5432, "d": "same", "e": "${PORT}"})
        );
    }

    #[test]
    fn a_change_in_words_says_nothing_of_either() {
        let variables = Variables::parse("REGION=west-1").unwrap();
        for (line, told) in [
            ("env.A: east-1 -> west-1", "env.A: … -> ${REGION}"),
            ("env.A: (none) -> x", "env.A: (none) -> x"),
            ("west-1", "${REGION}"),
        ] {
            assert_eq!(change(&variables, line), told);
        }
    }
}
