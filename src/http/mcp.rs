//! `/mcp`: tools for agents, over the Model Context Protocol (streamable HTTP, one JSON response per request, without sessions).
//!
//! rmcp speaks the protocol. This module authenticates its requests, lists the tools of [`Api::tools`](crate::graphql::Api::tools), and runs
//! each call as the GraphQL operation that it is: the same gate, cost, limits and rights as over `/graphql`.
//!
//! Every request needs a token that is accepted, so that strangers cannot use the protocol's code. Pages of origins that CORS does not
//! allow are rejected, as the protocol requires. The `Host` is not checked: DNS rebinding gives a page no token.
//!
//! - A tool's result is the `data` of the response. If the response has errors, the result is an error with their messages and codes, and
//!   with the data that there is.
//! - A wrong argument, and a limit that is reached, are such errors too, so that the model can correct itself. An unknown tool is an
//!   error of the protocol.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, Extension, Request, State},
    http::{StatusCode, request::Parts},
    response::Response,
    routing::any,
};
use http_body_util::{BodyExt, Full};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    EdgeState,
    bearer::Bearer,
    call::{self, drain},
    graphql::{self, client},
    negotiate::MediaType,
    rejection::Rejection,
    request_id::RequestId,
    response::{challenge, rejected},
    streams::live_auth::LiveAuth,
};
use crate::{
    error::{Code, Error},
    graphql::{Call, DocumentName},
};

const INSTRUCTIONS: &str = "The courses, documents (pages of lectures, and the notes made from them) and tasks of one user. \
     A tool that fails returns `errors`, which say what to change.";

type Service = StreamableHttpService<Agent, NeverSessionManager>;

/// The route, if there are tools.
pub(super) fn router(state: &EdgeState) -> Router<EdgeState> {
    if state.api.tools().next().is_none() {
        return Router::new();
    }
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(state.settings.max_body)
        .disable_allowed_hosts();
    let agent = Agent {
        state: state.clone(),
    };
    let service = Service::new(move || Ok(agent.clone()), Arc::default(), config);
    Router::new()
        .route("/mcp", any(handle))
        .layer(Extension(service))
}

/// Handles `/mcp`.
async fn handle(
    State(state): State<EdgeState>,
    Extension(service): Extension<Service>,
    Extension(request_id): Extension<RequestId>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (mut parts, mut body) = request.into_parts();
    let mut response = match begin(&state, &request_id, address, &mut parts, &mut body).await {
        Ok(bytes) => {
            let request = Request::from_parts(parts, Full::new(bytes));
            service.handle(request).await.map(Body::new)
        }
        Err(response) => response,
    };
    if !body.is_end_stream() {
        drain(body, &mut response, state.settings.body_timeout).await;
    }
    response
}

/// The sender of a request, for its tool call.
#[derive(Clone)]
struct Sender {
    live_auth: LiveAuth,
    request_id: RequestId,
    /// As [`Call::inexact_number`].
    inexact_number: Option<String>,
}

/// Authenticates a request and reads its body. Adds its [`Sender`].
async fn begin(
    state: &EdgeState,
    request_id: &RequestId,
    address: SocketAddr,
    parts: &mut Parts,
    body: &mut Body,
) -> Result<Bytes, Response> {
    let reject = |rejection: Rejection| {
        let reply = rejection.into_reply(MediaType::Json, request_id);
        reply.write(MediaType::Json)
    };
    if !state.origins.may_call(parts) {
        let message = "Pages of this origin may not call the service.";
        let error = Error::new(Code::Forbidden, message);
        return Err(rejected(StatusCode::FORBIDDEN, MediaType::Json, error));
    }
    let checked = state.requests.check(None);
    checked.map_err(|error| reject(Rejection::Failed(error)))?;
    let bearer = Bearer::in_headers(&parts.headers).token();
    let token = bearer.map_err(|error| reject(Rejection::of_token(error)))?;
    let Some(token) = token else {
        let error = Error::unauthenticated("Send the access token of a user as a bearer token.");
        let mut response = rejected(StatusCode::UNAUTHORIZED, MediaType::Json, error);
        response.headers_mut().extend([challenge(None)]);
        return Err(response);
    };
    let deadline = Instant::now() + state.settings.request_timeout;
    let client = client(state, address, parts);
    let live_auth = LiveAuth::check(&state.auth, Some(token), client, deadline).await;
    let live_auth = live_auth.map_err(|error| reject(Rejection::of_token(error)))?;
    let checked = state.requests.check(live_auth.holder().as_ref());
    checked.map_err(|error| reject(Rejection::Failed(error)))?;
    // Each message takes a point, and a call the cost of its operation in addition.
    let taken = state.cost_limits.take(live_auth.holder(), 1);
    if let Some(error) = taken.and_then(|taken| taken.refusal) {
        return Err(reject(Rejection::Failed(error)));
    }
    let settings = &state.settings;
    let read = call::read_body(parts, body, settings.max_body, settings.body_timeout);
    let bytes = read.await.map_err(|invalid| reject(invalid.into()))?;
    let text = str::from_utf8(&bytes).unwrap_or_default();
    let inexact_number = graphql_gate::inexact_number(text).map(|path| {
        let argument = path.strip_prefix("params.arguments.");
        argument.map_or(path.clone(), |argument| format!("${argument}"))
    });
    parts.extensions.insert(Sender {
        live_auth,
        request_id: request_id.clone(),
        inexact_number,
    });
    Ok(bytes)
}

