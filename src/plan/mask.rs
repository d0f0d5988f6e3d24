//! Hides what looks like a secret before it is shown.
//!
//! Secrets do not belong into a spec, but people put them there, and a diff must not spread them.

use crate::resource::secrecy::names_a_secret;

/// Stands for a value that is not shown.
const HIDDEN: &str = "***";

/// The value of a variable, hidden when its name or its content speaks of a secret.
pub(super) fn variable(name: &str, value: &str) -> String {
    if !value.is_empty() && (names_a_secret(name) || has_userinfo(value)) {
        HIDDEN.to_owned()
    } else {
        value.to_owned()
    }
}

/// The words of a command line, with the values of options and assignments hidden as variables are.
pub(super) fn command(words: &[String]) -> String {
    let mut shown = Vec::with_capacity(words.len());
    let mut hide_next = false;
    for word in words {
        let option = word.starts_with('-');
        shown.push(match word.split_once('=') {
            _ if hide_next && !option => HIDDEN.to_owned(),
            Some((name, value)) => format!("{name}={}", variable(name, value)),
            None => variable("", word),
        });
        hide_next = option && !word.contains('=') && names_a_secret(word);
    }
    format!("{shown:?}")
}

/// Whether some address in it carries a user or a password: `nats://user:pass@host`.
fn has_userinfo(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ',', ' ']).next();
        authority.is_some_and(|authority| authority.contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_hidden() {
        for (name, value, expected) in [
            ("RUST_LOG", "debug", "debug"),
            ("GITEA_TOKEN", "abc", "***"),
            ("db_password", "abc", "***"),
            ("API_KEY", "", ""),
            ("NATS_URL", "nats://bus:4222", "nats://bus:4222"),
            ("NATS_URL", "nats://a:b@bus:4222", "***"),
            ("NATS_URL", "nats://bus:4222,nats://a:b@bus:4223", "***"),
            ("MAIL", "me@example.com", "me@example.com"),
            ("PAGE", "https://example.com/@me", "https://example.com/@me"),
        ] {
            assert_eq!(variable(name, value), expected, "{name}={value}");
        }
        for (words, expected) in [
            (
                vec!["run", "--api-token", "abc", "-v"],
                r#"["run", "--api-token", "***", "-v"]"#,
            ),
            (
                vec!["--password=abc", "--level=1"],
                r#"["--password=***", "--level=1"]"#,
            ),
            (vec!["nats://a:b@bus"], r#"["***"]"#),
        ] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert_eq!(command(&words), expected);
        }
    }
}
