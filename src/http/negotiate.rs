//! Content negotiation: what the client sends and what it accepts, by the request's headers.
//!
//! The rules are those of the GraphQL-over-HTTP draft. Nothing here reads a body.

use axum::http::{HeaderMap, HeaderValue, header};

const GRAPHQL: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

/// The media type of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: the status tells whether the request could run.
    GraphQl,
    /// `application/json`: 200 for every well-formed request, as older clients expect.
    Json,
}

impl MediaType {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            MediaType::GraphQl => "application/graphql-response+json; charset=utf-8",
            MediaType::Json => "application/json; charset=utf-8",
        }
    }
}

/// The media type that the client prefers. `None` if it accepts neither; JSON if it sends no `Accept`.
pub(super) fn response_type(headers: &HeaderMap) -> Option<MediaType> {
    let Some(accepted) = accepted(headers) else {
        return Some(MediaType::Json);
    };
    let (graphql, json) = (quality_of(&accepted, GRAPHQL), quality_of(&accepted, JSON));
    // If both have the same quality, the newer type wins only if it is named: clients that send a wildcard may not know it.
    let named = accepted.iter().any(|(range, _)| range == GRAPHQL);
    match (graphql, json) {
        (0, 0) => None,
        _ if graphql > json || (graphql == json && named) => Some(MediaType::GraphQl),
        _ => Some(MediaType::Json),
    }
}

/// The quality of JSON responses of either media type.
fn json_quality(accepted: &[(String, u16)]) -> u16 {
    quality_of(accepted, JSON).max(quality_of(accepted, GRAPHQL))
}

/// Whether the client accepts responses as `text/event-stream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Events {
    /// Not named. Clients that send a wildcard may not support events.
    NotAccepted,
    /// Accepted, for operations that have no other form of response.
    Accepted,
    /// Preferred to JSON, or the only accepted type.
    Preferred,
}

/// Whether `Accept` names `text/event-stream`.
pub(super) fn events(headers: &HeaderMap) -> Events {
    let accepted = accepted(headers).unwrap_or_default();
    let named = accepted
        .iter()
        .find(|(range, _)| range == "text/event-stream");
    let json = json_quality(&accepted);
    match named {
        None | Some((_, 0)) => Events::NotAccepted,
        Some((_, quality)) if *quality > json => Events::Preferred,
        Some(_) => Events::Accepted,
    }
}

/// Whether the client prefers HTML, as a browser does that opens a page.
pub(super) fn prefers_html(headers: &HeaderMap) -> bool {
    let Some(accepted) = accepted(headers) else {
        return false;
    };
    let html = accepted
        .iter()
        .filter(|(range, _)| range == "text/html")
        .map(|(_, quality)| *quality)
        .max();
    html.is_some_and(|html| html >= json_quality(&accepted))
}

/// The media ranges of `Accept` with their qualities in thousandths. `None` without such a header.
fn accepted(headers: &HeaderMap) -> Option<Vec<(String, u16)>> {
    let mut ranges = Vec::new();
    for value in headers.get_all(header::ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality =
                parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            let quality: f32 = quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
            if !name.is_empty() {
                ranges.push((name, (quality.clamp(0.0, 1.0) * 1000.0) as u16));
            }
        }
    }
    Some(ranges).filter(|ranges| !ranges.is_empty())
}

/// The quality of a media type, by the most specific range that matches.
fn quality_of(accepted: &[(String, u16)], name: &str) -> u16 {
    for range in [name, "application/*", "*/*"] {
        if let Some((_, quality)) = accepted.iter().find(|(accepted, _)| accepted == range) {
            return *quality;
        }
    }
    0
}

/// Whether the headers declare the body as uncompressed JSON in UTF-8.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = text(headers, header::CONTENT_TYPE) else {
        return false;
    };
    let mut parts = content_type.split(';').map(str::trim);
    let named = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case(JSON));
    let utf8 = parts.all(|part| match part.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(HeaderValue::as_bytes);
    named && utf8 && encoding.is_none_or(|encoding| encoding.eq_ignore_ascii_case(b"identity"))
}

/// The text of a header. `None` if it is missing or not ASCII.
pub(super) fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether the client has the entity with this tag already (`If-None-Match`).
pub(super) fn is_cached(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header's value"));
        headers
    }

    #[test]
    fn the_response_type_is_the_one_the_client_prefers() {
        let table = [
            ("application/json", Some(MediaType::Json)),
            (
                "application/graphql-response+json",
                Some(MediaType::GraphQl),
            ),
            (
                "application/graphql-response+json, application/json",
                Some(MediaType::GraphQl),
            ),
            (
                "application/json, application/graphql-response+json",
                Some(MediaType::GraphQl),
            ),
            (
                "application/graphql-response+json;q=0.5, application/json",
                Some(MediaType::Json),
            ),
            ("APPLICATION/JSON; charset=utf-8", Some(MediaType::Json)),
            ("*/*", Some(MediaType::Json)),
            ("application/*", Some(MediaType::Json)),
            ("text/html, */*;q=0.1", Some(MediaType::Json)),
            ("application/json;q=0, */*", Some(MediaType::GraphQl)),
            ("text/html", None),
            ("application/json;q=0", None),
        ];
        for (accept, expected) in table {
            assert_eq!(
                response_type(&with(header::ACCEPT, accept)),
                expected,
                "{accept}"
            );
        }
        assert_eq!(response_type(&HeaderMap::new()), Some(MediaType::Json));
    }

    #[test]
    fn events_are_sent_only_to_clients_that_name_them() {
        let table = [
            ("text/event-stream", Events::Preferred),
            ("Text/Event-Stream; q=0.5", Events::Preferred),
            (
                "text/event-stream, application/json;q=0.9",
                Events::Preferred,
            ),
            ("application/json, text/event-stream", Events::Accepted),
            (
                "application/graphql-response+json, text/event-stream;q=0.1",
                Events::Accepted,
            ),
            ("text/event-stream, */*", Events::Accepted),
            ("text/event-stream;q=0", Events::NotAccepted),
            ("text/*", Events::NotAccepted),
            ("*/*", Events::NotAccepted),
            ("application/json", Events::NotAccepted),
        ];
        for (accept, expected) in table {
            assert_eq!(events(&with(header::ACCEPT, accept)), expected, "{accept}");
        }
        assert_eq!(events(&HeaderMap::new()), Events::NotAccepted);
    }

    #[test]
    fn a_browser_prefers_a_page_and_a_program_does_not() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert!(prefers_html(&with(header::ACCEPT, browser)));
        for accept in [
            "*/*",
            "application/json",
            "application/json, text/html;q=0.5",
        ] {
            assert!(!prefers_html(&with(header::ACCEPT, accept)), "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn a_body_must_be_json_in_utf_8() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(is_json(&with(header::CONTENT_TYPE, good)), "{good}");
        }
        for bad in [
            "text/plain",
            "application/json; charset=latin1",
            "application/graphql",
            "multipart/form-data",
            "",
        ] {
            assert!(!is_json(&with(header::CONTENT_TYPE, bad)), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
        let mut compressed = with(header::CONTENT_TYPE, "application/json");
        compressed.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(!is_json(&compressed));
    }
}
