//! The bounded pool of connections, and the lease of one.
//!
//! A [`Connection`] given up in the middle of a statement or a transaction (its request passed the deadline) is never
//! used again: the statement is cancelled at the server, and what it had not committed is rolled back.
//!
//! Checking a connection at every use costs more than the statement behind it, so only one that has idled is checked;
//! a closed one is noticed without asking.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{Hook, HookError, PoolConfig, QueueMode, TimeoutType, Timeouts},
};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection,
    methods::LoadQuery,
    pooled_connection::{self, AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod},
};
use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Row, Statement, Writers, Writes, connect::Target, sql::Origin};
use crate::error::Error;

type Manager = AsyncDieselConnectionManager<AsyncPgConnection>;
type Object = deadpool::managed::Object<Manager>;
type PoolError = deadpool::managed::PoolError<pooled_connection::PoolError>;

/// How long a connection may idle before it is checked at its next use.
const TRUSTED_IDLE: Duration = Duration::from_secs(10);
/// How long a connection beyond those that are kept may idle before it is closed.
const SPARE_IDLE: Duration = Duration::from_secs(60);

/// How many connections there are and how long they live.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Connections that stay open when nobody needs them.
    pub kept: usize,
    /// Connections at most.
    pub most: usize,
    /// How long a request waits for a free one before it is UNAVAILABLE.
    pub wait: Duration,
    /// The age at which a connection is replaced.
    pub lifetime: Duration,
}

/// The database, by way of a bounded pool of connections. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
    /// How many connections those may lease at a time who share it; `None`: all of the pool.
    share: Option<Arc<Semaphore>>,
}

struct Inner {
    pool: deadpool::managed::Pool<Manager>,
    target: Target,
    kept: usize,
    statements: AtomicU64,
    writes: Writes,
}

/// The pool at one moment, for health checks and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections that are open.
    pub open: usize,
    /// Of these, how many nobody uses.
    pub idle: usize,
    /// Requests that wait for one.
    pub waiting: usize,
    /// Connections at most.
    pub most: usize,
}

impl Database {
    /// A pool for that database. Opens nothing yet.
    pub fn new(target: Target, settings: &PoolSettings) -> Database {
        let connect_to = target.clone();
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| {
            let target = connect_to.clone();
            async move { target.connect().await }.boxed()
        });
        let mut limits = PoolConfig::new(settings.most);
        limits.queue_mode = QueueMode::Lifo;
        limits.timeouts = Timeouts {
            wait: Some(settings.wait),
            create: None,
            recycle: Some(Duration::from_secs(5)),
        };
        let pool = deadpool::managed::Pool::builder(Manager::new_with_config("", config))
            .config(limits)
            .runtime(Runtime::Tokio1)
            .pre_recycle(replaced_after(settings.lifetime))
            .post_recycle(checked_after_idling())
            .build()
            .expect("timeouts are given together with a runtime");
        let inner = Inner {
            pool,
            target,
            kept: settings.kept,
            statements: AtomicU64::new(0),
            writes: Writes::default(),
        };
        Database {
            inner: Arc::new(inner),
            share: None,
        }
    }

    /// The same pool, of which whoever asks by this handle and its copies leases half of the connections at most, and waits
    /// for them: for work of which there may be any amount, so that it leaves connections to others.
    pub(crate) fn half(&self) -> Database {
        let half = (self.status().most / 2).max(1);
        Database {
            inner: self.inner.clone(),
            share: Some(Arc::new(Semaphore::new(half))),
        }
    }

    /// Leases a connection; waits for one if all are in use, but not for ever.
    ///
    /// # Errors
    /// UNAVAILABLE if none is free in time, or the database cannot be reached.
    pub async fn connection(&self) -> Result<Connection, Error> {
        let of_share = match self.share.clone() {
            Some(share) => Some(share.acquire_owned().await.map_err(Error::internal)?),
            None => None,
        };
        let object = self
            .inner
            .pool
            .get()
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(Connection {
            object: Some(object),
            database: self.clone(),
            origin: None,
            wrote: Writers::default(),
            busy: false,
            in_transaction: false,
            _of_share: of_share,
        })
    }

    /// The pool at this moment.
    pub fn status(&self) -> PoolStatus {
        let status = self.inner.pool.status();
        PoolStatus {
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
            most: status.max_size,
        }
    }

    /// How many statements were sent since the process started; those that begin or end a transaction do not count.
    pub fn statements(&self) -> u64 {
        self.inner.statements.load(Ordering::Relaxed)
    }

    /// Who has written by way of this pool.
    pub(crate) fn writes(&self) -> &Writes {
        &self.inner.writes
    }

    /// Closes connections that have idled for long, but keeps the settings' number. Runs for as long as the process.
    pub async fn close_spare_connections(self) {
        let mut ticks = tokio::time::interval(SPARE_IDLE / 2);
        loop {
            ticks.tick().await;
            let mut spare = self
                .inner
                .pool
                .status()
                .size
                .saturating_sub(self.inner.kept);
            self.inner.pool.retain(|_, metrics| {
                let close = spare > 0 && metrics.last_used() > SPARE_IDLE;
                spare -= usize::from(close);
                !close
            });
        }
    }

    /// Closes the pool: who waits for a connection is refused, and those that come back are closed.
    pub fn close(&self) {
        self.inner.pool.close();
    }
}

