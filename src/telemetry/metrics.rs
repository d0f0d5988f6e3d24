//! The operator's metrics in the OpenMetrics text format. Every name starts with `whoosh_`.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds: an engine call takes milliseconds, a slow reconcile many seconds.
const DURATION_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0,
];

/// All metrics of the process. A clone is cheap and counts into the same registry.
///
/// Label values are `&'static str`, so that no label can grow without bound from what users send.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Family<ReconcileLabels, Counter>,
    reconcile_duration: Family<KindLabel, Histogram>,
    queue_depth: Gauge,
    queue: Arc<Mutex<Option<Probe>>>,
    engine_calls: Family<CallLabels, Counter>,
    engine_call_duration: Family<OperationLabel, Histogram>,
    store_writes: Family<OperationLabel, Counter>,
    api_requests: Family<RequestLabels, Counter>,
    leader: Gauge,
    agents_desired: Family<OwnerLabels, Gauge>,
    agents_ready: Family<OwnerLabels, Gauge>,
}

/// Tells how many keys wait for a worker.
struct Probe(Box<dyn Fn() -> usize + Send>);

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

/// Whose agents are counted.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OwnerLabels {
    /// `team`, `council`.
    pub kind: &'static str,
    /// The owner's namespace.
    pub namespace: String,
    /// The owner's name.
    pub name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReconcileLabels {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    resource: &'static str,
    code: u16,
}

impl Metrics {
    /// Registers every metric, all at zero.
    pub fn new() -> Self {
        let durations = || Histogram::new(DURATION_BUCKETS);
        let mut metrics = Self {
            registry: Arc::default(),
            reconciles: Family::default(),
            reconcile_duration: Family::new_with_constructor(durations),
            queue_depth: Gauge::default(),
            queue: Arc::default(),
            engine_calls: Family::default(),
            engine_call_duration: Family::new_with_constructor(durations),
            store_writes: Family::default(),
            api_requests: Family::default(),
            leader: Gauge::default(),
            agents_desired: Family::default(),
            agents_ready: Family::default(),
        };
        metrics.registry = Arc::new(metrics.register());
        metrics
    }

    fn register(&self) -> Registry {
        let mut registry = Registry::with_prefix("whoosh");
        registry.register(
            "reconciles",
            "Reconciles by kind and outcome",
            self.reconciles.clone(),
        );
        registry.register_with_unit(
            "reconcile_duration",
            "How long a reconcile took",
            Unit::Seconds,
            self.reconcile_duration.clone(),
        );
        registry.register(
            "queue_depth",
            "Keys that are due and not yet running",
            self.queue_depth.clone(),
        );
        registry.register(
            "engine_calls",
            "Calls to the Docker Engine by operation and outcome",
            self.engine_calls.clone(),
        );
        registry.register_with_unit(
            "engine_call_duration",
            "How long a call to the Docker Engine took",
            Unit::Seconds,
            self.engine_call_duration.clone(),
        );
        registry.register(
            "store_writes",
            "Committed writes to the store",
            self.store_writes.clone(),
        );
        registry.register(
            "api_requests",
            "API requests by verb, resource and status code",
            self.api_requests.clone(),
        );
        registry.register(
            "leader",
            "1 while this operator holds the leader lease",
            self.leader.clone(),
        );
        registry.register(
            "agents_desired",
            "Agents that the declared resources ask for",
            self.agents_desired.clone(),
        );
        registry.register(
            "agents_ready",
            "Agents that are declared and healthy, of an earlier generation too where this one cannot be brought about",
            self.agents_ready.clone(),
        );
        registry
    }

    /// Counts one reconcile of a `kind` that ended with `outcome` (the name of an error's variant, or `settled`).
    pub fn reconciled(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        self.reconciles
            .get_or_create(&ReconcileLabels { kind, outcome })
            .inc();
        self.reconcile_duration
            .get_or_create(&KindLabel { kind })
            .observe(took.as_secs_f64());
    }

    /// Counts one call to the Docker Engine.
    pub fn engine_called(&self, operation: &'static str, outcome: &'static str, took: Duration) {
        self.engine_calls
            .get_or_create(&CallLabels { operation, outcome })
            .inc();
        self.engine_call_duration
            .get_or_create(&OperationLabel { operation })
            .observe(took.as_secs_f64());
    }

    /// Sets how many writes of an operation the store has committed: it counts them itself.
    pub fn set_store_writes(&self, operation: &'static str, count: u64) {
        let counter = self.store_writes.get_or_create(&OperationLabel { operation });
        counter.inner().store(count, Relaxed);
    }

