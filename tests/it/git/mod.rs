//! Git repositories of real servers, read by the real worker.

mod cache;
mod following;
mod limits;
mod refusals;
mod servers;
mod signatures;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use whoosh::git::{Answer, Ask, GitError, Limits, Reference, Request, Snapshot, fetch};

use crate::harness::git::repository::Repository;

const IN_TIME: Duration = Duration::from_secs(60);

/// A repository, and a place for caches.
struct Scene {
    folder: TempDir,
    repository: Repository,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::new(folder.path().join("repository.git"));
        Self { folder, repository }
    }

    /// One with a commit on `main`.
    fn with(files: &[(&str, &str)]) -> Self {
        let scene = Self::new();
        scene.repository.push("main", files);
        scene
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn cache(&self) -> PathBuf {
        self.root().join("cache")
    }

    /// A request for all of the first branch, by the folder itself.
    fn request(&self) -> Request {
        self.request_of(&format!("file://{}", self.repository.folder().display()))
    }

    fn request_of(&self, url: &str) -> Request {
        Request {
            url: url.to_owned(),
            reference: Reference::Head,
            paths: Vec::new(),
            ignore: Vec::new(),
            cache: self.cache(),
            ask: Ask::Repository { known: None },
            limits: Limits::default(),
            credentials: None,
            ca: None,
            verify: None,
        }
    }
}

async fn ask(request: &Request) -> Result<Answer, GitError> {
    fetch(Path::new(env!("CARGO_BIN_EXE_whoosh")), request, IN_TIME).await
}

async fn snapshot(request: &Request) -> Snapshot {
    match ask(request).await {
        Ok(Answer::Fetched(snapshot)) => snapshot,
        other => panic!("{:?}: {other:?}", request.url),
    }
}

async fn refusal(request: &Request) -> GitError {
    match ask(request).await {
        Ok(Answer::Refused(refusal)) => refusal.error,
        Ok(Answer::Fetched(mut snapshot)) if !snapshot.missing.is_empty() => snapshot.missing.remove(0),
        answer => answer.expect_err("it is refused"),
    }
}

/// The files as pairs of path and text.
fn files(snapshot: &Snapshot) -> Vec<(&str, &str)> {
    let pairs = snapshot.files.iter();
    pairs
        .map(|file| (file.path.as_str(), file.content.as_str()))
        .collect()
}

/// Bytes that do not get smaller when they are packed.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}
