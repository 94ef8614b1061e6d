//! The settings of the HTTP server.

use std::net::SocketAddr;

use clap::Args;
use ipnet::IpNet;

use super::values::{Span, at_least_one, delay, listen_address, network, plan_mode};
use crate::graphql::plan;

/// The HTTP server.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Server")]
pub struct ServerConfig {
    /// IP address and port to listen on.
    #[arg(long, env = "SNAPNOTE_LISTEN", default_value = "127.0.0.1:8080", value_parser = listen_address)]
    pub listen: SocketAddr,
    /// Origins whose pages may call the API, separated by commas, e.g. https://app.example.com. * allows any origin, and :* any
    /// port, e.g. http://localhost:*. If unset, none may, but with the embedded database http://localhost:*, http://127.0.0.1:*
    /// and `http://[::1]:*` may.
    #[arg(long, env = "SNAPNOTE_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
    /// Whether GraphiQL is served at /graphiql.
    #[arg(long, env = "SNAPNOTE_GRAPHIQL", default_value_t = true, action = clap::ArgAction::Set)]
    pub graphiql: bool,
    /// Whether the documentation is served at /docs. Programs that were built without the feature docs do not contain it.
    #[arg(long, env = "SNAPNOTE_DOCS_SITE", default_value_t = true, action = clap::ArgAction::Set)]
    pub docs_site: bool,
    /// Maximum time for a whole request.
    #[arg(long, env = "SNAPNOTE_REQUEST_TIMEOUT", default_value = "10s")]
    pub request_timeout: Span,
    /// Maximum time to receive a request's headers. Also how long a connection may be idle between two requests, and how long
    /// a client may not read its response.
    #[arg(long, env = "SNAPNOTE_HEADER_TIMEOUT", default_value = "30s")]
    pub header_timeout: Span,
    /// Maximum time to receive a request's body.
    #[arg(long, env = "SNAPNOTE_BODY_TIMEOUT", default_value = "5s")]
    pub body_timeout: Span,
    /// How long connections are still accepted at shutdown, while `/readyz` already returns 503. Load balancers need a
    /// few seconds to notice.
    #[arg(long, env = "SNAPNOTE_SHUTDOWN_DELAY", default_value = "0s", value_parser = delay)]
    pub shutdown_delay: Span,
    /// How long running requests may take to finish at shutdown.
    #[arg(long, env = "SNAPNOTE_SHUTDOWN_TIMEOUT", default_value = "15s")]
    pub shutdown_timeout: Span,
    /// Maximum age of the database check that /readyz reports while no client uses the service, so that health checks let a
    /// serverless database sleep.
    #[arg(long, env = "SNAPNOTE_READY_AGE", default_value = "1h")]
    pub ready_age: Span,
    /// Networks of proxies, separated by commas, e.g. 10.0.0.0/8,::1/128. X-Forwarded-For is trusted only from these.
    #[arg(long, env = "SNAPNOTE_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether queries of items are executed by plans, which is faster: on or off. With verify, they are executed both ways, and
    /// fail if the responses differ.
    #[arg(long, env = "SNAPNOTE_QUERY_PLANS", default_value = "on", value_parser = plan_mode)]
    pub query_plans: plan::Mode,
    /// Maximum client connections at the same time.
    #[arg(long, env = "SNAPNOTE_MAX_CONNECTIONS", default_value = "10000", value_parser = at_least_one)]
    pub max_connections: usize,
    /// Maximum queries and mutations in progress. Further ones fail with UNAVAILABLE (503). If unset, 100 per connection of
    /// SNAPNOTE_POOL_MAX.
    #[arg(long, env = "SNAPNOTE_MAX_REQUESTS", value_parser = at_least_one)]
    pub max_requests: Option<usize>,
    /// Maximum queries and mutations in progress of one user, or of the anonymous clients of one address. Further ones fail with
    /// RATE_LIMITED (429). If unset, a fifth of SNAPNOTE_MAX_REQUESTS.
    #[arg(long, env = "SNAPNOTE_MAX_REQUESTS_PER_USER", value_parser = at_least_one)]
    pub max_requests_per_user: Option<usize>,
}
