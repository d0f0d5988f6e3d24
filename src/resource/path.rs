//! Field paths, as problems and `explain` write them: `spec.roles[1].agent`, `metadata.labels[app/x]`.

/// The path of a member of the object at `base`.
pub fn field(base: &str, key: &str) -> String {
    let segment = segment(key);
    if base.is_empty() || segment.starts_with('[') {
        return format!("{base}{segment}");
    }
    format!("{base}.{segment}")
}

/// The path of an item of the list at `base`, counted from 0.
pub fn item(base: &str, index: usize) -> String {
    format!("{base}[{index}]")
}

/// `key` as a path has it: as it is when it is a plain word, in brackets when it is not.
pub fn segment(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain { key.to_owned() } else { format!("[{key}]") }
}

/// The path that a path lies directly below; `None` for a path of one segment.
pub fn parent(path: &str) -> Option<&str> {
    if let Some(open) = path.strip_suffix(']').and_then(|rest| rest.rfind('[')) {
        return Some(&path[..open]).filter(|parent| !parent.is_empty());
    }
    path.rfind('.').map(|dot| &path[..dot])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_words_from_other_keys() {
        for (base, key, path) in [
            ("", "spec", "spec"),
            ("spec", "roles", "spec.roles"),
            ("metadata.labels", "app", "metadata.labels.app"),
            ("metadata.labels", "a.b/c", "metadata.labels[a.b/c]"),
            ("", "a b", "[a b]"),
            ("spec", "", "spec[]"),
        ] {
            assert_eq!(field(base, key), path);
        }
        assert_eq!(item("spec.roles", 1), "spec.roles[1]");
    }

    #[test]
    fn a_parent_is_one_segment_shorter() {
        for (path, expected) in [
            ("spec.roles[1].name", Some("spec.roles[1]")),
            ("spec.roles[1]", Some("spec.roles")),
            ("metadata.labels[a.b/c]", Some("metadata.labels")),
            ("spec", None),
            ("[a b]", None),
        ] {
            assert_eq!(parent(path), expected, "{path}");
        }
    }
}
