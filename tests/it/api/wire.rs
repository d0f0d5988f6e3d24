//! A TLS connection on which anything can be said, also what no client would send.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::PATIENCE;
use super::network::Door;

pub(super) struct Wire(TlsStream<TcpStream>);

impl Wire {
    /// Connects, and says nothing yet.
    pub(super) async fn to(door: &Door) -> Self {
        let mut trusted = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(door.certificate.as_bytes()).unwrap();
        trusted.add(authority).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let stream = TcpStream::connect(door.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        Self(connector.connect(name, stream).await.unwrap())
    }

    /// Whoever is not heard any more is not told so.
    pub(super) async fn send(&mut self, text: &str) {
        let _may_be_closed = self.0.write_all(text.as_bytes()).await;
        let _may_be_closed = self.0.flush().await;
    }

    /// What is read until the other end closes, which it may do without a word.
    pub(super) async fn rest(self) -> String {
        self.exchange("").await
    }

    /// The same, while something is sent, of which neither end may wait for the other to take all.
    async fn exchange(self, text: &str) -> String {
        let (mut from, mut to) = tokio::io::split(self.0);
        let mut told = Vec::new();
        let sending = async {
            let _may_be_closed = to.write_all(text.as_bytes()).await;
            let _may_be_closed = to.flush().await;
        };
        let both = async { tokio::join!(sending, from.read_to_end(&mut told)) };
        let ((), _may_be_cut) = timeout(PATIENCE, both)
            .await
            .expect("the connection is closed in time");
        String::from_utf8_lossy(&told).into_owned()
    }
}

/// All that is answered to this until the connection is closed.
pub(super) async fn say(door: &Door, text: &str) -> String {
    Wire::to(door).await.exchange(text).await
}

/// The codes of the answers, in their order.
pub(super) fn codes(told: &str) -> Vec<u16> {
    let answers = told.split("HTTP/1.").skip(1);
    answers.map(|answer| answer[2..5].parse().unwrap()).collect()
}
