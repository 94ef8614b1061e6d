//! Connections that callers share: what they return, and what happens if one is slow, is closed, or has too many statements.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use chrono::{DateTime, NaiveDate, Utc};
use diesel_async::SimpleAsyncConnection;
use futures_util::FutureExt;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{TestDatabase, number, pool_settings};
use crate::db::{
    Database, Load, PoolSettings, Reader, SharedText, Statement,
    connect::Target,
    shared_reads::{MAX_PREPARED, SharedReadError},
    sql::Value,
};

const PID: &str = "SELECT pg_backend_pid()::bigint";

/// A pool of the database of which a quarter is shared.
fn sharing(database: &TestDatabase, max_connections: usize) -> Database {
    sharing_at(Target::parse(&database.url).unwrap(), max_connections)
}

fn sharing_at(target: Target, max_connections: usize) -> Database {
    let settings = PoolSettings {
        name: "main",
        slow: Duration::from_secs(3600),
        shared_reads: true,
        ..pool_settings(max_connections)
    };
    Database::new(target, &settings)
}

async fn read<R: Load>(pool: &Database, text: &SharedText) -> Vec<R> {
    pool.read(Statement::look_up(text)).await.unwrap()
}

/// Waits until a shared connection takes reads, and returns its session.
async fn opened(pool: &Database) -> i64 {
    let text = SharedText::new(PID);
    for _ in 0..1_000 {
        let shared = pool.shared_reads().unwrap();
        if let Ok(rows) = shared.rows(&text, &[]).await {
            return rows[0].get(0);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no shared connection was opened");
}

/// Both kinds of connections return this row for this value.
async fn returns<R: Load + PartialEq + Debug>(pool: &Database, row: R, value: impl Into<Value>) {
    let value = value.into();
    let text = SharedText::new("SELECT $1");
    let statement = || Statement::<R>::look_up(&text).bind(value.clone());
    let shared = pool.shared_reads().unwrap();
    shared
        .rows(&text, std::slice::from_ref(&value))
        .await
        .unwrap();
    assert_eq!(pool.read(statement()).await.unwrap(), [row], "{value:?}");
    let mut conn = pool.connection().await.unwrap();
    let leased = (&mut conn).read(statement()).await.unwrap();
    assert_eq!(pool.read(statement()).await.unwrap(), leased);
}

#[tokio::test]
async fn values_of_all_types_are_sent_and_read_as_by_the_pool() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 4);
    opened(&pool).await;
    let pool = &pool;
    let time = DateTime::from_timestamp_micros(-1_234_567).unwrap();
    let date = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let id = Uuid::from_u128(7);
    returns(pool, true, true).await;
    returns(pool, i16::MIN, i16::MIN).await;
    returns(pool, i32::MIN, i32::MIN).await;
    returns(pool, i64::MIN, i64::MIN).await;
    returns(pool, -0.25, -0.25).await;
    returns(pool, "ä\u{1f980}".to_owned(), "ä\u{1f980}").await;
    returns(pool, String::new(), "").await;
    returns(pool, vec![0_u8, 255], vec![0_u8, 255]).await;
    returns(pool, id, id).await;
    returns::<DateTime<Utc>>(pool, time, time).await;
    returns(pool, date, date).await;
    returns(pool, json!({"a": [1, null]}), json!({"a": [1, null]})).await;
    returns(pool, vec![true, false], vec![true, false]).await;
    returns(pool, vec![3_i16], vec![3_i16]).await;
    returns(pool, vec![3, -4], vec![3, -4]).await;
    returns(
        pool,
        vec!["a".to_owned(), String::new()],
        vec!["a".to_owned(), String::new()],
    )
    .await;
    returns(pool, Vec::<Uuid>::new(), Vec::<Uuid>::new()).await;
    returns(pool, None::<i64>, None::<i64>).await;
    returns(pool, None::<String>, None::<String>).await;
    returns(pool, None::<Vec<Uuid>>, None::<Vec<Uuid>>).await;
    let column = Value::column(id.into(), [None::<Uuid>.into()].into_iter());
    returns(pool, vec![Some(id), None], column).await;
}

#[tokio::test]
async fn a_value_of_another_type_than_the_first_one_is_read_by_the_pool() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 4);
    opened(&pool).await;
    let text = SharedText::new("SELECT ($1 + 1)::bigint");
    let shared = pool.shared_reads().unwrap();
    assert!(shared.rows(&text, &[1_i32.into()]).await.is_ok());
    let refused = shared.rows(&text, &[1_i64.into()]).await;
    assert!(matches!(refused, Err(SharedReadError::Failed)));
    let statement = Statement::<i64>::look_up(&text).bind(i64::MAX - 1);
    assert_eq!(pool.read(statement).await.unwrap(), [i64::MAX]);
}

