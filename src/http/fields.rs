//! Header fields by the rules of RFC 9110. Only this module splits their values.
//!
//! Several fields of one name are one list (section 5.3). A comma or semicolon within quotes does not separate. `forwarded` has its own
//! rules, because a quote that a client sends must not hide what a proxy appends.

use std::borrow::Cow;

use axum::http::{HeaderMap, header, header::AsHeaderName};

/// The elements of a list: those of all fields of this name, in order. Elements that are empty or not UTF-8 are skipped.
pub(super) fn list(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    let texts = values.filter_map(|value| str::from_utf8(value.as_bytes()).ok());
    texts
        .flat_map(|text| split(text, ','))
        .filter(|element| !element.is_empty())
}

/// Whether a list has this token, in any case.
pub(super) fn has_token(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    list(headers, name).any(|element| element.eq_ignore_ascii_case(token))
}

/// The text of a field that occurs once. `None` if it is missing or not ASCII.
pub(super) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The content codings of the body, without `identity`.
pub(super) fn content_codings(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    list(headers, header::CONTENT_ENCODING)
        .filter(|coding| !coding.eq_ignore_ascii_case("identity"))
}

/// An element with parameters, for example a media type or a preference: `name; parameter=value; parameter="value"`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// In lower case.
    pub(super) name: String,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Element<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let mut parts = split(text, ';');
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters = parts.filter_map(|part| part.split_once('='));
        let parameters = parameters.map(|(name, value)| (name.trim(), value.trim()));
        Element {
            name,
            parameters: parameters.collect(),
        }
    }

    /// The values of the parameters of this name, in any case and without quotes.
    pub(super) fn parameters(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        let named = self.parameters.iter();
        let named = named.filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| unquoted(value))
    }

    /// The quality in thousandths. 0 means not acceptable.
    fn quality(&self) -> u16 {
        let Some(quality) = self.parameters("q").next() else {
            return 1000;
        };
        let quality: f32 = quality.parse().unwrap_or(0.0);
        (quality.clamp(0.0, 1.0) * 1000.0) as u16
    }
}

/// The preferences of an `Accept` field: names in lower case with their qualities in thousandths. `None` without such a field.
pub(super) fn preferences(
    headers: &HeaderMap,
    name: impl AsHeaderName + Clone,
) -> Option<Vec<(String, u16)>> {
    headers.get(name.clone())?;
    let elements = list(headers, name).map(Element::parse);
    let preferences = elements.map(|element| {
        let quality = element.quality();
        (element.name, quality)
    });
    Some(preferences.collect())
}

/// The parts of a value between separators that are not quoted, trimmed.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = text.split(move |character| {
        if is_escaped {
            is_escaped = false;
        } else if is_quoted && character == '\\' {
            is_escaped = true;
        } else if character == '"' {
            is_quoted = !is_quoted;
        }
        !is_quoted && character == separator
    });
    parts.map(|part| part.trim_matches([' ', '\t']))
}

fn unquoted(value: &str) -> Cow<'_, str> {
    let quoted = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    match quoted {
        None => Cow::Borrowed(value),
        Some(text) if !text.contains('\\') => Cow::Borrowed(text),
        Some(text) => {
            let mut characters = text.chars();
            let next = || match characters.next()? {
                '\\' => characters.next(),
                character => Some(character),
            };
            Cow::Owned(std::iter::from_fn(next).collect())
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// One header field with this name per value.
    pub(in crate::http) fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header's value");
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn several_fields_of_one_name_are_one_list() {
        let table: [(&[&str], &[&str]); 7] = [
            (&[], &[]),
            (&[""], &[]),
            (&["a, b", "c"], &["a", "b", "c"]),
            (&[" ,a,,\tb ,"], &["a", "b"]),
            (
                &["\"a, b\"", "W/\"c\\\",\", d"],
                &["\"a, b\"", "W/\"c\\\",\"", "d"],
            ),
            // A quote that is not closed does not reach the next field.
            (&["\"a, b", "c, d"], &["\"a, b", "c", "d"]),
            (&["keep-alive", "Upgrade"], &["keep-alive", "Upgrade"]),
        ];
        for (values, expected) in table {
            let headers = headers("x-list", values);
            let elements: Vec<&str> = list(&headers, "x-list").collect();
            assert_eq!(elements, expected, "{values:?}");
        }
        let connection = headers("connection", &["keep-alive", "x, UPGRADE"]);
        assert!(has_token(&connection, "connection", "upgrade"));
        assert!(!has_token(&connection, "connection", "grade"));
    }

    #[test]
    fn elements_have_a_name_and_parameters() {
        let element = Element::parse("Text/HTML ; Charset = \"a;\\\"b\" ;; q=0.5; charset=c; flag");
        assert_eq!(element.name, "text/html");
        let charsets: Vec<_> = element.parameters("charset").collect();
        assert_eq!(charsets, ["a;\"b", "c"]);
        assert_eq!(element.quality(), 500);
        for (text, quality) in [
            ("a", 1000),
            ("a;q=1.000", 1000),
            ("a;Q=0", 0),
            ("a;q=\"0.25\"", 250),
            ("a;q=2", 1000),
            ("a;q=-1", 0),
            ("a;q=x", 0),
            ("a;q=NaN", 0),
        ] {
            assert_eq!(Element::parse(text).quality(), quality, "{text}");
        }
    }

    #[test]
    fn identity_is_no_content_coding() {
        let table: [(&[&str], &[&str]); 5] = [
            (&[], &[]),
            (&[""], &[]),
            (&["Identity", "identity, "], &[]),
            (&["gzip"], &["gzip"]),
            (&["identity", "br"], &["br"]),
        ];
        for (values, expected) in table {
            let headers = headers("content-encoding", values);
            let codings: Vec<&str> = content_codings(&headers).collect();
            assert_eq!(codings, expected, "{values:?}");
        }
    }
}
