//! Reading objects: a commit and what it says of itself.

use gix_hash::ObjectId;
use gix_object::{CommitRef, Find, Kind, TagRef};
use gix_odb as odb;
use jiff::Timestamp;

use super::error::{GitError, quoted};

/// Tags of tags are rare, and circles of them impossible but in a damaged answer.
const TAGS_MAX: usize = 8;

/// Why something was not read.
#[derive(Debug)]
pub(super) enum Reading {
    /// It is there, and must not be read.
    Refused(GitError),
    /// It is not there, or makes no sense: these objects are damaged.
    Broken(String),
}

impl From<GitError> for Reading {
    fn from(error: GitError) -> Self {
        Self::Refused(error)
    }
}

/// A commit, without its files.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) id: ObjectId,
    pub(super) tree: ObjectId,
    pub(super) author: String,
    pub(super) time: String,
    pub(super) message: String,
}

/// An object's kind and content.
pub(super) fn object(objects: &odb::Handle, id: ObjectId) -> Result<Option<(Kind, Vec<u8>)>, Reading> {
    let mut buffer = Vec::new();
    let found = objects
        .try_find(&id, &mut buffer)
        .map_err(|error| Reading::Broken(super::trouble::chain(&error)))?
        .map(|data| data.kind);
    Ok(found.map(|kind| (kind, buffer)))
}

/// The commit at `id`, or at what it is a tag of.
pub(super) fn commit(objects: &odb::Handle, mut id: ObjectId) -> Result<Commit, Reading> {
    for _ in 0..TAGS_MAX {
        let Some((kind, data)) = object(objects, id)? else {
            return Err(Reading::Broken(format!("{id} is missing")));
        };
        match kind {
            Kind::Commit => return describe(id, &data),
            Kind::Tag => {
                let tag = TagRef::from_bytes(&data, gix_hash::Kind::Sha1).map_err(|_| nonsense(id))?;
                id = tag.target();
            }
            Kind::Tree | Kind::Blob => break,
        }
    }
    Err(Reading::Refused(GitError::NoReference {
        reference: format!("commit there: {id} is something else"),
        near: Vec::new(),
    }))
}

fn describe(id: ObjectId, data: &[u8]) -> Result<Commit, Reading> {
    let commit = CommitRef::from_bytes(data, gix_hash::Kind::Sha1).map_err(|_| nonsense(id))?;
    let author = commit
        .author()
        .map(|author| format!("{} <{}>", author.name, author.email));
    let seconds = commit.time().map(|time| time.seconds).unwrap_or_default();
    Ok(Commit {
        id,
        tree: commit.tree(),
        author: quoted(&author.unwrap_or_default()),
        time: Timestamp::from_second(seconds).unwrap_or_default().to_string(),
        message: quoted(&commit.message().summary().to_string()),
    })
}

pub(super) fn nonsense(id: ObjectId) -> Reading {
    Reading::Broken(format!("{id} makes no sense"))
}
