//! Bearer tokens: the only parser of `Authorization: Bearer <token>`.
//!
//! The value comes from a request header or, over WebSocket, from the payload of `connection_init` or `ping`. Whether the token is valid
//! is decided by `auth`.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

/// What a client sent as `Authorization`. Its `Debug` output omits the token.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Bearer {
    /// No such header or field.
    Absent,
    Token(Arc<str>),
    /// A value that is not a bearer token, or several values.
    Malformed,
}

impl Bearer {
    /// Reads the `Authorization` header.
    pub(super) fn in_headers(headers: &HeaderMap) -> Bearer {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => Bearer::Absent,
            (Some(value), None) => Bearer::parse(value.to_str().unwrap_or_default()),
            (Some(_), Some(_)) => Bearer::Malformed,
        }
    }

    /// Reads the field `Authorization`, in any case, of a WebSocket message's payload.
    pub(super) fn in_payload(payload: Option<&Map<String, Value>>) -> Bearer {
        let mut fields = payload.into_iter().flatten();
        let field = fields.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        match field {
            None | Some((_, Value::Null)) => Bearer::Absent,
            Some((_, Value::String(value))) => Bearer::parse(value),
            Some(_) => Bearer::Malformed,
        }
    }

    /// Whether a payload without `Authorization` has a token where other servers expect it: under another name, or inside an
    /// object such as `headers`. Such a client would be anonymous without knowing why.
    pub(super) fn is_misplaced_in(payload: &Map<String, Value>) -> bool {
        payload.iter().any(|(name, value)| match value {
            Value::String(token) => is_token_name(name) && !token.is_empty(),
            Value::Object(inner) => Bearer::is_misplaced_in(inner),
            _ => false,
        })
    }

    /// The token, if one was sent.
    pub(super) fn token(self) -> Option<Arc<str>> {
        match self {
            Bearer::Token(token) => Some(token),
            Bearer::Absent | Bearer::Malformed => None,
        }
    }

    fn parse(value: &str) -> Bearer {
        match value.split_once(' ') {
            Some((scheme, token))
                if scheme.eq_ignore_ascii_case("Bearer") && !token.trim().is_empty() =>
            {
                Bearer::Token(token.trim().into())
            }
            _ => Bearer::Malformed,
        }
    }
}

/// The names of tokens in payloads, without case, hyphens and underscores.
const TOKEN_NAMES: &[&str] = &[
    "accesstoken",
    "auth",
    "authentication",
    "authorization",
    "authtoken",
    "bearer",
    "bearertoken",
    "idtoken",
    "jwt",
    "token",
    "xauthtoken",
];

fn is_token_name(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(|one| !matches!(one, '-' | '_'))
        .collect();
    TOKEN_NAMES.contains(&name.to_ascii_lowercase().as_str())
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Bearer::Absent => "Absent",
            Bearer::Token(_) => "Token",
            Bearer::Malformed => "Malformed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_bearer_token_is_accepted() {
        let parse = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().expect("a header"));
            }
            Bearer::in_headers(&headers)
        };
        let token = Bearer::Token("abc".into());
        assert_eq!(parse(&[]), Bearer::Absent);
        assert_eq!(parse(&["Bearer abc"]), token);
        assert_eq!(parse(&["bearer  abc "]), token);
        for malformed in [
            &["abc"][..],
            &["Basic abc"],
            &["Bearer "],
            &[""],
            &["Bearer a", "Bearer b"],
        ] {
            assert_eq!(parse(malformed), Bearer::Malformed, "{malformed:?}");
        }
    }
}
