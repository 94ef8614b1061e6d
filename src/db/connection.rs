//! A [`Connection`] leased from the pool: it sends statements and runs transactions.
//!
//! A statement or transaction that loses a conflict with others (a deadlock, a serialization failure) was rolled back by the
//! server. It is repeated up to twice; if it still fails, the caller gets UNAVAILABLE.
//!
//! A [`Connection`] that is dropped in the middle of a statement or a transaction (its caller hung up, or the request passed
//! its deadline) is recovered before it is used again (`session.rs`): the statement ends or is cancelled, and what it had not
//! committed is rolled back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::{QueryResult, result::Error as DieselError};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Database, Load, Statement, Writers,
    failure::{from_database, is_cancelled, is_conflict},
    pool::{Abandoned, Object},
    sql::Origin,
};
use crate::error::Error;

/// How often a statement or transaction that lost a conflict is repeated.
const REPEATS: u32 = 2;
/// The longest pause before the first repeat. It is random, so that those who were in conflict do not meet again.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// A connection that is leased until it is dropped.
pub struct Connection {
    /// `None` only while it is dropped.
    object: Option<Object>,
    database: Database,
    origin: Option<Arc<Origin>>,
    /// Owners of items that were changed by statements not known to be committed yet.
    wrote: Writers,
    /// When the statement was sent that is running. Still set after its future was dropped before its end.
    sent: Option<Instant>,
    transaction: Transaction,
    /// Its slot among the users of half of the pool.
    of_share: Option<OwnedSemaphorePermit>,
}

/// The state of a connection's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// There is none: each statement commits by itself.
    None,
    /// No statement of it has failed.
    Open,
    /// A statement of it failed, so it can only be rolled back.
    Failed,
    /// As `Failed`, because of a conflict with others.
    Conflict,
    /// Its future was dropped before its end. The connection cannot be used any more.
    Abandoned,
}

impl Connection {
    pub(super) fn new(
        object: Object,
        database: Database,
        of_share: Option<OwnedSemaphorePermit>,
    ) -> Connection {
        Connection {
            object: Some(object),
            database,
            origin: None,
            wrote: Writers::default(),
            sent: None,
            transaction: Transaction::None,
            of_share,
        }
    }

    /// Sets the origin that the change log records for what is written on this connection.
    #[must_use]
    pub(crate) fn for_changes_from(mut self, origin: Origin) -> Connection {
        self.origin = Some(Arc::new(origin));
        self
    }

    /// Where changes come from: the address and the program, if they are known.
    pub(crate) fn origin(&self) -> (Option<String>, Option<String>) {
        let origin = self.origin.as_deref();
        let address = origin.and_then(|origin| origin.address.clone());
        (address, origin.and_then(|origin| origin.program.clone()))
    }

    /// Wakes the job that finishes pending operations.
    pub(crate) fn wake_pending(&self) {
        self.database.wake_pending();
    }

    /// Notes, for the change feed, the owners of items that the next statement, or this transaction, may change: for
    /// statements that do not name an author.
    pub(crate) fn writes_for(&mut self, writers: Writers) {
        self.wrote.add(writers);
    }

    /// Puts the origin of changes into a statement that has an author, and notes the author.
    fn sign<R>(&mut self, statement: &mut Statement<R>) {
        if let Some(author) = statement.comes_from(self.origin.as_ref()) {
            self.writes_for(Writers::These([author].into()));
        }
    }

    /// Sends a statement and reads all its rows.
    pub(crate) async fn rows<R: Load>(&mut self, statement: Statement<R>) -> Result<Vec<R>, Error> {
        self.try_rows(statement).await.map_err(from_database)
    }

    /// Sends a statement that returns at most one row.
    pub(crate) async fn row<R: Load>(
        &mut self,
        statement: Statement<R>,
    ) -> Result<Option<R>, Error> {
        Ok(self.rows(statement).await?.pop())
    }

