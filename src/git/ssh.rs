//! How the ssh program is started: with one key and one list of servers, and nothing of this machine's configuration.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;

use super::error::GitError;
use super::nameless;

/// The command, and what it reads, which is there as long as this is.
pub(super) struct Ssh {
    pub(super) command: OsString,
    _files: [File; 2],
}

impl Ssh {
    /// Puts key and servers into files without names in `folder`.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub(super) fn new(folder: &Path, key: &str, known_hosts: &str) -> Result<Self, GitError> {
        let keep = |text: &str| {
            // ssh reads no key whose last line does not end.
            let text = format!("{}\n", text.strip_suffix('\n').unwrap_or(text));
            nameless::file(folder, text.as_bytes()).map_err(|error| GitError::Cache {
                why: format!("it takes no file ({error})"),
            })
        };
        let files = [keep(key)?, keep(known_hosts)?];
        let [key, known_hosts] = files.each_ref().map(nameless::path);
        Ok(Self {
            command: command(&key, &known_hosts).into(),
            _files: files,
        })
    }
}

fn command(key: &str, known_hosts: &str) -> String {
    let options = [
        "BatchMode=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "UpdateHostKeys=no".to_owned(),
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
    format!("ssh -F none {}", options.join(" "))
}

#[cfg(test)]
mod tests {
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
            .find_map(|option| option.strip_prefix("IdentityFile="));
        let read = Command::new("cat").arg(key.unwrap()).output().unwrap();
        assert_eq!(read.stdout, b"the key\n");
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
        ] {
            assert!(effective.contains(line), "{line}: {effective}");
        }
    }
}
