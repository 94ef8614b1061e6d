//! The protocol as a table: what happens, and what is done about it.

use async_graphql::{Response, ServerError, Value};

use super::{
    super::streams::operation::Output,
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

/// A message as it comes, or what else happens, behind an @.
fn event(text: &str) -> Event {
    let Some(text) = text.strip_prefix('@') else {
        return Event::Received(ClientMessage::parse(text));
    };
    let (what, rest) = text.split_once(' ').unwrap_or((text, ""));
    let said = |output| Event::Said(rest.to_owned(), output);
    let answer = || Box::new(Response::new(Value::Boolean(true)));
    let errors = || {
        let error = ServerError::new("no", None);
        Box::new(Response::from_errors(vec![error]))
    };
    match what {
        "init-timeout" => Event::InitTimedOut,
        "admitted" => Event::Admitted,
        "forbidden" => Event::Refused(Close::forbidden()),
        "refreshed" => Event::Refreshed,
        "ended" => Event::Ended,
        "overdue" => Event::Overdue,
        "stopping" => Event::Stopping,
        "listening" => said(Some(Output::Listening)),
        "next" => said(Some(Output::Next {
            answer: answer(),
            cursor: None,
        })),
        "failed" => said(Some(Output::Failed(errors()))),
        "signed-out" => said(Some(Output::SignedOut)),
        "done" => said(None),
        other => panic!("{other}"),
    }
}

fn told(action: &Action) -> String {
    match action {
        Action::Send(ServerMessage::Next(id, _)) => format!("next {id}"),
        Action::Send(ServerMessage::Error(id, _)) => format!("error {id}"),
        Action::Send(ServerMessage::Complete(id)) => format!("complete {id}"),
        Action::Send(message) => message.to_text(),
        Action::Admit(bearer) => format!("admit {bearer:?}"),
        Action::Refresh(bearer) => format!("refresh {bearer:?}"),
        Action::Start(id, call) => format!("start {id} {}", call.query),
        Action::Stop(id) => format!("stop {id}"),
        Action::BeginNothing => "begin nothing".to_owned(),
        Action::Close(close) => format!("close {} {}", close.code, close.reason),
    }
}

const ACK: &str = r#"{"type":"connection_ack"}"#;
const PONG: &str = r#"{"type":"pong"}"#;
const START_A: &str = "start a {me{id}}";
const START_B: &str = "start b {me{id}}";
const BAD: &str = "close 4400 ";

#[test]
fn the_protocol_is_kept_to_the_letter() {
    let table: &[(&str, &[(&str, &str)])] = &[
        ("a visitor", &[(INIT, "admit Absent"), ("@admitted", ACK)]),
        (
            "somebody",
            &[(INIT_TOKEN, "admit Token"), ("@admitted", ACK)],
        ),
        (
            "a bad token",
            &[
                (INIT_TOKEN, "admit Token"),
                ("@forbidden", "close 4403 Forbidden"),
                ("@admitted", ""),
            ],
        ),
        (
            "no initialisation in time",
            &[
                (
                    "@init-timeout",
                    "close 4408 Connection initialisation timeout",
                ),
                (INIT, ""),
            ],
        ),
        (
            "initialisation in time, though deciding takes long",
            &[
                (INIT, "admit Absent"),
                ("@init-timeout", ""),
                ("@admitted", ACK),
                ("@init-timeout", ""),
            ],
        ),
        (
            "two initialisations",
            &[
                (INIT, "admit Absent"),
                ("@admitted", ACK),
                (INIT, "close 4429 Too many initialisation requests"),
            ],
        ),
        (
            "two initialisations before the first is answered",
            &[
                (INIT, "admit Absent"),
                (INIT, "close 4429 Too many initialisation requests"),
            ],
        ),
        (
            "too early",
            &[(SUBSCRIBE_A, "close 4401 Unauthorized"), (INIT, "")],
        ),
        (
            "too early by a little",
            &[
                (INIT, "admit Absent"),
                (SUBSCRIBE_A, "close 4401 Unauthorized"),
                ("@admitted", ""),
            ],
        ),
        (
            "pings at any time",
            &[
                (PING, PONG),
                (INIT, "admit Absent"),
                (PING, PONG),
                ("@admitted", ACK),
                (PING, PONG),
            ],
        ),
        (
            "a ping's payload comes back",
            &[(
                r#"{"type":"ping","payload":{"n":[1,"x"]}}"#,
                r#"{"type":"pong","payload":{"n":[1,"x"]}}"#,
            )],
        ),
        (
            "pongs are no matter",
            &[
                (r#"{"type":"pong"}"#, ""),
                (r#"{"type":"pong","payload":{"a":1}}"#, ""),
                (COMPLETE_A, ""),
            ],
        ),
        (
            "a query",
            &[
                (INIT, "admit Absent"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                ("@next a", "next a"),
                ("@done a", "complete a"),
                (COMPLETE_A, ""),
                (SUBSCRIBE_A, START_A),
            ],
        ),
        (
            "a subscription that the client ends",
            &[
                (INIT, "admit Absent"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                ("@listening a", ""),
                (SUBSCRIBE_B, START_B),
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
                (INIT, "admit Absent"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                ("@failed a", "error a"),
                ("@done a", ""),
                (SUBSCRIBE_A, START_A),
            ],
        ),
        (
            "an id that is in use",
            &[
                (INIT, "admit Absent"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                (SUBSCRIBE_A, "close 4409 Subscriber for a already exists"),
                ("@next a", ""),
            ],
        ),
        (
            "a new token",
            &[
                (INIT_TOKEN, "admit Token"),
                ("@admitted", ACK),
                (PING_TOKEN, "refresh Token"),
                ("@refreshed", PONG),
            ],
        ),
        (
            "a new token that is bad",
            &[
                (INIT_TOKEN, "admit Token"),
                ("@admitted", ACK),
                (
                    r#"{"type":"ping","payload":{"Authorization":"Basic abc"}}"#,
                    "refresh Malformed",
                ),
                ("@forbidden", "close 4403 Forbidden"),
            ],
        ),
        (
            "a new token for none is not looked at",
            &[(PING_TOKEN, PONG)],
        ),
        (
            "a token that ends",
            &[
                (INIT_TOKEN, "admit Token"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                ("@listening a", ""),
                ("@ended", "begin nothing | stop a | close 4401 Unauthorized"),
                ("@next a", ""),
                (SUBSCRIBE_B, ""),
            ],
        ),
        (
            "a token that ends: subscriptions end, answers are waited for",
            &[
                (INIT_TOKEN, "admit Token"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                ("@listening a", ""),
                (SUBSCRIBE_B, START_B),
                ("@ended", "begin nothing | stop a"),
                ("@next a", ""),
                ("@next b", "next b"),
                ("@stopping", ""),
                ("@done b", "complete b | close 4401 Unauthorized"),
            ],
        ),
        (
            "a token that ends, and an answer that never comes",
            &[
                (INIT_TOKEN, "admit Token"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                ("@ended", "begin nothing"),
                ("@overdue", "close 4401 Unauthorized"),
            ],
        ),
        (
            "a token that ends before a subscription has begun",
            &[
                (INIT_TOKEN, "admit Token"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                ("@ended", "begin nothing"),
                ("@listening a", "stop a | close 4401 Unauthorized"),
            ],
        ),
        (
            "an operation of somebody who is gone, while another is answered",
            &[
                (INIT_TOKEN, "admit Token"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                (SUBSCRIBE_B, START_B),
                ("@signed-out a", "begin nothing"),
                ("@failed b", "error b | close 4401 Unauthorized"),
            ],
        ),
        (
            "an operation of somebody who is gone",
            &[
                (INIT_TOKEN, "admit Token"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                ("@signed-out a", "begin nothing | close 4401 Unauthorized"),
            ],
        ),
        (
            "the service stops: subscriptions end, answers are waited for",
            &[
                (INIT, "admit Absent"),
                ("@admitted", ACK),
                (SUBSCRIBE_A, START_A),
                ("@listening a", ""),
                (SUBSCRIBE_B, START_B),
                ("@stopping", "stop a"),
                ("@next b", "next b"),
                ("@done b", "complete b | close 1001 The service stops"),
            ],
        ),
        (
            "the service stops",
            &[
                (INIT, "admit Absent"),
                ("@stopping", "close 1001 The service stops"),
            ],
        ),
    ];
    for (name, steps) in table {
        let mut machine = Machine::default();
        for (happened, expected) in *steps {
            let actions: Vec<String> = machine.on(event(happened)).iter().map(told).collect();
            assert_eq!(actions.join(" | "), *expected, "{name}: {happened}");
        }
    }
}

#[test]
fn what_is_no_message_is_4400_in_every_phase() {
    let long_id = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(256));
    let bad = [
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
        &long_id,
        r#"{"type":"subscribe","payload":{"query":"{me{id}}"}}"#,
        r#"{"type":"subscribe","id":"a"}"#,
        r#"{"type":"subscribe","id":"a","payload":"{me{id}}"}"#,
        r#"{"type":"subscribe","id":"a","payload":{}}"#,
        r#"{"type":"subscribe","id":"a","payload":{"query":1}}"#,
        r#"{"type":"subscribe","id":"a","payload":{"query":"q","variables":[]}}"#,
        r#"{"type":"subscribe","id":"a","payload":{"query":"q","operationName":1}}"#,
        r#"{"type":"subscribe","id":"a","payload":{"query":"q","extensions":1}}"#,
    ];
    for message in bad {
        for before in [&[][..], &[INIT], &[INIT, "@admitted"]] {
            let mut machine = Machine::default();
            for step in before {
                machine.on(event(step));
            }
            let actions: Vec<String> = machine.on(event(message)).iter().map(told).collect();
            assert!(
                actions.len() == 1 && actions[0].starts_with(BAD),
                "{message}: {actions:?}"
            );
            assert!(machine.on(event(INIT)).is_empty(), "nothing comes behind");
        }
    }
}

#[test]
fn ten_answers_are_waited_for_at_a_time_and_subscriptions_do_not_count() {
    let mut machine = Machine::default();
    machine.on(event(INIT));
    machine.on(event("@admitted"));
    let subscribe = |id: usize| SUBSCRIBE_A.replace(r#""a""#, &format!(r#""{id}""#));
    for id in 0..10 {
        assert!(machine.reads(), "{id}");
        machine.on(event(&subscribe(id)));
    }
    assert!(!machine.reads());
    machine.on(event("@listening 3"));
    assert!(machine.reads());
    machine.on(event(&subscribe(10)));
    assert!(!machine.reads());
    machine.on(event("@done 5"));
    assert!(machine.reads());
    machine.on(event(PING_TOKEN));
    assert!(
        !machine.reads(),
        "what comes behind a new token is asked with it"
    );
    machine.on(event("@refreshed"));
    assert!(machine.reads());
}

#[test]
fn messages_are_written_as_the_protocol_has_them() {
    let answer = Box::new(Response::new(Value::Object(Default::default())));
    let mut failed = Response::from_errors(vec![ServerError::new("no", None)]);
    failed.data = Value::Null;
    let table = [
        (ServerMessage::Ack, ACK),
        (ServerMessage::Pong(None), PONG),
        (
            ServerMessage::Next("a\"b".to_owned(), answer),
            r#"{"type":"next","id":"a\"b","payload":{"data":{}}}"#,
        ),
        (
            ServerMessage::Error("a".to_owned(), Box::new(failed)),
            r#"{"type":"error","id":"a","payload":[{"message":"no"}]}"#,
        ),
        (
            ServerMessage::Complete("a".to_owned()),
            r#"{"type":"complete","id":"a"}"#,
        ),
    ];
    for (message, text) in table {
        assert_eq!(message.to_text(), text);
    }
}

#[test]
fn a_close_frame_has_room_for_its_reason() {
    for id in ["é".repeat(127), "x".repeat(255)] {
        let close = Close::duplicate(&id);
        assert!(close.reason.len() <= 123, "{}", close.reason.len());
        assert!(close.reason.starts_with("Subscriber for "));
    }
    let close = Close::bad_request(&"é".repeat(100));
    assert!(close.reason.len() <= 123);
}

#[test]
fn no_token_is_ever_shown() {
    let message = ClientMessage::parse(INIT_TOKEN).expect("it is one");
    assert!(!format!("{message:?}").contains("abc"));
}
