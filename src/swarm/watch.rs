//! Keeps the cache fresh: events to be fast, polls where events tell nothing, full lists to be right.
//!
//! # Flow
//! The event stream is opened, then everything is listed, then events, polls and interval lists run side by
//! side. When any of them fails, or anybody's look at the engine does, the engine counts as away, and all of it
//! starts again. An event is a hint:
//! its object is read, and the read, not the event, decides whose turn it is.
//!
//! # Caveats
//! Tasks have no events. The containers of this node have: they start a burst of polls. Changes of tasks on
//! other nodes, of an owner that is not settling, are found by the count of running tasks in the interval list.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::cache::{Cache, Inner, lock};
use super::error::SwarmError;
use super::ledger::{Names, Scope};
use super::logs::reader;
use super::transport::{Call, filters};
use super::triggers::Trigger;
use super::wire;
use crate::plan::status::GRACE;
use crate::resource::object::Key;

/// The shortest time between two tries to reach an engine that is away.
const RECONNECT_MIN: Duration = Duration::from_millis(100);
/// The least time from one batch of events to the next: what comes alone is looked at at once, and a deployment's burst is
/// gathered, since a batch costs one read.
const GATHER: Duration = Duration::from_millis(10);
/// Between two full lists there is at least so many times as long as the last one took, so that a large Swarm's
/// managers can do other things.
const LIST_SHARE: u32 = 4;
/// How many events are taken together at most.
const BATCH: usize = 256;

type Events<R> = Lines<BufReader<R>>;
type Never = std::convert::Infallible;

impl Cache {
    /// Keeps the cache fresh and says what to reconcile ([`Cache::triggered`]), until it is dropped. An engine
    /// that is away is tried again for ever. Everything is listed again and again, [`Tuning::relist`] after the last
    /// time, or four times as long as that took.
    pub async fn run(&self) {
        tokio::select! {
            never = self.inner.keep() => match never {},
            never = self.inner.tell_outages() => match never {},
        }
    }
}

impl Inner {
    async fn keep(&self) -> Never {
        let (mut pause, mut since) = (RECONNECT_MIN, None);
        loop {
            let outage = match self.follow().await {
                Err(SwarmError::Away(outage)) => outage,
                Err(error) => self.lost(error),
            };
            if since.replace(outage.since) != Some(outage.since) {
                pause = RECONNECT_MIN;
            }
            sleep(pause).await;
            pause = (pause * 2).min(self.tuning.reconnect_max);
        }
    }

    /// Has everything looked at when the engine is lost, and again when what was seen last counts no more: only
    /// a look takes note of either.
    async fn tell_outages(&self) -> Never {
        let mut health = self.health.subscribe();
        // The sender lives as long as `self`.
        loop {
            drop(health.wait_for(|health| health.away.is_some()).await);
            self.triggers.add([Trigger::All]);
            let back = health.wait_for(|health| health.away.is_none());
            if timeout(GRACE.unsigned_abs(), back).await.is_err() {
                self.triggers.add([Trigger::All]);
                drop(health.wait_for(|health| health.away.is_none()).await);
            }
        }
    }

    /// Waits until somebody's look has lost the engine.
    async fn lost_by_a_look(&self) -> Result<Never, SwarmError> {
        let mut health = self.health.subscribe();
        loop {
            health.borrow_and_update().check()?;
            // The sender lives as long as `self`.
            drop(health.changed().await);
        }
    }

    /// One connection's life.
    async fn follow(&self) -> Result<Never, SwarmError> {
        self.engine().transport.negotiate().await?;
        let events = self.open_events().await?;
        self.list().await?;
        self.read_all_tasks().await?;
        self.health.send_modify(|health| {
            health.listed = true;
            health.away = None;
        });
        tracing::info!(host = %self.swarm.host(), "follows the Docker engine");
        self.triggers.add([Trigger::All]);
        tokio::select! {
            ended = self.hear(events) => ended,
            ended = self.relist() => ended,
            never = self.poll() => match never {},
            lost = self.lost_by_a_look() => lost,
        }
    }

