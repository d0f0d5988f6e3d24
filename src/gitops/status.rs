//! What is said of a source after a turn. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::health;
use crate::resource::condition::{self, ConditionStatus, ConditionType, Reason};
use crate::resource::git_source::{
    Application, ApplicationResult, FetchedCommit, GitSourceStatus, SourceHealth,
};
use crate::resource::{Key, prune};
use crate::store::StoreError;
use crate::telemetry::Chain;

/// How many applications are remembered.
const HISTORY: usize = 50;
/// How much of a commit's hash people are shown.
const SHORT: usize = 7;

/// How a turn ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ended {
    /// The commit's objects are applied, now or before.
    Applied {
        /// The commit.
        commit: FetchedCommit,
        /// What the source declares.
        inventory: Vec<String>,
        /// What of it left the repository, and says itself that it stays.
        kept: Vec<String>,
        /// The paths that the commit does not have.
        missing: Vec<String>,
        /// What changed; `None` when nothing did.
        changes: Option<Changes>,
    },
    /// The commit's objects are not applied, and a person has to look.
    Held {
        /// The commit.
        commit: FetchedCommit,
        /// In what way.
        result: ApplicationResult,
        /// The same, more closely.
        reason: Reason,
        /// Why, with places.
        why: String,
    },
    /// It could not be fetched or applied, or must not be before others are.
    Failed {
        /// One word for machines.
        reason: Reason,
        /// Why.
        why: String,
        /// Whether it may work the next time, without anybody's help.
        transient: bool,
    },
    /// The source is suspended.
    Suspended {
        /// What is known of it.
        why: String,
    },
}

impl Ended {
    /// How a turn ends that found nothing new.
    pub(super) fn as_before(status: &GitSourceStatus) -> Self {
        match &status.fetched {
            Some(commit) => Self::Applied {
                commit: commit.clone(),
                inventory: status.inventory.clone(),
                kept: status.kept.clone(),
                missing: status.missing_paths.clone(),
                changes: None,
            },
            None => Self::Failed {
                reason: Reason::FetchFailed,
                why: "what was fetched is not known any more".to_owned(),
                transient: true,
            },
        }
    }
}

impl Ended {
    /// How a turn ends whose commit holds what the store refuses; `None` where another try may mend it.
    pub(super) fn unstorable(&self, why: &StoreError) -> Option<Self> {
        let Self::Applied { commit, .. } = self else {
            return None;
        };
        why.is_about_an_object().then(|| Self::Held {
            commit: commit.clone(),
            result: ApplicationResult::Refused,
            reason: Reason::RevisionRefused,
            why: Chain(why).to_string(),
        })
    }
}

/// What an application changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changes {
    /// `2 created, 1 configured`.
    pub(super) told: String,
    /// How long it took, in milliseconds.
    pub(super) duration_ms: i64,
}

/// What a turn was about.
#[derive(Clone, Debug)]
pub(super) struct Round<'a> {
    /// The source's generation.
    pub(super) generation: i64,
    /// The request to reconcile that it carries.
    pub(super) request: Option<&'a str>,
    /// How its teams, councils and sources are.
    pub(super) health: SourceHealth,
    /// Those of its objects that are pinned.
    pub(super) pinned: Vec<String>,
    /// Whether it is ready only when they are.
    pub(super) wait: bool,
    /// The source's namespace.
    pub(super) namespace: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    /// Now.
    pub(super) now: Timestamp,
}