    /// As [`Connection::rows`], but returns the database's error, so that the caller can recognise a violated constraint by
    /// its name.
    pub(crate) async fn try_rows<R: Load>(
        &mut self,
        mut statement: Statement<R>,
    ) -> QueryResult<Vec<R>> {
        self.sign(&mut statement);
        let mut repeats = 0;
        loop {
            let sent = R::load(statement.clone(), self.begin_statement()?).await;
            let outcome = self.ended(sent);
            if !self.repeats(&outcome, &mut repeats).await {
                self.note_writes();
                return outcome;
            }
        }
    }

    /// Sends a statement and returns how many rows it affected.
    pub(crate) async fn execute(&mut self, mut statement: Statement<()>) -> Result<usize, Error> {
        self.sign(&mut statement);
        let outcome = self.count(&statement).await;
        self.note_writes();
        outcome.map_err(from_database)
    }

    async fn count(&mut self, statement: &Statement<()>) -> QueryResult<usize> {
        let mut repeats = 0;
        loop {
            let sent = RunQueryDsl::execute(statement.clone(), self.begin_statement()?).await;
            let outcome = self.ended(sent);
            if !self.repeats(&outcome, &mut repeats).await {
                return outcome;
            }
        }
    }

    /// Whether a statement with this outcome is to be repeated, after the pause that this waits for. Inside a transaction
    /// it is not: the whole transaction is.
    async fn repeats<T>(&self, outcome: &QueryResult<T>, repeats: &mut u32) -> bool {
        let conflict = outcome
            .as_ref()
            .is_err_and(|error| self.lost_conflict(error));
        conflict && self.transaction == Transaction::None && another_try(repeats).await
    }

    /// Runs `work` in a transaction: commits if it returns `Ok`, rolls back if it returns `Err`. Transactions do not nest.
    ///
    /// **`work` runs up to three times**, since it is repeated from the start if the transaction loses a conflict (a deadlock
    /// or a serialization failure, of COMMIT too), whatever `work` made of that error. What it does outside of the
    /// database must therefore be safe to repeat. A transaction whose future is dropped is rolled back, and its connection
    /// refuses further statements.
    ///
    /// # Errors
    /// What `work` returns; UNAVAILABLE if the conflicts continue; what [`from_database`] makes of a COMMIT that fails.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn cannot state that its future is Send, and the compiler fails to infer it"
    )]
    pub(crate) fn transaction<'work, 'conn, T, E, F>(
        &'conn mut self,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + 'conn
    where
        for<'r> F: AsyncFnOnce(&'r mut Connection) -> Result<T, E>
            + Work<&'r mut Connection, Result<T, E>, Future: Send>
            + Clone
            + Send
            + 'work,
        T: Send,
        E: From<Error> + Send,
        'work: 'conn,
    {
        async move {
            let mut repeats = 0;
            loop {
                let open = OpenTransaction::begin(self).await?;
                let outcome = work.clone()(&mut *open.0).await;
                match open.end(outcome).await {
                    Ended::Finally(outcome) => return outcome,
                    Ended::Conflict(error) if !another_try(&mut repeats).await => {
                        return Err(error.into());
                    }
                    Ended::Conflict(_) => {}
                }
            }
        }
    }

    /// Sends text that returns no rows, as it is.
    pub(crate) async fn batch(&mut self, text: &str) -> QueryResult<()> {
        self.sent = Some(Instant::now());
        let sent = self.raw().batch_execute(text).await;
        self.ended(sent)
    }

    /// Notes who has written, once that is committed or may be.
    fn note_writes(&mut self) {
        if self.transaction == Transaction::None && !self.wrote.is_nobody() {
            let wrote = std::mem::take(&mut self.wrote);
            self.database.writes().note(wrote);
        }
    }

    fn begin_statement(&mut self) -> QueryResult<&mut AsyncPgConnection> {
        if self.transaction == Transaction::Abandoned {
            return Err(DieselError::BrokenTransactionManager);
        }
        self.sent = Some(Instant::now());
        self.database.count_statement();
        Ok(self.raw())
    }

    /// Notes that a statement has ended, and what that means for its transaction.
    fn ended<T>(&mut self, outcome: QueryResult<T>) -> QueryResult<T> {
        self.sent = None;
        if let Err(error) = &outcome
            && self.transaction == Transaction::Open
        {
            self.transaction = if self.lost_conflict(error) {
                Transaction::Conflict
            } else {
                Transaction::Failed
            };
        }
        outcome
    }

    /// Whether repeating what failed with this error may succeed: also if it was struck by a cancel request that was meant
    /// for an earlier user's statement.
    fn lost_conflict(&self, error: &DieselError) -> bool {
        let session = self.object.as_deref();
        is_conflict(error)
            || is_cancelled(error) && session.is_some_and(|it| it.may_be_cancelled_late())
    }

    fn raw(&mut self) -> &mut AsyncPgConnection {
        let session = self.object.as_mut();
        &mut session.expect("it is there until it is dropped").connection
    }
}

