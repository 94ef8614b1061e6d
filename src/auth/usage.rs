//! When sessions were last used: requests remember it in memory, and a background job writes it down.
//!
//! Sessions for which writing fails, or is cut off, are remembered again, together with those used in the meantime.

use std::mem;

use uuid::Uuid;

use super::{Auth, store};
use crate::{
    db::background::isolate,
    error::{Code, Error},
};

/// Maximum sessions of one statement.
const CHUNK: usize = 1000;
/// Maximum sessions that are remembered again. A session beyond that is noted with its next use.
const MAX_KEPT: usize = 100_000;

impl Auth {
    /// Writes down which sessions were used; sends no statement if none was. Always returns 0, since this is routine.
    ///
    /// # Errors
    /// The first error. Unless the database is unavailable, the other sessions are written down all the same.
    pub async fn note_usage(&self) -> Result<u64, Error> {
        let used = mem::take(&mut *self.lock_used());
        let mut taken = Taken {
            auth: self,
            sessions: used.into_iter().collect(),
            failed: Vec::new(),
        };
        let mut failure = None;
        while !taken.sessions.is_empty() {
            let rest = taken.sessions.len().saturating_sub(CHUNK);
            let chunk = taken.sessions[rest..].to_vec();
            if let Err((failed, error)) = self.note_chunk(chunk).await {
                if error.code == Code::Unavailable {
                    return Err(error);
                }
                taken.failed.extend(failed);
                failure.get_or_insert(error);
            }
            taken.sessions.truncate(rest);
        }
        failure.map_or(Ok(0), Err)
    }

    /// Writes down a chunk; if that fails, returns the sessions concerned, and an error.
    async fn note_chunk(&self, chunk: Vec<Uuid>) -> Result<(), (Vec<Uuid>, Error)> {
        let isolated = isolate(chunk.clone(), |sessions| {
            Box::pin(async move {
                let mut conn = self.inner.database.connection().await?;
                store::note_usage(&mut conn, sessions).await
            })
        });
        let isolated = match isolated.await {
            Ok(isolated) => isolated,
            Err(error) => return Err((chunk, error)),
        };
        if let Some(error) = isolated.too_many {
            return Err((chunk, error));
        }
        let error = isolated.failed.first().map(|(_, error)| error.clone());
        let failed = isolated.failed.into_iter().map(|(session, _)| session);
        error.map_or(Ok(()), |error| Err((failed.collect(), error)))
    }
}

/// Sessions that are being written down. When this is dropped, those not yet written down are remembered again.
struct Taken<'a> {
    auth: &'a Auth,
    sessions: Vec<Uuid>,
    failed: Vec<Uuid>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut used = self.auth.lock_used();
        let room = MAX_KEPT.saturating_sub(used.len());
        let left = mem::take(&mut self.sessions).into_iter();
        used.extend(left.chain(mem::take(&mut self.failed)).take(room));
    }
}
