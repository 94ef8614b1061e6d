//! The trusted documents, prepared at start.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use graphql_gate::{Gate, PreparedDocument};
use parking_lot::Mutex;

use super::{
    super::admission::Prepared,
    DocumentMode, Manifest,
    hash::{self, Sha256Hash},
};
use crate::telemetry::shown_name;

/// Maximum number of other documents that are logged. Clients can send any number of them.
const MAX_LOGGED: usize = 1_000;
/// Maximum number of problems in a message.
const MAX_PROBLEMS: usize = 20;

type TrustedDocument = Arc<PreparedDocument<Prepared>>;

/// The documents of all manifests.
pub(super) struct Trusted {
    by_id: HashMap<String, TrustedDocument>,
    by_text: HashMap<Arc<str>, TrustedDocument>,
    mode: DocumentMode,
    /// The hashes of other documents that have been logged.
    logged: Mutex<HashSet<Sha256Hash>>,
}

impl Trusted {
    /// # Errors
    /// A message with the problems of all documents.
    pub(super) fn new(
        gate: &Gate<Prepared>,
        manifests: &[Manifest],
        mode: DocumentMode,
    ) -> Result<Trusted, String> {
        let mut trusted = Trusted {
            by_id: HashMap::new(),
            by_text: HashMap::new(),
            mode,
            logged: Mutex::default(),
        };
        let mut problems = Vec::new();
        for Manifest { file, documents } in manifests {
            for (id, text) in documents {
                if let Err(problem) = trusted.add(gate, id, text) {
                    let problem = format!("SNAPNOTE_DOCUMENTS: {file}: document {id:?} {problem}");
                    problems.push(problem);
                }
            }
        }
        let more = problems.len().saturating_sub(MAX_PROBLEMS);
        if more > 0 {
            problems.truncate(MAX_PROBLEMS);
            problems.push(format!(
                "SNAPNOTE_DOCUMENTS: {more} more documents are not valid."
            ));
        }
        match problems.is_empty() {
            true => Ok(trusted),
            false => Err(problems.join("\n")),
        }
    }

    /// Adds a document under its id, and under its hash.
    fn add(&mut self, gate: &Gate<Prepared>, id: &str, text: &str) -> Result<(), String> {
        let hash = Sha256Hash::of(text);
        if hash.contradicts(id) {
            return Err(format!(
                "has the SHA-256 {hash}. Generate the manifest again."
            ));
        }
        let prepared = match self.by_text.get(text) {
            Some(prepared) => prepared.clone(),
            None => {
                let prepared = gate.prepare(text).map_err(|rejection| {
                    let reasons: Vec<String> = rejection.reasons().collect();
                    format!("is not valid: {}", reasons.join(" "))
                })?;
                let prepared = Arc::new(prepared);
                self.by_text
                    .insert(prepared.text().clone(), prepared.clone());
                prepared
            }
        };
        for id in [id.to_owned(), hash::id(hash)] {
            match self.by_id.entry(id) {
                Entry::Occupied(known) if known.get().text() != prepared.text() => {
                    return Err("occurs twice, with different texts.".to_owned());
                }
                Entry::Occupied(_) => {}
                Entry::Vacant(free) => {
                    free.insert(prepared.clone());
                }
            }
        }
        Ok(())
    }

    /// The number of different texts.
    pub(super) fn len(&self) -> usize {
        self.by_text.len()
    }

    /// All documents, each once.
    pub(super) fn all(&self) -> impl Iterator<Item = &TrustedDocument> {
        self.by_text.values()
    }

    /// Whether other documents fail.
    pub(super) fn is_enforced(&self) -> bool {
        self.mode == DocumentMode::Enforce
    }

    pub(super) fn by_id(&self, id: &str) -> Option<TrustedDocument> {
        self.by_id.get(id).cloned()
    }

    pub(super) fn by_text(&self, text: &str) -> Option<TrustedDocument> {
        self.by_text.get(text).cloned()
    }

    /// Logs a document that is not trusted, unless it was logged before. `operation`: the name of the operation.
    pub(super) fn log_other(&self, text: &str, operation: Option<&str>) {
        if self.logged.lock().len() >= MAX_LOGGED {
            return;
        }
        let hash = Sha256Hash::of(text);
        let number = {
            let mut logged = self.logged.lock();
            match logged.insert(hash) {
                true => logged.len(),
                false => return,
            }
        };
        let operation = operation.map(shown_name);
        tracing::warn!(
            operation,
            sha256 = %hash,
            "a document that is not trusted is executed; with SNAPNOTE_DOCUMENTS_MODE=enforce, it fails"
        );
        if number == MAX_LOGGED {
            tracing::warn!(number, "no more documents that are not trusted are logged");
        }
    }
}
