//! Judges one slot from what the engine says of its service's tasks.
//!
//! Only tasks of the current spec count, one of them a slot, and a task is only as good as the node it is on:
//! the engine shows the tasks of a node that is down as running until the node is gone for a day.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::resource::workload::DesiredHealthCheck;

use super::observed::{Node, Service, Task, TaskState};
use super::placement;

/// Failures that are older say nothing about now.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// So many failures in the window are a loop.
const LOOP: usize = 3;
/// An agent in a loop is not ready before it has run for this long.
pub(super) const STABLE: SignedDuration = SignedDuration::from_secs(30);

/// The managers give a task its addresses within moments. After this time, there is none to be had.
pub(super) const ADDRESSING: SignedDuration = SignedDuration::from_secs(15);

/// The managers touch a task that ended a moment after they replaced it, to take its address back. What they hear of
/// it after this time, they hear late.
const LATE: SignedDuration = SignedDuration::from_secs(5);

/// How an agent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs what is declared, and is healthy.
    Ready,
    /// Its container is being started, or is not healthy yet.
    Starting,
    /// The engine has not found a place for it yet.
    Pending {
        /// The engine's words; may be empty.
        why: String,
    },
    /// Its image is not to be had.
    ImageMissing {
        /// The engine's error.
        error: String,
        /// How often it was tried.
        count: usize,
    },
    /// It has had no address for a while. The engine does not say which network has none.
    Unaddressed,
    /// No node takes it.
    NothingFits {
        /// The engine's reasons, for example `scheduling constraints not satisfied on 1 node`.
        why: String,
    },
    /// It ended, and is started again.
    Failed {
        /// The container's exit code.
        exit_code: Option<i64>,
        /// The engine's error.
        error: String,
    },
    /// It ended again and again.
    CrashLoop {
        /// The container's last exit code.
        exit_code: Option<i64>,
        /// The engine's last error.
        error: String,
        /// How often it ended, as far as the engine remembers.
        count: usize,
    },
    /// It was stopped because its health check failed.
    Unhealthy {
        /// Whether the engine says so. It does not say why it stopped a container that then ended well, so that
        /// is concluded from an agent that ends well again and again.
        told: bool,
    },
    /// Its node does not answer.
    NodeDown {
        /// The node's host name.
        node: String,
    },
    /// It does not run this generation yet.
    Updating,
    /// It has no service.
    Missing,
}

/// A judged slot.
#[derive(Clone, Debug)]
pub struct Health<'a> {
    /// How its agent is.
    pub verdict: Verdict,
    /// The task that the verdict speaks of.
    pub task: Option<&'a Task>,
    /// The tasks of the current spec that ended by themselves, newest first, as far as the engine remembers.
    pub ended: Vec<&'a Task>,
}

/// Judges the service of a slot. `outdated` says that it is not what is declared, and has to be replaced.
pub fn judge<'a>(
    live: Option<&'a Service>,
    outdated: bool,
    nodes: &BTreeMap<String, Node>,
    now: Timestamp,
) -> Health<'a> {
    let tasks = live.and_then(|live| live.tasks.as_deref()).unwrap_or_default();
    let check = live.and_then(|live| live.spec.container.health_check.as_ref());
    let seen = Seen {
        tasks,
        constraints: live
            .map(|live| live.spec.constraints.as_slice())
            .unwrap_or_default(),
        nodes,
        now,
        patience: patience(check),
    };
    let (verdict, task) = match live {
        None => (Verdict::Missing, None),
        Some(_) if outdated => (Verdict::Updating, seen.wanted(|_| true)),
        Some(_) => seen.verdict(),
    };
    Health {
        verdict,
        task,
        ended: seen.ended().collect(),
    }
}

/// Whether the engine refused a task because it cannot get the image.
pub(super) fn image_is_missing(error: &str) -> bool {
    [
        "No such image",
        "manifest unknown",
        "pull access denied",
        "repository does not exist",
    ]
    .iter()
    .any(|text| error.contains(text))
}

/// The engine's reasons, when it found no node for a task.
pub(super) fn no_suitable_node(error: &str) -> Option<&str> {
    let rest = error.strip_prefix("no suitable node")?.trim();
    Some(
        rest.strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .unwrap_or(rest),
    )
}

/// The engine's error of a task, or else its message.
pub(super) fn engine_text(task: &Task) -> &str {
    task.error.as_deref().unwrap_or(&task.message)
}

/// Host name of a task's node.
pub(super) fn node_name<'a>(task: &'a Task, nodes: &'a BTreeMap<String, Node>) -> Option<&'a str> {
    let id = task.node.as_ref()?;
    Some(nodes.get(id).map_or(id, |node| &node.hostname))
}

struct Seen<'a, 'n> {
    tasks: &'a [Task],
    constraints: &'a [String],
    nodes: &'n BTreeMap<String, Node>,
    now: Timestamp,
    /// The least time after which the health check can have failed; `None` when there is no check.
    patience: Option<SignedDuration>,
}

