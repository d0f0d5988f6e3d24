//! What a repository is asked with, and what is put into its manifests: the files of a secret. Nothing of them is told.

use std::path::PathBuf;

use super::{Credentials, Way};
use crate::files::{Folder, ReadError};
use crate::resource::names::{VARIABLES_FILE, WEBHOOK_FILE};
use crate::resource::variables::{NotVariables, Variables};

/// The largest file that is read, in bytes: lists of servers and of authorities may be long.
const FILE_MAX: u64 = 256 * 1024;
/// Who the bearer of a token is, for servers that look at the token alone.
const ANYBODY: &str = "git";
/// What says that a key of OpenSSH's own form can be read without a passphrase: its first bytes, in base64.
const OPENSSH_KEY: &str = "b3BlbnNzaC1rZXktdjEA";
const UNLOCKED: &str = "AAAABG5vbmU";

/// A secret: a folder of files, which are read when they are asked for.
#[derive(Debug)]
pub struct Secret {
    folder: Folder,
    /// The folders on the way from that one to the files.
    below: Vec<String>,
}

/// How a repository is asked.
#[derive(Debug, Default)]
pub struct Access {
    /// As whom; as nobody by `None`.
    pub credentials: Option<Credentials>,
    /// Whom to believe that its server is who it is, besides those whom the machine trusts.
    pub ca: Option<String>,
}

/// Why a secret cannot be used. Holds nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file is not there.
    #[error("the secret is not complete: put {what} into {}", path.display())]
    Missing {
        /// What is missing.
        what: &'static str,
        /// The file to make.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{} cannot be used", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: ReadError,
    },
    /// A file of variables holds something else.
    #[error("{} cannot be used", path.display())]
    NotVariables {
        /// The file.
        path: PathBuf,
        /// Where.
        #[source]
        source: NotVariables,
    },
    /// A file does not hold what it should.
    #[error("{} cannot be used: {why}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl SecretError {
    /// Whether somebody has to make something that is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    /// Whether it may go away by itself.
    pub fn is_transient(&self) -> bool {
        let Self::Unreadable { source, .. } = self else {
            return false;
        };
        matches!(source, ReadError::Hung { .. })
    }
}

