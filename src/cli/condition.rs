//! What `wait` waits for, and whether it holds.

use std::fmt;

use serde_json::Value;

use super::object;
use super::templates::{SeenTemplate, judge_templates};
use crate::resource::condition::ConditionType;
use crate::resource::jsonpath::{Path, plain};

/// What is waited for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// The object exists.
    Created,
    /// The object does not exist.
    Deleted,
    /// A condition has a status, in the current generation.
    Condition {
        /// The condition's type, in any case.
        type_: String,
        /// `True`, `False` or `Unknown`, in any case.
        status: String,
    },
    /// The status speaks of these states of the templates that the object uses.
    Templates(Vec<SeenTemplate>),
    /// A field has a value; without one, it only has to be there.
    Field {
        /// What the user wrote.
        text: String,
        /// Where the field is.
        path: Path,
        /// The value that is wanted.
        value: Option<String>,
    },
}

/// What an object says to what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds.
    Met,
    /// Not yet; how it stands.
    Waiting(String),
    /// Not as things stand: somebody has to do something first; why.
    Blocked(String),
    /// Never; why.
    Hopeless(String),
}

impl Wanted {
    /// `Ready` is `True`.
    pub(super) fn ready() -> Self {
        Wanted::Condition {
            type_: ConditionType::Ready.to_string(),
            status: "True".to_owned(),
        }
    }

    /// Reads `--for`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(condition) = text.strip_prefix("condition=") {
            let (type_, status) = condition.split_once('=').unwrap_or((condition, "True"));
            if type_.is_empty() || status.is_empty() {
                return Err("write it like condition=Ready or condition=Ready=False".to_owned());
            }
            return Ok(Wanted::Condition {
                type_: type_.to_owned(),
                status: status.to_owned(),
            });
        }
        if let Some(field) = text.strip_prefix("jsonpath=") {
            return parse_field(field);
        }
        match text.to_ascii_lowercase().as_str() {
            "create" => Ok(Wanted::Created),
            "delete" => Ok(Wanted::Deleted),
            _ => Err(
                "wait for create, delete, condition=NAME[=STATUS] or jsonpath='{.path}'[=VALUE]".to_owned(),
            ),
        }
    }

    /// Judges an object; `None` when there is none.
    pub(super) fn judge(&self, object: Option<&Value>) -> Verdict {
        match (self, object) {
            (Wanted::Created, Some(_)) | (Wanted::Deleted, None) => Verdict::Met,
            (Wanted::Created, None) => Verdict::Waiting("it does not exist yet".to_owned()),
            (Wanted::Deleted, Some(object)) => Verdict::Waiting(still_there(object)),
            (_, None) => Verdict::Hopeless("it does not exist".to_owned()),
            (Wanted::Condition { type_, status }, Some(object)) => judge_condition(type_, status, object),
            (Wanted::Templates(seen), Some(object)) => judge_templates(seen, object),
            (Wanted::Field { path, value, text }, Some(object)) => {
                judge_field(path, value.as_deref(), text, object)
            }
        }
    }
}

impl Verdict {
    /// How bad it is; 0 is well.
    fn rank(&self) -> u8 {
        match self {
            Verdict::Met => 0,
            Verdict::Waiting(_) => 1,
            Verdict::Blocked(_) => 2,
            Verdict::Hopeless(_) => 3,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Created => f.write_str("create"),
            Wanted::Deleted => f.write_str("delete"),
            Wanted::Condition { type_, status } if status == "True" => write!(f, "condition {type_}"),
            Wanted::Condition { type_, status } => write!(f, "condition {type_}={status}"),
            Wanted::Templates(_) => f.write_str("the templates' changes"),
            Wanted::Field { text, .. } => f.write_str(text),
        }
    }
}

/// Judges several at once: all must hold; the worst decides, and the first of those.
pub(crate) fn judge_all(wanted: &[Wanted], object: Option<&Value>) -> Verdict {
    let verdicts = wanted.iter().map(|one| one.judge(object));
    let worse = |worst: Verdict, next: Verdict| if next.rank() > worst.rank() { next } else { worst };
    verdicts.reduce(worse).unwrap_or(Verdict::Met)
}

fn parse_field(text: &str) -> Result<Wanted, String> {
    let (path, value) = match text.strip_prefix('{') {
        Some(inside) => {
            let (path, rest) = inside
                .rsplit_once('}')
                .ok_or_else(|| "write it like jsonpath='{.status.state}'=Ready".to_owned())?;
            (path, rest.strip_prefix('='))
        }
        None => match text.split_once('=') {
            Some((path, value)) => (path, Some(value)),
            None => (text, None),
        },
    };
    Ok(Wanted::Field {
        text: text.to_owned(),
        path: Path::parse(path).map_err(|error| error.to_string())?,
        value: value.map(|value| value.trim_matches(['"', '\'']).to_owned()),
    })
}

fn judge_condition(type_: &str, status: &str, object: &Value) -> Verdict {
    let waits_for_ready =
        type_.eq_ignore_ascii_case(&ConditionType::Ready.to_string()) && status.eq_ignore_ascii_case("True");
    if waits_for_ready && object::is_going(object) {
        return Verdict::Hopeless("it is being deleted".to_owned());
    }
    let generation = object::generation(object);
    let conditions = object::conditions(object);
    let observed = object
        .pointer("/status/observedGeneration")
        .and_then(Value::as_i64)
        .unwrap_or(generation);
    if observed < generation {
        return Verdict::Waiting(format!(
            "the operator has not looked at generation {generation} yet"
        ));
    }
    let current = |type_: &str| {
        conditions.iter().find(|condition| {
            condition.type_.eq_ignore_ascii_case(type_)
                && condition
                    .observed_generation
                    .is_none_or(|observed| observed >= generation)
        })
    };
    let described = match current(type_) {
        Some(condition) if condition.status.eq_ignore_ascii_case(status) => return Verdict::Met,
        Some(condition) => format!(
            "{} is {} ({}): {}",
            condition.type_, condition.status, condition.reason, condition.message
        ),
        None => format!("it has no condition {type_} of this generation yet"),
    };
    let blocker = [ConditionType::Stalled, ConditionType::Suspended]
        .into_iter()
        .filter_map(|type_| current(&type_.to_string()))
        .find(|condition| condition.status == "True");
    match blocker {
        Some(condition) if waits_for_ready => Verdict::Blocked(format!(
            "{} ({}): {}",
            condition.type_, condition.reason, condition.message
        )),
        _ => Verdict::Waiting(described),
    }
}

