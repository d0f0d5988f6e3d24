//! `/services`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json::{Object, array};
use super::{Ask, Reply};
use crate::sim::world::World;
use crate::sim::world::model::Service;
use crate::sim::world::refusal::Refusal;
use crate::sim::world::spec::Mode;

const FILTERS: &[&str] = &["id", "label", "mode", "name", "runtime"];

pub(super) fn list(world: &World, ask: &Ask) -> Result<Reply, Refusal> {
    // Of this route alone the engine does not take what it cannot read for its own failure.
    let filters = ask
        .query
        .filters(FILTERS)
        .map_err(|refusal| Refusal::new(400, refusal.message))?;
    let with_status = ask.query.flag("status");
    let fits = |service: &Service| {
        let mode = match service.spec.mode {
            Mode::Replicated(_) => "replicated",
            Mode::Global => "global",
        };
        filters.starts("id", &service.id)
            && filters.starts("name", &service.spec.name)
            && filters.labels("label", &service.spec.labels)
            && filters.is("mode", mode)
    };
    // Those with known ids or names are found without looking at all.
    let (ids, names) = (filters.values("id"), filters.values("name"));
    let found = if ask.back == 0 && !(ids.is_empty() && names.is_empty()) {
        let named = names.iter().flat_map(|name| world.services_named(name));
        let rows: BTreeMap<_, _> = match ids {
            [] => named.collect(),
            ids => ids.iter().flat_map(|id| world.services.starting(id)).collect(),
        };
        let rows = rows.into_values().filter(|row| fits(&row.value));
        rows.cloned().collect()
    } else {
        world.services.select(ask.back, fits)
    };
    let rows: Vec<_> = found
        .into_iter()
        .map(|row| {
            let counts = with_status.then(|| world.counts(&row.value));
            (row, counts)
        })
        .collect();
    Ok(Reply::Later(Box::new(move || {
        array(rows.iter().map(|(row, counts)| {
            let json = row.json(view);
            match counts {
                None => json.to_owned(),
                Some((running, desired)) => format!(
                    "{},\"ServiceStatus\":{{\"RunningTasks\":{running},\"DesiredTasks\":{desired},\"CompletedTasks\":0}}}}",
                    json.strip_suffix('}').unwrap_or(json)
                ),
            }
        }))
    })))
}

pub(super) fn inspect(world: &World, ask: &Ask, name: &str) -> Result<Reply, Refusal> {
    if ask.back > 0 {
        let rows = world.services.back(ask.back);
        let found = rows
            .iter()
            .find(|row| &*row.value.id == name || row.value.spec.name == name);
        let row = found.ok_or_else(|| Refusal::not_found("service", name))?;
        return Ok(Reply::ok(row.json(view).to_owned()));
    }
    let id = &world.find_service(name)?.id;
    let json = world.services.row(id).map_or("", |row| row.json(view));
    Ok(Reply::ok(json.to_owned()))
}

pub(super) fn create(world: &mut World, ask: &Ask) -> Result<Reply, Refusal> {
    let request: Value = ask.json()?;
    let id = world.create_service(&request)?;
    Ok(Reply::Json(201, json!({"ID": &*id}).to_string()))
}

pub(super) fn update(world: &mut World, ask: &Ask, name: &str) -> Result<Reply, Refusal> {
    let request: Value = ask.json()?;
    let version = ask.query.version("service")?;
    let rollback = match ask.query.text("rollback") {
        "" => false,
        "previous" => true,
        other => return Err(Refusal::new(400, format!("unrecognized rollback option {other}"))),
    };
    world.update_service(name, version, &request, rollback)?;
    Ok(Reply::ok(r#"{"Warnings":null}"#.to_owned()))
}

pub(super) fn remove(world: &mut World, name: &str) -> Result<Reply, Refusal> {
    world.remove_service(name)?;
    Ok(Reply::Empty(200))
}

fn view(service: &Service) -> String {
    let spec = &service.spec;
    Object::new()
        .meta(&service.id, service.meta)
        .raw("Spec", &spec.json)
        .when(service.previous.is_some(), |object| {
            object.raw(
                "PreviousSpec",
                service.previous.as_ref().map_or("", |spec| &spec.json),
            )
        })
        .raw("Endpoint", endpoint(service))
        .when(service.update.is_some(), |object| {
            object.raw("UpdateStatus", update_status(service))
        })
        .end()
}

fn endpoint(service: &Service) -> String {
    let is_shown = !(service.ports.is_empty() && service.vips.is_empty());
    let spec = if is_shown && service.spec.endpoint.get("Mode").is_some() {
        service.spec.endpoint.to_string()
    } else {
        "{}".to_owned()
    };
    let vips = service.vips.iter().map(|vip| {
        Object::new()
            .with("NetworkID", &*vip.network)
            .raw("Addr", format_args!("\"{}/{}\"", vip.address, vip.prefix))
            .end()
    });
    Object::new()
        .raw("Spec", spec)
        .when(!service.ports.is_empty(), |object| {
            object.with("Ports", &service.ports)
        })
        .when(!service.vips.is_empty(), |object| {
            object.raw("VirtualIPs", array(vips))
        })
        .end()
}

fn update_status(service: &Service) -> String {
    let Some(update) = &service.update else {
        return "null".to_owned();
    };
    let mut object = Object::new().with("State", update.state.word());
    if let Some(at) = update.started {
        object = object.time("StartedAt", at);
    }
    if let Some(at) = update.completed {
        object = object.time("CompletedAt", at);
    }
    object.with("Message", &update.message).end()
}
