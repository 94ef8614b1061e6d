//! Documents that requests name instead of sending them.
//!
//! - **Trusted documents** come from manifests that clients' build tools write ([`Manifest`]). They are prepared at start and kept, so a
//!   request that names one parses nothing. A request may also send the text of one, byte for byte. In the mode `enforce`, nothing
//!   else runs. In the mode `log`, other documents run, and each is logged once.
//! - **Persisted queries** of Apollo are kept in memory by the SHA-256 of their text (automatic persisted queries). A process that does not
//!   know a hash responds with PERSISTED_QUERY_NOT_FOUND, and the client sends the text again. Only documents that were admitted are
//!   kept, and only under their own hash. In the mode `enforce`, there are none.

mod hash;
mod manifest;
mod trusted;

use std::sync::Arc;

use graphql_gate::{Gate, PreparedDocument};
use quick_cache::{Weighter, sync::Cache};

use self::{hash::Sha256Hash, trusted::Trusted};
pub use manifest::Manifest;

use super::{ToolMode, admission::Prepared, call::DocumentName, tools::Tools};
use crate::error::{Code, Error};

/// What the entry of a persisted query takes in addition to its text, in bytes.
const ENTRY_BYTES: u64 = 128;
/// The usual size of a document in bytes, from which the number of entries is estimated.
const USUAL_BYTES: usize = 1024;

/// Which documents requests can name, and which may run.
#[derive(Debug, Clone)]
pub struct DocumentSettings {
    /// The manifests of trusted documents. Without any, all documents may run.
    pub manifests: Vec<Manifest>,
    /// What happens to documents that are not trusted.
    pub mode: DocumentMode,
    /// The memory for persisted queries of Apollo, in bytes. 0 turns them off.
    pub persisted_bytes: usize,
    /// Which documents are tools for agents.
    pub tools: ToolMode,
}

/// What happens to documents that are not in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DocumentMode {
    /// They run, and each is logged once.
    Log,
    /// They fail with DOCUMENT_NOT_TRUSTED.
    #[default]
    Enforce,
}

/// The documents that requests can name.
pub(super) struct Documents {
    /// `None` without manifests.
    trusted: Option<Trusted>,
    /// `None` if persisted queries are off.
    persisted: Option<Cache<Sha256Hash, Arc<String>, ByTextLength>>,
    tools: Tools,
}

/// The document of a request.
pub(super) enum Found {
    /// A trusted one.
    Trusted(Arc<PreparedDocument<Prepared>>),
    /// Any other.
    Text {
        text: Arc<String>,
        /// The hash by which later requests can name it, if the client wants that.
        persist_as: Option<Sha256Hash>,
    },
}

impl Documents {
    /// # Errors
    /// A message that names the trusted documents that are not valid, and what is wrong with them.
    pub(super) fn new(gate: &Gate<Prepared>, settings: &DocumentSettings) -> Result<Self, String> {
        let trusted = match settings.manifests.as_slice() {
            [] => None,
            manifests => Some(Trusted::new(gate, manifests, settings.mode)?),
        };
        let bytes = match &trusted {
            Some(trusted) if trusted.is_enforced() => 0,
            _ => settings.persisted_bytes,
        };
        let cache = || Cache::with_weighter(bytes / USUAL_BYTES, bytes as u64, ByTextLength);
        let all = trusted.iter().flat_map(Trusted::all);
        Ok(Documents {
            tools: Tools::new(gate, settings.tools, all)?,
            trusted,
            persisted: (bytes > 0).then(cache),
        })
    }

    pub(super) fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The number of trusted documents.
    pub(super) fn len(&self) -> usize {
        self.trusted.as_ref().map_or(0, Trusted::len)
    }

