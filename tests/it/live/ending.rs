//! How streams end: tokens expire, sessions are revoked, the service stops.

use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::{
    protocol::as_client,
    socket::{CHANGES, Events, Heard, Socket},
    subscribed, until,
};
use crate::{
    changes::{course, mutate, newest},
    session_list::Person,
    support::{TestApp, superuser},
};

fn unauthorized() -> Heard {
    Heard::Closed(4401, "Unauthorized".to_owned())
}

async fn short_lived(seconds: u64) -> TestApp {
    TestApp::with(|settings| settings.auth.access_lifetime = Duration::from_secs(seconds)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_closed_when_its_token_expires() {
    let app = short_lived(2).await;
    let ada = app.signed_up("ada").await;
    let began = Instant::now();
    let mut idle = Socket::of(&ada).await;
    let mut listening = subscribed(&ada, "s").await;
    let mut visitor = Socket::of(&app.visitor()).await;
    assert_eq!(idle.next().await, unauthorized());
    assert_eq!(listening.next().await, unauthorized());
    let took = began.elapsed();
    assert!(
        took > Duration::from_millis(900) && took < Duration::from_secs(4),
        "{took:?}"
    );
    until("nobody listens", async || app.live.subscribers() == 0).await;
    visitor.is_silent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_refreshed_in_band_and_nothing_is_missed() {
    let app = short_lived(2).await;
    let ada = Person::signed_up(&app, "ada").await;
    let mut socket = subscribed(&ada.client, "s").await;
    let first = course(&ada.client).await;
    assert_eq!(socket.change().await["itemId"], json!(first));
    let mut refresh_token = ada.refresh_token;
    let refresh = "mutation($token: String!) { refreshSession(input: { refreshToken: $token }) { accessToken refreshToken } }";
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        socket
            .subscribe("r", refresh, json!({ "token": refresh_token }))
            .await;
        let next = socket.message().await;
        let payload = &next["payload"]["data"]["refreshSession"];
        let text = |name: &str| {
            payload[name]
                .as_str()
                .unwrap_or_else(|| panic!("{next}"))
                .to_owned()
        };
        refresh_token = text("refreshToken");
        assert_eq!(socket.message().await["type"], "complete");
        let client = as_client(&app, &text("accessToken"));
        let authorization = format!("Bearer {}", text("accessToken"));
        let payload = json!({ "Authorization": authorization });
        socket
            .send(json!({ "type": "ping", "payload": payload }))
            .await;
        assert_eq!(socket.message().await, json!({ "type": "pong" }));
        let id = course(&client).await;
        assert_eq!(socket.change().await["itemId"], json!(id));
        sleep(Duration::from_millis(700)).await;
    }
    assert_eq!(socket.next().await, unauthorized());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_persons_token_takes_a_socket_over() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    for token in [bob.token.as_deref().unwrap(), "nonsense"] {
        let mut socket = subscribed(&ada, "s").await;
        let payload = json!({ "Authorization": format!("Bearer {token}") });
        socket
            .send(json!({ "type": "ping", "payload": payload }))
            .await;
        assert_eq!(socket.next().await.code(), 4403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_takes_its_sockets_along_and_no_others() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let other = Person::signed_in(&app, "ada").await;
    let mut idle = Socket::of(&ada.client).await;
    let mut listening = subscribed(&ada.client, "s").await;
    let mut stays = subscribed(&other.client, "s").await;
    mutate(&ada.client, "signOut { userErrors { code } }").await;
    let began = Instant::now();
    assert_eq!(idle.next().await, unauthorized());
    assert_eq!(listening.next().await, unauthorized());
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    let id = course(&other.client).await;
    assert_eq!(stays.change().await["itemId"], json!(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_at_another_process_takes_its_streams_along() {
    let app = TestApp::start().await;
    let second = TestApp::on(app.database.clone(), |_| {}).await;
    let ada = Person::signed_up(&app, "ada").await;
    let mut listening = subscribed(&ada.client, "s").await;
    let mut events = Events::open(&ada.client, CHANGES, Value::Null, &[]).await;
    mutate(&ada.at(&second), "signOut { userErrors { code } }").await;
    let began = Instant::now();
    assert_eq!(listening.next().await, unauthorized());
    let (name, id, data) = events.next().await.unwrap();
    assert_eq!((name.as_str(), id), ("next", None));
    assert_eq!(data["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert!(data.get("data").is_none(), "{data}");
    assert_eq!(events.next().await.unwrap().0, "complete");
    assert_eq!(events.next().await, None);
    assert!(
        began.elapsed() < Duration::from_millis(2500),
        "{:?}",
        began.elapsed()
    );
    until("nobody listens", async || app.live.subscribers() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_deactivated_hears_no_more() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let mut listening = subscribed(&ada.client, "s").await;
    mutate(
        &ada.client,
        "deactivateMe(input: { password: \"correct horse\" }) { userErrors { code } }",
    )
    .await;
    assert_eq!(listening.next().await, unauthorized());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_ends_their_own_session_has_the_answer_first() {
    let app = TestApp::start().await;
    Person::signed_up(&app, "ada").await;
    let leave = "mutation { signOut { userErrors { code } } createCourse(input: { name: \"x\" }) { course { id } } }";
    for _ in 0..5 {
        let ada = Person::signed_in(&app, "ada").await;
        let mut socket = subscribed(&ada.client, "s").await;
        socket.subscribe("m", leave, Value::Null).await;
        let mut answers = Vec::new();
        let last = loop {
            match socket.next().await {
                Heard::Message(message) if message["id"] == "m" => answers.push(message),
                // The subscription may have heard of the course before it ended.
                Heard::Message(_) => {}
                last => break last,
            }
        };
        assert_eq!(last, unauthorized());
        let data = &answers[0]["payload"]["data"];
        assert_eq!(data["signOut"]["userErrors"], json!([]), "{answers:?}");
        assert_eq!(answers[1]["type"], "complete");
        let ada = Person::signed_in(&app, "ada").await;
        let mut events = Events::open(&ada.client, leave, Value::Null, &[]).await;
        let (_, _, answer) = events.next().await.unwrap();
        let errors = &answer["data"]["signOut"]["userErrors"];
        assert_eq!(*errors, json!([]), "{answer}");
        assert_eq!(events.next().await.unwrap().0, "complete");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_token_expires_what_runs_is_answered_and_what_waits_is_not_run() {
    let app = TestApp::with(|settings| {
        settings.auth.access_lifetime = Duration::from_secs(6);
        settings.pool.max_connections = 16;
    })
    .await;
    let ada = app.signed_up("ada").await;
    let mut socket = subscribed(&ada, "s").await;
    let mut lock = superuser(&app.database).await;
    let held = "BEGIN; LOCK TABLE courses IN ACCESS EXCLUSIVE MODE";
    lock.batch_execute(held).await.unwrap();
    let create =
        "mutation($name: String!) { createCourse(input: { name: $name }) { course { name } } }";
    let waiting = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database WHERE datname = current_database() AND NOT granted";
    for number in 0..10 {
        let id = number.to_string();
        let variables = json!({ "name": "runs" });
        socket.subscribe(&id, create, variables).await;
        until("it runs", async || app.number(waiting).await == number + 1).await;
        if number > 0 {
            socket.send(json!({ "type": "complete", "id": id })).await;
        }
    }
    socket
        .subscribe("waits", create, json!({ "name": "waits" }))
        .await;
    until("the token expires", async || app.live.subscribers() == 0).await;
    socket.is_silent().await;
    lock.batch_execute("ROLLBACK").await.unwrap();
    let next = socket.message().await;
    let name = &next["payload"]["data"]["createCourse"]["course"]["name"];
    assert_eq!((&next["id"], name), (&json!("0"), &json!("runs")), "{next}");
    assert_eq!(socket.message().await["type"], "complete");
    assert_eq!(socket.next().await, unauthorized());
    let names = "SELECT string_agg(DISTINCT name, ',') FROM courses";
    assert_eq!(app.text(names).await, "runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_events_end_when_their_token_expires() {
    let app = short_lived(2).await;
    let ada = app.signed_up("ada").await;
    let mut events = Events::open(&ada, CHANGES, Value::Null, &[]).await;
    let (_, _, data) = events.next().await.unwrap();
    assert_eq!(data["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(events.next().await.unwrap().0, "complete");
    assert_eq!(events.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_what_listens_and_lets_clients_come_back() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let mut idle = Socket::of(&ada).await;
    let mut new = Socket::open(&ada).await;
    let mut listening = subscribed(&ada, "s").await;
    let after = newest(&ada).await;
    let mut events = Events::open(&ada, CHANGES, json!({ "after": after }), &[]).await;
    course(&ada).await;
    listening.change().await;
    let (_, id, _) = events.next().await.unwrap();
    assert!(id.is_some());
    let began = Instant::now();
    let stopped = tokio::spawn(app.stop());
    for socket in [&mut idle, &mut new, &mut listening] {
        assert_eq!(socket.next().await.code(), 1001);
    }
    // Without `complete`, so that a client comes back with the id.
    assert_eq!(events.next().await, None);
    drop((idle, new, listening));
    stopped.await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_socket_asks_the_database_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let mut socket = Socket::of(&ada).await;
    socket.subscribe("s", CHANGES, Value::Null).await;
    socket.is_silent().await;
    socket.send(json!({ "type": "complete", "id": "s" })).await;
    until("nobody listens", async || app.live.subscribers() == 0).await;
    let newest = "SELECT extract(epoch FROM max(query_start)) * 1000000 FROM pg_stat_activity WHERE usename = 'snapnote' AND datname = current_database()";
    sleep(Duration::from_millis(1500)).await;
    let before = app.number(newest).await;
    sleep(Duration::from_millis(3500)).await;
    assert_eq!(app.number(newest).await, before);
}
