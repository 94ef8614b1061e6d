//! Why a GraphQL request over HTTP was not run, and its response.

use std::borrow::Cow;

use async_graphql::Response as GraphQlResponse;
use axum::http::{HeaderValue, StatusCode, header};

use super::{
    call::InvalidCall,
    negotiate::MediaType,
    request_id::RequestId,
    response::{Reply, challenge, has_code, status_of},
};
use crate::{
    error::{Code, Error},
    graphql::error,
};

/// Why a request was not run.
pub(super) enum Rejection {
    InvalidCall(InvalidCall),
    MutationByGet,
    /// A subscription from a client that does not accept events.
    EventsNotAccepted,
    /// A subscription whose caller's credentials are rejected.
    InvalidToken(Error),
    /// By the gate.
    NotAdmitted(Box<GraphQlResponse>),
    Failed(Error),
}

impl From<InvalidCall> for Rejection {
    fn from(invalid: InvalidCall) -> Self {
        Rejection::InvalidCall(invalid)
    }
}

impl Rejection {
    /// Of an error that the caller's token causes, or that prevented its check.
    pub(super) fn of_token(error: Error) -> Self {
        match error.code {
            Code::Unauthenticated => Rejection::InvalidToken(error),
            _ => Rejection::Failed(error),
        }
    }

    /// The response, for a client that accepts this media type.
    pub(super) fn into_reply(self, media_type: MediaType, request_id: &RequestId) -> Reply {
        let header = match &self {
            Rejection::MutationByGet => Some((header::ALLOW, HeaderValue::from_static("POST"))),
            Rejection::InvalidToken(error) => Some(challenge(Some(error))),
            _ => None,
        };
        let (status, mut response) = self.into_response(media_type);
        error::finish(&mut response, request_id.as_str());
        Reply {
            header,
            ..Reply::not_executed(status, response)
        }
    }

    fn into_response(self, media_type: MediaType) -> (StatusCode, GraphQlResponse) {
        let invalid = |message: Cow<'static, str>| {
            error::error_response(Error::new(Code::BadRequest, message))
        };
        match self {
            Rejection::InvalidCall(InvalidCall { status, message }) => (status, invalid(message)),
            Rejection::MutationByGet => {
                let message = "Mutations are not allowed over GET. Use POST.";
                (StatusCode::METHOD_NOT_ALLOWED, invalid(message.into()))
            }
            Rejection::EventsNotAccepted => {
                let message = "Subscriptions need WebSocket (`graphql-transport-ws`) or `Accept: text/event-stream`.";
                (StatusCode::NOT_ACCEPTABLE, invalid(message.into()))
            }
            Rejection::InvalidToken(error) => {
                (StatusCode::UNAUTHORIZED, error::error_response(error))
            }
            Rejection::NotAdmitted(response) => match media_type {
                MediaType::GraphQl if !is_about_a_hash(&response) => {
                    (StatusCode::BAD_REQUEST, *response)
                }
                MediaType::GraphQl | MediaType::Json => (StatusCode::OK, *response),
            },
            Rejection::Failed(error) if error.code == Code::Forbidden => {
                (StatusCode::FORBIDDEN, error::error_response(error))
            }
            Rejection::Failed(error) => {
                let response = error::error_response(error);
                (status_of(&response), response)
            }
        }
    }
}

/// Whether a response tells a client of persisted queries to send its document.
fn is_about_a_hash(response: &GraphQlResponse) -> bool {
    let codes = [
        Code::PersistedQueryNotFound,
        Code::PersistedQueryNotSupported,
    ];
    codes.into_iter().any(|code| has_code(response, code))
}
