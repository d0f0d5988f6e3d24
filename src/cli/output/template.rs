//! Text with paths in braces: `{range .items[*]}{.metadata.name}{"\n"}{end}`.

use serde_json::Value;

use crate::resource::jsonpath::{JsonPathError, Path, plain};

/// A template that was read.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Text(String),
    Path(Path),
    Range(Path, Vec<Node>),
}

impl Template {
    /// Reads a template. Without any brace the whole text is one path, as in kubectl.
    ///
    /// # Errors
    /// When it is not one.
    pub(crate) fn parse(text: &str) -> Result<Self, JsonPathError> {
        if !text.contains('{') {
            let path = Path::parse(text)?;
            return Ok(Self {
                nodes: vec![Node::Path(path)],
            });
        }
        // The innermost open range is last; the template itself is the first.
        let mut open: Vec<(Option<Path>, Vec<Node>)> = vec![(None, Vec::new())];
        for piece in pieces(text)? {
            let node = match piece {
                Piece::Text(literal) => Node::Text(literal),
                Piece::Braces(inside) => match inside.trim() {
                    "end" => match open.pop() {
                        Some((Some(path), nodes)) => Node::Range(path, nodes),
                        _ => return Err(JsonPathError::new(text, "{end} closes no {range}")),
                    },
                    inside => match inside.strip_prefix("range ") {
                        Some(path) => {
                            open.push((Some(Path::parse(path)?), Vec::new()));
                            continue;
                        }
                        None => expression(inside)?,
                    },
                },
            };
            if let Some((_, nodes)) = open.last_mut() {
                nodes.push(node);
            }
        }
        match open.pop() {
            Some((None, nodes)) => Ok(Self { nodes }),
            _ => Err(JsonPathError::new(text, "{range} lacks its {end}")),
        }
    }

    /// The template filled from an object. An absent field leaves nothing.
    pub(crate) fn fill(&self, root: &Value) -> String {
        let mut out = String::new();
        fill(&self.nodes, root, root, &mut out);
        out
    }
}

fn fill(nodes: &[Node], root: &Value, here: &Value, out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Path(path) => {
                let found = path.find_from(root, here);
                let words: Vec<String> = found.into_iter().map(plain).collect();
                out.push_str(&words.join(" "));
            }
            Node::Range(path, nodes) => {
                for item in path.find_from(root, here) {
                    fill(nodes, root, item, out);
                }
            }
        }
    }
}

enum Piece {
    Text(String),
    Braces(String),
}

fn pieces(text: &str) -> Result<Vec<Piece>, JsonPathError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        if start > 0 {
            pieces.push(Piece::Text(rest[..start].to_owned()));
        }
        let inside = &rest[start + 1..];
        let end = end_of_braces(inside).ok_or_else(|| JsonPathError::new(text, "a brace is not closed"))?;
        pieces.push(Piece::Braces(inside[..end].to_owned()));
        rest = &inside[end + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

fn end_of_braces(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Some(at),
            (None, _) => {}
        }
    }
    None
}

fn expression(text: &str) -> Result<Node, JsonPathError> {
    match unquote(text) {
        Some(literal) => Ok(Node::Text(literal)),
        None => Ok(Node::Path(Path::parse(text)?)),
    }
}

fn unquote(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| "\"'".contains(*c))?;
    let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut literal = String::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => literal.extend(chars.next().map(|escaped| match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            })),
            other => literal.push(other),
        }
    }
    Some(literal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_are_filled_as_kubectl_fills_them() {
        let list = json!({"kind": "List", "items": [
            {"metadata": {"name": "a"}, "spec": {"roles": [{"name": "x"}, {"name": "y"}]}},
            {"metadata": {"name": "b"}, "spec": {"roles": []}, "n": 3},
        ]});
        let check = |template: &str, expected: &str| {
            let filled = Template::parse(template).unwrap().fill(&list);
            assert_eq!(filled, expected, "{template}");
        };
        check("{.items[*].metadata.name}", "a b");
        check(".items[*].metadata.name", "a b");
        check("names: {.items[*].metadata.name}!", "names: a b!");
        check(r#"{range .items[*]}{.metadata.name}{"\n"}{end}"#, "a\nb\n");
        check(
            "{range .items[*]}{@.metadata.name}={$.kind};{end}",
            "a=List;b=List;",
        );
        check(
            "{range .items[*]}{range .spec.roles[*]}{.name},{end}|{end}",
            "x,y,||",
        );
        check("{.items[0].spec.roles[0]}", r#"{"name":"x"}"#);
        check("{.items[1].n}{'}'}", "3}");
        check("{.nothing}", "");
    }

    #[test]
    fn unbalanced_templates_say_what_is_missing() {
        let why = |text: &str| Template::parse(text).unwrap_err().to_string();
        assert!(why("{.a").contains("a brace is not closed"));
        assert!(why("{range .a}{.b}").contains("{range} lacks its {end}"));
        assert!(why("{.b}{end}").contains("{end} closes no {range}"));
    }
}
