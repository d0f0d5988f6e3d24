//! Commits and tags that somebody has to have signed, by the real ssh-keygen and gpg.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use whoosh::git::{Reference, Request};
use whoosh::resource::git_source::{Signed, Verification};

use super::{Scene, files, refusal, snapshot};

fn run(program: &str, words: &[&str]) -> Output {
    let output = Command::new(program).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {said}");
    output
}

/// An SSH key of somebody's: its private half, and the line of the public one.
fn ssh_key(folder: &Path, name: &str) -> (PathBuf, String) {
    let private = folder.join(name);
    let path = private.to_str().unwrap();
    run(
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path],
    );
    let public = fs::read_to_string(private.with_extension("pub")).unwrap();
    (private, public.trim().to_owned())
}

/// A home of gpg with one key, whose agent ends with it.
struct Gpg(PathBuf);

impl Gpg {
    fn new(folder: &Path) -> Self {
        let home = folder.join("gpg");
        fs::create_dir(&home).unwrap();
        run("chmod", &["700", home.to_str().unwrap()]);
        let gpg = Self(home);
        let name = "Ann <ann@example.com>";
        gpg.run(&[
            "--passphrase",
            "",
            "--quick-gen-key",
            name,
            "ed25519",
            "sign",
            "never",
        ]);
        gpg
    }

    fn run(&self, words: &[&str]) -> Output {
        let home = self.0.to_str().unwrap();
        run(
            "gpg",
            &[&["--homedir", home, "--batch", "--quiet"], words].concat(),
        )
    }

    fn public(&self) -> String {
        String::from_utf8(self.run(&["--armor", "--export"]).stdout).unwrap()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let kill = ["--homedir", self.0.to_str().unwrap(), "--kill", "all"];
        let _ = Command::new("gpgconf").args(kill).status();
    }
}

/// The words that have `git` sign by SSH.
fn by_ssh(key: &Path) -> [String; 4] {
    let key = format!("user.signingkey={}", key.display());
    ["-c", "gpg.format=ssh", "-c", &key].map(str::to_owned)
}

/// Commits the files of `main` once more, signed as `how` says.
fn sign_commit(scene: &Scene, how: &[String], options: &[&str]) -> String {
    let tree = scene.repository.git(&["rev-parse", "main^{tree}"], b"");
    let mut words: Vec<&str> = how.iter().map(String::as_str).collect();
    words.extend(["commit-tree", &tree, "-m", "Signed"]);
    words.extend(options);
    let commit = scene.repository.git(&words, b"");
    scene
        .repository
        .git(&["update-ref", "refs/heads/main", &commit], b"");
    commit
}

fn request(scene: &Scene, signed: Signed, keys: &[&str]) -> Request {
    Request {
        verify: Some(Verification {
            signed: Some(signed),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        }),
        ..scene.request()
    }
}

#[tokio::test]
async fn a_commit_is_read_only_when_somebody_who_is_trusted_signed_it() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let (ann, ann_public) = ssh_key(scene.root(), "ann");
    let (_, bob_public) = ssh_key(scene.root(), "bob");
    let by = |keys: &[&str]| request(&scene, Signed::Commit, keys);
    let unsigned = refusal(&by(&[&ann_public])).await;
    assert_eq!(unsigned.reason(), "Unverified");
    assert!(
        unsigned.to_string().ends_with("is not trusted: it is not signed"),
        "{unsigned}"
    );

    let commit = sign_commit(&scene, &by_ssh(&ann), &["-S"]);
    let stranger = refusal(&by(&[&bob_public])).await.to_string();
    assert!(stranger.contains("which is none of spec.verify"), "{stranger}");
    let read = snapshot(&by(&[&bob_public, &ann_public])).await;
    assert_eq!(
        (read.revision.as_str(), files(&read)),
        (commit.as_str(), vec![("a.yaml", "1")])
    );
    let signer = read.signer.unwrap();
    assert!(signer.starts_with("ann (SHA256:"), "{signer}");

    // The signature of one commit on another.
    let raw = scene.repository.git(&["cat-file", "commit", "main"], b"");
    let forged = raw.replace("\n\nSigned", "\n\nForged");
    let forged = scene.repository.git(
        &["hash-object", "-w", "-t", "commit", "--stdin"],
        format!("{forged}\n").as_bytes(),
    );
    scene
        .repository
        .git(&["update-ref", "refs/heads/main", &forged], b"");
    let forged = refusal(&by(&[&ann_public])).await;
    assert_eq!(forged.reason(), "Unverified", "{forged}");
}

#[tokio::test]
async fn openpgp_signs_as_well() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let gpg = Gpg::new(scene.root());
    let (_, ssh) = ssh_key(scene.root(), "bob");
    let program = scene.root().join("gpg.sh");
    let script = format!("#!/bin/sh\nexec gpg --homedir {} \"$@\"\n", gpg.0.display());
    fs::write(&program, script).unwrap();
    run("chmod", &["700", program.to_str().unwrap()]);
    let how = ["-c".to_owned(), format!("gpg.program={}", program.display())];
    sign_commit(&scene, &how, &["-Sann@example.com"]);
    let public = gpg.public();
    let read = snapshot(&request(&scene, Signed::Commit, &[&ssh, &public])).await;
    let signer = read.signer.unwrap();
    assert!(signer.starts_with("Ann <ann@example.com> ("), "{signer}");
    let stranger = refusal(&request(&scene, Signed::Commit, &[&ssh])).await;
    assert_eq!(stranger.reason(), "Unverified", "{stranger}");
    let left: Vec<_> = walk(&scene.cache(), "keys");
    assert!(left.is_empty(), "{left:?}");
}

/// What is called so below a folder.
fn walk(folder: &Path, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| match path.is_dir() && path.file_name().unwrap() != name {
        true => walk(&path, name),
        false => vec![path],
    });
    found.filter(|path| path.file_name().unwrap() == name).collect()
}

#[tokio::test]
async fn a_tag_counts_for_the_name_and_the_commit_that_it_was_signed_for() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let (ann, public) = ssh_key(scene.root(), "ann");
    let tag = |name: &str| Request {
        reference: Reference::Tag(name.to_owned()),
        ..request(&scene, Signed::Tag, &[&public])
    };
    let git = |words: &[&str]| scene.repository.git(words, b"");
    git(&["tag", "light"]);
    let how = by_ssh(&ann);
    let mut words: Vec<&str> = how.iter().map(String::as_str).collect();
    words.extend(["tag", "-s", "-m", "First", "v1.0.0", "main"]);
    git(&words);

    // The commit is here before the tag is looked at.
    snapshot(&scene.request()).await;
    let read = snapshot(&tag("v1.0.0")).await;
    assert!(read.signer.unwrap().starts_with("ann (SHA256:"));
    let light = refusal(&tag("light")).await.to_string();
    assert!(light.contains("it is no annotated tag"), "{light}");
    let object = git(&["rev-parse", "v1.0.0"]);
    git(&["update-ref", "refs/tags/v2.0.0", &object]);
    let renamed = refusal(&tag("v2.0.0")).await.to_string();
    assert!(renamed.contains("it was signed as tag \"v1.0.0\""), "{renamed}");
}
