//! Connections whose user is dropped at any moment are reused in a correct state, or closed.

use std::{collections::HashSet, pin::pin, task::Poll, time::Duration};

use diesel_async::SimpleAsyncConnection;
use futures_util::FutureExt;
use uuid::Uuid;

use super::{TestDatabase, number, pool};
use crate::{
    db::{Connection, Database, Statement, Writers, pool::from_database, share::Holder},
    error::{Code, Error},
};

const SETUP: &str = "
    CREATE TABLE counters (id integer PRIMARY KEY, n bigint NOT NULL);
    INSERT INTO counters VALUES (1, 0), (2, 0)";

/// When a future is dropped.
#[derive(Debug, Clone, Copy)]
enum Dropped {
    /// Right after a poll. Its request may not have been sent yet.
    AfterPoll,
    /// Before the next poll. The response to its request has arrived.
    BeforePoll,
}

/// Polls a future this many times, and drops it unless it has completed.
async fn polled<F: Future>(future: F, times: usize, dropped: Dropped) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), times);
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match (future.as_mut().poll(context), dropped) {
            (Poll::Ready(output), _) => Poll::Ready(Some(output)),
            (Poll::Pending, Dropped::AfterPoll) if left == 0 => Poll::Ready(None),
            (Poll::Pending, _) => Poll::Pending,
        }
    })
    .await
}

async fn backend_pid(conn: &mut Connection) -> i64 {
    number(conn, "SELECT pg_backend_pid()::bigint").await
}

/// Sends this SQL and drops its future while it runs.
async fn abandoned(database: &TestDatabase, sql: &'static str) {
    let mut conn = database.conn().await;
    dropped_when_it_runs(database, conn.batch(sql)).await;
}

async fn dropped_when_it_runs<T>(database: &TestDatabase, running: impl Future<Output = T>) {
    let runs = async {
        let mut other = database.superuser().await;
        let count = "SELECT 1 / count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()";
        while other.batch_execute(count).await.is_err() {}
    };
    tokio::select! {
        _ = running => panic!("it ended"),
        () = runs => {}
    }
}

