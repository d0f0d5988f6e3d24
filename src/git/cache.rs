//! Where received objects are kept from one fetch to the next: a folder a url, which any process may leave in any state.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use gix_hash::ObjectId;
use gix_odb as odb;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::error::GitError;
use super::limits::Limits;

const LOCK: &str = "lock";
const FORMAT: &str = "format";
const TIPS: &str = "tips";
const SHALLOW: &str = "shallow";
const OBJECTS: &str = "objects";
const PACK: &str = "pack";

/// More packs make every look slower; then the cache is made anew.
const PACKS_MAX: usize = 64;
/// How long whoever wants no server's answer waits for others to have theirs.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many commits a cache knows by name: sources of one url may follow as many references side by side.
const TIPS_MAX: usize = 16;

/// A cache that this process alone uses, until it is dropped or ends in whatever way.
pub(super) struct Cache {
    folder: PathBuf,
    format: String,
    object_max: u64,
    _lock: File,
}

/// A commit that the cache has in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) commit: ObjectId,
    /// Whether the server left out files that are larger than those that are read.
    pub(super) is_filtered: bool,
}

impl Cache {
    /// Opens the cache of a url, once nobody else uses it. What is damaged or too large in it is made anew.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub(super) fn open(root: &Path, url: &str, limits: &Limits) -> Result<Self, GitError> {
        Self::open_by(root, url, limits, |file| {
            flock(file, FlockOperation::LockExclusive)
        })
    }

    /// The same, but for who may be waiting for a server all the time: they are not waited for long.
    ///
    /// # Errors
    /// Also if somebody else uses it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the process that fetches has no executor, and nothing else to do"
    )]
    pub(super) fn open_soon(root: &Path, url: &str, limits: &Limits) -> Result<Self, GitError> {
        let until = Instant::now() + PATIENCE;
        Self::open_by(root, url, limits, |file| {
            loop {
                match flock(file, FlockOperation::NonBlockingLockExclusive) {
                    Err(Errno::WOULDBLOCK) if Instant::now() < until => thread::sleep(PATIENCE / 100),
                    locked => return locked,
                }
            }
        })
    }

    fn open_by(
        root: &Path,
        url: &str,
        limits: &Limits,
        take: impl Fn(&File) -> Result<(), Errno>,
    ) -> Result<Self, GitError> {
        let folder = folder_of(root, url);
        let opened = make_folder(&folder).and_then(|()| lock(&folder, take));
        let cache = Self {
            _lock: opened.map_err(|error| unusable(&folder, &error))?,
            // Another largest file is another filter, by which the server left out other files.
            format: format!("1 {}\n", limits.file),
            object_max: limits.object,
            folder,
        };
        if !cache.is_sound(limits.cache).unwrap_or(false) {
            cache.clear()?;
        }
        Ok(cache)
    }

    fn is_sound(&self, most: u64) -> io::Result<bool> {
        if fs::read_to_string(self.path(FORMAT))? != self.format {
            return Ok(false);
        }
        let known = [LOCK, FORMAT, TIPS, SHALLOW, OBJECTS];
        let mut size = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if known.iter().any(|name| entry.file_name() == *name) {
                size += entry.metadata()?.len();
            } else {
                remove(&entry.path())?;
            }
        }
        let mut names = HashSet::new();
        for entry in fs::read_dir(self.packs())? {
            let entry = entry?;
            match entry.file_name().to_str() {
                Some(name) if name.ends_with(".pack") || name.ends_with(".idx") => {
                    size += entry.metadata()?.len();
                    names.insert(name.to_owned());
                }
                _ => remove(&entry.path())?,
            }
        }
        let is_paired = names.iter().all(|name| {
            name.strip_suffix(".pack").map_or_else(
                || names.contains(&name.replace(".idx", ".pack")),
                |stem| names.contains(&format!("{stem}.idx")),
            )
        });
        Ok(is_paired && size <= most && names.len() <= 2 * PACKS_MAX && self.read_tips().is_some())
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub(super) fn clear(&self) -> Result<(), GitError> {
        let clear = || {
            for entry in fs::read_dir(&self.folder)? {
                let entry = entry?;
                if entry.file_name() != LOCK {
                    remove(&entry.path())?;
                }
            }
            make_folder(&self.packs())?;
            fs::write(self.path(TIPS), "")?;
            fs::write(self.path(FORMAT), &self.format)
        };
        clear().map_err(|error| unusable(&self.folder, &error))
    }

    /// What it has, as it is now.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(super) fn objects(&self) -> Result<odb::Handle, GitError> {
        let options = odb::store::init::Options {
            use_multi_pack_index: false,
            alloc_limit_bytes: usize::try_from(self.object_max).ok(),
            current_dir: Some(self.folder.clone()),
            ..Default::default()
        };
        odb::at_opts(self.path(OBJECTS), gix_hash::Kind::Sha1, None, options)
            .map_err(|error| unusable(&self.folder, &error))
    }

    /// The commits that it has in full, the latest first.
    pub(super) fn tips(&self) -> Vec<Tip> {
        self.read_tips().unwrap_or_default()
    }

    fn read_tips(&self) -> Option<Vec<Tip>> {
        let text = fs::read_to_string(self.path(TIPS)).ok()?;
        text.lines()
            .map(|line| {
                let (hash, how) = line.split_once(' ')?;
                Some(Tip {
                    commit: super::reference::commit(hash)?,
                    is_filtered: how == "filtered",
                })
            })
            .collect()
    }

    /// Notes that it has a commit in full.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub(super) fn remember(&self, tip: Tip) -> Result<(), GitError> {
        let older = self.tips().into_iter().filter(|other| other.commit != tip.commit);
        let text: String = std::iter::once(tip)
            .chain(older)
            .take(TIPS_MAX)
            .map(|tip| {
                format!(
                    "{} {}\n",
                    tip.commit,
                    if tip.is_filtered { "filtered" } else { "whole" }
                )
            })
            .collect();
        let next = self.path("tips.new");
        fs::write(&next, text)
            .and_then(|()| fs::rename(&next, self.path(TIPS)))
            .map_err(|error| unusable(&self.folder, &error))
    }

    /// All of it; what is not known in it is removed when it is opened again.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where packs are.
    pub(super) fn packs(&self) -> PathBuf {
        self.path(OBJECTS).join(PACK)
    }

    /// The file that names the commits without their parents.
    pub(super) fn shallow(&self) -> PathBuf {
        self.path(SHALLOW)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Removes the caches below `root` that belong to none of the urls and that nobody uses at the moment.
///
/// # Errors
/// If the folder cannot be read, or one in it not be removed.
pub fn sweep<'a>(root: &Path, urls: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let kept: HashSet<PathBuf> = urls.into_iter().map(|url| folder_of(root, url)).collect();
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let folder = entry?.path();
        let Ok(file) = File::open(folder.join(LOCK)) else {
            continue;
        };
        if !kept.contains(&folder) && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove(&folder)?;
        }
    }
    Ok(())
}

