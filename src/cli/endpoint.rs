//! Where the operator is: at a Unix socket of this machine, or at an address of the network.

use std::fmt;
use std::path::PathBuf;

/// Where the operator is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A socket, which asks for no token.
    Socket(PathBuf),
    /// An address, by TLS.
    Server(Server),
}

/// An operator on the network.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// `https://swarm.example:6443`, without a slash at its end.
    pub url: String,
    /// What its certificate is signed by, as PEM; `None` is what the system trusts.
    pub authority: Option<Vec<u8>>,
    /// What is shown at the door.
    pub token: String,
}

impl Endpoint {
    /// What paths of requests come behind. The host of an address means nothing on a Unix socket.
    pub(super) fn base(&self) -> &str {
        match self {
            Self::Socket(_) => "http://localhost",
            Self::Server(server) => &server.url,
        }
    }

    /// What to do when nobody answers there.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Socket(_) => "start it with `whoosh up`",
            Self::Server(_) => "is the address right, and the operator served there (--listen)?",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Server(server) => f.write_str(&server.url),
        }
    }
}

/// As displayed: without the token.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