/// Handles the requests of agents.
#[derive(Clone)]
struct Agent {
    state: EdgeState,
}

impl ServerHandler for Agent {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let mut info = ServerConfig::new(capabilities).with_instructions(INSTRUCTIONS);
        info.server_info = Implementation::new("snapnote", env!("CARGO_PKG_VERSION"));
        info
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let mut tools = self.state.api.tools();
        tools.find(|tool| tool.name == name).map(listed)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.state.api.tools().map(listed).collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some((parts, sender)) = sender(&context) else {
            let message = "The request has no sender.";
            return Err(ErrorData::internal_error(message, None));
        };
        let arguments = request.arguments.unwrap_or_default();
        let Some(tool) = self.get_tool(&request.name) else {
            let message = format!(
                "There is no tool `{}`. `tools/list` lists all.",
                request.name
            );
            return Err(ErrorData::invalid_params(message, None));
        };
        if let Some(message) = unknown_argument(&tool, &arguments) {
            let error = json!({ "message": message, "code": Code::BadUserInput.as_str() });
            return Ok(CallToolResult::structured_error(json!({ "errors": [error] })).into());
        }
        let call = Call {
            document: DocumentName::Tool(request.name.into_owned()),
            operation_name: None,
            variables: arguments,
            inexact_number: sender.inexact_number.clone(),
            reports_cost: false,
        };
        let (id, live_auth) = (&sender.request_id, &sender.live_auth);
        tokio::select! {
            response = graphql::respond_to_agent(&self.state, id, parts, live_auth, call) => read(response).await,
            // Mutations run to their end by themselves.
            () = context.ct.cancelled() => {
                Err(ErrorData::internal_error("The client has disconnected.", None))
            }
        }
    }
}

/// The HTTP request of a message, and who sent it.
fn sender(context: &RequestContext<RoleServer>) -> Option<(&Parts, &Sender)> {
    let parts = context.extensions.get::<Parts>()?;
    Some((parts, parts.extensions.get::<Sender>()?))
}

/// The result of a call from the response of its operation.
async fn read(response: Response) -> Result<CallToolResponse, ErrorData> {
    let body = response.into_body().collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    match serde_json::from_slice(&body) {
        Ok(Value::Object(response)) => Ok(result(response).into()),
        _ => Err(ErrorData::internal_error(
            "The response is incomplete.",
            None,
        )),
    }
}

/// A tool as agents see it.
fn listed(tool: &crate::graphql::Tool) -> Tool {
    let hints = ToolAnnotations::new()
        .read_only(tool.is_read_only)
        .open_world(false);
    Tool::new(
        tool.name.clone(),
        tool.description.clone(),
        tool.arguments.clone(),
    )
    .with_annotations(hints)
}

/// The operation would ignore an unknown variable, and the model would not notice its mistake.
fn unknown_argument(tool: &Tool, arguments: &Map<String, Value>) -> Option<String> {
    let known = tool.input_schema.get("properties")?.as_object()?;
    let unknown = arguments.keys().find(|name| !known.contains_key(*name))?;
    let known: Vec<&str> = known.keys().map(String::as_str).collect();
    Some(match known.is_empty() {
        true => format!("There is no argument `{unknown}`: the tool has none."),
        false => format!(
            "There is no argument `{unknown}`. Use {}.",
            known.join(", ")
        ),
    })
}

/// The result of a tool whose operation has this response.
fn result(mut response: Map<String, Value>) -> CallToolResult {
    let data = response.remove("data");
    let Some(Value::Array(errors)) = response.remove("errors") else {
        return CallToolResult::structured(data.unwrap_or_default());
    };
    let errors = errors.into_iter().map(|mut error| {
        let mut shown = json!({
            "message": error["message"].take(),
            "code": error["extensions"]["code"].take(),
            "path": error["path"].take(),
        });
        if let Some(wait) = error["extensions"].get("retryAfterMs") {
            shown["retryAfterMs"] = wait.clone();
        }
        shown
    });
    let errors: Vec<Value> = errors.collect();
    CallToolResult::structured_error(json!({"errors": errors, "data": data}))
}