    /// Counts one answered API request; `resource` is a known plural, never text from the request.
    pub fn api_answered(&self, verb: &'static str, resource: &'static str, code: u16) {
        self.api_requests
            .get_or_create(&RequestLabels { verb, resource, code })
            .inc();
    }

    /// Says that this operator leads. `due` tells how many keys wait for a worker; it is asked whenever somebody
    /// reads the metrics, for keys become due by time alone.
    pub fn leads(&self, due: impl Fn() -> usize + Send + 'static) {
        self.leader.set(1);
        *self.probe() = Some(Probe(Box::new(due)));
    }

    /// Says that this operator does not lead: it has no keys to work on.
    pub fn follows(&self) {
        self.leader.set(0);
        *self.probe() = None;
    }

    fn probe(&self) -> MutexGuard<'_, Option<Probe>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how many agents an owner asks for, and how many of them are ready.
    pub fn set_agents(&self, owner: &OwnerLabels, desired: i64, ready: i64) {
        self.agents_desired.get_or_create(owner).set(desired);
        self.agents_ready.get_or_create(owner).set(ready);
    }

    /// Forgets an owner that is gone.
    pub fn forget_agents(&self, owner: &OwnerLabels) {
        self.agents_desired.remove(owner);
        self.agents_ready.remove(owner);
    }

    /// The OpenMetrics text of every metric; serve it as [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let due = self.probe().as_ref().map_or(0, |Probe(due)| due());
        self.queue_depth.set(gauge_value(due));
        let mut out = String::new();
        // A String takes every write, so there is no error to pass on.
        text::encode(&mut out, &self.registry).map_or_else(|_| String::new(), |()| out)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn gauge_value(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Metrics, OwnerLabels};

    fn check(metrics: &Metrics, line: &str) {
        let text = metrics.encode();
        assert!(
            text.lines().any(|found| found == line),
            "no line {line:?} in:\n{text}"
        );
    }

    #[test]
    fn what_is_counted_is_what_is_served() {
        let metrics = Metrics::new();
        metrics.reconciled("Team", "settled", Duration::from_millis(3));
        metrics.reconciled("Team", "settled", Duration::from_secs(120));
        metrics.engine_called("create_service", "ok", Duration::from_millis(4));
        metrics.set_store_writes("update", 1);
        metrics.api_answered("get", "teams", 404);
        metrics.leads(|| 7);
        let owner = OwnerLabels {
            kind: "team",
            namespace: "default".to_owned(),
            name: "fleet".to_owned(),
        };
        metrics.set_agents(&owner, 34, 32);

        check(
            &metrics,
            r#"whoosh_reconciles_total{kind="Team",outcome="settled"} 2"#,
        );
        check(
            &metrics,
            r#"whoosh_reconcile_duration_seconds_bucket{le="0.005",kind="Team"} 1"#,
        );
        check(
            &metrics,
            r#"whoosh_reconcile_duration_seconds_bucket{le="+Inf",kind="Team"} 2"#,
        );
        check(&metrics, "whoosh_queue_depth 7");
        check(
            &metrics,
            r#"whoosh_engine_calls_total{operation="create_service",outcome="ok"} 1"#,
        );
        check(
            &metrics,
            r#"whoosh_engine_call_duration_seconds_count{operation="create_service"} 1"#,
        );
        check(&metrics, r#"whoosh_store_writes_total{operation="update"} 1"#);
        check(
            &metrics,
            r#"whoosh_api_requests_total{verb="get",resource="teams",code="404"} 1"#,
        );
        check(&metrics, "whoosh_leader 1");
        let labels = r#"{kind="team",namespace="default",name="fleet"}"#;
        check(&metrics, &format!("whoosh_agents_desired{labels} 34"));
        check(&metrics, &format!("whoosh_agents_ready{labels} 32"));
        check(&metrics, "# EOF");
        let text = metrics.encode();
        let names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .collect();
        assert!(
            names.len() == 10 && names.iter().all(|name| name.starts_with("whoosh_")),
            "{names:?}"
        );
        metrics.forget_agents(&owner);
        assert!(!metrics.encode().contains("fleet"));
    }

    #[test]
    fn clones_count_into_one_registry() {
        let metrics = Metrics::new();
        metrics.clone().set_store_writes("create", 1);
        metrics.leads(|| 7);
        metrics.clone().follows();
        check(&metrics, r#"whoosh_store_writes_total{operation="create"} 1"#);
        check(&metrics, "whoosh_leader 0");
        check(&metrics, "whoosh_queue_depth 0");
    }
}
