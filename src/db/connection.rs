//! A [`Connection`] leased from the pool: it sends statements and runs transactions.
//!
//! Transactions are closures, so that they can be repeated. The server ends one of two transactions in conflict (40P01,
//! a deadlock; 40001, a serialization failure) and expects the client to repeat it. The closure runs up to three times,
//! with a short random pause before each repeat. Single statements are repeated likewise. If the conflict continues,
//! the caller gets UNAVAILABLE. The connection remembers the conflict, so it counts whatever the closure makes of the
//! error. A transaction in which a statement failed is never committed.
//!
//! A [`Connection`] may be dropped in the middle of a statement or transaction: its client disconnected, or the request
//! passed its deadline. It is recovered before it is used again (`connection_manager.rs`). The statement ends or is
//! canceled, and uncommitted changes are rolled back.

mod local;
mod transaction;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::{QueryResult, result::Error as DieselError};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tracing::Instrument;

pub(crate) use self::transaction::Work;
use self::transaction::{Ended, OpenTransaction, Transaction};
use super::{
    Database, Load, Statement, Writers,
    failure::{Kind, from_database, kind_of},
    pool::{Abandoned, Object, Permits},
    replica::RunningWrite,
    sharding,
    sql::Origin,
};
use crate::error::Error;

/// Maximum number of repeats of a statement or transaction that lost a conflict.
const MAX_REPEATS: u32 = 2;
/// Maximum pause before the first repeat. The pause is random, so that transactions that were in conflict do not meet
/// again.
const MAX_PAUSE: Duration = Duration::from_millis(20);

/// A leased connection. Dropping it returns it to the pool.
pub struct Connection {
    /// `None` only during `drop`.
    object: Option<Object>,
    database: Database,
    origin: Option<Arc<Origin>>,
    /// Owners of items that were changed by statements not known to be committed yet.
    wrote: Writers,
    /// These writes, for the replica.
    writing: Vec<RunningWrite>,
    /// When the running statement was sent. Still set if its future was dropped before its end.
    sent: Option<Instant>,
    transaction: Transaction,
    permits: Permits,
}

impl Connection {
    pub(super) fn new(object: Object, database: Database, permits: Permits) -> Connection {
        Connection {
            object: Some(object),
            database,
            origin: None,
            wrote: Writers::default(),
            writing: Vec::new(),
            sent: None,
            transaction: Transaction::None,
            permits,
        }
    }

    /// Sets the origin that the change log records for changes through this connection.
    #[must_use]
    pub(crate) fn for_changes_from(mut self, origin: Origin) -> Connection {
        self.origin = Some(Arc::new(origin));
        self
    }

    /// The origin of changes: the address and the program, if known.
    pub(crate) fn origin(&self) -> (Option<String>, Option<String>) {
        let origin = self.origin.as_deref();
        let address = origin.and_then(|origin| origin.address.clone());
        (address, origin.and_then(|origin| origin.program.clone()))
    }

    /// Wakes the job that finishes pending operations.
    pub(crate) fn wake_pending(&self) {
        self.database.wake_pending();
    }

    /// Notes for the change feed the owners of items that the next statement, or this transaction, may change. Only
    /// needed for statements that are not made by [`Statement::write`].
    pub(crate) fn writes_for(&mut self, writers: Writers) {
        self.writing.extend(self.database.begin_write(&writers));
        self.wrote.add(writers);
    }

