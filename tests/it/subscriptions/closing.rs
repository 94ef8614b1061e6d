//! How streams end: tokens expire, sessions end, the service stops.

use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::{
    socket::{CHANGES, Events, Heard, Socket},
    subscribed, subscribers,
};
use crate::support::{PASSWORD, TestApp, at_least, eventually_eq, mutation, soon, text};

/// graphql-ws reconnects after 4403, and never after 4401.
fn expired() -> Heard {
    Heard::Closed(4403, "Access token expired".to_owned())
}

fn session_ended() -> Heard {
    Heard::Closed(4403, "Session ended".to_owned())
}

/// That the stream ends with this error and without `complete`, so that graphql-sse reconnects.
async fn ends_unauthenticated(events: &mut Events, message: &str) {
    let (name, id, data) = events.next().await.unwrap();
    assert_eq!((name.as_str(), id), ("next", None));
    let error = &data["errors"][0];
    assert_eq!(error["extensions"]["code"], "UNAUTHENTICATED");
    assert!(
        error["message"].as_str().unwrap().contains(message),
        "{error}"
    );
    assert!(data.get("data").is_none(), "{data}");
    assert_eq!(events.next().await, None);
}

async fn short_lived(seconds: u64) -> TestApp {
    TestApp::with(|settings| settings.auth.access_lifetime = Duration::from_secs(seconds)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_closed_when_their_token_expires() {
    let app = short_lived(2).await;
    let ada = app.signed_up("ada").await;
    let began = Instant::now();
    let mut idle = Socket::of(&ada).await;
    let mut listening = subscribed(&ada, "s").await;
    let mut anonymous = Socket::of(&app.anonymous()).await;
    assert_eq!(idle.next().await, expired());
    assert_eq!(listening.next().await, expired());
    let took = began.elapsed();
    assert!(took > Duration::from_millis(900), "{took:?}");
    subscribers(&app, 0).await;
    anonymous.sends_nothing_else().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_can_be_refreshed_in_band() {
    let app = short_lived(5).await;
    let ada = app.signed_up("ada").await;
    let mut socket = subscribed(&ada, "s").await;
    let first = ada.create_course("c").await;
    assert_eq!(socket.change().await["itemId"], first);
    let mut refresh_token = ada.refresh_token.clone();
    let refresh = mutation("refreshSession", "accessToken refreshToken");
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        let variables = json!({ "input": { "refreshToken": refresh_token } });
        socket.subscribe("r", &refresh, variables).await;
        let next = socket.message().await;
        let payload = &next["payload"]["data"]["refreshSession"];
        refresh_token = text(&payload["refreshToken"]);
        assert_eq!(socket.message().await["type"], "complete");
        let token = text(&payload["accessToken"]);
        socket.send_token(&token).await;
        assert_eq!(socket.message().await, json!({ "type": "pong" }));
        let id = ada.with_token(token).create_course("c").await;
        assert_eq!(socket.change().await["itemId"], id);
        at_least(Duration::from_millis(700)).await;
    }
    assert_eq!(socket.next().await, expired());
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_other_users_close_the_socket() {
    let (_app, ada, bob) = TestApp::start().await.with_users("ada", "bob").await;
    for token in [bob.token.as_deref().unwrap(), "nonsense"] {
        let mut socket = subscribed(&ada, "s").await;
        socket.send_token(token).await;
        assert_eq!(socket.next().await.code(), 4403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_closed_with_their_session_only() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let other = app.signed_in("ada").await;
    let mut idle = Socket::of(&ada).await;
    let mut listening = subscribed(&ada, "s").await;
    let mut stays = subscribed(&other, "s").await;
    ada.sign_out().await;
    assert_eq!(idle.next().await, session_ended());
    assert_eq!(listening.next().await, session_ended());
    let id = other.create_course("c").await;
    assert_eq!(stays.change().await["itemId"], json!(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_closed_when_their_session_ends_in_another_process() {
    let (app, second) = TestApp::start().await.and_another().await;
    let ada = app.signed_up("ada").await;
    let mut listening = subscribed(&ada, "s").await;
    let mut events = Events::open(&ada, CHANGES, Value::Null, &[]).await;
    ada.at(&second).sign_out().await;
    assert_eq!(listening.next().await, session_ended());
    ends_unauthenticated(&mut events, "session has ended").await;
    subscribers(&app, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_deactivated_users_are_closed() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let mut listening = subscribed(&ada, "s").await;
    ada.deactivate_me(PASSWORD).await;
    assert_eq!(listening.next().await, session_ended());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_over_a_stream_is_answered_before_it_closes() {
    let (app, _) = TestApp::start().await.with_user("ada").await;
    let leave = "mutation { signOut { userErrors { code } } createCourse(input: { name: \"x\" }) { course { id } } }";
    for _ in 0..5 {
        let ada = app.signed_in("ada").await;
        let mut socket = subscribed(&ada, "s").await;
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
        assert_eq!(last, session_ended());
        let data = &answers[0]["payload"]["data"];
        assert_eq!(data["signOut"]["userErrors"], json!([]), "{answers:?}");
        assert_eq!(answers[1]["type"], "complete");
        let ada = app.signed_in("ada").await;
        let mut events = Events::open(&ada, leave, Value::Null, &[]).await;
        let answer = events.data().await;
        assert_eq!(answer["data"]["signOut"]["userErrors"], json!([]));
        events.completes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_expiry_running_operations_complete_and_waiting_ones_do_not_run() {
    let app = TestApp::with(|settings| {
        settings.auth.access_lifetime = Duration::from_secs(6);
        // A user leases at most a third of them.
        settings.pool.max_connections = 48;
    })
    .await;
    let ada = app.signed_up("ada").await;
    let mut socket = subscribed(&ada, "s").await;
    let lock = app.begin("LOCK TABLE courses").await;
    let create = mutation("createCourse", "course { name }");
    for number in 0..10 {
        let id = number.to_string();
        let variables = json!({ "input": { "name": "runs" } });
        socket.subscribe(&id, &create, variables).await;
        app.eventually_blocked(number + 1).await;
        if number > 0 {
            socket.complete(&id).await;
        }
    }
    let variables = json!({ "input": { "name": "waits" } });
    socket.subscribe("waits", &create, variables).await;
    // The token expires, and the socket stays open for the response.
    subscribers(&app, 0).await;
    lock.rollback().await;
    let next = socket.message().await;
    let name = &next["payload"]["data"]["createCourse"]["course"]["name"];
    assert_eq!((&next["id"], name), (&json!("0"), &json!("runs")), "{next}");
    assert_eq!(socket.message().await["type"], "complete");
    assert_eq!(socket.next().await, expired());
    let names = "SELECT string_agg(DISTINCT name, ',') FROM courses";
    assert_eq!(app.text(names).await, "runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_events_end_when_their_token_expires() {
    let app = short_lived(2).await;
    let ada = app.signed_up("ada").await;
    let mut events = Events::open(&ada, CHANGES, Value::Null, &[]).await;
    ends_unauthenticated(&mut events, "token has expired").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_streams_so_that_clients_reconnect() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut idle = Socket::of(&ada).await;
    let mut new = Socket::open(&ada).await;
    let mut listening = subscribed(&ada, "s").await;
    let after = ada.changes_cursor().await;
    let mut events = Events::open(&ada, CHANGES, json!({ "after": after }), &[]).await;
    ada.create_course("c").await;
    listening.change().await;
    let (_, id, _) = events.next().await.unwrap();
    assert!(id.is_some());
    let stopped = tokio::spawn(app.stop());
    for socket in [&mut idle, &mut new, &mut listening] {
        assert_eq!(socket.next().await.code(), 1001);
    }
    // Without `complete`, so that a client reconnects with the id.
    assert_eq!(events.next().await, None);
    drop((idle, new, listening));
    soon("the service stops", stopped).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sockets_send_no_statements() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut socket = Socket::of(&ada).await;
    socket.subscribe("s", CHANGES, Value::Null).await;
    subscribers(&app, 1).await;
    socket.complete("s").await;
    subscribers(&app, 0).await;
    let newest = "SELECT extract(epoch FROM max(query_start)) * 1000000 FROM pg_stat_activity WHERE usename = 'snapnote' AND datname = current_database()";
    // Nothing is sent for several seconds, once statements that were under way have ended.
    eventually_eq("microseconds between statements", 0, async || {
        let before = app.number(newest).await;
        at_least(Duration::from_millis(3500)).await;
        app.number(newest).await - before
    })
    .await;
}
