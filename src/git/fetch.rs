//! One fetch, as the worker does it.

use gix_odb as odb;

use super::cache::{Cache, Tip};
use super::error::{GitError, quoted};
use super::history::{self, Commit, Reading};
use super::ignore::Ignore;
use super::reference::Chosen;
use super::remote::Remote;
use super::tree::{Found, Walk};
use super::url::Place;
use super::{Answer, Ask, Known, Refusal, Request, Snapshot, signature};
use crate::resource::git_source::Signed;

/// Does what the request asks for.
///
/// # Errors
/// Why it cannot be done.
pub(super) fn run(request: &Request) -> Result<Answer, GitError> {
    super::check_reference(&request.reference)?;
    for path in &request.paths {
        super::check_path(path)?;
    }
    let ignore = Ignore::new(&request.ignore)?;
    let place = super::url::place(&request.url)?;

    let known = match &request.ask {
        Ask::Repository { known } => known.as_ref(),
        Ask::Cache(known) => return again(request, &ignore, known),
    };
    let mut remote = Remote::open(request, &place)?;
    let chosen = remote.find(&request.reference)?;
    // By another tag, the same commit is another version, which somebody else may have signed.
    let found = Known {
        revision: chosen.commit.to_string(),
        reference: quoted(&chosen.name),
    };
    if known == Some(&found) {
        remote.close();
        return Ok(Answer::Unchanged {
            revision: found.revision,
        });
    }

    let cache = Cache::open(&request.cache, &request.url, &request.limits)?;
    let reader = Reader {
        request,
        ignore: &ignore,
        cache: &cache,
        chosen: &chosen,
    };
    match reader.receive_and_read(remote, &place) {
        Err(error @ GitError::TooLarge { .. }) => Ok(reader.refused(None, error)),
        answer => answer,
    }
}

/// Reads a commit that was fetched before.
fn again(request: &Request, ignore: &Ignore, known: &Known) -> Result<Answer, GitError> {
    let gone = || GitError::Cache {
        why: format!("commit {} is not in it any more", known.revision),
    };
    let commit = super::reference::commit(&known.revision).ok_or_else(gone)?;
    let chosen = Chosen {
        name: known.reference.clone(),
        object: commit,
        commit,
    };
    let cache = Cache::open_soon(&request.cache, &request.url, &request.limits)?;
    let tip = cache.tips().into_iter().find(|tip| tip.commit == commit);
    let reader = Reader {
        request,
        ignore,
        cache: &cache,
        chosen: &chosen,
    };
    reader
        .read_whole(tip.ok_or_else(gone)?)?
        .map_err(|why| GitError::Cache { why })
}

/// Reads a commit, from the cache or, first, into it.
struct Reader<'a> {
    request: &'a Request,
    ignore: &'a Ignore,
    cache: &'a Cache,
    chosen: &'a Chosen,
}

impl<'a> Reader<'a> {
    fn receive_and_read(&self, mut remote: Remote<'a>, place: &Place) -> Result<Answer, GitError> {
        let Self {
            request,
            cache,
            chosen,
            ..
        } = self;
        let tips = cache.tips();
        let known = tips.iter().find(|tip| tip.commit == chosen.commit);
        if let Some(tip) = known.filter(|_| self.has_what_is_signed()) {
            if let Ok(answer) = self.read_whole(*tip)? {
                remote.close();
                return Ok(answer);
            }
            cache.clear()?;
        } else if !tips.is_empty() {
            let received = match remote.receive(chosen, cache) {
                Ok(tip) => Some(tip),
                // What is here may be damaged just as well as what came.
                Err(GitError::Damaged { .. } | GitError::Cache { .. }) => None,
                Err(error) => return Err(error),
            };
            if let Some(tip) = received
                && let Ok(answer) = self.read_whole(tip)?
            {
                remote.close();
                return Ok(answer);
            }
            cache.clear()?;
            remote = Remote::open(request, place)?;
        }
        let tip = remote.receive(chosen, cache)?;
        remote.close();
        self.read_whole(tip)?.map_err(|why| GitError::Damaged { why })
    }

    /// Whether the cache has what has to be signed, if that is a tag: a commit that it has may have got another one.
    fn has_what_is_signed(&self) -> bool {
        let verify = self.request.verify.as_ref();
        let is_tag = verify.is_some_and(|verify| verify.signed == Some(Signed::Tag));
        let has = |objects: odb::Handle| {
            history::object(&objects, self.chosen.object).is_ok_and(|tag| tag.is_some())
        };
        !is_tag || self.cache.objects().is_ok_and(has)
    }

    /// Reads a commit that the cache has; what is broken of it, inside, may be better in what is fetched anew.
    fn read_whole(&self, tip: Tip) -> Result<Result<Answer, String>, GitError> {
        match self.read(tip) {
            Ok(answer) => Ok(Ok(answer)),
            Err(Reading::Broken(why)) => Ok(Err(why)),
            Err(Reading::Refused(error)) => Err(error),
        }
    }

    /// Reads a commit that the cache has.
    fn read(&self, tip: Tip) -> Result<Answer, Reading> {
        let objects = self.cache.objects()?;
        let commit = history::commit(&objects, tip.commit)?;
        let verify = match &self.request.ask {
            Ask::Repository { .. } => self.request.verify.as_ref(),
            Ask::Cache(_) => None,
        };
        // Before anything of it is read.
        let signer = verify
            .map(|verify| signature::signer(&objects, self.chosen, verify, self.cache.folder()))
            .transpose();
        let signer = match signer {
            Err(Reading::Refused(error @ GitError::Unverified { .. })) => {
                return Ok(self.refused(None, error));
            }
            signer => signer?,
        };
        let walk = Walk {
            objects: &objects,
            ignore: self.ignore,
            limits: &self.request.limits,
            is_filtered: tip.is_filtered,
            reference: &self.chosen.name,
        };
        let Found { files, missing } = match walk.files(commit.tree, &self.request.paths) {
            Err(Reading::Refused(error)) => return Ok(self.refused(Some(commit), error)),
            found => found?,
        };
        Ok(Answer::Fetched(Snapshot {
            revision: commit.id.to_string(),
            reference: quoted(&self.chosen.name),
            author: commit.author,
            time: commit.time,
            message: commit.message,
            signer,
            files,
            missing,
        }))
    }

    /// The answer of a commit that must not be read, as far as that is to be believed.
    fn refused(&self, commit: Option<Commit>, error: GitError) -> Answer {
        let (author, message) = commit
            .map(|commit| (commit.author, commit.message))
            .unwrap_or_default();
        Answer::Refused(Refusal {
            revision: self.chosen.commit.to_string(),
            reference: quoted(&self.chosen.name),
            author,
            message,
            error,
        })
    }
}
