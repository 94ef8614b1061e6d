//! Deactivating and deleting accounts. Every table is searched for what is left of a deleted user.

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    Client, PASSWORD, Person, TestApp, codes, errors, eventually_eq, list, trust_proxies,
};

/// The tables that hold a text, in upper or lower case, plainly or as bytes, as `table: rows` in alphabetical order.
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

/// Deactivates or deletes an account.
async fn leave(client: &Client, mutation: &str, password: &Value) -> Value {
    match mutation {
        "deactivateMe" => client.deactivate_me(password).await,
        _ => client.delete_me(password).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_requires_the_password() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let long = json!("x".repeat(100_000));
    let (wrong, padded) = (json!("wrong horse"), json!("correct horse\0"));
    for mutation in ["deactivateMe", "deleteMe"] {
        for password in [&wrong, &Value::Null, &json!(""), &padded, &long] {
            let payload = leave(&ada, mutation, password).await;
            assert_eq!(errors(&payload), ["INVALID_CREDENTIALS password"]);
            let nothing = payload.get("user").or(payload.get("deletedIds"));
            assert_eq!(nothing, Some(&Value::Null));
        }
        let input = json!({ "password": PASSWORD });
        let code = app.anonymous().mutation_error(mutation, input).await;
        assert_eq!(code, "UNAUTHENTICATED");
    }
    assert!(ada.is_accepted().await);
    // A user without a password has none that matches.
    app.sql("UPDATE users SET password_hash = NULL").await;
    for mutation in ["deactivateMe", "deleteMe"] {
        for password in [Value::Null, json!(PASSWORD), json!("")] {
            let payload = leave(&ada, mutation, &password).await;
            assert_eq!(errors(&payload), ["INVALID_CREDENTIALS password"]);
        }
    }
    assert_eq!(app.count("users WHERE is_active").await, 1);
}

/// Ada, who has a course, leaves by this mutation: her sessions end in all processes, and she cannot sign in. Returns the payload.
async fn sessions_end(app: &TestApp, ada: &Person, mutation: &str) -> Value {
    let other = app.another().await;
    let sessions = [ada.at(&other), app.signed_in("ada").await.at(&other)];
    ada.create_course("Looms").await;
    for session in &sessions {
        assert!(session.is_accepted().await);
    }
    let payload = leave(ada, mutation, &json!(PASSWORD)).await;
    assert!(!ada.is_accepted().await, "at once, here");
    for session in &sessions {
        session.eventually_rejected().await;
    }
    let refused = app.anonymous().sign_in("ada@example.com", PASSWORD).await;
    assert_eq!(codes(&refused), ["INVALID_CREDENTIALS"]);
    payload
}

#[tokio::test(flavor = "multi_thread")]
async fn deactivating_ends_all_sessions_and_keeps_all_items() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    let payload = sessions_end(&app, &ada, "deactivateMe").await;
    let user = json!({ "id": ada.id, "active": false });
    assert_eq!(payload, json!({ "user": user, "userErrors": [] }));
    assert!(grace.is_accepted().await);
    let logged = "audit_logs WHERE action = 'UPDATED' AND user_id = actor_id
        AND changes = '{\"active\": {\"old\": \"true\", \"new\": \"false\"}}' AND ip_address = '127.0.0.1'";
    assert_eq!(app.count(logged).await, 1);

    app.sql("UPDATE users SET is_active = true").await;
    let back = app.signed_in("ada").await;
    let courses = back.query("{ courses { nodes { name } } }").await;
    assert_eq!(courses["courses"]["nodes"], json!([{ "name": "Looms" }]));
}

/// A user who has left traces in every table that can have them, each with `zyxomma` in it, which no random hash contains.
async fn with_traces(app: &TestApp) -> Person {
    let person = app.signed_up("zyxomma").await;
    let zyxomma = person.using("zyxomma/1").from("203.0.113.77");
    let input = json!({ "name": "zyxomma", "description": "zyxomma" });
    let course = zyxomma.create("Course", input).await;
    let document = json!({ "courseId": course, "title": "zyxomma", "metadata": { "zyxomma": 1 },
                           "originalText": "zyxomma", "formattedNote": "zyxomma" });
    zyxomma.create("Document", document).await;
    let task = json!({ "title": "zyxomma", "description": "zyxomma" });
    let task = zyxomma.create("Task", task).await;
    let tag = zyxomma.create("Tag", json!({ "name": "zyxomma" })).await;
    let tagged = json!({ "ids": [task], "add": [tag] });
    zyxomma.mutate("tagItems", tagged, "").await;
    let avatar = json!({ "avatarUrl": "https://example.com/zyxomma.png" });
    zyxomma.mutate("updateMe", avatar, "").await;
    let profile = json!({ "learningGoals": "zyxomma" });
    zyxomma.mutate("updateProfile", profile, "").await;
    zyxomma.request_email_verification().await;
    zyxomma
        .request_email_change("zyxomma@example.org", PASSWORD)
        .await;
    zyxomma.request_password_reset("ZYXOMMA@example.com").await;
    zyxomma.sign_in("zyxomma@example.com", PASSWORD).await;
    zyxomma.deactivate_me("wrong horse").await;
    zyxomma.trash(&[course]).await;
    zyxomma.mutate("emptyTrash", Value::Null, "").await;
    zyxomma.create_course("zyxomma").await;
    app.sql(&format!(
        "INSERT INTO accounts (user_id, id, provider, provider_account_id, claimed_name)
         VALUES ('{}', gen_random_uuid(), 'oidc', 'zyxomma', 'zyxomma')",
        person.id
    ))
    .await;
    person
}