fn replaced_after(lifetime: Duration) -> Hook<Manager> {
    Hook::sync_fn(move |_, metrics| {
        if metrics.age() < lifetime {
            Ok(())
        } else {
            Err(HookError::message("old enough to be replaced"))
        }
    })
}

fn checked_after_idling() -> Hook<Manager> {
    Hook::async_fn(|connection: &mut AsyncPgConnection, metrics| {
        async move {
            if metrics.last_used() < TRUSTED_IDLE {
                return Ok(());
            }
            let answer = connection.batch_execute("SELECT 1").await;
            answer.map_err(|error| {
                HookError::Backend(pooled_connection::PoolError::QueryError(error))
            })
        }
        .boxed()
    })
}

fn unavailable(error: &PoolError) -> Error {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => {
            Error::unavailable("all connections to the database are in use")
        }
        other => Error::unavailable(format!("no connection to the database: {other}")),
    }
}

/// A connection of one's own until it is dropped.
pub struct Connection {
    /// `None` only while it is dropped.
    object: Option<Object>,
    database: Database,
    origin: Option<Arc<Origin>>,
    /// Whose items were changed by what is not known to be committed yet.
    wrote: Writers,
    /// A statement is on its way. Still set when dropped: nobody waited for its end.
    busy: bool,
    in_transaction: bool,
    /// Its place among those that share half of the pool.
    _of_share: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// What is written on it comes from there: the change log has it.
    #[must_use]
    pub(crate) fn for_changes_from(mut self, origin: Origin) -> Connection {
        self.origin = Some(Arc::new(origin));
        self
    }

    /// Notes, for the change feed, whose items what is sent next or has been sent in this transaction may change: for
    /// statements that say no author.
    pub(crate) fn writes_for(&mut self, writers: Writers) {
        self.wrote.add(writers);
    }

    /// Puts where changes come from into a statement that has an author, and notes the author.
    fn sign<R>(&mut self, statement: &mut Statement<R>) {
        if let Some(author) = statement.comes_from(self.origin.as_ref()) {
            self.writes_for(Writers::These([author].into()));
        }
    }

    /// Sends a statement and reads all its rows.
    pub(crate) async fn rows<R>(&mut self, statement: Statement<R>) -> Result<Vec<R>, Error>
    where
        R: Row + Send,
        for<'query> Statement<R>: LoadQuery<'query, AsyncPgConnection, R>,
    {
        self.try_rows(statement).await.map_err(from_database)
    }

    /// Sends a statement that answers one row at most.
    pub(crate) async fn row<R>(&mut self, statement: Statement<R>) -> Result<Option<R>, Error>
    where
        R: Row + Send,
        for<'query> Statement<R>: LoadQuery<'query, AsyncPgConnection, R>,
    {
        Ok(self.rows(statement).await?.pop())
    }

    /// As [`Connection::rows`], but hands over the database's refusal, so that a violated constraint can be told by name.
    pub(crate) async fn try_rows<R>(
        &mut self,
        mut statement: Statement<R>,
    ) -> Result<Vec<R>, DieselError>
    where
        R: Row + Send,
        for<'query> Statement<R>: LoadQuery<'query, AsyncPgConnection, R>,
    {
        self.sign(&mut statement);
        let answer = self.load(statement).await;
        self.note_writes();
        answer
    }

