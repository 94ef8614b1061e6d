//! Subscribers within a process: no change is lost or repeated, also with slow readers, other processes and lost connections.

use std::{pin::Pin, task::Poll, time::Duration};

use futures_util::{Stream, StreamExt};
use snapnote::{
    auth::{Credential, UserId, Viewer},
    changes::{Change, Cursor, parse_cursor},
    error::{Code, Error},
};
use uuid::Uuid;

use super::insert;
use crate::support::{
    Person, TestApp, at_least, eventually, eventually_eq, migrated_database, soon, target_of, text,
    with_log,
};

pub(crate) type Changes = Pin<Box<dyn Stream<Item = Result<Change, Error>> + Send>>;

/// Subscribes in this process as its transports do.
pub(crate) fn subscribe(app: &TestApp, person: &str, after: Option<Cursor>) -> Changes {
    let viewer = Viewer {
        user_id: UserId(person.parse().unwrap()),
        credential: Credential::Session(Uuid::nil()),
    };
    Box::pin(app.live.subscribe(viewer, after))
}

/// The next change.
pub(super) async fn next_change(changes: &mut Changes) -> Change {
    let change = soon("the next change", changes.next()).await.unwrap();
    change.unwrap_or_else(|error| panic!("{}", error.log_text()))
}

/// The ids of the next changes.
pub(super) async fn next(changes: &mut Changes, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        ids.push(next_change(changes).await.item.id.to_string());
    }
    ids
}

/// The error that ends a subscription.
pub(super) async fn last_error(changes: &mut Changes) -> Code {
    let last = soon("the end", changes.next()).await.unwrap();
    assert!(changes.next().await.is_none());
    last.unwrap_err().code
}

/// Asserts that no other change comes: the next one is a new one, and the feed is in order.
async fn nothing_before_a_new_change(changes: &mut Changes, ada: &Person) {
    let marker = ada.create_course("marker").await;
    assert_eq!(next(changes, 1).await, [marker]);
}

/// Changes something until the subscriber hears of it, and reads on to the last of these changes. Then it is up to date.
async fn until_heard(changes: &mut Changes, ada: &Person) {
    let mut made = Vec::new();
    let mut heard = loop {
        made.push(ada.create_course("marker").await);
        let change = tokio::time::timeout(Duration::from_millis(100), changes.next()).await;
        if let Ok(change) = change {
            break change.unwrap().unwrap().item.id.to_string();
        }
    };
    while Some(&heard) != made.last() {
        assert!(made.contains(&heard));
        heard = next(changes, 1).await.remove(0);
    }
}

/// A subscriber that begins here.
pub(super) async fn from_here(app: &TestApp, ada: &Person) -> Changes {
    subscribe(app, &ada.id, Some(cursor_of(ada).await))
}

async fn cursor_of(ada: &Person) -> Cursor {
    parse_cursor(&text(&ada.changes_cursor().await)).unwrap()
}

/// A process that learns of changes in others only by notifications.
async fn notified(database: String) -> TestApp {
    let direct = target_of(&database).await;
    TestApp::on(database, |settings| {
        settings.live.direct = Some(direct);
        settings.live.notifications = true;
        settings.live.poll = Duration::from_secs(3600);
        settings.live.check = Duration::from_secs(3600);
    })
    .await
}