    async fn open_events(&self) -> Result<Events<impl AsyncRead + Unpin>, SwarmError> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let query = filters(&[
            (
                "type",
                &words(&["service", "node", "network", "secret", "config", "container"]),
            ),
            (
                "event",
                &words(&["create", "update", "remove", "destroy", "die", "health_status"]),
            ),
        ]);
        let body = self
            .engine()
            .transport
            .open(Call::get(format!("/events?{query}")))
            .await?;
        Ok(BufReader::new(reader(body)).lines())
    }

    /// Reads everything but tasks; the owners for whom something changed or is left over, and whether nodes changed.
    async fn list(&self) -> Result<BTreeSet<Trigger>, SwarmError> {
        let read = self.begin();
        let engine = self.engine();
        let mut owners = BTreeSet::new();
        let take = |service: &[u8]| self.ledger().listed(read, service, &mut owners);
        let ((), nodes, others) =
            tokio::try_join!(engine.services(take), engine.nodes(), engine.shelved(None))?;
        let mut ledger = self.ledger();
        ledger.end(read, Scope::All, &mut owners);
        owners.extend(ledger.shelved(read, None, others));
        owners.extend(ledger.makers_of_idle_networks());
        let mut triggers: BTreeSet<Trigger> = owners.into_iter().map(Trigger::Owner).collect();
        if ledger.nodes(read, nodes) {
            triggers.insert(Trigger::All);
        }
        Ok(triggers)
    }

    async fn relist(&self) -> Result<Never, SwarmError> {
        let mut pause = self.tuning.relist;
        loop {
            sleep(pause).await;
            let start = Instant::now();
            let found = self.list().await?;
            self.tell(found).await?;
            pause = self.tuning.relist.max(LIST_SHARE * start.elapsed());
        }
    }

    /// Tells what was found to whom it concerns. When that is all, all tasks are read first, at once instead of for
    /// each owner by itself.
    async fn tell(&self, found: BTreeSet<Trigger>) -> Result<(), SwarmError> {
        if found.contains(&Trigger::All) {
            self.read_all_tasks().await?;
        }
        self.triggers.add(found);
        Ok(())
    }

    async fn poll(&self) -> Never {
        loop {
            let next = lock(&self.polls).next().map(|(owner, due)| (owner.clone(), due));
            let Some((owner, due)) = next else {
                self.earlier_poll.notified().await;
                continue;
            };
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.earlier_poll.notified() => continue,
            }
            let leftovers = self.ledger().has_leftovers(&owner);
            let has_changed = self.read_tasks(&owner, leftovers).await.unwrap_or_else(|error| {
                // One owner's trouble is not everybody's: the stream and the lists tell whether the engine is away.
                tracing::debug!(%owner, error = &error as &dyn std::error::Error, "cannot read its tasks now");
                false
            });
            lock(&self.polls).polled(&owner, has_changed, Instant::now());
            if has_changed {
                self.triggers.add([Trigger::Owner(owner)]);
            }
        }
    }

    async fn hear(&self, mut events: Events<impl AsyncRead + Unpin>) -> Result<Never, SwarmError> {
        let mut gathered = Instant::now();
        loop {
            let hints = next_hints(&mut events, gathered).await?;
            self.nudge(&hints.containers);
            let found = self.look(hints).await?;
            self.tell(found).await?;
            gathered = Instant::now() + GATHER;
        }
    }

    /// A container of a service changed on this node: its task does so about now.
    fn nudge(&self, services: &BTreeSet<String>) {
        let ledger = self.ledger();
        let owners: BTreeSet<&Key> = services.iter().filter_map(|id| ledger.owner_of(id)).collect();
        if !owners.is_empty() {
            let mut polls = lock(&self.polls);
            owners
                .into_iter()
                .for_each(|owner| polls.nudge(owner, Instant::now()));
            self.earlier_poll.notify_one();
        }
    }

    /// Reads what hints speak of.
    async fn look(&self, hints: Hints) -> Result<BTreeSet<Trigger>, SwarmError> {
        let Hints {
            services,
            nodes,
            names,
            containers: _,
        } = hints;
        let engine = self.engine();
        let mut owners = BTreeSet::new();
        let mut triggers = BTreeSet::new();
        if !services.is_empty() {
            let read = self.begin();
            let ids: Vec<String> = services.iter().cloned().collect();
            let answer = engine.services_by_id(&ids).await?;
            owners.extend(self.ledger().services(read, Scope::Ids(&services), answer));
        }
        if names != Names::default() {
            let read = self.begin();
            let answer = engine.shelved(Some(&names)).await?;
            owners.extend(self.ledger().shelved(read, Some(&names), answer));
        }
        if nodes {
            let read = self.begin();
            let answer = engine.nodes().await?;
            let mut ledger = self.ledger();
            if ledger.nodes(read, answer) {
                triggers.insert(Trigger::All);
            }
        }
        triggers.extend(owners.into_iter().map(Trigger::Owner));
        Ok(triggers)
    }
}

