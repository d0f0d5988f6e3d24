//! The connection to NATS: made in the background, mended for ever, and never a reason to wait.

use std::time::Duration;

use async_nats::{ConnectOptions, Event, HeaderMap, Subscriber};
use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::backbeat::{BeatFrame, StatusClaim};
use super::contract::{MessageError, Problems};
use super::id::ClusterId;
use super::servers::Servers;
use super::subjects::Subjects;

/// The header that names a message's contract.
const SCHEMA_HEADER: &str = "Chorus-Schema";
/// The header that tells when a message was sent (RFC 3339).
const PUBLISHED_AT_HEADER: &str = "Published-At";

/// A dead peer is noticed after three of these; async-nats would take a minute for each.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const LONGEST_RECONNECT_DELAY: Duration = Duration::from_secs(4);
/// Only the newest beat matters, so a short queue is enough.
const SUBSCRIPTION_CAPACITY: usize = 64;
const COMMAND_CAPACITY: usize = 64;

/// A connection to NATS. A clone shares it.
#[derive(Clone)]
pub struct Bus {
    client: async_nats::Client,
    subjects: Subjects,
    link: watch::Receiver<Link>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Connecting,
    Up,
    Down,
}

/// The beats of one cluster.
pub struct Beats(Subscriber);

/// The servers' addresses cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the NATS servers {servers}")]
pub struct ConnectError {
    servers: String,
    #[source]
    source: async_nats::ConnectError,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// No connection at the moment. The message is dropped: it would be stale when the connection is back.
    #[error("NATS is not connected")]
    Offline,
    /// The message breaks its contract.
    #[error("the message breaks its contract")]
    Invalid(#[from] Problems),
    /// The message cannot be written as JSON.
    #[error("the message cannot be written as JSON")]
    Encode(#[from] serde_json::Error),
    /// The client refused it.
    #[error("NATS did not take the message")]
    Client(#[from] async_nats::PublishError),
}

/// The client is closed.
#[derive(Debug, thiserror::Error)]
#[error("cannot subscribe to {subject}")]
pub struct SubscribeError {
    subject: String,
    #[source]
    source: async_nats::SubscribeError,
}

/// What was sent could not be handed to the network.
#[derive(Debug, thiserror::Error)]
pub enum FlushError {
    /// No connection at the moment.
    #[error("NATS is not connected")]
    Offline,
    /// The client is closed.
    #[error("NATS did not take what was sent")]
    Client(#[from] async_nats::client::FlushError),
}

impl Bus {
    /// Starts to connect, and to reconnect whenever the connection is lost. Returns at once.
    ///
    /// `name` is how the NATS server lists this connection.
    ///
    /// # Errors
    /// None that an outage of NATS could cause.
    pub async fn connect(servers: &Servers, name: &str, subjects: Subjects) -> Result<Self, ConnectError> {
        let (changed, link) = watch::channel(Link::Connecting);
        let options = ConnectOptions::new()
            .name(name)
            .retry_on_initial_connect()
            .ping_interval(PING_INTERVAL)
            .reconnect_delay_callback(reconnect_delay)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .client_capacity(COMMAND_CAPACITY)
            .event_callback(move |event| {
                note(&event, &changed);
                std::future::ready(())
            });
        let client = servers
            .authenticate(options)
            .connect(servers.addresses())
            .await
            .map_err(|source| ConnectError {
                servers: servers.to_string(),
                source,
            })?;
        Ok(Self {
            client,
            subjects,
            link,
        })
    }

    /// Whether NATS answers at the moment.
    pub fn is_connected(&self) -> bool {
        *self.link.borrow() == Link::Up
    }

    /// Waits until a connection is made that this handle has not seen yet.
    pub async fn connected(&mut self) {
        while self.link.changed().await.is_ok() {
            if *self.link.borrow_and_update() == Link::Up {
                return;
            }
        }
        std::future::pending().await
    }

    /// Follows the beats of `cluster`, over reconnects too.
    ///
    /// # Errors
    /// The client is closed.
    pub async fn beats(&self, cluster: &ClusterId) -> Result<Beats, SubscribeError> {
        let subject = self.subjects.beat(cluster);
        match self.client.subscribe(subject.clone()).await {
            Ok(subscriber) => Ok(Beats(subscriber)),
            Err(source) => Err(SubscribeError { subject, source }),
        }
    }

    /// Sends `claim` as an agent's status and heartbeat.
    ///
    /// # Errors
    /// See [`PublishError`]; nothing is kept for later.
    pub async fn publish_status(&self, cluster: &ClusterId, claim: &StatusClaim) -> Result<(), PublishError> {
        claim.validate()?;
        if !self.is_connected() {
            return Err(PublishError::Offline);
        }
        let mut headers = HeaderMap::new();
        headers.insert(SCHEMA_HEADER, StatusClaim::SCHEMA);
        headers.insert(PUBLISHED_AT_HEADER, Timestamp::now().to_string());
        let body = serde_json::to_vec(claim)?;
        let subject = self.subjects.status(cluster);
        Ok(self
            .client
            .publish_with_headers(subject, headers, body.into())
            .await?)
    }

    /// Waits until all that was sent is with the network. Bound it: a server that hangs makes it wait.
    ///
    /// # Errors
    /// No connection, so there is nothing to wait for.
    pub async fn flush(&self) -> Result<(), FlushError> {
        if !self.is_connected() {
            return Err(FlushError::Offline);
        }
        Ok(self.client.flush().await?)
    }
}

impl Beats {
    /// The next beat, or what was sent in place of one. Waits for ever once the client is closed.
    pub async fn next(&mut self) -> Result<BeatFrame, MessageError> {
        match self.0.next().await {
            Some(message) => BeatFrame::from_json(&message.payload),
            None => std::future::pending().await,
        }
    }
}

/// Logs an outage once, however many attempts it lasts.
fn note(event: &Event, link: &watch::Sender<Link>) {
    match event {
        Event::Connected => {
            link.send_replace(Link::Up);
            info!("connected to NATS");
        }
        Event::Disconnected => {
            link.send_replace(Link::Down);
            warn!("lost the connection to NATS; reconnecting");
        }
        Event::ClientError(error) if *link.borrow() == Link::Connecting => {
            link.send_replace(Link::Down);
            warn!(%error, "NATS does not answer; trying again until it does");
        }
        other => debug!(event = %other, "NATS"),
    }
}

/// Doubles from 50 ms, with jitter so that a thousand agents do not return to a broker in one instant.
fn reconnect_delay(attempt: usize) -> Duration {
    let Some(doublings) = attempt.checked_sub(2) else {
        return Duration::ZERO;
    };
    let doublings = u32::try_from(doublings).unwrap_or(u32::MAX).min(16);
    let longest = Duration::from_millis(50)
        .saturating_mul(1 << doublings)
        .min(LONGEST_RECONNECT_DELAY);
    longest.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::reconnect_delay;

    #[test]
    fn reconnects_start_at_once_and_slow_down_to_a_bound() {
        fn check(attempt: usize, least: u64, most: u64) {
            let delay = reconnect_delay(attempt);
            let allowed = Duration::from_millis(least)..=Duration::from_millis(most);
            assert!(allowed.contains(&delay), "attempt {attempt}: {delay:?}");
        }
        check(0, 0, 0);
        check(1, 0, 0);
        check(2, 25, 50);
        check(3, 50, 100);
        check(9, 2000, 4000);
        check(usize::MAX, 2000, 4000);
    }
}
