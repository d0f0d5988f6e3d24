//! How the ssh program is started: with one key and one list of servers, and nothing of this machine's configuration.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::error::GitError;
use super::nameless;

/// What ssh says at most of why it failed, in bytes.
const WORDS_MAX: u64 = 8 * 1024;

/// The command, and the files that it reads and writes, which are there as long as this is.
///
/// What ssh said of itself goes to standard error when this is dropped: whoever started this process hears all of it, and
/// does not have to be quick.
pub(super) struct Ssh {
    pub(super) command: OsString,
    _read: [File; 2],
    words: File,
}

impl Ssh {
    /// Puts key and servers into files without names in `folder`, for this user alone.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub(super) fn new(folder: &Path, key: &str, known_hosts: &str) -> Result<Self, GitError> {
        let keep = |text: &str| {
            nameless::file(folder, text.as_bytes()).map_err(|error| GitError::Cache {
                why: format!("it takes no file ({error})"),
            })
        };
        // ssh reads no key whose last line does not end.
        let line = |text: &str| format!("{}\n", text.strip_suffix('\n').unwrap_or(text));
        let (read, words) = ([keep(&line(key))?, keep(&line(known_hosts))?], keep("")?);
        let [key, known_hosts] = read.each_ref().map(nameless::path);
        Ok(Self {
            command: command(&key, &known_hosts, &nameless::path(&words)).into(),
            _read: read,
            words,
        })
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let mut words = Vec::new();
        // Without them there is only less to tell.
        let _ = (&mut self.words).take(WORDS_MAX).read_to_end(&mut words);
        let _ = io::stderr().write_all(&words);
    }
}

fn command(key: &str, known_hosts: &str, words: &str) -> String {
    let options = [
        "BatchMode=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "UpdateHostKeys=no".to_owned(),
        "PreferredAuthentications=publickey".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        "IdentityAgent=none".to_owned(),
        format!("IdentityFile={key}"),
        format!("UserKnownHostsFile={known_hosts}"),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        "ClearAllForwardings=yes".to_owned(),
        "ControlPath=none".to_owned(),
        "PermitLocalCommand=no".to_owned(),
        "ConnectTimeout=20".to_owned(),
    ];
    let options: Vec<String> = options.iter().map(|option| format!("-o {option}")).collect();
    format!("ssh -F none -E {words} {}", options.join(" "))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn ssh_reads_the_files_and_no_folder_holds_them() {
        let folder = tempfile::tempdir().unwrap();
        let ssh = Ssh::new(folder.path(), "the key", "example.com ssh-ed25519 AAAA").unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let command = ssh.command.to_str().unwrap();
        let options: Vec<&str> = command.split(' ').collect();
        let key = options
            .iter()
            .find_map(|option| option.strip_prefix("IdentityFile="))
            .unwrap();
        let read = Command::new("cat").arg(key).output().unwrap();
        assert_eq!(read.stdout, b"the key\n");
        assert_eq!(std::fs::metadata(key).unwrap().mode() & 0o777, 0o600);
        assert!(!command.contains("the key"));
    }

    #[test]
    fn ssh_understands_its_options() {
        let folder = tempfile::tempdir().unwrap();
        let ssh = Ssh::new(folder.path(), "k", "h").unwrap();
        let mut words = ssh.command.to_str().unwrap().split(' ');
        let output = Command::new(words.next().unwrap())
            .args(words)
            .args(["-G", "example.com"])
            .output()
            .unwrap();
        let effective = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in [
            "batchmode yes",
            "stricthostkeychecking true",
            "identitiesonly yes",
            "identityagent none",
            "preferredauthentications publickey",
            "globalknownhostsfile /dev/null",
        ] {
            assert!(effective.contains(line), "{line}: {effective}");
        }
    }
}