/// Waits before the next try; `false` if there have been enough.
async fn another_try(repeats: &mut u32) -> bool {
    if *repeats == REPEATS {
        return false;
    }
    let longest = LONGEST_PAUSE * 2_u32.pow(*repeats);
    let random = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    *repeats += 1;
    tokio::time::sleep(longest.mul_f64(random)).await;
    true
}

/// A connection with a transaction that has begun. Marks it as abandoned if it is dropped without [`OpenTransaction::end`].
struct OpenTransaction<'conn>(&'conn mut Connection);

/// An async closure of which a bound can say that its future is `Send`, which `AsyncFnOnce` alone cannot. (As diesel-async
/// does it; futures of transactions are spawned.)
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
enum Ended<T, E> {
    /// It is committed or rolled back, and there is no reason to repeat it.
    Finally(Result<T, E>),
    /// It was rolled back because of others, and can be repeated.
    Conflict(Error),
}

impl<'conn> OpenTransaction<'conn> {
    async fn begin(conn: &'conn mut Connection) -> Result<OpenTransaction<'conn>, Error> {
        if conn.transaction != Transaction::None {
            let state = conn.transaction;
            return Err(Error::internal(format!(
                "a transaction began inside another: {state:?}"
            )));
        }
        conn.transaction = Transaction::Open;
        let open = OpenTransaction(conn);
        open.0.batch("BEGIN").await.map_err(from_database)?;
        Ok(open)
    }

    async fn end<T, E: From<Error>>(self, outcome: Result<T, E>) -> Ended<T, E> {
        let conn = &mut *self.0;
        let commits = outcome.is_ok() && conn.transaction == Transaction::Open;
        let ended = conn
            .batch(if commits { "COMMIT" } else { "ROLLBACK" })
            .await;
        let conflict = conn.transaction == Transaction::Conflict;
        // The server has ended it even if COMMIT lost a conflict. After any other error nobody knows.
        if ended.is_ok() || conflict {
            conn.transaction = Transaction::None;
        }
        conn.note_writes();
        if conflict {
            let detail = "a transaction kept losing conflicts with others";
            return Ended::Conflict(Error::unavailable(detail));
        }
        Ended::Finally(match (outcome, ended) {
            (Ok(_), Ok(())) if !commits => {
                Err(Error::internal("a transaction went on after a failed statement").into())
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

impl Drop for Connection {
    fn drop(&mut self) {
        if self.sent.is_none() && self.transaction == Transaction::None {
            return;
        }
        let abandoned = Abandoned {
            object: self.object.take(),
            sent: self.sent,
            in_transaction: self.transaction != Transaction::None,
            wrote: std::mem::take(&mut self.wrote),
            of_share: self.of_share.take(),
        };
        self.database.recover(abandoned);
    }
}
