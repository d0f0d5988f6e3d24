//! Which names and paths of a repository are read, and which are refused. Pure.

use super::error::GitError;

/// Longer than any file of a repository needs, and short enough for every message.
const PATH_MAX: usize = 1024;

/// Checks the folder of a source, as it is written: `deploy/prod`, `./deploy/`, or nothing for the root.
///
/// # Errors
/// If it is absolute, leaves the root, or has names that no file may have.
pub fn check_path(path: &str) -> Result<(), GitError> {
    folders(path).map(|_| ())
}

/// The names of the folders on the way to `path`, after `.` and `..` are resolved.
pub(super) fn folders(path: &str) -> Result<Vec<&str>, GitError> {
    let refuse = |why: &str| {
        Err(GitError::Invalid {
            what: format!("the path {path:?}"),
            why: why.to_owned(),
        })
    };
    if path.len() > PATH_MAX {
        return refuse("it is too long");
    }
    if path.starts_with('/') {
        return refuse("it is absolute; paths start at the repository's root, without a slash");
    }
    let mut folders = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                if folders.pop().is_none() {
                    return refuse("it leaves the repository");
                }
            }
            name => match fault(name.as_bytes()) {
                Ok(name) => folders.push(name),
                Err(why) => return refuse(&format!("a name in it {why}")),
            },
        }
    }
    Ok(folders)
}

/// The name of an entry of a folder as text.
///
/// # Errors
/// What is wrong with the name, as it goes on after "it": a tree may hold any bytes, whatever Git itself would write.
pub(super) fn fault(name: &[u8]) -> Result<&str, &'static str> {
    let Ok(name) = std::str::from_utf8(name) else {
        return Err("has a name that is not UTF-8");
    };
    match name {
        "" => Err("has an empty name"),
        "." | ".." => Err("has a name that leads elsewhere"),
        name if name.eq_ignore_ascii_case(".git") => Err("has the name of Git's own folder"),
        name if name.contains(['/', '\\']) => Err("has a slash or backslash in its name"),
        name if name.contains(char::is_control) => Err("has control characters in its name"),
        name if name.len() > PATH_MAX => Err("has a name that is too long"),
        name => Ok(name),
    }
}

/// Whether files of that name are read.
pub(super) fn is_read(name: &str) -> bool {
    [".yaml", ".yml", ".json"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// `name` within `folder`, where the root is empty.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Whether a folder lies within another one.
pub(super) fn is_below(folder: &str, other: &str) -> bool {
    let rest = folder.strip_prefix(other);
    rest.is_some_and(|rest| rest.starts_with('/') || (other.is_empty() && !rest.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_below_those_on_the_way_to_it() {
        for (folder, other, expected) in [
            ("a/b", "a", true),
            ("a", "", true),
            ("a", "a", false),
            ("", "", false),
            ("ab", "a", false),
            ("a", "a/b", false),
        ] {
            assert_eq!(is_below(folder, other), expected, "{folder} {other}");
        }
    }

    #[test]
    fn a_path_stays_in_the_repository() {
        let cases: [(&str, Option<&[&str]>); 14] = [
            ("", Some(&[])),
            (".", Some(&[])),
            ("./", Some(&[])),
            ("a/b", Some(&["a", "b"])),
            ("./a//b/", Some(&["a", "b"])),
            ("a/../b", Some(&["b"])),
            ("a/b/../..", Some(&[])),
            ("..", None),
            ("a/../..", None),
            ("/a", None),
            ("a\\b", None),
            ("a/.git", None),
            ("a/.GIT/b", None),
            ("a\nb", None),
        ];
        for (path, expected) in cases {
            assert_eq!(folders(path).ok().as_deref(), expected, "{path:?}");
        }
        assert!(folders(&"a".repeat(2000)).is_err());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            &b""[..],
            b".",
            b"..",
            b".git",
            b".Git",
            b"a/b",
            b"a\\b",
            b"a\x1b",
            b"a\x7f",
            b"\xff",
        ] {
            assert!(fault(name).is_err(), "{name:?}");
        }
        for name in ["a", "..a", ".gitignore", "ä ö", "-x"] {
            assert_eq!(fault(name.as_bytes()), Ok(name));
        }
    }

    #[test]
    fn three_endings_are_read() {
        let read = ["a.yaml", "a.yml", "a.json", "a.yaml.md", "yaml", "a.YAML"].map(is_read);
        assert_eq!(read, [true, true, true, false, false, false]);
    }
}