    /// Sends a query of diesel's language and reads all its rows.
    pub(crate) async fn load<'query, Q, R>(&mut self, query: Q) -> Result<Vec<R>, DieselError>
    where
        Q: LoadQuery<'query, AsyncPgConnection, R> + Send + 'query,
        R: Send,
    {
        let answer = diesel_async::RunQueryDsl::load::<R>(query, self.begin_statement()).await;
        self.busy = false;
        answer
    }

    /// Sends a statement and answers how many rows it touched.
    pub(crate) async fn execute(&mut self, mut statement: Statement<()>) -> Result<usize, Error> {
        self.sign(&mut statement);
        let answer = diesel_async::RunQueryDsl::execute(statement, self.begin_statement()).await;
        self.busy = false;
        self.note_writes();
        answer.map_err(from_database)
    }

    /// Begins a transaction; [`Connection::end`] must follow. One that is dropped before is rolled back.
    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        debug_assert!(!self.in_transaction, "transactions do not nest");
        self.in_transaction = true;
        self.batch("BEGIN").await.map_err(from_database)
    }

    /// Commits if the outcome is good, rolls back if it is not, and hands the outcome on.
    pub(crate) async fn end<T, E: From<Error>>(&mut self, outcome: Result<T, E>) -> Result<T, E> {
        let last = if outcome.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        let ended = self.batch(last).await.map_err(from_database);
        self.in_transaction = ended.is_err();
        self.note_writes();
        let value = outcome?;
        ended?;
        Ok(value)
    }

    /// Sends text that answers no rows, as it is.
    pub(crate) async fn batch(&mut self, text: &str) -> Result<(), DieselError> {
        self.busy = true;
        let answer = self.raw().batch_execute(text).await;
        self.busy = false;
        answer
    }

    /// Tells who has written, once it is committed, or nobody knows whether it is.
    fn note_writes(&mut self) {
        if !self.in_transaction && !self.wrote.is_nobody() {
            let wrote = std::mem::take(&mut self.wrote);
            self.database.writes().note(wrote);
        }
    }

    fn begin_statement(&mut self) -> &mut AsyncPgConnection {
        self.busy = true;
        self.database
            .inner
            .statements
            .fetch_add(1, Ordering::Relaxed);
        self.raw()
    }

    fn raw(&mut self) -> &mut AsyncPgConnection {
        self.object
            .as_mut()
            .expect("it is there until it is dropped")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.busy && !self.in_transaction {
            return;
        }
        let Some(object) = self.object.take() else {
            return;
        };
        let abandoned = Object::take(object);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let database = self.database.clone();
        let wrote = std::mem::take(&mut self.wrote);
        runtime.spawn(async move {
            let target = &database.inner.target;
            target.cancel(abandoned.cancel_token()).await;
            drop(abandoned);
            // It may have been committed before it was cancelled.
            database.writes().note(wrote);
        });
    }
}

/// What the database says becomes an [`Error`]; its words go to the log alone.
pub(crate) fn from_database(error: DieselError) -> Error {
    match &error {
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
            _,
        ) => Error::unavailable(format!("the connection to the database broke: {error}")),
        // Whoever was signed in when the request came was deleted while it ran.
        DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, information)
            if information
                .constraint_name()
                .is_some_and(|name| name.ends_with("_user_id_fkey")) =>
        {
            Error::unauthenticated("This user is gone.")
        }
        DieselError::DatabaseError(_, information) => {
            let message = information.message();
            if message.starts_with("canceling statement due to") {
                return Error::timeout(message);
            }
            let going_away = [
                "terminating connection",
                "the database system is",
                "cannot execute",
                // A standby, asked what only a primary knows.
                "recovery is in progress",
            ];
            if going_away.iter().any(|start| message.starts_with(start)) {
                return Error::unavailable(message);
            }
            let constraint = information.constraint_name().unwrap_or("none");
            Error::internal(format!("{message} (constraint: {constraint})"))
        }
        _ => Error::internal(error),
    }
}

/// The name of the unique constraint that a statement ran into, if that is why it failed.
pub(crate) fn violated_unique(error: &DieselError) -> Option<&str> {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, information) => {
            information.constraint_name()
        }
        _ => None,
    }
}
