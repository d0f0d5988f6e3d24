//! One fetch, as the worker does it.

use super::cache::{Cache, Tip};
use super::error::GitError;
use super::history::{self, Reading};
use super::ignore::Ignore;
use super::reference::Chosen;
use super::remote::Remote;
use super::tree::Walk;
use super::{Answer, Request, Snapshot, signature};

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

    let mut remote = Remote::open(request, &place)?;
    let chosen = remote.find(&request.reference)?;
    if request.known.as_deref() == Some(chosen.commit.to_string().as_str()) {
        remote.close();
        return Ok(Answer::Unchanged {
            revision: chosen.commit.to_string(),
        });
    }

    let cache = Cache::open(&request.cache, &request.url, &request.limits)?;
    let reader = Reader {
        request,
        ignore: &ignore,
        cache: &cache,
        chosen: &chosen,
    };
    let tips = cache.tips();
    if let Some(tip) = tips.iter().find(|tip| tip.commit == chosen.commit) {
        match reader.read(*tip) {
            Ok(snapshot) => {
                remote.close();
                return Ok(Answer::Fetched(snapshot));
            }
            Err(Reading::Refused(error)) => return Err(error),
            Err(Reading::Broken(_)) => cache.clear()?,
        }
    } else if !tips.is_empty() {
        match remote.receive(&chosen, &cache) {
            Ok(tip) => match reader.read(tip) {
                Ok(snapshot) => {
                    remote.close();
                    return Ok(Answer::Fetched(snapshot));
                }
                Err(Reading::Refused(error)) => return Err(error),
                Err(Reading::Broken(_)) => {}
            },
            // What is here may be damaged just as well as what came.
            Err(GitError::Damaged { .. } | GitError::Cache { .. }) => {}
            Err(error) => return Err(error),
        }
        cache.clear()?;
        remote = Remote::open(request, &place)?;
    }
    let tip = remote.receive(&chosen, &cache)?;
    remote.close();
    match reader.read(tip) {
        Ok(snapshot) => Ok(Answer::Fetched(snapshot)),
        Err(Reading::Refused(error)) => Err(error),
        Err(Reading::Broken(why)) => Err(GitError::Damaged { why }),
    }
}

/// Reads a commit that the cache has.
struct Reader<'a> {
    request: &'a Request,
    ignore: &'a Ignore,
    cache: &'a Cache,
    chosen: &'a Chosen,
}

impl Reader<'_> {
    fn read(&self, tip: Tip) -> Result<Snapshot, Reading> {
        let objects = self.cache.objects()?;
        let commit = history::commit(&objects, tip.commit)?;
        let verify = self.request.verify.as_ref();
        // Before anything of it is read.
        let signer = verify
            .map(|verify| signature::signer(&objects, self.chosen, verify, self.cache.folder()))
            .transpose()?;
        let walk = Walk {
            objects: &objects,
            ignore: self.ignore,
            limits: &self.request.limits,
            is_filtered: tip.is_filtered,
            reference: &self.chosen.name,
        };
        Ok(Snapshot {
            revision: commit.id.to_string(),
            reference: super::error::quoted(&self.chosen.name),
            author: commit.author,
            time: commit.time,
            message: commit.message,
            signer,
            files: walk.files(commit.tree, &self.request.paths)?,
        })
    }
}
