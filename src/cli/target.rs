//! What a command is about: `teams`, `team payments`, `team/payments`, `teams,councils`, `all`.

use super::error::CliError;
use crate::resource::Kind;
use crate::resource::nearest;

/// The category that `all` stands for.
const ALL: &str = "all";

/// A kind, or one object of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The kind.
    pub kind: Kind,
    /// The name; `None` is every object of the kind.
    pub name: Option<String>,
}

/// Reads the words after a command.
///
/// # Errors
/// A usage error: no word, an unknown kind, a name that cannot be one, or both ways of naming mixed.
pub(crate) fn parse(words: &[String]) -> Result<Vec<Target>, CliError> {
    let Some((first, names)) = words.split_first() else {
        return Err(usage(format!(
            "name what is meant: a kind ({}), KIND NAME or KIND/NAME",
            known_kinds()
        )));
    };
    if words.iter().any(|word| word.contains('/')) {
        return words.iter().map(|word| slashed(word)).collect();
    }
    let kinds = kinds(first)?;
    if names.is_empty() {
        return Ok(kinds
            .into_iter()
            .map(|kind| Target { kind, name: None })
            .collect());
    }
    if first == ALL {
        return Err(usage("all stands for every kind and takes no names".to_owned()));
    }
    let mut targets = Vec::new();
    for kind in kinds {
        for name in names {
            targets.push(Target {
                kind,
                name: Some(checked_name(name)?),
            });
        }
    }
    Ok(targets)
}

/// Reads `KIND/NAME`, or the two words `KIND NAME`.
///
/// # Errors
/// A usage error when the words name anything but one object.
pub(crate) fn parse_one(words: &[String]) -> Result<(Kind, String), CliError> {
    let mut targets = parse(words)?;
    match (targets.pop(), targets.is_empty()) {
        (
            Some(Target {
                kind,
                name: Some(name),
            }),
            true,
        ) => Ok((kind, name)),
        _ => Err(usage("name one object, as KIND/NAME or KIND NAME".to_owned())),
    }
}

/// Reads objects by name, each as `KIND/NAME`, or all of one kind as `KIND NAME…`.
///
/// # Errors
/// A usage error when the words name anything else.
pub(crate) fn parse_named(words: &[String]) -> Result<Vec<(Kind, String)>, CliError> {
    let named = parse(words)?
        .into_iter()
        .map(|target| target.name.map(|name| (target.kind, name)));
    named
        .collect::<Option<_>>()
        .ok_or_else(|| usage("name objects, as KIND/NAME or KIND NAME".to_owned()))
}

/// Reads one kind.
///
/// # Errors
/// A usage error with the nearest kind.
pub(crate) fn kind(word: &str) -> Result<Kind, CliError> {
    Kind::find(word).ok_or_else(|| {
        let near = match word {
            "event" | "events" | "ev" => " (`whoosh events` tells what happened)".to_owned(),
            _ => nearest::hint(word, Kind::ALL.into_iter().flat_map(words_of)),
        };
        usage(format!(
            "there is no kind \"{word}\"{near}; the kinds are {}",
            known_kinds()
        ))
    })
}

/// Every word that names a kind, for completion and for hints.
pub(crate) fn words_of(kind: Kind) -> Vec<&'static str> {
    let short = kind.short_names().iter().map(String::as_str);
    [kind.plural(), kind.singular()]
        .into_iter()
        .chain(short)
        .collect()
}

fn kinds(list: &str) -> Result<Vec<Kind>, CliError> {
    let mut kinds = Vec::new();
    for word in list.split(',') {
        if word == ALL {
            kinds.extend(
                Kind::ALL
                    .into_iter()
                    .filter(|kind| kind.categories().iter().any(|category| category == ALL)),
            );
        } else {
            kinds.push(kind(word)?);
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    kinds.retain(|kind| seen.insert(*kind));
    Ok(kinds)
}

fn slashed(word: &str) -> Result<Target, CliError> {
    let Some((kind_word, name)) = word.split_once('/') else {
        return Err(usage(format!(
            "\"{word}\" is not KIND/NAME; write every object the same way, KIND/NAME or KIND NAME…"
        )));
    };
    Ok(Target {
        kind: kind(kind_word)?,
        name: Some(checked_name(name)?),
    })
}

fn checked_name(name: &str) -> Result<String, CliError> {
    check_name(name).map_err(usage)
}

/// Refuses what cannot be a name, before it becomes part of a path.
pub(crate) fn check_name(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = name.len() <= 253
        && name.starts_with(plain)
        && name.ends_with(plain)
        && name.chars().all(|c| plain(c) || c == '-' || c == '.');
    if fits {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "{name:?} cannot be a name: names are lower-case letters, digits, - and ., and start and end with a \
             letter or digit"
        ))
    }
}

fn known_kinds() -> String {
    let plurals: Vec<&str> = Kind::ALL.into_iter().map(Kind::plural).collect();
    plurals.join(", ")
}

fn usage(text: String) -> CliError {
    CliError::Usage(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Vec<String>, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let targets = parse(&words).map_err(|error| error.to_string())?;
        let show = |target: Target| match target.name {
            Some(name) => format!("{}/{name}", target.kind.singular()),
            None => target.kind.plural().to_owned(),
        };
        Ok(targets.into_iter().map(show).collect())
    }

    #[test]
    fn objects_are_named_as_kubectl_names_them() {
        fn check(words: &str, expected: &[&str]) {
            assert_eq!(read(words).unwrap(), expected, "{words}");
        }
        check("teams", &["teams"]);
        check("tm,cn,team", &["teams", "councils"]);
        check("all", &["teams", "councils", "agents"]);
        check("team payments billing", &["team/payments", "team/billing"]);
        check(
            "team/payments council/kickoff",
            &["team/payments", "council/kickoff"],
        );
        check("teams,councils x", &["team/x", "council/x"]);
        check(
            "agent team.payments.reviewer.2",
            &["agent/team.payments.reviewer.2"],
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_advice() {
        let why = |words: &str| read(words).unwrap_err();
        assert_eq!(
            why("taem"),
            "there is no kind \"taem\" (did you mean \"team\"?); the kinds are teams, councils, agenttemplates, policies, \
             gitsources, agents"
        );
        assert!(why("").starts_with("name what is meant"));
        assert!(why("team/a b").contains("\"b\" is not KIND/NAME"));
        assert!(why("all payments").contains("takes no names"));
        assert!(
            why("team ../x").contains("cannot be a name") || why("team ../x").contains("is not KIND/NAME")
        );
        assert!(why("team/../x").contains("cannot be a name"));
        assert!(why("team Pay_ments").contains("\"Pay_ments\" cannot be a name"));
    }
}
