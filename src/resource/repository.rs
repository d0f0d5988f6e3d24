//! The address of a Git repository, in its parts, and patterns of such addresses. Pure.

use std::borrow::Cow;
use std::str::FromStr;

use super::pattern::Pattern;

/// The parts of `scheme://user@host/path` and of `user@host:path`, which is ssh's short form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositoryUrl<'a> {
    /// `https`, `ssh` and so on; empty when the text is of neither form.
    pub scheme: &'a str,
    /// The user of the host, with a password if somebody wrote one.
    pub user: Option<&'a str>,
    /// The host, with a port if one is named; the text, when it is of neither form.
    pub host: &'a str,
    /// The path from its slash on; in the short form, what stands behind the colon.
    pub path: &'a str,
}

impl<'a> RepositoryUrl<'a> {
    /// The parts of an address, as they are found when it is fetched from; of anything else only what may be a user.
    pub fn of(text: &'a str) -> Self {
        let parted = |authority: &'a str| match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if let Some((scheme, rest)) = text.split_once("://") {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let (user, host) = parted(authority);
            return Self {
                scheme,
                user,
                host,
                path,
            };
        }
        match text
            .split_once(':')
            .map(|(authority, path)| (parted(authority), path))
        {
            Some(((user @ Some(_), host), path)) if !path.is_empty() && !host.contains('/') => Self {
                scheme: "ssh",
                user,
                host,
                path,
            },
            _ => {
                let (user, host) = parted(text);
                Self {
                    scheme: "",
                    user,
                    host,
                    path: "",
                }
            }
        }
    }

    /// Whether another one is on the same host, at the same port.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
    }

    /// Whether another one is the same repository, as far as that can be told by the addresses.
    pub fn is_same_place(&self, other: &Self) -> bool {
        let bare = |path: &'a str| {
            let path = path.trim_end_matches('/');
            path.strip_suffix(".git").unwrap_or(path).trim_start_matches('/')
        };
        let other = Self {
            path: bare(other.path),
            ..*other
        };
        self.scheme == other.scheme && self.is_beside(&other) && bare(self.path) == other.path
    }

    /// Its owner and name, where it is kept like `https://git.example/acme/fleet.git`.
    pub fn owner_and_name(&self) -> Option<(&'a str, &'a str)> {
        let path = self.path.trim_matches('/');
        let (owner, name) = path.strip_suffix(".git").unwrap_or(path).split_once('/')?;
        let is_plain = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !part.is_empty() && part.chars().all(plain) && part.chars().any(|c| c != '.')
        };
        (is_plain(owner) && is_plain(name)).then_some((owner, name))
    }

    /// The server, without the path.
    pub fn server(&self) -> String {
        let user = self.user.map(|user| format!("{user}@")).unwrap_or_default();
        match self.scheme {
            "" => format!("{user}{}", self.host),
            scheme => format!("{scheme}://{user}{}", self.host),
        }
    }

    /// The path as the long form has it: `user@host:path` is `ssh://user@host/~/path`.
    fn long_path(&self) -> Cow<'a, str> {
        match self.path.starts_with('/') || self.path.is_empty() {
            true => self.path.into(),
            false => format!("/~/{}", self.path).into(),
        }
    }
}

/// Addresses of repositories; `*` stands for any text. `user@host:path` is written as `ssh://user@host/~/path`, too, which is
/// the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPattern(String);

impl FromStr for UrlPattern {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl UrlPattern {
    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for an address. What stands for a host's name stands for none of its path.
    pub fn matches(&self, url: &str) -> bool {
        // A detour in the path would lead out of what is allowed.
        let detour = url.contains("..") || url.contains('%') || url.contains('\\');
        let (pattern, url) = (RepositoryUrl::of(&self.0), RepositoryUrl::of(url));
        // A pattern that says nothing of the path says nothing against any.
        let path_fits = pattern.path.is_empty() || Pattern(&pattern.long_path()).matches(&url.long_path());
        !detour && Pattern(&pattern.server()).matches(&url.server()) && path_fits
    }

