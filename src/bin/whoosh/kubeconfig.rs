//! What kubectl needs to come in to the operator of `whoosh up`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::Command;
use whoosh::dev::operator::Operator;
use whoosh::dev::{DevError, Home};
use whoosh::resource::yaml;

use super::Failure;

/// What the tokens are called that `whoosh kubeconfig` makes.
const PREFIX: &str = "kubeconfig-";

/// The file with it, for the owner of `home` alone. It is made anew when there is none that opens the door where the
/// operator is now, and then the token of the one before opens nothing any more.
pub(super) async fn up_to_date(home: &Home) -> Result<PathBuf, Failure> {
    let path = home.kubeconfig();
    let old = fs::read_to_string(&path).unwrap_or_default();
    let server = format!("https://{}", Operator::new(home).address()?);
    let (its_server, its_user) = told(&old);
    if its_server.is_some_and(|told| told == server) && counts(&path).await? {
        return Ok(path);
    }
    let make = ["kubeconfig", "--role", "admin", "--lifetime", "0"];
    let made = on(home, &make, Stdio::inherit()).await?;
    if !made.status.success() {
        return Err(DevError::Kubeconfig.into());
    }
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path);
    file.and_then(|mut file| file.write_all(&made.stdout))
        .map_err(DevError::file("write", &path))?;
    if let Some(user) = its_user.filter(|user| user.starts_with(PREFIX)) {
        // It may be gone, or of another database.
        on(home, &["token", "revoke", &user], Stdio::null()).await?;
    }
    Ok(path)
}

/// The server and the user in a kubeconfig.
fn told(text: &str) -> (Option<String>, Option<String>) {
    let config = yaml::parse(text).good.pop().map(|document| document.value);
    let text = |pointer: &str| Some(config.as_ref()?.pointer(pointer)?.as_str()?.to_owned());
    (text("/clusters/0/cluster/server"), text("/users/0/name"))
}

/// Whether a kubeconfig opens the door.
async fn counts(path: &Path) -> Result<bool, Failure> {
    let mut ask = Command::new(std::env::current_exe()?);
    ask.args(["auth", "whoami", "--context", "whoosh", "--config"])
        .arg(path);
    let asked = ask
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await?;
    Ok(asked.success())
}

/// What this program says when it is told something, by the socket of the operator of `home`.
async fn on(home: &Home, arguments: &[&str], stderr: Stdio) -> Result<Output, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).arg("--socket").arg(home.socket());
    Ok(command.stdin(Stdio::null()).stderr(stderr).output().await?)
}
