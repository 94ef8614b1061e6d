//! The messages of graphql-transport-ws: those of the client, which are parsed strictly, those of the server, and close frames.

use std::borrow::Cow;

use async_graphql::Response as GraphQlResponse;
use axum::{body::Bytes, extract::ws::Utf8Bytes};
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::{
    bearer::Bearer,
    call,
    record::Recorded,
    response::{ResponseJson, to_json},
    streams::live_auth::AccessEnd,
};
use crate::graphql::{Call, Executed, ResponseBudget};

/// Maximum bytes of an operation's id. Every message of the operation repeats it.
const MAX_ID: usize = 255;
/// Maximum bytes of a close frame's reason.
const MAX_REASON: usize = 123;

/// A message from the client.
#[derive(Debug)]
pub(super) enum ClientMessage {
    Init(Bearer),
    /// The pong repeats the payload unless it has a token.
    Ping(Bearer, Option<Map<String, Value>>),
    Pong,
    Subscribe(String, Call),
    Complete(String),
}

/// Why a message is invalid. The text is the reason of the close frame.
pub(super) type InvalidMessage = &'static str;

impl ClientMessage {
    /// Parses a message.
    ///
    /// # Errors
    /// Why the message is invalid.
    pub(super) fn parse(text: &str) -> Result<ClientMessage, InvalidMessage> {
        let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
            return Err("The message is not a JSON object");
        };
        let Some(Value::String(kind)) = fields.remove("type") else {
            return Err("The message has no type");
        };
        match kind.as_str() {
            "connection_init" => {
                let payload = payload(&mut fields)?;
                let bearer = bearer(payload.as_ref())?;
                let has_other = payload.as_ref().is_some_and(Bearer::is_misplaced_in);
                match bearer {
                    Bearer::Absent if has_other => Err(MISPLACED_TOKEN),
                    bearer => Ok(ClientMessage::Init(bearer)),
                }
            }
            "ping" => {
                let payload = payload(&mut fields)?;
                Ok(ClientMessage::Ping(bearer(payload.as_ref())?, payload))
            }
            "pong" => payload(&mut fields).map(|_| ClientMessage::Pong),
            "subscribe" => {
                let id = id(&mut fields)?;
                let Some(Value::Object(payload)) = fields.remove("payload") else {
                    return Err("The payload must be an object with a `query`");
                };
                let call = Call {
                    inexact_number: call::inexact_number(text),
                    ..call::from_fields(payload)?
                };
                Ok(ClientMessage::Subscribe(id, call))
            }
            "complete" => Ok(ClientMessage::Complete(id(&mut fields)?)),
            _ => Err("The message has an unknown type"),
        }
    }
}

fn payload(fields: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>, InvalidMessage> {
    match fields.remove("payload") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(payload)) => Ok(Some(payload)),
        Some(_) => Err(NO_OBJECT),
    }
}

// Clients show only the reason of the close frame, so it says what to send.
const NO_OBJECT: InvalidMessage =
    r#"The payload must be an object. Send the token as {"Authorization": "Bearer <token>"}."#;
const MALFORMED_TOKEN: InvalidMessage =
    r#"The payload has no bearer token. Send it as {"Authorization": "Bearer <token>"}."#;
const MISPLACED_TOKEN: InvalidMessage = r#"The payload has a token in the wrong place. Send it as {"Authorization": "Bearer <token>"}."#;

fn bearer(payload: Option<&Map<String, Value>>) -> Result<Bearer, InvalidMessage> {
    match Bearer::in_payload(payload) {
        Bearer::Malformed => Err(MALFORMED_TOKEN),
        bearer => Ok(bearer),
    }
}

fn id(fields: &mut Map<String, Value>) -> Result<String, InvalidMessage> {
    match fields.remove("id") {
        Some(Value::String(id)) if (1..=MAX_ID).contains(&id.len()) => Ok(id),
        _ => Err("The id must be a string of 1 to 255 bytes"),
    }
}

/// A message from the server.
#[derive(Debug)]
pub(super) enum ServerMessage {
    Ack,
    Pong(Option<Map<String, Value>>),
    Next(String, Box<Recorded>),
    /// Ends the operation.
    Error(String, Box<GraphQlResponse>),
    Complete(String),
}

