//! Every subject that WHOOSH and its agents use.

use super::id::{self, ClusterId, IdError};

/// The subjects below one configurable prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    backbeat: String,
}

impl Subjects {
    /// Subjects below `prefix`, which may have several tokens (`site1.backbeat`).
    ///
    /// # Errors
    /// A token that is empty, too long, or holds more than letters, digits, `_` and `-`.
    pub fn with_prefix(prefix: &str) -> Result<Self, IdError> {
        for token in prefix.split('.') {
            id::check(token, 64, "_-", "'_' and '-'")?;
        }
        Ok(Self {
            backbeat: prefix.to_owned(),
        })
    }

    /// `backbeat.beat.{cluster}`: a `BeatFrame` each beat, over core NATS.
    pub fn beat(&self, cluster: &ClusterId) -> String {
        format!("{}.beat.{cluster}", self.backbeat)
    }

    /// `backbeat.status.{cluster}`: the `StatusClaim`s of agents, which are their heartbeats too.
    pub fn status(&self, cluster: &ClusterId) -> String {
        format!("{}.status.{cluster}", self.backbeat)
    }
}

impl Default for Subjects {
    fn default() -> Self {
        Self {
            backbeat: "backbeat".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Subjects;

    #[test]
    fn subjects_are_those_of_backbeat_below_the_prefix() {
        fn check(subjects: &Subjects, beat: &str, status: &str) {
            let cluster = "chorus-production".parse().unwrap();
            assert_eq!(
                (subjects.beat(&cluster), subjects.status(&cluster)),
                (beat.into(), status.into())
            );
        }
        check(
            &Subjects::default(),
            "backbeat.beat.chorus-production",
            "backbeat.status.chorus-production",
        );
        check(
            &Subjects::with_prefix("site1.bb").unwrap(),
            "site1.bb.beat.chorus-production",
            "site1.bb.status.chorus-production",
        );
    }

    #[test]
    fn a_prefix_cannot_widen_a_subject() {
        for prefix in ["", ".", "a.", ".a", "a..b", "*", "a.>", "a b", "a\r\n"] {
            assert!(Subjects::with_prefix(prefix).is_err(), "prefix {prefix:?}");
        }
    }
}