/// The status that a turn leaves. It equals `old` when nothing is new.
pub(super) fn next(old: &GitSourceStatus, ended: &Ended, round: &Round<'_>) -> GitSourceStatus {
    let mut status = old.clone();
    status.health = told_health(round);
    status.pinned.clone_from(&round.pinned);
    status.observed_generation = round.generation;
    let is_waiting = matches!(
        ended,
        Ended::Failed {
            reason: Reason::DependencyNotReady | Reason::Fetching,
            ..
        }
    );
    // The look that was asked for is still to be taken.
    if !is_waiting {
        status.handled_request = round.request.map(str::to_owned);
    }
    status.suspended = matches!(ended, Ended::Suspended { .. });
    let (mut ready, mut reconciling, mut stalled) = (ConditionStatus::False, false, false);
    let (reason, message) = match ended {
        Ended::Applied {
            commit,
            inventory,
            kept,
            missing,
            changes,
        } => {
            status.missing_paths.clone_from(missing);
            status.fetched = Some(commit.clone());
            status.attempted_revision = Some(commit.revision.clone());
            status.applied_revision = Some(commit.revision.clone());
            status.applied_generation = Some(round.generation);
            status.revision = Some(shown(commit));
            status.inventory.clone_from(inventory);
            status.kept.clone_from(kept);
            if let Some(Changes { told, duration_ms }) = changes {
                let result = ApplicationResult::Applied;
                remember(&mut status, commit, result, told, *duration_ms, round.now);
            }
            let count = match inventory.len() {
                1 => "1 object".to_owned(),
                count => format!("{count} objects"),
            };
            let left = left(kept, commit, round);
            let pinned = told_pinned(&round.pinned, round.namespace);
            let applied = format!("{} is applied: {count}{left}{pinned}", shown(commit));
            match health::waits_for(round.wait, &round.health, round.namespace) {
                Some(who) => {
                    reconciling = true;
                    (Reason::ObjectsNotReady, format!("{applied}; {who}"))
                }
                None => {
                    ready = ConditionStatus::True;
                    (Reason::RevisionApplied, applied)
                }
            }
        }
        Ended::Held {
            commit,
            result,
            reason,
            why,
        } => {
            stalled = true;
            status.fetched = Some(commit.clone());
            status.attempted_revision = Some(commit.revision.clone());
            remember(&mut status, commit, *result, why, 0, round.now);
            let shown = shown(commit);
            let stays = match old.revision.as_ref() == Some(&shown) {
                true => " as it is declared now (what was applied before stays)".to_owned(),
                false => stays(old),
            };
            (*reason, format!("{shown} is not applied{stays}: {why}"))
        }
        Ended::Failed {
            reason,
            why,
            transient,
        } => {
            (reconciling, stalled) = (*transient, !*transient);
            (*reason, format!("{why}{}", stays(old)))
        }
        Ended::Suspended { why } => {
            let before = condition::get(&old.conditions, ConditionType::Ready);
            ready = match before.map(|ready| ready.status.as_str()) {
                Some("True") => ConditionStatus::True,
                Some("False") => ConditionStatus::False,
                _ => ConditionStatus::Unknown,
            };
            (Reason::Suspended, why.clone())
        }
    };
    status.ready = ready.to_string();
    status.message.clone_from(&message);
    for (type_, holds) in [
        (ConditionType::Ready, ready),
        (ConditionType::Reconciling, reconciling.into()),
        (ConditionType::Stalled, stalled.into()),
        (ConditionType::Suspended, status.suspended.into()),
    ] {
        // What does not hold has nothing to tell, but for Ready, which says how it stands.
        let (reason, message) = match holds == ConditionStatus::True || type_ == ConditionType::Ready {
            true => (reason, message.as_str()),
            false => (Reason::AsExpected, ""),
        };
        let conditions = &mut status.conditions;
        condition::set(
            conditions,
            type_,
            holds,
            reason,
            message,
            round.generation,
            round.now,
        );
    }
    status
}

/// The status that news of a source's objects leaves, whatever its last turn came to.
pub(super) fn with_health(old: &GitSourceStatus, round: &Round<'_>) -> GitSourceStatus {
    match is_applied(old) {
        true => next(old, &Ended::as_before(old), round),
        false => GitSourceStatus {
            health: told_health(round),
            pinned: round.pinned.clone(),
            ..old.clone()
        },
    }
}

/// What is said of those that the commit changes nothing of.
fn told_pinned(pinned: &[String], here: &str) -> String {
    let keys: Vec<Key> = pinned.iter().filter_map(|text| Key::parse(text)).collect();
    match keys.len() {
        0 => String::new(),
        count => format!(", {count} of them pinned ({})", prune::list(&keys, here)),
    }
}

fn told_health(round: &Round<'_>) -> Option<SourceHealth> {
    Some(round.health.clone()).filter(|health| health.total > 0)
}

/// Whether the last turn came to a commit that is applied.
pub(super) fn is_applied(status: &GitSourceStatus) -> bool {
    let ready = condition::get(&status.conditions, ConditionType::Ready);
    let applied = [Reason::RevisionApplied, Reason::ObjectsNotReady].map(|reason| reason.to_string());
    ready.is_some_and(|ready| applied.contains(&ready.reason))
}

/// `main@1a2b3c4`, or `1a2b3c4` where no branch or tag led to it.
pub(super) fn shown(commit: &FetchedCommit) -> String {
    let short = commit.revision.get(..SHORT).unwrap_or(&commit.revision);
    match commit.reference == commit.revision {
        // It was asked for by its hash.
        true => short.to_owned(),
        false => format!("{}@{short}", commit.reference),
    }
}

/// What left the repository and stays, and how it goes.
fn left(kept: &[String], commit: &FetchedCommit, round: &Round<'_>) -> String {
    let revision = commit.revision.get(..SHORT).unwrap_or(&commit.revision);
    match kept {
        [] => String::new(),
        [first, others @ ..] => format!(
            ", of which {first}{} left it and stays (chorus.services/prune: disabled) until `whoosh reconcile gitsource/{} -n {} \
             --allow-prune {revision}`",
            match others.len() {
                0 => String::new(),
                count => format!(" and {count} more"),
            },
            round.name,
            round.namespace
        ),
    }
}

