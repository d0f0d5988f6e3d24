//! Something between a program and the socket of its server that can go silent.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::keeper::run;

/// A socket of the same name as the server's, in a folder of its own. It serves for as long as the test runs.
pub(crate) struct Hush {
    folder: PathBuf,
    silent: watch::Sender<bool>,
}

impl Hush {
    /// Passes on all that is said to `server` and back.
    pub(crate) async fn before(server: &Path) -> Self {
        let folder = run().room("hush");
        let listener = UnixListener::bind(folder.join(server.file_name().unwrap())).unwrap();
        let silent = watch::Sender::new(false);
        let (server, state) = (server.to_owned(), silent.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = UnixStream::connect(&server).await {
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::spawn(pass(from_client, to_server, state.subscribe()));
                    tokio::spawn(pass(from_server, to_client, state.subscribe()));
                }
            }
        });
        Self { folder, silent }
    }

    /// Where its socket is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on nothing arrives. Connections stay open, and new ones are taken.
    pub(crate) fn silence(&self) {
        self.silent.send_replace(true);
    }

    /// What was held back arrives, and all that follows.
    pub(crate) fn speak(&self) {
        self.silent.send_replace(false);
    }
}

/// Passes bytes on until either side ends.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut silent: watch::Receiver<bool>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let speaks = silent.wait_for(|silent| !silent).await.is_ok();
        if !speaks || to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
