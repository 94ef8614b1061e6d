//! Pictures over HTTP, where they are kept in a local folder: `PUT /uploads/…` takes the bytes of one in, `GET /images/…`
//! hands one out, by links that the service signed. Where S3 keeps them, callers speak to it, and nothing is here.
//!
//! Handing out is here, taking in is in `taking`, and who sends what at this moment in `places`.
//!
//! Bytes are streamed both ways and never held whole. No token is asked for: the link says what may be done. Whatever is
//! wrong with a request is answered 4xx, in JSON, and nothing of it stays.

mod places;
mod taking;

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

pub(super) use places::Places;
pub use taking::UploadSettings;

use super::{EdgeState, request_id::RequestId};
use crate::{
    error::{Code, Error},
    images::{self, model::ContentType},
};

/// When whoever is refused for what others do is to try again, in seconds.
const RETRY_AFTER: u16 = 3;
/// How much of a picture is read at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// The routes, for a store that has no links of its own.
pub(super) fn router() -> Router<EdgeState> {
    Router::new()
        .route("/uploads/{id}", put(taking::take))
        .route("/images/{name}", get(give))
}

/// An answer that is a mistake of the caller's.
struct Refused(StatusCode, &'static str);

/// Why nothing was taken or given.
enum Failed {
    Refused(Refused),
    Error(Error),
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Failed::Refused(refused)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Error(error)
    }
}

impl Failed {
    fn into_response(self, request_id: &RequestId) -> Response {
        let (status, message) = match self {
            Failed::Refused(Refused(status, message)) => (status, message.into()),
            Failed::Error(error) => {
                let request_id = request_id.as_str();
                tracing::warn!(request_id, error = error.log_text(), "a request failed");
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

/// What is signed in a link to a picture.
#[derive(Deserialize)]
struct ImageLink {
    until: i64,
    signature: String,
}

/// `GET /images/<id>.<extension>`
async fn give(
    State(state): State<EdgeState>,
    Extension(request_id): Extension<RequestId>,
    name: Result<Path<String>, axum::extract::rejection::PathRejection>,
    link: Result<Query<ImageLink>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let given = match (name, link) {
        (Ok(Path(name)), Ok(Query(link))) => hand_out(&state, &name, &link, &headers).await,
        _ => Err(no_such_image().into()),
    };
    let mut response = given.unwrap_or_else(|failed| failed.into_response(&request_id));
    let headers = response.headers_mut();
    for (name, value) in [
        // Were it anything but a picture, it could do nothing.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn no_such_image() -> Refused {
    let message = "There is no such picture, or the link to it has expired.";
    Refused(StatusCode::NOT_FOUND, message)
}

async fn hand_out(
    state: &EdgeState,
    name: &str,
    link: &ImageLink,
    headers: &HeaderMap,
) -> Result<Response, Failed> {
    let (id, content_type) = named(name).ok_or_else(no_such_image)?;
    let open = state
        .images
        .open(id, content_type, link.until, &link.signature);
    let (mut file, size) = open.await?.ok_or_else(no_such_image)?;
    // What stands under an id never changes.
    let tag = format!("\"{id}\"");
    let mut answer = common(id, content_type, link, &tag)?;
    if is_known(headers, &tag) {
        answer.remove(header::CONTENT_TYPE);
        return Ok((StatusCode::NOT_MODIFIED, answer).into_response());
    }
    let (status, range) = match asked(headers, &tag, size) {
        Asked::All => (StatusCode::OK, 0..size),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Beyond => {
            answer.remove(header::CONTENT_TYPE);
            answer.insert(header::CONTENT_RANGE, value(&format!("bytes */{size}"))?);
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, answer).into_response());
        }
    };
    let length = range.end - range.start;
    answer.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT {
        let part = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        answer.insert(header::CONTENT_RANGE, value(&part)?);
        let found = file.seek(std::io::SeekFrom::Start(range.start)).await;
        found.map_err(|error| Error::unavailable(format!("reading a picture: {error}")))?;
    }
    let bytes = ReaderStream::with_capacity(file.take(length), PIECE);
    Ok((status, answer, Body::from_stream(bytes)).into_response())
}

/// The id and the type that a picture's name says.
fn named(name: &str) -> Option<(Uuid, ContentType)> {
    let (id, extension) = name.split_once('.')?;
    Some((
        Uuid::try_parse(id).ok()?,
        ContentType::of_extension(extension)?,
    ))
}

fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(Error::internal)
}

fn common(
    id: Uuid,
    content_type: ContentType,
    link: &ImageLink,
    tag: &str,
) -> Result<HeaderMap, Error> {
    let left = (link.until - Utc::now().timestamp()).max(0);
    let kept = format!("private, max-age={left}, immutable");
    let disposition = images::disposition(id, content_type);
    Ok(HeaderMap::from_iter([
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(content_type.as_str()),
        ),
        (header::CONTENT_DISPOSITION, value(&disposition)?),
        (header::ETAG, value(tag)?),
        (header::CACHE_CONTROL, value(&kept)?),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
    ]))
}

/// Whether the caller has it already.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*")
}

/// Which bytes a caller asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    All,
    Part(Range<u64>),
    /// None that there are.
    Beyond,
}

/// One range is given; several, or what cannot be understood, are not asked for (RFC 9110 allows it).
fn asked(headers: &HeaderMap, tag: &str, size: u64) -> Asked {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let Some(range) = text(header::RANGE) else {
        return Asked::All;
    };
    if headers.contains_key(header::IF_RANGE) && text(header::IF_RANGE) != Some(tag) {
        return Asked::All;
    }
    let Ok(parsed) = parse_range_header(range) else {
        return Asked::All;
    };
    let [range] = parsed.ranges.as_slice() else {
        return Asked::All;
    };
    let (start, end) = match (range.start, range.end) {
        (StartPosition::FromLast(length), _) => (size.saturating_sub(length), size),
        (StartPosition::Index(start), EndPosition::LastByte) => (start, size),
        (StartPosition::Index(start), EndPosition::Index(last)) if last < start => {
            return Asked::All;
        }
        (StartPosition::Index(start), EndPosition::Index(last)) => {
            (start, last.saturating_add(1).min(size))
        }
    };
    if start < end {
        Asked::Part(start..end)
    } else {
        Asked::Beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_given_and_what_is_no_range_is_not_asked_for() {
        let of = |range: &str, if_range: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, value(range).expect("a header"));
            if let Some(tag) = if_range {
                headers.insert(header::IF_RANGE, value(tag).expect("a header"));
            }
            asked(&headers, "\"a\"", 100)
        };
        for (range, expected) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=10-19", Asked::Part(10..20)),
            ("bytes=90-", Asked::Part(90..100)),
            ("bytes=90-1000", Asked::Part(90..100)),
            ("bytes=90-18446744073709551615", Asked::Part(90..100)),
            ("bytes=-10", Asked::Part(90..100)),
            ("bytes=-1000", Asked::Part(0..100)),
            ("bytes=100-", Asked::Beyond),
            ("bytes=-0", Asked::All),
            ("bytes=20-10", Asked::All),
            ("bytes=0-1,5-6", Asked::All),
            ("items=0-1", Asked::All),
            ("bytes=a-b", Asked::All),
            ("bytes=99999999999999999999-", Asked::All),
        ] {
            assert_eq!(of(range, None), expected, "{range}");
        }
        assert_eq!(of("bytes=0-0", Some("\"a\"")), Asked::Part(0..1));
        assert_eq!(of("bytes=0-0", Some("\"b\"")), Asked::All);
    }
}
