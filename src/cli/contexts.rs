//! The file of contexts: which operators there are, and how to come in. It is kubectl's own kind of file, so that what
//! `whoosh kubeconfig` prints serves both.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use k8s_openapi::ByteString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::endpoint::{Endpoint, Server};
use crate::resource::nearest;
use crate::resource::yaml::{self, Documents};

/// Why there is no context to use.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContextError {
    /// The file cannot be read.
    #[error("cannot read the contexts in {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that they name cannot be read.
    #[error("cannot read {}, which the contexts name: {source}", path.display())]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {why}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is no context of this name.
    #[error("there is no context \"{name}\" in {}{}; `whoosh config get-contexts` lists them", path.display(), hint)]
    NoSuch {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
        /// What may be meant.
        hint: String,
    },
}

/// A file of contexts.
#[derive(Clone)]
pub(super) struct Contexts {
    path: PathBuf,
    /// All that is in it, also what only others understand.
    pub raw: Value,
    file: File,
}

/// Without what is in it: tokens.
impl fmt::Debug for Contexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contexts")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// How one operator is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The namespace that is meant where none is named.
    pub namespace: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct File {
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
    contexts: Vec<NamedContext>,
    current_context: String,
}

#[derive(Clone, Debug, Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<ByteString>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
}

#[derive(Clone, Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Clone, Deserialize)]
struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
struct NamedContext {
    name: String,
    context: ContextBody,
}

#[derive(Clone, Debug, Deserialize)]
struct ContextBody {
    cluster: String,
    user: String,
    namespace: Option<String>,
}

/// One context, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub name: String,
    pub server: String,
    pub user: String,
    pub namespace: String,
    pub is_current: bool,
}

