//! `whoosh bootstrap`: sets up a Git repository to be kept applied, with all that belongs to it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::client::Owner;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::target::check_name;
use crate::cli::{object, paths, talk};
use crate::resource::names::WEBHOOK_FILE;
use crate::resource::object::API_VERSION;
use crate::resource::repository::RepositoryUrl;
use crate::resource::{Key, Kind};

/// Who owns what this sets. It is not who `whoosh apply` is: what a file says of the source stays.
const MANAGER: &str = "whoosh-bootstrap";

/// Arguments of `bootstrap`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  whoosh bootstrap git --url https://git.example/acme/fleet.git --path prod --prune")]
pub struct BootstrapArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    /// Set up a Git repository, and a secret for the webhooks that tell of pushes
    Git(GitArgs),
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
It makes the GitSource, or changes it, and where the operator's folder of secrets is on this machine, it makes the file \
that webhooks are signed with. Doing it again changes nothing, and no secret is ever replaced.

Examples:
  # A public repository, or one of this machine
  whoosh bootstrap git --url https://git.example/acme/fleet.git --path prod --prune

  # For an operator elsewhere, whose folder is mounted here
  whoosh bootstrap git --url https://git.example/acme/fleet.git --git-secrets /srv/whoosh/git-secrets")]
struct GitArgs {
    /// The repository
    #[arg(long, value_name = "URL")]
    url: String,
    /// The branch that is applied [default: the one that the repository itself names]
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// The folder of manifests, from the repository's root
    #[arg(long, value_name = "DIR")]
    path: Option<String>,
    /// The source's name [default: that of the repository]
    #[arg(long, value_name = "NAME", value_parser = check_name)]
    name: Option<String>,
    /// Delete objects that leave the repository
    #[arg(long)]
    prune: bool,
    /// The operator's folder of secrets of GitSources [default: the one of `whoosh up`, where that runs here]
    #[arg(long, value_name = "DIR", env = "WHOOSH_GIT_SECRETS", value_hint = clap::ValueHint::DirPath)]
    git_secrets: Option<PathBuf>,
}

pub(crate) async fn run(ctx: &Context, args: &BootstrapArgs) -> Result<Outcome, CliError> {
    let What::Git(args) = &args.what;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&args.url)?,
    };
    let key = ctx.key(Kind::GitSource, &name)?;
    let secrets = match &args.git_secrets {
        // The folder itself is made.
        Some(folder) if !folder.is_dir() && !folder.parent().is_some_and(Path::is_dir) => {
            let folder = folder.display();
            return Err(CliError::Usage(format!(
                "--git-secrets: there is no folder {folder}; the operator reads the one that it was started with"
            )));
        }
        Some(folder) => Some(folder.clone()),
        None => Some(paths::home().join("git-secrets")).filter(|folder| ctx.is_own && folder.is_dir()),
    };
    let live = ctx.client.find(&key).await?;
    let url = live.as_ref().map(|live| object::text(live, "/spec/url"));
    let is_other = |url: &&str| !RepositoryUrl::of(url).is_same_place(&RepositoryUrl::of(&args.url));
    if let Some(url) = url.filter(is_other).filter(|_| args.name.is_none()) {
        return Err(CliError::Usage(format!(
            "gitsource/{name} reads {url} already: choose another name with --name, or say --name {name} to have it read {} \
             instead",
            args.url
        )));
    }
    let named = live
        .as_ref()
        .map(|live| object::text(live, "/spec/secretRef/name"));
    let named = named.filter(|name| !name.is_empty());
    // A secret that the source has already is not taken away where its files are not at hand.
    let secret_name = named.or(secrets.as_ref().map(|_| key.name.as_str()));
    let owner = Owner {
        manager: MANAGER.to_owned(),
        force: false,
    };
    let source = source(&key, args, live.as_ref(), secret_name);
    // What is refused leaves no secret behind.
    ctx.client.apply(&key, &source, &owner, true).await?;
    // First, so that the source finds it when it is looked at.
    let secret = secrets
        .as_deref()
        .map(|folder| secret(folder, &key.namespace, named.unwrap_or(&key.name)))
        .transpose()?;
    ctx.client.apply(&key, &source, &owner, false).await?;
    let done = if live.is_some() { "configured" } else { "created" };
    ctx.print(&format!("{} {done}\n", object::slashed(&key)))?;
    let name = object::slashed(&key);
    match secret {
        Some(file) => talk::say(&format!(
            "Webhooks: have the forge send pushes to /hooks/v1/namespaces/{}/gitsources/{} of the operator's address, signed \
             with what {} holds.",
            key.namespace,
            key.name,
            file.display()
        )),
        None => talk::say(
            "Webhooks are off: the operator's folder of secrets is not on this machine; see --git-secrets.",
        ),
    }
    if let Some(needed) = needed(&args.url) {
        talk::say(&format!(
            "First, unless it is there, put into the secret {} at the operator: {needed}.",
            secret_name.unwrap_or(&key.name)
        ));
    }
    talk::say(&format!(
        "Next: `whoosh reconcile {name} --wait` applies it now, `whoosh tree {name}` shows what it declares."
    ));
    Ok(Outcome::Done)
}

