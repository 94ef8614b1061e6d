//! Reads a GraphQL call from an HTTP request or a WebSocket payload.
//!
//! A request that is not a well-formed call gets a status of its own:
//! - 400: it is not JSON, is a batch, or has several content types.
//! - 408, 413 or 415: its body cannot be read.
//! - 422: it is JSON, but not a call.
//!
//! A call has the text of its document, the id of a trusted one (`documentId`, or Relay's `doc_id`), or the hash of a persisted query of
//! Apollo, with or without the text. `graphql::documents` knows ids and hashes.

use std::{borrow::Cow, time::Duration};

use super::{
    content::{self, InvalidContent},
    fields,
};
use crate::graphql::{self, Call, DocumentName};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

/// Why a request is not a well-formed call, and its status.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidCall {
    pub(super) status: StatusCode,
    pub(super) message: Cow<'static, str>,
}

impl From<InvalidContent> for InvalidCall {
    fn from(InvalidContent { status, message }: InvalidContent) -> Self {
        InvalidCall {
            status,
            message: message.into(),
        }
    }
}

const TOO_LARGE: &str = "The body is too large. Send a smaller request.";

fn invalid<T>(status: StatusCode, message: &'static str) -> Result<T, InvalidCall> {
    Err(InvalidCall {
        status,
        message: message.into(),
    })
}

/// Reads the call of a GET or POST request. Bytes that it does not read stay in `body`.
pub(super) async fn read(
    parts: &Parts,
    body: &mut Body,
    max_body: usize,
    timeout: Duration,
) -> Result<Call, InvalidCall> {
    if parts.method == Method::GET {
        return from_query(parts.uri.query().unwrap_or_default());
    }
    content::check_json(&parts.headers)?;
    from_json(&read_body(parts, body, max_body, timeout).await?)
}

/// Reads a body. Bytes that it does not read stay in `body`.
pub(super) async fn read_body(
    parts: &Parts,
    body: &mut Body,
    max_body: usize,
    timeout: Duration,
) -> Result<Bytes, InvalidCall> {
    let announced = fields::text(&parts.headers, header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max_body) {
        return invalid(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE);
    }
    match tokio::time::timeout(timeout, collect(body, max_body)).await {
        Ok(bytes) => bytes,
        Err(_) => invalid(
            StatusCode::REQUEST_TIMEOUT,
            "The body did not arrive in time. Send less, or use a faster connection.",
        ),
    }
}

async fn collect(body: &mut Body, max_body: usize) -> Result<Bytes, InvalidCall> {
    match Limited::new(&mut *body, max_body).collect().await {
        Ok(collected) => {
            *body = Body::empty();
            Ok(collected.to_bytes())
        }
        Err(error) if error.is::<LengthLimitError>() => {
            invalid(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE)
        }
        Err(_) => invalid(StatusCode::BAD_REQUEST, "The body is incomplete."),
    }
}

/// Reads the rest of a rejected request's body. If the connection were closed instead, a client that is still sending would not
/// see the response. If the rest has not arrived yet, it is read in the background and the connection closes afterwards.
pub(super) async fn drain(mut body: Body, response: &mut Response, timeout: Duration) {
    let mut rest = Box::pin(async move { while let Some(Ok(_)) = body.frame().await {} });
    let arrived = tokio::time::timeout(Duration::from_millis(20), &mut rest);
    if arrived.await.is_err() {
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        tokio::spawn(tokio::time::timeout(timeout, rest));
    }
}

/// The byte order mark in UTF-8. Some programs write it before the JSON.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn from_json(body: &[u8]) -> Result<Call, InvalidCall> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let text = str::from_utf8(body).unwrap_or_default();
    match parse(text, "", "The body is not valid JSON.")? {
        Value::Object(fields) => Ok(Call {
            inexact_number: inexact_number(text),
            ..call(fields)?
        }),
        Value::Array(_) => invalid(
            StatusCode::BAD_REQUEST,
            "Batches are not supported. Send one operation per request.",
        ),
        _ => invalid(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The body must be a JSON object.",
        ),
    }
}

/// The path of a number that the parser changes, as messages show it. `json`: a body, or a message of a WebSocket.
pub(super) fn inexact_number(json: &str) -> Option<String> {
    inexact_number_in("", json)
}

