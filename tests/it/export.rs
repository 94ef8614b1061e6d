//! `GET /export`: all data of a user as a zip file, and nothing of other users.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    images::with_image,
    support::{Person, TestApp, eventually, text},
};

/// The files of an archive.
type Files = BTreeMap<String, Vec<u8>>;

async fn get(app: &TestApp, token: Option<&str>) -> reqwest::Response {
    let request = reqwest::Client::new().get(format!("http://{}/export", app.address));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.unwrap()
}

fn files(zip: &[u8]) -> Files {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut files = Files::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(file.name().unwrap().into_owned(), bytes);
    }
    files
}

async fn exported(app: &TestApp, person: &Person) -> Files {
    let response = get(app, person.token.as_deref()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/zip");
    assert_eq!(response.headers()["cache-control"], "no-store");
    files(&response.bytes().await.unwrap())
}

/// The objects in a file.
fn lines(files: &Files, name: &str) -> Vec<Value> {
    let text = std::str::from_utf8(&files[name]).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_everything_of_its_user_and_nothing_of_others() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    grace.create_course("A course of grace").await;
    let course = ada.create_course("Looms").await;
    let document = ada.create_document(&course, "Patterns of *Jacquard*").await;
    let task = ada.create_task(Some(&course), "Weave").await;
    let trashed = ada.create_task(None, "Unpick").await;
    ada.mutate("trashItems", json!({ "ids": [trashed] }), "")
        .await;
    let tag = ada
        .mutate("createTag", json!({ "name": "cloth" }), "tag { id }")
        .await;
    let tag = text(&tag["tag"]["id"]);
    let tagged = json!({ "add": [tag], "ids": [document, task] });
    ada.mutate("tagItems", tagged, "").await;
    let image = with_image(&ada, &document).await;

    let files = exported(&app, &ada).await;
    let logged = "audit_logs WHERE action = 'EXPORTED' AND entity_type = 'User'";
    let own = format!(
        "{logged} AND user_id = '{0}' AND actor_id = '{0}' AND ip_address = '127.0.0.1'",
        ada.id
    );
    assert_eq!((app.count(logged).await, app.count(&own).await), (1, 1));
    let about: Value = serde_json::from_slice(&files["export.json"]).unwrap();
    assert_eq!(
        (&about["format"], &about["userId"]),
        (&json!(1), &json!(ada.id))
    );
    let profile = &lines(&files, "profile.ndjson")[0];
    assert_eq!(profile["email"], "ada@example.com");
    assert_eq!(profile["profile"]["proficiency"], "PRO");
    assert_eq!(lines(&files, "courses.ndjson")[0]["name"], "Looms");
    assert_eq!(lines(&files, "tags.ndjson")[0]["id"], json!(tag));
    let documents = lines(&files, "documents.ndjson");
    assert_eq!(documents[0]["formattedNote"], "Patterns of *Jacquard*");
    assert_eq!(documents[0]["courseId"], json!(course));
    assert_eq!(documents[0]["tagIds"], json!([tag]));
    assert_eq!(files[documents[0]["image"].as_str().unwrap()], image);
    let tasks = lines(&files, "tasks.ndjson");
    let statuses: BTreeMap<&str, &str> = tasks
        .iter()
        .map(|task| {
            (
                task["title"].as_str().unwrap(),
                task["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        statuses,
        BTreeMap::from([("Unpick", "TRASH"), ("Weave", "ACTIVE")])
    );
    for (name, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("grace"), "{name}: {text}");
        assert!(!text.contains("argon2"), "{name}: {text}");
    }
}

/// Thousands of rows take several pages, and the sizes of pages are limited.
#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_exported_once_from_one_snapshot() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Looms").await;
    app.sql(&format!(
        "INSERT INTO tasks (user_id, id, title) SELECT '{id}', gen_random_uuid(), 'Task ' || n FROM generate_series(1, 1201) AS n;
         INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)
         SELECT '{id}', gen_random_uuid(), '{course}', 'Document ' || n, repeat('ä', 600000), '', '' FROM generate_series(1, 5) AS n",
        id = ada.id
    ))
    .await;
    let files = exported(&app, &ada).await;
    for (name, title, count) in [
        ("tasks.ndjson", "Task", 1201),
        ("documents.ndjson", "Document", 5),
    ] {
        let mut titles: Vec<String> = lines(&files, name)
            .iter()
            .map(|line| text(&line["title"]))
            .collect();
        titles.sort();
        let mut expected: Vec<String> = (1..=count).map(|n| format!("{title} {n}")).collect();
        expected.sort();
        assert_eq!(titles, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_needs_a_valid_token_and_get() {
    let app = TestApp::start().await;
    // Without credentials, the challenge names no error (RFC 6750, section 3.1).
    for (token, names_error) in [(None, false), (Some("nonsense"), true)] {
        let response = get(&app, token).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        assert_eq!(challenge.contains("error="), names_error, "{challenge}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
    let ada = app.signed_up("ada").await;
    for method in ["POST", "HEAD", "DELETE"] {
        let answer = ada.http(method, "/export", &[], b"").await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET"), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_limited_per_user_and_hour() {
    let limit = |settings: &mut snapnote::app::AppSettings| {
        settings.auth.rate_limits.export = "2/h".parse().unwrap();
    };
    let (app, ada, grace) = TestApp::with(limit).await.with_users("ada", "grace").await;
    for _ in 0..2 {
        exported(&app, &ada).await;
    }
    let response = get(&app, ada.token.as_deref()).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(response.headers().contains_key("retry-after"));
    exported(&app, &grace).await;
}

/// A client that does not read its export holds one connection. When it disconnects, the export ends.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_not_read_ends_with_its_client() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    let course = ada.create_course("Looms").await;
    // Random text, more than the buffers of a TCP connection hold after compression.
    app.sql(&format!(
        "INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)
         SELECT '{}', gen_random_uuid(), '{course}', 'Document ' || n,
            (SELECT string_agg(md5(random()::text || n || m), '') FROM generate_series(1, 30000) AS m), '', ''
         FROM generate_series(1, 30) AS n",
        ada.id
    ))
    .await;
    let unread = get(&app, ada.token.as_deref()).await;
    assert_eq!(unread.status(), StatusCode::OK);
    let second = get(&app, ada.token.as_deref()).await;
    assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(second.headers().contains_key("retry-after"));
    let files = exported(&app, &grace).await;
    assert_eq!(lines(&files, "profile.ndjson").len(), 1);
    let snapshots =
        "pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'";
    app.eventually_count(snapshots, 1).await;
    drop(unread);
    app.eventually_count(snapshots, 0).await;
    eventually("another export can begin", async || {
        get(&app, ada.token.as_deref()).await.status() == StatusCode::OK
    })
    .await;
}
