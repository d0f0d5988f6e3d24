//! Who sent a request: where it comes from, and, once that is known, who it is and what they may do.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::net::UnixStream;

use crate::resource::access::Grant;
use crate::resource::repository::UrlPattern;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A process of this machine that may open the socket: its owner's, by the socket's mode.
    Local {
        /// The user that it runs as, if the kernel tells.
        uid: Option<u32>,
    },
    /// Anybody on the network.
    Remote(SocketAddr),
}

impl Peer {
    /// Somebody at an address. An address of IPv4 is one, also when a listener of both kinds writes it as one of IPv6.
    pub(super) fn at(address: SocketAddr) -> Self {
        Self::Remote(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// What somebody on the network has of addresses: of IPv6, half of the bits are theirs to choose.
    pub(super) fn network(self) -> Option<IpAddr> {
        match self {
            Self::Local { .. } => None,
            Self::Remote(address) => Some(network(address.ip())),
        }
    }

    /// What the kernel says of a socket's peer.
    pub(super) fn of(stream: &UnixStream) -> Self {
        Self::Local {
            uid: stream.peer_cred().ok().map(|peer| peer.uid()),
        }
    }
}

/// What an address is one of, as far as one owner is concerned.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        four => four,
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { uid: Some(uid) } => write!(f, "unix:uid={uid}"),
            Self::Local { uid: None } => f.write_str("unix:unknown"),
            Self::Remote(address) => address.ip().fmt(f),
        }
    }
}

/// Who asks for something. Displays as the actor that the store records: `unix:uid=0`, `token:ci@10.0.0.7`,
/// `jwt:ada@10.0.0.7`, `webhook@10.0.0.7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    who: Who,
    /// What they may do.
    pub(super) grant: Grant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Local {
        uid: Option<u32>,
    },
    Bearer {
        proof: Proof,
        name: String,
        address: IpAddr,
    },
    Hook {
        peer: Peer,
    },
    Program {
        name: String,
        home: Home,
    },
}

/// Where a program sends secrets, and which servers are trusted besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The address of the repository that it identifies itself at; `None` if it does so at none.
    pub url: Option<String>,
    /// The repositories that the operator may fetch.
    pub allowed: Vec<UrlPattern>,
    /// The secret that it has values of variables from, by namespace and name, if it has some.
    pub variables: Option<(String, String)>,
}

/// By what somebody on the network is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A token of this operator.
    Token,
    /// A JWT of the issuer that it trusts.
    Jwt,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::Jwt => "jwt",
        })
    }
}

impl Caller {
    /// The owner of the socket.
    pub(super) fn local(uid: Option<u32>) -> Self {
        Self {
            who: Who::Local { uid },
            grant: Grant::everything(),
        }
    }

    /// The bearer of a token or a JWT.
    pub(super) fn bearer(proof: Proof, name: String, address: IpAddr, grant: Grant) -> Self {
        Self {
            who: Who::Bearer { proof, name, address },
            grant,
        }
    }

    /// The sender of a webhook, which may do what that does and nothing else.
    pub(super) fn hook(peer: Peer) -> Self {
        Self {
            who: Who::Hook { peer },
            grant: Grant::nothing(),
        }
    }

    /// A program of this process, on behalf of those who told it what to do.
    pub(super) fn program(name: String, grant: Grant, home: Home) -> Self {
        Self {
            who: Who::Program { name, home },
            grant,
        }
    }

    /// Where a program sends secrets; `None` of everybody else.
    pub(super) fn home(&self) -> Option<&Home> {
        match &self.who {
            Who::Program { home, .. } => Some(home),
            Who::Local { .. } | Who::Bearer { .. } | Who::Hook { .. } => None,
        }
    }

    /// Whether they are somewhere on the network.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self.who, Who::Bearer { .. } | Who::Hook { .. })
    }

    /// What they are called, wherever they are: `unix:uid=0`, `token:ci`, `jwt:ada`, `webhook`.
    pub(super) fn user_name(&self) -> String {
        match &self.who {
            Who::Local { uid } => Peer::Local { uid: *uid }.to_string(),
            Who::Bearer { proof, name, .. } => format!("{proof}:{name}"),
            Who::Hook { .. } => "webhook".to_owned(),
            Who::Program { name, .. } => name.clone(),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.user_name())?;
        match &self.who {
            Who::Local { .. } | Who::Program { .. } => Ok(()),
            Who::Bearer { address, .. } => write!(f, "@{address}"),
            Who::Hook { peer } => write!(f, "@{peer}"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Requests pass `authenticate` before anything else; one that did not has nobody's name and no rights.
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self {
            who: Who::Local { uid: None },
            grant: Grant::nothing(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_by_whichever_listener_it_comes() {
        for (address, expected) in [
            ("[::ffff:10.0.0.7]:4711", "10.0.0.7"),
            ("10.0.0.7:4711", "10.0.0.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
        ] {
            assert_eq!(Peer::at(address.parse().unwrap()).to_string(), expected);
        }
    }
}
