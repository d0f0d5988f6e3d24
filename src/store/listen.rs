//! One connection a [`Store`](super::Store) that listens for new revisions, and wakes every watcher.

use std::error::Error;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::sleep;

use super::backoff::Backoff;
use super::connect::ACQUIRE_TIMEOUT;

/// What the trigger on `revisions` notifies.
const CHANNEL: &str = "whoosh_revisions";

/// Changes when there may be something new in the log. It says neither that there is, nor what: read the log.
pub(super) type Wake = watch::Receiver<()>;

/// Listens until the last [`Wake`] is dropped.
pub(super) fn start(options: PgConnectOptions) -> Wake {
    let (sender, receiver) = watch::channel(());
    // A pool of its own, so that listening never takes a connection away from queries.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options);
    tokio::spawn(async move {
        tokio::select! {
            () = sender.closed() => {}
            () = listen(&pool, &sender) => {}
        }
    });
    receiver
}

async fn listen(pool: &PgPool, wake: &watch::Sender<()>) {
    let mut backoff = Backoff::new();
    loop {
        match subscribe(pool).await {
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

async fn subscribe(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Wakes at once, for what was written while nobody listened, and then at each notification.
async fn pass_on(mut listener: PgListener, wake: &watch::Sender<()>) {
    loop {
        wake.send_replace(());
        if !matches!(listener.try_recv().await, Ok(Some(_))) {
            return;
        }
        while listener.next_buffered().is_some() {}
    }
}
