//! Statements and transactions that lose a conflict are repeated as a whole, a limited number of times.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use diesel_async::SimpleAsyncConnection;
use tokio::sync::Barrier;

use super::{TestDatabase, number};
use crate::{
    db::{Connection, Statement},
    error::{Code, Error},
};

/// A table with two rows, and functions that fail with an SQLSTATE the first `times` times. A rollback does not undo this count.
const SETUP: &str = "
    CREATE TABLE counters (id integer PRIMARY KEY, n bigint NOT NULL);
    INSERT INTO counters VALUES (1, 0), (2, 0);
    CREATE SEQUENCE tries;
    CREATE FUNCTION fails(times integer, state text) RETURNS bigint LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('tries') <= times THEN
            RAISE EXCEPTION '%', CASE state WHEN '40P01' THEN 'deadlock detected' ELSE 'failed on purpose' END
                USING ERRCODE = state;
        END IF;
        RETURN currval('tries');
    END $$;
    CREATE FUNCTION fails_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM fails(1, '40001'); RETURN NULL; END $$";

const SUM: &str = "SELECT sum(n)::bigint FROM counters";

async fn increment(conn: &mut Connection, id: i32) -> Result<(), Error> {
    let statement = Statement::new("UPDATE counters SET n = n + 1 WHERE id = $1");
    conn.execute(statement.bind(id)).await.map(|_| ())
}

fn fails(times: i32, state: &str) -> Statement<(i64,)> {
    Statement::new("SELECT fails($1, $2)")
        .bind(times)
        .bind(state)
}

#[tokio::test]
async fn two_transactions_that_deadlock_both_commit_once() {
    let database = TestDatabase::with(SETUP).await;
    let (both_have_one, attempts) = (Barrier::new(2), AtomicU32::new(0));
    let opposed = async |first: i32, second: i32| {
        let first_try = AtomicU32::new(0);
        database
            .conn()
            .await
            .transaction(async |conn| {
                attempts.fetch_add(1, Ordering::Relaxed);
                increment(conn, first).await?;
                if first_try.fetch_add(1, Ordering::Relaxed) == 0 {
                    both_have_one.wait().await;
                }
                increment(conn, second).await
            })
            .await
    };
    let (one, other) = tokio::join!(opposed(1, 2), opposed(2, 1));
    one.unwrap();
    other.unwrap();
    assert!(
        attempts.load(Ordering::Relaxed) > 2,
        "they did not deadlock"
    );
    assert_eq!(database.number("SELECT min(n) FROM counters").await, 2);
    assert_eq!(database.number(SUM).await, 4);
}

/// Another client that holds row 2 and waits for row 1. Its long `deadlock_timeout` makes the caller's transaction detect the deadlock.
async fn opponent(database: &TestDatabase) {
    let mut opponent = database.superuser().await;
    let holds = "SET deadlock_timeout = '1h'; BEGIN; UPDATE counters SET n = n WHERE id = 2";
    opponent.batch_execute(holds).await.unwrap();
    tokio::spawn(async move {
        let waits = "UPDATE counters SET n = n WHERE id = 1; ROLLBACK";
        opponent.batch_execute(waits).await.unwrap();
    });
    database
        .until(
            "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE NOT granted AND datname = current_database())",
        )
        .await;
}

#[tokio::test]
async fn a_transaction_that_deadlocks_three_times_is_unavailable() {
    let database = TestDatabase::with(SETUP).await;
    let attempts = AtomicU32::new(0);
    let outcome: Result<(), Error> = database
        .conn()
        .await
        .transaction(async |conn| {
            attempts.fetch_add(1, Ordering::Relaxed);
            increment(conn, 1).await?;
            opponent(&database).await;
            increment(conn, 2).await
        })
        .await;
    assert_unavailable(outcome);
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    assert_eq!(database.number(SUM).await, 0);
}

fn assert_unavailable<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    let error = outcome.expect_err("it must fail");
    assert_eq!(error.code, Code::Unavailable, "{}", error.log_text());
    assert!(error.retry_after.is_some());
}

#[tokio::test]
async fn changes_of_a_transaction_before_a_conflict_are_rolled_back() {
    for (state, times) in [("40001", 1), ("40001", 2), ("40P01", 1), ("40P01", 2)] {
        let database = TestDatabase::with(SETUP).await;
        let outcome: Result<i64, Error> = database
            .conn()
            .await
            .transaction(async |conn| {
                increment(conn, 1).await?;
                let tries = conn.row(fails(times, state)).await?;
                increment(conn, 2).await?;
                Ok(tries.map_or(0, |(tries,)| tries))
            })
            .await;
        assert_eq!(outcome.unwrap(), i64::from(times) + 1, "{state}");
        assert_eq!(database.number(SUM).await, 2, "{state}");
    }
}

