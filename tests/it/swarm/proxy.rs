//! Something between us and the engine that can go wrong in chosen ways.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The engine gets the next request whose path holds this, and its answer is lost.
    LoseAnswerTo(&'static str),
    /// Event streams stay open and tell nothing.
    Silence,
    /// Every connection is closed at once, and no new one is served.
    Refuse,
}

/// A TCP address in front of an engine's socket.
pub(super) struct Proxy {
    address: std::net::SocketAddr,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Proxy {
    pub(super) async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fault = Arc::new(Mutex::new(None));
        let faults = Arc::clone(&fault);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, socket.clone(), Arc::clone(&faults)));
            }
        });
        Self { address, fault }
    }

    pub(super) fn host(&self) -> String {
        format!("tcp://{}", self.address)
    }

    pub(super) fn inject(&self, fault: Fault) {
        *self.fault.lock().unwrap() = Some(fault);
    }
}

/// Passes bytes on until either side ends, or the fault says otherwise.
async fn serve(mut client: TcpStream, socket: PathBuf, fault: Arc<Mutex<Option<Fault>>>) {
    let mut engine = UnixStream::connect(socket).await.unwrap();
    let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut loses = false;
    let mut is_silent = false;
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                let head = String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned();
                let current = *fault.lock().unwrap();
                match current {
                    Some(Fault::Refuse) => return,
                    Some(Fault::LoseAnswerTo(path)) if head.contains(path) => {
                        *fault.lock().unwrap() = None;
                        loses = true;
                    }
                    Some(Fault::Silence) if head.contains("/events") => is_silent = true,
                    _ => {}
                }
                if engine.write_all(&request[..length]).await.is_err() {
                    return;
                }
            }
            read = engine.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if loses {
                    return;
                }
                // The headers come first and alone; what follows are events.
                if is_silent && !answer.starts_with(b"HTTP/1.1") {
                    continue;
                }
                if client.write_all(&answer[..length]).await.is_err() {
                    return;
                }
                answer[..length].fill(0);
            }
        }
    }
}
