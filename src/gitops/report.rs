//! Tells forges what came of commits, beside the commits themselves: one after another, and again where that failed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::fetcher::FetchError;
use super::source::Source;
use super::{Fetcher, Term, tell};
use crate::git::{self, Credentials, GitError};
use crate::queue::{Backoff, Next, Queue};
use crate::resource::Key;
use crate::resource::condition::{self, ConditionType, Reason};
use crate::resource::event::EventType;
use crate::resource::git_source::{ApplicationResult, Forge, GitSourceStatus};
use crate::resource::repository::RepositoryUrl;
use crate::telemetry::Chain;

/// Forges cut what is longer.
const DESCRIPTION: usize = 140;
/// How long a forge may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a forge is told something before it is given up.
const TRIES: u32 = 6;
/// How long the first wait between two tries is; each is twice as long as the one before.
const BETWEEN: Duration = Duration::from_secs(1);
/// How many commits of a source may wait to be told of.
const WAITING: usize = 16;
/// Forges that are told at once.
const WORKERS: usize = 4;

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

impl ReportError {
    /// Whether it may work the next time, without anybody's help.
    fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Secret(error) => error.is_transient(),
            Self::Url | Self::NoToken | Self::Certificates(_) => false,
        }
    }
}

/// What forges are to be told in one term of the leader, and the clients that tell them.
#[derive(Debug)]
pub(super) struct Reports {
    queue: Queue<Key>,
    sources: Mutex<BTreeMap<Key, Pending>>,
    /// By the certificates that are believed besides those that the machine trusts.
    clients: Mutex<BTreeMap<Option<String>, Client>>,
}

/// What is to be told of the commits of a source, the oldest first.
#[derive(Debug, Default)]
struct Pending {
    waiting: VecDeque<(Source, Forge, Report)>,
    newest: Option<Report>,
    failures: u32,
}

impl Pending {
    /// Takes in how a commit stands; `false` if that is no news. Of each commit, what came of it last alone counts.
    fn offer(&mut self, source: &Source, forge: Forge, report: Report) -> bool {
        let said = |report: &Report| (report.revision.clone(), report.state);
        if self.newest.as_ref().map(said) == Some(said(&report)) {
            return false;
        }
        self.newest = Some(report.clone());
        self.waiting
            .retain(|(_, _, other)| other.revision != report.revision);
        self.waiting.push_back((source.clone(), forge, report));
        if self.waiting.len() > WAITING {
            self.waiting.pop_front();
        }
        true
    }

    /// Goes on after something was told, or given up. It may be replaced by now.
    fn done(&mut self, report: &Report) {
        self.failures = 0;
        self.waiting.retain(|(_, _, other)| other != report);
    }

    /// Counts a failure, and returns whether to try again.
    fn failed(&mut self) -> bool {
        self.failures += 1;
        self.failures < TRIES
    }
}

impl Default for Reports {
    fn default() -> Self {
        let backoff = Backoff {
            base: BETWEEN,
            ..Backoff::default()
        };
        Self {
            queue: Queue::new(backoff),
            sources: Mutex::default(),
            clients: Mutex::default(),
        }
    }
}

impl Reports {
    /// Has the forge of a source told how its commit stands, if it is not told yet in this term.
    pub(super) fn offer(&self, source: &Source, status: &GitSourceStatus) {
        if let (Some(wanted), Some(report)) = (&source.spec.commit_status, report(status)) {
            let key = source.object.key();
            let mut sources = self.sources();
            if sources
                .entry(key.clone())
                .or_default()
                .offer(source, wanted.forge, report)
            {
                self.queue.add(key);
            }
        }
    }

    /// Forgets a source that is gone.
    pub(super) fn forget(&self, source: &Key) {
        self.sources().remove(source);
    }

    /// Tells forges as long as the term goes on.
    pub(super) async fn run(&self, term: &Term) {
        self.queue.run(WORKERS, |key| self.tell_next(term, key)).await;
    }

