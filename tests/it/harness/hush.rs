//! Something between a program and the socket of its server that can go silent, or lose what it holds.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::keeper::run;

/// A socket of the same name as the server's, in a folder of its own. It serves for as long as the test runs.
pub(crate) struct Hush {
    folder: PathBuf,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Default)]
struct State {
    is_silent: bool,
    /// How often all connections were cut.
    cuts: u32,
}

impl Hush {
    /// Passes on all that is said to `server` and back.
    pub(crate) async fn before(server: &Path) -> Self {
        let folder = run().room("hush");
        let listener = UnixListener::bind(folder.join(server.file_name().unwrap())).unwrap();
        let state = watch::Sender::new(State::default());
        let (server, states) = (server.to_owned(), state.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = UnixStream::connect(&server).await {
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::spawn(pass(from_client, to_server, states.subscribe()));
                    tokio::spawn(pass(from_server, to_client, states.subscribe()));
                }
            }
        });
        Self { folder, state }
    }

    /// Where its socket is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on nothing arrives. Connections stay open, and new ones are taken.
    pub(crate) fn silence(&self) {
        self.state.send_modify(|state| state.is_silent = true);
    }

    /// What was held back arrives, and all that follows.
    pub(crate) fn speak(&self) {
        self.state.send_modify(|state| state.is_silent = false);
    }

    /// Closes all connections, and what was held back is lost. New ones are served.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| {
            *state = State {
                is_silent: false,
                cuts: state.cuts + 1,
            }
        });
    }
}

/// Passes bytes on until either side ends, or all is cut.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let cuts = state.borrow().cuts;
    let mut cut = state.clone();
    let passing = async {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut bytes).await {
            let speaks = state.wait_for(|state| !state.is_silent && state.cuts == cuts);
            if speaks.await.is_err() || to.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = passing => {}
        _cut = cut.wait_for(|state| state.cuts != cuts) => {}
    }
}
