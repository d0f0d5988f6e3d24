//! `/events`: which are wanted, and how one is written.

use jiff::Timestamp;

use super::Ask;
use super::json::Object;
use super::query::Filters;
use crate::sim::world::events::Event;
use crate::sim::world::refusal::Refusal;

/// What a stream is to tell.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    filters: Filters,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

impl Wanted {
    pub(super) fn read(ask: &Ask) -> Result<Self, Refusal> {
        Ok(Self {
            filters: ask.query.any_filters()?,
            since: time(ask.query.text("since"))?,
            until: time(ask.query.text("until"))?,
        })
    }

    pub(super) fn takes(&self, event: &Event) -> bool {
        // The engine takes any kind's object whose id or name begins so.
        let name = event.attributes.get("name").map_or("", String::as_str);
        let is_named = |kind: &str| {
            self.filters.any(kind, |wanted| {
                event.id.starts_with(wanted) || name.starts_with(wanted)
            })
        };
        let short = event.action.split(':').next().unwrap_or_default();
        self.filters.is("type", event.kind)
            && self
                .filters
                .any("event", |wanted| wanted == event.action || wanted == short)
            && self.filters.is("scope", scope(event))
            && self.filters.labels("label", &event.attributes)
            && ["config", "container", "network", "node", "secret", "service"]
                .into_iter()
                .all(is_named)
    }
}

fn scope(event: &Event) -> &'static str {
    if event.swarm { "swarm" } else { "local" }
}

fn time(text: &str) -> Result<Option<Timestamp>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanos = format!("{fraction:0<9}");
    let parsed = seconds
        .parse()
        .ok()
        .zip(nanos.get(..9).and_then(|nanos| nanos.parse().ok()))
        .and_then(|(seconds, nanos)| Timestamp::new(seconds, nanos).ok());
    match parsed.or_else(|| text.parse().ok()) {
        Some(at) => Ok(Some(at)),
        None => Err(Refusal::new(
            500,
            format!("strconv.ParseInt: parsing {text:?}: invalid syntax"),
        )),
    }
}

/// One line of the stream.
pub(super) fn line(event: &Event) -> String {
    let actor = Object::new()
        .with("ID", &event.id)
        .with("Attributes", &event.attributes)
        .end();
    let mut text = Object::new()
        .when(event.kind == "container", |object| {
            object
                .with("status", &event.action)
                .with("id", &event.id)
                .with("from", &event.image)
        })
        .with("Type", event.kind)
        .with("Action", &event.action)
        .raw("Actor", actor)
        .with("scope", scope(event))
        .raw("time", event.at.as_second())
        .raw("timeNano", event.at.as_nanosecond())
        .end();
    text.push('\n');
    text
}
