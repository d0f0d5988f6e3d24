//! Which image a slot runs: a tag is resolved to a digest once, and then stays.

use std::collections::BTreeMap;

use crate::resource::image::ImageRef;
use crate::resource::names::label;
use crate::resource::workload::Owner;

use super::observed::{Image, Observed, Service};
use super::ownership::Ownership;

/// The images that an owner's agents run, and what is known of others.
pub(super) struct Images<'a> {
    owner: &'a Owner,
    observed: &'a Observed,
    instance: &'a str,
    /// What some agent of the owner runs for a requested image; one with a digest where there is one.
    running: BTreeMap<&'a str, &'a str>,
}

impl<'a> Images<'a> {
    pub(super) fn new(owner: &'a Owner, observed: &'a Observed, instance: &'a str) -> Self {
        let mut running = BTreeMap::new();
        let all = observed.services.values();
        for (requested, image) in all.filter_map(|live| runs(live, owner, instance)) {
            let known: &mut &str = running.entry(requested).or_insert(image);
            if ImageRef::new(image).has_digest() && !ImageRef::new(known).has_digest() {
                *known = image;
            }
        }
        Self {
            owner,
            observed,
            instance,
            running,
        }
    }

    /// The reference to run for `requested`: what the slot's own service runs if it was made for the same
    /// request, else what another agent of the owner runs for it, else what is known of it now.
    ///
    /// So a tag that moves, or a registry that comes back, restarts nobody; only an edit of the spec does.
    pub(super) fn choose(&self, requested: &str, service: &str) -> String {
        let live = self.observed.services.get(service);
        let own = live.and_then(|live| runs(live, self.owner, self.instance));
        own.filter(|(asked, _)| *asked == requested)
            .map(|(_, image)| image)
            .or_else(|| self.running.get(requested).copied())
            .or_else(|| match self.observed.images.get(requested)? {
                Image::Resolved(reference) => Some(reference),
                Image::Local | Image::Unknown { .. } => None,
            })
            .unwrap_or(requested)
            .to_owned()
    }
}

/// What was requested for a service of the owner, and the image that it runs for that.
fn runs<'a>(live: &'a Service, owner: &Owner, instance: &str) -> Option<(&'a str, &'a str)> {
    let requested = live.spec.labels.get(label::IMAGE)?;
    let image = &live.spec.container.image;
    let own = Ownership::of(&live.spec.labels, owner, instance) == Ownership::Own;
    (own && ImageRef::new(image).resolves(&ImageRef::new(requested))).then_some((requested, image))
}
