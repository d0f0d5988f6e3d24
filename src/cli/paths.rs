//! Where WHOOSH keeps its own files: one rule for the command line, `whoosh up` and the operator.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder that holds everything `whoosh up` makes: `$WHOOSH_HOME`, or `/var/lib/whoosh` for root, or
/// `whoosh` below `$XDG_DATA_HOME` (`~/.local/share`) for everybody else.
pub fn home() -> PathBuf {
    home_from(
        |name| std::env::var_os(name),
        rustix::process::geteuid().is_root(),
    )
}

/// The operator's Unix socket below a home folder.
pub fn socket_in(home: &Path) -> PathBuf {
    home.join("run").join("whoosh.sock")
}

/// The operator's Unix socket when nobody names one.
pub fn default_socket() -> PathBuf {
    socket_in(&home())
}

/// The file of contexts when nobody names one: `whoosh/config` below `$XDG_CONFIG_HOME` (`~/.config`); `None` without a
/// home.
pub fn default_config() -> Option<PathBuf> {
    config_from(|name| std::env::var_os(name))
}

fn config_from(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let configs = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(configs.join("whoosh/config"))
}

fn home_from(env: impl Fn(&str) -> Option<OsString>, root: bool) -> PathBuf {
    let folder = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let users_own = || {
        folder("XDG_DATA_HOME")
            .or_else(|| Some(folder("HOME")?.join(".local/share")))
            .map(|data| data.join("whoosh"))
    };
    folder("WHOOSH_HOME")
        .or_else(|| if root { None } else { users_own() })
        .unwrap_or_else(|| PathBuf::from("/var/lib/whoosh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contexts_are_where_configurations_are() {
        let read = |pairs: &'static [(&str, &str)]| {
            config_from(|name| {
                pairs
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| value.into())
            })
        };
        assert_eq!(
            read(&[("HOME", "/home/ada")]),
            Some("/home/ada/.config/whoosh/config".into())
        );
        assert_eq!(
            read(&[("XDG_CONFIG_HOME", "/c"), ("HOME", "/home/ada")]),
            Some("/c/whoosh/config".into())
        );
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn home_follows_the_variables_and_the_user() {
        fn check(env: &[(&str, &str)], root: bool, expected: &str) {
            let read = |name: &str| {
                let (_, value) = env.iter().find(|(key, _)| *key == name)?;
                Some(OsString::from(value))
            };
            assert_eq!(home_from(read, root), Path::new(expected), "{env:?} root={root}");
        }
        check(&[("WHOOSH_HOME", "/w"), ("HOME", "/home/ada")], false, "/w");
        check(&[("WHOOSH_HOME", "/w")], true, "/w");
        check(&[("WHOOSH_HOME", ""), ("HOME", "/root")], true, "/var/lib/whoosh");
        check(
            &[("XDG_DATA_HOME", "/data"), ("HOME", "/home/ada")],
            false,
            "/data/whoosh",
        );
        check(&[("HOME", "/home/ada")], false, "/home/ada/.local/share/whoosh");
        check(&[], false, "/var/lib/whoosh");
    }
}
