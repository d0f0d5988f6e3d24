//! What goes wrong between the engine and its client, at points that come again in every run.
//!
//! A point is a request or event without anything random in it, and how often it was there before. A run without
//! faults tells its points; a plan names some of them with what is to happen there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

/// What a point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A request that changes something.
    Call,
    /// A request that reads a collection or an object.
    List,
    /// One line of an event stream.
    Event,
}

/// Where a fault can be played.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// What it is.
    pub class: Class,
    /// `create service team_default_pay_reviewer_1`, `list /services`, `event service create …`.
    pub signature: String,
    /// The how-manieth of its signature, from 1.
    pub occurrence: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.signature, self.occurrence)
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Of a request: it is answered like this, and not done.
    Answer {
        /// HTTP status code.
        status: u16,
        /// The engine's words.
        text: String,
    },
    /// Of a request: it is done, and answered like this.
    DoThenAnswer {
        /// HTTP status code.
        status: u16,
        /// The engine's words.
        text: String,
    },
    /// Of a request: it is done, and the connection closed without an answer.
    Lose,
    /// Of a request: the connection is closed, and it is not done.
    LoseBefore,
    /// Of a request: it is neither done nor answered.
    Hang,
    /// Of a request: it is done, and never answered.
    DoThenHang,
    /// Of a request: it is done, and answered after a while.
    Late {
        /// How long that takes, by the real clock.
        by: Duration,
    },
    /// Of a request: it is told to [`Faults::reached`] and never answered, so that its sender can be killed there.
    Freeze {
        /// Whether it is done before.
        done: bool,
    },
    /// Of a list: it is answered as of so many changes ago, counted among objects of its kind.
    Stale {
        /// How many changes.
        back: usize,
    },
    /// Of an event: it is not told.
    Drop,
    /// Of an event: it is told twice.
    Twice,
    /// Of an event: it is told after the next one.
    AfterNext,
    /// Of an event: neither it nor anything behind it is told; the stream stays open.
    Silence,
    /// Of an event: the stream breaks off before it.
    Cut,
}

/// The points that were reached, and the faults that wait for theirs.
#[derive(Debug)]
pub struct Faults {
    remembers: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<(Class, String), u32>,
    seen: Vec<Point>,
    done: Vec<Point>,
    armed: BTreeMap<Point, Fault>,
    reached: Option<mpsc::UnboundedSender<Point>>,
}

impl Faults {
    pub(super) fn new(remembers: bool) -> Self {
        Self {
            remembers,
            state: Mutex::default(),
        }
    }

    /// The points so far, in order.
    pub fn seen(&self) -> Vec<Point> {
        self.state().seen.clone()
    }

    /// The calls so far that changed the Swarm, in order, whatever became of their answers.
    pub fn done(&self) -> Vec<Point> {
        self.state().done.clone()
    }

    /// Lets these faults happen, each once, when its point is reached.
    pub fn play(&self, plan: impl IntoIterator<Item = (Point, Fault)>) {
        self.state().armed.extend(plan);
    }

    /// The faults that still wait for their point.
    pub fn armed(&self) -> Vec<(Point, Fault)> {
        self.state().armed.clone().into_iter().collect()
    }

    /// Takes back the faults that still wait for their point.
    pub fn disarm(&self) -> Vec<(Point, Fault)> {
        std::mem::take(&mut self.state().armed).into_iter().collect()
    }

    /// Tells of every [`Fault::Freeze`] from now on; whoever asked before is told nothing more.
    pub fn reached(&self) -> mpsc::UnboundedReceiver<Point> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state().reached = Some(sender);
        receiver
    }

    /// Forgets the points so far and what waits, so that counting begins anew.
    pub fn reset(&self) {
        let mut state = self.state();
        state.counts.clear();
        state.seen.clear();
        state.done.clear();
        state.armed.clear();
    }

    /// Counts a point, and takes the fault that waits for it.
    pub(super) fn reach(&self, class: Class, signature: String) -> (Point, Option<Fault>) {
        if !self.remembers {
            let point = Point {
                class,
                signature,
                occurrence: 1,
            };
            return (point, None);
        }
        let mut state = self.state();
        let count = state.counts.entry((class, signature.clone())).or_default();
        *count += 1;
        let point = Point {
            class,
            signature,
            occurrence: *count,
        };
        state.seen.push(point.clone());
        let fault = state.armed.remove(&point);
        (point, fault)
    }

    pub(super) fn count_done(&self, point: &Point) {
        if self.remembers {
            self.state().done.push(point.clone());
        }
    }

    pub(super) fn tell_reached(&self, point: Point) {
        if let Some(reached) = &self.state().reached {
            // A driver that has gone does not want to know.
            drop(reached.send(point));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_for_its_occurrence() {
        let faults = Faults::new(true);
        let point = |occurrence| Point {
            class: Class::List,
            signature: "list /services".to_owned(),
            occurrence,
        };
        faults.play([(point(2), Fault::Hang)]);
        let reach = || faults.reach(Class::List, "list /services".to_owned()).1;
        assert_eq!([reach(), reach(), reach()], [None, Some(Fault::Hang), None]);
        assert_eq!(faults.seen(), [point(1), point(2), point(3)]);
        assert!(faults.armed().is_empty());
    }
}
