//! What only shows beside other objects, or by who asks: problems of the merged spec, what Policies refuse, more power than
//! somebody has to give; and warnings.

use std::collections::BTreeSet;
use std::time::Duration;

use super::admission::Intent;
use super::caller::Caller;
use super::escalation;
use super::lowering::{self, Shelf};
use super::quota::{Before, Turn};
use super::state::Api;
use super::status::{ApiError, refused};
use crate::plan;
use crate::plan::action::Blocked;
use crate::resource::agent_spec::AgentSpec;
use crate::resource::condition::Reason;
use crate::resource::dependents::Standing;
use crate::resource::git_source::GitSourceSpec;
use crate::resource::policy::Asked;
use crate::resource::validate::{self, Cause, CauseReason};
use crate::resource::workload::{DesiredRole, Workload};
use crate::resource::{Kind, Object, path};
use crate::store::StoreError;
use crate::swarm::Want;

/// How long the Swarm may take to be asked for a warning; without an answer there is none.
const GLANCE: Duration = Duration::from_secs(2);

/// What comes of an object that nothing is wrong with.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) warnings: Vec<String>,
    /// Held until it is stored, if that counts for a quota.
    pub(super) turn: Option<Turn>,
}

/// Judges an object that is valid by itself.
///
/// A spec that does not change is not judged again: its template may have become bad since, or a Policy stricter, and
/// its labels can still be edited.
///
/// # Errors
/// [`ApiError::Invalid`] with every cause.
pub(super) async fn judge(
    api: &Api,
    caller: &Caller,
    object: &Object,
    old: Option<&Object>,
    intent: Intent<'_>,
) -> Result<Judged, ApiError> {
    let mut warnings = validate::warnings(object);
    let mut causes = escalation::causes(caller, object, old);
    let (absent, is_lost) = absent_owners(api, object, old).await?;
    for number in absent {
        let field = format!("metadata.ownerReferences[{number}]");
        let what = "is not there under this uid";
        match intent {
            // Who keeps it applied would have it made and deleted again and again.
            Intent::Together(_) if is_lost => {
                let why = format!("{what}, and there is no other owner: the object would be deleted at once");
                causes.push(Cause::new(&field, CauseReason::Invalid, why));
            }
            _ if is_lost => warnings.push(format!(
                "{field} {what}, and there is no other owner: the object is deleted at once"
            )),
            _ => warnings.push(format!("{field} {what}")),
        }
    }
    let beside = intent.beside();
    if causes.is_empty() && beside.is_empty() && old.is_some_and(|old| old.spec == object.spec) {
        return Ok(Judged { warnings, turn: None });
    }
    let alone = !matches!(intent, Intent::Together(_));
    let users = match object.kind {
        Kind::AgentTemplate if alone => lowering::users(api, object.namespace(), object.name()).await?,
        _ => Vec::new(),
    };
    let (mut own, mut before) = (Shelf::default(), None);
    if alone {
        own = match object.kind {
            Kind::Policy => Shelf::read(api, Some(object.namespace())).await?,
            _ => {
                let owners = users.iter().chain([object]).chain(old);
                let owners = owners.filter(|owner| owner.kind.owns_agents());
                Shelf::named_by(api, object.namespace(), owners, beside).await?
            }
        };
        beside.iter().for_each(|other| own.put(other));
        before = Before::of(api, &own, object).await?;
        own.put(object);
    }
    let shelf = match intent {
        Intent::Together(beside) => &beside.shelf,
        Intent::Store | Intent::Rehearse(_) => &own,
    };
    let too_much = before.iter().flat_map(|before| before.too_much(shelf, object));
    causes.extend(too_much);
    match object.kind {
        Kind::AgentTemplate => {
            warnings.extend(bad_from_now_on(api, shelf, &users));
            causes.extend(of_template(shelf, object));
        }
        Kind::Policy => {
            let owners = lowering::owners(api, Some(object.namespace())).await?;
            warnings.extend(bad_from_now_on(api, shelf, &owners));
        }
        Kind::Team | Kind::Council => match shelf.lower(api, object) {
            Ok(workload) => {
                let was = old.and_then(|old| shelf.lower(api, old).ok());
                let (known, new) = known_and_new(&workload, was.as_ref());
                causes.extend(new);
                warnings.extend(known);
                if causes.is_empty() && alone {
                    warnings.extend(obstacles(api, &workload).await);
                }
            }
            Err(invalid) => causes.extend(invalid.causes),
        },
        Kind::GitSource => causes.extend(of_source(object)),
        Kind::Agent => {}
    }
    refused(object, causes)?;
    let turn = match intent {
        Intent::Store if before.is_some() => Some(turn(api, object).await?),
        Intent::Store | Intent::Rehearse(_) | Intent::Together(_) => None,
    };
    Ok(Judged { warnings, turn })
}

