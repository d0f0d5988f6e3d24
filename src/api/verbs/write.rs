//! Create, and change: an update replaces an object, a merge patch edits it.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::Value;

use super::apply::apply;
use super::change::{Change, Sent, Step, store};
use crate::api::admission::{Admitted, Intent, admit_new};
use crate::api::answer::Answer;
use crate::api::caller::Caller;
use crate::api::form::Form;
use crate::api::paths::{Collection, Target};
use crate::api::payload::{Document, Edit, Modification, Written};
use crate::api::quota::Turn;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::api::write_options::WriteOptions;
use crate::resource::managed::{self, Manager};
use crate::resource::object::DEFAULT_NAMESPACE;
use crate::resource::validate::Known;
use crate::resource::{Key, Object};
use crate::store::Op;

/// The longest name: a DNS-1123 label.
const NAME_MAX: usize = 63;

/// `POST …/namespaces/{namespace}/{plural}`: with the key that the path does not tell, for the log.
pub(in crate::api) async fn create(
    State(api): State<Api>,
    collection: Collection,
    form: Form,
    options: WriteOptions,
    caller: Caller,
    Written {
        body: Document(mut raw),
        warnings: repeated,
    }: Written<Document>,
) -> Result<(Extension<Key>, Response), ApiError> {
    let namespace = collection.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let dropped = options
        .unknown
        .drop_from(&mut raw, &Known::object(collection.kind));
    generate_name(&mut raw);
    let Admitted {
        mut object,
        mut warnings,
        turn,
    } = admit_new(
        &api,
        &caller,
        &raw,
        collection.kind,
        (namespace, None),
        Intent::of(options.dry_run),
    )
    .await?;
    warnings.extend(dropped);
    warnings.extend(repeated);
    let manager = Manager::new(options.manager());
    object.metadata.managed_fields = managed::update(None, &object, &manager, Timestamp::now());
    let key = object.key();
    let body = insert(&api, object, turn, &caller, "create", options.dry_run).await?;
    let answer = Answer {
        code: StatusCode::CREATED,
        body,
        warnings,
    };
    Ok((Extension(key), form.answer(answer)?))
}

/// Stores a new object, or sees whether it could be.
///
/// # Errors
/// 409 when the name is taken.
pub(super) async fn insert(
    api: &Api,
    object: Object,
    turn: Option<Turn>,
    caller: &Caller,
    reason: &'static str,
    dry_run: bool,
) -> Result<Object, ApiError> {
    let key = object.key();
    if !dry_run {
        return Ok(store(api, Op::Create(object), turn, caller, reason).await?);
    }
    match api.store.get(&key).await? {
        Some(_) => Err(ApiError::AlreadyExists(key)),
        None => Ok(object),
    }
}

/// Names an object that leaves it to the server: `metadata.generateName` is the beginning.
fn generate_name(raw: &mut Value) {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    const COUNT: usize = 5;
    let metadata = raw.get("metadata");
    let text = |name: &str| {
        metadata
            .and_then(|metadata| metadata.get(name)?.as_str())
            .filter(|text| !text.is_empty())
    };
    let (None, Some(beginning)) = (text("name"), text("generateName")) else {
        return;
    };
    let beginning: String = beginning.chars().take(NAME_MAX - COUNT).collect();
    let letter = |_| char::from(LETTERS[rand::random_range(0..LETTERS.len())]);
    let end: String = (0..COUNT).map(letter).collect();
    raw["metadata"]["name"] = Value::String(beginning + &end);
}

/// `PUT` and `PATCH …/{plural}/{name}`: a resourceVersion in the body must be the present one. A PUT must have one; a
/// patch without one is applied to the present state, whoever else writes.
pub(in crate::api) async fn change(
    State(api): State<Api>,
    Target(key): Target,
    form: Form,
    options: WriteOptions,
    caller: Caller,
    Written {
        body: modification,
        warnings: repeated,
    }: Written<Modification>,
) -> Result<Response, ApiError> {
    let mut answer = match modification {
        Modification::Apply(config) => apply(&api, &key, &caller, &options, config).await?,
        Modification::Edit(edit) => edited(&api, &key, &caller, &options, edit).await?,
    };
    answer.warnings.extend(repeated);
    form.answer(answer)
}

async fn edited(
    api: &Api,
    key: &Key,
    caller: &Caller,
    options: &WriteOptions,
    edit: Edit,
) -> Result<Answer<Object>, ApiError> {
    let change = Change {
        key,
        caller,
        reason: match edit {
            Edit::Replace(_) => "update",
            Edit::Merge(_) | Edit::Operations(_) => "patch",
        },
        dry_run: options.dry_run,
    };
    let sent = |old: &Object| {
        let mut raw = edit.of(json(old)?)?;
        let dropped = options.unknown.drop_from(&mut raw, &Known::object(old.kind));
        Ok(Step::Admit(Sent {
            raw,
            is_whole: matches!(edit, Edit::Replace(_)),
            manager: Manager::new(options.manager()),
            dropped,
        }))
    };
    Ok(change.carry_out(api, sent).await?.into())
}

/// An object as JSON.
pub(in crate::api) fn json(object: &Object) -> Result<Value, ApiError> {
    serde_json::to_value(object).map_err(|error| ApiError::Internal(format!("{}: {error}", object.key())))
}