    /// Finds the document of a request.
    ///
    /// # Errors
    /// BAD_REQUEST for an unknown id or tool, and for a text that does not have the hash beside it. PERSISTED_QUERY_NOT_FOUND or
    /// PERSISTED_QUERY_NOT_SUPPORTED for an unknown hash without a text. DOCUMENT_NOT_TRUSTED for a text that is not trusted.
    pub(super) fn find(&self, name: DocumentName) -> Result<Found, Error> {
        match name {
            DocumentName::Text(text) => self.by_text(text, None),
            DocumentName::Id(id) => self.trusted(&id).ok_or_else(unknown_id),
            DocumentName::Tool(name) => {
                let document = self.tools.document(&name).map(Found::Trusted);
                document.ok_or_else(|| Error::new(Code::BadRequest, "There is no such tool."))
            }
            DocumentName::Hash { hash, text: None } => self.by_hash(&hash),
            DocumentName::Hash {
                hash,
                text: Some(text),
            } => self.by_text(text, Some(&hash)),
        }
    }

    fn trusted(&self, id: &str) -> Option<Found> {
        let document = self.trusted.as_ref()?.by_id(id)?;
        Some(Found::Trusted(document))
    }

    fn by_hash(&self, hash: &str) -> Result<Found, Error> {
        let trusted = || self.trusted(hash).or_else(|| self.trusted(&hash::id(hash)));
        let persisted = || {
            let text = self.persisted.as_ref()?.get(&Sha256Hash::parse(hash)?)?;
            Some(Found::Text {
                text,
                persist_as: None,
            })
        };
        trusted().or_else(persisted).ok_or_else(|| {
            let (code, message) = match self.trusted.is_none() && self.persisted.is_none() {
                true => (
                    Code::PersistedQueryNotSupported,
                    "PersistedQueryNotSupported",
                ),
                false => (Code::PersistedQueryNotFound, "PersistedQueryNotFound"),
            };
            // Apollo Client and urql recognize these messages.
            Error::new(code, message)
        })
    }

    fn by_text(&self, text: String, hash: Option<&str>) -> Result<Found, Error> {
        if let Some(trusted) = &self.trusted {
            if let Some(document) = trusted.by_text(&text) {
                return Ok(Found::Trusted(document));
            }
            if trusted.is_enforced() {
                let message = "This service runs only documents of its manifests, and this is not one of them. Send a document of a manifest \
                    unchanged, or its id.";
                return Err(Error::new(Code::DocumentNotTrusted, message));
            }
        }
        let hash = hash.filter(|_| self.persisted.is_some());
        let persist_as = hash.and_then(Sha256Hash::parse);
        if persist_as.is_some_and(|hash| hash != Sha256Hash::of(&text)) {
            let message = "`extensions.persistedQuery.sha256Hash` is not the SHA-256 of `query`. Hash the document exactly as it is sent.";
            return Err(Error::new(Code::BadRequest, message));
        }
        Ok(Found::Text {
            text: Arc::new(text),
            persist_as,
        })
    }

    /// Notes that the gate admitted a document: keeps it if later requests can name it, and logs it if it is not trusted.
    /// `operation`: the name of the operation.
    pub(super) fn note_admitted(&self, found: Found, operation: Option<&str>) {
        let Found::Text { text, persist_as } = found else {
            return;
        };
        if let Some(trusted) = &self.trusted {
            trusted.log_other(&text, operation);
        }
        if let (Some(hash), Some(persisted)) = (persist_as, &self.persisted) {
            persisted.insert(hash, text);
        }
    }
}

fn unknown_id() -> Error {
    let message = "There is no trusted document with this id. Send the document itself as `query`, or add it to a manifest of the service.";
    Error::new(Code::BadRequest, message)
}

#[derive(Clone)]
struct ByTextLength;

impl Weighter<Sha256Hash, Arc<String>> for ByTextLength {
    fn weight(&self, _: &Sha256Hash, text: &Arc<String>) -> u64 {
        ENTRY_BYTES + text.len() as u64
    }
}

#[cfg(test)]
mod tests;
