//! Taking a picture in: `PUT /uploads/…`, by a link that the service signed.
//!
//! The bytes are streamed to where they stay, and never held whole. Whoever sends them too slowly, or not at all, is not
//! waited for; what was begun and does not come to its end leaves nothing.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody},
    extract::{Extension, Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use tokio_util::bytes::Bytes;
use uuid::Uuid;

use super::{
    super::{EdgeState, call::read_to_the_end, request_id::RequestId},
    Failed, Refused,
    places::{NoPlace, Place},
};
use crate::images::model::Announced;

/// How uploads are taken in, by each process.
#[derive(Debug, Clone)]
pub struct UploadSettings {
    /// How many at a time.
    pub most: usize,
    /// How long a whole one may take; the sweep waits longer than this behind a link's end.
    pub whole: Duration,
    /// How long one may stand still.
    pub still: Duration,
    /// How long one may stand still before another sender of the same upload, perhaps the same one whose connection
    /// broke, takes its place.
    pub patience: Duration,
    /// From when on an upload must have come, from its beginning, at the least speed.
    pub grace: Duration,
    /// That speed, in bytes a second: a byte now and then is not to hold a connection.
    pub least_speed: u32,
}

impl Default for UploadSettings {
    fn default() -> Self {
        UploadSettings {
            most: 256,
            whole: Duration::from_secs(10 * 60),
            still: Duration::from_secs(30),
            patience: Duration::from_secs(3),
            grace: Duration::from_secs(30),
            least_speed: 8 * 1024,
        }
    }
}

/// What is signed in a link to send an upload.
#[derive(Deserialize)]
pub(super) struct UploadLink {
    expires: i64,
    signature: String,
}

/// `PUT /uploads/<id>`
pub(super) async fn take(
    State(state): State<EdgeState>,
    Extension(request_id): Extension<RequestId>,
    id: Result<Path<Uuid>, axum::extract::rejection::PathRejection>,
    link: Result<Query<UploadLink>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    let (parts, mut body) = request.into_parts();
    let taken = match (id, link) {
        (Ok(Path(id)), Ok(Query(link))) => take_in(&state, id, &link, &parts, &mut body).await,
        _ => Err(no_such_upload().into()),
    };
    let mut response = match taken {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(failed) => failed.into_response(&request_id),
    };
    if !body.is_end_stream() {
        read_to_the_end(body, &mut response, state.settings.body_timeout).await;
    }
    response
}

fn no_such_upload() -> Refused {
    let message = "There is no such upload, or it was used or has expired.";
    Refused(StatusCode::NOT_FOUND, message)
}

async fn take_in(
    state: &EdgeState,
    id: Uuid,
    link: &UploadLink,
    parts: &Parts,
    body: &mut Body,
) -> Result<(), Failed> {
    let awaited = state
        .images
        .announced_upload(id, link.expires, &link.signature);
    let announced = awaited.await?.ok_or_else(no_such_upload)?;
    check_head(&parts.headers, &announced)?;
    let length = usize::try_from(announced.byte_size).unwrap_or_default();
    let place = state.uploads.take(id).map_err(no_place)?;
    let mut staging = state.images.stage(id).await?;
    let (began, mut taken) = (Instant::now(), 0);
    while let Some(bytes) = next_bytes(body, &place, began, taken, &state.settings.uploads).await? {
        taken += bytes.len();
        if taken > length {
            return Err(too_long().into());
        }
        staging.take(bytes).await?;
    }
    if taken < length {
        let message = "The body is shorter than was announced.";
        return Err(Refused(StatusCode::BAD_REQUEST, message).into());
    }
    staging.finish().await?;
    Ok(())
}

/// What comes next of an upload that `began` then and of which so much was `taken`; `None` at its end.
async fn next_bytes(
    body: &mut Body,
    place: &Place,
    began: Instant,
    taken: usize,
    settings: &UploadSettings,
) -> Result<Option<Bytes>, Refused> {
    let until = last_moment(began, taken, settings);
    loop {
        if !place.waits() {
            return Err(given_away());
        }
        let next = tokio::select! {
            biased;
            () = place.given_away() => return Err(given_away()),
            next = timeout_at(until, body.frame()) => next,
        };
        if !place.works() {
            return Err(given_away());
        }
        let Ok(next) = next else {
            let message = "The body did not come in time.";
            return Err(Refused(StatusCode::REQUEST_TIMEOUT, message));
        };
        match next.transpose() {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => {
                // Trailers are nothing to us.
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Err(_) => return Err(Refused(StatusCode::BAD_REQUEST, "The body broke off.")),
        }
    }
}

/// When the next bytes must have come: before the whole took too long, before it stood still, and before what was taken
/// is too little for the time that it took.
fn last_moment(began: Instant, taken: usize, settings: &UploadSettings) -> Instant {
    let taken = u32::try_from(taken).unwrap_or(u32::MAX);
    let seconds = f64::from(taken) / f64::from(settings.least_speed.max(1));
    let earned = Duration::from_secs_f64(seconds).max(settings.grace);
    (began + settings.whole.min(earned)).min(Instant::now() + settings.still)
}

fn no_place(why: NoPlace) -> Refused {
    match why {
        NoPlace::Taken => {
            let message = "This upload is being sent already. Send it again in a few seconds.";
            Refused(StatusCode::CONFLICT, message)
        }
        NoPlace::Full => {
            let message = "Too many uploads are being sent. Send it again in a few seconds.";
            Refused(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }
}

fn given_away() -> Refused {
    let message = "The upload stood still, and is now being sent by another request.";
    Refused(StatusCode::CONFLICT, message)
}

fn too_long() -> Refused {
    let message = "The body is longer than was announced.";
    Refused(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn check_head(headers: &HeaderMap, announced: &Announced) -> Result<(), Refused> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if text(header::CONTENT_TYPE) != Some(announced.content_type.as_str())
        || headers.contains_key(header::CONTENT_ENCODING)
    {
        let message = "Send the Content-Type that was announced, and nothing compressed.";
        return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<i64>().ok());
    let announced = i64::from(announced.byte_size);
    match length {
        Some(length) if length > announced => Err(too_long()),
        Some(length) if length < announced => {
            let message = "Content-Length is less than was announced.";
            Err(Refused(StatusCode::BAD_REQUEST, message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_earn_time_up_to_the_whole() {
        let settings = UploadSettings {
            still: Duration::from_secs(3600),
            ..UploadSettings::default()
        };
        let began = Instant::now();
        for (taken, seconds) in [
            (0, 30),
            (1, 30),
            (30 * 8 * 1024, 30),
            (60 * 8 * 1024, 60),
            (20 * 1024 * 1024, 600),
        ] {
            let until = last_moment(began, taken, &settings);
            assert_eq!(until - began, Duration::from_secs(seconds), "{taken}");
        }
        let until = last_moment(began, 20 * 1024 * 1024, &UploadSettings::default());
        assert!(until <= Instant::now() + Duration::from_secs(30));
    }
}
