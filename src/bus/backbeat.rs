//! BACKBEAT's messages, after its published contracts v1.0.0: nothing outside them is accepted or sent.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::contract::{self, MessageError, Problem, Problems};
use super::hlc::Hlc;
use super::id::{AgentId, ClusterId};

/// One beat of a cluster: the tempo that agents work to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeatFrame {
    /// Names the contract.
    #[serde(rename = "type")]
    pub schema: BeatFrameSchema,
    /// The cluster that beats.
    pub cluster_id: String,
    /// Counts beats from 0.
    pub beat_index: u64,
    /// True for the first beat of a bar. Sources disagree on a bar's length: trust this flag.
    pub downbeat: bool,
    /// What this beat is for.
    pub phase: Phase,
    /// The sender's clock.
    pub hlc: String,
    /// When the work of this beat is due (RFC 3339).
    pub deadline_at: String,
    /// Beats a minute, 0.1 to 1000 in steps of 0.1.
    pub tempo_bpm: f64,
    /// The bar: 32 hex digits, new each bar.
    pub window_id: String,
    /// Free additions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// The only value of a beat frame's `type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BeatFrameSchema {
    /// Version 1.
    #[default]
    #[serde(rename = "backbeat.beatframe.v1")]
    V1,
}

/// The phase of a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Decide what to do.
    Plan,
    /// Do it.
    Execute,
    /// Look at what was done.
    Review,
}

/// What an agent says of itself on a beat; also its heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusClaim {
    /// Names the contract.
    #[serde(rename = "type")]
    pub schema: StatusClaimSchema,
    /// The agent that claims.
    pub agent_id: String,
    /// The last beat that the agent knows, 0 before the first.
    pub beat_index: u64,
    /// What the agent is doing.
    pub state: State,
    /// The agent's clock.
    pub hlc: String,
    /// The task at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// How many beats the agent still needs, at most 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beats_left: Option<u32>,
    /// How much of the task is done, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// A remark, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// What the agent consumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// What the agent waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<String>>,
    /// Free additions; tokens and cost go here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// The only value of a status claim's `type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusClaimSchema {
    /// Version 1.
    #[default]
    #[serde(rename = "backbeat.statusclaim.v1")]
    V1,
}

/// The state of an agent. The SDK's other names are accepted and written as the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Ready for work.
    #[serde(alias = "waiting")]
    Idle,
    /// Deciding what to do.
    Planning,
    /// Working.
    Executing,
    /// Looking at work.
    #[serde(alias = "review")]
    Reviewing,
    /// Finished its task.
    #[serde(alias = "done")]
    Completed,
    /// Gave up on its task.
    Failed,
    /// Waits for something else.
    Blocked,
    /// Works on another agent's request.
    Helping,
}

/// What an agent consumes; every figure is at least 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Percent of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Resident memory in megabytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<f64>,
    /// Disk operations since the last claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_io_ops: Option<f64>,
    /// Network traffic in kilobytes since the last claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_kb: Option<f64>,
}

impl BeatFrame {
    /// Reads a frame from JSON.
    ///
    /// # Errors
    /// [`MessageError::Shape`] for the first wrong field, or [`MessageError::Values`] with every wrong value.
    pub fn from_json(bytes: &[u8]) -> Result<Self, MessageError> {
        contract::read(bytes, Self::validate)
    }

    /// Checks every value against the contract.
    ///
    /// # Errors
    /// All problems at once.
    pub fn validate(&self) -> Result<(), Problems> {
        let tenths = self.tempo_bpm * 10.0;
        let in_steps = (tenths - tenths.round()).abs() < 1e-6;
        let window = self.window_id.len() == 32 && self.window_id.bytes().all(|b| b.is_ascii_hexdigit());
        Problems::collect([
            ClusterId::check(&self.cluster_id).err().map(Problem::ClusterId),
            contract::hlc_problem(&self.hlc),
            contract::time_problem("deadline_at", &self.deadline_at),
            contract::range_problem("tempo_bpm", Some(self.tempo_bpm), 0.1, 1000.0),
            (!in_steps).then_some(Problem::TempoStep(self.tempo_bpm)),
            (!window).then_some(Problem::WindowId),
        ])
    }
}