fn folder_of(root: &Path, url: &str) -> PathBuf {
    let hash = Sha256::digest(url.as_bytes());
    let name: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    root.join(name)
}

/// Waits for the lock of a folder that others may remove in the meantime. It ends with the process that holds it.
fn lock(folder: &Path, take: impl Fn(&File) -> Result<(), Errno>) -> io::Result<File> {
    loop {
        let path = folder.join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        take(&file)?;
        let held = file.metadata()?;
        match fs::metadata(&path) {
            Ok(there) if (there.dev(), there.ino()) == (held.dev(), held.ino()) => return Ok(file),
            _ => make_folder(folder)?,
        }
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

fn unusable(folder: &Path, error: &io::Error) -> GitError {
    GitError::Cache {
        why: format!("{}: {error}", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.com/a";

    fn tip(digit: &str) -> Tip {
        Tip {
            commit: super::super::reference::commit(&digit.repeat(40)).unwrap(),
            is_filtered: digit == "f",
        }
    }

    fn open(root: &Path) -> Cache {
        Cache::open(root, URL, &Limits::default()).unwrap()
    }

    #[test]
    fn tips_are_remembered_the_latest_first() {
        let root = tempfile::tempdir().unwrap();
        let cache = open(root.path());
        assert_eq!(cache.tips(), []);
        for digit in ["a", "f", "a"] {
            cache.remember(tip(digit)).unwrap();
        }
        drop(cache);
        assert_eq!(open(root.path()).tips(), [tip("a"), tip("f")]);
    }

    #[test]
    fn what_cannot_be_right_is_made_anew() {
        type Damage = fn(&Path);
        let damages: [Damage; 5] = [
            |folder| fs::write(folder.join(TIPS), "nonsense").unwrap(),
            |folder| fs::write(folder.join(FORMAT), "0\n").unwrap(),
            |folder| fs::remove_dir_all(folder.join(OBJECTS)).unwrap(),
            |folder| fs::write(folder.join("objects/pack/pack-1.pack"), "alone").unwrap(),
            |folder| {
                let large = File::create(folder.join("objects/pack/pack-1.pack")).unwrap();
                large.set_len(2 << 30).unwrap();
                fs::write(folder.join("objects/pack/pack-1.idx"), "").unwrap();
            },
        ];
        for damage in damages {
            let root = tempfile::tempdir().unwrap();
            open(root.path()).remember(tip("a")).unwrap();
            damage(&folder_of(root.path(), URL));
            let cache = open(root.path());
            assert_eq!(cache.tips(), []);
            assert_eq!(fs::read_dir(cache.packs()).unwrap().count(), 0);
        }
    }

    #[test]
    fn what_a_killed_process_leaves_goes_and_the_rest_stays() {
        let root = tempfile::tempdir().unwrap();
        open(root.path()).remember(tip("a")).unwrap();
        let folder = folder_of(root.path(), URL);
        let left = ["shallow.lock", "tips.new", "objects/pack/.tmpAbC123"].map(|name| folder.join(name));
        for path in &left {
            fs::write(path, "half").unwrap();
        }
        assert_eq!(open(root.path()).tips(), [tip("a")]);
        assert!(left.iter().all(|path| !path.exists()));
    }

    #[test]
    fn a_sweep_takes_what_nobody_names_or_uses() {
        let root = tempfile::tempdir().unwrap();
        let open = |url: &str| Cache::open(root.path(), url, &Limits::default()).unwrap();
        drop(open("https://example.com/kept"));
        drop(open("https://example.com/left"));
        let _used = open("https://example.com/used");
        sweep(root.path(), ["https://example.com/kept"]).unwrap();
        let there = |url: &str| folder_of(root.path(), url).exists();
        assert!(there("https://example.com/kept") && there("https://example.com/used"));
        assert!(!there("https://example.com/left"));
    }
}
