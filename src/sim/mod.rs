//! A simulated Swarm: a Docker Engine 20.10 manager in memory, behind the real HTTP API on a Unix socket, so that
//! the real client works against it unchanged.
//!
//! ```text
//! client -> http::server -> faults (what goes wrong at this point?)
//!        -> http::router -> world (pure: decides, and says what is due when)
//! clock  -> world::advance_to(now) -> events -> every stream that follows
//! ```

mod ask;
mod clock;
pub mod faults;
mod http;
mod rehearsal;
mod world;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::UnixListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

pub use self::clock::Pace;
pub use self::rehearsal::{COLLECTIONS, Documents, Refused, Rehearsal};
pub use self::world::Timing;

use self::clock::Clock;
use self::faults::Faults;
use self::world::World;
use self::world::events::Event;
use self::world::model::Availability;

/// What a simulation begins with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its nodes; the first one is a manager, and the engine that answers is its.
    pub nodes: Vec<NodeSettings>,
    /// How long things take.
    pub timing: Timing,
    /// How time goes on.
    pub pace: Pace,
    /// Where chance begins: the same seed and requests make the same Swarm.
    pub seed: u64,
    /// The time at which it begins; `None` for now.
    pub start: Option<Timestamp>,
    /// Whether every image is there that was not taken away; otherwise only those that were given.
    pub all_images: bool,
    /// Whether the points at which faults can be played are remembered; otherwise none can be, and a Swarm may live
    /// for ever.
    pub remembers_points: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nodes: vec![NodeSettings::default()],
            timing: Timing::default(),
            pace: Pace::Live { speed: 1.0 },
            seed: 1,
            start: None,
            all_images: true,
            remembers_points: true,
        }
    }
}

impl Settings {
    /// The same with nodes `node-1`, `node-2`, …
    pub fn with_nodes(self, count: usize) -> Self {
        let node = |number: usize| NodeSettings {
            hostname: format!("node-{number}"),
            ..NodeSettings::default()
        };
        Self {
            nodes: (1..=count).map(node).collect(),
            ..self
        }
    }
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// Its host name, by which it is called here.
    pub hostname: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its processors, in billionths.
    pub nano_cpus: i64,
    /// Its memory, in bytes.
    pub memory_bytes: i64,
    /// Whether it is a manager.
    pub is_manager: bool,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            hostname: "node-1".to_owned(),
            labels: BTreeMap::new(),
            nano_cpus: 64_000_000_000,
            memory_bytes: 256 << 30,
            is_manager: false,
        }
    }
}

/// So many events may wait for one that follows them; whoever lags behind further is cut off, as by the engine.
const EVENTS_UNREAD: usize = 10_000;

/// A running simulation. Cheap to clone; with the last clone it ends.
#[derive(Clone, Debug)]
pub struct Simulation {
    shared: Arc<Shared>,
    _running: Arc<Running>,
}

#[derive(Debug)]
struct Running(Vec<JoinHandle<()>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// What connections, the clock and the handle share.
#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    clock: Clock,
    /// Wakes the clock when something is due earlier than it knows.
    earlier: Notify,
    streams: Mutex<Vec<mpsc::Sender<Arc<Event>>>>,
    faults: Faults,
}

