//! What every command is given: the client, the namespace, and where its output goes.

use std::path::PathBuf;
use std::time::Duration;

use super::args::GlobalArgs;
use super::client::{Client, Selection};
use super::contexts::{Chosen, Contexts};
use super::endpoint::Endpoint;
use super::error::CliError;
use super::print::paint::Paint;
use super::target::Target;
use super::{object, paths, print};
use crate::resource::object::DEFAULT_NAMESPACE;
use crate::resource::{Key, Kind};

/// How long an answer is waited for where nothing else is said.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What every command is given.
pub(crate) struct Context {
    /// Asks the operator.
    pub client: Client,
    /// How long the command line says to wait for each answer, if it says so.
    request_timeout: Option<Duration>,
    /// The namespace that is meant where none is named.
    usual_namespace: String,
    /// Where objects are listed; `None` is all namespaces.
    pub scope: Option<String>,
    /// The namespace that the command line names, if it names one.
    pub named_namespace: Option<String>,
    /// Whether the operator is the one that `whoosh up` runs here.
    pub is_own: bool,
    /// Colours for standard output.
    pub paint: Paint,
}

impl Context {
    /// From the global flags.
    ///
    /// # Errors
    /// When the context that is meant cannot be used.
    pub(super) fn new(global: &GlobalArgs) -> Result<Self, CliError> {
        let GlobalArgs {
            namespace,
            all_namespaces,
            socket,
            config,
            context,
            request_timeout,
            verbose,
        } = global;
        let Chosen {
            endpoint,
            namespace: usual,
        } = chosen(socket.clone(), config.clone(), context.as_deref())?;
        let usual = usual.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        let scope = namespace.clone().unwrap_or_else(|| usual.clone());
        let own = Endpoint::Socket(paths::socket_in(&paths::home()));
        Ok(Self {
            is_own: endpoint == own,
            client: Client::new(endpoint, patience(*request_timeout, REQUEST_TIMEOUT), *verbose)?,
            request_timeout: *request_timeout,
            usual_namespace: usual,
            scope: Some(scope).filter(|_| !all_namespaces),
            named_namespace: namespace.clone(),
            paint: Paint::for_stdout(),
        })
    }

    /// The client, for what takes as long as `usual` to answer where the command line says nothing else.
    pub(super) fn patient_client(&self, usual: Duration) -> Client {
        self.client.waiting(patience(self.request_timeout, usual))
    }

    /// The namespace of manifests that name none.
    pub(super) fn default_namespace(&self) -> &str {
        self.named_namespace.as_deref().unwrap_or(&self.usual_namespace)
    }

    /// The key of a named object.
    ///
    /// # Errors
    /// With `-A`: a name means nothing in all namespaces.
    pub(super) fn key(&self, kind: Kind, name: &str) -> Result<Key, CliError> {
        match &self.scope {
            Some(namespace) => Ok(Key::new(kind, namespace, name)),
            None => Err(CliError::Usage(
                "a name needs one namespace: use -n NAMESPACE instead of -A".to_owned(),
            )),
        }
    }

    /// All objects of a kind in the scope.
    pub(super) fn selection(&self, kind: Kind, labels: Option<&str>) -> Selection {
        Selection {
            kind,
            namespace: self.scope.clone(),
            labels: labels.map(str::to_owned),
            fields: None,
        }
    }

    /// The objects that a target of a command means: the named one, or those that a selector or `all` picks.
    ///
    /// # Errors
    /// When neither a name nor a selector says which, or both do, and when the operator cannot be asked.
    pub(super) async fn keys(
        &self,
        Target { kind, name }: Target,
        labels: Option<&str>,
        all: bool,
    ) -> Result<Vec<Key>, CliError> {
        match name {
            Some(_) if all || labels.is_some() => Err(CliError::Usage(
                "objects are named or selected, not both: leave out the names, or -l and --all".to_owned(),
            )),
            Some(name) => Ok(vec![self.key(kind, &name)?]),
            None if all || labels.is_some() => {
                let listed = self.client.list(&self.selection(kind, labels)).await?;
                Ok(listed.items.iter().filter_map(object::key).collect())
            }
            None => Err(CliError::Usage(format!(
                "which {} are meant? name them, or use -l LABELS or --all",
                kind.plural()
            ))),
        }
    }

    /// What is said of an empty list of `what`.
    pub(super) fn nothing_found(&self, what: &str) -> String {
        match &self.scope {
            Some(namespace) => format!("No {what} found in {namespace} namespace."),
            None => format!("No {what} found."),
        }
    }

    /// Writes text to standard output, all of it, now.
    ///
    /// # Errors
    /// When standard output is closed or full.
    pub(super) fn print(&self, text: &str) -> Result<(), CliError> {
        print::out(text)
    }
}

/// The operator that a command line means: the context that it names, or the socket, or the current context, or this
/// machine's own.
///
/// # Errors
/// When the context cannot be used.
pub(super) fn chosen(
    socket: Option<PathBuf>,
    config: Option<PathBuf>,
    context: Option<&str>,
) -> Result<Chosen, CliError> {
    if let (Some(socket), None) = (&socket, context) {
        return Ok(at_socket(socket.clone()));
    }
    let file = config.or_else(paths::default_config);
    let contexts = file.map(|file| Contexts::read(&file)).transpose()?;
    let name = context;
    let name = name.or_else(|| contexts.as_ref().and_then(Contexts::current));
    match (&contexts, name) {
        (Some(contexts), Some(name)) => Ok(contexts.choose(name)?),
        (None, Some(_)) => Err(CliError::Usage(
            "name the file of contexts with --config".to_owned(),
        )),
        (_, None) => Ok(at_socket(paths::default_socket())),
    }
}

fn at_socket(socket: PathBuf) -> Chosen {
    Chosen {
        endpoint: Endpoint::Socket(socket),
        namespace: None,
    }
}

/// How long to wait; `None` is without end.
fn patience(said: Option<Duration>, usual: Duration) -> Option<Duration> {
    Some(said.unwrap_or(usual)).filter(|timeout| !timeout.is_zero())
}
