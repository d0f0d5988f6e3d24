//! Whether somebody who is trusted signed a commit or a tag, by the programs that Git itself asks: ssh-keygen and gpg.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gix_object::signature::verify::{Options, Outcome, Status, TrustLevel};
use gix_object::signature::{Format, SignedData};
use gix_object::{CommitRef, CommitRefIter, Kind, TagRef, TagRefIter};
use gix_odb as odb;

use super::error::{GitError, quoted};
use super::history::{Reading, nonsense, object};
use super::nameless;
use super::reference::Chosen;
use super::trouble::chain;
use crate::resource::git_source::{Signed, Verification};

const HASH: gix_hash::Kind = gix_hash::Kind::Sha1;
/// How a public key of OpenPGP begins.
const OPENPGP: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// Checks the signature of what was chosen, and tells who made it.
///
/// Programs that help to check it find what they need in `folder`, which is left as it was.
pub(super) fn signer(
    objects: &odb::Handle,
    chosen: &Chosen,
    verify: &Verification,
    folder: &Path,
) -> Result<String, Reading> {
    let wanted = verify.signed.unwrap_or(Signed::Commit);
    let (id, what) = match wanted {
        Signed::Commit => (
            chosen.commit,
            format!("commit {}", chosen.commit.to_hex_with_len(12)),
        ),
        Signed::Tag => (chosen.object, format!("tag {:?}", quoted(&chosen.name))),
    };
    let refuse = |why: String| {
        let what = what.clone();
        Reading::Refused(GitError::Unverified { what, why })
    };
    let (kind, data) = object(objects, id)?.ok_or_else(|| Reading::Broken(format!("{id} is missing")))?;
    let (signature, signed, time) = match (wanted, kind) {
        (Signed::Commit, Kind::Commit) => {
            let commit = CommitRef::from_bytes(&data, HASH).map_err(|_| nonsense(id))?;
            let signed = CommitRefIter::signature(&data, HASH).map_err(|_| nonsense(id))?;
            let time = commit.time().unwrap_or_default();
            signed.map(|(signature, signed)| (signature.into_owned(), signed, time))
        }
        (Signed::Tag, Kind::Tag) => {
            let tag = TagRef::from_bytes(&data, HASH).map_err(|_| nonsense(id))?;
            // Whoever signed it meant this name for this commit, and no other.
            if tag.name != chosen.name.as_str() || tag.target() != chosen.commit {
                let name = quoted(&tag.name.to_string());
                return Err(refuse(format!(
                    "it was signed as tag {name:?} of {}",
                    tag.target()
                )));
            }
            let tagger = tag.tagger().map_err(|_| nonsense(id))?;
            let time = tagger.and_then(|tagger| tagger.time().ok()).unwrap_or_default();
            TagRefIter::signature(&data).map(|(signature, signed)| (signature.data.to_owned(), signed, time))
        }
        (Signed::Tag, _) => {
            return Err(refuse(
                "it is no annotated tag, and no other can be signed".to_owned(),
            ));
        }
        (Signed::Commit, _) => return Err(nonsense(id)),
    }
    .ok_or_else(|| refuse("it is not signed".to_owned()))?;

    let keys = Keys { all: &verify.keys };
    let checked = match Format::from_signature(&signature) {
        Some(Format::Ssh) => keys.by_ssh(folder, |allowed_signers| {
            let options = Options::Ssh {
                program: "ssh-keygen".into(),
                program_arguments: Vec::new(),
                environment: Vec::new(),
                allowed_signers,
                revocation_file: None,
                verify_time: time,
                minimum_trust: TrustLevel::Fully,
            };
            check(&signed, &signature, options)
        }),
        Some(Format::OpenPgp) => keys.by_gpg(folder, |home| {
            let options = Options::OpenPgp {
                program: "gpg".into(),
                program_arguments: gpg_arguments(&home).into_iter().map(Into::into).collect(),
                environment: Vec::new(),
                minimum_trust: TrustLevel::Undefined,
            };
            check(&signed, &signature, options)
        }),
        Some(Format::X509) | None => {
            return Err(refuse("it is signed neither by SSH nor by OpenPGP".to_owned()));
        }
    };
    let outcome = checked.map_err(|why| Reading::Refused(GitError::Worker { why }))?;
    match outcome.is_valid() {
        true => Ok(keys.name_of(&outcome)),
        false => Err(refuse(why_not(&outcome))),
    }
}

