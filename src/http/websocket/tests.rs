//! The protocol as a table: events, and the actions that the machine returns.

use async_graphql::{Response, ServerError, Value};

use super::{
    super::streams::{live_auth::AccessEnd, operation::Output},
    machine::{Action, Event, Machine},
    messages::{ClientMessage, Close, ServerMessage},
};

const INIT: &str = r#"{"type":"connection_init"}"#;
const INIT_TOKEN: &str =
    r#"{"type":"connection_init","payload":{"Authorization":"Bearer abc","more":1}}"#;
const PING: &str = r#"{"type":"ping"}"#;
const PING_TOKEN: &str = r#"{"type":"ping","payload":{"authorization":"Bearer new"}}"#;
const SUBSCRIBE_A: &str = r#"{"type":"subscribe","id":"a","payload":{"query":"{me{id}}"}}"#;
const SUBSCRIBE_B: &str = r#"{"id":"b","type":"subscribe","payload":{"query":"{me{id}}","variables":null,"operationName":null,"extensions":{}}}"#;
const COMPLETE_A: &str = r#"{"type":"complete","id":"a"}"#;

/// Parses a client message or, after an `@`, the name of another event.
fn event(text: &str) -> Event {
    let Some(text) = text.strip_prefix('@') else {
        return Event::Received(ClientMessage::parse(text));
    };
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let output = |output| Event::Output(rest.to_owned(), output);
    let errors = vec![ServerError::new("no", None)];
    match name {
        "init-timeout" => Event::InitTimedOut,
        "authenticated" => Event::Authenticated,
        "forbidden" => Event::Rejected(Close::FORBIDDEN),
        "refreshed" => Event::Refreshed,
        "token-expired" => Event::AccessEnded(AccessEnd::TokenExpired),
        "session-ended" => Event::AccessEnded(AccessEnd::SessionEnded),
        "deadline-passed" => Event::DeadlinePassed,
        "stopping" => Event::Stopping,
        "subscribed" => output(Some(Output::Subscribed)),
        "next" => {
            let executed = Response::new(Value::Boolean(true)).into();
            output(Some(Output::of(executed)))
        }
        "failed" => output(Some(Output::Failed(Response::from_errors(errors).into()))),
        "signed-out" => output(Some(Output::SignedOut(AccessEnd::SessionEnded))),
        "done" => output(None),
        other => panic!("{other}"),
    }
}

fn describe(action: &Action) -> String {
    match action {
        Action::Send(ServerMessage::Next(id, _)) => format!("next {id}"),
        Action::Send(ServerMessage::Error(id, _)) => format!("error {id}"),
        Action::Send(ServerMessage::Complete(id)) => format!("complete {id}"),
        Action::Send(message) => message.to_text().to_string(),
        Action::Authenticate(bearer) => format!("authenticate {bearer:?}"),
        Action::Refresh(bearer) => format!("refresh {bearer:?}"),
        Action::Start(id, call) => format!("start {id} {}", call.document.text().unwrap_or("")),
        Action::Stop(id) => format!("stop {id}"),
        Action::RejectWaiting => "reject waiting".to_owned(),
        Action::Close(close) => format!("close {} {}", close.code, close.reason),
    }
}

const ACK: &str = r#"{"type":"connection_ack"}"#;
const PONG: &str = r#"{"type":"pong"}"#;
const START_A: &str = "start a {me{id}}";

/// Events with the actions that the machine returns.
type Steps = &'static [(&'static str, &'static str)];

