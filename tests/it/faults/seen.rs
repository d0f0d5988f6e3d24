//! What was seen of a run: all that the oracles judge by.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use whoosh::resource::{Object, Revision};
use whoosh::sim::faults::Point;
use whoosh::store::Change;

use super::workload::{Script, Step};

/// A run of a script.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) script: Script,
    /// The steps that were taken, up to the first that did not settle.
    pub(super) steps: Vec<StepSeen>,
    /// What the engine did, with how often: `create service team_default_pay_dev_1`.
    pub(super) done: BTreeMap<String, u32>,
    /// All points that were reached.
    pub(super) points: Vec<Point>,
    /// How many writes of the workload there were after each step.
    pub(super) writes: Vec<(Step, u32)>,
    /// What ten resyncs of a settled workload did.
    pub(super) idle: Option<Idle>,
    /// What a watcher was told from the first revision on.
    pub(super) watched: Vec<Change>,
    /// The log: each revision with its time and what the object was then.
    pub(super) log: BTreeMap<Revision, (Timestamp, Object)>,
    /// The newest revision.
    pub(super) head: Revision,
    /// The controllers' writes, each with the life of the operator that made it.
    pub(super) written: Vec<(i64, String)>,
    /// What others have in the Swarm, before and after.
    pub(super) foreign: [BTreeMap<String, Value>; 2],
    /// What was said where people read it: logs, events, objects.
    pub(super) said: String,
    /// Whether the plan's fault happened.
    pub(super) met: bool,
    /// How long the run took.
    pub(super) took: Duration,
}

impl Seen {
    /// Nothing yet of a run in a Swarm in which others have `foreign`.
    pub(super) fn new(script: &Script, foreign: BTreeMap<String, Value>) -> Self {
        Self {
            script: script.clone(),
            steps: Vec::new(),
            done: BTreeMap::new(),
            points: Vec::new(),
            writes: Vec::new(),
            idle: None,
            watched: Vec::new(),
            log: BTreeMap::new(),
            head: Revision(0),
            written: Vec::new(),
            foreign: [foreign, BTreeMap::new()],
            said: String::new(),
            met: false,
            took: Duration::ZERO,
        }
    }
}

/// What came of a step.
#[derive(Debug)]
pub(super) struct StepSeen {
    pub(super) step: Step,
    /// The newest revision before it.
    pub(super) before: Revision,
    /// How long it took to settle, or what was still missing.
    pub(super) settled: Result<Duration, String>,
    /// What the Swarm runs then.
    pub(super) world: Value,
    /// The workload's status then.
    pub(super) status: Value,
    /// The agents, by service.
    pub(super) agents: BTreeMap<String, AgentSeen>,
}

/// What the Swarm shows of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AgentSeen {
    /// Since when it runs, if it does.
    pub(super) running_since: Option<Timestamp>,
    /// How often it was started: no script starts one more often than the engine remembers, five times.
    pub(super) started: usize,
}

/// What ten resyncs did.
#[derive(Debug)]
pub(super) struct Idle {
    /// What was reached meanwhile. No fault happens there.
    pub(super) points: Vec<Point>,
    /// Revisions of the store.
    pub(super) revisions: i64,
}
