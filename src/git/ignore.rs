//! What a source leaves out, in the language of `.gitignore`.

use gix_glob::pattern::Case;
use gix_ignore::Search;

use super::error::GitError;

/// What is left out where nobody says otherwise: what is hidden belongs to tools, such as the forge's workflows.
const HIDDEN: &str = ".*";

/// The patterns of one request.
pub(super) struct Ignore(Search);

impl Ignore {
    /// Of lines as a `.gitignore` at the repository's root would have them; a later one overrules an earlier.
    ///
    /// # Errors
    /// If one is no line.
    pub(super) fn new(patterns: &[String]) -> Result<Self, GitError> {
        if let Some(pattern) = patterns.iter().find(|pattern| pattern.contains(char::is_control)) {
            return Err(GitError::Invalid {
                what: format!("the ignore {pattern:?}"),
                why: "it has control characters".to_owned(),
            });
        }
        let all = [HIDDEN].into_iter().chain(patterns.iter().map(String::as_str));
        Ok(Self(Search::from_overrides(
            all,
            gix_ignore::search::Ignore::default(),
        )))
    }

    /// Whether what lies at `path`, from the repository's root, is left out. Who asks has asked for its folder before.
    pub(super) fn covers(&self, path: &[u8], is_folder: bool) -> bool {
        let found = self
            .0
            .pattern_matching_relative_path(path.into(), Some(is_folder), Case::Sensitive);
        found.is_some_and(|found| !found.pattern.is_negative())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_git() {
        let patterns = ["*.tmp.yaml", "/docs/", "secret", "!keep.tmp.yaml", "!.shown"].map(str::to_owned);
        let ignore = Ignore::new(&patterns).unwrap();
        for (path, is_folder, covered) in [
            ("a.tmp.yaml", false, true),
            ("deep/er/a.tmp.yaml", false, true),
            ("keep.tmp.yaml", false, false),
            ("docs", true, true),
            ("a/docs", true, false),
            ("a/secret", true, true),
            ("a/secret", false, true),
            ("a.yaml", false, false),
            (".github", true, true),
            ("a/.github", true, true),
            (".ci.yaml", false, true),
            (".shown", true, false),
        ] {
            assert_eq!(ignore.covers(path.as_bytes(), is_folder), covered, "{path}");
        }
    }
}
