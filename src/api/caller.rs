//! Who is at the other end of the socket.

use std::convert::Infallible;
use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::net::UnixStream;

/// The process that sent a request. Displays as the actor that the store records: `unix:uid=0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Caller {
    uid: Option<u32>,
}

impl Caller {
    /// What the kernel says of a connection's peer.
    pub(super) fn of(stream: &UnixStream) -> Self {
        Self {
            uid: stream.peer_cred().ok().map(|peer| peer.uid()),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.uid {
            Some(uid) => write!(f, "unix:uid={uid}"),
            None => f.write_str("unix:unknown"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