/// `root`: the start of all paths in this JSON.
fn inexact_number_in(root: &str, json: &str) -> Option<String> {
    let path = root.to_owned() + &graphql_gate::inexact_number(json)?;
    let path = path.strip_prefix("payload.").unwrap_or(&path);
    let variable = path.strip_prefix("variables.");
    Some(variable.map_or(path.to_owned(), |variable| format!("${variable}")))
}

/// Parses JSON. The parser fails if a number is far too large for it.
fn parse(json: &str, root: &str, message: &'static str) -> Result<Value, InvalidCall> {
    serde_json::from_str(json).map_err(|_| {
        let number = inexact_number_in(root, json).map(|path| graphql::inexact_number(&path));
        InvalidCall {
            status: StatusCode::BAD_REQUEST,
            message: number.map_or(message.into(), Cow::Owned),
        }
    })
}

fn from_query(query: &str) -> Result<Call, InvalidCall> {
    let (mut fields, mut inexact) = (Map::new(), None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" | "extensions" => {
                let root = format!("{name}.");
                inexact = inexact.or_else(|| inexact_number_in(&root, &value));
                parse(
                    &value,
                    &root,
                    "`variables` and `extensions` must be valid JSON.",
                )?
            }
            _ => Value::String(value.into_owned()),
        };
        fields.insert(name.into_owned(), value);
    }
    Ok(Call {
        inexact_number: inexact,
        ..call(fields)?
    })
}

fn call(fields: Map<String, Value>) -> Result<Call, InvalidCall> {
    from_fields(fields).or_else(|message| invalid(StatusCode::UNPROCESSABLE_ENTITY, message))
}

/// Reads the call in the JSON object of a body or a WebSocket payload.
///
/// # Errors
/// A message that says what is wrong.
pub(super) fn from_fields(mut fields: Map<String, Value>) -> Result<Call, &'static str> {
    let extensions = match fields.remove("extensions") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(extensions)) => extensions,
        Some(_) => return Err("`extensions` must be an object."),
    };
    // Values that this service does not know are ignored: `extensions` may serve other programs on the way.
    let reports_cost = extensions.get("cost") == Some(&Value::Bool(true));
    let document = document(&mut fields, &extensions)?;
    let operation_name = match fields.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err("`operationName` must be a string."),
    };
    let variables = match fields.remove("variables") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(variables)) => variables,
        Some(_) => return Err("`variables` must be an object."),
    };
    Ok(Call {
        document,
        operation_name,
        variables,
        inexact_number: None,
        reports_cost,
    })
}

