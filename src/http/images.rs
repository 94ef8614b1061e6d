//! Images over HTTP, if they are stored in a local folder: `PUT /uploads/…` receives an image, `GET /images/…` sends one, and
//! `GET /thumbnails/…` its thumbnail. The service signs the links to all. If images are stored in S3, clients talk to S3 directly and these routes do not exist.
//!
//! Downloads are in this file, uploads in `upload`. `upload_slots` limits the uploads that run at the same time.
//!
//! Bytes are streamed both ways; an image is never held in memory as a whole. Requests need no token, because the signed link grants access.
//! Invalid requests get a 4xx status with a JSON body and leave nothing behind.

mod upload;
mod upload_slots;

use std::ops::Range;

use axum::{
    Json, Router,
    body::Body,
    extract::{Extension, Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use chrono::Utc;
use http_range_header::{EndPosition, StartPosition, parse_range_header};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

pub use upload::UploadSettings;
pub(super) use upload_slots::UploadSlots;

use super::{EdgeState, fields, negotiate, request_id::RequestId};
use crate::{
    error::{Code, Error},
    images::{
        self,
        model::{ContentType, ObjectKind, ObjectRef},
    },
};

/// Seconds after which a client may retry a request that was rejected because of other uploads.
const RETRY_AFTER: u16 = 3;
/// Bytes of an image that are read at once.
const CHUNK: usize = 64 * 1024;

/// The routes, for a local folder.
pub(super) fn router() -> Router<EdgeState> {
    Router::new()
        .route("/uploads/{id}", put(upload::upload))
        .route("/images/{name}", get(image))
        .route("/thumbnails/{name}", get(thumbnail))
}

/// Why an upload or download failed.
enum ImageError {
    /// The status and message of a rejected request.
    Rejected(StatusCode, &'static str),
    Failed(Error),
}

impl From<Error> for ImageError {
    fn from(error: Error) -> Self {
        ImageError::Failed(error)
    }
}

impl ImageError {
    fn into_response(self, request_id: &RequestId) -> Response {
        let (status, message) = match self {
            ImageError::Rejected(status, message) => (status, message.into()),
            ImageError::Failed(error) => {
                let request_id = request_id.as_str();
                tracing::warn!(request_id, error = error.log_text(), "image request failed");
                let status = match error.code {
                    Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                    Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                (status, error.message)
            }
        };
        let headers = [(header::CACHE_CONTROL, "no-store")];
        let mut response = (status, headers, Json(json!({ "error": message }))).into_response();
        if matches!(
            status,
            StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE
        ) {
            let wait = HeaderValue::from(RETRY_AFTER);
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}

/// The query of a signed link to an image.
#[derive(Deserialize)]
struct ImageLink {
    until: i64,
    signature: String,
}

/// The path and the query of a request for an image.
type Requested = Result<(Path<String>, Query<ImageLink>), Response>;

/// `GET /images/<id>.<extension>`
async fn image(
    State(state): State<EdgeState>,
    Extension(request_id): Extension<RequestId>,
    requested: Requested,
    headers: HeaderMap,
) -> Response {
    download(ObjectKind::Image, &state, &request_id, requested, &headers).await
}

/// `GET /thumbnails/<id of the image>.<extension>`
async fn thumbnail(
    State(state): State<EdgeState>,
    Extension(request_id): Extension<RequestId>,
    requested: Requested,
    headers: HeaderMap,
) -> Response {
    download(
        ObjectKind::Thumbnail,
        &state,
        &request_id,
        requested,
        &headers,
    )
    .await
}

async fn download(
    kind: ObjectKind,
    state: &EdgeState,
    request_id: &RequestId,
    requested: Requested,
    headers: &HeaderMap,
) -> Response {
    let outcome = match requested {
        Ok((Path(name), Query(link))) => send_image(state, kind, &name, &link, headers).await,
        Err(_) => Err(no_such_image()),
    };
    let response = outcome.unwrap_or_else(|error| error.into_response(request_id));
    let headers = [
        // If the bytes were anything but an image, a browser would still not run them.
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cross-origin-resource-policy", "cross-origin"),
    ];
    (headers, response).into_response()
}

fn no_such_image() -> ImageError {
    let message = "This image does not exist, or its link has expired. Request a new link.";
    ImageError::Rejected(StatusCode::NOT_FOUND, message)
}

async fn send_image(
    state: &EdgeState,
    kind: ObjectKind,
    name: &str,
    link: &ImageLink,
    headers: &HeaderMap,
) -> Result<Response, ImageError> {
    let (id, content_type) = parse_name(name).ok_or_else(no_such_image)?;
    let (object, images) = (ObjectRef { kind, id }, &state.images);
    let open = images.open(object, content_type, link.until, &link.signature);
    let (mut file, size) = open.await?.ok_or_else(no_such_image)?;
    // The image and the thumbnail of an id never change.
    let tag = format!("\"{id}\"");
    let mut response = response_headers(id, content_type, link, &tag)?;
    if negotiate::is_cached(headers, &tag) {
        response.remove(header::CONTENT_TYPE);
        return Ok((StatusCode::NOT_MODIFIED, response).into_response());
    }
    let (status, range) = match requested_range(headers, &tag, size) {
        RequestedRange::All => (StatusCode::OK, 0..size),
        RequestedRange::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        RequestedRange::NotSatisfiable => {
            response.remove(header::CONTENT_TYPE);
            response.insert(header::CONTENT_RANGE, value(&format!("bytes */{size}"))?);
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, response).into_response());
        }
    };
    let length = range.end - range.start;
    response.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT {
        let part = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        response.insert(header::CONTENT_RANGE, value(&part)?);
        let sought = file.seek(std::io::SeekFrom::Start(range.start)).await;
        sought.map_err(|error| Error::unavailable(format!("reading an image failed: {error}")))?;
    }
    let bytes = ReaderStream::with_capacity(file.take(length), CHUNK);
    Ok((status, response, Body::from_stream(bytes)).into_response())
}

/// The id and the type in an image's name.
fn parse_name(name: &str) -> Option<(Uuid, ContentType)> {
    let (id, extension) = name.split_once('.')?;
    Some((
        Uuid::try_parse(id).ok()?,
        ContentType::of_extension(extension)?,
    ))
}

fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(Error::internal)
}

fn response_headers(
    id: Uuid,
    content_type: ContentType,
    link: &ImageLink,
    tag: &str,
) -> Result<HeaderMap, Error> {
    let max_age = (link.until - Utc::now().timestamp()).max(0);
    let caching = format!("private, max-age={max_age}, immutable");
    let disposition = images::disposition(id, content_type);
    Ok(HeaderMap::from_iter([
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(content_type.as_str()),
        ),
        (header::CONTENT_DISPOSITION, value(&disposition)?),
        (header::ETAG, value(tag)?),
        (header::CACHE_CONTROL, value(&caching)?),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
    ]))
}

/// The bytes that a request selects.
#[derive(Debug, PartialEq, Eq)]
enum RequestedRange {
    All,
    Part(Range<u64>),
    /// The range lies beyond the end of the image.
    NotSatisfiable,
}

/// Reads the `Range` header. Several ranges, or an invalid header, request the whole image (RFC 9110 allows it).
fn requested_range(headers: &HeaderMap, tag: &str, size: u64) -> RequestedRange {
    let Some(range) = fields::text(headers, header::RANGE) else {
        return RequestedRange::All;
    };
    let if_range = fields::text(headers, header::IF_RANGE);
    if headers.contains_key(header::IF_RANGE) && if_range != Some(tag) {
        return RequestedRange::All;
    }
    let Ok(parsed) = parse_range_header(range) else {
        return RequestedRange::All;
    };
    let [range] = parsed.ranges.as_slice() else {
        return RequestedRange::All;
    };
    let (start, end) = match (range.start, range.end) {
        (StartPosition::FromLast(length), _) => (size.saturating_sub(length), size),
        (StartPosition::Index(start), EndPosition::LastByte) => (start, size),
        (StartPosition::Index(start), EndPosition::Index(last)) if last < start => {
            return RequestedRange::All;
        }
        (StartPosition::Index(start), EndPosition::Index(last)) => {
            (start, last.saturating_add(1).min(size))
        }
    };
    if start < end {
        RequestedRange::Part(start..end)
    } else {
        RequestedRange::NotSatisfiable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_honoured_and_invalid_ranges_are_ignored() {
        let of = |range: &str, if_range: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, value(range).expect("a header"));
            if let Some(tag) = if_range {
                headers.insert(header::IF_RANGE, value(tag).expect("a header"));
            }
            requested_range(&headers, "\"a\"", 100)
        };
        for (range, expected) in [
            ("bytes=0-0", RequestedRange::Part(0..1)),
            ("bytes=10-19", RequestedRange::Part(10..20)),
            ("bytes=90-", RequestedRange::Part(90..100)),
            ("bytes=90-1000", RequestedRange::Part(90..100)),
            (
                "bytes=90-18446744073709551615",
                RequestedRange::Part(90..100),
            ),
            ("bytes=-10", RequestedRange::Part(90..100)),
            ("bytes=-1000", RequestedRange::Part(0..100)),
            ("bytes=100-", RequestedRange::NotSatisfiable),
            ("bytes=-0", RequestedRange::All),
            ("bytes=20-10", RequestedRange::All),
            ("bytes=0-1,5-6", RequestedRange::All),
            ("items=0-1", RequestedRange::All),
            ("bytes=a-b", RequestedRange::All),
            ("bytes=99999999999999999999-", RequestedRange::All),
        ] {
            assert_eq!(of(range, None), expected, "{range}");
        }
        assert_eq!(of("bytes=0-0", Some("\"a\"")), RequestedRange::Part(0..1));
        assert_eq!(of("bytes=0-0", Some("\"b\"")), RequestedRange::All);
    }
}