/// What a batch of events speaks of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hints {
    /// Ids of services.
    services: BTreeSet<String>,
    /// Ids of services of which a container on this node changed.
    containers: BTreeSet<String>,
    nodes: bool,
    names: Names,
}

impl Hints {
    fn add(&mut self, event: wire::Event) {
        let name = event.actor.attributes.get("name").cloned();
        match event.kind.as_str() {
            "service" => drop(self.services.insert(event.actor.id)),
            "node" => self.nodes = true,
            "network" => self.names.networks.extend(name),
            "secret" => self.names.secrets.extend(name),
            "config" => self.names.configs.extend(name),
            "container" if event.action != "create" => {
                self.containers
                    .extend(event.actor.attributes.get("com.docker.swarm.service.id").cloned());
            }
            _ => {}
        }
    }
}

/// Waits for an event, and takes with it those that follow until `gathered`, or are there already. Each comes in a piece of its own, of which the
/// connection holds the next one back until the last one was taken: that none is there now does not mean that none
/// is waiting.
async fn next_hints(
    events: &mut Events<impl AsyncRead + Unpin>,
    gathered: Instant,
) -> Result<Hints, SwarmError> {
    let mut hints = Hints::default();
    hints.add(parse(events.next_line().await)?);
    for _ in 1..BATCH {
        match timeout_at(gathered, events.next_line()).await {
            Ok(line) => hints.add(parse(line)?),
            Err(_elapsed) => break,
        }
    }
    Ok(hints)
}

fn parse(line: std::io::Result<Option<String>>) -> Result<wire::Event, SwarmError> {
    let text = match line {
        Ok(Some(text)) => text,
        Ok(None) => return Err(lost(std::io::ErrorKind::UnexpectedEof.into())),
        Err(error) => return Err(lost(error)),
    };
    serde_json::from_str(&text).map_err(|source| SwarmError::Unreadable {
        what: EVENTS.to_owned(),
        source,
    })
}

fn lost(source: std::io::Error) -> SwarmError {
    SwarmError::Lost {
        what: EVENTS.to_owned(),
        source,
    }
}