/// The record of zyxomma's deletion: an entry, a mail and a hash without anything else.
async fn only_the_record_is_left(app: &TestApp, id: &str) {
    let entry = format!(
        "audit_logs WHERE user_id = '{id}' AND actor_id = '{id}' AND entity_id = '{id}'
         AND action = 'DELETED' AND entity_type = 'User'
         AND changes IS NULL AND ip_address IS NULL AND user_agent IS NULL"
    );
    let mail = "mails WHERE kind = 'account_deleted' AND recipient = 'zyxomma@example.com'
        AND user_id IS NULL AND token_id IS NULL AND ip_address IS NULL AND user_agent IS NULL";
    for rows in [&entry, mail, "former_accounts"] {
        assert_eq!(app.count(rows).await, 1, "{rows}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_deleted_user_except_the_record_of_the_deletion() {
    let app = TestApp::behind_a_proxy().await;
    let zyxomma = with_traces(&app).await;
    app.sql("UPDATE users SET email_verified = true").await;
    let grace = app.signed_up("grace").await;
    let traces = where_is(&app, "zyxomma").await;
    let tables = "accounts audit_logs courses mail_tokens mails sessions tasks user_profiles users";
    for table in tables.split(' ') {
        assert!(traces.contains(&format!("{table}: ")), "{table}: {traces}");
    }
    assert_ne!(where_is(&app, "203.0.113.77").await, "");
    let payload = zyxomma.delete_me(PASSWORD).await;
    let expected = json!({ "deletedIds": [zyxomma.id], "userErrors": [] });
    assert_eq!(payload, expected);
    // A mail that a worker held is dropped at the next attempt to deliver it.
    let left = async || where_is(&app, "zyxomma").await;
    eventually_eq("only the last mail is left", "mails: 1".to_owned(), left).await;
    assert_eq!(where_is(&app, "203.0.113.77").await, "");
    assert_eq!(where_is(&app, &zyxomma.session).await, "revocations: 1");
    // Other processes learn of the deletion once for the user and once for the external account.
    let ids = where_is(&app, &zyxomma.id).await;
    assert!(ids.starts_with("audit_logs: 1, revocations: "), "{ids}");
    only_the_record_is_left(&app, &zyxomma.id).await;
    assert!(grace.is_accepted().await);
    assert_ne!(where_is(&app, &grace.id).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mail_is_sent_to_an_unverified_address_after_a_deletion() {
    let (app, ada) = TestApp::keeping_mails().await.with_user("ada").await;
    ada.delete_me(PASSWORD).await;
    assert_eq!(where_is(&app, "ada@example.com").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_ends_all_sessions_and_frees_the_email_address() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    sessions_end(&app, &ada, "deleteMe").await;
    let again = app.signed_up("ada").await;
    assert_ne!(again.id, ada.id);
    let query = "{ courses { totalCount } me { sessions { id } auditLog { nodes { action } } } }";
    let data = again.query(query).await;
    assert_eq!(data["courses"]["totalCount"], 0);
    assert_eq!(data["me"]["sessions"], json!([{ "id": again.session }]));
    assert_eq!(list(&data["me"]["auditLog"]["nodes"]).len(), 2, "{data}");
    assert!(!ada.is_accepted().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_two_thousand_documents_is_deleted() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    ada.create_course("Looms").await;
    app.sql(
        "INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)
         SELECT user_id, gen_random_uuid(), id, n::text, repeat('x', 5000), repeat('y', 5000), 'y'
         FROM courses, generate_series(1, 2000) AS n",
    )
    .await;
    let payload = ada.delete_me(PASSWORD).await;
    assert_eq!(payload["deletedIds"], json!([ada.id]));
    app.eventually_count("users", 0).await;
    let ids = where_is(&app, &ada.id).await;
    assert!(ids.starts_with("audit_logs: 1, revocations: "), "{ids}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_does_not_wait_for_mail_delivery() {
    // A mail server that accepts connections and never responds.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let app = TestApp::with(|settings| {
        settings.mail.smtp_url = Some(format!("smtp://{address}"));
    })
    .await;
    let ada = app.signed_up("ada").await;
    ada.request_email_verification().await;
    let _held = silent.accept().await.unwrap();
    let payload = ada.delete_me(PASSWORD).await;
    assert_eq!(payload["deletedIds"], json!([ada.id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_logs_of_others_keep_no_addresses_of_a_deleted_admin() {
    let app = TestApp::with(trust_proxies).await;
    let (root, other) = (app.admin("root").await, app.admin("other").await);
    let ada = app.signed_up("ada").await;
    let query = "{ users { nodes { profile { proficiency } } } }";
    for client in [&root, &ada] {
        let client = client.using("zyxomma/1").from("203.0.113.77");
        client.graphql(query, json!({})).await;
    }
    assert_eq!(where_is(&app, "zyxomma").await, "audit_logs: 2");
    let payload = root.delete_me(PASSWORD).await;
    assert_eq!(payload["userErrors"], json!([]));
    for trace in ["zyxomma", "203.0.113.77"] {
        assert_eq!(where_is(&app, trace).await, "", "{trace}");
    }
    let noted = "audit_logs WHERE action = 'PROFILE_READ'";
    assert_eq!(app.count(noted).await, 2, "the record of the read stays");
    assert!(other.is_accepted().await);
}
