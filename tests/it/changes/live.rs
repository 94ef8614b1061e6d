//! The feed as it goes on: nothing lost and nothing twice at the seam, slow readers, other processes, and who is asked what.

use std::{pin::Pin, task::Poll, time::Duration};

use diesel_async::SimpleAsyncConnection;
use futures_util::{Stream, StreamExt};
use snapnote::{
    auth::{Credential, UserId, Viewer},
    changes::{Change, Cursor, parse_cursor},
    db::connect::Target,
    error::{Code, Error},
};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{course, insert, newest, rename};
use crate::{
    session_list::Person,
    support::{TestApp, migrated_database, superuser, url_of},
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

/// The ids of the next so many changes, which must come soon.
pub(super) async fn next(changes: &mut Changes, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let change = timeout(Duration::from_secs(30), changes.next()).await;
        let change = change.unwrap_or_else(|_| panic!("{} of {count} came", ids.len()));
        ids.push(change.unwrap().unwrap().item.id.to_string());
    }
    ids
}

/// That nothing comes for a while.
async fn nothing(changes: &mut Changes) {
    let more = timeout(Duration::from_millis(300), changes.next()).await;
    assert!(more.is_err(), "{more:?}");
}

/// A subscriber that begins here and now, however slow it is to begin.
pub(super) async fn from_here(app: &TestApp, ada: &Person) -> Changes {
    subscribe(app, &ada.id, Some(cursor_of(ada).await))
}

/// Polls it, so that it stands where it begins.
pub(super) async fn begin(changes: &mut Changes) {
    let none = timeout(Duration::from_secs(1), changes.next()).await;
    assert!(none.is_err(), "{none:?}");
}

async fn cursor_of(ada: &Person) -> Cursor {
    parse_cursor(newest(&ada.client).await.as_str().unwrap()).unwrap()
}