    /// Whether it stands for an address whose server it names in full.
    pub fn names_server_of(&self, url: &str) -> bool {
        self.matches(url) && !RepositoryUrl::of(&self.0).server().contains('*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_parts() {
        for (text, scheme, user, host, path) in [
            (
                "https://git.example:8443/acme/fleet.git",
                "https",
                None,
                "git.example:8443",
                "/acme/fleet.git",
            ),
            (
                "ssh://git@git.example/~/fleet",
                "ssh",
                Some("git"),
                "git.example",
                "/~/fleet",
            ),
            (
                "git@git.example:acme/fleet.git@main",
                "ssh",
                Some("git"),
                "git.example",
                "acme/fleet.git@main",
            ),
            ("file:///srv/fleet.git", "file", None, "", "/srv/fleet.git"),
            ("https://a@b@git.example", "https", Some("a@b"), "git.example", ""),
            ("https://git.example?x/y", "https", None, "git.example?x", "/y"),
            (
                "ann:hunter2@git.example",
                "",
                Some("ann:hunter2"),
                "git.example",
                "",
            ),
            ("git.example:acme", "", None, "git.example:acme", ""),
            ("a@b/c:d", "", Some("a"), "b/c:d", ""),
            ("", "", None, "", ""),
        ] {
            let expected = RepositoryUrl {
                scheme,
                user,
                host,
                path,
            };
            assert_eq!(RepositoryUrl::of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_repository_of_a_forge_has_an_owner_and_a_name() {
        for (text, expected) in [
            ("https://git.example/acme/fleet.git", Some(("acme", "fleet"))),
            ("https://git.example/acme/fleet/", Some(("acme", "fleet"))),
            ("git@git.example:acme/fleet.git", Some(("acme", "fleet"))),
            ("https://git.example/acme/../fleet.git", None),
            ("https://git.example/fleet.git", None),
            ("https://git.example/acme/..", None),
        ] {
            assert_eq!(RepositoryUrl::of(text).owner_and_name(), expected, "{text}");
        }
    }

    #[test]
    fn a_pattern_says_what_may_be_fetched() {
        for (pattern, url, expected) in [
            ("https://*", "https://git.example/acme/fleet.git", true),
            (
                "https://git.example/*",
                "https://git.example/acme/fleet.git",
                true,
            ),
            (
                "https://git.example/*",
                "https://git.example.evil/fleet.git",
                false,
            ),
            (
                "https://git.example/acme/*",
                "https://git.example/acme/../evil.git",
                false,
            ),
            (
                "https://git.example/acme/*",
                "https://git.example/acme/%2e%2e/evil.git",
                false,
            ),
            (
                "https://*.example/acme/*",
                "https://git.example/acme/fleet.git",
                true,
            ),
            (
                "https://*.example/acme/*",
                "https://evil.test/.example/acme/fleet.git",
                false,
            ),
            ("file:///srv/git/*.git", "file:///srv/git/fleet.git", true),
            ("file:///srv/git/*.git", "file:///srv/git/fleet", false),
            ("file://*", "file:///srv/git/fleet.git", true),
            ("http://127.0.0.1:*", "http://127.0.0.1:3000/fleet.git", true),
            (
                "http://127.0.0.1:*",
                "http://127.0.0.1.evil.test/fleet.git",
                false,
            ),
            ("ssh://*", "ssh://git@git.example/acme/fleet.git", true),
            ("ssh://*", "git@git.example:acme/fleet.git", true),
            ("ssh://git@git.example/*", "git@git.example:acme/fleet.git", true),
            ("git@git.example:acme/*", "git@git.example:acme/fleet.git", true),
            ("git@git.example:acme/*", "git@git.example:evil/fleet.git", false),
            ("git@git.example:acme/*", "git@evil.test:acme/fleet.git", false),
            (
                "ssh://git@git.example/srv/*",
                "git@git.example:/srv/fleet.git",
                true,
            ),
            (
                "ssh://git@git.example/srv/*",
                "git@git.example:srv/fleet.git",
                false,
            ),
            ("https://*", "git@git.example:acme/fleet.git", false),
            ("", "https://git.example/fleet.git", false),
        ] {
            let pattern: UrlPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(url), expected, "{pattern:?} and {url}");
        }
    }

    #[test]
    fn a_server_is_named_where_no_part_of_it_is_left_open() {
        for (pattern, url, expected) in [
            (
                "https://git.example/*",
                "https://git.example/acme/fleet.git",
                true,
            ),
            ("https://git.example", "https://git.example/acme/fleet.git", true),
            ("git@git.example:*", "git@git.example:acme/fleet.git", true),
            ("file:///srv/*", "file:///srv/fleet.git", true),
            ("https://git.example/*", "https://evil.test/acme/fleet.git", false),
            ("https://*", "https://git.example/acme/fleet.git", false),
            ("https://*.example/*", "https://git.example/acme/fleet.git", false),
            ("*", "https://git.example/acme/fleet.git", false),
        ] {
            let pattern: UrlPattern = pattern.parse().unwrap();
            assert_eq!(pattern.names_server_of(url), expected, "{pattern:?} and {url}");
        }
    }
}
