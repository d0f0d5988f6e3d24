//! Which commit a reference means, of those that a server tells of. Pure.

use gix_hash::ObjectId;
use semver::Version;

use super::Reference;
use super::error::GitError;
use crate::resource::versions::VersionRange;

/// How many names an error suggests.
const NEAR: usize = 3;

/// A reference that the server told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// Its whole name, like `refs/heads/main`.
    pub(super) name: String,
    /// The reference that it stands for, if it is a symbolic one.
    pub(super) target: Option<String>,
    /// What it points at: a commit, or a tag object.
    pub(super) object: ObjectId,
    /// What that is a tag of, at last.
    pub(super) commit: ObjectId,
}

/// What is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    /// The name for people.
    pub(super) name: String,
    /// What to ask the server for.
    pub(super) object: ObjectId,
    /// The commit that it leads to.
    pub(super) commit: ObjectId,
}

/// Checks a reference before it is stored.
///
/// # Errors
/// If no repository can have it.
pub fn check_reference(reference: &Reference) -> Result<(), GitError> {
    let refuse = |why: String| {
        Err(GitError::Invalid {
            what: reference.to_string(),
            why,
        })
    };
    match reference {
        Reference::Head => Ok(()),
        Reference::Branch(name) | Reference::Tag(name) => {
            let whole = format!("refs/heads/{name}");
            match gix_validate::reference::name(whole.as_str().into()) {
                Ok(_) if !name.starts_with('-') => Ok(()),
                _ => refuse("no branch or tag can have that name".to_owned()),
            }
        }
        Reference::SemVer(range) => match range.parse::<VersionRange>() {
            Ok(_) => Ok(()),
            Err(error) => refuse(format!("it {error}")),
        },
        Reference::Commit(hash) => match commit(hash) {
            Some(_) => Ok(()),
            None => refuse("a commit is named by all 40 digits of its hash".to_owned()),
        },
    }
}

/// The commit of a hash in 40 digits.
pub(super) fn commit(hash: &str) -> Option<ObjectId> {
    let is_whole = hash.len() == 40;
    ObjectId::from_hex(hash.as_bytes()).ok().filter(|_| is_whole)
}

/// What the names begin with that the server has to tell of.
pub(super) fn prefix(reference: &Reference) -> Option<String> {
    match reference {
        Reference::Head => Some("HEAD".to_owned()),
        Reference::Branch(name) => Some(format!("refs/heads/{name}")),
        Reference::Tag(name) => Some(format!("refs/tags/{name}")),
        Reference::SemVer(_) => Some("refs/tags/".to_owned()),
        Reference::Commit(_) => None,
    }
}

/// What the names begin with among which a suggestion may be found.
pub(super) fn family(reference: &Reference) -> Option<&'static str> {
    match reference {
        Reference::Branch(_) => Some("refs/heads/"),
        Reference::Tag(_) | Reference::SemVer(_) => Some("refs/tags/"),
        Reference::Head | Reference::Commit(_) => None,
    }
}

/// The commit that `reference` means, of what a server told; `None` if it told of none.
pub(super) fn choose(reference: &Reference, told: &[Told]) -> Option<Chosen> {
    let exactly = |name: &str| told.iter().find(|told| told.name == name);
    let found = match reference {
        Reference::Head => exactly("HEAD"),
        Reference::Branch(name) => exactly(&format!("refs/heads/{name}")),
        Reference::Tag(name) => exactly(&format!("refs/tags/{name}")),
        Reference::SemVer(range) => highest(&range.parse().ok()?, told),
        Reference::Commit(hash) => {
            let commit = commit(hash)?;
            return Some(Chosen {
                name: commit.to_string(),
                object: commit,
                commit,
            });
        }
    }?;
    let name = found.target.as_deref().unwrap_or(&found.name);
    Some(Chosen {
        name: short(name).to_owned(),
        object: found.object,
        commit: found.commit,
    })
}

/// The tag with the highest version of the range; of two with the same, the one without `v` goes last.
fn highest<'a>(range: &VersionRange, told: &'a [Told]) -> Option<&'a Told> {
    let versions = told.iter().filter_map(|told| {
        let tag = told.name.strip_prefix("refs/tags/")?;
        let version = Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
        range.holds(&version).then_some((version, tag, told))
    });
    let best = versions.max_by(|left, right| (&left.0, left.1).cmp(&(&right.0, right.1)));
    best.map(|(_, _, told)| told)
}

