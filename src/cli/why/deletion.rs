//! What an object waits for that somebody has deleted.

use serde_json::Value;

use super::{Link, Topic};
use crate::cli::object;
use crate::resource::names::{AGENTS_FINALIZER, FOREGROUND_FINALIZER, ORPHAN_FINALIZER};

/// The answer; `None` for an object that is not being deleted.
pub(super) fn deletion(object: &Value) -> Option<Link> {
    let metadata = object.get("metadata")?;
    let since = metadata.get("deletionTimestamp")?.as_str()?;
    let finalizers = metadata.get("finalizers").and_then(Value::as_array);
    let held_by = finalizers.into_iter().flatten().filter_map(Value::as_str);
    let held_by: Vec<&str> = held_by.collect();
    let details = held_by.iter().map(|finalizer| match *finalizer {
        AGENTS_FINALIZER => "until its agents are gone".to_owned(),
        FOREGROUND_FINALIZER => "until what names it as its owner, and blocks its end, is gone".to_owned(),
        ORPHAN_FINALIZER => "until what names it as its owner is left behind".to_owned(),
        other => format!("until somebody takes the finalizer {other} off"),
    });
    let link = Link {
        since: since.parse().ok(),
        ..Link::new(Topic::Deletion, "it waits").with(details.collect())
    };
    let key = object::key(object).filter(|_| held_by.contains(&FOREGROUND_FINALIZER));
    Some(match key {
        Some(key) => link.next(format!(
            "`whoosh delete {} -n {} --cascade=background` waits for none of those",
            object::slashed(&key),
            key.namespace
        )),
        None => link,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_end_tells_what_it_waits_for() {
        let going = |finalizers: Value| {
            json!({"kind": "Team", "metadata": {"name": "pay", "namespace": "prod", "finalizers": finalizers,
                   "deletionTimestamp": "2026-01-01T00:00:00Z"}})
        };
        assert_eq!(
            deletion(&json!({"metadata": {"finalizers": [AGENTS_FINALIZER]}})),
            None
        );
        let link = deletion(&going(json!([AGENTS_FINALIZER, "example.com/held"]))).unwrap();
        assert_eq!(
            link.details,
            [
                "until its agents are gone",
                "until somebody takes the finalizer example.com/held off"
            ]
        );
        assert_eq!((link.next, link.since.is_some()), (None, true));
        let waits = deletion(&going(json!([FOREGROUND_FINALIZER]))).unwrap();
        let next = waits.next.unwrap();
        assert!(
            next.contains("whoosh delete team/pay -n prod --cascade=background"),
            "{next}"
        );
    }
}