fn stays(old: &GitSourceStatus) -> String {
    match &old.revision {
        Some(revision) => format!(" ({revision} stays applied)"),
        None => String::new(),
    }
}

/// Adds what was tried to the history, unless that is what it tells last.
fn remember(
    status: &mut GitSourceStatus,
    commit: &FetchedCommit,
    result: ApplicationResult,
    detail: &str,
    duration_ms: i64,
    now: Timestamp,
) {
    let last = status.history.first();
    let told = last.is_some_and(|last| {
        result != ApplicationResult::Applied
            && (last.revision.as_str(), last.result, last.detail.as_str())
                == (commit.revision.as_str(), result, detail)
    });
    if told {
        return;
    }
    let application = Application {
        revision: commit.revision.clone(),
        author: commit.author.clone(),
        message: commit.message.clone(),
        time: Time(now),
        duration_ms,
        result,
        detail: detail.to_owned(),
    };
    status.history.insert(0, application);
    status.history.truncate(HISTORY);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn round(second: i64) -> Round<'static> {
        Round {
            generation: 1,
            request: None,
            health: SourceHealth::default(),
            pinned: Vec::new(),
            wait: false,
            namespace: "default",
            name: "fleet",
            now: at(second),
        }
    }

    fn commit(hash: &str) -> FetchedCommit {
        FetchedCommit {
            revision: hash.repeat(40),
            reference: "main".to_owned(),
            author: "Ada <ada@example.org>".to_owned(),
            message: "Add a team".to_owned(),
            signer: None,
        }
    }

    fn applied(hash: &str, told: Option<&str>) -> Ended {
        Ended::Applied {
            commit: commit(hash),
            inventory: vec!["team/default/a".to_owned()],
            kept: Vec::new(),
            missing: Vec::new(),
            changes: told.map(|told| Changes {
                told: told.to_owned(),
                duration_ms: 12,
            }),
        }
    }

    fn told(status: &GitSourceStatus) -> String {
        let conditions: Vec<String> = status
            .conditions
            .iter()
            .filter(|condition| condition.status == "True" || condition.type_ == "Ready")
            .map(|condition| format!("{}={} {}", condition.type_, condition.status, condition.reason))
            .collect();
        format!("{} | {}", conditions.join(", "), status.message)
    }

    #[test]
    fn each_end_of_a_turn_is_told() {
        let first = next(
            &GitSourceStatus::default(),
            &applied("a", Some("1 created")),
            &round(0),
        );
        assert_eq!(
            told(&first),
            "Ready=True RevisionApplied | main@aaaaaaa is applied: 1 object"
        );
        let mut keeps = applied("a", Some("1 kept that left the repository"));
        if let Ended::Applied { kept, .. } = &mut keeps {
            kept.push("team/default/a".to_owned());
        }
        let keeping = next(&first, &keeps, &round(1));
        assert_eq!(
            told(&keeping),
            "Ready=True RevisionApplied | main@aaaaaaa is applied: 1 object, of which team/default/a left it and stays \
             (chorus.services/prune: disabled) until `whoosh reconcile gitsource/fleet -n default --allow-prune aaaaaaa`"
        );
        assert_eq!(next(&keeping, &Ended::as_before(&keeping), &round(2)), keeping);
        let refused = Ended::Held {
            commit: commit("b"),
            result: ApplicationResult::Refused,
            reason: Reason::RevisionRefused,
            why: "a.yaml:3: spec.roles: is required".to_owned(),
        };
        let second = next(&first, &refused, &round(1));
        assert_eq!(
            told(&second),
            "Ready=False RevisionRefused, Stalled=True RevisionRefused | main@bbbbbbb is not applied (main@aaaaaaa stays \
             applied): a.yaml:3: spec.roles: is required"
        );
        assert_eq!(second.applied_revision, first.applied_revision);
        assert_eq!(second.attempted_revision, Some("b".repeat(40)));
        assert_eq!(second.inventory, first.inventory);
        let failed = Ended::Failed {
            reason: Reason::FetchFailed,
            why: "cannot reach git.example".to_owned(),
            transient: true,
        };
        assert_eq!(
            told(&next(&first, &failed, &round(2))),
            "Ready=False FetchFailed, Reconciling=True FetchFailed | cannot reach git.example (main@aaaaaaa stays applied)"
        );
        let suspended = Ended::Suspended {
            why: "suspended by ada: audit".to_owned(),
        };
        assert_eq!(
            told(&next(&first, &suspended, &round(3))),
            "Ready=True Suspended, Suspended=True Suspended | suspended by ada: audit"
        );
    }

    #[test]
    fn a_commit_that_cannot_be_stored_is_the_one_that_is_told_of() {
        let first = next(&GitSourceStatus::default(), &applied("a", None), &round(0));
        let too_large = StoreError::TooLarge {
            key: Key::new(Kind::Team, "default", "a"),
            bytes: 2,
            limit: 1,
        };
        let ended = applied("b", None).unstorable(&too_large).unwrap();
        let second = next(&first, &ended, &round(1));
        assert_eq!(second.attempted_revision, Some("b".repeat(40)));
        assert_eq!(second.applied_revision, Some("a".repeat(40)));
        let said = told(&second);
        assert!(
            said.contains(
                "main@bbbbbbb is not applied (main@aaaaaaa stays applied): team/default/a is 2 bytes"
            ),
            "{said}"
        );
        assert_eq!(applied("b", None).unstorable(&StoreError::Timeout), None);
    }

    #[test]
    fn a_request_is_answered_by_what_was_looked_at() {
        let asked = Round {
            request: Some("now"),
            ..round(1)
        };
        let answered = |ended: &Ended| next(&GitSourceStatus::default(), ended, &asked).handled_request;
        let failed = |reason| Ended::Failed {
            reason,
            why: String::new(),
            transient: true,
        };
        assert_eq!(answered(&applied("a", None)).as_deref(), Some("now"));
        assert_eq!(answered(&failed(Reason::FetchFailed)).as_deref(), Some("now"));
        assert_eq!(answered(&failed(Reason::DependencyLoop)).as_deref(), Some("now"));
        assert_eq!(answered(&failed(Reason::DependencyNotReady)), None);
    }

    #[test]
    fn what_is_told_already_is_not_written_again() {
        let first = next(
            &GitSourceStatus::default(),
            &applied("a", Some("1 created")),
            &round(0),
        );
        assert_eq!(next(&first, &applied("a", None), &round(60)), first);
        let refused = Ended::Held {
            commit: commit("b"),
            result: ApplicationResult::Guarded,
            reason: Reason::PruneGuarded,
            why: "too much".to_owned(),
        };
        let held = next(&first, &refused, &round(1));
        assert_eq!(next(&held, &refused, &round(61)), held);
        assert_eq!(held.history.len(), 2);
    }

    #[test]
    fn the_history_ends_somewhere() {
        let mut status = GitSourceStatus::default();
        for second in 0..60 {
            status = next(&status, &applied("a", Some("1 configured")), &round(second));
        }
        assert_eq!(status.history.len(), HISTORY);
        assert_eq!(status.history[0].time, Time(at(59)));
    }

    #[test]
    fn what_is_pinned_is_told_with_what_is_applied_and_noted_whatever_came_of_a_commit() {
        let pinned = |second| Round {
            pinned: vec!["team/default/a".to_owned(), "team/prod/b".to_owned()],
            ..round(second)
        };
        let first = next(&GitSourceStatus::default(), &applied("a", None), &pinned(0));
        let message = "main@aaaaaaa is applied: 1 object, 2 of them pinned (team/a, team/b in prod)";
        assert_eq!(first.message, message);
        assert_eq!(
            with_health(&first, &round(1)).message,
            "main@aaaaaaa is applied: 1 object"
        );
        let failed = Ended::Failed {
            reason: Reason::FetchFailed,
            why: "cannot reach git.example".to_owned(),
            transient: true,
        };
        let failed = next(&GitSourceStatus::default(), &failed, &pinned(2));
        assert_eq!(failed.pinned.len(), 2);
        assert_eq!(with_health(&failed, &round(3)).pinned, [""; 0]);
    }

    #[test]
    fn a_source_that_waits_is_ready_when_its_objects_are() {
        let waiting = |ready: usize| Round {
            health: SourceHealth {
                ready,
                total: 2,
                not_ready: Vec::new(),
            },
            wait: true,
            ..round(0)
        };
        let first = next(
            &GitSourceStatus::default(),
            &applied("a", Some("2 created")),
            &waiting(1),
        );
        assert_eq!(
            told(&first),
            "Ready=False ObjectsNotReady, Reconciling=True ObjectsNotReady | main@aaaaaaa is applied: 1 object; 1 of 2 \
             objects are not ready"
        );
        let second = with_health(&first, &waiting(2));
        assert_eq!(
            told(&second),
            "Ready=True RevisionApplied | main@aaaaaaa is applied: 1 object"
        );
        let failed = Ended::Failed {
            reason: Reason::FetchFailed,
            why: "cannot reach git.example".to_owned(),
            transient: true,
        };
        let failed = next(&second, &failed, &waiting(2));
        let third = with_health(&failed, &waiting(1));
        assert_eq!(told(&third), told(&failed));
        assert_eq!(third.health.map(|health| health.ready), Some(1));
    }
}
