//! Content negotiation: what the client accepts, by the request's headers. `content` has what it sends.
//!
//! The rules are those of the GraphQL-over-HTTP draft. Nothing here reads a body.

use axum::http::{HeaderMap, header};

use super::fields;

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
    html.is_some_and(|html| html > 0 && html >= json_quality(&accepted))
}

/// Whether the client prefers OpenMetrics to the text format of Prometheus.
pub(super) fn prefers_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = accepted(headers).unwrap_or_default();
    let quality = |name| {
        let named = accepted.iter().filter(|(range, _)| range == name);
        named.map(|(_, quality)| *quality).max().unwrap_or_default()
    };
    let open = quality("application/openmetrics-text");
    open > 0 && open >= quality("text/plain")
}

/// The media ranges of `Accept` with their qualities in thousandths. `None` without such a header, or if it is empty.
fn accepted(headers: &HeaderMap) -> Option<Vec<(String, u16)>> {
    fields::preferences(headers, header::ACCEPT).filter(|ranges| !ranges.is_empty())
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

/// Whether the client accepts a response in gzip. Clients that send no `Accept-Encoding` accept any (RFC 9110, section 12.5.3),
/// but many of them, such as curl, do not decompress responses.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let Some(accepted) = fields::preferences(headers, header::ACCEPT_ENCODING) else {
        return false;
    };
    let quality = |names: &[&str]| {
        let named = accepted.iter();
        named
            .filter(|(name, _)| names.contains(&name.as_str()))
            .map(|(_, quality)| *quality)
            .max()
    };
    let gzip = quality(&["gzip", "x-gzip"]).or_else(|| quality(&["*"]));
    gzip.is_some_and(|gzip| gzip > 0)
}

/// Whether the client has the entity with this tag already (`If-None-Match`).
pub(super) fn is_cached(headers: &HeaderMap, tag: &str) -> bool {
    fields::list(headers, header::IF_NONE_MATCH)
        .map(|known| known.strip_prefix("W/").unwrap_or(known))
        .any(|known| known == tag || known == "*")
}

#[cfg(test)]
mod tests {
    use super::{super::fields::tests::headers, *};

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
            ("application/json;profile=\"a,b\";q=0, text/html", None),
        ];
        for (accept, expected) in table {
            assert_eq!(
                response_type(&headers("accept", &[accept])),
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
            (
                "application/json;q=0, text/event-stream;q=0",
                Events::NotAccepted,
            ),
            ("text/*", Events::NotAccepted),
            ("*/*", Events::NotAccepted),
            ("application/json", Events::NotAccepted),
        ];
        for (accept, expected) in table {
            assert_eq!(events(&headers("accept", &[accept])), expected, "{accept}");
        }
        assert_eq!(events(&HeaderMap::new()), Events::NotAccepted);
    }

    #[test]
    fn a_browser_prefers_a_page_and_a_program_does_not() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert!(prefers_html(&headers("accept", &[browser])));
        for accept in [
            "*/*",
            "application/json",
            "application/json, text/html;q=0.5",
            "text/html;q=0, application/json;q=0",
        ] {
            assert!(!prefers_html(&headers("accept", &[accept])), "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn gzip_is_accepted_if_the_client_names_it() {
        assert!(!accepts_gzip(&HeaderMap::new()));
        for (accept, expected) in [
            ("gzip, deflate, br", true),
            ("GZip;q=0.1", true),
            ("x-gzip", true),
            ("*", true),
            ("", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("br, *;q=0", false),
        ] {
            let headers = headers("accept-encoding", &[accept]);
            assert_eq!(accepts_gzip(&headers), expected, "{accept}");
        }
        assert!(accepts_gzip(&headers("accept-encoding", &["br", "gzip"])));
    }

    #[test]
    fn a_known_entity_tag_is_found_in_any_field() {
        let known = headers("if-none-match", &["\"a,b\", W/\"c\"", "\"d\""]);
        for (tag, expected) in [
            ("\"a,b\"", true),
            ("\"c\"", true),
            ("\"d\"", true),
            ("\"a\"", false),
        ] {
            assert_eq!(is_cached(&known, tag), expected, "{tag}");
        }
        assert!(is_cached(&headers("if-none-match", &["*"]), "\"x\""));
    }
}
