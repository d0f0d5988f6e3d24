//! `/secrets` and `/configs`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::json::{Object, array, labels};
use super::{Ask, Reply};
use crate::sim::world::World;
use crate::sim::world::blobs::{BlobKind, NewBlob};
use crate::sim::world::model::{Blob, Labels};
use crate::sim::world::refusal::Refusal;

const FILTERS: &[&str] = &["id", "label", "name", "names"];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Request {
    name: String,
    #[serde(deserialize_with = "labels")]
    labels: Option<Labels>,
    data: Option<String>,
    driver: Option<Driver>,
    templating: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Driver {
    name: Option<String>,
}

pub(super) fn list(world: &World, ask: &Ask, kind: BlobKind) -> Result<Reply, Refusal> {
    let filters = ask.query.filters(FILTERS)?;
    let rows = world.blobs(kind).back(ask.back).into_iter().filter(|row| {
        let blob = &row.value;
        filters.starts("id", &blob.id)
            && filters.starts("name", &blob.name)
            && filters.is("names", &blob.name)
            && filters.labels("label", &blob.labels)
    });
    Ok(Reply::ok(array(
        rows.map(|row| row.json(|blob| view(blob, kind)).to_owned()),
    )))
}

pub(super) fn inspect(world: &World, name: &str, kind: BlobKind) -> Result<Reply, Refusal> {
    Ok(Reply::ok(view(world.find_blob(kind, name)?, kind)))
}

pub(super) fn create(world: &mut World, ask: &Ask, kind: BlobKind) -> Result<Reply, Refusal> {
    let request: Request = ask.json()?;
    let new = NewBlob {
        name: request.name,
        labels: request.labels.unwrap_or_default(),
        data: request.data.unwrap_or_default(),
        driver: request.driver.map(|driver| driver.name.unwrap_or_default()),
        templating: request.templating,
    };
    let id = world.create_blob(kind, new)?;
    Ok(Reply::Json(201, json!({"ID": &*id}).to_string()))
}

pub(super) fn update(world: &mut World, ask: &Ask, name: &str, kind: BlobKind) -> Result<Reply, Refusal> {
    let request: Request = ask.json()?;
    let version = ask.query.version(kind.word()).map_err(|refusal| {
        // Of these two the engine does not say what it could not read.
        Refusal::new(refusal.status, format!("invalid {} version", kind.word()))
    })?;
    let labels = request.labels.unwrap_or_default();
    world.update_blob(
        kind,
        name,
        version,
        &request.name,
        labels,
        request.data.as_deref(),
    )?;
    Ok(Reply::Empty(200))
}

pub(super) fn remove(world: &mut World, name: &str, kind: BlobKind) -> Result<Reply, Refusal> {
    world.remove_blob(kind, name)?;
    Ok(Reply::Empty(204))
}

fn view(blob: &Blob, kind: BlobKind) -> String {
    let spec = Object::new()
        .with("Name", &blob.name)
        .with("Labels", &blob.labels)
        .when(kind == BlobKind::Config, |object| object.with("Data", &blob.data))
        .when(blob.templating.is_some(), |object| {
            object.with("Templating", &blob.templating)
        })
        .end();
    Object::new().meta(&blob.id, blob.meta).raw("Spec", spec).end()
}