    /// Puts the origin of the changes into a statement that writes, and notes the owner of what it changes.
    fn set_origin<R>(&mut self, statement: &mut Statement<R>) {
        let writer = match self.is_sharded() {
            true => statement.comes_from_transaction(),
            false => statement.comes_from(self.origin.as_ref()),
        };
        if let Some(owner) = writer {
            self.writes_for(Writers::These([owner].into()));
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

    /// Sends a statement that always returns one row.
    pub(crate) async fn only_row<R: Load>(&mut self, statement: Statement<R>) -> Result<R, Error> {
        let row = self.row(statement).await?;
        row.ok_or_else(|| Error::internal("a statement returned no row"))
    }

    /// As [`Connection::rows`], but returns the database's error, so that the caller can recognize a violated
    /// constraint by its name.
    pub(crate) async fn try_rows<R: Load>(
        &mut self,
        mut statement: Statement<R>,
    ) -> QueryResult<Vec<R>> {
        self.set_origin(&mut statement);
        let mut repeats = 0;
        loop {
            let (outcome, conflict) = if self.needs_transaction(&statement) {
                let open = OpenTransaction::open(self).await?;
                let outcome = open.0.send_for_rows(&statement).await;
                open.close_after(outcome).await
            } else {
                let outcome = self.send_for_rows(&statement).await;
                self.conflicting(outcome)
            };
            if !self.repeats(conflict, &mut repeats).await {
                self.note_writes();
                return outcome;
            }
        }
    }

    async fn send_for_rows<R: Load>(&mut self, statement: &Statement<R>) -> QueryResult<Vec<R>> {
        let metrics = self.database.metrics().clone();
        let conn = self.begin_statement()?;
        let sent = metrics.sent(statement.text());
        let rows = R::load(statement.clone(), conn).instrument(sent.span());
        let rows = rows.await;
        sent.ended(&rows);
        self.ended(rows)
    }

    /// Sends a statement and returns how many rows it affected.
    pub(crate) async fn execute(&mut self, mut statement: Statement<()>) -> Result<usize, Error> {
        self.set_origin(&mut statement);
        let mut repeats = 0;
        loop {
            let (outcome, conflict) = if self.needs_transaction(&statement) {
                let open = OpenTransaction::open(self).await.map_err(from_database)?;
                let outcome = open.0.send(&statement).await;
                open.close_after(outcome).await
            } else {
                let outcome = self.send(&statement).await;
                self.conflicting(outcome)
            };
            if !self.repeats(conflict, &mut repeats).await {
                self.note_writes();
                return outcome.map_err(from_database);
            }
        }
    }

    async fn send(&mut self, statement: &Statement<()>) -> QueryResult<usize> {
        let metrics = self.database.metrics().clone();
        let conn = self.begin_statement()?;
        let sent = metrics.sent(statement.text());
        let rows = RunQueryDsl::execute(statement.clone(), conn).instrument(sent.span());
        let rows = rows.await;
        sent.ended(&rows);
        self.ended(rows)
    }

    /// Whether a statement must run in a transaction that sets the origin of its changes, and none is open.
    fn needs_transaction<R>(&self, statement: &Statement<R>) -> bool {
        self.transaction == Transaction::None && statement.writes() && self.is_sharded()
    }

    /// The outcome of a statement, and whether it lost a conflict.
    fn conflicting<T>(&self, outcome: QueryResult<T>) -> (QueryResult<T>, bool) {
        let conflict = matches!(&outcome, Err(error) if self.lost_conflict(error));
        (outcome, conflict)
    }

    /// Whether a statement must be repeated because of a conflict. Waits for the pause before the repeat. Inside a
    /// transaction, the whole transaction is repeated instead.
    async fn repeats(&self, conflict: bool, repeats: &mut u32) -> bool {
        conflict && self.transaction == Transaction::None && pause_before_retry(repeats).await
    }

    /// Runs `work` in a transaction: commits if it returns `Ok`, rolls back if it returns `Err`. Transactions do not
    /// nest.
    ///
    /// **`work` runs up to three times.** It is repeated from the start if the transaction loses a conflict, whatever
    /// `work` made of that error. A conflict is a deadlock or a serialization failure, also of COMMIT. The effects of
    /// `work` outside of the database must be safe to repeat. A transaction whose future is dropped is rolled back, and
    /// its connection rejects further statements.
    ///
    /// # Errors
    /// The error of `work`; UNAVAILABLE if the conflicts continue; the error of [`from_database`] if COMMIT fails.
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
                    Ended::Conflict(error) if !pause_before_retry(&mut repeats).await => {
                        return Err(error.into());
                    }
                    Ended::Conflict(_) => {}
                }
            }
        }
    }

    /// Sends SQL text that returns no rows.
    pub(crate) async fn batch(&mut self, text: &str) -> QueryResult<()> {
        self.sent = Some(Instant::now());
        let sent = self.database.metrics().clone().batch(text);
        let executed = self.raw().batch_execute(text).instrument(sent.span()).await;
        sent.ended(&executed);
        self.ended(executed)
    }

    /// Notes for the change feed whose items were changed, once the changes are committed or may be.
    fn note_writes(&mut self) {
        if self.transaction == Transaction::None && !self.wrote.is_empty() {
            let wrote = std::mem::take(&mut self.wrote);
            self.database.writes().note(wrote);
            self.writing.clear();
        }
    }

    fn begin_statement(&mut self) -> QueryResult<&mut AsyncPgConnection> {
        if self.transaction == Transaction::Abandoned {
            return Err(DieselError::BrokenTransactionManager);
        }
        self.sent = Some(Instant::now());
        Ok(self.raw())
    }

    /// Notes that a statement has ended, and updates the state of the transaction.
    fn ended<T>(&mut self, outcome: QueryResult<T>) -> QueryResult<T> {
        self.sent = None;
        if let Err(error) = &outcome {
            self.note_failure(error);
        }
        outcome
    }

    fn note_failure(&mut self, error: &DieselError) {
        if self.transaction == Transaction::Open {
            self.transaction = if self.lost_conflict(error) {
                Transaction::Conflict
            } else {
                Transaction::Failed
            };
        }
        let kind = kind_of(error);
        match kind {
            Kind::MixedUp => self.database.suspect_pooler(),
            Kind::Unavailable | Kind::Outdated => self.database.activity().note_outage(),
            _ => {}
        }
        if matches!(kind, Kind::MixedUp | Kind::Outdated)
            && let Some(pooled) = &mut self.object
        {
            pooled.replace();
        }
    }

    /// Whether a repeat may succeed after this error: after a conflict, or if a late cancel request for an earlier
    /// statement hit this one.
    fn lost_conflict(&self, error: &DieselError) -> bool {
        let pooled = self.object.as_deref();
        match kind_of(error) {
            Kind::Conflict => true,
            Kind::Canceled => pooled.is_some_and(|it| it.may_be_canceled_late()),
            _ => false,
        }
    }

    fn raw(&mut self) -> &mut AsyncPgConnection {
        let pooled = self.object.as_mut();
        &mut pooled.expect("the connection exists until drop").connection
    }
}

/// Waits before the next repeat. Returns false if the maximum number of repeats is reached.
async fn pause_before_retry(repeats: &mut u32) -> bool {
    if *repeats == MAX_REPEATS {
        return false;
    }
    let max_pause = MAX_PAUSE * 2_u32.pow(*repeats);
    let random = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    *repeats += 1;
    tokio::time::sleep(max_pause.mul_f64(random)).await;
    true
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
            writing: std::mem::take(&mut self.writing),
            permits: std::mem::take(&mut self.permits),
        };
        self.database.recover(abandoned);
    }
}