/// Reads how a call names its document. A document without any text counts as omitted beside an id or a hash.
fn document(
    fields: &mut Map<String, Value>,
    extensions: &Map<String, Value>,
) -> Result<DocumentName, &'static str> {
    let id = match [fields.remove("documentId"), fields.remove("doc_id")] {
        [None | Some(Value::Null), None | Some(Value::Null)] => None,
        [Some(Value::String(id)), None | Some(Value::Null)]
        | [None | Some(Value::Null), Some(Value::String(id))] => Some(id),
        _ => return Err("`documentId` (or `doc_id`, but not both) must be a string."),
    };
    let hash = match extensions.get("persistedQuery") {
        Some(Value::Object(persisted)) => match persisted.get("sha256Hash") {
            Some(Value::String(hash)) => Some(hash.clone()),
            _ => return Err("`extensions.persistedQuery.sha256Hash` must be a string."),
        },
        _ => None,
    };
    let is_named = id.is_some() || hash.is_some();
    let text = match fields.remove("query") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text).filter(|text| !is_named || !text.trim().is_empty()),
        Some(_) => return Err("`query` is required and must be a string."),
    };
    match (id, hash, text) {
        (None, None, Some(text)) => Ok(DocumentName::Text(text)),
        (None, None, None) => Err("`query` is required and must be a string."),
        (Some(id), None, None) => Ok(DocumentName::Id(id)),
        (None, Some(hash), text) => Ok(DocumentName::Hash { hash, text }),
        (Some(_), ..) => Err("Send either `documentId` or the document itself, not both."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_call_has_its_own_status() {
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
            ("{\"query\":\"{me{id}}\",\"variables\":{\"a\":1e400}}", 400),
        ];
        for (body, status) in table {
            let invalid = from_json(body.as_bytes()).expect_err(body);
            assert_eq!(invalid.status.as_u16(), status, "{body}");
        }
        let good = "\u{feff}{\"query\":\"q\",\"variables\":null,\"operationName\":null,\"extensions\":{\"a\":1},\"more\":1}";
        let call = from_json(good.as_bytes()).expect("a call");
        assert_eq!(call.document.text(), Some("q"));
    }

    #[test]
    fn a_number_that_no_float_can_hold_is_named_as_the_mistake() {
        let body = r#"{"query":"query($n:Int){a(n:$n)}","variables":{"n":-1e400}}"#;
        let invalid = from_json(body.as_bytes()).expect_err("a number is too large");
        assert_eq!(invalid.status.as_u16(), 400);
        let message = "`$n` does not fit into 64 bits. Round it, or send it as a string.";
        assert_eq!(invalid.message, message);
        let invalid = from_query("query=q&variables=%7B%22n%22%3A1e400%7D");
        assert_eq!(invalid.expect_err("a number is too large").message, message);
    }

    #[test]
    fn a_number_that_the_parser_changes_is_found() {
        let big = "18446744073709551616";
        let body = format!(r#"{{"query":"q","variables":{{"i":{{"m":{{"a":[0,{big}]}}}}}}}}"#);
        let call = from_json(body.as_bytes()).expect("a call");
        assert_eq!(call.inexact_number.as_deref(), Some("$i.m.a[1]"));
        let call = from_query(&format!("query=q&variables=%7B%22n%22%3A{big}%7D")).expect("a call");
        assert_eq!(call.inexact_number.as_deref(), Some("$n"));
        let message = format!(r#"{{"payload":{{"variables":{{"n":{big}}}}}}}"#);
        assert_eq!(inexact_number(&message).as_deref(), Some("$n"));
        let extension = format!(r#"{{"extensions":{{"a":{big}}},"query":"q"}}"#);
        assert_eq!(inexact_number(&extension).as_deref(), Some("extensions.a"));
    }

    #[test]
    fn a_query_string_is_read_as_a_call() {
        let call = from_query(
            "query=query%20A%7Bme%7Bid%7D%7D&operationName=A&variables=%7B%22a%22%3A1%7D",
        )
        .expect("one");
        assert_eq!(call.document.text(), Some("query A{me{id}}"));
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

    #[test]
    fn a_call_can_have_a_hash_with_or_without_its_document() {
        let persisted = r#""extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}"#;
        let hash = || "00".to_owned();
        for without in [
            "",
            r#""query":null,"#,
            r#""query":"","#,
            r#""query":" \n","#,
        ] {
            let body = format!("{{{without}{persisted}}}");
            let call = from_json(body.as_bytes()).expect("a call");
            let (hash, text) = (hash(), None);
            assert_eq!(call.document, DocumentName::Hash { hash, text }, "{body}");
        }
        let body = format!(r#"{{"query":"{{a}}",{persisted}}}"#);
        let call = from_json(body.as_bytes()).expect("a call");
        let (hash, text) = (hash(), Some("{a}".to_owned()));
        assert_eq!(call.document, DocumentName::Hash { hash, text });
    }

    #[test]
    fn a_call_can_have_an_id_instead_of_its_document() {
        let id = DocumentName::Id("x:1".to_owned());
        for body in [
            r#"{"documentId":"x:1"}"#,
            r#"{"doc_id":"x:1","query":null}"#,
            r#"{"documentId":"x:1","doc_id":null,"query":""}"#,
        ] {
            let call = from_json(body.as_bytes()).expect(body);
            assert_eq!(call.document, id, "{body}");
        }
        let call = from_query("documentId=x%3A1&variables=%7B%7D").expect("a call");
        assert_eq!(call.document, id);
        for wrong in [
            r#"{"extensions":{}}"#,
            r#"{"extensions":{"persistedQuery":null}}"#,
            r#"{"extensions":{"persistedQuery":{}},"query":"{a}"}"#,
            r#"{"documentId":1}"#,
            r#"{"documentId":null}"#,
            r#"{"documentId":"a","doc_id":"a"}"#,
            r#"{"documentId":"a","query":"{a}"}"#,
            r#"{"documentId":"a","extensions":{"persistedQuery":{"sha256Hash":"a"}}}"#,
        ] {
            let invalid = from_json(wrong.as_bytes()).expect_err(wrong);
            assert_eq!(invalid.status.as_u16(), 422, "{wrong}");
        }
    }
}
