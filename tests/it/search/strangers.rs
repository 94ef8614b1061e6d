//! What is another person's is never found, even where their scopes are one and the same.

use serde_json::json;

use super::{course, document, found, task};
use crate::support::{Client, TestApp};

/// Ways to ask for what says `Quagga stripes by Xerxes`.
const WAYS: [&str; 10] = [
    "quagga",
    "quag",
    "uagg",
    "quaaga",
    "\"quagga stripes\"",
    "q",
    "stripe OR xerxes",
    "xerx",
    "stripes -nothing",
    "by quagga",
];

async fn quagga(client: &Client) {
    let text = "Quagga stripes by Xerxes";
    let course = course(client, text, text).await;
    document(client, &course, text, text, text).await;
    task(client, &course, text, text).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_what_is_anothers_in_whatever_way_they_ask() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.signed_up("ada").await, app.signed_up("eve").await);
    quagga(&ada).await;
    course(&eve, "Mine", "nothing of the kind").await;
    for way in WAYS {
        assert_eq!(found(&ada, way).await.len(), 3, "{way}");
        assert_eq!(found(&eve, way).await, [""; 0], "{way}");
    }
    let answer = app
        .visitor()
        .error_code(super::SEARCH, json!({ "query": "quagga" }))
        .await;
    assert_eq!(answer, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_in_anothers_course() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.signed_up("ada").await, app.signed_up("eve").await);
    let theirs = course(&ada, "Quagga", "").await;
    document(&ada, &theirs, "Quagga", "", "").await;
    let own = course(&eve, "Quagga", "").await;
    document(&eve, &own, "Quagga", "", "").await;
    let arguments = json!({ "query": "quagga", "courseId": theirs });
    assert_eq!(
        super::search(&eve, arguments).await["edges"],
        json!([]),
        "as if it were not there"
    );
}

/// Makes the only two users those of one scope: among some thousands of ids there are such. Neither has anything yet.
const TWINS: &str = "
    SET session_replication_role = replica;
    CREATE TEMP TABLE twins AS SELECT min(id::text)::uuid AS one, max(id::text)::uuid AS other
    FROM (SELECT md5(n::text)::uuid AS id FROM generate_series(1, 10000) AS n) AS ids
    GROUP BY search_scope(id) HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
    UPDATE sessions SET user_id = CASE name WHEN 'ada' THEN one ELSE other END FROM users, twins WHERE user_id = users.id;
    UPDATE users SET id = CASE name WHEN 'ada' THEN one ELSE other END FROM twins";

#[tokio::test(flavor = "multi_thread")]
async fn two_people_of_one_scope_find_their_own_alone() {
    let app = TestApp::start().await;
    app.signed_up("ada").await;
    app.signed_up("eve").await;
    app.sql(TWINS).await;
    let (ada, eve) = (signed_in(&app, "ada").await, signed_in(&app, "eve").await);
    let scopes = "SELECT count(DISTINCT id) * 10 + count(DISTINCT search_scope(id)) FROM users";
    assert_eq!(app.number(scopes).await, 21, "two people, one scope");
    quagga(&ada).await;
    let own = course(&eve, "Mine", "nothing of the kind").await;
    for way in WAYS {
        assert_eq!(found(&ada, way).await.len(), 3, "{way}");
        assert_eq!(found(&eve, way).await, [""; 0], "{way}");
    }
    document(&eve, &own, "Quaggas", "", "").await;
    assert_eq!(found(&eve, "quagga").await, ["Quaggas"]);
    assert_eq!(found(&eve, "xerxes").await, [""; 0]);
    assert_eq!(found(&ada, "quagga").await.len(), 3);
    assert_eq!(found(&ada, "quaggas -stripes").await, [""; 0]);
}

/// Somebody again, with a token that says who they are now.
async fn signed_in(app: &TestApp, name: &str) -> Client {
    let query = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { code } } }";
    let input = json!({ "email": format!("{name}@example.com"), "password": "correct horse" });
    let data = app.visitor().data(query, json!({ "input": input })).await;
    let token = data["signIn"]["accessToken"].as_str().unwrap();
    Client {
        address: app.address,
        token: Some(token.to_owned()),
    }
}
