//! The listener on the network: with TLS, always.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::connections::{self, Acceptor, Listener};

/// Why the API cannot be served at an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (--listen chooses another address)")]
pub struct ListenError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// An address that clients with a token can connect to.
#[derive(Debug)]
pub struct SecurePort {
    address: SocketAddr,
    listener: Listener,
}

impl SecurePort {
    /// Listens on `address`; port 0 is one that is free.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn bind(address: SocketAddr, config: Arc<ServerConfig>) -> Result<Self, ListenError> {
        let failed = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener: Listener::Tls(listener, Acceptor(TlsAcceptor::from(config))),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `app` until `closing`, then lets requests that are under way end, for a few seconds at most.
    pub async fn serve(self, app: Router, closing: CancellationToken) {
        connections::serve(&self.listener, app, &closing).await;
    }
}
