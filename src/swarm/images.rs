//! What is known of an image: its digest, when a registry names one; or that this node has it.
//!
//! An answer is remembered, so that a tag is resolved once and a registry that is away costs its time-out once
//! a minute at most. The last good digest outlives the registry: without it, agents would be replaced when the
//! registry goes and again when it comes back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::engine::Engine;
use super::error::SwarmError;
use crate::plan::observed::Image;
use crate::resource::image::ImageRef;

/// How long a registry may take: deployments wait for it.
const REGISTRY_LIMIT: Duration = Duration::from_secs(3);
/// How long a registry's answer holds.
const GOOD_FOR: Duration = Duration::from_secs(600);
/// How long it holds that there was none.
const BAD_FOR: Duration = Duration::from_secs(60);
/// How long an answer is kept that holds no longer and that nobody has asked for since.
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// The answers so far, by reference.
#[derive(Debug, Default)]
pub(super) struct Images {
    known: Mutex<BTreeMap<String, Arc<Slot>>>,
}

/// One reference; whoever asks first looks, and others that ask for the same wait for its answer.
type Slot = tokio::sync::Mutex<Option<Known>>;

#[derive(Clone, Debug)]
struct Known {
    image: Image,
    until: Instant,
}

impl Images {
    /// What is known of an image; asks at most once in a while, and never fails.
    pub(super) async fn resolve(&self, engine: &Engine, reference: &str) -> Image {
        let parsed = ImageRef::new(reference);
        if parsed.has_digest() {
            return Image::Resolved(reference.to_owned());
        }
        if !parsed.is_valid() {
            return Image::Unknown {
                why: format!("{reference:?} is no image reference"),
            };
        }
        self.remember(reference, async |last| look(engine, reference, last).await)
            .await
    }

    /// The answer that holds, or else the one of `look`, which is given the last one. When `look` is cancelled,
    /// the last answer stays.
    async fn remember(
        &self,
        reference: &str,
        look: impl AsyncFnOnce(Option<Image>) -> (Image, Duration),
    ) -> Image {
        let slot = self.slot(reference);
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref().filter(|known| known.until > Instant::now()) {
            return known.image.clone();
        }
        let last = slot.as_ref().map(|known| known.image.clone());
        let (image, hold) = look(last).await;
        *slot = Some(Known {
            image: image.clone(),
            until: Instant::now() + hold,
        });
        image
    }

    /// The place of a reference. Anybody may ask for any reference: a new one makes room for itself.
    fn slot(&self, reference: &str) -> Arc<Slot> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = known.get(reference) {
            return Arc::clone(slot);
        }
        let now = Instant::now();
        known.retain(|_, slot| is_kept(slot, now));
        Arc::clone(known.entry(reference.to_owned()).or_default())
    }
}

/// Whether somebody looks or waits, or the answer still holds or did so not long ago.
fn is_kept(slot: &mut Arc<Slot>, now: Instant) -> bool {
    Arc::get_mut(slot).is_none_or(|slot| {
        let known = slot.get_mut().as_ref();
        known.is_some_and(|known| known.until + KEPT_FOR > now)
    })
}

/// Asks this node, then the registry; `last` is the answer so far.
async fn look(engine: &Engine, reference: &str, last: Option<Image>) -> (Image, Duration) {
    let local = local_digests(engine, reference).await;
    if let Ok(digests) = &local
        && digests.is_empty()
        && !matches!(last, Some(Image::Resolved(_)))
    {
        // Built or imported here: no registry knows it, and asking would cost a time-out.
        return (Image::Local, BAD_FOR);
    }
    if let Err(error) = &local
        && error.is_outage()
    {
        // That says nothing of the image.
        let why = error.to_string();
        return (last.unwrap_or(Image::Unknown { why }), Duration::ZERO);
    }
    let why = match registry_digest(engine, reference).await {
        Ok(digest) => {
            return (
                Image::Resolved(ImageRef::new(reference).pinned(&digest)),
                GOOD_FOR,
            );
        }
        Err(error) => error.to_string(),
    };
    let pulled = local
        .as_ref()
        .ok()
        .and_then(|digests| own_digest(reference, digests));
    let image = match (last, pulled, &local) {
        (Some(resolved @ Image::Resolved(_)), _, _) => resolved,
        (_, Some(digest), _) => Image::Resolved(ImageRef::new(reference).pinned(digest)),
        (_, None, Ok(_)) => Image::Local,
        (_, None, Err(_)) => Image::Unknown { why },
    };
    (image, BAD_FOR)
}