    /// Tells a forge the oldest of what it was not told of a source.
    async fn tell_next(&self, term: &Term, key: Key) -> Next {
        let first = |pending: &Pending| pending.waiting.front().cloned();
        let Some((source, forge, report)) = self.sources().get(&key).and_then(first) else {
            return Next::Never;
        };
        let told = self.tell(&term.fetcher, &source, forge, &report).await;
        let mut given_up = None;
        if let Some(pending) = self.sources().get_mut(&key) {
            match told {
                Err(error) if error.is_transient() && pending.failed() => {
                    tracing::debug!(source = %key, error = %Chain(&error), "a forge is told again");
                    return Next::Backoff;
                }
                told => {
                    pending.done(&report);
                    given_up = told.err();
                }
            }
        }
        if let Some(error) = given_up {
            let message = format!(
                "the forge cannot be told what came of a commit: {}",
                Chain(&error)
            );
            tracing::warn!(source = %key, "{message}");
            term.tell(tell::about(
                &source,
                EventType::Warning,
                "CommitStatusFailed",
                message,
            ))
            .await;
        }
        Next::After(Duration::ZERO)
    }

    async fn tell(
        &self,
        fetcher: &Fetcher,
        source: &Source,
        forge: Forge,
        report: &Report,
    ) -> Result<(), ReportError> {
        let access = fetcher.access(source).await?;
        let address = address(forge, &source.spec.url, &report.revision).ok_or(ReportError::Url)?;
        let Some(Credentials::Token { token, .. }) = access.credentials else {
            return Err(ReportError::NoToken);
        };
        // What tells several sources that speak of one commit apart.
        let context = format!("whoosh/{}/{}", source.object.namespace(), source.object.name());
        let request = self
            .client(access.ca)?
            .post(address)
            .header("accept", "application/json")
            .header("user-agent", "whoosh")
            .header("authorization", format!("token {token}"))
            .json(&body(report, &context));
        let answer = request.send().await;
        let answer = answer.map_err(|error| ReportError::Unreachable(error.without_url()))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(ReportError::Refused(status)),
        }
    }

    fn client(&self, ca: Option<String>) -> Result<Client, ReportError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&ca) {
            return Ok(client.clone());
        }
        // An error only says that it was given before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Whoever redirects gets no token.
        let mut client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT);
        if let Some(pem) = &ca {
            client = client.tls_certs_merge(git::certificates(pem)?);
        }
        let client = client.build().map_err(ReportError::Unreachable)?;
        clients.insert(ca, client.clone());
        Ok(client)
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<Key, Pending>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is to tell of a commit; nothing where the status is about none.
fn report(status: &GitSourceStatus) -> Option<Report> {
    let ready = condition::get(&status.conditions, ConditionType::Ready)?;
    let is = |reason: Reason| ready.reason == reason.to_string();
    let state = match () {
        () if is(Reason::RevisionApplied) => "success",
        () if is(Reason::ObjectsNotReady) => "pending",
        () if is(Reason::RevisionRefused) || is(Reason::PruneGuarded) => "failure",
        // It may be what the server tells of all that it has, and not of this commit.
        () if (is(Reason::ContentRefused) || is(Reason::SignatureRefused)) && is_refused(status) => "failure",
        () => return None,
    };
    let first = status.message.lines().next().unwrap_or_default();
    Some(Report {
        revision: status.attempted_revision.clone()?,
        state,
        description: first.chars().take(DESCRIPTION).collect(),
    })
}

/// Whether the commit that was tried last is the one that was refused last.
fn is_refused(status: &GitSourceStatus) -> bool {
    status.history.first().is_some_and(|last| {
        let is_it = status.attempted_revision.as_ref() == Some(&last.revision);
        last.result == ApplicationResult::Refused && is_it && status.message.ends_with(&last.detail)
    })
}