fn judge_field(path: &Path, value: Option<&str>, text: &str, object: &Value) -> Verdict {
    let found = path.find(object);
    let met = match value {
        None => !found.is_empty(),
        Some(value) => !found.is_empty() && found.iter().all(|found| plain(found) == value),
    };
    if met {
        return Verdict::Met;
    }
    let shown: Vec<String> = found.into_iter().map(plain).collect();
    Verdict::Waiting(if shown.is_empty() {
        format!("there is nothing at {text}")
    } else {
        format!("it is {}", shown.join(" "))
    })
}

fn still_there(object: &Value) -> String {
    let message = object::text(object, "/status/message");
    match (object::text(object, "/metadata/deletionTimestamp"), message) {
        ("", _) => "nobody has deleted it".to_owned(),
        (_, "") => "its agents are being stopped".to_owned(),
        (_, message) => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn team(generation: i64, observed: i64, conditions: &[(&str, &str)]) -> Value {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(type_, status)| {
                json!({
                    "type": type_, "status": status, "reason": "Because", "message": "of this",
                    "observedGeneration": observed, "lastTransitionTime": "2026-01-01T00:00:00Z",
                })
            })
            .collect();
        json!({
            "metadata": {"name": "payments", "generation": generation},
            "status": {"observedGeneration": observed, "conditions": conditions, "state": "Ready", "replicas": 3},
        })
    }

    fn check(wanted: &str, object: Option<&Value>, expected: &str) {
        let verdict = match Wanted::parse(wanted).unwrap().judge(object) {
            Verdict::Met => "met".to_owned(),
            Verdict::Waiting(why) => format!("waiting: {why}"),
            Verdict::Blocked(why) => format!("blocked: {why}"),
            Verdict::Hopeless(why) => format!("hopeless: {why}"),
        };
        assert_eq!(verdict, expected, "{wanted}");
    }

    #[test]
    fn conditions_count_in_the_current_generation_only() {
        let ready = team(2, 2, &[("Ready", "True"), ("Stalled", "False")]);
        check("condition=Ready", Some(&ready), "met");
        check("condition=ready=true", Some(&ready), "met");
        check(
            "condition=Ready=False",
            Some(&ready),
            "waiting: Ready is True (Because): of this",
        );
        check(
            "condition=Formed",
            Some(&ready),
            "waiting: it has no condition Formed of this generation yet",
        );
        check(
            "condition=Ready",
            Some(&team(3, 2, &[("Ready", "True"), ("Stalled", "True")])),
            "waiting: the operator has not looked at generation 3 yet",
        );
    }

    #[test]
    fn what_cannot_become_ready_by_itself_is_blocked() {
        let stalled = team(1, 1, &[("Ready", "False"), ("Stalled", "True")]);
        check(
            "condition=Ready",
            Some(&stalled),
            "blocked: Stalled (Because): of this",
        );
        check("condition=Stalled", Some(&stalled), "met");
        check("condition=Ready=False", Some(&stalled), "met");
        check(
            "condition=Degraded",
            Some(&stalled),
            "waiting: it has no condition Degraded of this generation yet",
        );
        let suspended = team(1, 1, &[("Ready", "False"), ("Suspended", "True")]);
        check(
            "condition=Ready",
            Some(&suspended),
            "blocked: Suspended (Because): of this",
        );
        check("condition=Ready", None, "hopeless: it does not exist");
        let mut going = team(1, 1, &[("Ready", "True")]);
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        check("condition=Ready", Some(&going), "hopeless: it is being deleted");
        check(
            "condition=Stalled=False",
            Some(&going),
            "waiting: it has no condition Stalled of this generation yet",
        );
    }

    #[test]
    fn fields_are_compared_as_text() {
        let team = team(1, 1, &[]);
        check("jsonpath={.status.state}=Ready", Some(&team), "met");
        check(
            "jsonpath='{.status.state}'=Ready".replace('\'', "").as_str(),
            Some(&team),
            "met",
        );
        check("jsonpath={.status.replicas}=3", Some(&team), "met");
        check("jsonpath={.status.replicas}", Some(&team), "met");
        check("jsonpath=.status.replicas=4", Some(&team), "waiting: it is 3");
        check(
            "jsonpath={.status.absent}",
            Some(&team),
            "waiting: there is nothing at {.status.absent}",
        );
    }

    #[test]
    fn existence_can_be_waited_for() {
        let mut going = team(1, 1, &[]);
        check("create", Some(&going), "met");
        check("create", None, "waiting: it does not exist yet");
        check("delete", None, "met");
        check("delete", Some(&going), "waiting: nobody has deleted it");
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        check("delete", Some(&going), "waiting: its agents are being stopped");
    }

    #[test]
    fn what_cannot_be_waited_for_is_refused() {
        for text in [
            "",
            "ready",
            "condition=",
            "condition=Ready=",
            "jsonpath={.a",
            "jsonpath={.a[}",
        ] {
            assert!(Wanted::parse(text).is_err(), "{text}");
        }
    }
}