/// Which owners are not there, each with its number, and whether there is no other: then the object is deleted for that.
async fn absent_owners(
    api: &Api,
    object: &Object,
    old: Option<&Object>,
) -> Result<(Vec<usize>, bool), StoreError> {
    let named = |object: &Object| object.metadata.owner_references.clone();
    if object.is_deleting() || old.is_some_and(|old| named(old) == named(object)) {
        return Ok((Vec::new(), false));
    }
    let standings = api.store.standings(object).await?;
    let is_gone = |standing: &Standing| *standing == Standing::Gone;
    let gone = standings
        .iter()
        .enumerate()
        .filter(|(_, standing)| is_gone(standing));
    let gone: Vec<usize> = gone.map(|(number, _)| number).collect();
    let is_lost = !gone.is_empty() && gone.len() == standings.len();
    Ok((gone, is_lost))
}

/// The turn to store an object that counts for a quota. It fitted before; others may have had their turns since.
async fn turn(api: &Api, object: &Object) -> Result<Turn, ApiError> {
    let turn = api.quotas.next(&api.store).await?;
    let mut shelf = Shelf::read(api, Some(object.namespace())).await?;
    if let Some(before) = Before::of(api, &shelf, object).await? {
        shelf.put(object);
        refused(object, before.too_much(&shelf, object))?;
    }
    Ok(turn)
}

/// What Policies refuse of a workload: warnings of what they refused of it before, too, and causes of the rest. A Policy that
/// became stricter must not keep anybody from scaling down or suspending what it refuses; nothing of that is brought about.
fn known_and_new(workload: &Workload, was: Option<&Workload>) -> (Vec<String>, Vec<Cause>) {
    let (mut known, mut new) = (Vec::new(), Vec::new());
    for role in &workload.roles {
        let no_less = |old: &&DesiredRole| old.name == role.name && old.replicas >= role.replicas;
        let old = was.and_then(|was| was.roles.iter().find(no_less));
        // Where its block stands may have changed.
        let was_told = |cause: &Cause| {
            let mut before = old.iter().flat_map(|old| old.denied());
            before.any(|before| before.message == cause.message)
        };
        for cause in role.denied() {
            match was_told(cause) {
                true => known.push(format!("was refused before, and is left as it runs: {cause}")),
                false => new.push(cause.clone()),
            }
        }
    }
    (known, new)
}

/// What Policies refuse of a template by itself, whoever uses it.
fn of_template(shelf: &Shelf, template: &Object) -> Vec<Cause> {
    // A spec that is no agent block was refused before.
    let agent: AgentSpec = serde_json::from_value(template.spec.clone()).unwrap_or_default();
    shelf
        .rules(template.namespace())
        .judge(&Asked::of(&agent), "spec")
}

/// Why a source cannot do what it says: where it declares, and for whom it waits.
fn of_source(source: &Object) -> Vec<Cause> {
    let spec: GitSourceSpec = serde_json::from_value(source.spec.clone()).unwrap_or_default();
    let mut causes = Vec::new();
    let grant = spec.grant(source.namespace());
    if let Some(target) = spec
        .target_namespace
        .as_deref()
        .filter(|target| !grant.reaches(target))
    {
        let places = grant.places();
        let message = format!(
            "is \"{target}\", and this source may declare objects of {places} alone (spec.impersonate)"
        );
        causes.push(Cause::new(
            "spec.targetNamespace",
            CauseReason::Forbidden,
            message,
        ));
    }
    for (index, needed) in spec.depends_on.iter().enumerate() {
        let namespace = needed.namespace.as_deref().unwrap_or(source.namespace());
        if (namespace, needed.name.as_str()) == (source.namespace(), source.name()) {
            let field = path::item("spec.dependsOn", index);
            let message = "is this source itself, which would wait for ever";
            causes.push(Cause::new(field, CauseReason::Invalid, message));
        }
    }
    causes
}

/// What owners are told whose agents are left as they are from now on.
fn bad_from_now_on(api: &Api, shelf: &Shelf, owners: &[Object]) -> Vec<String> {
    let mut told = Vec::new();
    for owner in owners {
        let why = match shelf.lower(api, owner) {
            Ok(workload) => {
                let causes: Vec<Cause> = workload.denied().cloned().collect();
                if causes.is_empty() {
                    continue;
                }
                let invalid = validate::Invalid { causes };
                format!("asks for what is not allowed: {invalid}")
            }
            Err(invalid) => format!("would not be valid any more: {invalid}"),
        };
        told.push(format!("{} {why}", owner.key()));
    }
    told
}

/// What is already known to stand in the way: a missing template or secret, a full network, a name that is taken.
async fn obstacles(api: &Api, workload: &Workload) -> BTreeSet<String> {
    let mut want = Want::of(workload);
    want.tasks = false;
    // A registry may take its time, and what it says hinders nothing.
    want.images.clear();
    match tokio::time::timeout(GLANCE, api.cache.observe(&want)).await {
        Ok(Ok(observed)) => {
            let blocked = plan::plan(workload, &observed, &api.instance).report.blocked;
            let obstacle = |one: &Blocked| format!("{}: {}", one.reason, one.message);
            blocked.iter().map(obstacle).collect()
        }
        Ok(Err(_)) | Err(_) => {
            let missing = workload.missing_templates();
            let obstacle = |missing| format!("{}: {missing}", Reason::TemplateNotFound);
            missing.map(obstacle).collect()
        }
    }
}
