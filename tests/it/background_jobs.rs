//! Background jobs: `/readyz` shows them, and a failing row or table delays no other.

use serde_json::{Value, json};
use snapnote::auth::Client as Caller;

use crate::support::{
    SmtpServer, TestApp, access_key, eventually, execute, migrated_database, with_log,
};

const NAMES: [&str; 20] = [
    "audit-log",
    "change-feed",
    "connection-pool",
    "dead-mails",
    "ended-sessions",
    "expired-mail-tokens",
    "expired-sessions",
    "images",
    "mail",
    "mail-delivery",
    "old-revocations",
    "pending-operations",
    "rate-limiter-pool",
    "rate-limits",
    "revocations",
    "search-indexes",
    "session-usage",
    "thumbnails",
    "titles",
    "trash",
];

/// What `/readyz` says; it must be ready.
async fn readiness(app: &TestApp) -> Value {
    let answer = app.anonymous().get("/readyz").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Waits until `/readyz` shows that state of a job.
async fn job_becomes(app: &TestApp, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(name, async || {
        let job = readiness(app).await["jobs"][name].take();
        if holds(&job) { Ok(job) } else { Err(job) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_shows_the_state_and_age_of_each_job() {
    let app = TestApp::with(|settings| settings.trash_days = 30).await;
    let jobs = readiness(&app).await["jobs"].take();
    let names: Vec<&str> = jobs
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(names, NAMES);
    for name in NAMES.into_iter().filter(|name| name.contains('-')) {
        let silent = [
            "change-feed",
            "connection-pool",
            "mail-delivery",
            "rate-limiter-pool",
        ];
        if silent.contains(&name) {
            continue;
        }
        let job = job_becomes(&app, name, |job| job["secondsSinceSuccess"].is_number()).await;
        let age = &job["secondsSinceSuccess"];
        let expected = json!({
            "state": "running", "failures": 0, "secondsSinceSuccess": age, "secondsSinceFailure": null });
        assert_eq!(job, expected, "{name}");
    }
}

#[test]
fn a_failing_table_delays_no_other_and_is_logged_once() {
    with_log(tracing::Level::DEBUG, |log| async move {
        let database = migrated_database().await;
        execute(&database,
            "INSERT INTO users (id, email, email_key, name) VALUES (gen_random_uuid(), 'ada@example.com', 'ada@example.com', 'Ada');
             INSERT INTO sessions (user_id, id, refresh_token_hash, created_at, expires_at)
             SELECT id, gen_random_uuid(), sha256('t'), now() - interval '181 days', now() FROM users, generate_series(1, 1200);
             INSERT INTO mails (kind, recipient, died_at) VALUES ('account_deleted', 'a@example.com', now() - interval '31 days');
             INSERT INTO rate_limits VALUES (gen_random_uuid(), now() - interval '1 minute');
             CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is worn out'; END $$;
             CREATE TRIGGER broken BEFORE DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION broken()",
        )
        .await;
        let app = TestApp::on(database, |_| {}).await;
        for table in ["mails", "rate_limits"] {
            app.eventually_count(table, 0).await;
        }
        let is_failing = |job: &Value| job["failures"].as_i64().is_some_and(|count| count >= 2);
        let job = job_becomes(&app, "expired-sessions", is_failing).await;
        assert_eq!(job["state"], "failing");
        assert_eq!(
            readiness(&app).await["jobs"]["dead-mails"]["state"],
            "running"
        );
        let of_job =
            |level| log.lines(&[level, "job=\"expired-sessions\"", "the disk is worn out"]);
        assert_eq!(of_job("ERROR"), 1, "{}", log.text());
        assert!(of_job("DEBUG") >= 1);
        assert_eq!(log.lines(&["ERROR"]), 1);

        app.sql("DROP TRIGGER broken ON sessions").await;
        app.eventually_count("sessions", 0).await;
        job_becomes(&app, "expired-sessions", |job| job["state"] == "running").await;
        assert_eq!(log.lines(&["INFO", "works again", "expired-sessions"]), 1);
    });
}

/// Rows that are due, in four tables; one of each cannot be deleted.
const STUCK: &str = "
    CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'it is stuck'; END $$;
    INSERT INTO users (id, email, email_key, name) VALUES (gen_random_uuid(), 'ada@example.com', 'ada@example.com', 'Ada');
    INSERT INTO revocations (subject_id, revoked_at)
    SELECT gen_random_uuid(), now() - n * interval '1 hour' FROM generate_series(2, 1502) AS n;
    CREATE TRIGGER stuck BEFORE DELETE ON revocations
        FOR EACH ROW WHEN (OLD.revoked_at < now() - interval '1501 hours 30 minutes') EXECUTE FUNCTION stuck();
    INSERT INTO sessions (user_id, id, refresh_token_hash, created_at, expires_at, ended_at, user_agent)
    SELECT users.id, gen_random_uuid(), sha256('t'), now() - interval '100 days', now(), now() - interval '91 days', n
    FROM users, generate_series(1, 1200) AS n;
    CREATE TRIGGER stuck BEFORE DELETE ON sessions
        FOR EACH ROW WHEN (OLD.user_agent = '3') EXECUTE FUNCTION stuck();
    INSERT INTO mails (kind, recipient, died_at)
    SELECT 'account_deleted', n || '@example.com', now() - interval '31 days' FROM generate_series(1, 50) AS n;
    CREATE TRIGGER stuck BEFORE DELETE ON mails
        FOR EACH ROW WHEN (OLD.recipient = '50@example.com') EXECUTE FUNCTION stuck();
    INSERT INTO audit_logs (user_id, action, entity_type, created_at)
    SELECT id, CASE n WHEN 400 THEN 'STUCK' ELSE 'SIGN_IN' END, 'Session', now() - make_interval(days => 366, mins => n)
    FROM users, generate_series(1, 1300) AS n;
    CREATE TRIGGER stuck BEFORE DELETE ON audit_logs
        FOR EACH ROW WHEN (OLD.action = 'STUCK') EXECUTE FUNCTION stuck()";

#[test]
fn a_failing_row_is_postponed_and_logged_and_all_others_are_deleted() {
    with_log(tracing::Level::INFO, |log| async move {
        let database = migrated_database().await;
        execute(&database, STUCK).await;
        let app = TestApp::on(database, |_| {}).await;
        for (job, due, id) in [
            (
                "old-revocations",
                "revocations WHERE revoked_at < now() - interval '1 hour'",
                "id",
            ),
            ("ended-sessions", "sessions", "id"),
            ("dead-mails", "mails", "id"),
            (
                "audit-log",
                "audit_logs WHERE created_at < now() - interval '365 days'",
                "concat(user_id, '/', id)",
            ),
        ] {
            app.eventually_count(due, 1).await;
            let running =
                |job: &Value| job["state"] == "running" && job["secondsSinceSuccess"].is_number();
            job_becomes(&app, job, running).await;
            let row = app.text(&format!("SELECT {id} FROM {due}")).await;
            let named = ["ERROR", job, "it is stuck", &format!("row=\"{row}\"")];
            assert_eq!(log.lines(&named), 1, "{job}: {}", log.text());
            assert_eq!(log.lines(&["ERROR", job]), 1, "{job}");
        }
        assert_eq!(log.lines(&["@example.com"]), 0, "no address is logged");
    });
}

/// Sessions of one user, and an access token of each.
async fn sessions(app: &TestApp, count: usize) -> Vec<String> {
    app.sql(&format!(
        "INSERT INTO users (id, email, email_key, name) VALUES ('{USER}', 'ada@example.com', 'ada@example.com', 'Ada');
         INSERT INTO sessions (user_id, id, refresh_token_hash, last_used_at, expires_at)
         SELECT '{USER}', md5(n::text)::uuid, sha256('t'), now() - interval '1 day', now() + interval '1 day'
         FROM generate_series(1, {count}) AS n"
    ))
    .await;
    let ids = app
        .text("SELECT string_agg(id::text, ' ') FROM sessions")
        .await;
    let key = jsonwebtoken::EncodingKey::from_secret(&access_key());
    let header = jsonwebtoken::Header {
        typ: Some("at+jwt".to_owned()),
        ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256)
    };
    let now = chrono::Utc::now().timestamp();
    let token = |session: &str| {
        let claims = json!({ "iss": "snapnote", "aud": "snapnote", "sub": USER, "sid": session, "iat": now, "exp": now + 900 });
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    };
    ids.split(' ').map(token).collect()
}

const USER: &str = "018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f";

#[tokio::test(flavor = "multi_thread")]
async fn last_uses_that_could_not_be_saved_are_saved_later_in_chunks() {
    let app = TestApp::start().await;
    let tokens = sessions(&app, 2100).await;
    for token in &tokens[..2050] {
        app.auth
            .authenticate(token, &Caller::default())
            .await
            .unwrap();
    }
    app.sql(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
         CREATE TRIGGER broken BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION broken()",
    )
    .await;
    assert!(app.auth.record_usage().await.is_err());
    for token in &tokens[2050..] {
        app.auth
            .authenticate(token, &Caller::default())
            .await
            .unwrap();
    }
    app.sql("DROP TRIGGER broken ON sessions").await;
    let before = app.pool.statements();
    app.auth.record_usage().await.unwrap();
    let sent = app.pool.statements() - before;
    assert_eq!(sent, 3, "2,100 sessions in chunks of 1,000");
    let noted = "sessions WHERE last_used_at > now() - interval '1 hour'";
    assert_eq!(app.count(noted).await, 2100);
    let before = app.pool.statements();
    app.auth.record_usage().await.unwrap();
    assert_eq!(app.pool.statements(), before, "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn last_uses_whose_saving_was_canceled_are_saved_at_the_stop() {
    let app = TestApp::start().await;
    for token in sessions(&app, 30).await {
        app.auth
            .authenticate(&token, &Caller::default())
            .await
            .unwrap();
    }
    app.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NEW; END $$;
         CREATE TRIGGER slow BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    .await;
    let auth = app.auth.clone();
    let noting = tokio::spawn(async move { auth.record_usage().await });
    let sleeping = "pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    app.eventually_count(sleeping, 1).await;
    noting.abort();
    assert!(noting.await.unwrap_err().is_cancelled());
    app.eventually_count(sleeping, 0).await;
    app.sql("DROP TRIGGER slow ON sessions").await;
    let observer = app.another().await;
    app.stop().await;
    let noted = "sessions WHERE last_used_at > now() - interval '1 hour'";
    assert_eq!(observer.count(noted).await, 30);
}

#[test]
fn an_unavailable_mail_server_is_logged_once_and_shown_until_it_is_back() {
    with_log(tracing::Level::INFO, |log| async move {
        let away = SmtpServer::start().await;
        let port = away.stop().await;
        let database = migrated_database().await;
        execute(
            &database,
            "INSERT INTO mails (kind, recipient)
             SELECT 'account_deleted', n || '@example.com' FROM generate_series(1, 6) AS n",
        )
        .await;
        let app = TestApp::on(database, |settings| {
            settings.mail.smtp_url = Some(format!("smtp://127.0.0.1:{port}"));
        })
        .await;
        app.eventually_count("mails WHERE attempts > 0", 6).await;
        let job = job_becomes(&app, "mail-delivery", |job| {
            job["failures"].as_i64() > Some(5)
        })
        .await;
        assert_eq!(job["state"], "failing");
        let server = SmtpServer::at("127.0.0.1", port).await;
        server.has(6).await;
        job_becomes(&app, "mail-delivery", |job| job["state"] == "running").await;
        assert_eq!(log.lines(&["WARN", "mail-delivery"]), 1, "{}", log.text());
        assert_eq!(log.lines(&["ERROR"]), 0, "no fault of the service");
        assert_eq!(log.lines(&["INFO", "works again", "mail-delivery"]), 1);
        assert_eq!(log.lines(&["@example.com"]), 0);
    });
}

const MANY_DOCUMENTS: &str = "
    INSERT INTO courses (user_id, id, name) SELECT id, md5('course')::uuid, 'Savanna' FROM users;
    INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt)
    SELECT user_id, md5('document ' || n)::uuid, id, 'Document ' || n, '', '', ''
    FROM courses, generate_series(1, 250) AS n";

#[tokio::test(flavor = "multi_thread")]
async fn one_process_at_a_time_builds_missing_search_indexes_and_readiness_counts_them() {
    let (app, _ada, _eve) = TestApp::start().await.with_users("ada", "eve").await;
    let has_run = |job: &Value| job["secondsSinceSuccess"].is_number();
    job_becomes(&app, "search-indexes", has_run).await;
    app.sql(MANY_DOCUMENTS).await;
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('snapnote search indexes', 0))";
    let working = app.begin(lock).await;
    let waiting = app.another().await;
    job_becomes(&waiting, "search-indexes", has_run).await;
    assert_eq!(app.count("search_indexes").await, 0);
    let expected = json!({ "stored": 0, "pending": 2 });
    assert_eq!(readiness(&waiting).await["searchIndexes"], expected);
    working.rollback().await;

    let next = app.another().await;
    eventually("all indexes are built", async || {
        let shown = readiness(&next).await["searchIndexes"].take();
        let is_done = shown == json!({ "stored": 2, "pending": 0 });
        if is_done { Ok(()) } else { Err(shown) }
    })
    .await;
    app.eventually_count("search_indexes WHERE part = 0", 2)
        .await;
}
