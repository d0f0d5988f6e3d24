//! The account that Postgres runs as when we are root.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use super::DevError;

/// A local account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Account {
    /// Makes `path` belong to it.
    ///
    /// # Errors
    /// [`DevError::File`] when the file system refuses.
    pub fn own(&self, path: &Path) -> Result<(), DevError> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(DevError::file("give away", path))
    }
}

/// The account to run Postgres as: `postgres` or `nobody` for root, `None` (ourselves) for anybody else.
///
/// # Errors
/// [`DevError::NoAccount`] when root finds neither.
pub fn unprivileged() -> Result<Option<Account>, DevError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").map_err(DevError::file("read", "/etc/passwd"))?;
    let found = ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| find(&accounts, name));
    found.map(Some).ok_or(DevError::NoAccount)
}

fn find(accounts: &str, name: &str) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            [found, _, uid, gid, ..] if *found == name => Some(Account {
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
            }),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts =
            "root:x:0:0::/root:/bin/sh\npostgres2:x:9:9::/:\npostgres:x:104:111:,,,:/var/lib:/bin/sh\n";
        assert_eq!(find(accounts, "postgres"), Some(Account { uid: 104, gid: 111 }));
        assert_eq!(find(accounts, "nobody"), None);
    }
}
