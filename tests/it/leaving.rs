//! Leaving: for a while, or for good. What stays behind of whoever is deleted is searched for in every table.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    admins::admin,
    people::{SIGN_UP, person, sign_in},
    session_list::{Person, let_in, refused_soon},
    support::{Client, TestApp},
};

const DEACTIVATE_ME: &str =
    "mutation($password: String) { deactivateMe(input: { password: $password }) {
    user { id active } userErrors { code field } } }";

const DELETE_ME: &str = "mutation($password: String) { deleteMe(input: { password: $password }) {
    deletedIds userErrors { code field } } }";

/// The only field of a mutation's answer.
async fn leave(client: &Client, query: &str, password: Value) -> Value {
    let data = client.data(query, json!({ "password": password })).await;
    data.as_object().unwrap().values().next().unwrap().clone()
}

/// The rows of all tables that hold a text, in upper or lower case, plainly or as bytes: `table: rows` in alphabetical
/// order.
pub(crate) async fn where_is(app: &TestApp, text: &str) -> String {
    let sql = format!(
        "SELECT coalesce(string_agg(name || ': ' || n, ', ' ORDER BY name), '') FROM (
             SELECT table_name::text AS name, (xpath('/row/n/text()', query_to_xml(format(
                 'SELECT count(*) AS n FROM %I AS t WHERE strpos(lower(t::text), %L) > 0 OR strpos(t::text, %L) > 0',
                 table_name, lower('{text}'), encode('{text}', 'hex')), false, true, '')))[1]::text::bigint AS n
             FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
         ) AS counted WHERE n > 0"
    );
    app.text(&sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_shows_that_it_is_them() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let wrong = json!([{ "code": "INVALID_CREDENTIALS", "field": ["input", "password"] }]);
    let long = "x".repeat(100_000);
    for query in [DEACTIVATE_ME, DELETE_ME] {
        for password in [
            json!("wrong horse"),
            Value::Null,
            json!(""),
            json!("correct horse\0"),
            json!(long),
        ] {
            let payload = leave(&ada.client, query, password).await;
            assert_eq!(payload["userErrors"], wrong);
            let nothing = payload.get("user").or(payload.get("deletedIds"));
            assert_eq!(nothing, Some(&Value::Null));
        }
        let variables = json!({ "password": "correct horse" });
        let code = app.visitor().error_code(query, variables).await;
        assert_eq!(code, "UNAUTHENTICATED");
    }
    assert!(let_in(&ada.client).await);
    // Nobody has a password who has come by another way, so any is wrong.
    app.sql("UPDATE users SET password_hash = NULL").await;
    for query in [DEACTIVATE_ME, DELETE_ME] {
        for password in [Value::Null, json!("correct horse"), json!("")] {
            let payload = leave(&ada.client, query, password).await;
            assert_eq!(payload["userErrors"], wrong);
        }
    }
    let there = "SELECT count(*) FROM users WHERE is_active";
    assert_eq!(app.number(there).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_deactivates_themselves_is_out_everywhere_and_keeps_everything() {
    let app = TestApp::start().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let ada = Person::signed_up(&app, "ada").await;
    let elsewhere = Person::signed_in(&app, "ada").await.at(&other);
    let there = ada.at(&other);
    let grace = Person::signed_up(&app, "grace").await;
    let make = "mutation { createCourse(input: { name: \"Looms\" }) { course { id } } }";
    ada.client.data(make, json!({})).await;
    assert!(let_in(&there).await && let_in(&elsewhere).await);
    let payload = leave(&ada.client, DEACTIVATE_ME, json!("correct horse")).await;
    let user = json!({ "id": ada.id, "active": false });
    assert_eq!(payload, json!({ "user": user, "userErrors": [] }));
    assert!(!let_in(&ada.client).await, "at once, here");
    refused_soon(&[&there, &elsewhere]).await;
    let refused = sign_in(&app.visitor(), "ada@example.com", "correct horse").await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    assert!(let_in(&grace.client).await);
    let logged = "SELECT count(*) FROM audit_logs WHERE action = 'UPDATED' AND user_id = actor_id
        AND changes = '{\"active\": {\"old\": \"true\", \"new\": \"false\"}}' AND ip_address = '127.0.0.1'";
    assert_eq!(app.number(logged).await, 1);

    app.sql("UPDATE users SET is_active = true").await;
    let back = sign_in(&app.visitor(), "ada@example.com", "correct horse").await;
    let back = Person::of(&app, &back);
    let courses = back
        .client
        .data("{ courses { nodes { name } } }", json!({}));
    assert_eq!(
        courses.await["courses"]["nodes"],
        json!([{ "name": "Looms" }])
    );
}

/// Somebody who has left traces wherever one can, all of them with `zyxo` in it.
async fn with_traces(app: &TestApp) -> Person {
    let zyxo = Person::signed_up(app, "zyxo").await;
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "zyxo/1"),
        ("x-forwarded-for", "203.0.113.77"),
    ];
    let course = "018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f";
    let document = "courseId: \"018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f\", title: \"zyxo\", metadata: { zyxo: 1 }";
    let mutations = [
        format!("createCourse(input: {{ id: \"{course}\", name: \"zyxo\", description: \"zyxo\" }}) {{ course {{ id }} }}"),
        format!("createDocument(input: {{ {document}, originalText: \"zyxo\", formattedNote: \"zyxo\" }}) {{ document {{ id }} }}"),
        "createTask(input: { title: \"zyxo\", description: \"zyxo\" }) { task { id } }".to_owned(),
        "updateMe(input: { avatarUrl: \"https://example.com/zyxo.png\" }) { user { id } }".to_owned(),
        "updateProfile(input: { learningGoals: \"zyxo\" }) { user { id } }".to_owned(),
        "requestEmailVerification { accepted }".to_owned(),
        "requestEmailChange(input: { newEmail: \"zyxo@example.org\", password: \"correct horse\" }) { accepted }".to_owned(),
        "requestPasswordReset(input: { email: \"ZYXO@example.com\" }) { accepted }".to_owned(),
        "signIn(input: { email: \"zyxo@example.com\", password: \"correct horse\" }) { accessToken }".to_owned(),
        "deactivateMe(input: { password: \"wrong horse\" }) { userErrors { code } }".to_owned(),
        format!("trashItems(input: {{ ids: [\"{course}\"] }}) {{ userErrors {{ code }} }}"),
        "emptyTrash { deletedIds }".to_owned(),
        "createCourse(input: { name: \"zyxo\" }) { course { id } }".to_owned(),
    ];
    for mutation in mutations {
        let body = json!({ "query": format!("mutation {{ {mutation} }}") }).to_string();
        let sent = zyxo
            .client
            .http("POST", "/graphql", &headers, body.as_bytes());
        let answer = sent.await.json();
        assert!(answer.get("errors").is_none(), "{answer}");
    }
    app.sql(&format!(
        "INSERT INTO accounts (user_id, id, provider, provider_account_id, claimed_name)
         VALUES ('{}', gen_random_uuid(), 'oidc', 'zyxo', 'zyxo')",
        zyxo.id
    ))
    .await;
    zyxo
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_deleted_user_stays_but_that_they_were_deleted() {
    let app = TestApp::with(|settings| {
        settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        // Nobody listens there, so all mails stay in the outbox.
        settings.mail.smtp_url = Some("smtp://127.0.0.1:1".to_owned());
    })
    .await;
    let zyxo = with_traces(&app).await;
    app.sql("UPDATE users SET email_verified = true").await;
    let grace = Person::signed_up(&app, "grace").await;
    let traces = where_is(&app, "zyxo").await;
    for table in [
        "accounts",
        "audit_logs",
        "courses",
        "mail_tokens",
        "mails",
        "sessions",
        "tasks",
        "user_profiles",
        "users",
    ] {
        assert!(traces.contains(&format!("{table}: ")), "{table}: {traces}");
    }
    assert_ne!(where_is(&app, "203.0.113.77").await, "");
    let payload = leave(&zyxo.client, DELETE_ME, json!("correct horse")).await;
    assert_eq!(
        payload,
        json!({ "deletedIds": [zyxo.id], "userErrors": [] })
    );
    assert_eq!(where_is(&app, "zyxo").await, "mails: 1");
    assert_eq!(where_is(&app, "203.0.113.77").await, "");
    assert_eq!(where_is(&app, &zyxo.session).await, "revocations: 1");
    // That they left is told to other processes once for the user, once for the outside account.
    let ids = where_is(&app, &zyxo.id).await;
    assert!(ids.starts_with("audit_logs: 1, revocations: "), "{ids}");
    for (what, sql) in [
        (
            "the last entry says nothing else",
            format!(
                "SELECT count(*) FROM audit_logs WHERE user_id = '{0}' AND actor_id = '{0}' AND entity_id = '{0}'
                 AND action = 'DELETED' AND entity_type = 'User'
                 AND changes IS NULL AND ip_address IS NULL AND user_agent IS NULL",
                zyxo.id
            ),
        ),
        (
            "the farewell names an address alone",
            "SELECT count(*) FROM mails WHERE kind = 'account_deleted' AND recipient = 'zyxo@example.com'
             AND user_id IS NULL AND token_id IS NULL AND ip_address IS NULL AND user_agent IS NULL"
                .to_owned(),
        ),
        (
            "an outside account is known by its hash",
            "SELECT count(*) FROM former_accounts".to_owned(),
        ),
    ] {
        assert_eq!(app.number(&sql).await, 1, "{what}");
    }
    assert!(let_in(&grace.client).await);
    assert_ne!(where_is(&app, &grace.id).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_says_farewell_to_an_address_that_may_be_a_strangers() {
    let app = TestApp::with(|settings| {
        settings.mail.smtp_url = Some("smtp://127.0.0.1:1".to_owned());
    })
    .await;
    let ada = Person::signed_up(&app, "ada").await;
    leave(&ada.client, DELETE_ME, json!("correct horse")).await;
    assert_eq!(where_is(&app, "ada@example.com").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_is_out_everywhere_and_their_address_is_free() {
    let app = TestApp::start().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let ada = Person::signed_up(&app, "ada").await;
    let elsewhere = Person::signed_in(&app, "ada").await.at(&other);
    let there = ada.at(&other);
    let make = "mutation { createCourse(input: { name: \"Looms\" }) { course { id } } }";
    ada.client.data(make, json!({})).await;
    assert!(let_in(&there).await && let_in(&elsewhere).await);
    leave(&ada.client, DELETE_ME, json!("correct horse")).await;
    assert!(!let_in(&ada.client).await, "at once, here");
    refused_soon(&[&there, &elsewhere]).await;
    let refused = sign_in(&app.visitor(), "ada@example.com", "correct horse").await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS");

    let answer = app.visitor().data(SIGN_UP, person("ada")).await;
    let again = Person::of(&app, &answer["signUp"]);
    assert_ne!(again.id, ada.id);
    let query = "{ courses { totalCount } me { sessions { id } auditLog { nodes { action } } } }";
    let data = again.client.data(query, json!({})).await;
    assert_eq!(data["courses"]["totalCount"], 0);
    assert_eq!(data["me"]["sessions"], json!([{ "id": again.session }]));
    assert_eq!(
        data["me"]["auditLog"]["nodes"].as_array().unwrap().len(),
        2,
        "{data}"
    );
    assert!(!let_in(&ada.client).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_two_thousand_documents_is_deleted() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let make = "mutation { createCourse(input: { name: \"Looms\" }) { course { id } } }";
    ada.client.data(make, json!({})).await;
    app.sql(
        "INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)
         SELECT user_id, gen_random_uuid(), id, n::text, repeat('x', 5000), repeat('y', 5000), 'y'
         FROM courses, generate_series(1, 2000) AS n",
    )
    .await;
    let payload = leave(&ada.client, DELETE_ME, json!("correct horse")).await;
    assert_eq!(payload["deletedIds"], json!([ada.id]));
    while app.number("SELECT count(*) FROM users").await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ids = where_is(&app, &ada.id).await;
    assert!(ids.starts_with("audit_logs: 1, revocations: "), "{ids}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_does_not_wait_for_a_mail_that_cannot_be_sent() {
    // A mail server that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let app = TestApp::with(|settings| {
        settings.mail.smtp_url = Some(format!("smtp://{address}"));
    })
    .await;
    let ada = Person::signed_up(&app, "ada").await;
    let ask = "mutation { requestEmailVerification { accepted } }";
    ada.client.data(ask, json!({})).await;
    let _held = silent.accept().await.unwrap();
    let payload = leave(&ada.client, DELETE_ME, json!("correct horse")).await;
    assert_eq!(payload["deletedIds"], json!([ada.id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_from_where_a_deleted_admin_worked() {
    let app = TestApp::with(|settings| {
        settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let (root, other) = (admin(&app, "root").await, admin(&app, "other").await);
    let ada = Person::signed_up(&app, "ada").await;
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "zyxo/1"),
        ("x-forwarded-for", "203.0.113.77"),
    ];
    let query = "{ users { nodes { profile { proficiency } } } }";
    for client in [&root.client, &ada.client] {
        let body = json!({ "query": query }).to_string();
        let answer = client.http("POST", "/graphql", &headers, body.as_bytes());
        answer.await;
    }
    assert_eq!(where_is(&app, "zyxo").await, "audit_logs: 2");
    let payload = leave(&root.client, DELETE_ME, json!("correct horse")).await;
    assert_eq!(payload["userErrors"], json!([]));
    for trace in ["zyxo", "203.0.113.77"] {
        assert_eq!(where_is(&app, trace).await, "", "{trace}");
    }
    let noted = "SELECT count(*) FROM audit_logs WHERE action = 'PROFILE_READ'";
    assert_eq!(app.number(noted).await, 2, "that somebody read it stays");
    assert!(let_in(&other.client).await);
}