/// Where a forge is told of a commit.
fn address(forge: Forge, url: &str, revision: &str) -> Option<String> {
    let url = RepositoryUrl::of(url);
    if url.scheme != "https" || url.user.is_some() {
        return None;
    }
    let (owner, name) = url.owner_and_name()?;
    let api = match (forge, url.host) {
        (Forge::GitHub, host) if host.eq_ignore_ascii_case("github.com") => {
            "https://api.github.com".to_owned()
        }
        (Forge::GitHub, host) => format!("https://{host}/api/v3"),
        (Forge::Gitea, host) => format!("https://{host}/api/v1"),
    };
    Some(format!("{api}/repos/{owner}/{name}/statuses/{revision}"))
}

fn body(report: &Report, context: &str) -> Value {
    json!({"state": report.state, "description": report.description, "context": context})
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::resource::{Kind, Object};

    fn status(hash: &str, reason: Reason, message: &str) -> GitSourceStatus {
        let mut status = GitSourceStatus {
            attempted_revision: Some(hash.repeat(40)),
            message: message.to_owned(),
            ..GitSourceStatus::default()
        };
        let (type_, now) = (ConditionType::Ready, Timestamp::UNIX_EPOCH);
        condition::set(&mut status.conditions, type_, false, reason, message, 1, now);
        status
    }

    fn source() -> Source {
        let key = Key::new(Kind::GitSource, "default", "fleet");
        Source::read(Object::new(&key, json!({"url": "u"}))).unwrap()
    }

    #[test]
    fn what_came_of_a_commit_is_told_in_the_words_of_forges() {
        let told = |reason, message: &str| {
            let told = report(&status("a", reason, message));
            told.map(|told| (told.state, told.description))
        };
        let refused = "main@aaaaaaa is not applied: a.yaml:3: no\na.yaml:4: no";
        let first = "main@aaaaaaa is not applied: a.yaml:3: no".to_owned();
        assert_eq!(told(Reason::RevisionRefused, refused), Some(("failure", first)));
        assert_eq!(
            told(Reason::ObjectsNotReady, "1 of 2"),
            Some(("pending", "1 of 2".to_owned()))
        );
        assert_eq!(told(Reason::FetchFailed, "x"), None, "of no commit");
        let (state, description) = told(Reason::RevisionApplied, &"x".repeat(200)).unwrap();
        assert_eq!((state, description.len()), ("success", DESCRIPTION));
    }

    #[test]
    fn a_forge_is_told_in_order_and_the_newest_alone_of_each_commit() {
        let mut pending = Pending::default();
        let offer = |pending: &mut Pending, hash: &str, reason| {
            let report = report(&status(hash, reason, "x")).unwrap();
            pending.offer(&source(), Forge::Gitea, report)
        };
        let waiting = |pending: &Pending| {
            let waiting = pending.waiting.iter();
            let told = waiting.map(|(_, _, report)| format!("{}{}", &report.revision[..1], report.state));
            told.collect::<Vec<String>>().join(" ")
        };
        assert!(offer(&mut pending, "a", Reason::ObjectsNotReady));
        assert!(!offer(&mut pending, "a", Reason::ObjectsNotReady), "the same");
        let first = pending.waiting[0].2.clone();
        assert!(offer(&mut pending, "a", Reason::RevisionApplied));
        assert!(offer(&mut pending, "b", Reason::RevisionRefused));
        assert_eq!(waiting(&pending), "asuccess bfailure");
        pending.done(&first);
        assert_eq!(
            waiting(&pending),
            "asuccess bfailure",
            "what was told is not the newest"
        );
        assert!((1..TRIES).all(|_| pending.failed()));
        assert!(!pending.failed(), "too often");
        let second = pending.waiting[0].2.clone();
        pending.done(&second);
        assert_eq!((waiting(&pending).as_str(), pending.failures), ("bfailure", 0));
        for hash in ["c", "d"].iter().cycle().take(2 * WAITING) {
            offer(&mut pending, hash, Reason::RevisionApplied);
        }
        assert_eq!(waiting(&pending), "bfailure csuccess dsuccess");
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
