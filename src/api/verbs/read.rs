//! Get and list; a list that asks for it is a watch.

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::watch;
use crate::api::answer::Answer;
use crate::api::form::{Form, ListMetadata, Presenter, Resource};
use crate::api::options::{ListOptions, Params};
use crate::api::paths::{Collection, Target};
use crate::api::state::Api;
use crate::api::status::ApiError;

/// `GET …/{plural}/{name}`
pub(in crate::api) async fn get(
    State(api): State<Api>,
    Target(key): Target,
    form: Form,
) -> Result<Response, ApiError> {
    let object = api.object(&key).await?;
    let resource = Resource::of(key.kind);
    Ok(Answer::ok(Presenter { form, resource }.one(&object)?).into_response())
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
    let mut listed = api
        .store
        .list(collection.kind, collection.namespace.as_deref())
        .await?;
    options.not_older_than_asked(listed.revision)?;
    listed.items.retain(|object| options.selection.matches(object));
    presenter.list(ListMetadata::at(listed.revision), listed.items)
}
