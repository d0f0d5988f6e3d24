//! Many who watch, and many who write: what each watcher is told, and how soon.
//!
//! Templates are written, for which nothing is done in the Swarm, so that all that is told is what was written.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::figures::{Figures, Reference, median, quantile};
use crate::harness::operator::Operator;
use crate::harness::postgres::database;
use crate::idle::processor_seconds;
use crate::scale::{Lines, SimulatedEngine};

const WATCHERS: usize = 100;
const WRITERS: usize = 50;
/// How long they write.
const LASTS: Duration = Duration::from_secs(60);
/// How often each of them writes when they keep a pace.
const PACE: Duration = Duration::from_millis(500);
/// How long a watcher may take, after the last write, to be told of it.
const PATIENCE: Duration = Duration::from_secs(120);

const TEMPLATES: &str = "http://whoosh/apis/chorus.services/v1/namespaces/default/agenttemplates";

/// Measures those who keep a pace, and those who write as fast as they are answered.
pub(crate) async fn measure(figures: &mut Figures) {
    let engine = SimulatedEngine::start().await;
    let quiet = [("WHOOSH_LOG", "warn".to_owned())];
    let operator = Operator::start_on(engine.socket(), &database().await, &quiet).await;
    let client = crate::harness::http()
        .unix_socket(operator.socket())
        .build()
        .unwrap();
    let stage = Stage { operator, client };
    for writer in 0..WRITERS {
        stage.create(writer).await;
    }
    let paced = stage.run(Some(PACE)).await;
    paced.report("at a pace", Reference::Target(10.0), figures);
    let hurried = stage.run(None).await;
    hurried.report("at full speed", Reference::None, figures);
}

/// The moments at which revisions came to be known.
type Moments = BTreeMap<i64, Instant>;

struct Stage {
    operator: Operator,
    client: Client,
}

impl Stage {
    async fn create(&self, writer: usize) {
        let template = json!({
            "apiVersion": "chorus.services/v1", "kind": "AgentTemplate",
            "metadata": {"name": name(writer)}, "spec": {"image": "agent:1"},
        });
        sent(self.client.post(TEMPLATES).json(&template)).await;
    }

    /// Lets all of them write, with a pause between the writes of each or without, and all of the watchers watch.
    async fn run(&self, pace: Option<Duration>) -> Run {
        let watchers = (0..WATCHERS).map(|_| Watcher::start(&self.client));
        let watchers = join_all(watchers).await;
        let first = watchers[0].cursor;
        let (end, ended) = watch::channel(i64::MAX);
        let follow = |watcher: Watcher| tokio::spawn(watcher.follow(ended.clone()));
        let watching: Vec<_> = watchers.into_iter().map(follow).collect();

        let before = processor_seconds(self.operator.id());
        let until = Instant::now() + LASTS;
        let write = |writer| tokio::spawn(write(self.client.clone(), writer, pace, until));
        let writing: Vec<_> = (0..WRITERS).map(write).collect();
        let mut answered = Moments::new();
        for writer in writing {
            answered.extend(writer.await.unwrap());
        }
        let used = processor_seconds(self.operator.id()) - before;

        let (last, objects) = listed(&self.client).await;
        assert_eq!(
            answered.keys().copied().collect::<Vec<_>>(),
            (first + 1..=last).collect::<Vec<_>>(),
            "each write is answered with a revision of its own"
        );
        end.send_replace(last);
        let mut run = Run {
            writes: answered.len(),
            millis: Vec::new(),
            gone: 0,
            processor: 100.0 * used / LASTS.as_secs_f64(),
        };
        for watcher in watching {
            let watcher = timeout(PATIENCE, watcher).await;
            let watcher = watcher.expect("a watcher is told all in time").unwrap();
            assert_eq!(watcher.objects, objects, "a watcher knows what there is");
            run.gone += watcher.gone;
            run.millis.extend(watcher.told.iter().map(|(revision, at)| {
                let late = at.saturating_duration_since(answered[revision]);
                late.as_secs_f64() * 1e3
            }));
        }
        run
    }
}

/// What came of a run.
struct Run {
    writes: usize,
    /// From the answer to a write until a watcher is told of it, for each of both: 0 if that came first.
    millis: Vec<f64>,
    /// How often a watcher had to list again.
    gone: usize,
    /// What the operator used of a core.
    processor: f64,
}

impl Run {
    fn report(&self, how: &str, limit: Reference, figures: &mut Figures) {
        let Self {
            writes,
            millis,
            gone,
            processor,
        } = self;
        let rate = *writes as f64 / LASTS.as_secs_f64();
        let mut add = |what: &str, ours: f64, reference: Reference, unit, beside: &str| {
            figures.add(&format!("{what}, {how}"), ours, reference, unit, *writes, beside);
        };
        let none = Reference::None;
        add("50 writers: writes", rate, none, "1/s", "100 watchers");
        add(
            "written to told, p50",
            median(millis),
            none,
            "ms",
            "to each of 100 watchers",
        );
        add(
            "written to told, p99",
            quantile(millis, 0.99),
            limit,
            "ms",
            "target",
        );
        add("operator", *processor, none, "%", "of one core");
        println!("{gone} times a watcher had to list again");
    }
}

