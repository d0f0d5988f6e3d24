//! Which repositories the operator may fetch, and how it does.

use std::path::PathBuf;
use std::time::Duration;

use super::source::Source;
use crate::files::Folder;
use crate::git::{
    self, Access, Answer, Ask, GitError, Known, Limits, Reference, Request, Secret, SecretError,
};
use crate::resource::condition::Reason;
use crate::resource::git_source::{GitReference, SecretRef};
use crate::resource::repository::UrlPattern;
use crate::resource::variables::Variables;

/// How long a commit may take that is read again: no server is asked for it.
const AGAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of all manifests of a commit: they are read by one process for everybody.
const MANIFESTS_MAX: u64 = 4 << 20;

/// Fetches repositories, each in a process of its own.
#[derive(Clone, Debug)]
pub struct Fetcher {
    /// The program whose `git-worker` does it: this one.
    pub program: PathBuf,
    /// Where fetched objects are kept.
    pub cache: PathBuf,
    /// The repositories that may be fetched; none are allowed by an empty list.
    pub allowed: Vec<UrlPattern>,
    /// The folder of the secrets that sources name, `<namespace>/<name>/<file>`, if there is one.
    pub secrets: Option<Folder>,
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The operator may not fetch it.
    #[error("this operator may not fetch {url}: it fetches {allowed} (`whoosh operator --git-allow`)")]
    NotAllowed {
        /// The repository.
        url: String,
        /// What may be fetched.
        allowed: String,
    },
    /// The operator was started without a folder for secrets.
    #[error("the source names a secret, and this operator reads none: start it with `--git-secrets`")]
    NoSecrets,
    /// The secret that it names cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It was tried.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl FetchError {
    /// Whether it may work the next time, without anybody's help.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::NotAllowed { .. } | Self::NoSecrets => false,
            Self::Secret(error) => error.is_transient(),
            Self::Git(error) => error.is_transient(),
        }
    }

    /// One word for machines.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::NoSecrets => Reason::SecretNotFound,
            Self::Secret(error) if error.is_missing() => Reason::SecretNotFound,
            Self::Secret(_) | Self::Git(GitError::Credentials { .. }) => Reason::SecretInvalid,
            Self::Git(error) if error.is_transient() => Reason::FetchFailed,
            Self::Git(GitError::Unsafe { .. } | GitError::TooLarge { .. }) => Reason::ContentRefused,
            Self::Git(GitError::Unverified { .. }) => Reason::SignatureRefused,
            Self::Git(_) | Self::NotAllowed { .. } => Reason::FetchRefused,
        }
    }
}

impl Fetcher {
    /// What a source's repository holds now; nothing more than that it is the commit `known`, when it is.
    ///
    /// # Errors
    /// When it may not be fetched, its secret cannot be used, or it cannot be fetched.
    pub(super) async fn fetch(&self, source: &Source, known: Option<Known>) -> Result<Answer, FetchError> {
        let Access { credentials, ca } = self.access(source).await?;
        let request = Request {
            ask: Ask::Repository { known },
            credentials,
            ca,
            ..self.request(source)
        };
        Ok(git::fetch(&self.program, &request, source.timeout()).await?)
    }

    /// A commit that was fetched before, as it was then: its repository is not asked.
    ///
    /// # Errors
    /// When it may not be fetched any more, or is not there any more.
    pub(super) async fn again(&self, source: &Source, known: Known) -> Result<Answer, FetchError> {
        self.check_allowed(&source.spec.url)?;
        let request = Request {
            ask: Ask::Cache(known),
            ..self.request(source)
        };
        Ok(git::fetch(&self.program, &request, AGAIN_TIMEOUT).await?)
    }

    /// What a source wants of its repository, by nobody in particular.
    fn request(&self, source: &Source) -> Request {
        Request {
            url: source.spec.url.clone(),
            reference: reference(source.spec.reference.as_ref()),
            paths: source.paths(),
            ignore: source.spec.ignore.clone(),
            cache: self.cache.clone(),
            ask: Ask::Repository { known: None },
            limits: Limits {
                total: MANIFESTS_MAX,
                ..Limits::default()
            },
            credentials: None,
            ca: None,
            verify: source.spec.verify.clone(),
        }
    }

    fn check_allowed(&self, url: &str) -> Result<(), FetchError> {
        if self.allowed.iter().any(|pattern| pattern.matches(url)) {
            return Ok(());
        }
        let allowed: Vec<&str> = self.allowed.iter().map(UrlPattern::as_str).collect();
        Err(FetchError::NotAllowed {
            url: url.to_owned(),
            allowed: match allowed.as_slice() {
                [] => "nothing".to_owned(),
                allowed => allowed.join(", "),
            },
        })
    }

    /// The variables of a source that stand in a secret, as they are now.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(super) async fn variables(&self, source: &Source) -> Result<Option<Variables>, FetchError> {
        let Some(named) = &source.spec.substitute_from else {
            return Ok(None);
        };
        let secret = self.secret(source, named)?;
        Ok(Some(secret.variables().await?))
    }

    /// How a source's repository is asked, by the secret as it is now; not at all, where it is not allowed.
    pub(super) async fn access(&self, source: &Source) -> Result<Access, FetchError> {
        self.check_allowed(&source.spec.url)?;
        let way = git::way(&source.spec.url)?;
        match &source.spec.secret_ref {
            Some(named) => Ok(self.secret(source, named)?.access(way).await?),
            None => Ok(Access::default()),
        }
    }

    fn secret(&self, source: &Source, named: &SecretRef) -> Result<Secret, FetchError> {
        let folder = self.secrets.as_ref().ok_or(FetchError::NoSecrets)?;
        Ok(Secret::below(folder, &[source.object.namespace(), &named.name]))
    }

    /// Forgets what was fetched of other repositories.
    pub(super) fn keep_only(&self, urls: &[String]) {
        if let Err(error) = git::sweep(&self.cache, urls.iter().map(String::as_str)) {
            tracing::warn!(folder = %self.cache.display(), %error, "cannot remove what was fetched and is not needed");
        }
    }
}

fn reference(said: Option<&GitReference>) -> Reference {
    let GitReference {
        branch,
        tag,
        semver,
        commit,
    } = said.cloned().unwrap_or_default();
    branch
        .map(Reference::Branch)
        .or(tag.map(Reference::Tag))
        .or(semver.map(Reference::SemVer))
        .or(commit.map(Reference::Commit))
        .unwrap_or(Reference::Head)
}