/// The digests by which this node pulled the image: none when it was built or imported here.
async fn local_digests(engine: &Engine, reference: &str) -> Result<Vec<String>, SwarmError> {
    let what = format!("GET /images/{reference}/json");
    let image = engine
        .bollard(what, engine.limits().read, engine.docker.inspect_image(reference))
        .await?;
    Ok(image.repo_digests.unwrap_or_default())
}

async fn registry_digest(engine: &Engine, reference: &str) -> Result<String, SwarmError> {
    let what = format!("GET /distribution/{reference}/json");
    let ask = engine.docker.inspect_registry_image(reference, None);
    let answer = engine.bollard(what.clone(), REGISTRY_LIMIT, ask).await?;
    answer.descriptor.digest.ok_or_else(|| SwarmError::NotFound {
        message: format!("{what} names no digest"),
    })
}

/// Of `name@digest` lines, the digest for the reference's own name.
fn own_digest<'a>(reference: &str, digests: &'a [String]) -> Option<&'a str> {
    let image = ImageRef::new(reference);
    digests
        .iter()
        .filter_map(|line| line.split_once('@'))
        .find_map(|(repository, digest)| {
            let is_own = ImageRef::new(repository).is_of_repository(&image);
            is_own.then_some(digest)
        })
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt;
    use tokio::time::advance;

    use super::*;

    fn digest() -> Image {
        Image::Resolved("agent:1@sha256:1".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_is_cancelled_loses_no_digest() {
        let images = Images::default();
        images.remember("agent:1", async |_| (digest(), GOOD_FOR)).await;
        advance(GOOD_FOR).await;
        let cancelled = images.remember("agent:1", async |_| pending().await);
        assert_eq!(cancelled.now_or_never(), None);
        let mut told = None;
        let look = async |last| {
            told = last;
            (Image::Local, BAD_FOR)
        };
        images.remember("agent:1", look).await;
        assert_eq!(told, Some(digest()));
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_used_is_remembered() {
        let images = Images::default();
        let known = || images.known.lock().unwrap().keys().cloned().collect::<Vec<_>>();
        let ask = async |name: &str| {
            images.remember(name, async |_| (digest(), GOOD_FOR)).await;
        };
        let cancelled = images.remember("cancelled:1", async |_| pending().await);
        assert_eq!(cancelled.now_or_never(), None);
        let mut looking = Box::pin(images.remember("looking:1", async |_| pending().await));
        assert_eq!(looking.as_mut().now_or_never(), None);
        ask("once:1").await;
        ask("used:1").await;
        advance(KEPT_FOR).await;
        ask("used:1").await;
        advance(GOOD_FOR).await;
        ask("new:1").await;
        assert_eq!(known(), ["looking:1", "new:1", "used:1"]);
    }

    #[test]
    fn only_the_digest_of_the_same_repository_counts() {
        let digests = ["other/agent@sha256:1".to_owned(), "agent@sha256:2".to_owned()];
        for (reference, expect) in [
            ("agent:dev", Some("sha256:2")),
            ("docker.io/library/agent", Some("sha256:2")),
            ("other/agent:1", Some("sha256:1")),
            ("host:5000/agent:1", None),
        ] {
            assert_eq!(own_digest(reference, &digests), expect, "{reference}");
        }
    }
}