impl StatusClaim {
    /// The longest `notes`, in characters.
    pub const MAX_NOTES: usize = 256;
    /// The contract's name, for the `Chorus-Schema` header.
    pub const SCHEMA: &str = "backbeat.statusclaim.v1";

    /// A claim with all that is required and nothing else.
    pub fn new(agent: &AgentId, beat_index: u64, state: State, hlc: Hlc) -> Self {
        Self {
            schema: StatusClaimSchema::V1,
            agent_id: agent.to_string(),
            beat_index,
            state,
            hlc: hlc.to_string(),
            task_id: None,
            beats_left: None,
            progress: None,
            notes: None,
            resources: None,
            dependencies: None,
            metadata: None,
        }
    }

    /// Reads a claim from JSON.
    ///
    /// # Errors
    /// [`MessageError::Shape`] for the first wrong field, or [`MessageError::Values`] with every wrong value.
    pub fn from_json(bytes: &[u8]) -> Result<Self, MessageError> {
        contract::read(bytes, Self::validate)
    }

    /// Checks every value against the contract.
    ///
    /// # Errors
    /// All problems at once.
    pub fn validate(&self) -> Result<(), Problems> {
        let notes = self.notes.as_deref().map_or(0, |notes| notes.chars().count());
        let resources = self.resources.clone().unwrap_or_default();
        Problems::collect([
            AgentId::check(&self.agent_id).err().map(Problem::AgentId),
            contract::hlc_problem(&self.hlc),
            contract::range_problem("beats_left", self.beats_left.map(f64::from), 0.0, 1000.0),
            contract::range_problem("progress", self.progress, 0.0, 1.0),
            (notes > Self::MAX_NOTES).then_some(Problem::Notes(notes)),
            contract::range_problem("resources.cpu_percent", resources.cpu_percent, 0.0, f64::MAX),
            contract::range_problem("resources.memory_mb", resources.memory_mb, 0.0, f64::MAX),
            contract::range_problem("resources.disk_io_ops", resources.disk_io_ops, 0.0, f64::MAX),
            contract::range_problem("resources.network_kb", resources.network_kb, 0.0, f64::MAX),
        ])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{BeatFrame, MessageError, State, StatusClaim};

    fn frame() -> Value {
        json!({
            "type": "backbeat.beatframe.v1",
            "cluster_id": "chorus-production",
            "beat_index": 1337,
            "downbeat": true,
            "phase": "execute",
            "hlc": "7ffd:0001:abcd",
            "deadline_at": "2025-09-05T12:30:00Z",
            "tempo_bpm": 2.0,
            "window_id": "7e9b0e6c4c9a4e59b7f2d9a3c1b2e4d5"
        })
    }

    fn claim() -> Value {
        json!({
            "type": "backbeat.statusclaim.v1",
            "agent_id": "search-indexer:worker-03",
            "beat_index": 1337,
            "state": "executing",
            "hlc": "7ffd:0001:beef"
        })
    }

    /// `base` with the fields of `changes` set, or taken away where they are null.
    fn with(mut base: Value, changes: Value) -> Vec<u8> {
        let fields = base.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                fields.remove(name);
            } else {
                fields.insert(name.clone(), value.clone());
            }
        }
        serde_json::to_vec(&base).unwrap()
    }

    fn assert_read<T>(read: Result<T, MessageError>, expected: Result<(), &str>, what: &Value) {
        match (read.map(|_| ()).map_err(|error| error.to_string()), expected) {
            (Ok(()), Ok(())) => {}
            (Err(found), Err(part)) => assert!(found.contains(part), "{what}: {found:?} lacks {part:?}"),
            (found, expected) => panic!("{what}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn beat_frames_follow_the_contract() {
        fn check(changes: Value, expected: Result<(), &str>) {
            assert_read(
                BeatFrame::from_json(&with(frame(), changes.clone())),
                expected,
                &changes,
            );
        }
        check(json!({}), Ok(()));
        check(
            json!({"metadata": {"operator": "whoosh"}, "tempo_bpm": 0.1, "beat_index": 0}),
            Ok(()),
        );
        check(
            json!({"tempo_bpm": 1000, "deadline_at": "2025-09-05T22:30:00.5+10:00"}),
            Ok(()),
        );
        for required in [
            "type",
            "cluster_id",
            "beat_index",
            "downbeat",
            "phase",
            "hlc",
            "deadline_at",
            "tempo_bpm",
            "window_id",
        ] {
            check(
                json!({required: null}),
                Err(&format!("missing field `{required}`")),
            );
        }
        check(json!({"bar": 3}), Err("unknown field `bar`"));
        check(
            json!({"type": "backbeat.beatframe.v2"}),
            Err("backbeat.beatframe.v2"),
        );
        check(json!({"phase": "rest"}), Err("unknown variant `rest`"));
        check(json!({"beat_index": -1}), Err("-1"));
        check(
            json!({"deadline_at": "soon"}),
            Err("deadline_at is \"soon\", expected a time like"),
        );
        check(json!({"cluster_id": "a.b"}), Err("cluster_id holds '.'"));
        check(json!({"tempo_bpm": 0.05}), Err("tempo_bpm is 0.05"));
        check(json!({"tempo_bpm": 1000.1}), Err("tempo_bpm is 1000.1"));
        check(json!({"tempo_bpm": 2.25}), Err("not a multiple of 0.1"));
        check(
            json!({"window_id": "7e9b"}),
            Err("window_id must be 32 hex digits"),
        );
        check(json!({"hlc": "7ffd:0001"}), Err("hlc must look like"));
    }

    #[test]
    fn status_claims_follow_the_contract() {
        fn check(changes: Value, expected: Result<(), &str>) {
            assert_read(
                StatusClaim::from_json(&with(claim(), changes.clone())),
                expected,
                &changes,
            );
        }
        check(json!({}), Ok(()));
        check(
            json!({
                "task_id": "t-1", "beats_left": 1000, "progress": 1, "notes": "ä".repeat(256),
                "resources": {"cpu_percent": 12.5, "memory_mb": 9, "disk_io_ops": 0, "network_kb": 3},
                "dependencies": ["t-0"], "metadata": {"tokens": 12}
            }),
            Ok(()),
        );
        for required in ["type", "agent_id", "beat_index", "state", "hlc"] {
            check(
                json!({required: null}),
                Err(&format!("missing field `{required}`")),
            );
        }
        check(json!({"mood": "good"}), Err("unknown field `mood`"));
        check(json!({"resources": {"gpu": 1}}), Err("unknown field `gpu`"));
        check(
            json!({"type": "backbeat.beatframe.v1"}),
            Err("backbeat.beatframe.v1"),
        );
        check(json!({"state": "draining"}), Err("unknown variant `draining`"));
        check(
            json!({"agent_id": "a".repeat(129)}),
            Err("agent_id has 129 characters"),
        );
        check(
            json!({"beats_left": 1001}),
            Err("beats_left is 1001, allowed is 0 to 1000"),
        );
        check(
            json!({"progress": 1.01}),
            Err("progress is 1.01, allowed is 0 to 1"),
        );
        check(json!({"notes": "n".repeat(257)}), Err("notes has 257 characters"));
        check(
            json!({"resources": {"memory_mb": -1}}),
            Err("resources.memory_mb is -1"),
        );
    }

    #[test]
    fn every_wrong_value_is_told_at_once() {
        let bytes = with(
            claim(),
            json!({"agent_id": "a b", "hlc": "x", "progress": 2, "beats_left": 2000}),
        );
        let message = StatusClaim::from_json(&bytes).unwrap_err().to_string();
        for part in ["agent_id", "hlc", "progress", "beats_left"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn other_names_of_states_are_read_and_written_as_the_contracts() {
        for (name, state, written) in [
            ("idle", State::Idle, "idle"),
            ("waiting", State::Idle, "idle"),
            ("review", State::Reviewing, "reviewing"),
            ("done", State::Completed, "completed"),
            ("helping", State::Helping, "helping"),
        ] {
            let read: State = serde_json::from_value(json!(name)).unwrap();
            assert_eq!(
                (read, serde_json::to_value(read).unwrap()),
                (state, json!(written)),
                "{name}"
            );
        }
    }

    #[test]
    fn a_minimal_claim_is_written_without_the_optional_fields() {
        let agent = "search-indexer:worker-03".parse().unwrap();
        let hlc = "7ffd:0001:beef".parse().unwrap();
        let written = StatusClaim::new(&agent, 1337, State::Executing, hlc);
        assert_eq!(serde_json::to_value(&written).unwrap(), claim());
        assert_eq!(written.validate(), Ok(()));
    }
}
