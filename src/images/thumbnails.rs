//! Thumbnails of images: made when an image is set, or later by a background job. `image-intake` makes them.
//!
//! # Design decisions
//! - **Setting an image neither waits long nor fails because of its thumbnail.** The request makes the thumbnail while the
//!   image is written, and waits up to three seconds. If that is too short, the store fails, or the process dies, the job
//!   makes the thumbnail later. The job also makes those of older images.
//! - **Each process decodes up to two images at the same time**, for requests and the job together, because each may take
//!   up to 256 MiB of memory.
//! - **One row describes an image and its thumbnail**, and the sweep removes both objects. The job claims a row for ten
//!   minutes, and stops writing after five. If the document loses its image meanwhile, a trigger makes the sweep wait for the claim.
//! - **Nothing is retried forever.** An image that cannot be decoded is marked, even if its decoder panics. If five
//!   processes die during their attempts at an image, no other process tries. If the store fails, the job retries after an
//!   hour, because another attempt may succeed, and goes on with the other images.
//! - **A thumbnail that is made later is not a change of the document.** Its version and the change feed stay as they
//!   are: the thumbnail follows from the image, and a new version would make updates of clients fail with CONFLICT.

use tokio::{
    task::spawn_blocking,
    time::{Duration, sleep, timeout},
};
use tokio_util::bytes::Bytes;
use uuid::Uuid;

use super::{
    Images,
    model::{ContentType, ObjectRef, Thumbnail},
    storage::Contents,
    store,
};
use crate::{db::background::REST, error::Error, telemetry::panics};

/// Maximum number of images that are decoded at the same time.
pub(super) const MAX_CONCURRENT: usize = 2;
/// How long a request waits for a thumbnail.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an attempt of the job may take. Half as long as its claim.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Number of failures in a row after which the job stops, because the store is probably unavailable.
const MAX_FAILURES: u32 = 10;

/// The end of an attempt to make a thumbnail.
pub(super) enum Outcome {
    /// Its object is written.
    Made(Thumbnail),
    /// The image cannot be decoded, or is too large.
    Impossible,
    /// The job will try.
    Postponed,
}

impl Outcome {
    pub(super) fn made(&self) -> Option<&Thumbnail> {
        match self {
            Outcome::Made(thumbnail) => Some(thumbnail),
            Outcome::Impossible | Outcome::Postponed => None,
        }
    }
}

/// Makes all thumbnails that are due, one after another, and returns how many were made. Several processes share the
/// work. An image that fails is retried after an hour, and does not prevent the others.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached. The failure of the last image if several in a row failed.
pub async fn make_due(images: &Images) -> Result<u64, Error> {
    let (mut made, mut failures) = (0, 0);
    loop {
        let mut conn = images.inner.database.connection().await?;
        let Some((owner, image)) = store::claim_thumbnail(&mut conn).await? else {
            return Ok(made);
        };
        drop(conn);
        let attempt = timeout(ATTEMPT_TIMEOUT, images.thumbnail_of_stored(image)).await;
        let too_long = |_| Err(Error::unavailable("making a thumbnail took too long"));
        let attempt = attempt.unwrap_or_else(too_long);
        let outcome = attempt.as_ref().unwrap_or(&Outcome::Postponed);
        let mut conn = images.inner.database.connection().await?;
        store::end_thumbnail(&mut conn, owner, image, outcome).await?;
        drop(conn);
        made += u64::from(outcome.made().is_some());
        failures = if attempt.is_ok() { 0 } else { failures + 1 };
        if let Err(error) = attempt {
            if failures == MAX_FAILURES {
                return Err(error);
            }
            let error = error.log_text();
            tracing::warn!(job = "thumbnails", %image, error, "making a thumbnail failed; retrying in an hour");
        }
        sleep(REST).await;
    }
}

impl Images {
    /// Makes the thumbnail of an image that is being set, unless it takes too long.
    pub(super) async fn thumbnail_in_time(&self, image: Uuid, bytes: Bytes) -> Outcome {
        match timeout(REQUEST_TIMEOUT, self.make_thumbnail(image, bytes)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                let error = error.log_text();
                tracing::warn!(%image, error, "making a thumbnail failed; the job retries");
                Outcome::Postponed
            }
            Err(_) => Outcome::Postponed,
        }
    }

    async fn thumbnail_of_stored(&self, image: Uuid) -> Result<Outcome, Error> {
        match self.inner.storage.read(ObjectRef::image(image)).await? {
            Contents::Bytes(bytes) => self.make_thumbnail(image, bytes).await,
            Contents::Missing => Ok(impossible(image, "its object is missing")),
            Contents::TooLarge => Ok(impossible(image, "its object is too large")),
        }
    }

    /// Makes and writes a thumbnail. Waits for a permit.
    async fn make_thumbnail(&self, image: Uuid, bytes: Bytes) -> Result<Outcome, Error> {
        let permit = self.inner.thumbnail_permits.clone().acquire_owned().await;
        let permit = permit.map_err(Error::internal)?;
        // The task owns the permit, so that an attempt that is given up counts until its memory is free.
        let work = move || {
            let made = image_intake::thumbnail(&bytes);
            drop((bytes, permit));
            made
        };
        let made = match spawn_blocking(work).await {
            Ok(Ok(made)) => made,
            Ok(Err(reason)) => return Ok(impossible(image, &reason.to_string())),
            Err(error) if error.is_panic() => {
                let error = &*panics::of_task(error);
                tracing::error!(%image, error, "decoding an image panicked");
                return Ok(Outcome::Impossible);
            }
            Err(error) => return Err(Error::unavailable(error)),
        };
        let content_type = ContentType::parse(made.content_type);
        let unknown = || Error::internal("a thumbnail has an unknown type");
        let thumbnail = Thumbnail {
            content_type: content_type.ok_or_else(unknown)?,
            width: made.width.cast_signed(),
            height: made.height.cast_signed(),
        };
        let (object, bytes) = (ObjectRef::thumbnail(image), made.bytes.into());
        let written = self
            .inner
            .storage
            .write(object, thumbnail.content_type, bytes);
        written.await?;
        Ok(Outcome::Made(thumbnail))
    }
}

fn impossible(image: Uuid, reason: &str) -> Outcome {
    tracing::info!(%image, reason, "an image has no thumbnail");
    Outcome::Impossible
}