impl Simulation {
    /// Starts a Swarm and serves its engine's API on a Unix socket. A socket on which nobody listens is replaced.
    ///
    /// # Errors
    /// When it cannot listen there, or something else is there.
    pub fn start(socket: &Path, settings: Settings) -> io::Result<Self> {
        let is_left_over = std::os::unix::net::UnixStream::connect(socket)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        let is_socket = socket
            .symlink_metadata()
            .is_ok_and(|found| found.file_type().is_socket());
        if is_left_over && is_socket {
            std::fs::remove_file(socket)?;
        }
        let listener = UnixListener::bind(socket)?;
        let Settings {
            nodes,
            timing,
            pace,
            seed,
            start,
            all_images,
            remembers_points,
        } = settings;
        let start = start.unwrap_or_else(Timestamp::now);
        let mut world = World::new(start, seed, timing);
        world.images.has_all = all_images;
        for node in nodes {
            world.add_node(node);
        }
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            clock: Clock::new(start, pace),
            earlier: Notify::new(),
            streams: Mutex::default(),
            faults: Faults::new(remembers_points),
        });
        let running = vec![
            tokio::spawn(http::server::serve(Arc::clone(&shared), listener)),
            tokio::spawn(keep_time(Arc::clone(&shared))),
        ];
        Ok(Self {
            shared,
            _running: Arc::new(Running(running)),
        })
    }

    /// What goes wrong, and where it could.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The time in the Swarm.
    pub fn now(&self) -> Timestamp {
        self.shared.with(|world| world.now)
    }

    /// Moves time on; with [`Pace::Live`] the clock goes its own way.
    pub fn advance(&self, by: Duration) {
        self.shared.with(|world| {
            let until = world.now.checked_add(by).unwrap_or(Timestamp::MAX);
            world.advance_to(until);
        });
    }

    /// Adds a node.
    pub fn add_node(&self, node: NodeSettings) {
        self.shared.with(|world| world.add_node(node));
    }

    /// A node goes silent; after a time the managers notice.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn fail_node(&self, node: &str) -> Result<(), Refused> {
        Ok(self.shared.with(|world| world.fail_node(node))?)
    }

    /// A node that was silent is back, with what ran on it.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn return_node(&self, node: &str) -> Result<(), Refused> {
        Ok(self.shared.with(|world| world.return_node(node))?)
    }

    /// The machine of a node that was silent has started anew: what ran on it ended with it.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn restart_node(&self, node: &str) -> Result<(), Refused> {
        Ok(self.shared.with(|world| world.restart_node(node))?)
    }

    /// Drains a node, or takes it back into use.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn drain(&self, node: &str, is_drained: bool) -> Result<(), Refused> {
        let availability = if is_drained {
            Availability::Drain
        } else {
            Availability::Active
        };
        Ok(self
            .shared
            .with(|world| world.set_availability(node, availability))?)
    }

    /// Cuts the managers off from one another, or lets them find their leader again at once. Without a leader they
    /// answer nothing, and decide nothing; so it is, too, while no more than half of them answer, and until the others
    /// have elected another leader in the place of one that fails.
    pub fn set_quorum(&self, has_quorum: bool) {
        self.shared.with(|world| world.set_quorum(has_quorum));
    }

    /// The leader hands over to another manager; for a moment, nobody leads.
    ///
    /// # Errors
    /// When no other manager answers.
    pub fn move_leader(&self) -> Result<(), Refused> {
        Ok(self.shared.with(World::move_leader)?)
    }

    /// Makes a node a manager, or a worker.
    ///
    /// # Errors
    /// When there is no such node, or the managers cannot do without it.
    pub fn set_manager(&self, node: &str, is_manager: bool) -> Result<(), Refused> {
        Ok(self.shared.with(|world| {
            let found = world.find_node(node)?.clone();
            world.update_node(
                node,
                found.meta.version,
                found.availability,
                found.labels,
                is_manager,
            )
        })?)
    }

    /// Makes an image known or takes it away; with a digest, a registry knows it, too.
    pub fn set_image(&self, reference: &str, is_there: bool, digest: Option<&str>) {
        self.shared
            .with(|world| world.images.set(reference, is_there, digest));
    }

    /// The containers of a service end with this exit code; how many did.
    pub fn end_containers(&self, service: &str, exit_code: i64) -> usize {
        self.shared.with(|world| world.end_containers(service, exit_code))
    }

    /// Makes a service's containers, if they have a health check, healthy or not.
    pub fn set_healthy(&self, service: &str, is_healthy: bool) {
        self.shared.with(|world| world.set_healthy(service, is_healthy));
    }
}

impl Shared {
    /// Looks at the Swarm or changes it, at the time that it is now; tells what came of it.
    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.world);
        if let Some(now) = self.clock.now() {
            world.advance_to(now);
        }
        let before = world.next_due();
        world.begin();
        let result = act(&mut world);
        if world.next_due() != before {
            self.earlier.notify_one();
        }
        self.tell(world.events.take_fresh());
        result
    }

    /// Follows the events from now on, after those since a time.
    fn subscribe(&self, since: Option<Timestamp>) -> (Vec<Arc<Event>>, mpsc::Receiver<Arc<Event>>) {
        let (sender, receiver) = mpsc::channel(EVENTS_UNREAD);
        let past = self.with(|world| {
            // While the Swarm is held, nothing can be told between the two.
            self.tell(world.events.take_fresh());
            lock(&self.streams).push(sender);
            since.map(|since| world.events.since(since))
        });
        (past.unwrap_or_default(), receiver)
    }

    fn tell(&self, events: Vec<Arc<Event>>) {
        if !events.is_empty() {
            let send = |stream: &mpsc::Sender<Arc<Event>>| {
                events
                    .iter()
                    .all(|event| stream.try_send(Arc::clone(event)).is_ok())
            };
            lock(&self.streams).retain(send);
        }
    }
}

/// Does what is due when its time comes.
async fn keep_time(shared: Arc<Shared>) {
    loop {
        let next = shared.with(|world| world.next_due());
        match next.and_then(|next| shared.clock.until(next)) {
            None => shared.earlier.notified().await,
            Some(wait) => {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = shared.earlier.notified() => {}
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked did so in a test, which fails by that.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
