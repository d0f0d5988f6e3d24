//! The end of a server.

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;

/// Waits for SIGTERM or SIGINT. From the call on, neither ends the program by itself.
pub(crate) fn told_to_stop() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