impl ServerMessage {
    pub(super) fn to_text(&self) -> Utf8Bytes {
        let bytes = match self {
            ServerMessage::Ack => json("connection_ack", None, None::<()>),
            ServerMessage::Pong(payload) => json("pong", None, payload.as_ref()),
            ServerMessage::Next(id, response) => next(id, response),
            ServerMessage::Error(id, response) => json("error", Some(id), Some(&response.errors)),
            ServerMessage::Complete(id) => json("complete", Some(id), None::<()>),
        };
        // JSON is UTF-8.
        Utf8Bytes::try_from(bytes).unwrap_or_default()
    }

    /// The budget of its response, to be dropped when the message has been sent.
    pub(super) fn into_budget(self) -> Option<ResponseBudget> {
        match self {
            ServerMessage::Next(_, recorded) => recorded.executed.budget,
            _ => None,
        }
    }
}

/// The JSON of a message.
#[derive(Serialize)]
struct MessageJson<'a, P: Serialize> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<P>,
}

fn json(r#type: &'static str, id: Option<&str>, payload: Option<impl Serialize>) -> Bytes {
    let message = MessageJson {
        r#type,
        id,
        payload,
    };
    serde_json::to_vec(&message).unwrap_or_default().into()
}

fn next(id: &str, Recorded { executed, record }: &Recorded) -> Bytes {
    let Executed { response, budget } = executed;
    let bytes = to_json(
        response,
        budget.as_ref(),
        record.as_deref(),
        |response, json| {
            let message = MessageJson {
                r#type: "next",
                id: Some(id),
                payload: Some(ResponseJson {
                    response,
                    executed: true,
                }),
            };
            serde_json::to_writer(json, &message)
        },
    );
    if let Some(record) = record {
        record.add_bytes(bytes.len());
    }
    bytes.into()
}

/// The code and reason of a close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    /// Maximum [`MAX_REASON`] bytes.
    pub(super) reason: Cow<'static, str>,
}

impl Close {
    /// Never sent. The client has closed the socket, and a lower layer responds.
    pub(super) const BY_CLIENT: Close = Close::new(1005, "");
    pub(super) const GOING_AWAY: Close = Close::new(1001, "The service is stopping");
    pub(super) const BAD_FRAME: Close = Close::new(1002, "Protocol error");
    pub(super) const BAD_TEXT: Close = Close::new(1007, "The message is not valid UTF-8");
    pub(super) const TOO_BIG: Close = Close::new(1009, "The message is too large");
    /// For an operation before `connection_ack`: the client is wrong, and reconnecting does not help.
    pub(super) const UNAUTHORIZED: Close = Close::new(4401, "Unauthorized");
    pub(super) const FORBIDDEN: Close = Close::new(4403, "Forbidden");
    pub(super) const BAD_SUBPROTOCOL: Close = Close::new(4406, "Subprotocol not acceptable");
    pub(super) const INIT_TIMEOUT: Close = Close::new(4408, "Connection initialisation timeout");
    pub(super) const TOO_MANY_INITS: Close = Close::new(4429, "Too many initialisation requests");
    pub(super) const INTERNAL: Close = Close::new(4500, "Internal server error");

    const fn new(code: u16, reason: &'static str) -> Close {
        let reason = Cow::Borrowed(reason);
        Close { code, reason }
    }

    /// A close frame with as much of the reason as fits.
    fn shortened(code: u16, reason: &str) -> Close {
        let reason = Cow::Owned(reason[..reason.floor_char_boundary(MAX_REASON)].to_owned());
        Close { code, reason }
    }

    /// For a client that was acknowledged. graphql-ws reconnects after 4403, with the token that its application has by
    /// then, and never after 4401.
    pub(super) const fn access_ended(end: AccessEnd) -> Close {
        match end {
            AccessEnd::TokenExpired => Close::new(4403, "Access token expired"),
            AccessEnd::SessionEnded => Close::new(4403, "Session ended"),
        }
    }

    /// For failures that a retry may fix.
    pub(super) const fn try_again_later(why: &'static str) -> Close {
        Close::new(1013, why)
    }

    /// For a token that is not accepted.
    pub(super) fn forbidden(why: &str) -> Close {
        Close::shortened(4403, why)
    }

