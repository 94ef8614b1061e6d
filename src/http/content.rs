//! What the body of a request is, by its headers: one content type, which the service must support, and no compression.

use axum::http::{HeaderMap, StatusCode, header};

use super::fields::{self, Element};

const JSON: &str = "application/json";

/// Maximum characters of a sent name in a message.
const MAX_QUOTED: usize = 40;

/// Why the content headers of a request are rejected.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidContent {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

/// Checks that the headers declare the body as uncompressed JSON in UTF-8.
pub(super) fn check_json(headers: &HeaderMap) -> Result<(), InvalidContent> {
    let unsupported = |message: String| {
        Err(InvalidContent {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            message,
        })
    };
    let Some(content_type) = content_type(headers)? else {
        return unsupported(
            "`Content-Type` is missing. Send the request as `application/json`.".to_owned(),
        );
    };
    if content_type.name != JSON {
        let name = quoted(&content_type.name);
        return unsupported(format!(
            "The content type {name} is not supported. Send the request as `application/json`."
        ));
    }
    let mut charsets = content_type.parameters("charset");
    if let Some(charset) = charsets.find(|charset| !is_utf8(charset)) {
        let charset = quoted(&charset);
        return unsupported(format!(
            "The charset {charset} is not supported. Send the request in UTF-8."
        ));
    }
    match fields::content_codings(headers).next() {
        None => Ok(()),
        Some(coding) => {
            let coding = quoted(coding);
            unsupported(format!(
                "The content encoding {coding} is not supported. Send the body uncompressed."
            ))
        }
    }
}

/// The content type; `None` if it is missing.
///
/// # Errors
/// 400 if there are several, because recipients could disagree about the one that counts.
pub(super) fn content_type(headers: &HeaderMap) -> Result<Option<Element<'_>>, InvalidContent> {
    let mut types = fields::list(headers, header::CONTENT_TYPE);
    let content_type = types.next().map(Element::parse);
    match types.next() {
        None => Ok(content_type),
        Some(_) => Err(InvalidContent {
            status: StatusCode::BAD_REQUEST,
            message: "The request has several content types. Send one `Content-Type`.".to_owned(),
        }),
    }
}

/// The charsets whose text is UTF-8, in lower case and without separators: labels of the WHATWG's Encoding standard, and ASCII.
const UTF8: &[&str] = &[
    "",
    "utf8",
    "unicode11utf8",
    "unicode20utf8",
    "xunicode20utf8",
    "ascii",
    "usascii",
];

/// Some clients misspell UTF-8 (`utf8`, `utf_8`, `'utf-8'`), and some send an empty charset.
fn is_utf8(charset: &str) -> bool {
    let mut charset = charset.to_ascii_lowercase();
    charset.retain(|one| !matches!(one, '-' | '_' | ' ' | '\''));
    UTF8.contains(&charset.as_str())
}

/// What a client sent, shortened and in code quotes.
fn quoted(sent: &str) -> String {
    let mut name: String = sent.chars().take(MAX_QUOTED).collect();
    if name.len() < sent.len() {
        name.push('…');
    }
    format!("`{name}`")
}

#[cfg(test)]
mod tests {
    use super::{super::fields::tests::headers, *};

    #[test]
    fn json_in_utf_8_is_accepted_in_any_spelling() {
        for good in [
            "application/json",
            "APPLICATION/JSON",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/json; Charset=utf8",
            "application/json; charset=\"Utf8\"; x=\";,\"",
            "application/json; charset=",
            "application/json; charset=\"\";",
            "application/json ; charset = utf-8",
            "application/json; version=1",
            "application/json; charset=utf_8",
            "application/json; charset='UTF-8'",
            "application/json; charset=us-ascii",
            "application/json; charset=unicode-1-1-utf-8",
        ] {
            let headers = headers("content-type", &[good]);
            assert_eq!(check_json(&headers), Ok(()), "{good}");
        }
        for coding in ["", "identity", "Identity, "] {
            let mut headers = headers("content-type", &["application/json"]);
            headers.insert(header::CONTENT_ENCODING, coding.parse().expect("a value"));
            assert_eq!(check_json(&headers), Ok(()), "{coding}");
        }
    }

    #[test]
    fn other_bodies_are_rejected_by_name() {
        let long = "a".repeat(1000);
        let short = format!("`{}…`", "a".repeat(MAX_QUOTED));
        let table = [
            ("text/plain", "", "`text/plain`"),
            ("application/json; charset=latin1", "", "`latin1`"),
            (
                "application/json; charset=utf-8; charset=utf-16",
                "",
                "`utf-16`",
            ),
            ("application/graphql", "", "`application/graphql`"),
            (
                "multipart/form-data; boundary=x",
                "",
                "`multipart/form-data`",
            ),
            ("", "", "`Content-Type` is missing"),
            ("application/json", "identity, GZIP", "`GZIP`"),
            (&long, "", &short),
        ];
        for (content_type, coding, named) in table {
            let mut headers = headers("content-type", &[content_type]);
            headers.insert(header::CONTENT_ENCODING, coding.parse().expect("a value"));
            let invalid = check_json(&headers).expect_err(content_type);
            assert_eq!(invalid.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
            assert!(invalid.message.contains(named), "{invalid:?}");
        }
        assert!(check_json(&HeaderMap::new()).is_err());
    }

    #[test]
    fn several_content_types_are_a_bad_request() {
        let separate = headers("content-type", &["application/json", "application/json"]);
        let joined = headers("content-type", &["application/json, text/plain"]);
        for headers in [separate, joined] {
            let invalid = check_json(&headers).expect_err("several");
            assert_eq!(invalid.status, StatusCode::BAD_REQUEST);
        }
    }
}
