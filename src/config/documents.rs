//! The settings of trusted documents and persisted queries.

use std::path::PathBuf;

use clap::Args;

use crate::graphql::{
    ToolMode,
    documents::{DocumentMode, DocumentSettings, Manifest},
};

/// Trusted documents and persisted queries.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Trusted documents")]
pub struct DocumentsConfig {
    /// Manifests of trusted documents, separated by commas, as graphql-codegen, Relay and Apollo write them. Requests can name their
    /// documents by id. All documents are checked at start.
    #[arg(long, env = "SNAPNOTE_DOCUMENTS", value_delimiter = ',')]
    pub documents: Vec<PathBuf>,
    /// What happens to documents that are not in SNAPNOTE_DOCUMENTS: enforce (they fail with DOCUMENT_NOT_TRUSTED, also those of
    /// GraphiQL), or log (they run, and each is logged once). No effect without SNAPNOTE_DOCUMENTS.
    #[arg(long, env = "SNAPNOTE_DOCUMENTS_MODE", default_value = "enforce", value_parser = document_mode)]
    pub documents_mode: DocumentMode,
    /// Memory for automatic persisted queries of Apollo, in bytes (0 turns them off). Always off if SNAPNOTE_DOCUMENTS is enforced.
    #[arg(
        long,
        env = "SNAPNOTE_PERSISTED_QUERIES_MEMORY",
        default_value_t = 4_194_304
    )]
    pub persisted_queries_memory: usize,
    /// The tools that agents can call at /mcp (Model Context Protocol): off, read (queries only) or write (also mutations). Tools are
    /// three built-in queries and the documents of SNAPNOTE_DOCUMENTS with a description (docs/agents.md).
    #[arg(long, env = "SNAPNOTE_MCP", default_value = "off", value_parser = tool_mode)]
    pub mcp: ToolMode,
}

impl DocumentsConfig {
    /// The settings in the form that `graphql` takes. Reads the manifests.
    ///
    /// # Errors
    /// A message that names the manifest and what is wrong with it.
    pub fn settings(&self) -> Result<DocumentSettings, String> {
        let manifests = self.documents.iter().map(|file| Manifest::read(file));
        Ok(DocumentSettings {
            manifests: manifests.collect::<Result<_, _>>()?,
            mode: self.documents_mode,
            persisted_bytes: self.persisted_queries_memory,
            tools: self.mcp,
        })
    }

    /// What happens to documents that are not trusted, for the log. `None` without trusted documents.
    pub fn shown_mode(&self) -> Option<&'static str> {
        let mode = match self.documents_mode {
            DocumentMode::Log => "log",
            DocumentMode::Enforce => "enforce",
        };
        (!self.documents.is_empty()).then_some(mode)
    }
}

fn document_mode(text: &str) -> Result<DocumentMode, String> {
    match text {
        "log" => Ok(DocumentMode::Log),
        "enforce" => Ok(DocumentMode::Enforce),
        _ => Err("must be log or enforce".to_owned()),
    }
}

fn tool_mode(text: &str) -> Result<ToolMode, String> {
    match text {
        "off" => Ok(ToolMode::Off),
        "read" => Ok(ToolMode::Read),
        "write" => Ok(ToolMode::Write),
        _ => Err("must be off, read or write".to_owned()),
    }
}