impl Secret {
    /// The one in a folder below another one, which may not be left.
    pub fn below(folder: &Folder, below: &[&str]) -> Self {
        Self {
            folder: folder.clone(),
            below: below.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// The one whose files are in this folder.
    pub fn at(folder: PathBuf) -> Self {
        Self::below(&Folder::new(folder), &[])
    }

    /// How a repository is asked that may ask back in this way.
    ///
    /// # Errors
    /// Which file is missing, or what is wrong with one.
    pub async fn access(&self, way: Way) -> Result<Access, SecretError> {
        match way {
            Way::Http => self.http().await,
            Way::Ssh => self.ssh().await,
            Way::Open => match self.has_other_uses().await? {
                true => Ok(Access::default()),
                false => Err(self.missing(WEBHOOK_FILE, "what webhooks are signed with")),
            },
        }
    }

    /// The variables that it holds.
    ///
    /// # Errors
    /// When there is no such file, or a line of it is none.
    pub async fn variables(&self) -> Result<Variables, SecretError> {
        let file = VARIABLES_FILE;
        let Some(text) = self.text(file).await? else {
            return Err(self.missing(file, "lines like NAME=value"));
        };
        Variables::parse(&text).map_err(|source| SecretError::NotVariables {
            path: self.path(file),
            source,
        })
    }

    async fn http(&self) -> Result<Access, SecretError> {
        let ca = self.text("ca.crt").await?;
        let username = self.word("username").await?;
        let token = match (self.word("password").await?, self.word("token").await?) {
            (Some(_), Some(_)) => {
                return Err(self.invalid("token", "there is a `password` beside it; remove one of them"));
            }
            (password, token) => password.or(token),
        };
        let credentials = match (username, token) {
            (username, Some(token)) => Some(Credentials::Token {
                username: username.unwrap_or_else(|| ANYBODY.to_owned()),
                token,
            }),
            // A repository that everybody may read.
            (None, None) if ca.is_some() || self.has_other_uses().await? => None,
            (_, None) => {
                return Err(self.missing("password", "a password or token that may read the repository"));
            }
        };
        Ok(Access { credentials, ca })
    }

    /// Whether it says more than whom to ask as.
    async fn has_other_uses(&self) -> Result<bool, SecretError> {
        Ok(self.text(WEBHOOK_FILE).await?.is_some() || self.text(VARIABLES_FILE).await?.is_some())
    }

    async fn ssh(&self) -> Result<Access, SecretError> {
        let Some(key) = self.text("identity").await? else {
            return Err(self.missing("identity", "a private key that may read the repository"));
        };
        if let Some(why) = fault(&key) {
            return Err(self.invalid("identity", why));
        }
        let Some(known_hosts) = self.text("known_hosts").await? else {
            let what =
                "the server's keys, as `ssh-keyscan` prints them, once you know that they are the server's,";
            return Err(self.missing("known_hosts", what));
        };
        Ok(Access {
            credentials: Some(Credentials::Ssh { key, known_hosts }),
            ca: None,
        })
    }

    /// What a file holds, if there is one.
    async fn text(&self, file: &str) -> Result<Option<String>, SecretError> {
        let content = match self.folder.read(&self.names(file), FILE_MAX).await {
            Ok(content) => content,
            Err(ReadError::Missing { .. }) => return Ok(None),
            Err(source) => {
                return Err(SecretError::Unreadable {
                    path: self.path(file),
                    source,
                });
            }
        };
        match content.text() {
            Some("") => Err(self.invalid(file, "it is empty")),
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(self.invalid(file, "it is not UTF-8")),
        }
    }

    /// What a file of one line holds, if there is one.
    async fn word(&self, file: &str) -> Result<Option<String>, SecretError> {
        match self.text(file).await? {
            Some(text) if text.contains(char::is_control) => {
                Err(self.invalid(file, "it has more than one line, or control characters in it"))
            }
            word => Ok(word),
        }
    }

    fn names<'n>(&'n self, file: &'n str) -> Vec<&'n str> {
        self.below.iter().map(String::as_str).chain([file]).collect()
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path(&self.names(file))
    }

    fn missing(&self, file: &str, what: &'static str) -> SecretError {
        SecretError::Missing {
            what,
            path: self.path(file),
        }
    }

    fn invalid(&self, file: &str, why: &'static str) -> SecretError {
        SecretError::Invalid {
            path: self.path(file),
            why,
        }
    }
}

/// What keeps ssh from using a key without asking anybody.
fn fault(key: &str) -> Option<&'static str> {
    if !key.contains("PRIVATE KEY-----") {
        return Some("it holds no private key, as `ssh-keygen -t ed25519 -N ''` makes one");
    }
    let is_locked = key.contains("ENCRYPTED")
        || key.lines().any(|line| {
            let rest = line.strip_prefix(OPENSSH_KEY);
            rest.is_some_and(|rest| !rest.starts_with(UNLOCKED))
        });
    is_locked.then_some("its key has a passphrase, and nobody is there to say it; make one without")
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;

    use super::*;

    const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n";
    const LOCKED: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAA\n";

    /// What comes of a secret of these files, in short: the credentials and the authority, or why there are none.
    async fn told(way: Way, files: &[(&str, &str)]) -> Result<String, String> {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("prod/fleet");
        fs::create_dir_all(&inside).unwrap();
        for (name, content) in files {
            fs::write(inside.join(name), content).unwrap();
        }
        let secret = Secret::below(&Folder::new(root.path().to_owned()), &["prod", "fleet"]);
        let access = secret.access(way).await;
        let Access { credentials, ca } = access.map_err(|error| {
            let why = error.source().map(|why| format!(": {why}"));
            let told = format!("{error}{}", why.unwrap_or_default());
            assert!(!told.contains("hunter2"), "{told}");
            told.replace(&root.path().display().to_string(), "")
        })?;
        let credentials = match credentials {
            None => "nobody".to_owned(),
            Some(Credentials::Token { username, token }) => format!("{username}:{token}"),
            Some(Credentials::Ssh { key, known_hosts }) => format!("{} {known_hosts}", key == KEY.trim_end()),
        };
        Ok(format!("{credentials} {}", ca.unwrap_or_default()))
    }

    #[tokio::test]
    async fn files_are_what_their_names_say() {
        let http = [
            ("username", "ada\n"),
            ("password", "hunter2\n"),
            ("ca.crt", "CA\n"),
        ];
        let ssh = [("identity", KEY), ("known_hosts", "git.example KEY\n")];
        for (way, files, expected) in [
            (Way::Http, &http[..], "ada:hunter2 CA"),
            (Way::Http, &[("token", "hunter2")], "git:hunter2 "),
            (Way::Http, &[("ca.crt", "CA")], "nobody CA"),
            (Way::Http, &[("webhook", "hunter2")], "nobody "),
            (Way::Ssh, &ssh, "true git.example KEY "),
            (Way::Open, &[("webhook", "hunter2")], "nobody "),
        ] {
            assert_eq!(told(way, files).await.as_deref(), Ok(expected), "{way:?}");
        }
    }

    #[tokio::test]
    async fn what_is_missing_or_wrong_is_told_with_its_file() {
        for (way, files, expected) in [
            (Way::Http, &[][..], "repository into /prod/fleet/password"),
            (Way::Http, &[("username", "ada")], "into /prod/fleet/password"),
            (Way::Http, &[("identity", KEY)], "into /prod/fleet/password"),
            (
                Way::Http,
                &[("password", "hunter2"), ("token", "hunter2")],
                "/prod/fleet/token cannot be used: there is a `password` beside it",
            ),
            (Way::Http, &[("token", "hunter2\nhunter2")], "more than one line"),
            (
                Way::Http,
                &[("token", "\n")],
                "/prod/fleet/token cannot be used: it is empty",
            ),
            (
                Way::Http,
                &[("token", "")],
                "token cannot be used: it holds 0 bytes",
            ),
            (
                Way::Ssh,
                &[],
                "a private key that may read the repository into /prod/fleet/identity",
            ),
            (Way::Ssh, &[("identity", KEY)], "into /prod/fleet/known_hosts"),
            (
                Way::Ssh,
                &[("identity", LOCKED), ("known_hosts", "x")],
                "/prod/fleet/identity cannot be used: its key has a passphrase",
            ),
            (
                Way::Ssh,
                &[(
                    "identity",
                    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
                )],
                "its key has a passphrase",
            ),
            (
                Way::Ssh,
                &[("identity", "ssh-ed25519 AAAA")],
                "holds no private key",
            ),
            (
                Way::Open,
                &[],
                "webhooks are signed with into /prod/fleet/webhook",
            ),
        ] {
            let told = told(way, files).await.unwrap_err();
            assert!(told.contains(expected), "{way:?}: {told}");
        }
    }
}
