//! Reading a GraphQL request off the wire: what a well-formed one is, and the status of what is none.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::negotiate;
use crate::graphql::Call;

/// Why a request is none, and the status that says so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotACall {
    pub(super) status: StatusCode,
    pub(super) message: &'static str,
}

fn not_a_call<T>(status: StatusCode, message: &'static str) -> Result<T, NotACall> {
    Err(NotACall { status, message })
}

/// Reads the call of a GET or POST request. What it does not read of the body stays in it.
pub(super) async fn read(
    parts: &Parts,
    body: &mut Body,
    most_body: usize,
    patience: Duration,
) -> Result<Call, NotACall> {
    if parts.method == Method::GET {
        return from_query(parts.uri.query().unwrap_or_default());
    }
    if !negotiate::is_json(&parts.headers) {
        return not_a_call(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Send the request as Content-Type: application/json, in UTF-8 and not compressed.",
        );
    }
    let announced = parts
        .headers
        .get("content-length")
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > most_body) {
        return not_a_call(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.");
    }
    match tokio::time::timeout(patience, collected(body, most_body)).await {
        Ok(bytes) => from_json(&bytes?),
        Err(_) => not_a_call(
            StatusCode::REQUEST_TIMEOUT,
            "The body did not come in time.",
        ),
    }
}

async fn collected(body: &mut Body, most_body: usize) -> Result<Bytes, NotACall> {
    match Limited::new(&mut *body, most_body).collect().await {
        Ok(collected) => {
            *body = Body::empty();
            Ok(collected.to_bytes())
        }
        Err(error) if error.is::<LengthLimitError>() => {
            not_a_call(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.")
        }
        Err(_) => not_a_call(StatusCode::BAD_REQUEST, "The body broke off."),
    }
}

/// A refused request's body is read all the same: if the connection were cut, a caller that is still sending would never see
/// the answer. What is here already takes no time; if there is more, the connection is given up with it.
pub(super) async fn read_to_the_end(mut body: Body, response: &mut Response, patience: Duration) {
    let mut rest = Box::pin(async move { while let Some(Ok(_)) = body.frame().await {} });
    if timeout(Duration::from_millis(20), &mut rest).await.is_err() {
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        tokio::spawn(timeout(patience, rest));
    }
}

fn from_json(body: &[u8]) -> Result<Call, NotACall> {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return not_a_call(StatusCode::BAD_REQUEST, "The body is not JSON.");
    };
    match value {
        Value::Object(fields) => from_fields(fields),
        Value::Array(_) => not_a_call(
            StatusCode::BAD_REQUEST,
            "Batches are not taken: send one request at a time.",
        ),
        _ => not_a_call(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The body must be a JSON object.",
        ),
    }
}

fn from_query(query: &str) -> Result<Call, NotACall> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" | "extensions" => match serde_json::from_str(&value) {
                Ok(value) => value,
                Err(_) => {
                    return not_a_call(
                        StatusCode::BAD_REQUEST,
                        "variables and extensions must be JSON.",
                    );
                }
            },
            _ => Value::String(value.into_owned()),
        };
        fields.insert(name.into_owned(), value);
    }
    from_fields(fields)
}

/// The call in an object, be it a body or a WebSocket's payload.
pub(super) fn from_fields(mut fields: Map<String, Value>) -> Result<Call, NotACall> {
    let wrong = |message| not_a_call(StatusCode::UNPROCESSABLE_ENTITY, message);
    let Some(Value::String(query)) = fields.remove("query") else {
        return wrong("query must be there, and must be a string.");
    };
    let operation_name = match fields.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return wrong("operationName must be a string."),
    };
    let variables = match fields.remove("variables") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(variables)) => variables,
        Some(_) => return wrong("variables must be an object."),
    };
    match fields.remove("extensions") {
        None | Some(Value::Null | Value::Object(_)) => Ok(Call {
            query,
            operation_name,
            variables,
        }),
        Some(_) => wrong("extensions must be an object."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_call_has_its_status() {
        let table = [
            ("", 400),
            ("{", 400),
            ("[]", 400),
            ("[{\"query\":\"{me{id}}\"}]", 400),
            ("1", 422),
            ("{}", 422),
            ("{\"qeury\":\"{me{id}}\"}", 422),
            ("{\"query\":1}", 422),
            ("{\"query\":\"{me{id}}\",\"variables\":[]}", 422),
            ("{\"query\":\"{me{id}}\",\"variables\":\"{}\"}", 422),
            ("{\"query\":\"{me{id}}\",\"operationName\":1}", 422),
            ("{\"query\":\"{me{id}}\",\"extensions\":1}", 422),
        ];
        for (body, status) in table {
            let refused = from_json(body.as_bytes()).expect_err(body);
            assert_eq!(refused.status.as_u16(), status, "{body}");
        }
        let good = "{\"query\":\"q\",\"variables\":null,\"operationName\":null,\"extensions\":{\"a\":1},\"more\":1}";
        assert_eq!(from_json(good.as_bytes()).expect("a call").query, "q");
    }

    #[test]
    fn a_query_string_is_a_call() {
        let call = from_query(
            "query=query%20A%7Bme%7Bid%7D%7D&operationName=A&variables=%7B%22a%22%3A1%7D",
        )
        .expect("one");
        assert_eq!(call.query, "query A{me{id}}");
        assert_eq!(call.operation_name.as_deref(), Some("A"));
        assert_eq!(call.variables.get("a"), Some(&Value::from(1)));
        assert_eq!(
            from_query("variables=%7B")
                .expect_err("no JSON")
                .status
                .as_u16(),
            400
        );
        assert_eq!(from_query("").expect_err("no query").status.as_u16(), 422);
    }
}
