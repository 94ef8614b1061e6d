//! The cache of prepared operations, by document text and operation name.
//!
//! One capacity bounds both the bytes and the number of documents: short documents weigh as much as an average one.

use std::sync::Arc;

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::limits::Limits;
use crate::prepare::PreparedOperation;

/// Longer documents are not cached. They usually contain their data inline and are hardly ever repeated.
const MAX_CACHED_TEXT: usize = 64 * 1024;

pub(crate) struct DocumentCache<P> {
    entries: Cache<Key, Arc<PreparedOperation<P>>, ByTextLength>,
}

impl<P> DocumentCache<P> {
    pub(crate) fn new(limits: &Limits) -> Self {
        let by_text_length = ByTextLength {
            min: (limits.cached_bytes / limits.cached_documents.max(1)) as u64,
        };
        let capacity = limits.cached_bytes as u64;
        Self {
            entries: Cache::with_weighter(limits.cached_documents, capacity, by_text_length),
        }
    }

    /// Returns the cached operation, or calls `prepare` and caches its result. Errors are not cached. The flag says whether `prepare` was
    /// called.
    pub(crate) fn get_or_prepare<E>(
        &self,
        text: &str,
        operation: Option<&str>,
        prepare: impl FnOnce() -> Result<PreparedOperation<P>, E>,
    ) -> Result<(Arc<PreparedOperation<P>>, bool), E> {
        if text.len() > MAX_CACHED_TEXT {
            return Ok((Arc::new(prepare()?), true));
        }
        if let Some(prepared) = self.entries.get(&KeyRef { text, operation }) {
            return Ok((prepared, false));
        }
        let prepared = Arc::new(prepare()?);
        let key = Key {
            text: text.into(),
            operation: operation.map(Into::into),
        };
        self.entries.insert(key, Arc::clone(&prepared));
        Ok((prepared, true))
    }

    /// The number of cached operations and their total weight.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, u64) {
        (self.entries.len(), self.entries.weight())
    }
}

/// The operation name is part of the key, because a prepared document contains one operation.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    text: Box<str>,
    operation: Option<Box<str>>,
}

/// A borrowed [`Key`]. It must have the same hash.
#[derive(Hash)]
struct KeyRef<'a> {
    text: &'a str,
    operation: Option<&'a str>,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.text == &*key.text && self.operation == key.operation.as_deref()
    }
}

#[derive(Clone)]
struct ByTextLength {
    min: u64,
}

impl<P> Weighter<Key, Arc<PreparedOperation<P>>> for ByTextLength {
    fn weight(&self, key: &Key, _: &Arc<PreparedOperation<P>>) -> u64 {
        (key.text.len() as u64).max(self.min)
    }
}
