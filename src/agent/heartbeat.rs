//! Reports to BACKBEAT: one claim a beat, one an interval while no beats arrive, and a last one on the way out.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::bus::{
    AgentId, BeatFrame, Bus, ClusterId, HlcClock, PublishError, State, StatusClaim, SubscribeError,
};
use crate::telemetry::Chain;

use super::identity::Identity;
use super::{Phase, reached};

/// However slow the beats, an agent does not stay silent longer than this.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// Reports for one agent.
pub(super) struct Heartbeat {
    bus: Bus,
    cluster: ClusterId,
    interval: Duration,
    claims: Claims,
}

impl Heartbeat {
    pub(super) fn new(bus: Bus, cluster: ClusterId, interval: Duration, identity: &Identity) -> Self {
        Self {
            bus,
            cluster,
            interval,
            claims: Claims::new(identity),
        }
    }

    /// Reports until [`Phase::Draining`], then reports that the agent drains.
    ///
    /// Returns when the last claim is with the network. Bound it: a server that hangs makes it wait.
    ///
    /// # Errors
    /// The bus is closed, which only the agent itself does.
    pub(super) async fn run(mut self, mut phases: watch::Receiver<Phase>) -> Result<(), SubscribeError> {
        let mut beats = self.bus.beats(&self.cluster).await?;
        let mut next = Instant::now() + self.interval;
        loop {
            let beat = tokio::select! {
                () = reached(&mut phases, Phase::Draining) => break,
                () = self.bus.connected() => None,
                () = tokio::time::sleep_until(next) => None,
                beat = beats.next() => match beat {
                    Ok(frame) => Some(frame),
                    Err(error) => {
                        warn!(%error, "ignored a beat");
                        continue;
                    }
                },
            };
            next = Instant::now() + silence_after(beat.as_ref(), self.interval);
            self.claims.last_beat = beat.map_or(self.claims.last_beat, |frame| frame.beat_index);
            self.publish(false).await;
        }
        self.publish(true).await;
        if let Err(error) = self.bus.flush().await {
            debug!(%error, "the last claim may be lost");
        }
        Ok(())
    }

    async fn publish(&mut self, draining: bool) {
        let claim = self.claims.next(draining, Timestamp::now());
        match self.bus.publish_status(&self.cluster, &claim).await {
            Ok(()) => debug!(beat_index = claim.beat_index, draining, "reported"),
            Err(PublishError::Offline) => debug!("not reported: NATS is not connected"),
            Err(error) => warn!(error = %Chain(&error), "not reported"),
        }
    }
}

/// How long to wait for the next beat before reporting without one.
fn silence_after(beat: Option<&BeatFrame>, interval: Duration) -> Duration {
    let Some(BeatFrame { tempo_bpm, .. }) = beat else {
        return interval;
    };
    let beat_and_a_half = Duration::try_from_secs_f64(1.5 * 60.0 / tempo_bpm).unwrap_or(LONGEST_SILENCE);
    beat_and_a_half.min(LONGEST_SILENCE).max(interval)
}

/// Makes an agent's claims.
struct Claims {
    agent: AgentId,
    task_id: Option<String>,
    metadata: Map<String, Value>,
    clock: HlcClock,
    last_beat: u64,
}

impl Claims {
    fn new(identity: &Identity) -> Self {
        let mut metadata = Map::new();
        metadata.insert("role".into(), json!(identity.role));
        metadata.insert("slot".into(), json!(identity.slot));
        metadata.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
        if let Some(uid) = &identity.owner_uid {
            metadata.insert("owner_uid".into(), json!(uid));
        }
        Self {
            agent: identity.id.clone(),
            task_id: identity.task.id.clone(),
            metadata,
            clock: HlcClock::new(identity.id.as_str()),
            last_beat: 0,
        }
    }

    /// BACKBEAT has no state for an agent that drains: it is idle, and a remark and a mark say the rest.
    fn next(&mut self, draining: bool, now: Timestamp) -> StatusClaim {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let mut claim = StatusClaim::new(&self.agent, self.last_beat, State::Idle, self.clock.read(millis));
        let mut metadata = self.metadata.clone();
        if draining {
            claim.notes = Some("draining".into());
            metadata.insert("draining".into(), json!(true));
        }
        claim.task_id.clone_from(&self.task_id);
        claim.metadata = Some(metadata);
        claim
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::{BeatFrame, Claims, StatusClaim, silence_after};
    use crate::agent::environment::{Environment, Reader};
    use crate::agent::identity::Identity;

    fn claims(extra: &[(&str, &str)]) -> Claims {
        let base = [
            ("CHORUS_AGENT_NAME", "reviewer_2"),
            ("CHORUS_ROLE", "reviewer"),
            ("CHORUS_SLOT", "2"),
        ];
        let all = base.iter().chain(extra);
        let environment: Environment = all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Claims::new(&Identity::read(&mut Reader::new(&environment)).unwrap())
    }

    fn beat(tempo_bpm: f64) -> BeatFrame {
        let frame = json!({
            "type": "backbeat.beatframe.v1", "cluster_id": "lab", "beat_index": 7, "downbeat": false,
            "phase": "plan", "hlc": "7ffd:0001:abcd", "deadline_at": "2025-09-05T12:30:00Z",
            "tempo_bpm": tempo_bpm, "window_id": "7e9b0e6c4c9a4e59b7f2d9a3c1b2e4d5"
        });
        BeatFrame::from_json(&serde_json::to_vec(&frame).unwrap()).unwrap()
    }

    #[test]
    fn beats_set_the_pace_and_the_interval_takes_over_when_they_stop() {
        fn check(tempo_bpm: Option<f64>, expected: Duration) {
            let found = silence_after(tempo_bpm.map(beat).as_ref(), Duration::from_secs(10));
            assert_eq!(found, expected, "tempo {tempo_bpm:?}");
        }
        check(None, Duration::from_secs(10));
        check(Some(2.0), Duration::from_secs(45));
        check(Some(0.1), Duration::from_secs(60));
        check(Some(1000.0), Duration::from_secs(10));
    }

    #[test]
    fn claims_follow_the_contract_and_tell_who_drains() {
        fn check(mut claims: Claims, draining: bool, expected: &Value) {
            let now = "2025-09-05T12:30:00Z".parse().unwrap();
            let claim = claims.next(draining, now);
            let written = serde_json::to_value(&claim).unwrap();
            assert_eq!(
                StatusClaim::from_json(written.to_string().as_bytes()).unwrap(),
                claim
            );
            for (field, value) in expected.as_object().unwrap() {
                assert_eq!(&written[field], value, "{field}");
            }
        }
        let version = env!("CARGO_PKG_VERSION");
        check(
            claims(&[("CHORUS_TASK_ID", "42"), ("CHORUS_OWNER_UID", "6f1c")]),
            false,
            &json!({
                "agent_id": "reviewer_2", "state": "idle", "beat_index": 0, "task_id": "42", "notes": null,
                "metadata": {"role": "reviewer", "slot": 2, "version": version, "owner_uid": "6f1c"}
            }),
        );
        check(
            claims(&[]),
            true,
            &json!({
                "state": "idle", "notes": "draining", "task_id": null,
                "metadata": {"role": "reviewer", "slot": 2, "version": version, "draining": true}
            }),
        );
    }
}