/// A process that does not look for changes of others while a test runs.
async fn without_polls() -> TestApp {
    TestApp::with(|settings| settings.live.poll = Duration::from_secs(3600)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_start_now_or_after_a_cursor() {
    let app = without_polls().await;
    let ada = app.signed_up("ada").await;
    let before = cursor_of(&ada).await;
    let old = ada.create_course("c").await;
    let mut from_now = subscribe(&app, &ada.id, None);
    let mut from_then = subscribe(&app, &ada.id, Some(before.clone()));
    assert_eq!(next(&mut from_then, 1).await, [old.as_str()]);
    until_heard(&mut from_now, &ada).await;
    let mut from_here = from_here(&app, &ada).await;
    let new = ada.create_course("c").await;
    for changes in [&mut from_now, &mut from_here] {
        assert_eq!(next(changes, 1).await, [new.as_str()]);
    }
    ada.rename_course(&old, "d").await;
    for changes in [&mut from_now, &mut from_here] {
        assert_eq!(next(changes, 1).await, [old.as_str()]);
    }
    let marker = ada.create_course("marker").await;
    for changes in [&mut from_now, &mut from_here] {
        assert_eq!(
            next(changes, 1).await,
            [marker.as_str()],
            "nothing else came"
        );
    }
    drop((from_now, from_then, from_here));
    let mut late = subscribe(&app, &ada.id, Some(before));
    assert_eq!(next(&mut late, 1).await, [old]);
    drop(late);
    assert_eq!(app.live.subscribers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cursor_of_any_change_resumes_after_it() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut changes = from_here(&app, &ada).await;
    let slow = Uuid::now_v7();
    let held = app.begin(&insert(&ada.id, slow)).await;
    let mut made = Vec::new();
    for _ in 0..6 {
        // Two in one transaction: a cursor can also be in the middle of it.
        let ids = [Uuid::now_v7(), Uuid::now_v7()];
        let both = ids.map(|id| insert(&ada.id, id)).concat();
        app.sql(&format!("BEGIN; {both} COMMIT;")).await;
        made.extend(ids.map(|id| id.to_string()));
    }
    let mut got = Vec::new();
    for _ in 0..12 {
        got.push(next_change(&mut changes).await);
    }
    held.commit().await;
    for (index, change) in got.iter().enumerate() {
        assert_eq!(change.item.id.to_string(), made[index]);
        let cursor = parse_cursor(&change.cursor.encode()).unwrap();
        let mut rest = subscribe(&app, &ada.id, Some(cursor));
        let mut rest = next(&mut rest, 12 - index).await;
        // Changes that were read in one page with this one come first. The slow change is somewhere among the others.
        let at = rest.iter().position(|id| *id == slow.to_string());
        rest.remove(at.expect("the slow change is reported"));
        assert_eq!(rest, made[index + 1..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_in_another_process_are_notified() {
    let here = notified(migrated_database().await).await;
    let there = notified(here.database.clone()).await;
    let ada = there.signed_up("ada").await;
    let mut changes = from_here(&here, &ada).await;
    until_heard(&mut changes, &ada).await;
    for _ in 0..20 {
        nothing_before_a_new_change(&mut changes, &ada).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_by_other_programs_are_found_by_polling() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut changes = from_here(&app, &ada).await;
    nothing_before_a_new_change(&mut changes, &ada).await;
    let id = Uuid::now_v7();
    app.sql(&insert(&ada.id, id)).await;
    assert_eq!(next(&mut changes, 1).await, [id.to_string()]);
}

#[test]
fn a_listener_that_lost_its_connection_reads_what_it_missed() {
    with_log(tracing::Level::INFO, async |log| {
        let app = notified(migrated_database().await).await;
        let there = notified(app.database.clone()).await;
        let ada = there.signed_up("ada").await;
        let mut changes = from_here(&app, &ada).await;
        until_heard(&mut changes, &ada).await;
        let listens = async || log.lines(&["receiving notifications of other processes"]) == 1;
        eventually("it listens", listens).await;
        // Other programs send no notifications, so the process reads their changes only because its connection is lost or back.
        let [before, meanwhile] = [Uuid::now_v7(), Uuid::now_v7()];
        app.sql(&insert(&ada.id, before)).await;
        let limit_connections = async |limit: i8| {
            let database = &app.database;
            app.sql(&format!(
                "ALTER DATABASE {database} CONNECTION LIMIT {limit}"
            ))
            .await;
        };
        limit_connections(0).await;
        app.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        .await;
        assert_eq!(next(&mut changes, 1).await, [before.to_string()]);
        app.sql(&insert(&ada.id, meanwhile)).await;
        limit_connections(-1).await;
        assert_eq!(next(&mut changes, 1).await, [meanwhile.to_string()]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_subscribers_continue_from_the_log() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut slow = from_here(&app, &ada).await;
    nothing_before_a_new_change(&mut slow, &ada).await;
    let mut made = Vec::new();
    // More batches than a queue holds, and one that is longer than a queue.
    for size in [1; 30].into_iter().chain([250]).chain([1; 5]) {
        let ids: Vec<Uuid> = (0..size).map(|_| Uuid::now_v7()).collect();
        let all: Vec<String> = ids.iter().map(|id| insert(&ada.id, *id)).collect();
        app.sql(&format!("BEGIN; {} COMMIT;", all.concat())).await;
        // A write of the service makes the tailer read.
        ada.create_course("c").await;
        made.extend(ids);
    }
    let mut got = next(&mut slow, made.len() + 36).await;
    got.retain(|id| made.iter().any(|made| made.to_string() == *id));
    let made: Vec<String> = made.iter().map(Uuid::to_string).collect();
    assert_eq!(got, made);
    nothing_before_a_new_change(&mut slow, &ada).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_subscribers_no_statements_are_sent() {
    let app = TestApp::with(|settings| settings.live.poll = Duration::from_millis(20)).await;
    let ada = app.signed_up("ada").await;
    // Nothing is sent for fifteen polls, after those that had begun have ended.
    let quiet = async || {
        eventually_eq("statements without subscribers", 0, async || {
            let before = app.pool.statements();
            at_least(Duration::from_millis(300)).await;
            app.pool.statements() - before
        })
        .await;
    };
    quiet().await;
    let mut changes = from_here(&app, &ada).await;
    let before = app.pool.statements();
    tokio::select! {
        change = changes.next() => panic!("{change:?}"),
        () = eventually("it polls", async || app.pool.statements() > before + 5) => {}
    }
    drop(changes);
    quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_survive_the_loss_of_all_connections() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut changes = from_here(&app, &ada).await;
    nothing_before_a_new_change(&mut changes, &ada).await;
    for _ in 0..3 {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let id = Uuid::now_v7();
        app.sql(&format!("{others}; {}", insert(&ada.id, id))).await;
        assert_eq!(next(&mut changes, 1).await, [id.to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_end_when_their_cursor_expires() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    let mut of_another = subscribe(&app, &grace.id, Some(cursor_of(&ada).await));
    let mut restored = from_here(&app, &ada).await;
    nothing_before_a_new_change(&mut restored, &ada).await;
    app.sql("UPDATE change_epochs SET database = 'another'")
        .await;
    ada.create_course("c").await;
    for changes in [&mut of_another, &mut restored] {
        assert_eq!(last_error(changes).await, Code::CursorExpired);
    }
    assert_eq!(app.live.subscribers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_writes_do_not_delay_polling_for_others() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    let (mut of_ada, mut of_grace) = (from_here(&app, &ada).await, from_here(&app, &grace).await);
    nothing_before_a_new_change(&mut of_ada, &ada).await;
    nothing_before_a_new_change(&mut of_grace, &grace).await;
    let writer = ada.clone();
    let busy = tokio::spawn(async move {
        loop {
            writer.create_course("c").await;
        }
    });
    let elsewhere = Uuid::now_v7();
    app.sql(&insert(&grace.id, elsewhere)).await;
    assert_eq!(next(&mut of_grace, 1).await, [elsewhere.to_string()]);
    busy.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_first_subscribers_lose_no_change() {
    let app = without_polls().await;
    let ada = app.signed_up("ada").await;
    // One more step of reading each time, so that one of them ends between the database's response and its use.
    for steps in 1..16 {
        let cursor = cursor_of(&ada).await;
        let mut early = subscribe(&app, &ada.id, Some(cursor.clone()));
        for _ in 0..steps {
            let polled = std::future::poll_fn(|task| Poll::Ready(early.as_mut().poll_next(task)));
            assert!(polled.await.is_pending());
            at_least(Duration::from_millis(10)).await;
        }
        let between = Uuid::now_v7();
        app.sql(&insert(&ada.id, between)).await;
        let mut late = subscribe(&app, &ada.id, Some(cursor));
        assert_eq!(next(&mut late, 1).await, [between.to_string()]);
        let after = ada.create_course("c").await;
        let expected = [between.to_string(), after.clone()];
        assert_eq!(next(&mut early, 2).await, expected, "{steps}");
        assert_eq!(next(&mut late, 1).await, [after]);
    }
}
