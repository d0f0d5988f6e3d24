//! Which urls are fetched from. Pure.

use std::net::IpAddr;

use gix_url::Scheme;

use super::error::GitError;

const LONGEST: usize = 2048;

/// A url that may be fetched from, by the way that leads there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// https, or http on this machine.
    Http(gix_url::Url),
    /// The ssh program's.
    Ssh(gix_url::Url),
    /// A server of Git's own kind, on this machine.
    Daemon(gix_url::Url),
    /// A folder of this machine.
    Folder(String),
}

/// By what a repository may ask who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By a name and a token or password.
    Http,
    /// By a key.
    Ssh,
    /// By nothing.
    Open,
}

/// By what the repository at a url may ask who is there.
///
/// # Errors
/// If it is none that is fetched from.
pub fn way(url: &str) -> Result<Way, GitError> {
    Ok(match place(url)? {
        Place::Http(_) => Way::Http,
        Place::Ssh(_) => Way::Ssh,
        Place::Daemon(_) | Place::Folder(_) => Way::Open,
    })
}

/// Checks a url before it is stored.
///
/// # Errors
/// If it is none that is fetched from.
pub fn check_url(url: &str) -> Result<(), GitError> {
    place(url).map(|_| ())
}

/// Where a url leads.
pub(super) fn place(url: &str) -> Result<Place, GitError> {
    judge(url).map_err(|why| GitError::Url { why: why.to_owned() })
}

fn judge(url: &str) -> Result<Place, &'static str> {
    if url.is_empty() || url.len() > LONGEST {
        return Err("it is empty or too long");
    }
    if url.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err("it has a space, a backslash or a control character");
    }
    let parsed = gix_url::parse(url).map_err(|_| "it cannot be understood")?;
    let host = parsed.host().unwrap_or_default().to_owned();
    if parsed.password().is_some() {
        return Err("it has a password in it; a secret is the place for that");
    }
    if host.starts_with('-') || parsed.user().is_some_and(|user| user.starts_with('-')) {
        return Err("its host or user begins with a dash");
    }
    match &parsed.scheme {
        Scheme::Https | Scheme::Http if url.contains(['?', '#']) => Err("it has a query or a fragment"),
        Scheme::Https | Scheme::Http | Scheme::Git if parsed.user().is_some() => {
            Err("it has a user's name in it; a secret is the place for that")
        }
        Scheme::Https | Scheme::Http | Scheme::Git | Scheme::Ssh if host.is_empty() => Err("it has no host"),
        Scheme::Https => Ok(Place::Http(parsed)),
        Scheme::Http if is_loopback(&host) => Ok(Place::Http(parsed)),
        Scheme::Git if is_loopback(&host) => Ok(Place::Daemon(parsed)),
        Scheme::Http | Scheme::Git => Err(
            "nobody can tell who answers at http:// and git://; use https:// or ssh:// for other machines",
        ),
        Scheme::Ssh => Ok(Place::Ssh(parsed)),
        Scheme::File => folder(url, &parsed),
        _ => Err("it is none of https://, ssh://, user@host:path and file:///"),
    }
}

fn folder(url: &str, parsed: &gix_url::Url) -> Result<Place, &'static str> {
    let path = std::str::from_utf8(&parsed.path).map_err(|_| "its path is not UTF-8")?;
    if !url.starts_with("file:///") || parsed.host().is_some() {
        return Err("a folder of this machine is written file:///path");
    }
    if path.split('/').any(|name| name == "..") {
        return Err("its path has `..` in it");
    }
    Ok(Place::Folder(path.to_owned()))
}

/// Whether a host is this machine itself.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::repository::RepositoryUrl;

    #[test]
    fn these_urls_are_fetched_from() {
        for url in [
            "https://example.com/a/b.git",
            "https://example.com:8443/a",
            "ssh://git@example.com:22/a/b",
            "git@example.com:a/b.git",
            "http://127.0.0.1:8080/a",
            "http://localhost/a",
            "http://[::1]:80/a",
            "git://127.0.0.1/a",
            "file:///srv/a.git",
        ] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_url_says_by_what_it_asks_who_is_there() {
        for (url, expected) in [
            ("https://example.com/a", Way::Http),
            ("http://localhost/a", Way::Http),
            ("ssh://git@example.com/a", Way::Ssh),
            ("git@example.com:a/b.git", Way::Ssh),
            ("git://127.0.0.1/a", Way::Open),
            ("file:///srv/a.git", Way::Open),
        ] {
            assert_eq!(way(url), Ok(expected), "{url}");
        }
    }

    /// What is allowed is what is fetched from: both readers of addresses find the same host.
    #[test]
    fn a_host_is_the_one_that_others_take_it_for() {
        for (url, host) in [
            ("https://git.example:8443/x", "git.example:8443"),
            ("ssh://git@git.example/x", "git.example"),
            ("ssh://git.example#@other.test/x", "other.test"),
            ("ssh://git.example?@other.test/x", "other.test"),
            ("ssh://a@git.example@other.test/x", "other.test"),
            ("git@git.example:22/x", "git.example"),
            ("git@git.example:x@other.test:y", "git.example"),
            ("a@git.example@other.test:x", "other.test"),
        ] {
            let found = gix_url::parse(url).unwrap();
            assert_eq!(found.host(), host.split(':').next(), "{url}");
            assert_eq!(RepositoryUrl::of(url).host, host, "{url}");
        }
    }

    #[test]
    fn these_urls_are_refused() {
        for (url, why) in [
            ("", "empty"),
            ("http://example.com/a", "use https://"),
            ("http://127.0.0.1.example.com/a", "use https://"),
            ("http://localhost.example.com/a", "use https://"),
            ("http://127.0.0.1@example.com/a", "user's name"),
            ("git://example.com/a", "use https://"),
            ("https://ann:s3cret@example.com/a", "a secret is"),
            ("https://s3cret@example.com/a", "a secret is"),
            ("ssh://git:s3cret@example.com/a", "a secret is"),
            ("https:///a", ""),
            ("https://example.com/a?b=c", "query"),
            ("https://example.com/a#b", "fragment"),
            ("https://example.com/a b", "space"),
            ("https://example.com/a\nb", "control"),
            ("ext::sh -c id", "space"),
            ("ext::id", "none of"),
            ("fd::17", "none of"),
            ("ftp://example.com/a", "none of"),
            ("ssh://-oProxyCommand=id/a", "dash"),
            ("ssh://-l@example.com/a", "dash"),
            ("-x@example.com:a", "dash"),
            ("/srv/a.git", "file:///"),
            ("../a", "file:///"),
            ("file://example.com/a", "file:///"),
            ("file:///srv/../etc", ".."),
        ] {
            let error = check_url(url).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
            assert!(!error.contains("s3cret"), "{url}: {error}");
        }
    }
}
