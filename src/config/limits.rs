//! The limits of one request.

use clap::Args;

use super::values::{at_least_one, points};

/// Limits of one request.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Request limits")]
pub struct LimitsConfig {
    /// Maximum size of a request's body, in bytes. All arguments, counting each use of a variable, may have twice as many.
    #[arg(long, env = "SNAPNOTE_MAX_BODY", default_value = "1048576", value_parser = at_least_one)]
    pub max_body: usize,
    /// Maximum size of a response, in bytes. Larger ones fail with RESPONSE_TOO_LARGE. If long texts alone exceed it, they are not loaded.
    #[arg(long, env = "SNAPNOTE_MAX_RESPONSE", default_value = "16777216", value_parser = at_least_one)]
    pub max_response: usize,
    /// Maximum lexical tokens in a GraphQL document.
    #[arg(long, env = "SNAPNOTE_MAX_TOKENS", default_value = "4000", value_parser = at_least_one)]
    pub max_tokens: usize,
    /// Maximum nesting depth of fields. GraphiQL's introspection needs 15.
    #[arg(long, env = "SNAPNOTE_MAX_DEPTH", default_value = "15", value_parser = at_least_one)]
    pub max_depth: usize,
    /// Maximum fields with an alias.
    #[arg(long, env = "SNAPNOTE_MAX_ALIASES", default_value_t = 100)]
    pub max_aliases: usize,
    /// Maximum root fields of an operation.
    #[arg(long, env = "SNAPNOTE_MAX_ROOT_FIELDS", default_value = "50", value_parser = at_least_one)]
    pub max_root_fields: usize,
    /// Maximum cost in points: one per object that the request could load. A list costs its page size times its children.
    #[arg(long, env = "SNAPNOTE_MAX_COST", default_value = "10000", value_parser = points)]
    pub max_cost: u64,
    /// Maximum parsed and validated GraphQL documents kept in memory.
    #[arg(long, env = "SNAPNOTE_CACHED_DOCUMENTS", default_value = "1000", value_parser = at_least_one)]
    pub cached_documents: usize,
}
