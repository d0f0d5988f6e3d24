//! A bare repository, written by the `git` program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A bare repository in a folder of somebody else's.
pub(crate) struct Repository {
    folder: PathBuf,
}

/// What a commit holds at a path.
pub(crate) enum Entry<'a> {
    File(&'a [u8]),
    Link(&'a str),
    /// A submodule at a commit.
    Submodule(&'a str),
}

impl Repository {
    /// An empty one at `folder`, whose first branch will be `main`.
    pub(crate) fn new(folder: PathBuf) -> Self {
        let repository = Self { folder };
        let folder = repository.folder.to_str().unwrap();
        git(
            Path::new("/"),
            &["init", "-q", "--bare", "-b", "main", folder],
            b"",
        );
        repository
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Commits files to a branch, on top of what it has; returns the hash.
    pub(crate) fn push(&self, branch: &str, files: &[(&str, &str)]) -> String {
        let entries: Vec<(&str, Entry<'_>)> = files
            .iter()
            .map(|(path, text)| (*path, Entry::File(text.as_bytes())))
            .collect();
        self.commit(branch, true, &entries)
    }

    /// Commits entries to a branch, on top of what it has or as a history of its own; returns the hash.
    pub(crate) fn commit(&self, branch: &str, goes_on: bool, entries: &[(&str, Entry<'_>)]) -> String {
        let reference = format!("refs/heads/{branch}");
        let mut stream = Vec::new();
        let message = format!("Change {}\n\nAnd more of it.\n", entries.len());
        write!(
            stream,
            "commit {reference}\nauthor Ann <ann@example.com> 1700000000 +0100\n\
             committer Bob <bob@example.com> 1700000000 +0100\ndata {}\n{message}\n",
            message.len()
        )
        .unwrap();
        if goes_on && self.has(&reference) {
            writeln!(stream, "from {reference}^0").unwrap();
        }
        for (path, entry) in entries {
            match entry {
                Entry::File(content) => data(&mut stream, "100644", path, content),
                Entry::Link(target) => data(&mut stream, "120000", path, target.as_bytes()),
                Entry::Submodule(commit) => writeln!(stream, "M 160000 {commit} {path}").unwrap(),
            }
        }
        self.git(&["fast-import", "--quiet", "--force"], &stream);
        self.git(&["rev-parse", &reference], b"")
    }

    /// Commits a folder that holds `content` by a name that `git` itself would not write.
    pub(crate) fn commit_name(&self, name: &[u8], mode: &str, content: &[u8]) -> String {
        let blob = self.git(&["hash-object", "-w", "--stdin"], content);
        let mut tree = Vec::new();
        for name in [name, &b"z.yaml"[..]] {
            write!(tree, "{mode} ").unwrap();
            tree.extend_from_slice(name);
            tree.push(0);
            tree.extend(
                (0..40)
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap()),
            );
        }
        let tree = self.git(
            &["hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
            &tree,
        );
        let commit = self.git(&["commit-tree", &tree, "-m", "odd"], b"");
        self.git(&["update-ref", "refs/heads/main", &commit], b"");
        commit
    }

    fn has(&self, reference: &str) -> bool {
        !self.git(&["for-each-ref", reference], b"").is_empty()
    }

    /// Runs `git` in the repository; returns its output without the last line's end.
    pub(crate) fn git(&self, words: &[&str], input: &[u8]) -> String {
        git(&self.folder, words, input)
    }
}

fn data(stream: &mut Vec<u8>, mode: &str, path: &str, content: &[u8]) {
    write!(stream, "M {mode} inline {path}\ndata {}\n", content.len()).unwrap();
    stream.extend_from_slice(content);
    stream.push(b'\n');
}

/// A program of Git's own, like `git-daemon`, without anybody's configuration.
pub(super) fn command(program: &str) -> Command {
    let folder = Command::new("git").arg("--exec-path").output().unwrap().stdout;
    let folder = String::from_utf8(folder).unwrap();
    let mut command = Command::new(Path::new(folder.trim_end()).join(program));
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Ann"),
        ("GIT_AUTHOR_EMAIL", "ann@example.com"),
        ("GIT_COMMITTER_NAME", "Bob"),
        ("GIT_COMMITTER_EMAIL", "bob@example.com"),
    ] {
        command.env(name, value);
    }
    command
}

fn git(folder: &Path, words: &[&str], input: &[u8]) -> String {
    let mut child = command("git")
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {words:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