/// The files without which a repository cannot be asked, if it is not open to all.
fn needed(url: &str) -> Option<&'static str> {
    match RepositoryUrl::of(url).scheme {
        "ssh" => Some(
            "`identity`, a private key that may read the repository, and `known_hosts`, its server's keys",
        ),
        "https" => Some("`token`, one that may read the repository, if not everybody may"),
        _ => None,
    }
}

/// A name made of the last part of a url.
fn name_of(url: &str) -> Result<String, CliError> {
    let path = RepositoryUrl::of(url).path.trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = last.strip_suffix(".git").unwrap_or(last).to_ascii_lowercase();
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    check_name(name.trim_matches('-')).map_err(|_| {
        CliError::Usage(format!(
            "\"{url}\" gives no name for the source: name it with --name"
        ))
    })
}

/// The source as it is to be. What is not said stays as it is live.
fn source(key: &Key, args: &GitArgs, live: Option<&Value>, secret: Option<&str>) -> Value {
    let mut spec = json!({"url": args.url});
    for field in ["ref", "path", "prune"] {
        if let Some(value) = live.and_then(|live| live["spec"].get(field)) {
            spec[field] = value.clone();
        }
    }
    if let Some(branch) = &args.branch {
        spec["ref"] = json!({"branch": branch});
    }
    if let Some(path) = &args.path {
        spec["path"] = path.as_str().into();
    }
    if args.prune {
        spec["prune"] = true.into();
    }
    if let Some(name) = secret {
        spec["secretRef"] = json!({"name": name});
    }
    json!({
        "apiVersion": API_VERSION,
        "kind": Kind::GitSource.to_string(),
        "metadata": {"name": key.name, "namespace": key.namespace},
        "spec": spec,
    })
}

/// The file that webhooks of a source are signed with; it is made where there is none.
fn secret(folder: &Path, namespace: &str, name: &str) -> Result<PathBuf, CliError> {
    let file = folder.join(namespace).join(name).join(WEBHOOK_FILE);
    match make(&file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(CliError::Failed(format!(
            "cannot write {}: {error}",
            file.display()
        ))),
        _ => Ok(file),
    }
}

fn make(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    let secret: [u8; 32] = rand::random();
    let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let written = made.write_all(secret.as_bytes());
    if written.is_err() {
        // Half a secret is none.
        let _ = fs::remove_file(file);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_source_is_called_like_its_repository() {
        for (url, expected) in [
            ("https://git.example/acme/fleet.git", Some("fleet")),
            ("git@git.example:Fleet_Prod.git", Some("fleet-prod")),
            ("file:///srv/git/fleet/", Some("fleet")),
            ("https://git.example/.git", None),
        ] {
            assert_eq!(name_of(url).ok().as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = secret(folder.path(), "prod", "fleet").unwrap();
        assert_eq!(file, folder.path().join("prod/fleet/webhook"));
        let first = fs::read_to_string(&file).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
        secret(folder.path(), "prod", "fleet").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), first);
    }
}
