//! Ranges of versions, as GitOps tools write them: `>=1.2 <2`, `1.x || 3.x`, `1.2 - 1.4`. Pure.

use std::str::FromStr;

use semver::{Version, VersionReq};

/// A range: all that one of its parts holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange(Vec<VersionReq>);

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no range of versions like \">=1.2 <2\", \"1.x\" or \"^1.4 || ^2\": {0}")]
pub struct NoRange(String);

impl VersionRange {
    /// Whether a version is in it. A pre-release is in a range that names one of the same version.
    pub fn holds(&self, version: &Version) -> bool {
        self.0.iter().any(|part| part.matches(version))
    }
}

impl FromStr for VersionRange {
    type Err = NoRange;

    fn from_str(text: &str) -> Result<Self, NoRange> {
        text.split("||").map(part).collect::<Result<_, _>>().map(Self)
    }
}

/// Comparisons that all hold, with or without commas between them.
fn part(text: &str) -> Result<VersionReq, NoRange> {
    let spaced = text.replace(',', " ");
    let mut words = spaced.split_whitespace().peekable();
    let mut comparisons = Vec::new();
    while let Some(word) = words.next() {
        let bare = word.trim_start_matches(['<', '>', '=', '^', '~']);
        comparisons.push(match words.peek() {
            Some(&"-") if bare == word => {
                words.next();
                let last = words.next().unwrap_or_default();
                format!(">={word}, <={last}")
            }
            // An operator that stands apart from its version.
            Some(version) if bare.is_empty() => {
                let whole = format!("{word}{version}");
                words.next();
                whole
            }
            // A version alone is that one, and `1.2` is all of 1.2.
            _ if bare == word && bare.starts_with(|c: char| c.is_ascii_digit()) => format!("={word}"),
            _ => word.to_owned(),
        });
    }
    let wrong = |error: semver::Error| NoRange(error.to_string());
    match comparisons.as_slice() {
        [] => Err(NoRange("nothing stands there".to_owned())),
        comparisons => VersionReq::parse(&comparisons.join(", ")).map_err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_other_tools_take_it_for() {
        for (range, inside, outside) in [
            (">=1.0.0 <2.0.0", "1.0.0 1.9.9", "0.9.9 2.0.0"),
            (">=1.2, <2", "1.2.0", "1.1.9 2.0.0"),
            (">= 1.2 < 2", "1.2.0", "1.1.9 2.0.0"),
            ("1.x", "1.0.0 1.9.0", "2.0.0"),
            ("1.2", "1.2.0 1.2.9", "1.3.0"),
            ("1.2.3", "1.2.3", "1.2.4"),
            ("^1.2", "1.9.0", "1.1.0 2.0.0"),
            ("~1.2", "1.2.9", "1.3.0"),
            ("1.x || 3.x", "1.5.0 3.0.0", "2.0.0"),
            ("1.2 - 1.4", "1.2.0 1.4.0 1.4.9", "1.5.0"),
            (">=1.3.0-0 <1.4", "1.3.0-rc.1 1.3.9", "1.4.0"),
            ("*", "0.0.1 9.0.0", "1.0.0-rc.1"),
        ] {
            let parsed: VersionRange = range.parse().unwrap();
            let holds = |version: &str| parsed.holds(&version.parse().unwrap());
            assert!(inside.split(' ').all(holds), "{range}");
            assert!(!outside.split(' ').any(holds), "{range}");
        }
        for wrong in ["", " ", "abc", "1.2 ||", "1.2 -", ">", "1.2.3.4", ">=1 main"] {
            assert!(wrong.parse::<VersionRange>().is_err(), "{wrong}");
        }
    }
}