#[tokio::test]
async fn a_conflict_counts_whatever_the_closure_makes_of_it() {
    let database = TestDatabase::with(SETUP).await;
    let mut conn = database.conn().await;
    let masked: Result<(), Error> = conn
        .transaction(async |conn| {
            increment(conn, 1).await?;
            let outcome = conn.row(fails(1, "40001")).await;
            outcome.map_err(|_| Error::internal("masked"))?;
            Ok(())
        })
        .await;
    masked.unwrap();
    assert_eq!(number(&mut conn, SUM).await, 1);
    conn.batch("ALTER SEQUENCE tries RESTART").await.unwrap();
    let swallowed: Result<bool, Error> = conn
        .transaction(async |conn| {
            increment(conn, 1).await?;
            Ok(conn.row(fails(1, "40001")).await.is_ok())
        })
        .await;
    assert!(swallowed.unwrap());
    assert_eq!(number(&mut conn, SUM).await, 2);
}

#[tokio::test]
async fn a_commit_that_loses_a_conflict_is_repeated() {
    let database = TestDatabase::with(SETUP).await;
    let mut conn = database.conn().await;
    let deferred = "CREATE CONSTRAINT TRIGGER fails AFTER UPDATE ON counters
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fails_once()";
    conn.batch(deferred).await.unwrap();
    let outcome: Result<(), Error> = conn
        .transaction(async |conn| increment(conn, 1).await)
        .await;
    outcome.unwrap();
    assert_eq!(number(&mut conn, SUM).await, 1);
    assert_eq!(number(&mut conn, "SELECT last_value FROM tries").await, 2);
}

#[tokio::test]
async fn single_statements_that_lose_a_conflict_are_repeated() {
    for state in ["40001", "40P01"] {
        let database = TestDatabase::with(SETUP).await;
        let mut conn = database.conn().await;
        let (tries,) = conn.row(fails(2, state)).await.unwrap().unwrap();
        assert_eq!(tries, 3, "{state}");
        assert_unavailable(conn.row(fails(100, state)).await);
        assert_eq!(number(&mut conn, "SELECT last_value FROM tries").await, 6);

        conn.batch("ALTER SEQUENCE tries RESTART").await.unwrap();
        let update = |times: i32| {
            let text = "UPDATE counters SET n = n + 1 + 0 * fails($1, $2) WHERE id = 1";
            Statement::new(text).bind(times).bind(state)
        };
        assert_eq!(conn.execute(update(2)).await.unwrap(), 1, "{state}");
        assert_unavailable(conn.execute(update(100)).await);
        assert_eq!(number(&mut conn, SUM).await, 1, "{state}");
    }
}

#[tokio::test]
async fn other_failures_are_not_repeated_and_never_committed() {
    let database = TestDatabase::with(SETUP).await;
    let mut conn = database.conn().await;
    let failed: Result<(), Error> = conn
        .transaction(async |conn| {
            increment(conn, 1).await?;
            conn.row(fails(100, "22012")).await?;
            Ok(())
        })
        .await;
    assert_eq!(failed.unwrap_err().code, Code::Internal);
    assert_eq!(number(&mut conn, "SELECT last_value FROM tries").await, 1);
    let swallowed: Result<(), Error> = conn
        .transaction(async |conn| {
            increment(conn, 1).await?;
            let _ = conn.row(fails(100, "22012")).await;
            Ok(())
        })
        .await;
    assert_eq!(swallowed.unwrap_err().code, Code::Internal);
    assert_eq!(number(&mut conn, "SELECT last_value FROM tries").await, 2);
    let refused: Result<(), Error> = conn
        .transaction(async |conn| {
            increment(conn, 1).await?;
            Err(Error::forbidden("no"))
        })
        .await;
    assert_eq!(refused.unwrap_err().code, Code::Forbidden);
    assert_eq!(number(&mut conn, SUM).await, 0);
}

#[tokio::test]
async fn a_connection_whose_transaction_was_dropped_rejects_statements() {
    let database = TestDatabase::with(SETUP).await;
    let mut conn = database.conn().await;
    {
        let stuck = conn.transaction(async |conn| {
            increment(conn, 1).await?;
            std::future::pending::<Result<(), Error>>().await
        });
        let dropped = tokio::time::timeout(Duration::from_millis(50), stuck).await;
        assert!(dropped.is_err());
    }
    assert!(increment(&mut conn, 2).await.is_err());
    let another: Result<(), Error> = conn.transaction(async |_| Ok(())).await;
    assert!(another.is_err());
    drop(conn);
    assert_eq!(database.number(SUM).await, 0);
    // It holds no locks any more.
    increment(&mut database.conn().await, 1).await.unwrap();
    assert_eq!(database.number(SUM).await, 1);
}