impl Contexts {
    /// Reads a file; one that is not there holds nothing.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub(super) fn read(path: &Path) -> Result<Self, ContextError> {
        let path = path.to_owned();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ContextError::Unreadable { path, source }),
        };
        let invalid = |why: String| ContextError::Invalid {
            path: path.clone(),
            why,
        };
        let Documents { mut good, faults } = yaml::parse(&text);
        if let Some(fault) = faults.first() {
            return Err(invalid(format!("line {}: {}", fault.place.line, fault.message)));
        }
        let raw = match good.pop().map(|document| document.value) {
            None | Some(Value::Null) => Value::Object(serde_json::Map::new()),
            Some(value) => value,
        };
        let file =
            File::deserialize(&raw).map_err(|error| invalid(format!("this is no kubeconfig: {error}")))?;
        Ok(Self { path, raw, file })
    }

    /// The context that is used where none is named; `None` when there is none.
    pub(super) fn current(&self) -> Option<&str> {
        Some(self.file.current_context.as_str()).filter(|name| !name.is_empty())
    }

    /// All contexts, in the order of the file.
    pub(super) fn all(&self) -> impl Iterator<Item = Listed> {
        self.file.contexts.iter().map(|named| {
            let cluster = self
                .file
                .clusters
                .iter()
                .find(|cluster| cluster.name == named.context.cluster);
            Listed {
                name: named.name.clone(),
                server: cluster
                    .map(|named| named.cluster.server.clone())
                    .unwrap_or_default(),
                user: named.context.user.clone(),
                namespace: named.context.namespace.clone().unwrap_or_default(),
                is_current: self.current() == Some(&named.name),
            }
        })
    }

    /// The context of a name.
    ///
    /// # Errors
    /// When there is none, or it lacks something.
    pub(super) fn choose(&self, name: &str) -> Result<Chosen, ContextError> {
        let File {
            clusters,
            users,
            contexts,
            ..
        } = &self.file;
        let Some(NamedContext { context, .. }) = contexts.iter().find(|context| context.name == name) else {
            return Err(ContextError::NoSuch {
                name: name.to_owned(),
                path: self.path.clone(),
                hint: nearest::hint(name, contexts.iter().map(|context| context.name.as_str())),
            });
        };
        let missing = |what: &str, of: &str| {
            self.invalid(format!(
                "the context \"{name}\" names the {what} \"{of}\", which is not there"
            ))
        };
        let cluster = clusters.iter().find(|cluster| cluster.name == context.cluster);
        let cluster = &cluster
            .ok_or_else(|| missing("cluster", &context.cluster))?
            .cluster;
        let user = users.iter().find(|user| user.name == context.user);
        let user = &user.ok_or_else(|| missing("user", &context.user))?.user;
        Ok(Chosen {
            endpoint: Endpoint::Server(self.server(cluster, user)?),
            namespace: context
                .namespace
                .clone()
                .filter(|namespace| !namespace.is_empty()),
        })
    }

    /// A context as it can stand in another file: what it names in files is taken in.
    ///
    /// # Errors
    /// As of [`Contexts::choose`].
    pub(super) fn portable(&self, name: &str) -> Result<Value, ContextError> {
        let Chosen { endpoint, namespace } = self.choose(name)?;
        let mut entry = json!({"cluster": {}, "user": {}, "context": {}});
        if let Endpoint::Server(Server {
            url,
            authority,
            token,
        }) = endpoint
        {
            entry["cluster"]["server"] = url.into();
            entry["user"]["token"] = token.into();
            if let Some(pem) = authority {
                entry["cluster"]["certificate-authority-data"] = json!(ByteString(pem));
            }
        }
        if let Some(namespace) = namespace {
            entry["context"]["namespace"] = namespace.into();
        }
        Ok(entry)
    }

    fn server(&self, cluster: &Cluster, user: &User) -> Result<Server, ContextError> {
        let url = cluster.server.trim_end_matches('/').to_owned();
        if !url.starts_with("https://") {
            return Err(self.invalid(format!("the server \"{url}\" must be an https:// address")));
        }
        if cluster.insecure_skip_tls_verify {
            let why = "the cluster says insecure-skip-tls-verify, and WHOOSH speaks with nobody who does not show who they are: \
                       give its authority as certificate-authority";
            return Err(self.invalid(why.to_owned()));
        }
        let authority = match (
            &cluster.certificate_authority_data,
            &cluster.certificate_authority,
        ) {
            (Some(data), _) => Some(data.0.clone()),
            (None, Some(file)) => Some(self.beside(file)?),
            (None, None) => None,
        };
        let token = match (&user.token, &user.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) => String::from_utf8_lossy(&self.beside(file)?).trim().to_owned(),
            (None, None) => {
                return Err(self.invalid("the user has no token, and WHOOSH knows nothing else".to_owned()));
            }
        };
        Ok(Server {
            url,
            authority,
            token,
        })
    }

    /// A file that the contexts name, from their own folder.
    fn beside(&self, file: &Path) -> Result<Vec<u8>, ContextError> {
        let path = self.path.parent().unwrap_or(Path::new("")).join(file);
        fs::read(&path).map_err(|source| ContextError::UnreadableFile { path, source })
    }

    fn invalid(&self, why: String) -> ContextError {
        ContextError::Invalid {
            path: self.path.clone(),
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: swarm
  cluster: {server: 'https://swarm.example:6443/', certificate-authority: ca.pem}
- name: plain
  cluster: {server: 'http://swarm.example'}
users:
- name: ada
  user: {token: secret}
- name: file
  user: {tokenFile: token}
- name: nobody
  user: {client-certificate: x}
contexts:
- name: prod
  context: {cluster: swarm, user: ada, namespace: shop}
- name: by-file
  context: {cluster: swarm, user: file}
- name: plain
  context: {cluster: plain, user: ada}
- name: nobody
  context: {cluster: swarm, user: nobody}
- name: lost
  context: {cluster: swarm, user: gone}
";

    #[test]
    fn a_context_tells_where_and_with_what() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        for (name, content) in [("config", FILE), ("ca.pem", "PEM"), ("token", " from-file\n")] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let contexts = Contexts::read(&path).unwrap();
        assert_eq!(contexts.current(), Some("prod"));
        let server = |token: &str| {
            Endpoint::Server(Server {
                url: "https://swarm.example:6443".to_owned(),
                authority: Some(b"PEM".to_vec()),
                token: token.to_owned(),
            })
        };
        let chosen = contexts.choose("prod").unwrap();
        assert_eq!(
            (chosen.endpoint, chosen.namespace.as_deref()),
            (server("secret"), Some("shop"))
        );
        let chosen = contexts.choose("by-file").unwrap();
        assert_eq!((chosen.endpoint, chosen.namespace), (server("from-file"), None));
        for (name, part) in [
            ("plain", "must be an https:// address"),
            ("nobody", "has no token"),
            ("lost", "names the user \"gone\", which is not there"),
            ("prdo", "there is no context \"prdo\""),
        ] {
            let refused = contexts.choose(name).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
        assert!(!format!("{:?}", contexts.choose("prod").unwrap()).contains("secret"));
    }

    #[test]
    fn a_file_that_is_not_there_holds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let contexts = Contexts::read(&folder.path().join("none")).unwrap();
        assert_eq!((contexts.current(), contexts.all().count()), (None, 0));
        let path = folder.path().join("bad");
        for (text, part) in [
            ("a: [", "is not valid YAML"),
            ("clusters: 7", "this is no kubeconfig: "),
        ] {
            fs::write(&path, text).unwrap();
            let refused = Contexts::read(&path).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
        }
    }
}
