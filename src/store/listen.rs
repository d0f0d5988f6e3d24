//! One connection a [`Store`](super::Store) that listens for new revisions, and wakes every watcher.

use std::error::Error;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;
use super::connect::{ACQUIRE_TIMEOUT, PING_TIMEOUT};

/// What the trigger on `revisions` notifies.
const CHANNEL: &str = "whoosh_revisions";
/// After how long without a notification the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);

/// Changes when there may be something new in the log. It says neither that there is, nor what: read the log.
pub(super) type Wake = watch::Receiver<()>;

/// Listens until the last [`Wake`] is dropped.
pub(super) fn start(options: PgConnectOptions) -> Wake {
    let (sender, receiver) = watch::channel(());
    tokio::spawn(async move {
        tokio::select! {
            () = sender.closed() => {}
            () = listen(&options, &sender) => {}
        }
    });
    receiver
}

async fn listen(options: &PgConnectOptions, wake: &watch::Sender<()>) {
    let mut backoff = Backoff::new();
    loop {
        match subscribe(options).await {
            Ok(listener) => {
                backoff = Backoff::new();
                pass_on(listener, wake).await;
                tracing::debug!("the connection that listens for revisions was lost");
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "cannot listen for new revisions");
            }
        }
        sleep(backoff.next()).await;
    }
}

async fn subscribe(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    // A pool of its own, so that listening never takes a connection away from queries; and a new one each time, because
    // a connection that hangs does not leave its pool.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Wakes at once, for what was written while nobody listened, and then at each notification.
async fn pass_on(mut listener: PgListener, wake: &watch::Sender<()>) {
    wake.send_replace(());
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(_))) => {
                while listener.next_buffered().is_some() {}
                wake.send_replace(());
            }
            Err(_elapsed) if is_alive(&mut listener).await => {}
            _ => return,
        }
    }
}

/// Whether there is somebody at the other end who merely has nothing to tell.
async fn is_alive(listener: &mut PgListener) -> bool {
    let ping = sqlx::query("SELECT").execute(listener);
    matches!(timeout(PING_TIMEOUT, ping).await, Ok(Ok(_)))
}
