//! A transaction of a connection: how it begins and ends, and what is known of it in between.

use diesel::QueryResult;

use super::{Connection, from_database, sharding};
use crate::error::Error;

/// The state of a connection's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transaction {
    /// No transaction: each statement commits by itself.
    None,
    /// Open, and no statement has failed.
    Open,
    /// A statement failed, so the transaction can only be rolled back.
    Failed,
    /// As `Failed`, because of a conflict with other transactions.
    Conflict,
    /// Its future was dropped before its end. The connection cannot be used any more.
    Abandoned,
}

/// A connection with an open transaction. Marks the transaction as abandoned if it is dropped without
/// [`OpenTransaction::end`].
pub(super) struct OpenTransaction<'conn>(pub(super) &'conn mut Connection);

/// An async closure for which a bound can require that its future is `Send`, which `AsyncFnOnce` alone does not allow.
/// Futures of transactions are spawned. (diesel-async does the same.)
pub(crate) trait Work<A, R>:
    AsyncFnOnce(A) -> R + FnOnce(A) -> <Self as Work<A, R>>::Future
{
    type Future: Future<Output = R>;
}

impl<F, A, R, T> Work<A, R> for F
where
    F: AsyncFnOnce(A) -> R + FnOnce(A) -> T,
    T: Future<Output = R>,
{
    type Future = T;
}

/// How a transaction ended.
pub(super) enum Ended<T, E> {
    /// Committed or rolled back, with no reason to repeat it.
    Finally(Result<T, E>),
    /// Rolled back because of other transactions. It can be repeated.
    Conflict(Error),
}

impl<'conn> OpenTransaction<'conn> {
    pub(super) async fn begin(
        conn: &'conn mut Connection,
    ) -> Result<OpenTransaction<'conn>, Error> {
        if conn.transaction != Transaction::None {
            let state = conn.transaction;
            return Err(Error::internal(format!(
                "a transaction was started inside another: {state:?}"
            )));
        }
        OpenTransaction::open(conn).await.map_err(from_database)
    }

    /// Opens a transaction if none is open.
    pub(super) async fn open(conn: &'conn mut Connection) -> QueryResult<OpenTransaction<'conn>> {
        conn.transaction = Transaction::Open;
        let open = OpenTransaction(conn);
        match open.0.is_sharded() {
            true => {
                let begin = sharding::begin(open.0.origin.as_deref());
                open.0.pipelined("BEGIN", &begin).await?;
            }
            false => open.0.batch("BEGIN").await?,
        }
        Ok(open)
    }

    /// Commits, if no statement has failed, or rolls back. Returns whether that succeeded, and whether the transaction lost a conflict.
    pub(super) async fn close(self, commits: bool) -> (QueryResult<()>, bool) {
        let conn = &mut *self.0;
        let ended = conn
            .batch(if commits { "COMMIT" } else { "ROLLBACK" })
            .await;
        let conflict = conn.transaction == Transaction::Conflict;
        // The server has ended the transaction even if COMMIT lost a conflict. After any other error its state is
        // unknown.
        if ended.is_ok() || conflict {
            conn.transaction = Transaction::None;
        }
        conn.note_writes();
        (ended, conflict)
    }

    /// Commits if the only statement succeeded, or rolls back. Returns its outcome, and whether it lost a conflict.
    pub(super) async fn close_after<T>(self, outcome: QueryResult<T>) -> (QueryResult<T>, bool) {
        let (ended, conflict) = self.close(outcome.is_ok()).await;
        (outcome.and_then(|value| ended.map(|()| value)), conflict)
    }

    pub(super) async fn end<T, E: From<Error>>(self, outcome: Result<T, E>) -> Ended<T, E> {
        let commits = outcome.is_ok() && self.0.transaction == Transaction::Open;
        let (ended, conflict) = self.close(commits).await;
        if conflict {
            let detail = "a transaction kept losing conflicts with others";
            return Ended::Conflict(Error::unavailable(detail));
        }
        Ended::Finally(match (outcome, ended) {
            (Ok(_), Ok(())) if !commits => {
                Err(Error::internal("a transaction continued after a failed statement").into())
            }
            (Ok(_), Err(error)) => Err(from_database(error).into()),
            (outcome, _) => outcome,
        })
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        if self.0.transaction != Transaction::None {
            self.0.transaction = Transaction::Abandoned;
        }
    }
}