#[tokio::test]
async fn a_statement_can_be_dropped_at_every_await_point() {
    let database = TestDatabase::of(1, SETUP).await;
    let first = backend_pid(&mut database.conn().await).await;
    for dropped in [Dropped::AfterPoll, Dropped::BeforePoll] {
        for times in 1.. {
            // A new text, so that it must be prepared first.
            let text = format!("SELECT $1 + 1000 * {times} -- {dropped:?}");
            let statement = |n: i64| Statement::<(i64,)>::new(text.clone()).bind(n);
            let mut conn = database.conn().await;
            let ended = polled(conn.rows(statement(0)), times, dropped).await;
            drop(conn);
            let mut conn = database.conn().await;
            assert_eq!(backend_pid(&mut conn).await, first, "{dropped:?} {times}");
            for n in 1..4 {
                let (sum,) = conn.row(statement(n)).await.unwrap().unwrap();
                assert_eq!(sum, n + 1000 * times as i64, "{dropped:?} {times}");
            }
            if ended.is_some() {
                assert!(times > 2, "it has more await points");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_transaction_can_be_dropped_at_every_await_point() {
    let database = TestDatabase::of(1, SETUP).await;
    let first = backend_pid(&mut database.conn().await).await;
    let mut observer = pool(&database.url, 1).connection().await.unwrap();
    for dropped in [Dropped::AfterPoll, Dropped::BeforePoll] {
        let before = database.number("SELECT n FROM counters WHERE id = 1").await;
        for times in 1.. {
            let mut conn = database.conn().await;
            let work = conn.transaction(async |conn| {
                number(
                    conn,
                    "SELECT length(set_config('snapnote.test', 'on', true))::bigint",
                )
                .await;
                let increment = "UPDATE counters SET n = n + 1 WHERE id = $1";
                conn.execute(Statement::new(increment).bind(1)).await?;
                conn.execute(Statement::new(increment).bind(2)).await?;
                Ok::<_, Error>(())
            });
            let ended = polled(work, times, dropped).await;
            drop(conn);
            let mut conn = database.conn().await;
            assert_eq!(backend_pid(&mut conn).await, first, "{dropped:?} {times}");
            let halves = number(&mut conn, "SELECT max(n) - min(n) FROM counters").await;
            assert_eq!(halves, 0, "{dropped:?} {times}");
            let settings =
                "SELECT length(coalesce(current_setting('snapnote.test', true), ''))::bigint";
            assert_eq!(number(&mut conn, settings).await, 0, "{dropped:?} {times}");
            let open = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
            assert_eq!(number(&mut observer, open).await, 0, "{dropped:?} {times}");
            if let Some(outcome) = ended {
                outcome.unwrap();
                assert!(times > 5, "it has more await points");
                break;
            }
        }
        let after = database.number("SELECT n FROM counters WHERE id = 1").await;
        // The last transaction, and those that were dropped during COMMIT.
        assert!((1..=3).contains(&(after - before)), "{dropped:?}");
    }
}

#[tokio::test]
async fn unread_rows_are_discarded() {
    let database = TestDatabase::of(1, SETUP).await;
    let first = backend_pid(&mut database.conn().await).await;
    for times in 1..10 {
        let mut conn = database.conn().await;
        let many = Statement::<(i64,)>::new("SELECT generate_series(1, 300000)::bigint");
        assert!(
            polled(conn.rows(many), times, Dropped::BeforePoll)
                .await
                .is_none()
        );
        drop(conn);
        let mut conn = database.conn().await;
        assert_eq!(number(&mut conn, "SELECT 42::bigint").await, 42);
        assert_eq!(backend_pid(&mut conn).await, first);
    }
}

#[tokio::test]
async fn a_long_statement_is_canceled_and_its_connection_reused() {
    let database = TestDatabase::of(1, SETUP).await;
    let first = backend_pid(&mut database.conn().await).await;
    let sleeps = "UPDATE counters SET n = 7; SELECT pg_sleep(60)";
    for in_transaction in [false, true] {
        let mut conn = database.conn().await;
        if in_transaction {
            let running = conn.transaction(async |conn| {
                let outcome = conn.batch(sleeps).await;
                outcome.map_err(from_database)
            });
            dropped_when_it_runs(&database, running).await;
        } else {
            dropped_when_it_runs(&database, conn.batch(sleeps)).await;
        }
        drop(conn);
        let mut conn = database.conn().await;
        assert_eq!(backend_pid(&mut conn).await, first);
        assert_eq!(
            number(&mut conn, "SELECT sum(n)::bigint FROM counters").await,
            0
        );
    }
    assert_eq!(database.pool.cancels(), 2);
    assert_eq!(database.pool.abandoned(), 2);
}

#[tokio::test]
async fn a_statement_that_ignores_the_cancel_request_costs_its_connection() {
    let database = TestDatabase::of(1, SETUP).await;
    let first = backend_pid(&mut database.conn().await).await;
    abandoned(
        &database,
        "DO $$ BEGIN
            LOOP
                BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END;
                EXIT WHEN (SELECT n FROM counters WHERE id = 1) > 0;
            END LOOP;
        END $$",
    )
    .await;
    assert_ne!(backend_pid(&mut database.conn().await).await, first);
    let mut superuser = database.superuser().await;
    let end = format!("UPDATE counters SET n = 1; SELECT pg_terminate_backend({first})");
    superuser.batch_execute(&end).await.unwrap();
}

#[tokio::test]
async fn a_short_statement_is_not_canceled() {
    let database = TestDatabase::of(1, SETUP).await;
    let short = || {
        Statement::new("UPDATE counters SET n = n + 1 WHERE id = 1 AND pg_sleep(0.005) IS NOT NULL")
    };
    database.conn().await.execute(short()).await.unwrap();
    for _ in 0..40 {
        let mut conn = database.conn().await;
        let ended = polled(conn.execute(short()), 1, Dropped::AfterPoll).await;
        assert!(ended.is_none());
    }
    // A busy machine may delay some statements.
    let committed = database.number("SELECT n FROM counters WHERE id = 1").await;
    assert!(
        database.pool.cancels() < 20,
        "{} cancels",
        database.pool.cancels()
    );
    assert!(committed > 20, "{committed} committed");
}

/// Half of a pool of two connections, and the share of a holder, allow one connection.
#[tokio::test]
async fn a_permit_stays_taken_until_its_connection_is_recovered() {
    let database = TestDatabase::of(2, SETUP).await;
    let half = database.pool.with_half_the_pool();
    let holder = Holder::User(Uuid::new_v4());
    stays_taken(&database, &half, None).await;
    stays_taken(&database, &database.pool, Some(holder)).await;
}

async fn stays_taken(database: &TestDatabase, handle: &Database, holder: Option<Holder>) {
    let lease = || handle.for_holder(holder.clone(), handle.connection());
    // Both connections are open, so that only the limit can make a caller wait.
    let both = (database.conn().await, database.conn().await);
    drop(both);
    let mut conn = lease().await.unwrap();
    let sleeps = Statement::<(i64,)>::new("SELECT 1::bigint FROM pg_sleep(60)");
    let cancels = database.pool.cancels();
    dropped_when_it_runs(database, conn.rows(sleeps)).await;
    let idle = database.pool.status().idle;
    drop(conn);
    while database.pool.cancels() == cancels {
        tokio::task::yield_now().await;
    }
    // Now it is being canceled.
    let leased = lease().now_or_never();
    assert!(leased.is_none(), "the permit is free");
    assert_eq!(database.pool.status().idle, idle);
    lease().await.unwrap();
}

#[tokio::test]
async fn changes_of_dropped_statements_are_noted_for_the_change_feed() {
    let database = TestDatabase::of(1, SETUP).await;
    let author = Uuid::new_v4();
    let mut conn = database.conn().await;
    conn.writes_for(Writers::These(HashSet::from([author])));
    let update = Statement::new("UPDATE counters SET n = n + 1");
    assert!(
        polled(conn.execute(update), 1, Dropped::AfterPoll)
            .await
            .is_none()
    );
    drop(conn);
    let noted = tokio::time::timeout(Duration::from_secs(30), database.pool.writes().next());
    assert_eq!(
        noted.await.unwrap(),
        Writers::These(HashSet::from([author]))
    );
}

/// Runs a statement of one second and cancels it meanwhile, as a late cancel request would.
async fn hit_by_a_cancel(database: &TestDatabase) -> Result<(), Error> {
    let mut conn = database.conn().await;
    let sleeps = Statement::<(i64,)>::new("SELECT 1::bigint FROM pg_sleep(1)");
    let mut superuser = database.superuser().await;
    let cancel = "SELECT 1 / count(pg_cancel_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'active' AND wait_event = 'PgSleep'";
    let canceled = async { while superuser.batch_execute(cancel).await.is_err() {} };
    tokio::join!(conn.rows(sleeps), canceled).0.map(|_| ())
}

#[tokio::test]
async fn a_late_cancel_request_does_no_harm() {
    let database = TestDatabase::of(1, SETUP).await;
    let error = hit_by_a_cancel(&database).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout, "an operator's cancel");
    abandoned(&database, "SELECT pg_sleep(60)").await;
    hit_by_a_cancel(&database).await.unwrap();
}

#[tokio::test]
async fn a_connection_whose_caller_is_dropped_while_it_opens_goes_to_the_next_caller() {
    let database = TestDatabase::of(1, SETUP).await;
    let sessions = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()";
    let before = database.number(sessions).await;
    let another = pool(&database.url, 4);
    for _ in 0..20 {
        let gone = polled(another.connection(), 1, Dropped::AfterPoll).await;
        assert!(gone.is_none());
    }
    let _conn = another.connection().await.unwrap();
    // The test database's connection and this one are open. The statistics count sessions that have ended, too.
    database
        .until(
            "SELECT count(*) = 2 FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend'",
        )
        .await;
    let more = database.number(sessions).await - before;
    assert!(more <= 2, "{more} sessions");
}

#[tokio::test]
async fn a_closing_pool_waits_for_dropped_statements() {
    let database = TestDatabase::of(1, SETUP).await;
    abandoned(
        &database,
        "UPDATE counters SET n = 7 WHERE pg_sleep(60) IS NOT NULL",
    )
    .await;
    assert_eq!(database.pool.cancels(), 0);
    database.pool.close().await;
    assert_eq!(database.pool.cancels(), 1);
    let active = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()";
    let mut conn = pool(&database.url, 1).connection().await.unwrap();
    assert_eq!(number(&mut conn, active).await, 0);
}