impl<'a> Seen<'a, '_> {
    fn verdict(&self) -> (Verdict, Option<&'a Task>) {
        let recent: Vec<_> = self
            .ended()
            .filter(|task| self.age(task.since) <= WINDOW)
            .collect();
        let running = self.wanted(|task| {
            self.is_current(task) && task.state == TaskState::Running && !self.is_cut_off(task)
        });
        let next = running.or_else(|| self.wanted(|task| self.is_current(task) && !self.is_cut_off(task)));
        let placed = next.filter(|task| task.state > TaskState::Pending);
        let verdict = match placed {
            Some(task) if task.state == TaskState::Running => self.running(task, &recent),
            Some(_) => self.failure(&recent).unwrap_or(Verdict::Starting),
            None => match self.cut_off() {
                Some((task, node)) => return (Verdict::NodeDown { node }, Some(task)),
                None => self.unplaced(next, &recent),
            },
        };
        (verdict, next.or(recent.first().copied()))
    }

    fn running(&self, task: &Task, recent: &[&Task]) -> Verdict {
        let proven = recent.len() < LOOP || self.age(task.since) >= STABLE;
        let failure = if proven { None } else { self.failure(recent) };
        failure.unwrap_or(Verdict::Ready)
    }

    fn unplaced(&self, next: Option<&Task>, recent: &[&Task]) -> Verdict {
        let nothing_fits = next.and_then(|task| no_suitable_node(engine_text(task)));
        if let Some(why) = nothing_fits {
            return Verdict::NothingFits { why: why.to_owned() };
        }
        // Whatever ended before it, this is what it waits for now.
        if next.is_some_and(|task| self.is_unaddressed(task)) {
            return Verdict::Unaddressed;
        }
        self.failure(recent).unwrap_or_else(|| match next {
            Some(task) => Verdict::Pending {
                why: engine_text(task).to_owned(),
            },
            None if self.wanted(|_| true).is_some() => Verdict::Updating,
            None => Verdict::Starting,
        })
    }

    /// What the newest of some failures, and their number, come to.
    fn failure(&self, recent: &[&Task]) -> Option<Verdict> {
        let count = recent.len();
        let last = recent.first()?;
        let error = engine_text(last).to_owned();
        let exit_code = last.exit_code;
        let ended_well = last.state == TaskState::Complete && exit_code.is_none_or(|code| code == 0);
        let lived = last.since.duration_since(last.created);
        let stopped = ended_well && self.patience.is_some_and(|patience| lived >= patience);
        Some(match error {
            error if image_is_missing(&error) => Verdict::ImageMissing { error, count },
            error if error.contains("unhealthy container") => Verdict::Unhealthy { told: true },
            _ if stopped && count > 1 => Verdict::Unhealthy { told: false },
            error if count >= LOOP => Verdict::CrashLoop {
                exit_code,
                error,
                count,
            },
            error => Verdict::Failed { exit_code, error },
        })
    }

    /// The newest task that the engine wants to run, or to run soon.
    fn wanted(&self, condition: impl Fn(&Task) -> bool) -> Option<&'a Task> {
        self.tasks.iter().find(|task| {
            task.desired <= TaskState::Running && task.state <= TaskState::Running && condition(task)
        })
    }

    /// Tasks of the current spec that ended without being told to.
    fn ended(&self) -> impl Iterator<Item = &'a Task> {
        let ended = |state| {
            matches!(
                state,
                TaskState::Complete | TaskState::Failed | TaskState::Rejected
            )
        };
        let successors = std::iter::once(None).chain(self.tasks.iter().map(Some));
        self.tasks
            .iter()
            .zip(successors)
            .filter(move |(task, next)| task.current && ended(task.state) && !was_given_up(task, *next))
            .map(|(task, _)| task)
    }

    /// A task that ran, as far as anybody knows, on a node that does not answer, and that node's name.
    fn cut_off(&self) -> Option<(&'a Task, String)> {
        let on_it = |task: &&Task| task.current && task.state <= TaskState::Running && self.is_cut_off(task);
        let task = self.tasks.iter().find(on_it)?;
        Some((task, node_name(task, self.nodes)?.to_owned()))
    }

    /// Whether it is what the service asks for, and where.
    fn is_current(&self, task: &Task) -> bool {
        let node = task.node.as_ref().and_then(|node| self.nodes.get(node));
        task.current && !node.is_some_and(|node| placement::keeps_off(self.constraints, node))
    }

    fn is_cut_off(&self, task: &Task) -> bool {
        let node = task.node.as_ref();
        node.is_some_and(|node| self.nodes.get(node).is_none_or(|node| !node.ready))
    }

    fn age(&self, since: Timestamp) -> SignedDuration {
        self.now.duration_since(since)
    }

    fn is_unaddressed(&self, task: &Task) -> bool {
        task.state == TaskState::New && self.age(task.created) >= ADDRESSING
    }
}

/// Whether a task was replaced while it ran, since its node did not answer. How it ended became known later, and is
/// not its agent's fault.
fn was_given_up(task: &Task, next: Option<&Task>) -> bool {
    next.is_some_and(|next| task.updated.duration_since(next.created) > LATE)
}

fn patience(check: Option<&DesiredHealthCheck>) -> Option<SignedDuration> {
    let Some(check) = check else {
        // The image may have a check of its own, which is not known here.
        return Some(SignedDuration::from_secs(5));
    };
    let interval = match check.interval {
        Duration::ZERO => Duration::from_secs(30),
        interval => interval,
    };
    let retries = if check.retries == 0 { 3 } else { check.retries };
    let patience = SignedDuration::try_from(interval.saturating_mul(retries)).unwrap_or(SignedDuration::MAX);
    (!check.command.is_empty()).then_some(patience)
}
