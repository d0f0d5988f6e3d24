//! The files of a commit below a path. Objects alone are read, and nothing is followed: no link, no submodule.

use std::collections::BTreeMap;

use gix_hash::ObjectId;
use gix_object::tree::EntryKind;
use gix_object::{Kind, TreeRefIter};
use gix_odb::{self as odb, Header};

use super::File;
use super::error::{GitError, quoted};
use super::history::{Reading, nonsense, object};
use super::ignore::Ignore;
use super::limits::{Limits, bytes};
use super::names;

/// Where and what to read.
pub(super) struct Walk<'a> {
    pub(super) objects: &'a odb::Handle,
    pub(super) ignore: &'a Ignore,
    pub(super) limits: &'a Limits,
    /// Whether the server left out files that are larger than those that are read.
    pub(super) is_filtered: bool,
    /// What the commit is called in errors.
    pub(super) reference: &'a str,
}

/// What is below the paths.
pub(super) struct Found {
    pub(super) files: Vec<File>,
    /// Why paths are not there.
    pub(super) missing: Vec<GitError>,
}

/// Something in a folder.
struct Entry {
    path: String,
    is_read: bool,
    kind: EntryKind,
    id: ObjectId,
}

/// Folders by name, and why others are not there.
type Starts = (BTreeMap<String, ObjectId>, Vec<GitError>);