fn short(name: &str) -> &str {
    ["refs/heads/", "refs/tags/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

/// The error for a reference that is not there, with the names that are nearest to it.
pub(super) fn missing(reference: &Reference, told: &[Told]) -> GitError {
    let names = told.iter().map(|told| short(&told.name));
    let near = match reference {
        Reference::Branch(wanted) | Reference::Tag(wanted) => nearest(wanted, names),
        Reference::SemVer(_) => newest(names),
        Reference::Head | Reference::Commit(_) => Vec::new(),
    };
    GitError::NoReference {
        reference: match reference {
            Reference::Head => {
                "branch that it shows first; it is empty, or its HEAD points nowhere".to_owned()
            }
            other => other.to_string(),
        },
        near: near.into_iter().map(super::error::quoted).collect(),
    }
}

fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut ranked: Vec<(usize, &str)> = names
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .filter(|(distance, _)| *distance <= wanted.len().max(4) / 2)
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(NEAR).map(|(_, name)| name).collect()
}

fn newest<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut versions: Vec<(Version, &str)> = names
        .filter_map(|name| {
            Version::parse(name.strip_prefix('v').unwrap_or(name))
                .ok()
                .map(|version| (version, name))
        })
        .collect();
    versions.sort_unstable();
    versions
        .into_iter()
        .rev()
        .take(NEAR)
        .map(|(_, name)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &[&str]) -> Vec<Told> {
        let id = |index: usize| ObjectId::from_hex(format!("{index:040x}").as_bytes()).unwrap();
        names
            .iter()
            .enumerate()
            .map(|(index, name)| Told {
                name: (*name).to_owned(),
                target: (*name == "HEAD").then(|| "refs/heads/main".to_owned()),
                object: id(index),
                commit: id(index),
            })
            .collect()
    }

    fn name(reference: &Reference, names: &[&str]) -> Option<String> {
        choose(reference, &told(names)).map(|chosen| chosen.name)
    }

    #[test]
    fn names_are_met_exactly() {
        let names = ["HEAD", "refs/heads/main", "refs/heads/main2", "refs/tags/main"];
        let branch = |name: &str| Reference::Branch(name.to_owned());
        assert_eq!(name(&Reference::Head, &names).as_deref(), Some("main"));
        assert_eq!(name(&branch("main"), &names).as_deref(), Some("main"));
        assert_eq!(name(&branch("mai"), &names), None);
        let tag = choose(&Reference::Tag("main".to_owned()), &told(&names)).unwrap();
        assert_eq!(tag.object, told(&names)[3].object);
    }

    #[test]
    fn the_highest_version_of_the_range_is_taken() {
        let tags = [
            "refs/tags/v1.2.0",
            "refs/tags/v1.10.0",
            "refs/tags/1.9.0",
            "refs/tags/v2.0.0-rc.1",
            "refs/tags/v2.0.0",
            "refs/tags/latest",
            "refs/tags/v3",
            "refs/heads/v9.9.9",
        ];
        for (range, expected) in [
            ("1", Some("v1.10.0")),
            (">=1.2, <1.10", Some("1.9.0")),
            ("*", Some("v2.0.0")),
            ("=1.2.0", Some("v1.2.0")),
            (">=2.0.0-rc.0, <2.0.0", Some("v2.0.0-rc.1")),
            (">=3", None),
        ] {
            let found = name(&Reference::SemVer(range.to_owned()), &tags);
            assert_eq!(found.as_deref(), expected, "{range}");
        }
        let twice = ["refs/tags/1.0.0", "refs/tags/v1.0.0"];
        assert_eq!(
            name(&Reference::SemVer("1".to_owned()), &twice).as_deref(),
            Some("v1.0.0")
        );
    }

    #[test]
    fn what_no_repository_can_have_is_refused() {
        use Reference::{Branch, Commit, SemVer, Tag};
        let text = str::to_owned;
        for bad in [
            Branch(text("")),
            Branch(text("a b")),
            Branch(text("a\n0000")),
            Branch(text("a..b")),
            Branch(text("-a")),
            Tag(text("a:b")),
            SemVer(text("one")),
            Commit(text("abc123")),
            Commit("z".repeat(40)),
        ] {
            assert!(check_reference(&bad).is_err(), "{bad}");
        }
        for good in [
            Reference::Head,
            Branch(text("feature/a")),
            Tag(text("v1")),
            SemVer(text("^1.2")),
            Commit("a".repeat(40)),
        ] {
            assert_eq!(check_reference(&good), Ok(()));
        }
    }

    #[test]
    fn near_names_are_suggested() {
        let names = told(&["refs/heads/main", "refs/heads/release", "refs/heads/mail"]);
        let error = missing(&Reference::Branch("mian".to_owned()), &names);
        assert_eq!(
            error.to_string(),
            "the repository has no branch \"mian\"; there is main, mail"
        );
        let tags = told(&["refs/tags/v1.0.0", "refs/tags/v1.1.0", "refs/tags/x"]);
        let error = missing(&Reference::SemVer(">=2".to_owned()), &tags);
        assert_eq!(
            error.to_string(),
            "the repository has no version \">=2\"; there is v1.1.0, v1.0.0"
        );
    }
}
