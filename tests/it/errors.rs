//! Errors of requests: their codes, statuses and messages, over every transport, and `docs/errors.md` about them.

mod user_errors;

use serde_json::{Value, json};

use crate::{
    subscriptions::socket::Socket,
    support::{Answer, Client, Person, TestApp, mutation},
};

const DOCUMENTATION: &str = include_str!("../../docs/errors.md");

/// The cells of each row of the table whose header starts with these cells.
fn table(header: &str) -> Vec<Vec<&'static str>> {
    let (_, rows) = DOCUMENTATION.split_once(header).unwrap();
    let rows = rows.lines().skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// The codes in the first cells, sorted.
fn documented(header: &str) -> Vec<String> {
    let rows = table(header).into_iter();
    let mut codes: Vec<String> = rows.map(|row| row[0].replace('`', "")).collect();
    codes.sort();
    codes
}

#[test]
fn every_code_is_documented_and_every_documented_code_exists() {
    let source = include_str!("../../src/error.rs");
    let (_, list) = source.split_once("\ncodes! {\n").unwrap();
    let list = list.lines().take_while(|line| *line != "}");
    let named = list.filter_map(|line| line.strip_suffix("\",")?.split_once(" = \""));
    let mut codes: Vec<String> = named.map(|(_, code)| code.to_owned()).collect();
    codes.sort();
    assert!(codes.len() >= 12, "{codes:?}");
    assert_eq!(documented("| `extensions.code` |"), codes);
    let schema = include_str!("../../schema.graphql");
    let (_, rest) = schema.split_once("enum UserErrorCode {").unwrap();
    let (values, _) = rest.split_once("\n}").unwrap();
    let is_code = |line: &&str| {
        line.chars()
            .all(|one| one.is_ascii_uppercase() || one == '_')
    };
    let codes = values
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let mut codes: Vec<String> = codes.filter(is_code).map(str::to_owned).collect();
    codes.sort();
    assert_eq!(documented("| `code` |"), codes);
}

/// The documented statuses of a request that is not executed, by the media type of its response.
fn statuses(code: &str) -> (u16, u16) {
    let rows = table("| `extensions.code` |");
    let row = rows.iter().find(|row| row[0] == format!("`{code}`"));
    let (graphql, json) = row.unwrap()[1].split_once(" / ").unwrap();
    (graphql.parse().unwrap(), json.parse().unwrap())
}

async fn posted(client: &Client, accept: &str, body: &Value) -> (u16, Value) {
    let headers = [("content-type", "application/json"), ("accept", accept)];
    let answer = client.post_body(&headers, body.to_string()).await;
    (answer.status, answer.json())
}

const CREATE: &str = "mutation($input: CreateTaskInput!) { createTask(input: $input) { task { id } userErrors { code } } }";