#[tokio::test]
async fn rows_after_one_that_does_not_fit_are_not_kept() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 4);
    let session = opened(&pool).await;
    let text = SharedText::new("SELECT repeat('x', 1000) FROM generate_series(1, 100000)");
    let offered = AtomicUsize::new(0);
    let fits = |_: &_| offered.fetch_add(1, Ordering::Relaxed) < 10;
    let shared = pool.shared_reads().unwrap();
    let read = shared.fitting_rows(&text, &[], fits).await;
    assert!(matches!(read, Err(SharedReadError::TooLarge)));
    assert_eq!(offered.into_inner(), 11);
    assert_eq!(opened(&pool).await, session, "it takes reads again");
}

#[tokio::test]
async fn the_first_reads_use_the_pool_and_open_one_connection() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 16);
    let text = SharedText::new(PID);
    assert_eq!(pool.status().shared, 0);
    let leased: i64 = read(&pool, &text).await[0];
    let shared = opened(&pool).await;
    assert_ne!(leased, shared);
    for _ in 0..20 {
        assert_eq!(read::<i64>(&pool, &text).await, [shared]);
    }
    assert_eq!((pool.status().shared, pool.status().max), (1, 16));
}

#[tokio::test]
async fn small_pools_and_pools_that_switch_it_off_share_nothing() {
    let database = TestDatabase::with("").await;
    assert!(sharing(&database, 3).shared_reads().is_none());
    assert!(database.pool.shared_reads().is_none());
    let text = SharedText::new("SELECT 3::bigint");
    assert_eq!(read::<i64>(&database.pool, &text).await, [3]);
    for (max, shared) in [(4, 1), (10, 2), (15, 3), (16, 4), (100, 4)] {
        assert_eq!(crate::db::shared_reads::count(max), shared);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_are_sent_together_share_a_session_and_each_gets_its_own_rows() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 8);
    opened(&pool).await;
    let text = SharedText::new("SELECT $1, pg_backend_pid()::bigint");
    let mut reads = JoinSet::new();
    for number in 0..500_i64 {
        let (pool, text) = (pool.clone(), text.clone());
        reads.spawn(async move {
            let statement = Statement::<(i64, i64)>::look_up(&text).bind(number);
            let rows = pool.read(statement).await.unwrap();
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0].0, number);
        });
    }
    while let Some(read) = reads.join_next().await {
        read.unwrap();
    }
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    // The test's own pool has one more connection.
    let sessions = number(&mut database.conn().await, sessions).await;
    assert!(sessions <= 8, "{sessions}");
    let status = pool.status();
    assert!(
        status.open <= 8 && (1..=2).contains(&status.shared),
        "{status:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_continue_while_shared_connections_are_terminated() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 8);
    opened(&pool).await;
    let text = SharedText::new("SELECT $1 FROM pg_sleep(0.001)");
    let until = Instant::now() + Duration::from_secs(2);
    let mut readers = JoinSet::new();
    for reader in 0..8_i64 {
        let (pool, text) = (pool.clone(), text.clone());
        readers.spawn(async move {
            let mut reads = 0;
            while Instant::now() < until {
                let number = reader * 1_000_000 + reads;
                let statement = Statement::<i64>::look_up(&text).bind(number);
                assert_eq!(pool.read(statement).await.unwrap(), [number]);
                reads += 1;
            }
            reads
        });
    }
    let mut superuser = database.superuser().await;
    let mut terminated = 0;
    while Instant::now() < until {
        let pid = opened(&pool).await;
        superuser
            .batch_execute(&format!("SELECT pg_terminate_backend({pid})"))
            .await
            .unwrap();
        terminated += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    while let Some(reads) = readers.join_next().await {
        assert!(reads.unwrap() > 0);
    }
    assert!(terminated >= 2, "{terminated}");
    opened(&pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_behind_a_slow_statement_falls_back_and_the_connection_recovers() {
    let database = TestDatabase::with("").await;
    falls_back_and_recovers(sharing(&database, 4)).await;
    let target = Target::parse(&database.url).unwrap();
    target.pooler().assume_transaction_mode();
    falls_back_and_recovers(sharing_at(target, 4)).await;
}

async fn falls_back_and_recovers(pool: Database) {
    let session = opened(&pool).await;
    let (text, slow) = (
        SharedText::new(PID),
        SharedText::new("SELECT 1::bigint FROM pg_sleep(60)"),
    );
    let sleeping = tokio::spawn({
        let pool = pool.clone();
        async move {
            pool.shared_reads()
                .unwrap()
                .rows(&slow, &[])
                .await
                .map(|rows| rows.len())
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    let other: i64 = read(&pool, &text).await[0];
    assert_ne!(other, session);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert!(sleeping.await.unwrap().is_err());
    // Later reads are not sent on this connection: they would wait for a second.
    let began = Instant::now();
    read::<i64>(&pool, &text).await;
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    // The statement_timeout or a cancel request ends the slow statement.
    assert_eq!(opened(&pool).await, session);
    assert_eq!(pool.cancels(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_whose_callers_are_gone_leave_the_connection_usable() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 4);
    let session = opened(&pool).await;
    let text = SharedText::new("SELECT $1 FROM pg_sleep(0.002)");
    for number in 0..50_i64 {
        // The first ones are dropped while the statement is being prepared.
        let statement = Statement::<i64>::look_up(&text).bind(number);
        assert!(pool.read(statement).now_or_never().is_none());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let statement = Statement::<i64>::look_up(&text).bind(50_i64);
    assert_eq!(pool.read(statement).await.unwrap(), [50]);
    assert_eq!(opened(&pool).await, session);
    assert_eq!(pool.status().idle, pool.status().open);
    let prepared = SharedText::new(
        "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%pg_sleep(0.002)%' AND statement NOT LIKE '%count%'",
    );
    assert_eq!(read::<i64>(&pool, &prepared).await, [1]);
}

#[tokio::test]
async fn a_connection_keeps_a_limited_number_of_statements_prepared() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 4);
    let session = opened(&pool).await;
    let often = SharedText::new("SELECT 0::bigint");
    for number in 1..=3 * MAX_PREPARED {
        let text = SharedText::new(format!("SELECT {number}::bigint"));
        assert_eq!(
            read::<i64>(&pool, &text).await,
            [i64::try_from(number).unwrap()]
        );
        read::<i64>(&pool, &often).await;
    }
    let prepared = SharedText::new(
        "SELECT count(*), count(*) FILTER (WHERE statement = 'SELECT 0::bigint') FROM pg_prepared_statements",
    );
    let rows: Vec<(i64, i64)> = read(&pool, &prepared).await;
    let max = i64::try_from(MAX_PREPARED).unwrap();
    assert!((max / 2..=max + 1).contains(&rows[0].0), "{rows:?}");
    assert_eq!(rows[0].1, 1);
    assert_eq!(opened(&pool).await, session);
}

#[tokio::test]
async fn a_connection_with_outdated_statements_is_replaced() {
    let setup =
        "CREATE TABLE pairs (id bigint PRIMARY KEY, n bigint); INSERT INTO pairs VALUES (1, 2)";
    let database = TestDatabase::with(setup).await;
    let pool = sharing(&database, 4);
    let session = opened(&pool).await;
    let text = SharedText::new("SELECT * FROM pairs WHERE id = $1");
    let row = || Statement::<(i64, i64)>::look_up(&text).bind(1_i64);
    assert_eq!(pool.read(row()).await.unwrap(), [(1, 2)]);
    let alter = "ALTER TABLE pairs ADD COLUMN extra text";
    database.conn().await.batch(alter).await.unwrap();
    let shared = pool.shared_reads().unwrap();
    assert!(matches!(
        shared.rows(&text, &[1_i64.into()]).await,
        Err(SharedReadError::Failed)
    ));
    assert_ne!(opened(&pool).await, session);
    let row = Statement::<(i64, i64, Option<String>)>::look_up(&text).bind(1_i64);
    assert_eq!(pool.read(row).await.unwrap(), [(1, 2, None)]);
}

#[tokio::test]
async fn idle_connections_are_closed_and_opened_again() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 4);
    let session = opened(&pool).await;
    let shared = pool.shared_reads().unwrap();
    shared.close_spare();
    assert_eq!(opened(&pool).await, session, "it was used");
    shared.close_spare();
    shared.close_spare();
    assert_eq!(pool.status().shared, 0);
    let gone = format!("NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {session})");
    database.until(&gone).await;
    assert_ne!(opened(&pool).await, session);
}

#[tokio::test]
async fn sessions_have_the_settings_of_the_pool() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 4);
    opened(&pool).await;
    let text = SharedText::new(
        "SELECT current_setting('TimeZone'), current_setting('statement_timeout'), current_setting('application_name'),
            current_setting('client_encoding')",
    );
    let expected = ["UTC", "2s", "snapnote", "UTF8"].map(str::to_owned);
    let rows: Vec<(String, String, String, String)> = read(&pool, &text).await;
    let (zone, timeout, name, encoding) = rows[0].clone();
    assert_eq!([zone, timeout, name, encoding], expected);
}

#[tokio::test]
async fn a_closed_pool_opens_no_more_shared_connections() {
    let database = TestDatabase::with("").await;
    let pool = sharing(&database, 4);
    opened(&pool).await;
    pool.close().await;
    let text = SharedText::new(PID);
    let shared = pool.shared_reads().unwrap();
    assert!(matches!(
        shared.rows(&text, &[]).await,
        Err(SharedReadError::NotSent)
    ));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(pool.status().shared, 0);
    let others = "NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid())";
    database.until(others).await;
}