    pub(super) fn bad_request(why: &str) -> Close {
        Close::shortened(4400, why)
    }

    pub(super) fn duplicate(id: &str) -> Close {
        let id: String = id.chars().take(60).collect();
        Close::shortened(4409, &format!("Subscriber for {id} already exists"))
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Response, ServerError, Value};
    use serde_json::json;

    use super::{ClientMessage, Close, ServerMessage};

    #[test]
    fn messages_are_serialized_as_the_protocol_requires() {
        let response = Response::new(Value::Object(Default::default()));
        let response = Box::new(response.into());
        let mut failed = Response::from_errors(vec![ServerError::new("no", None)]);
        failed.data = Value::Null;
        let table = [
            (ServerMessage::Ack, r#"{"type":"connection_ack"}"#),
            (ServerMessage::Pong(None), r#"{"type":"pong"}"#),
            (
                ServerMessage::Next("a\"b".to_owned(), response),
                r#"{"type":"next","id":"a\"b","payload":{"data":{}}}"#,
            ),
            (
                ServerMessage::Error("a".to_owned(), Box::new(failed)),
                r#"{"type":"error","id":"a","payload":[{"message":"no"}]}"#,
            ),
            (
                ServerMessage::Complete("a".to_owned()),
                r#"{"type":"complete","id":"a"}"#,
            ),
        ];
        for (message, text) in table {
            assert_eq!(message.to_text().as_str(), text);
        }
    }

    #[test]
    fn the_reason_fits_into_the_close_frame() {
        for id in ["é".repeat(127), "x".repeat(255)] {
            let close = Close::duplicate(&id);
            assert!(close.reason.len() <= 123, "{}", close.reason.len());
            assert!(close.reason.starts_with("Subscriber for "));
        }
        let close = Close::bad_request(&"é".repeat(100));
        assert!(close.reason.len() <= 123);
    }

    #[test]
    fn a_token_in_another_shape_is_answered_with_what_to_send() {
        let token = "Bearer abc";
        for payload in [
            json!("Bearer abc"),
            json!([token]),
            json!({ "Authorization": "abc" }),
            json!({ "authorization": { "token": "abc" } }),
            json!({ "Authorization": [token] }),
            json!({ "authToken": "abc" }),
            json!({ "access_token": "abc" }),
            json!({ "Auth-Token": "abc", "lang": "en" }),
            json!({ "token": "abc" }),
            json!({ "jwt": "abc" }),
            json!({ "sessionToken": "abc" }),
            json!({ "authorization_token": "abc" }),
            json!({ "Authorization ": token }),
            json!({ "userJwt": "abc" }),
            json!({ "headers": { "Authorization": token } }),
            json!({ "headers": { "authorization": token } }),
            json!({ "context": { "headers": { "authorization": token } } }),
            json!({ "auth": { "token": "abc" } }),
        ] {
            let message = json!({ "type": "connection_init", "payload": payload });
            let reason = ClientMessage::parse(&message.to_string()).expect_err("another shape");
            let sends = r#"{"Authorization": "Bearer <token>"}"#;
            assert!(reason.contains(sends), "{payload}: {reason}");
            assert_eq!(Close::bad_request(reason).reason, reason, "it is cut off");
        }
        for payload in [
            json!(null),
            json!({}),
            json!({ "lang": "en", "headers": { "accept": "x" } }),
            json!({ "authToken": null, "headers": { "Authorization": null } }),
            json!({ "authToken": "" }),
            json!({ "csrfToken": "abc", "deviceToken": "abc" }),
            json!({ "Authorization": token, "headers": { "Authorization": token } }),
        ] {
            let message = json!({ "type": "connection_init", "payload": payload });
            let parsed = ClientMessage::parse(&message.to_string());
            assert!(matches!(parsed, Ok(ClientMessage::Init(_))), "{payload}");
        }
    }

    #[test]
    fn debug_output_omits_tokens() {
        let message = ClientMessage::parse(
            r#"{"type":"connection_init","payload":{"Authorization":"Bearer abc"}}"#,
        )
        .expect("a message");
        assert!(!format!("{message:?}").contains("abc"));
    }
}