fn name(writer: usize) -> String {
    format!("t{writer}")
}

/// Writes one template again and again, each time something else.
async fn write(client: Client, writer: usize, pace: Option<Duration>, until: Instant) -> Moments {
    let mut turns = pace.map(|pace| {
        let mut turns = interval(pace);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        turns
    });
    // They do not write all at once.
    tokio::time::sleep(pace.unwrap_or_default() * writer as u32 / WRITERS as u32).await;
    let url = format!("{TEMPLATES}/{}", name(writer));
    let mut answered = Moments::new();
    while Instant::now() < until {
        if let Some(turns) = &mut turns {
            turns.tick().await;
        }
        let edition = format!("{:?}", Instant::now());
        let patch = json!({"metadata": {"annotations": {"edition": edition}}});
        let request = client
            .patch(&url)
            .header("content-type", "application/merge-patch+json");
        let answer = sent(request.body(patch.to_string())).await;
        let at = Instant::now();
        let written: Object = serde_json::from_slice(&answer).unwrap();
        answered.insert(written.revision(), at);
    }
    answered
}

/// Sends a request, and reads its answer.
async fn sent(request: RequestBuilder) -> Vec<u8> {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body = answer.bytes().await.unwrap();
    assert!(status.is_success(), "{status} {}", String::from_utf8_lossy(&body));
    body.into()
}

/// Of every object its revision, by name; and that of the list.
async fn listed(client: &Client) -> (i64, BTreeMap<String, i64>) {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        metadata: Metadata<'a>,
        #[serde(borrow)]
        items: Vec<Object<'a>>,
    }
    let body = sent(client.get(TEMPLATES)).await;
    let list: List<'_> = serde_json::from_slice(&body).unwrap();
    let objects = list.items.iter();
    let objects = objects.map(|object| (object.metadata.name.to_owned(), object.revision()));
    (list.metadata.resource_version.parse().unwrap(), objects.collect())
}

#[derive(Deserialize)]
struct Event<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Metadata<'a> {
    name: &'a str,
    resource_version: &'a str,
}

impl Object<'_> {
    fn revision(&self) -> i64 {
        self.metadata.resource_version.parse().unwrap()
    }
}

/// Who watches all templates.
struct Watcher {
    client: Client,
    answer: Response,
    lines: Lines,
    /// The revision up to which all is known.
    cursor: i64,
    /// The revision of each object, by name.
    objects: BTreeMap<String, i64>,
    told: Moments,
    gone: usize,
}

impl Watcher {
    async fn start(client: &Client) -> Self {
        let (cursor, objects) = listed(client).await;
        Self {
            client: client.clone(),
            answer: watched(client, cursor).await,
            lines: Lines::default(),
            cursor,
            objects,
            told: Moments::new(),
            gone: 0,
        }
    }

    /// Watches until all up to the last revision is known, once somebody says which that is.
    async fn follow(mut self, mut last: watch::Receiver<i64>) -> Self {
        while self.cursor < *last.borrow() {
            tokio::select! {
                chunk = self.answer.chunk() => {
                    let chunk = chunk.unwrap().expect("a watch goes on");
                    let at = Instant::now();
                    for line in self.lines.push(&chunk) {
                        self.take(&line, at).await;
                    }
                }
                said = last.changed() => said.unwrap(),
            }
        }
        self
    }

    async fn take(&mut self, line: &[u8], at: Instant) {
        let event: Event<'_> = serde_json::from_slice(line).unwrap();
        if event.r#type == "ERROR" {
            return self.list_again(line).await;
        }
        let (name, revision) = (event.object.metadata.name, event.object.revision());
        assert_eq!(revision, self.cursor + 1, "each revision is told once, in order");
        self.cursor = revision;
        self.told.insert(revision, at);
        match self.objects.get_mut(name) {
            Some(known) => *known = revision,
            None => drop(self.objects.insert(name.to_owned(), revision)),
        }
    }

    /// Goes on from a list, as a watcher must when what it was to be told next is not kept any more.
    async fn list_again(&mut self, error: &[u8]) {
        let error: Value = serde_json::from_slice(error).unwrap();
        assert_eq!(error["object"]["code"], 410, "{error}");
        let (cursor, objects) = listed(&self.client).await;
        let is_older = |(name, revision): (&String, &i64)| objects.get(name).is_none_or(|now| now < revision);
        assert!(
            !self.objects.iter().any(is_older),
            "a list goes back behind a watch"
        );
        self.answer = watched(&self.client, cursor).await;
        self.lines = Lines::default();
        (self.cursor, self.objects) = (cursor, objects);
        self.gone += 1;
    }
}

async fn watched(client: &Client, from: i64) -> Response {
    let url = format!("{TEMPLATES}?watch=true&resourceVersion={from}");
    let answer = client.get(url).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    answer
}