const CONVERSATIONS: &[(&str, Steps)] = &[
    (
        "an anonymous client",
        &[(INIT, "authenticate Absent"), ("@authenticated", ACK)],
    ),
    (
        "a signed-in client",
        &[(INIT_TOKEN, "authenticate Token"), ("@authenticated", ACK)],
    ),
    (
        "an invalid token",
        &[
            (INIT_TOKEN, "authenticate Token"),
            ("@forbidden", "close 4403 Forbidden"),
            ("@authenticated", ""),
        ],
    ),
    (
        "no connection_init in time",
        &[
            (
                "@init-timeout",
                "close 4408 Connection initialisation timeout",
            ),
            (INIT, ""),
        ],
    ),
    (
        "connection_init in time, but authentication takes long",
        &[
            (INIT, "authenticate Absent"),
            ("@init-timeout", ""),
            ("@authenticated", ACK),
            ("@init-timeout", ""),
        ],
    ),
    (
        "two connection_init messages",
        &[
            (INIT, "authenticate Absent"),
            ("@authenticated", ACK),
            (INIT, "close 4429 Too many initialisation requests"),
        ],
    ),
    (
        "a second connection_init during authentication",
        &[
            (INIT, "authenticate Absent"),
            (INIT, "close 4429 Too many initialisation requests"),
        ],
    ),
    (
        "a subscribe before connection_init",
        &[(SUBSCRIBE_A, "close 4401 Unauthorized"), (INIT, "")],
    ),
    (
        "a subscribe during authentication",
        &[
            (INIT, "authenticate Absent"),
            (SUBSCRIBE_A, "close 4401 Unauthorized"),
            ("@authenticated", ""),
        ],
    ),
    (
        "pings in every phase",
        &[
            (PING, PONG),
            (INIT, "authenticate Absent"),
            (PING, PONG),
            ("@authenticated", ACK),
            (PING, PONG),
        ],
    ),
    (
        "a pong repeats the payload of its ping",
        &[(
            r#"{"type":"ping","payload":{"n":[1,"x"]}}"#,
            r#"{"type":"pong","payload":{"n":[1,"x"]}}"#,
        )],
    ),
    (
        "pongs and unknown completes are ignored",
        &[
            (r#"{"type":"pong"}"#, ""),
            (r#"{"type":"pong","payload":{"a":1}}"#, ""),
            (COMPLETE_A, ""),
        ],
    ),
    (
        "a query",
        &[
            (INIT, "authenticate Absent"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            ("@next a", "next a"),
            ("@done a", "complete a"),
            (SUBSCRIBE_A, START_A),
        ],
    ),
    (
        "a subscription that the client completes",
        &[
            (INIT, "authenticate Absent"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            ("@subscribed a", ""),
            (SUBSCRIBE_B, "start b {me{id}}"),
            ("@next a", "next a"),
            ("@next a", "next a"),
            (COMPLETE_A, "stop a"),
            ("@next a", ""),
            ("@done a", ""),
            (COMPLETE_A, ""),
            ("@next b", "next b"),
            (SUBSCRIBE_A, START_A),
        ],
    ),
    (
        "an error ends its operation without `complete`",
        &[
            (INIT, "authenticate Absent"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            ("@failed a", "error a"),
            ("@done a", ""),
            (SUBSCRIBE_A, START_A),
        ],
    ),
    (
        "a duplicate id",
        &[
            (INIT, "authenticate Absent"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            (SUBSCRIBE_A, "close 4409 Subscriber for a already exists"),
            ("@next a", ""),
        ],
    ),
    (
        "a new token",
        &[
            (INIT_TOKEN, "authenticate Token"),
            ("@authenticated", ACK),
            (PING_TOKEN, "refresh Token"),
            ("@refreshed", PONG),
        ],
    ),
    (
        "an invalid new token",
        &[
            (INIT_TOKEN, "authenticate Token"),
            ("@authenticated", ACK),
            (
                r#"{"type":"ping","payload":{"Authorization":"Basic abc"}}"#,
                r#"close 4400 The payload has no bearer token. Send it as {"Authorization": "Bearer <token>"}."#,
            ),
        ],
    ),
    (
        "a new token before connection_init is ignored",
        &[(PING_TOKEN, PONG)],
    ),
    (
        "the access ends",
        &[
            (INIT_TOKEN, "authenticate Token"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            ("@subscribed a", ""),
            (
                "@session-ended",
                "reject waiting | stop a | close 4403 Session ended",
            ),
            ("@next a", ""),
            (SUBSCRIBE_B, ""),
        ],
    ),
    (
        "the access ends: subscriptions end, queries get their response",
        &[
            (INIT_TOKEN, "authenticate Token"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            ("@subscribed a", ""),
            (SUBSCRIBE_B, "start b {me{id}}"),
            ("@session-ended", "reject waiting | stop a"),
            ("@next a", ""),
            ("@next b", "next b"),
            ("@stopping", ""),
            ("@done b", "complete b | close 4403 Session ended"),
        ],
    ),
    (
        "the access ends, and a response never comes",
        &[
            (INIT_TOKEN, "authenticate Token"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            ("@token-expired", "reject waiting"),
            ("@deadline-passed", "close 4403 Access token expired"),
        ],
    ),
    (
        "the access ends before a subscription has started",
        &[
            (INIT_TOKEN, "authenticate Token"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            ("@session-ended", "reject waiting"),
            ("@subscribed a", "stop a | close 4403 Session ended"),
        ],
    ),
    (
        "an operation after the access has ended, while another gets its response",
        &[
            (INIT_TOKEN, "authenticate Token"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            (SUBSCRIBE_B, "start b {me{id}}"),
            ("@signed-out a", "reject waiting"),
            ("@failed b", "error b | close 4403 Session ended"),
        ],
    ),
    (
        "an operation after the access has ended",
        &[
            (INIT_TOKEN, "authenticate Token"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            ("@signed-out a", "reject waiting | close 4403 Session ended"),
        ],
    ),
    (
        "the service stops: subscriptions end, queries get their response",
        &[
            (INIT, "authenticate Absent"),
            ("@authenticated", ACK),
            (SUBSCRIBE_A, START_A),
            ("@subscribed a", ""),
            (SUBSCRIBE_B, "start b {me{id}}"),
            ("@stopping", "stop a"),
            ("@next b", "next b"),
            ("@done b", "complete b | close 1001 The service is stopping"),
        ],
    ),
    (
        "the service stops",
        &[
            (INIT, "authenticate Absent"),
            ("@stopping", "close 1001 The service is stopping"),
        ],
    ),
];

#[test]
fn the_machine_follows_the_protocol() {
    for (name, steps) in CONVERSATIONS {
        let mut machine = Machine::default();
        for (happened, expected) in *steps {
            let actions: Vec<String> = machine.on(event(happened)).iter().map(describe).collect();
            assert_eq!(actions.join(" | "), *expected, "{name}: {happened}");
        }
    }
}

const INVALID: &[&str] = &[
    "",
    "hello",
    "[]",
    "1",
    "{}",
    r#"{"type":1}"#,
    r#"{"type":"start"}"#,
    r#"{"type":"next","id":"a"}"#,
    r#"{"type":"connection_ack"}"#,
    r#"{"type":"connection_init","payload":"x"}"#,
    r#"{"type":"ping","payload":[]}"#,
    r#"{"type":"pong","payload":1}"#,
    r#"{"type":"complete"}"#,
    r#"{"type":"complete","id":""}"#,
    r#"{"type":"complete","id":1}"#,
    r#"{"type":"subscribe","payload":{"query":"{me{id}}"}}"#,
    r#"{"type":"subscribe","id":"a"}"#,
    r#"{"type":"subscribe","id":"a","payload":"{me{id}}"}"#,
    r#"{"type":"subscribe","id":"a","payload":{}}"#,
    r#"{"type":"subscribe","id":"a","payload":{"query":1}}"#,
    r#"{"type":"subscribe","id":"a","payload":{"query":"q","variables":[]}}"#,
    r#"{"type":"subscribe","id":"a","payload":{"query":"q","operationName":1}}"#,
    r#"{"type":"subscribe","id":"a","payload":{"query":"q","extensions":1}}"#,
];

#[test]
fn invalid_messages_close_with_4400_in_every_phase() {
    let long_id = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(256));
    for message in INVALID.iter().copied().chain([long_id.as_str()]) {
        for before in [&[][..], &[INIT], &[INIT, "@authenticated"]] {
            let mut machine = Machine::default();
            before.iter().for_each(|step| drop(machine.on(event(step))));
            let actions = machine.on(event(message));
            let [Action::Close(close)] = &actions[..] else {
                panic!("{message}: {actions:?}");
            };
            assert_eq!(close.code, 4400, "{message}");
            assert!(machine.on(event(INIT)).is_empty(), "no action follows");
        }
    }
}

#[test]
fn ten_operations_run_at_once_and_subscriptions_do_not_count() {
    let mut machine = Machine::default();
    let _ = [INIT, "@authenticated"].map(|step| machine.on(event(step)));
    let subscribe = |id: usize| SUBSCRIBE_A.replace(r#""a""#, &format!(r#""{id}""#));
    for id in 0..10 {
        assert!(machine.reads(), "{id}");
        machine.on(event(&subscribe(id)));
    }
    assert!(!machine.reads());
    machine.on(event("@subscribed 3"));
    assert!(machine.reads());
    machine.on(event(&subscribe(10)));
    assert!(!machine.reads());
    machine.on(event("@done 5"));
    assert!(machine.reads());
    machine.on(event(PING_TOKEN));
    assert!(!machine.reads(), "later messages use the new token");
    machine.on(event("@refreshed"));
    assert!(machine.reads());
}
