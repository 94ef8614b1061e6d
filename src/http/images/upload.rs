//! Uploads of images: `PUT /uploads/<id>`, with a link that the service signed.
//!
//! The bytes are streamed to the store; an image is never held in memory as a whole. An upload that is too slow or stalls is
//! ended. An incomplete upload leaves nothing behind.
//!
//! After a grace period, an upload must have kept a minimum average speed since its start. Otherwise a client that sends one
//! byte now and then would hold a connection.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::{Body, HttpBody},
    extract::{ConnectInfo, Extension, Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use tokio_util::bytes::Bytes;
use uuid::Uuid;

use super::{
    super::{EdgeState, call::drain, content, fields, graphql::client, request_id::RequestId},
    ImageError,
    upload_slots::{NoSlot, UploadSlot},
};
use crate::images::model::{Announced, ContentType};

/// Limits of uploads in one process.
#[derive(Debug, Clone)]
pub struct UploadSettings {
    /// Maximum number of uploads at the same time.
    pub max_uploads: usize,
    /// Maximum duration of an upload. The sweep waits longer than this after a link has expired.
    pub timeout: Duration,
    /// Maximum time without a byte.
    pub idle_timeout: Duration,
    /// Time without a byte after which another request for the same upload may take over its slot.
    pub takeover_after: Duration,
    /// Time after which the minimum speed applies.
    pub speed_grace: Duration,
    /// Minimum speed since the start of the upload, in bytes per second.
    pub min_speed: u32,
}

impl Default for UploadSettings {
    fn default() -> Self {
        UploadSettings {
            max_uploads: 256,
            timeout: Duration::from_secs(10 * 60),
            idle_timeout: Duration::from_secs(30),
            takeover_after: Duration::from_secs(3),
            speed_grace: Duration::from_secs(30),
            min_speed: 8 * 1024,
        }
    }
}

/// The query of a signed link to an upload.
#[derive(Deserialize)]
pub(super) struct UploadLink {
    expires: i64,
    signature: String,
}

/// `PUT /uploads/<id>`
pub(super) async fn upload(
    State(state): State<EdgeState>,
    Extension(request_id): Extension<RequestId>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    link: Result<(Path<Uuid>, Query<UploadLink>), Response>,
    request: Request,
) -> Response {
    let (parts, mut body) = request.into_parts();
    let outcome = match link {
        Ok((Path(id), Query(link))) => receive(&state, address, id, &link, &parts, &mut body).await,
        Err(_) => Err(no_such_upload()),
    };
    let mut response = match outcome {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => error.into_response(&request_id),
    };
    if !body.is_end_stream() {
        drain(body, &mut response, state.settings.body_timeout).await;
    }
    response
}

fn no_such_upload() -> ImageError {
    let message =
        "This upload does not exist, was completed already, or has expired. Request a new upload.";
    ImageError::Rejected(StatusCode::NOT_FOUND, message)
}

async fn receive(
    state: &EdgeState,
    address: SocketAddr,
    id: Uuid,
    link: &UploadLink,
    parts: &Parts,
    body: &mut Body,
) -> Result<(), ImageError> {
    let awaited = state
        .images
        .announced_upload(id, link.expires, &link.signature);
    let holder = client(state, address, parts).holder(None);
    let announced = state.database.for_holder(holder, awaited).await?;
    let announced = announced.ok_or_else(no_such_upload)?;
    check_headers(&parts.headers, &announced)?;
    let length = usize::try_from(announced.byte_size).unwrap_or_default();
    let slot = state.upload_slots.acquire(id).map_err(no_slot)?;
    let mut staging = state.images.stage(id).await?;
    let (started, mut received) = (Instant::now(), 0);
    let settings = &state.settings.uploads;
    while let Some(bytes) = next_bytes(body, &slot, started, received, settings).await? {
        received += bytes.len();
        if received > length {
            return Err(too_long());
        }
        staging.take(bytes).await?;
    }
    if received < length {
        let message = "The body is shorter than the requested `byteSize`.";
        return Err(ImageError::Rejected(StatusCode::BAD_REQUEST, message));
    }
    staging.finish().await?;
    Ok(())
}

/// The next bytes of an upload; `None` at its end.
async fn next_bytes(
    body: &mut Body,
    slot: &UploadSlot<'_>,
    started: Instant,
    received: usize,
    settings: &UploadSettings,
) -> Result<Option<Bytes>, ImageError> {
    let deadline = next_deadline(started, received, settings);
    loop {
        if !slot.start_waiting() {
            return Err(taken_over());
        }
        let next = tokio::select! {
            biased;
            () = slot.taken_over() => return Err(taken_over()),
            next = timeout_at(deadline, body.frame()) => next,
        };
        if !slot.stop_waiting() {
            return Err(taken_over());
        }
        let Ok(next) = next else {
            let message = "The body arrived too slowly. Send it again over a faster connection.";
            return Err(ImageError::Rejected(StatusCode::REQUEST_TIMEOUT, message));
        };
        match next.transpose() {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => {
                // Trailers are ignored.
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Err(_) => {
                let message = "The body is incomplete.";
                return Err(ImageError::Rejected(StatusCode::BAD_REQUEST, message));
            }
        }
    }
}

/// When the next bytes must have arrived: within the total and the idle timeout, and before the upload falls below the minimum
/// speed.
fn next_deadline(started: Instant, received: usize, settings: &UploadSettings) -> Instant {
    let received = u32::try_from(received).unwrap_or(u32::MAX);
    let seconds = f64::from(received) / f64::from(settings.min_speed.max(1));
    let earned = Duration::from_secs_f64(seconds).max(settings.speed_grace);
    (started + settings.timeout.min(earned)).min(Instant::now() + settings.idle_timeout)
}

fn no_slot(why: NoSlot) -> ImageError {
    match why {
        NoSlot::InUse => {
            let message = "Another request is sending this upload. Retry in a few seconds.";
            ImageError::Rejected(StatusCode::CONFLICT, message)
        }
        NoSlot::Full => {
            let message = "Too many uploads are in progress. Retry in a few seconds.";
            ImageError::Rejected(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }
}

fn taken_over() -> ImageError {
    let message = "The upload stalled, and another request is sending it now.";
    ImageError::Rejected(StatusCode::CONFLICT, message)
}

fn too_long() -> ImageError {
    let message = "The body is longer than the requested `byteSize`.";
    ImageError::Rejected(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn check_headers(headers: &HeaderMap, announced: &Announced) -> Result<(), ImageError> {
    let content_type = content::content_type(headers)
        .map_err(|invalid| ImageError::Rejected(invalid.status, "Send one Content-Type."))?;
    let content_type = content_type.and_then(|sent| ContentType::of_media_type(&sent.name));
    if content_type != Some(announced.content_type)
        || fields::content_codings(headers).next().is_some()
    {
        let message = "`Content-Type` must be the requested `contentType`, and the body must not be compressed.";
        return Err(ImageError::Rejected(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            message,
        ));
    }
    let length = fields::text(headers, header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.parse::<i64>().ok());
    let announced = i64::from(announced.byte_size);
    match length {
        Some(length) if length > announced => Err(too_long()),
        Some(length) if length < announced => {
            let message = "`Content-Length` is less than the requested `byteSize`.";
            Err(ImageError::Rejected(StatusCode::BAD_REQUEST, message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_earn_time_up_to_the_total_timeout() {
        let settings = UploadSettings {
            idle_timeout: Duration::from_secs(3600),
            ..UploadSettings::default()
        };
        let started = Instant::now();
        for (received, seconds) in [
            (0, 30),
            (1, 30),
            (30 * 8 * 1024, 30),
            (60 * 8 * 1024, 60),
            (20 * 1024 * 1024, 600),
        ] {
            let deadline = next_deadline(started, received, &settings);
            assert_eq!(
                deadline - started,
                Duration::from_secs(seconds),
                "{received}"
            );
        }
        let deadline = next_deadline(started, 20 * 1024 * 1024, &UploadSettings::default());
        assert!(deadline <= Instant::now() + Duration::from_secs(30));
    }
}
