//! `/images` and `/distribution`.

use serde_json::{Value, json};

use super::{Ask, Reply};
use crate::sim::world::World;
use crate::sim::world::images::{split_tag, tagged};
use crate::sim::world::model::{Image, Labels};
use crate::sim::world::refusal::Refusal;

const FILTERS: &[&str] = &["before", "dangling", "label", "reference", "since"];

pub(super) fn list(world: &World, ask: &Ask) -> Result<Reply, Refusal> {
    let filters = ask.query.filters(FILTERS)?;
    for name in ["before", "since"].iter().flat_map(|name| filters.values(name)) {
        if world.images.find(name).is_none() {
            return Err(Refusal::new(404, format!("No such image: {}", tagged(name))));
        }
    }
    let is_wanted = |name: &str| {
        let is_it = |wanted: &str| wanted == name || wanted == split_tag(name).0;
        filters.any("reference", is_it) && filters.labels("label", &Labels::new())
    };
    // Each has a name: none is left over from a build.
    let dangling = filters.truth("dangling").map_err(|_| {
        let values = filters.values("dangling").join(" ");
        Refusal::new(400, format!("Invalid filter 'dangling=[{values}]'"))
    })?;
    let mut images = all(world, is_wanted);
    images.retain(|_| dangling != Some(true));
    Ok(Reply::ok(json!(images).to_string()))
}

/// The images whose names are wanted.
pub(super) fn all(world: &World, is_wanted: impl Fn(&str) -> bool) -> Vec<Value> {
    let names = world.images.names().filter(|name| is_wanted(name));
    let images = names.filter_map(|name| {
        let image = world.images.find(name)?;
        Some(json!({
            "Containers": -1, "Created": 0, "Id": &*image.id, "Labels": null, "ParentId": "",
            "RepoDigests": digests(name, &image), "RepoTags": [name], "SharedSize": -1, "Size": 6_500_000,
            "VirtualSize": 6_500_000,
        }))
    });
    images.collect()
}

pub(super) fn inspect(world: &World, name: &str) -> Result<Reply, Refusal> {
    let image = world.images.find(name).ok_or_else(|| {
        let tagged = tagged(name);
        Refusal::new(404, format!("no such image: {name}: No such image: {tagged}"))
    })?;
    let json = json!({
        "Id": &*image.id, "RepoTags": [name], "RepoDigests": digests(name, &image), "Parent": "", "Comment": "",
        "Created": "1970-01-01T00:00:00Z", "Container": "", "DockerVersion": "", "Author": "",
        "Config": {"Hostname": "", "User": "", "Env": null, "Cmd": null, "Image": "", "Volumes": null,
                   "WorkingDir": "/", "Entrypoint": null, "OnBuild": null, "Labels": null},
        "Architecture": "amd64", "Os": "linux", "Size": 6_500_000, "VirtualSize": 6_500_000,
        "GraphDriver": {"Data": null, "Name": "overlay2"}, "RootFS": {"Type": "layers", "Layers": []},
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
    });
    Ok(Reply::ok(json.to_string()))
}

/// What a registry knows: the images with a digest.
pub(super) fn distribution(world: &World, name: &str) -> Result<Reply, Refusal> {
    let Some(digest) = world.images.find(name).and_then(|image| image.digest) else {
        let message = "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: connection \
                       refused";
        return Err(Refusal::new(500, message));
    };
    let json = json!({
        "Descriptor": {
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "digest": digest, "size": 1000,
        },
        "Platforms": [{"architecture": "amd64", "os": "linux"}],
    });
    Ok(Reply::ok(json.to_string()))
}

fn digests(name: &str, image: &Image) -> Vec<String> {
    let (repository, _) = split_tag(name);
    image
        .digest
        .iter()
        .map(|digest| format!("{repository}@{digest}"))
        .collect()
}