impl Walk<'_> {
    /// The files below the folders `paths` of the tree `root`, or all of them, in the order of their paths.
    ///
    /// # Errors
    /// If a folder holds what is not read, or all of them more than the limits allow.
    pub(super) fn files(&self, root: ObjectId, paths: &[String]) -> Result<Found, Reading> {
        let (starts, missing) = self.starts(root, paths)?;
        let mut folders: Vec<_> = starts
            .into_iter()
            .map(|(folder, tree)| (folder, tree, 0))
            .collect();
        let mut entries = 0;
        let mut total = 0;
        let mut found = Vec::new();
        while let Some((folder, tree, depth)) = folders.pop() {
            if depth > self.limits.depth {
                let limit = format!("{} folders within folders", self.limits.depth);
                return Err(GitError::too_large(format!("the path of {folder:?}"), limit).into());
            }
            for entry in self.entries(tree, &folder, &mut entries)? {
                match entry.kind {
                    EntryKind::Tree => folders.push((entry.path, entry.id, depth + 1)),
                    EntryKind::Link => return Err(refused(entry.path, "is a symbolic link")),
                    EntryKind::Commit => return Err(refused(entry.path, "is a submodule")),
                    EntryKind::Blob | EntryKind::BlobExecutable if entry.is_read => {
                        if found.len() == self.limits.files {
                            let limit = format!("{} files", self.limits.files);
                            return Err(GitError::too_large("the path", limit).into());
                        }
                        found.push(self.file(entry, &mut total)?);
                    }
                    EntryKind::Blob | EntryKind::BlobExecutable => {}
                }
            }
        }
        found.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        match found.windows(2).find(|pair| pair[0].path == pair[1].path) {
            Some(pair) => Err(refused(pair[0].path.clone(), "is there twice")),
            None => Ok(Found {
                files: found,
                missing,
            }),
        }
    }

    /// Where reading starts: the folders of `paths` that are below no other of them; and why others are not there.
    fn starts(&self, root: ObjectId, paths: &[String]) -> Result<Starts, Reading> {
        if paths.is_empty() {
            return Ok((BTreeMap::from([(String::new(), root)]), Vec::new()));
        }
        let (mut starts, mut missing) = (BTreeMap::new(), Vec::new());
        for path in paths {
            match self.descend(root, path) {
                Ok(start) => starts.extend([start]),
                Err(Reading::Refused(error @ GitError::NoPath { .. })) => missing.push(error),
                Err(other) => return Err(other),
            }
        }
        let all: Vec<String> = starts.keys().cloned().collect();
        starts.retain(|folder, _| !all.iter().any(|other| names::is_below(folder, other)));
        Ok((starts, missing))
    }

    /// The folder that `path` names, and its name as paths of files have it.
    fn descend(&self, root: ObjectId, path: &str) -> Result<(String, ObjectId), Reading> {
        let mut tree = root;
        let mut folder = String::new();
        for name in names::folders(path)? {
            let here = names::join(&folder, name);
            let missing = |why: String| {
                Reading::Refused(GitError::NoPath {
                    path: path.to_owned(),
                    reference: self.reference.to_owned(),
                    why,
                })
            };
            let data = self.tree(tree)?;
            let mut entries = TreeRefIter::from_bytes(&data, gix_hash::Kind::Sha1);
            let entry = entries
                .find_map(|entry| match entry {
                    Ok(entry) if entry.filename == name => {
                        Some(Ok((entry.mode.kind(), entry.oid.to_owned())))
                    }
                    Ok(_) => None,
                    Err(_) => Some(Err(nonsense(tree))),
                })
                .transpose()?;
            match entry {
                Some((EntryKind::Tree, id)) => tree = id,
                Some((EntryKind::Link, _)) => return Err(refused(here, "is a symbolic link")),
                Some((EntryKind::Commit, _)) => return Err(refused(here, "is a submodule")),
                Some((EntryKind::Blob | EntryKind::BlobExecutable, _)) => {
                    return Err(missing(format!("{here:?} is a file, and a folder is needed")));
                }
                None => return Err(missing(format!("there is no {here:?}"))),
            }
            folder = here;
        }
        Ok((folder, tree))
    }

    /// What a folder holds that is not ignored; each of its names counts.
    fn entries(&self, id: ObjectId, folder: &str, count: &mut usize) -> Result<Vec<Entry>, Reading> {
        let data = self.tree(id)?;
        let mut found = Vec::new();
        for entry in TreeRefIter::from_bytes(&data, gix_hash::Kind::Sha1) {
            let entry = entry.map_err(|_| nonsense(id))?;
            *count += 1;
            if *count > self.limits.entries {
                let limit = format!("{} files and folders", self.limits.entries);
                return Err(GitError::too_large("the path", limit).into());
            }
            let kind = entry.mode.kind();
            let mut raw = folder.as_bytes().to_vec();
            if !folder.is_empty() {
                raw.push(b'/');
            }
            raw.extend_from_slice(entry.filename);
            // First: what is ignored may not have any name, either.
            let name = names::fault(entry.filename)
                .map_err(|why| refused(quoted(&String::from_utf8_lossy(&raw)), why))?;
            if self.ignore.covers(&raw, kind == EntryKind::Tree) {
                continue;
            }
            found.push(Entry {
                path: names::join(folder, name),
                is_read: names::is_read(name),
                kind,
                id: entry.oid.to_owned(),
            });
        }
        Ok(found)
    }

    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, Reading> {
        match object(self.objects, id)? {
            Some((Kind::Tree, data)) => Ok(data),
            Some(_) => Err(nonsense(id)),
            None => Err(Reading::Broken(format!("{id} is missing"))),
        }
    }

    /// The text of a file. Its size is looked at before it is unpacked.
    fn file(&self, entry: Entry, total: &mut u64) -> Result<File, Reading> {
        let too_large = |path: &str| {
            let limit = bytes(self.limits.file);
            Reading::Refused(GitError::too_large(format!("the file {path:?}"), limit))
        };
        let header = self
            .objects
            .try_header(&entry.id)
            .map_err(|error| Reading::Broken(super::trouble::chain(&error)))?;
        match header {
            Some(header) if header.size() > self.limits.file => return Err(too_large(&entry.path)),
            Some(header) => *total += header.size(),
            None if self.is_filtered => return Err(too_large(&entry.path)),
            None => return Err(Reading::Broken(format!("{} is missing", entry.id))),
        }
        if *total > self.limits.total {
            let limit = bytes(self.limits.total);
            return Err(
                GitError::too_large("what is read below the path", format!("{limit} together")).into(),
            );
        }
        match object(self.objects, entry.id)? {
            Some((Kind::Blob, data)) => match String::from_utf8(data) {
                Ok(content) => Ok(File {
                    path: entry.path,
                    content,
                }),
                Err(_) => Err(refused(entry.path, "is not UTF-8")),
            },
            Some(_) | None => Err(nonsense(entry.id)),
        }
    }
}

fn refused(place: String, why: &str) -> Reading {
    Reading::Refused(GitError::Unsafe {
        place,
        why: why.to_owned(),
    })
}
