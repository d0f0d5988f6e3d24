//! What every command is given: the client, the namespace, and where its output goes.

use std::io::Write;

use super::args::GlobalArgs;
use super::client::{Client, ClientError, Selection};
use super::error::CliError;
use super::print::paint::Paint;
use crate::resource::object::DEFAULT_NAMESPACE;
use crate::resource::{Key, Kind};

/// What every command is given.
pub(crate) struct Context {
    /// Asks the operator.
    pub client: Client,
    /// The namespace of the command line; `None` is all of them.
    pub scope: Option<String>,
    /// Colours for standard output.
    pub paint: Paint,
}

impl Context {
    /// From the global flags.
    pub fn new(global: &GlobalArgs) -> Result<Self, ClientError> {
        let GlobalArgs {
            namespace,
            all_namespaces,
            socket,
            request_timeout,
            verbose,
        } = global;
        let timeout = Some(*request_timeout).filter(|timeout| !timeout.is_zero());
        let namespace = namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        Ok(Self {
            client: Client::new(&socket.clone().unwrap_or_else(super::paths::default_socket), timeout, *verbose)?,
            scope: Some(namespace).filter(|_| !all_namespaces),
            paint: Paint::for_stdout(),
        })
    }

    /// The namespace that a single object is looked up in.
    ///
    /// # Errors
    /// With `-A`: a name means nothing in all namespaces.
    pub fn namespace(&self) -> Result<&str, CliError> {
        self.scope.as_deref().ok_or_else(|| {
            CliError::Usage("a name needs one namespace: use -n NAMESPACE instead of -A".to_owned())
        })
    }

    /// The key of a named object.
    ///
    /// # Errors
    /// With `-A`.
    pub fn key(&self, kind: Kind, name: &str) -> Result<Key, CliError> {
        Ok(Key::new(kind, self.namespace()?, name))
    }

    /// All objects of a kind in the scope.
    pub fn selection(&self, kind: Kind, labels: Option<&str>) -> Selection {
        Selection {
            kind,
            namespace: self.scope.clone(),
            labels: labels.map(str::to_owned),
            fields: None,
        }
    }

    /// Where an empty list was looked for: `default namespace`, or nothing for all of them.
    pub fn nothing_found(&self) -> String {
        match &self.scope {
            Some(namespace) => format!("No resources found in {namespace} namespace."),
            None => "No resources found.".to_owned(),
        }
    }

    /// Writes text to standard output, all of it, now.
    ///
    /// # Errors
    /// When standard output is closed or full.
    pub fn print(&self, text: &str) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(CliError::Output)
    }
}
