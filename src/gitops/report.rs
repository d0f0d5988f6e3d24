//! Tells a forge what came of a commit, beside the commit itself.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::fetcher::FetchError;
use super::secret::Access;
use crate::git::{self, Credentials, GitError};
use crate::resource::condition::{self, ConditionType, Reason};
use crate::resource::git_source::{Forge, GitSourceStatus};

/// Forges cut what is longer.
const DESCRIPTION: usize = 140;
/// How long a forge may take: nobody waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What came of a commit, in the words of forges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// The commit, by its whole hash.
    revision: String,
    /// `success`, `failure` or `pending`.
    state: &'static str,
    /// What is said of it.
    description: String,
}

/// Why a forge was not told.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    /// The url is none that a forge can be found by.
    #[error("the url names no repository of a forge by https, as https://git.example/acme/fleet.git does")]
    Url,
    /// The secret cannot be used.
    #[error(transparent)]
    Secret(#[from] FetchError),
    /// The secret holds no token.
    #[error("spec.secretRef names no token, by which the forge knows who tells it")]
    NoToken,
    /// The certificates of the secret cannot be used.
    #[error(transparent)]
    Certificates(#[from] GitError),
    /// It cannot be asked.
    #[error("the forge cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It does not want it.
    #[error("the forge answers {0}; the token must be allowed to write commit statuses")]
    Refused(StatusCode),
}

/// What there is to tell of a source whose status was `old` and is `new`; nothing when it is told already, or is about no
/// commit.
pub(super) fn news(old: &GitSourceStatus, new: &GitSourceStatus) -> Option<Report> {
    let report = report(new)?;
    let is_new = self::report(old)
        .is_none_or(|old| (old.revision, old.state) != (report.revision.clone(), report.state));
    is_new.then_some(report)
}

fn report(status: &GitSourceStatus) -> Option<Report> {
    let ready = condition::get(&status.conditions, ConditionType::Ready)?;
    let is = |reason: Reason| ready.reason == reason.to_string();
    let state = match () {
        () if is(Reason::RevisionApplied) => "success",
        () if is(Reason::ObjectsNotReady) => "pending",
        () if is(Reason::RevisionRefused) || is(Reason::PruneGuarded) => "failure",
        () => return None,
    };
    let first = status.message.lines().next().unwrap_or_default();
    Some(Report {
        revision: status.attempted_revision.clone()?,
        state,
        description: first.chars().take(DESCRIPTION).collect(),
    })
}

/// Where a forge is told of a commit.
fn address(forge: Forge, url: &str, revision: &str) -> Option<String> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (owner, name) = path.split_once('/')?;
    let is_plain = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && part.chars().all(plain) && part.chars().any(|c| c != '.')
    };
    if !is_plain(owner) || !is_plain(name) {
        return None;
    }
    let api = match forge {
        Forge::GitHub if host.eq_ignore_ascii_case("github.com") => "https://api.github.com".to_owned(),
        Forge::GitHub => format!("https://{host}/api/v3"),
        Forge::Gitea => format!("https://{host}/api/v1"),
    };
    Some(format!("{api}/repos/{owner}/{name}/statuses/{revision}"))
}

fn body(report: &Report, context: &str) -> Value {
    json!({"state": report.state, "description": report.description, "context": context})
}

/// Tells the forge of the repository at `url`; `context` is what tells several that speak of one commit apart.
///
/// # Errors
/// Why it was not told.
pub(super) async fn tell(
    forge: Forge,
    url: &str,
    context: &str,
    report: &Report,
    access: Access,
) -> Result<(), ReportError> {
    let address = address(forge, url, &report.revision).ok_or(ReportError::Url)?;
    let Some(Credentials::Token { token, .. }) = access.credentials else {
        return Err(ReportError::NoToken);
    };
    // An error only says that it was given before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Whoever redirects gets no token.
    let mut client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT);
    if let Some(pem) = access.ca {
        client = client.tls_certs_merge(git::certificates(&pem)?);
    }
    let client = client.build().map_err(ReportError::Unreachable)?;
    let request = client
        .post(address)
        .header("accept", "application/json")
        .header("user-agent", "whoosh")
        .header("authorization", format!("token {token}"))
        .json(&body(report, context));
    let answer = request.send().await;
    let answer = answer.map_err(|error| ReportError::Unreachable(error.without_url()))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(ReportError::Refused(status)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn status(reason: Reason, message: &str) -> GitSourceStatus {
        let mut status = GitSourceStatus {
            attempted_revision: Some("a".repeat(40)),
            message: message.to_owned(),
            ..GitSourceStatus::default()
        };
        let (type_, now) = (ConditionType::Ready, Timestamp::UNIX_EPOCH);
        condition::set(&mut status.conditions, type_, false, reason, message, 1, now);
        status
    }

    #[test]
    fn a_forge_is_told_once_of_what_came_of_a_commit() {
        let pending = status(Reason::ObjectsNotReady, "1 of 2");
        let refused = status(
            Reason::RevisionRefused,
            "main@aaaaaaa is not applied: a.yaml:3: no\na.yaml:4: no",
        );
        let told = news(&pending, &refused).unwrap();
        assert_eq!(
            (told.state, told.description.as_str()),
            ("failure", "main@aaaaaaa is not applied: a.yaml:3: no")
        );
        assert_eq!(news(&refused, &refused), None);
        assert_eq!(
            news(&pending, &status(Reason::ObjectsNotReady, "0 of 2")),
            None,
            "the same state"
        );
        assert_eq!(
            news(&refused, &status(Reason::FetchFailed, "x")),
            None,
            "of no commit"
        );
        let applied = status(Reason::RevisionApplied, &"x".repeat(200));
        let told = news(&GitSourceStatus::default(), &applied).unwrap();
        assert_eq!((told.state, told.description.len()), ("success", DESCRIPTION));
    }

    #[test]
    fn a_forge_is_found_by_the_url_of_the_repository() {
        for (forge, url, expected) in [
            (
                Forge::GitHub,
                "https://github.com/acme/fleet.git",
                Some("https://api.github.com/repos/acme/fleet/statuses/r"),
            ),
            (
                Forge::GitHub,
                "https://git.example/acme/fleet",
                Some("https://git.example/api/v3/repos/acme/fleet/statuses/r"),
            ),
            (
                Forge::Gitea,
                "https://git.example:3000/acme/fleet.git/",
                Some("https://git.example:3000/api/v1/repos/acme/fleet/statuses/r"),
            ),
            (Forge::Gitea, "http://git.example/acme/fleet.git", None),
            (Forge::Gitea, "https://git.example/acme/../fleet.git", None),
            (Forge::Gitea, "https://git.example/fleet.git", None),
            (Forge::Gitea, "https://git.example/acme/..", None),
            (Forge::Gitea, "git@git.example:acme/fleet.git", None),
        ] {
            assert_eq!(address(forge, url, "r").as_deref(), expected, "{url}");
        }
    }
}
