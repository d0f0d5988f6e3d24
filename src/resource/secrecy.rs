//! What speaks of a secret: its value is warned of when it stands in a spec, and never shown in a diff.

/// Words in the names of variables and options whose values are secrets.
const WORDS: [&str; 6] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "CREDENTIAL", "KEY"];

/// Whether a variable or option of this name probably holds a secret.
pub fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name() {
        for (name, secret) in [
            ("GITEA_TOKEN", true),
            ("db_passwd", true),
            ("AWS_CREDENTIALS", true),
            ("--api-key", true),
            ("RUST_LOG", false),
            ("", false),
        ] {
            assert_eq!(names_a_secret(name), secret, "{name}");
        }
    }
}
