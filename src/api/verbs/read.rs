//! Get and list; a list that asks for it is a watch.

use axum::extract::State;
use axum::response::Response;

use super::watch;
use crate::api::answer::Answer;
use crate::api::form::{Form, ListMetadata, Presenter, Resource};
use crate::api::options::{ListOptions, Params, Part};
use crate::api::paths::{Collection, Target};
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::resource::Object;
use crate::store::{ListPage, PageOf};

/// Objects that are read at once of a list that is given in parts.
const READ_AT_ONCE: u32 = 500;

/// `GET …/{plural}/{name}`
pub(in crate::api) async fn get(
    State(api): State<Api>,
    Target(key): Target,
    form: Form,
    params: Params,
) -> Result<Response, ApiError> {
    if let Some(asked) = params.revision()? {
        let current = api.store.revision().await?;
        if asked > current {
            return Err(ApiError::TooLargeRevision { asked, current });
        }
    }
    form.answer(Answer::ok(api.object(&key).await?))
}

/// `GET …/{plural}`, of a namespace or of all.
pub(in crate::api) async fn list(
    State(api): State<Api>,
    collection: Collection,
    form: Form,
    params: Params,
) -> Result<Response, ApiError> {
    let options = ListOptions::try_from(&params)?;
    options.selection.fits(collection.kind)?;
    let resource = Resource::of(collection.kind);
    let presenter = Presenter { form, resource };
    if options.watch {
        return watch::start(api, collection, presenter, options).await;
    }
    if options.limit.is_some() || options.part.is_some() || options.is_exact() {
        let (metadata, items) = part(&api, &collection, &options).await?;
        return presenter.list(metadata, items);
    }
    let mut listed = api
        .store
        .list(collection.kind, collection.namespace.as_deref())
        .await?;
    options.not_older_than_asked(listed.revision)?;
    listed.items.retain(|object| options.selection.matches(object));
    presenter.list(ListMetadata::at(listed.revision), listed.items)
}

/// As many objects as are wanted of one moment, from where the part before ended.
async fn part(
    api: &Api,
    collection: &Collection,
    options: &ListOptions,
) -> Result<(ListMetadata, Vec<Object>), ApiError> {
    let current = api.store.revision().await?;
    options.not_older_than_asked(current)?;
    let (at, mut after) = match &options.part {
        // It is of another list, or of a database that was put back since.
        Some(Part { at, .. }) if *at > current => return Err(not_kept()),
        Some(Part { at, after }) => (*at, after.clone()),
        None if options.is_exact() => (options.from.unwrap_or(current), Default::default()),
        None => (current, Default::default()),
    };
    let limit = options.limit.map_or(usize::MAX, |limit| limit.get() as usize);
    // Of those that are selected from, more may have to be read than are wanted.
    let at_once = match options.limit {
        Some(limit) if options.selection.is_empty() => limit.get().min(READ_AT_ONCE),
        _ => READ_AT_ONCE,
    };
    let mut metadata = ListMetadata::at(at);
    let mut items = Vec::new();
    loop {
        let of = PageOf {
            kind: collection.kind,
            namespace: collection.namespace.as_deref(),
            at,
            after: (&after.0, &after.1),
            limit: at_once,
        };
        let Some(ListPage {
            items: read,
            has_more,
        }) = api.store.list_page(&of).await?
        else {
            return Err(not_kept());
        };
        let mut read = read.into_iter();
        for object in read.by_ref() {
            after = (object.namespace().to_owned(), object.name().to_owned());
            if options.selection.matches(&object) {
                items.push(object);
            }
            if items.len() == limit {
                break;
            }
        }
        let is_full = items.len() == limit;
        if is_full && (has_more || read.next().is_some()) {
            let next = Part { at, after };
            metadata.goes_on(next, None);
            return Ok((metadata, items));
        }
        if is_full || !has_more {
            return Ok((metadata, items));
        }
    }
}

fn not_kept() -> ApiError {
    ApiError::Expired(
        "the state that the list is of is not kept (any more); list again from the beginning".to_owned(),
    )
}
