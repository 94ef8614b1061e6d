//! Bearer tokens: the only parser of `Authorization: Bearer <token>`.
//!
//! The value comes from a request header or, over WebSocket, from the payload of `connection_init` or `ping`. Whether the token is valid
//! is decided by `auth`.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use crate::error::Error;

/// What a client sent as `Authorization`. Its `Debug` output omits the token.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Bearer {
    /// No such header or field, or one without credentials: blank, or the scheme alone. Programs send these when they have no token.
    Absent,
    Token(Arc<str>),
    /// A value that is not a bearer token, or several values.
    Malformed,
}

impl Bearer {
    /// Reads the `Authorization` header.
    pub(super) fn in_headers(headers: &HeaderMap) -> Bearer {
        let values = headers.get_all(header::AUTHORIZATION).iter();
        let bearers = values.map(|value| value.to_str().map_or(Bearer::Malformed, Bearer::parse));
        Bearer::only(bearers)
    }

    /// Reads the field `Authorization`, in any case, of a WebSocket message's payload.
    pub(super) fn in_payload(payload: Option<&Map<String, Value>>) -> Bearer {
        let fields = payload.into_iter().flatten();
        let named = fields.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        Bearer::only(named.map(|(_, value)| match value {
            Value::Null => Bearer::Absent,
            Value::String(value) => Bearer::parse(value),
            _ => Bearer::Malformed,
        }))
    }

    /// Whether a payload without `Authorization` has a token where other servers expect it: under another name, or inside an
    /// object such as `headers`. Such a client would be anonymous without knowing why.
    pub(super) fn is_misplaced_in(payload: &Map<String, Value>) -> bool {
        payload.iter().any(|(name, value)| match value {
            Value::String(token) => is_token_name(name) && Bearer::parse(token) != Bearer::Absent,
            Value::Object(inner) => Bearer::is_misplaced_in(inner),
            _ => false,
        })
    }

    /// The token, if one was sent.
    ///
    /// # Errors
    /// UNAUTHENTICATED if the value is not a bearer token.
    pub(super) fn token(self) -> Result<Option<Arc<str>>, Error> {
        match self {
            Bearer::Absent => Ok(None),
            Bearer::Token(token) => Ok(Some(token)),
            Bearer::Malformed => Err(Error::unauthenticated(
                "`Authorization` is not a bearer token. Send it once, as `Bearer <access token>`.",
            )),
        }
    }

    /// The only value that has credentials.
    fn only(values: impl Iterator<Item = Bearer>) -> Bearer {
        let mut sent = values.filter(|bearer| *bearer != Bearer::Absent);
        match (sent.next(), sent.next()) {
            (None, _) => Bearer::Absent,
            (Some(bearer), None) => bearer,
            (Some(_), Some(_)) => Bearer::Malformed,
        }
    }

    fn parse(value: &str) -> Bearer {
        let mut words = value.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (None, ..) => Bearer::Absent,
            (Some(scheme), token, None) if scheme.eq_ignore_ascii_case("Bearer") => {
                token.map_or(Bearer::Absent, |token| Bearer::Token(token.into()))
            }
            _ => Bearer::Malformed,
        }
    }
}

/// How names of access tokens in payloads end, without case and separators. `x-auth-token` is one, and `csrfToken` is none.
const TOKEN_NAMES: &[&str] = &[
    "accesstoken",
    "apitoken",
    "auth",
    "authentication",
    "authenticationtoken",
    "authorization",
    "authorizationtoken",
    "authtoken",
    "bearer",
    "bearertoken",
    "idtoken",
    "jwt",
    "jwttoken",
    "sessiontoken",
    "usertoken",
];

fn is_token_name(name: &str) -> bool {
    let mut name = name.to_ascii_lowercase();
    name.retain(|one| one.is_ascii_alphanumeric());
    name == "token" || TOKEN_NAMES.iter().any(|end| name.ends_with(end))
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
    use serde_json::json;

    use super::{super::fields::tests::headers, *};

    fn in_headers(values: &[&str]) -> Bearer {
        Bearer::in_headers(&headers("authorization", values))
    }

    #[test]
    fn one_bearer_token_is_accepted() {
        let token = Bearer::Token("abc".into());
        for values in [
            &["Bearer abc"][..],
            &["bearer  abc "],
            &["", "BEARER\tabc"],
            &["Bearer abc", "Bearer "],
        ] {
            assert_eq!(in_headers(values), token, "{values:?}");
        }
        for malformed in [
            &["abc"][..],
            &["Basic abc"],
            &["Bearer a b"],
            &["Bearer a", "Bearer b"],
            &["Bearer a", "Bearer a"],
            &["Bearer é"],
        ] {
            assert_eq!(in_headers(malformed), Bearer::Malformed, "{malformed:?}");
        }
    }

    #[test]
    fn blank_credentials_are_no_credentials() {
        for blank in [
            &[][..],
            &[""],
            &["  \t "],
            &["Bearer"],
            &["bearer  "],
            &["", "Bearer "],
        ] {
            assert_eq!(in_headers(blank), Bearer::Absent, "{blank:?}");
        }
        let in_payload = |payload: Value| Bearer::in_payload(payload.as_object());
        for blank in [
            json!({}),
            json!({ "Authorization": null }),
            json!({ "authorization": "" }),
            json!({ "AUTHORIZATION": " Bearer " }),
            json!({ "authorization": " ", "Authorization": null }),
        ] {
            assert_eq!(in_payload(blank.clone()), Bearer::Absent, "{blank}");
        }
        let token = Bearer::Token("abc".into());
        let second = json!({ "Authorization": "", "authorization": "Bearer abc" });
        assert_eq!(in_payload(second), token);
        for malformed in [
            json!({ "Authorization": 1 }),
            json!({ "Authorization": "abc" }),
        ] {
            assert_eq!(in_payload(malformed), Bearer::Malformed);
        }
    }
}
