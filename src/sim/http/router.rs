//! Which request is whose.

use hyper::Method;

use super::{Ask, Reply, blobs, containers, engine, events, images, logs, networks, nodes, services, tasks};
use crate::sim::world::World;
use crate::sim::world::blobs::BlobKind;
use crate::sim::world::refusal::Refusal;

/// Does what is asked, and answers.
///
/// # Errors
/// The engine's refusal.
pub(crate) fn answer(world: &mut World, ask: &Ask) -> Result<Reply, Refusal> {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    let method = match ask.method {
        Method::GET | Method::HEAD => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "",
    };
    match (method, path.as_slice()) {
        ("GET", ["networks"] | ["networks", ""]) => networks::list(world, ask),
        ("GET", ["networks", name @ ..]) => networks::inspect(world, ask, &name.join("/")),
        ("POST", ["networks", name, "connect"]) => networks::change_end(world, ask, name, true),
        ("POST", ["networks", name, "disconnect"]) => networks::change_end(world, ask, name, false),
        (_, [.., ""]) => Err(not_found()),
        ("GET", ["_ping"]) => Ok(Reply::Raw("text/plain; charset=utf-8", b"OK".to_vec())),
        ("GET", ["version"]) => Ok(engine::version()),
        ("GET", ["info"]) => Ok(engine::info(world)),
        ("GET", ["volumes"]) => Ok(engine::volumes()),
        ("GET", ["system", "df"]) => Ok(engine::disk_usage(world)),
        ("GET", ["events"]) => events::Wanted::read(ask).map(Reply::Events),
        ("GET", ["images", "json"]) => images::list(world, ask),
        ("GET", ["images", name @ .., "json"]) => images::inspect(world, &name.join("/")),
        ("GET", ["distribution", name @ .., "json"]) => images::distribution(world, &name.join("/")),
        ("GET", ["containers", "json"]) => containers::list(world, ask),
        ("GET", ["containers", name, "json"]) => containers::inspect(world, name),
        ("POST", ["containers", name, "kill"]) => containers::kill(world, ask, name),
        ("DELETE", ["containers", name]) => containers::remove(world, ask, name),
        ("POST", ["swarm", "init"]) => engine::init(world),
        ("POST", ["swarm", "leave"]) => engine::leave(world, ask),
        (
            _,
            [
                "networks" | "swarm" | "services" | "tasks" | "nodes" | "secrets" | "configs",
                ..,
            ],
        ) => {
            world.require_managers()?;
            of_managers(world, ask, method, &path)
        }
        _ => Err(not_found()),
    }
}

fn of_managers(world: &mut World, ask: &Ask, method: &str, path: &[&str]) -> Result<Reply, Refusal> {
    match (method, path) {
        ("GET", ["swarm"]) => Ok(engine::swarm(world)),
        ("POST", ["swarm", "update"]) => engine::update(ask),
        ("POST", ["networks", "create"]) => networks::create(world, ask),
        ("DELETE", ["networks", name]) => networks::remove(world, name),
        ("GET", ["services"]) => services::list(world, ask),
        ("POST", ["services", "create"]) => services::create(world, ask),
        ("GET", ["services", name]) => services::inspect(world, ask, name),
        ("POST", ["services", name, "update"]) => services::update(world, ask, name),
        ("DELETE", ["services", name]) => services::remove(world, name),
        ("GET", ["services", name, "logs"]) => logs::of_service(world, ask, name),
        ("GET", ["tasks"]) => tasks::list(world, ask),
        ("GET", ["tasks", name]) => tasks::inspect(world, name),
        ("GET", ["tasks", name, "logs"]) => logs::of_task(world, ask, name),
        ("GET", ["nodes"]) => nodes::list(world, ask),
        ("GET", ["nodes", name]) => nodes::inspect(world, name),
        ("POST", ["nodes", name, "update"]) => nodes::update(world, ask, name),
        ("DELETE", ["nodes", name]) => nodes::remove(world, ask, name),
        (_, ["secrets", rest @ ..]) => blob(world, ask, method, rest, BlobKind::Secret),
        (_, ["configs", rest @ ..]) => blob(world, ask, method, rest, BlobKind::Config),
        _ => Err(not_found()),
    }
}

fn blob(world: &mut World, ask: &Ask, method: &str, path: &[&str], kind: BlobKind) -> Result<Reply, Refusal> {
    match (method, path) {
        ("GET", []) => blobs::list(world, ask, kind),
        ("POST", ["create"]) => blobs::create(world, ask, kind),
        ("GET", [name]) => blobs::inspect(world, name, kind),
        ("POST", [name, "update"]) => blobs::update(world, ask, name, kind),
        ("DELETE", [name]) => blobs::remove(world, name, kind),
        _ => Err(not_found()),
    }
}

fn not_found() -> Refusal {
    Refusal::new(404, "page not found")
}
