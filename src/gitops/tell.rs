//! What people are told in events of what a source does.

use super::Term;
use super::source::Source;
use super::status::{self, Changes, Ended};
use crate::resource::condition::{self, ConditionType, Reason};
use crate::resource::event::EventType;
use crate::resource::git_source::{FetchedCommit, GitSourceStatus};
use crate::resource::names::{GITOPS_ACTOR, OPERATOR, PINNED};
use crate::resource::{Key, prune};
use crate::store::{EventRecord, HistoryEntry};
use crate::telemetry::Chain;

impl Term {
    /// Tells of what is written already: when that cannot be told, the next turn must not do it again.
    pub(super) async fn tell(&self, event: EventRecord) {
        if let Err(error) = self.api.store.record_event(event).await {
            tracing::warn!(error = %Chain(&error), "cannot record an event of a source");
        }
    }

    /// Says of what others changed that it was put back, and who they were.
    pub(super) async fn tell_put_back(&self, source: &Source, keys: &[Key]) {
        for key in keys {
            // Who it was is worth telling, and no more than that.
            let history = self.api.store.history(key).await.unwrap_or_default();
            let by = match who_changed(&history) {
                // It ended what the source itself had taken away, before that came back.
                Some(entry) if entry.actor.starts_with(OPERATOR) => continue,
                Some(entry) => format!("{} ({})", entry.actor, entry.reason),
                None => "somebody".to_owned(),
            };
            let message = format!(
                "{} was changed by {by} and is as gitsource/{} declares it again",
                key.seen_from(source.object.namespace()),
                source.object.name()
            );
            let uid = history.last().map(|entry| entry.object.uid().to_owned());
            self.tell(EventRecord {
                regarding: key.clone(),
                uid: uid.unwrap_or_default(),
                type_: EventType::Warning,
                reason: "PutBack".to_owned(),
                message: message.clone(),
            })
            .await;
            self.tell(about(source, EventType::Warning, "PutBack", message))
                .await;
        }
    }
}

/// Who changed what a source declares before it put that back: a person, and not who carried out what a person asked for.
fn who_changed(history: &[HistoryEntry]) -> Option<&HistoryEntry> {
    let is_ours = |entry: &&HistoryEntry| entry.actor.starts_with(GITOPS_ACTOR);
    let since = || {
        let newest_first = history.iter().rev().filter(|entry| entry.reason != "status");
        // The source has put it back by now.
        newest_first
            .skip_while(is_ours)
            .take_while(move |entry| !is_ours(entry))
    };
    let person = since().find(|entry| !entry.actor.starts_with(OPERATOR));
    person.or_else(|| since().next())
}

/// What is worth telling of a turn, besides its status.
pub(super) fn events(source: &Source, next: &GitSourceStatus, ended: &Ended) -> Vec<EventRecord> {
    let is_resumed = source.status.suspended && !next.suspended;
    let resumed = || {
        about(
            source,
            EventType::Normal,
            "Resumed",
            "is looked at again".to_owned(),
        )
    };
    let resumed = is_resumed.then(resumed);
    resumed.into_iter().chain(event(source, next, ended)).collect()
}

fn event(source: &Source, next: &GitSourceStatus, ended: &Ended) -> Option<EventRecord> {
    match ended {
        Ended::Applied { commit, changes, .. } => {
            let Changes { told, .. } = changes.as_ref()?;
            let FetchedCommit { author, message, .. } = commit;
            let message = format!("{} by {author}, \"{message}\": {told}", status::shown(commit));
            Some(about(source, EventType::Normal, "RevisionApplied", message))
        }
        // That comes.
        Ended::Failed {
            reason: Reason::Fetching,
            ..
        } => None,
        Ended::Held { .. } | Ended::Failed { .. } if next.message != source.status.message => {
            let ready = condition::get(&next.conditions, ConditionType::Ready)?;
            let type_ = match ended {
                // Nothing is wrong with it.
                Ended::Failed {
                    reason: Reason::DependencyNotReady,
                    ..
                } => EventType::Normal,
                _ => EventType::Warning,
            };
            Some(about(source, type_, &ready.reason, next.message.clone()))
        }
        Ended::Suspended { why } if next.message != source.status.message => {
            Some(about(source, EventType::Normal, "Suspended", why.clone()))
        }
        Ended::Held { .. } | Ended::Failed { .. } | Ended::Suspended { .. } => None,
    }
}

/// What is told of the objects that are pinned since a turn, and of those that are so no longer.
pub(super) fn pins(source: &Source, next: &GitSourceStatus) -> Vec<EventRecord> {
    let here = source.object.namespace();
    let not_in = |all: &[String], others: &[String]| -> Vec<Key> {
        let left = all.iter().filter(|text| !others.contains(text));
        left.filter_map(|text| Key::parse(text)).collect()
    };
    let (before, now) = (&source.status.pinned, &next.pinned);
    let told = [
        (
            "Pinned",
            not_in(now, before),
            format!("left as they are, whatever a commit says, while annotated {PINNED}"),
        ),
        (
            "Unpinned",
            not_in(before, now),
            "no longer pinned: what the commit says is applied".to_owned(),
        ),
    ];
    let told = told.into_iter().filter(|(_, keys, _)| !keys.is_empty());
    told.map(|(reason, keys, what)| {
        let message = format!("{}: {what}", prune::list(&keys, here));
        about(source, EventType::Normal, reason, message)
    })
    .collect()
}

/// An event about a source.
pub(super) fn about(source: &Source, type_: EventType, reason: &str, message: String) -> EventRecord {
    EventRecord {
        regarding: source.object.key(),
        uid: source.object.uid().to_owned(),
        type_,
        reason: reason.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Kind, Object};

    #[test]
    fn a_pin_is_told_once_and_so_is_its_end() {
        let pinned = |names: &[&str]| GitSourceStatus {
            pinned: names.iter().map(|name| format!("team/default/{name}")).collect(),
            ..GitSourceStatus::default()
        };
        let told = |before: &[&str], now: &[&str]| {
            let mut source = Object::new(
                &Key::new(Kind::GitSource, "default", "fleet"),
                json!({"url": "u"}),
            );
            source.status = serde_json::to_value(pinned(before)).ok();
            let events = pins(&Source::read(source).unwrap(), &pinned(now));
            let events = events
                .iter()
                .map(|event| format!("{} {}", event.reason, event.message));
            events.collect::<Vec<String>>().join("\n")
        };
        assert_eq!(told(&["a"], &["a"]), "");
        assert_eq!(
            told(&["a", "b"], &["b", "c", "d"]),
            "Pinned team/c, team/d: left as they are, whatever a commit says, while annotated chorus.services/pinned\n\
             Unpinned team/a: no longer pinned: what the commit says is applied"
        );
    }
}
