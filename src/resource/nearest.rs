//! "Did you mean": the known word that a typo is closest to.

/// Words over this length are not typos of ours, and comparing them would be slow.
const LONGEST: usize = 64;

/// The candidate nearest to `word`, ignoring case; `None` when none is near enough to be meant.
///
/// Near enough is one edit in three characters, a swap of two neighbours being one edit. The first of
/// equally near candidates wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean "x"?)` for the candidate nearest to `word`; empty when there is none.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(nearest(word, candidates))
}

/// The same for a word that was found already.
pub fn did_you_mean(near: Option<&str>) -> String {
    near.map(|near| format!(" (did you mean \"{near}\"?)"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_the_word_that_was_meant() {
        let fields = ["name", "replicas", "required", "template", "agent"];
        for (typo, meant) in [
            ("replica", Some("replicas")),
            ("Replicas", Some("replicas")),
            ("relpicas", Some("replicas")),
            ("tmeplate", Some("template")),
            ("nmae", Some("name")),
            ("image", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(typo, fields), meant, "{typo}");
        }
    }

    #[test]
    fn a_very_long_word_is_no_typo() {
        assert_eq!(nearest(&"replicas".repeat(1000), ["replicas"]), None);
    }
}
