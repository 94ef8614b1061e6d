//! Last use of sessions: requests note it in memory, and a background job stores it.
//!
//! Sessions whose storing fails or is interrupted are noted again, together with those used in the meantime.

use std::mem;

use uuid::Uuid;

use super::{Auth, store};
use crate::{
    db::background::isolate,
    error::{Code, Error},
};

/// Maximum sessions per statement.
const CHUNK: usize = 1000;
/// Maximum sessions that are noted again. Others are stored after their next use.
const MAX_REMEMBERED: usize = 100_000;

impl Auth {
    /// Stores which sessions were used. Sends no statement if there are none. Always returns 0, since this is routine.
    ///
    /// # Errors
    /// The first error. Unless the database is unavailable, the other sessions are still stored.
    pub async fn record_usage(&self) -> Result<u64, Error> {
        let used = mem::take(&mut *self.inner.used_sessions.lock());
        let mut unrecorded = Unrecorded {
            auth: self,
            sessions: used.into_iter().collect(),
            failed: Vec::new(),
        };
        let mut failure = None;
        while !unrecorded.sessions.is_empty() {
            let rest = unrecorded.sessions.len().saturating_sub(CHUNK);
            let chunk = unrecorded.sessions[rest..].to_vec();
            if let Err((failed, error)) = self.record_chunk(chunk).await {
                if error.code == Code::Unavailable {
                    return Err(error);
                }
                unrecorded.failed.extend(failed);
                failure.get_or_insert(error);
            }
            unrecorded.sessions.truncate(rest);
        }
        failure.map_or(Ok(0), Err)
    }

    /// Stores a chunk. On failure returns the sessions that were not stored, and an error.
    async fn record_chunk(&self, chunk: Vec<Uuid>) -> Result<(), (Vec<Uuid>, Error)> {
        let isolated = isolate(chunk.clone(), |sessions| {
            Box::pin(async move {
                let mut conn = self.inner.database.connection().await?;
                store::record_usage(&mut conn, sessions).await
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

/// Sessions that are being stored. When this is dropped, those not yet stored are noted again.
struct Unrecorded<'a> {
    auth: &'a Auth,
    sessions: Vec<Uuid>,
    failed: Vec<Uuid>,
}

impl Drop for Unrecorded<'_> {
    fn drop(&mut self) {
        let mut used = self.auth.inner.used_sessions.lock();
        let room = MAX_REMEMBERED.saturating_sub(used.len());
        let left = mem::take(&mut self.sessions).into_iter();
        used.extend(left.chain(mem::take(&mut self.failed)).take(room));
    }
}