fn check(
    signed: &SignedData<'_>,
    signature: &gix_object::bstr::BString,
    options: Options,
) -> Result<Outcome, String> {
    signed
        .verify(signature.as_ref(), options)
        .map_err(|error| format!("the signature cannot be checked: {}", chain(&error)))
}

/// Those who are trusted.
struct Keys<'a> {
    all: &'a [String],
}

impl Keys<'_> {
    fn ssh(&self) -> impl Iterator<Item = (usize, &str)> {
        let all = self.all.iter().map(|key| key.trim()).enumerate();
        all.filter(|(_, key)| !key.starts_with(OPENPGP))
    }

    /// Has something done with a file of those who may sign by SSH; each is called by its place among the keys.
    fn by_ssh(
        &self,
        folder: &Path,
        check: impl FnOnce(PathBuf) -> Result<Outcome, String>,
    ) -> Result<Outcome, String> {
        let lines = self.ssh().filter_map(|(place, key)| {
            let mut words = key.split_whitespace();
            Some(format!(
                "{place} namespaces=\"git\" {} {}\n",
                words.next()?,
                words.next()?
            ))
        });
        let file: File = nameless::file(folder, lines.collect::<String>().as_bytes())
            .map_err(|error| format!("the keys cannot be written ({error})"))?;
        check(nameless::path(&file).into())
    }

    /// Has something done with a home of gpg that knows those who may sign by OpenPGP, and nobody else.
    fn by_gpg(
        &self,
        folder: &Path,
        check: impl FnOnce(String) -> Result<Outcome, String>,
    ) -> Result<Outcome, String> {
        let home = folder.join("keys");
        let known = import(&home, self.all).map_err(|error| format!("gpg does not read the keys ({error})"));
        let outcome = known.and_then(|()| check(home.display().to_string()));
        // What stays is removed when the cache is opened again.
        let _ = fs::remove_dir_all(&home);
        outcome
    }

    /// Who made a signature that is good.
    fn name_of(&self, outcome: &Outcome) -> String {
        let text = |name: &Option<gix_object::bstr::BString>| name.as_ref().map(ToString::to_string);
        let fingerprint = text(&outcome.fingerprint).unwrap_or_default();
        let name = match outcome.format {
            Format::Ssh => text(&outcome.signer).and_then(|place| {
                let key = self.all.get(place.parse::<usize>().ok()?)?;
                // Behind the kind and the key is what its owner calls it.
                let mut words = key.split_whitespace().skip(2).peekable();
                words.peek()?;
                Some(words.collect::<Vec<_>>().join(" "))
            }),
            Format::OpenPgp | Format::X509 => text(&outcome.signer),
        };
        quoted(&match name {
            Some(name) => format!("{name} ({fingerprint})"),
            None => fingerprint,
        })
    }
}

fn gpg_arguments(home: &str) -> [&str; 7] {
    let quiet = ["--batch", "--no-tty", "--no-autostart"];
    [
        "--homedir",
        home,
        quiet[0],
        quiet[1],
        quiet[2],
        "--trust-model",
        "always",
    ]
}

fn import(home: &Path, keys: &[String]) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(home)?;
    let mut gpg = Command::new("gpg")
        .args(gpg_arguments(&home.display().to_string()))
        .args(["--quiet", "--import"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = gpg.stdin.take() {
        for key in keys.iter().filter(|key| key.trim().starts_with(OPENPGP)) {
            input.write_all(key.as_bytes())?;
            input.write_all(b"\n")?;
        }
    }
    // Keys that it does not take are missing below, and that is told then.
    gpg.wait().map(drop)
}

fn why_not(outcome: &Outcome) -> String {
    let key = outcome.fingerprint.as_ref().or(outcome.key.as_ref());
    let key = key.map(|key| quoted(&key.to_string())).unwrap_or_default();
    match outcome.status {
        Status::Bad => "its signature does not belong to it".to_owned(),
        Status::Expired => "its signature has expired".to_owned(),
        Status::ExpiredKey => format!("the key {key} that signed it has expired"),
        Status::RevokedKey => format!("the key {key} that signed it was revoked"),
        Status::Good | Status::Error | Status::Unknown if key.is_empty() => {
            "it is signed by none of the keys of spec.verify".to_owned()
        }
        Status::Good | Status::Error | Status::Unknown => {
            format!("it is signed by the key {key}, which is none of spec.verify")
        }
    }
}