const EVENTS: &str = "GET /events";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::kind::Kind;
    use crate::swarm::{SecretsDir, Swarm, Want};

    const EVENTS: &str = r#"{"Type":"service","Action":"create","Actor":{"ID":"s1","Attributes":{"name":"a"}},"scope":"swarm"}
{"Type":"service","Action":"remove","Actor":{"ID":"s2"}}
{"Type":"container","Action":"die","Actor":{"ID":"c","Attributes":{"com.docker.swarm.service.id":"s3"}}}
{"Type":"container","Action":"create","Actor":{"ID":"c","Attributes":{"com.docker.swarm.service.id":"s4"}}}
{"Type":"container","Action":"die","Actor":{"ID":"by hand","Attributes":null}}
{"Type":"secret","Action":"create","Actor":{"ID":"x","Attributes":{"name":"token"}}}
{"Type":"novelty","Action":"appear"}
{"Type":"node","Action":"update","Actor":{"ID":"n"}}
"#;

    fn cache() -> Cache {
        let swarm = Swarm::connect("unix:///nowhere/docker.sock").unwrap();
        Cache::new(swarm, "here", SecretsDir::default())
    }

    fn refused() -> SwarmError {
        lost(std::io::ErrorKind::ConnectionRefused.into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_loss_is_told_when_it_begins_and_when_its_grace_is_over() {
        let cache = cache();
        let inner = &cache.inner;
        let told = async {
            let start = Instant::now();
            let mut told = Vec::new();
            for _ in 0..2 {
                assert_eq!(cache.triggered().await, Trigger::All);
                told.push(start.elapsed().as_secs());
            }
            inner.health.send_modify(|health| health.away = None);
            told
        };
        inner.lost(refused());
        let told = tokio::select! {
            told = told => told,
            never = inner.tell_outages() => match never {},
        };
        assert_eq!(told, [0, 10]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_loss_is_told_once() {
        let cache = cache();
        let inner = &cache.inner;
        let told = async {
            assert_eq!(cache.triggered().await, Trigger::All);
            inner.health.send_modify(|health| health.away = None);
            timeout(10 * GRACE.unsigned_abs(), cache.triggered()).await.ok()
        };
        inner.lost(refused());
        let again = tokio::select! {
            again = told => again,
            never = inner.tell_outages() => match never {},
        };
        assert_eq!(again, None);
    }

    #[test]
    fn an_outage_lasts_from_its_first_failure_with_the_words_of_the_last() {
        let cache = cache();
        let first = cache.inner.lost(refused());
        let why = SwarmError::OutOfSequence;
        let words = why.to_string();
        let second = cache.inner.lost(why);
        assert_eq!((second.since, second.to_string()), (first.since, words));
        assert_eq!(cache.health().unwrap_err().to_string(), second.to_string());
    }

    #[tokio::test]
    async fn a_look_that_loses_the_engine_makes_it_away_for_all() {
        let cache = cache();
        cache.inner.health.send_modify(|health| health.listed = true);
        let key = Key::new(Kind::Team, "default", "a");
        let error = cache.observe(&Want::own(&key)).await.unwrap_err();
        assert!(matches!(error, SwarmError::Away(_)), "{error:?}");
        assert!(cache.health().is_err());
        assert!(matches!(
            cache.inner.lost_by_a_look().await,
            Err(SwarmError::Away(_))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_come_one_by_one_are_taken_together() {
        // Room for no more than one event, as a connection has.
        let (mut server, client) = tokio::io::duplex(64);
        let told = async {
            for number in 0..BATCH {
                let event = format!(
                    "{{\"Type\":\"service\",\"Action\":\"create\",\"Actor\":{{\"ID\":\"s{number}\"}}}}\n"
                );
                tokio::io::AsyncWriteExt::write_all(&mut server, event.as_bytes())
                    .await
                    .unwrap();
            }
        };
        let mut events = BufReader::new(client).lines();
        let (hints, ()) = tokio::join!(next_hints(&mut events, Instant::now() + GATHER), told);
        assert_eq!(hints.unwrap().services.len(), BATCH);
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_come_together_are_taken_together() {
        let mut events = BufReader::new(EVENTS.as_bytes()).lines();
        let error = next_hints(&mut events, Instant::now()).await.unwrap_err();
        assert!(
            matches!(error, SwarmError::Lost { .. }),
            "the stream has ended: {error}"
        );
        let (mut server, client) = tokio::io::duplex(4096);
        tokio::io::AsyncWriteExt::write_all(&mut server, EVENTS.as_bytes())
            .await
            .unwrap();
        let mut events = BufReader::new(client).lines();
        let expect = Hints {
            services: ["s1".to_owned(), "s2".to_owned()].into(),
            containers: ["s3".to_owned()].into(),
            nodes: true,
            names: Names {
                secrets: ["token".to_owned()].into(),
                ..Names::default()
            },
        };
        let hints = next_hints(&mut events, Instant::now()).await;
        assert_eq!(hints.unwrap(), expect);
    }
}
