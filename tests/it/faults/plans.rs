//! A plan: one fault at one point of a script. It has a name by which it can be played again.

use std::fmt;

use whoosh::sim::faults::{Class, Fault, Point};

use super::workload::{Kind, Step};
use super::writes::WriteFault;

/// Where something goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A request to the engine, or an event of it.
    Engine(Point),
    /// The `nth` write (from 1) of the workload's status or finalizer after a step.
    Write { step: Step, nth: u32 },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(Point {
                signature,
                occurrence,
                class: _,
            }) => write!(f, "{signature}#{occurrence}"),
            Self::Write { step, nth } => write!(f, "{WRITE}{step}#{nth}"),
        }
    }
}

const WRITE: &str = "write after ";

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Engine(Fault),
    /// That list, and the two of its kind after it, are as of so many changes ago.
    StaleThrice(usize),
    Write(WriteFault),
}

/// One fault at one point of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// The fault's name.
    pub(super) fault: &'static str,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.word(), self.place, self.fault)
    }
}

impl Plan {
    /// The plan of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once('/')?;
        let (place, fault) = rest.rsplit_once('/')?;
        let (signature, number) = place.rsplit_once('#')?;
        let number = number.parse().ok()?;
        let place = match signature.strip_prefix(WRITE) {
            Some(words) => Place::Write {
                step: Step::ALL.into_iter().find(|step| step.to_string() == words)?,
                nth: number,
            },
            None => Place::Engine(Point {
                class: class(signature),
                signature: signature.to_owned(),
                occurrence: number,
            }),
        };
        let known = faults(&place);
        Some(Self {
            kind: Kind::ALL.into_iter().find(|known| known.word() == kind)?,
            fault: known.into_iter().find(|known| *known == fault)?,
            place,
        })
    }

    /// What it does at its place.
    pub(super) fn trouble(&self) -> Trouble {
        let engine = |status, text: &str| (status, text.to_owned());
        let (failed, text) = engine(
            500,
            "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
        );
        let (away, gone) = engine(
            503,
            "This node is not a swarm manager. Use \"docker swarm init\" or \
            \"docker swarm join\" to connect this node to swarm and try again.",
        );
        Trouble::Engine(match (&self.place, self.fault) {
            (Place::Write { .. }, "crash-before") => return Trouble::Write(WriteFault::CrashBefore),
            (Place::Write { .. }, "crash-after") => return Trouble::Write(WriteFault::CrashAfter),
            (Place::Write { .. }, "refused") => return Trouble::Write(WriteFault::Refused),
            (Place::Write { .. }, _) => return Trouble::Write(WriteFault::Cut),
            (_, "crash" | "crash-before") => Fault::Freeze { done: false },
            (_, "crash-after") => Fault::Freeze { done: true },
            (_, "reply-lost") => Fault::Lose,
            (_, "request-lost") => Fault::LoseBefore,
            (_, "500") => Fault::Answer { status: failed, text },
            (_, "500-done") => Fault::DoThenAnswer { status: failed, text },
            (_, "503") => Fault::Answer {
                status: away,
                text: gone,
            },
            (_, "timeout") => Fault::Hang,
            (_, "timeout-done") => Fault::DoThenHang,
            (_, "stale") => Fault::Stale { back: 1 },
            (_, "stale-long") => return Trouble::StaleThrice(3),
            (_, "dropped") => Fault::Drop,
            (_, "twice") => Fault::Twice,
            (_, "reordered") => Fault::AfterNext,
            (_, "silent") => Fault::Silence,
            (_, _) => Fault::Cut,
        })
    }

    /// What kind of point its place is.
    pub(super) fn class(&self) -> &'static str {
        match &self.place {
            Place::Engine(point) => match point.class {
                Class::Call => "call",
                Class::List => "list",
                Class::Event => "event",
            },
            Place::Write { .. } => "write",
        }
    }
}

/// What can go wrong at a place.
pub(super) fn faults(place: &Place) -> Vec<&'static str> {
    let class = match place {
        Place::Write { .. } => return vec!["crash-before", "crash-after", "refused", "cut"],
        Place::Engine(point) => point.class,
    };
    match class {
        Class::Call => vec![
            "crash-before",
            "crash-after",
            "reply-lost",
            "request-lost",
            "500",
            "500-done",
            "503",
            "timeout",
            "timeout-done",
        ],
        Class::List => vec![
            "crash",
            "reply-lost",
            "request-lost",
            "500",
            "503",
            "timeout",
            "stale",
            "stale-long",
        ],
        Class::Event => vec!["dropped", "twice", "reordered", "silent", "cut"],
    }
}

fn class(signature: &str) -> Class {
    match signature.split(' ').next() {
        Some("list") => Class::List,
        Some("event") => Class::Event,
        _ => Class::Call,
    }
}

/// Every plan for these places.
pub(super) fn all(kind: Kind, places: &[Place]) -> Vec<Plan> {
    let of = |place: &Place| {
        let place = place.clone();
        faults(&place).into_iter().map(move |fault| Plan {
            kind,
            place: place.clone(),
            fault,
        })
    };
    places.iter().flat_map(of).collect()
}

#[test]
fn a_plan_is_found_by_its_name() {
    for name in [
        "team/create service team_default_pay_dev_1#1/reply-lost",
        "council/list /services/team_default_pay_dev_1#3/stale",
        "template/event service update team_default_pay_dev_1#2/reordered",
        "team/write after scale up#2/crash-after",
    ] {
        assert_eq!(
            Plan::named(name).map(|plan| plan.to_string()).as_deref(),
            Some(name)
        );
    }
    for name in [
        "team/create service a#1/stale",
        "pool/list /tasks#1/500",
        "team/list /tasks/500",
    ] {
        assert_eq!(Plan::named(name), None, "{name}");
    }
}