/// A process on that database that hears others.
async fn hearing(database: String) -> TestApp {
    let direct = Target::parse(&url_of(&database).await).unwrap();
    TestApp::on(database, |settings| {
        settings.live.direct = Some(direct);
        settings.live.check = Duration::from_secs(60);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_as_they_happen_from_now_on_or_from_a_cursor() {
    let app = TestApp::with(|settings| settings.live.poll = Duration::from_secs(60)).await;
    let ada = Person::signed_up(&app, "ada").await;
    let before = cursor_of(&ada).await;
    let old = course(&ada.client).await;
    let mut from_now = subscribe(&app, &ada.id, None);
    let mut from_then = subscribe(&app, &ada.id, Some(before.clone()));
    begin(&mut from_now).await;
    assert_eq!(next(&mut from_then, 1).await, std::slice::from_ref(&old));
    let new = course(&ada.client).await;
    for changes in [&mut from_now, &mut from_then] {
        assert_eq!(next(changes, 1).await, std::slice::from_ref(&new));
        nothing(changes).await;
    }
    rename(&ada.client, &old, "d").await;
    let late = subscribe(&app, &ada.id, Some(before));
    for mut changes in [from_now, from_then] {
        assert_eq!(next(&mut changes, 1).await, std::slice::from_ref(&old));
    }
    assert_eq!(next(&mut { late }, 3).await, [old.clone(), new, old]);
    assert_eq!(app.live.subscribers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_cursor_of_any_change_one_goes_on_behind_it() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let before = cursor_of(&ada).await;
    let mut changes = subscribe(&app, &ada.id, Some(before));
    begin(&mut changes).await;
    let mut held = superuser(&app.database).await;
    held.batch_execute("BEGIN").await.unwrap();
    let slow = Uuid::now_v7();
    held.batch_execute(&insert(&ada.id, slow)).await.unwrap();
    let mut made = Vec::new();
    for _ in 0..6 {
        // Two in one transaction: in the middle of it is a place, too.
        let ids = [Uuid::now_v7(), Uuid::now_v7()];
        let both = ids.map(|id| insert(&ada.id, id)).concat();
        app.sql(&format!("BEGIN; {both} COMMIT;")).await;
        made.extend(ids.map(|id| id.to_string()));
    }
    let mut got = Vec::new();
    for _ in 0..12 {
        let change = timeout(Duration::from_secs(30), changes.next()).await;
        got.push(change.unwrap().unwrap().unwrap());
    }
    held.batch_execute("COMMIT").await.unwrap();
    for (index, change) in got.iter().enumerate() {
        assert_eq!(change.item.id.to_string(), made[index]);
        let cursor = parse_cursor(&change.cursor.encode()).unwrap();
        let mut rest = subscribe(&app, &ada.id, Some(cursor));
        let mut rest = next(&mut rest, 12 - index).await;
        // What was read together with this change comes first, then the slow one among what was read later, by its id.
        let at = rest.iter().position(|id| *id == slow.to_string());
        rest.remove(at.expect("the slow change is told"));
        assert_eq!(rest, made[index + 1..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_at_another_process_comes_at_once() {
    let database = migrated_database().await;
    let (here, there) = (hearing(database.clone()).await, hearing(database).await);
    let ada = Person::signed_up(&there, "ada").await;
    let mut changes = from_here(&here, &ada).await;
    begin(&mut changes).await;
    sleep(Duration::from_millis(500)).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let id = course(&ada.client).await;
        let written = Instant::now();
        assert_eq!(next(&mut changes, 1).await, [id]);
        slowest = slowest.max(written.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    nothing(&mut changes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_messages_it_polls_and_what_others_write_comes_too() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let mut changes = from_here(&app, &ada).await;
    begin(&mut changes).await;
    let id = Uuid::now_v7();
    app.sql(&insert(&ada.id, id)).await;
    assert_eq!(next(&mut changes, 1).await, [id.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_was_cut_off_hears_again_what_it_missed() {
    let database = migrated_database().await;
    let app = hearing(database).await;
    let ada = Person::signed_up(&app, "ada").await;
    let mut changes = from_here(&app, &ada).await;
    begin(&mut changes).await;
    sleep(Duration::from_millis(300)).await;
    let id = Uuid::now_v7();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
        AND query LIKE 'LISTEN%'";
    app.sql(&format!("{cut}; {}", insert(&ada.id, id))).await;
    assert_eq!(next(&mut changes, 1).await, [id.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_reads_on_from_the_log() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let mut slow = from_here(&app, &ada).await;
    begin(&mut slow).await;
    let mut made = Vec::new();
    // More pieces of news than a queue holds, and one that is longer than goes through it.
    for size in [1; 30].into_iter().chain([250]).chain([1; 5]) {
        let ids: Vec<Uuid> = (0..size).map(|_| Uuid::now_v7()).collect();
        let all: Vec<String> = ids.iter().map(|id| insert(&ada.id, *id)).collect();
        app.sql(&format!("BEGIN; {} COMMIT;", all.concat())).await;
        // So that the tailer looks.
        course(&ada.client).await;
        made.extend(ids);
    }
    let mut got = next(&mut slow, made.len() + 36).await;
    got.retain(|id| made.iter().any(|made| made.to_string() == *id));
    let made: Vec<String> = made.iter().map(Uuid::to_string).collect();
    assert_eq!(got, made);
    nothing(&mut slow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_subscribers_nothing_is_asked_of_the_database() {
    let app = TestApp::with(|settings| settings.live.poll = Duration::from_millis(20)).await;
    let ada = Person::signed_up(&app, "ada").await;
    let asked = |app: &TestApp| app.pool.statements();
    sleep(Duration::from_millis(300)).await;
    let before = asked(&app);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(asked(&app), before);
    let mut changes = from_here(&app, &ada).await;
    begin(&mut changes).await;
    assert!(asked(&app) > before + 5);
    drop(changes);
    sleep(Duration::from_millis(100)).await;
    let before = asked(&app);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(asked(&app), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_outlives_the_loss_of_all_connections() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let mut changes = from_here(&app, &ada).await;
    begin(&mut changes).await;
    for _ in 0..3 {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let id = Uuid::now_v7();
        app.sql(&format!("{others}; {}", insert(&ada.id, id))).await;
        assert_eq!(next(&mut changes, 1).await, [id.to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_when_its_cursor_is_of_no_use() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let grace = Person::signed_up(&app, "grace").await;
    let mut of_another = subscribe(&app, &grace.id, Some(cursor_of(&ada).await));
    let mut restored = from_here(&app, &ada).await;
    begin(&mut restored).await;
    app.sql("UPDATE change_epochs SET database = 'another'")
        .await;
    course(&ada.client).await;
    for changes in [&mut of_another, &mut restored] {
        let last = timeout(Duration::from_secs(30), changes.next()).await;
        let error = last.unwrap().unwrap().unwrap_err();
        assert_eq!(error.code, Code::CursorExpired);
        assert!(changes.next().await.is_none());
    }
    assert_eq!(app.live.subscribers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_its_own_do_not_keep_a_process_from_looking_for_others() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let grace = Person::signed_up(&app, "grace").await;
    let (mut of_ada, mut of_grace) = (from_here(&app, &ada).await, from_here(&app, &grace).await);
    begin(&mut of_ada).await;
    begin(&mut of_grace).await;
    let busy = tokio::spawn({
        let ada = ada.client.clone();
        async move {
            loop {
                course(&ada).await;
            }
        }
    });
    let elsewhere = Uuid::now_v7();
    app.sql(&insert(&grace.id, elsewhere)).await;
    assert_eq!(next(&mut of_grace, 1).await, [elsewhere.to_string()]);
    busy.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_before_another_begins_loses_nothing_that_came_between() {
    let app = TestApp::with(|settings| settings.live.poll = Duration::from_secs(60)).await;
    let ada = Person::signed_up(&app, "ada").await;
    // One step of reading more each time, so that one of them ends where the log has answered and nobody has looked.
    for steps in 1..16 {
        let cursor = cursor_of(&ada).await;
        let mut early = subscribe(&app, &ada.id, Some(cursor.clone()));
        for _ in 0..steps {
            let polled = std::future::poll_fn(|task| Poll::Ready(early.as_mut().poll_next(task)));
            assert!(polled.await.is_pending());
            sleep(Duration::from_millis(10)).await;
        }
        let between = Uuid::now_v7();
        app.sql(&insert(&ada.id, between)).await;
        let mut late = subscribe(&app, &ada.id, Some(cursor));
        assert_eq!(next(&mut late, 1).await, [between.to_string()]);
        let after = course(&ada.client).await;
        let expected = [between.to_string(), after.clone()];
        assert_eq!(next(&mut early, 2).await, expected, "{steps}");
        assert_eq!(next(&mut late, 1).await, [after]);
    }
}