/// Requests that are not executed, with their code and a part of their message.
fn rejected() -> Vec<(Value, &'static str, &'static str)> {
    let large = "{ courses(first: 100) { nodes { documents(first: 100) { nodes { course { tasks(first: 50) { nodes { id } } } } } } } }";
    let create = |input: Value| json!({ "query": CREATE, "variables": { "input": input } });
    let query = |query: &str| json!({ "query": query });
    vec![
        (
            json!({ "query": "query Reading { me { id } }", "operationName": "Readin" }),
            "BAD_REQUEST",
            "no operation named `Readin`. Did you mean `Reading`?",
        ),
        (
            query("query A { me { id } } query B { me { id } }"),
            "BAD_REQUEST",
            "Set `operationName`",
        ),
        (query(""), "PARSE_FAILED", "The document is empty."),
        (
            query("{ me { id "),
            "PARSE_FAILED",
            "The document ends unexpectedly; a `}` is missing.",
        ),
        (
            query("{ me { name(\"a) } }"),
            "PARSE_FAILED",
            "The string is not terminated.",
        ),
        (
            query("{ me { email { x } } }"),
            "VALIDATION_FAILED",
            "`email` of type `String` has no fields.",
        ),
        (
            query("{ me { emial } }"),
            "VALIDATION_FAILED",
            "Did you mean `email`",
        ),
        (
            query("{ tasks(frist: 5) { totalCount } }"),
            "VALIDATION_FAILED",
            "`Query.tasks` has no argument `frist`. Did you mean `first`?",
        ),
        (
            query("{ tasks(filter: {priority: HIHG}) { totalCount } }"),
            "VALIDATION_FAILED",
            "Did you mean `HIGH`?",
        ),
        (
            query("{ tasks(first: 10.0) { totalCount } }"),
            "VALIDATION_FAILED",
            "`first` must be of type `Int`; got a float.",
        ),
        (
            query("{ node(id: 1) { titel title } }"),
            "VALIDATION_FAILED",
            "`Node` has no field `title`. Did you mean",
        ),
        (
            query("{ tasks(filter: {dueBefore: \"2026-03-01\"}) { totalCount } }"),
            "BAD_USER_INPUT",
            "`filter.dueBefore` must include a time and an offset; got the date `2026-03-01`.",
        ),
        (
            create(json!({ "title": "A", "dueAt": "2026-03-01" })),
            "BAD_USER_INPUT",
            "`$input.dueAt` must include a time and an offset; got the date `2026-03-01`. Send `2026-03-01T00:00:00Z` for midnight in UTC. Or use `dueOn`, which accepts this value.",
        ),
        (
            create(json!({ "title": "A", "dueAt": "2026-03-01T08:00" })),
            "BAD_USER_INPUT",
            "`$input.dueAt` must include an offset from UTC. Send `2026-03-01T08:00:00Z`",
        ),
        (
            create(json!({ "titel": "A" })),
            "BAD_USER_INPUT",
            "`$input.title` of type `String!` is required.",
        ),
        (
            create(json!({ "title": "A", "priority": "high" })),
            "BAD_USER_INPUT",
            "`$input.priority` must be a value of `TaskPriority`; got `high`. Did you mean `HIGH`?",
        ),
        (
            query(large),
            "QUERY_TOO_COMPLEX",
            "`courses.nodes.documents",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_requests_have_the_documented_status_and_a_helpful_message() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    for (body, code, message) in rejected() {
        let (graphql, json) = statuses(code);
        for (accept, status) in [
            ("application/graphql-response+json", graphql),
            ("application/json", json),
        ] {
            let (actual, response) = posted(&ada, accept, &body).await;
            assert_eq!(actual, status, "{accept} {body}: {response}");
            assert!(response.get("data").is_none(), "{body}: {response}");
            let errors = response["errors"].as_array().unwrap();
            let is_expected = |error: &Value| {
                error["extensions"]["code"] == code
                    && error["message"].as_str().unwrap().contains(message)
            };
            assert!(errors.iter().any(is_expected), "{body}: {response}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_transports_have_the_same_messages() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let mut socket = Socket::of(&ada).await;
    for (body, code, message) in rejected() {
        let payload = json!({ "type": "subscribe", "id": "a", "payload": body });
        socket.send(payload).await;
        let error = socket.message().await;
        assert_eq!(error["type"], "error", "{body}: {error}");
        let errors = error["payload"].to_string();
        assert!(errors.contains(code), "{body}: {errors}");
        let quoted = json!(message).to_string();
        assert!(
            errors.contains(quoted.trim_matches('"')),
            "{body}: {errors}"
        );
        let (status, events) = as_events(&ada, &body).await;
        assert_eq!(status, 200, "{body}: {events}");
        assert!(
            events.contains(quoted.trim_matches('"')),
            "{body}: {events}"
        );
    }
}

/// The status and the body of a request that prefers events.
async fn as_events(client: &Client, body: &Value) -> (u16, String) {
    let headers = [
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
    ];
    let answer = client.post_body(&headers, body.to_string()).await;
    (answer.status, answer.body)
}

/// What is wrong with the form of a message.
pub(super) fn flaw(message: &str) -> Option<&'static str> {
    let starts = message.chars().next();
    if !starts.is_some_and(|first| first == '`' || first.is_uppercase()) {
        return Some("it must start with a capital letter or with code");
    }
    if !message.ends_with(['.', '?']) {
        return Some("it must end as a sentence");
    }
    let code = message.matches('`').count();
    let outside = message.split('`').step_by(2).collect::<String>();
    let is_foreign = |one: char| matches!(one, '"' | '$' | '{' | '}' | '@' | '_' | '<');
    let camel_case = outside.split_whitespace().any(|word| {
        let mut letters = word.chars().skip_while(char::is_ascii_lowercase);
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && letters.next().is_some_and(|next| next.is_ascii_uppercase())
    });
    (!code.is_multiple_of(2) || outside.contains(is_foreign) || camel_case)
        .then_some("its code must be in backticks")
}

/// Documents that fail while they are executed.
const FAILING: &[&str] = &[
    "{ tasks(first: 0) { totalCount } }",
    "{ tasks(first: 5, last: 5) { totalCount } }",
    "{ tasks(first: 5, after: \"x\") { totalCount } }",
    "{ tasks(offset: -1) { totalCount } }",
    "{ tasks(offset: 5, last: 5) { totalCount } }",
    "{ tasks(filter: {titleContains: \"\\u0000\"}) { totalCount } }",
    "{ search(query: \"a\", after: \"x\") { nodes { __typename } } }",
    "{ changes(after: \"x\") { nodes { cursor } } }",
    "{ users { totalCount } }",
    "mutation { updateUser(input: {id: \"x\"}) { userErrors { code } } }",
];

/// Bodies that are no GraphQL requests.
const NO_REQUESTS: &[&str] = &[
    "",
    "{",
    "[]",
    "1",
    "{}",
    "{\"query\":1}",
    "{\"query\":\"{ me { id } }\",\"variables\":[]}",
    "{\"query\":\"{ me { id } }\",\"variables\":{\"a\":1e400}}",
    "{\"query\":\"{ me { id } }\",\"operationName\":1}",
    "{\"query\":\"{ me { id } }\",\"extensions\":1}",
    "{\"query\":\"subscription { changes { cursor } }\"}",
];

/// The responses to requests that fail while they are executed, or before they are read.
async fn failing(ada: &Person, anonymous: &Client) -> Vec<Value> {
    let mut responses = Vec::new();
    for query in FAILING {
        for client in [&**ada, anonymous] {
            responses.push(client.graphql(query, json!({})).await);
        }
    }
    for body in NO_REQUESTS {
        for content_type in ["application/json", "text/plain"] {
            let headers = [
                ("content-type", content_type),
                ("accept", "application/json"),
            ];
            let answer = ada.post_body(&headers, body).await;
            assert!((400..500).contains(&answer.status), "{body}: {answer:?}");
            responses.push(answer.json());
        }
    }
    for path in [
        "/graphql?query=mutation{signOut{userErrors{code}}}",
        "/graphql?variables=1",
    ] {
        responses.push(ada.get(path).await.json());
    }
    let invalid = anonymous.with_token("nonsense");
    responses.push(invalid.graphql("{ me { id } }", json!({})).await);
    responses
}

#[tokio::test(flavor = "multi_thread")]
async fn all_messages_are_sentences_with_code_in_backticks() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let mut responses = failing(&ada, &app.anonymous()).await;
    for (body, ..) in rejected() {
        responses.push(posted(&ada, "application/json", &body).await.1);
    }
    let mut seen = 0;
    for error in responses
        .iter()
        .filter_map(|one| one["errors"].as_array())
        .flatten()
    {
        let message = error["message"].as_str().unwrap();
        assert_eq!(flaw(message), None, "{message}");
        seen += 1;
    }
    assert!(seen > 50, "{seen} messages");
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptions_of_operations_are_accepted_over_every_transport() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let query = "\"\"\"\nReads the \"user\".\n\"\"\" query Reading(\"whether\" $all: Boolean = true) { me { ...Names @include(if: $all) } } \"the names\" fragment Names on User { name }";
    let expected = json!({ "me": { "name": ada.query("{ me { name } }").await["me"]["name"] } });
    assert_eq!(ada.data(query, json!({})).await, expected);
    let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let by_get = ada.get(&format!("/graphql?query={encoded}")).await.json();
    assert_eq!(by_get["data"], expected, "{by_get}");
    let mut socket = Socket::of(&ada).await;
    socket.subscribe("a", query, json!({})).await;
    let next = socket.message().await;
    assert_eq!(next["payload"]["data"], expected, "{next}");
    let (_, events) = as_events(&ada, &json!({ "query": query })).await;
    assert!(events.contains(&expected.to_string()), "{events}");
}

const LIST: &str = "query($n: Int) { tasks(first: $n) { nodes { id } } }";

/// The response to a query with variables in this JSON text.
async fn send(client: &Client, query: &str, variables: &str) -> Answer {
    let body = format!("{{\"query\":{},\"variables\":{variables}}}", json!(query));
    let headers = [("content-type", "application/json")];
    client.post_body(&headers, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_are_integers_however_json_writes_them() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let task = ada.create_task(None, "A").await;
    for number in ["10", "10.0", "1e1", "1.0E+1"] {
        let answer = send(&ada, LIST, &format!("{{\"n\":{number}}}"))
            .await
            .json();
        assert_eq!(
            answer["data"]["tasks"]["nodes"][0]["id"], task,
            "{number}: {answer}"
        );
    }
    let update = mutation("updateTask", "task { version }");
    let input = format!("{{\"input\":{{\"id\":\"{task}\",\"title\":\"B\",\"version\":1.0}}}}");
    let answer = send(&ada, &update, &input).await.json();
    assert_eq!(
        answer["data"]["updateTask"]["task"]["version"], 2,
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_numbers_are_rejected_with_the_range() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    for (number, status, message) in [
        (
            "10.5",
            200,
            "`$n` must be a 32-bit integer (-2147483648 to 2147483647); got `10.5`.",
        ),
        ("2147483648", 200, "got `2147483648`."),
        ("-2147483649.0", 200, "got `-2147483649.0`."),
        ("1e30", 200, "got `1e+30`."),
        ("\"10\"", 200, "`$n` must be of type `Int`; got a string."),
        ("1e400", 400, "does not fit into 64 bits."),
    ] {
        let answer = send(&ada, LIST, &format!("{{\"n\":{number}}}")).await;
        assert_eq!(answer.status, status, "{number}: {answer:?}");
        assert!(answer.body.contains(message), "{number}: {answer:?}");
    }
    let by_id = "query($id: ID!) { task(id: $id) { id } }";
    for (id, has_errors) in [("7", false), ("18446744073709551615", false), ("1.5", true)] {
        let answer = send(&ada, by_id, &format!("{{\"id\":{id}}}")).await.json();
        assert_eq!(answer.get("errors").is_some(), has_errors, "{id}: {answer}");
    }
}
