//! The messages of graphql-transport-ws: read strictly, written once.

use async_graphql::Response as Answer;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use super::super::{call, graphql::Written};
use crate::graphql::Call;

/// Bytes of an operation's id at most: it comes back with every message.
const LONGEST_ID: usize = 255;

/// What a client says.
#[derive(Debug)]
pub(super) enum ClientMessage {
    Init(Bearer),
    /// Its payload comes back, if it names no token.
    Ping(Bearer, Option<Map<String, Value>>),
    Pong,
    Subscribe(String, Call),
    Complete(String),
}

/// The token in a payload's `Authorization`. `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Bearer {
    /// There is no such field.
    Absent,
    Token(String),
    /// There is something, and it is no bearer token.
    Malformed,
}

/// Why a message is none: in words for the close frame.
pub(super) type BadMessage = &'static str;

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub(super) fn parse(text: &str) -> Result<ClientMessage, BadMessage> {
        let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
            return Err("The message is no JSON object");
        };
        let Some(Value::String(kind)) = fields.remove("type") else {
            return Err("The message has no type");
        };
        match kind.as_str() {
            "connection_init" => Ok(ClientMessage::Init(Bearer::of(&payload(&mut fields)?))),
            "ping" => {
                let payload = payload(&mut fields)?;
                Ok(ClientMessage::Ping(Bearer::of(&payload), payload))
            }
            "pong" => payload(&mut fields).map(|_| ClientMessage::Pong),
            "subscribe" => {
                let id = id(&mut fields)?;
                let Some(Value::Object(payload)) = fields.remove("payload") else {
                    return Err("The payload must be an object");
                };
                let call = call::from_fields(payload).map_err(|refused| refused.message)?;
                Ok(ClientMessage::Subscribe(id, call))
            }
            "complete" => Ok(ClientMessage::Complete(id(&mut fields)?)),
            _ => Err("The message has an unknown type"),
        }
    }
}

fn payload(fields: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>, BadMessage> {
    match fields.remove("payload") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(payload)) => Ok(Some(payload)),
        Some(_) => Err("The payload must be an object"),
    }
}

fn id(fields: &mut Map<String, Value>) -> Result<String, BadMessage> {
    match fields.remove("id") {
        Some(Value::String(id)) if (1..=LONGEST_ID).contains(&id.len()) => Ok(id),
        _ => Err("The id must be a string of 1 to 255 bytes"),
    }
}

impl Bearer {
    fn of(payload: &Option<Map<String, Value>>) -> Bearer {
        let mut fields = payload.iter().flatten();
        let named = fields.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        match named {
            None | Some((_, Value::Null)) => Bearer::Absent,
            Some((_, Value::String(value))) => Bearer::of_value(value),
            Some(_) => Bearer::Malformed,
        }
    }

    /// Of what stands behind `Authorization:`.
    pub(super) fn of_value(value: &str) -> Bearer {
        match value.split_once(' ') {
            Some((scheme, token))
                if scheme.eq_ignore_ascii_case("Bearer") && !token.trim().is_empty() =>
            {
                Bearer::Token(token.trim().to_owned())
            }
            _ => Bearer::Malformed,
        }
    }
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

/// What the server says.
#[derive(Debug)]
pub(super) enum ServerMessage {
    Ack,
    Pong(Option<Map<String, Value>>),
    Next(String, Box<Answer>),
    /// Ends the operation.
    Error(String, Box<Answer>),
    Complete(String),
}

impl ServerMessage {
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for ServerMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, id) = match self {
            ServerMessage::Ack => ("connection_ack", None),
            ServerMessage::Pong(_) => ("pong", None),
            ServerMessage::Next(id, _) => ("next", Some(id)),
            ServerMessage::Error(id, _) => ("error", Some(id)),
            ServerMessage::Complete(id) => ("complete", Some(id)),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", kind)?;
        if let Some(id) = id {
            map.serialize_entry("id", id)?;
        }
        match self {
            ServerMessage::Next(_, answer) => {
                map.serialize_entry("payload", &Written::executed(answer))?;
            }
            ServerMessage::Error(_, answer) => map.serialize_entry("payload", &answer.errors)?,
            ServerMessage::Pong(Some(payload)) => map.serialize_entry("payload", payload)?,
            _ => {}
        }
        map.end()
    }
}

/// Why a socket is closed, as its close frame says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    /// 123 bytes at most: more does not fit into the frame.
    pub(super) reason: String,
}

impl Close {
    /// Never sent: the client has closed the socket, and is answered below this layer.
    pub(super) const ANSWERED: u16 = 1005;

    fn new(code: u16, reason: &str) -> Close {
        let mut end = reason.len().min(123);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Close {
            code,
            reason: reason[..end].to_owned(),
        }
    }

    pub(super) fn answered() -> Close {
        Close::new(Close::ANSWERED, "")
    }

    pub(super) fn going_away() -> Close {
        Close::new(1001, "The service stops")
    }

    pub(super) fn bad_frame() -> Close {
        Close::new(1002, "Protocol error")
    }

    pub(super) fn bad_text() -> Close {
        Close::new(1007, "The message is no UTF-8")
    }

    pub(super) fn too_big() -> Close {
        Close::new(1009, "The message is too large")
    }

    /// For what another try may mend.
    pub(super) fn try_again_later(why: &str) -> Close {
        Close::new(1013, why)
    }

    pub(super) fn bad_request(why: &str) -> Close {
        Close::new(4400, why)
    }

    pub(super) fn unauthorized() -> Close {
        Close::new(4401, "Unauthorized")
    }

    pub(super) fn forbidden() -> Close {
        Close::new(4403, "Forbidden")
    }

    pub(super) fn subprotocol_not_acceptable() -> Close {
        Close::new(4406, "Subprotocol not acceptable")
    }

    pub(super) fn init_timeout() -> Close {
        Close::new(4408, "Connection initialisation timeout")
    }

    pub(super) fn duplicate(id: &str) -> Close {
        let shortened = match id.char_indices().nth(60) {
            Some((end, _)) => &id[..end],
            None => id,
        };
        Close::new(4409, &format!("Subscriber for {shortened} already exists"))
    }

    pub(super) fn too_many_inits() -> Close {
        Close::new(4429, "Too many initialisation requests")
    }

    pub(super) fn internal() -> Close {
        Close::new(4500, "Internal server error")
    }
}
