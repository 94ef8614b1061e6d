//! The texts of documents in the log: every change of one is logged, and an update that changes none reads none.

use diesel_async::SimpleAsyncConnection;

use crate::support::{TestApp, cost, superuser};

/// A document with texts that are stored outside its row.
const LONG: &str = "
    INSERT INTO courses (user_id, id, name) SELECT id, md5('course')::uuid, 'Course' FROM users;
    INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)
    SELECT id, md5('long')::uuid, md5('course')::uuid, 'Long', text, text || '.', ''
    FROM users, (SELECT string_agg(md5(n::text), ' ') AS text FROM generate_series(1, 2000) AS n) AS texts";
const TRASH: &str = "UPDATE documents SET status = 'trash', deleted_at = now()";
const RESTORE: &str = "UPDATE documents SET status = 'active', deleted_at = NULL";

async fn with_a_long_document() -> TestApp {
    let (app, _) = TestApp::start().await.with_user("ada").await;
    app.sql(LONG).await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_goes_to_the_trash_and_back_without_its_texts_being_read() {
    let app = with_a_long_document().await;
    let texts = "SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'documents'::regclass";
    let texts = app.text(texts).await;
    let mut writer = superuser(&app.database).await;
    let compared = cost(&mut writer, "UPDATE documents SET title = 'Longer'", &texts).await;
    assert!(compared.read > 0, "texts are stored there: {compared:?}");
    for update in [TRASH, RESTORE] {
        let cost = cost(&mut writer, update, &texts).await;
        assert_eq!((cost.read, cost.written), (0, 0), "{update}");
        writer.batch_execute(update).await.unwrap();
    }
    let logged = "audit_logs WHERE action IN ('TRASHED', 'RESTORED') AND changes IS NULL";
    assert_eq!(app.count(logged).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_changes_on_the_way_to_the_trash_or_back_is_logged() {
    let app = with_a_long_document().await;
    let mut writer = superuser(&app.database).await;
    let last = "SELECT (SELECT string_agg(field, ' ' ORDER BY field) FROM jsonb_object_keys(changes) AS field)
        FROM audit_logs WHERE entity_type = 'Document' ORDER BY id DESC LIMIT 1";
    for (update, expected) in [
        (
            format!("{TRASH}, formatted_note = 'short'"),
            "formattedNote",
        ),
        (
            format!("{RESTORE}, original_text = reverse(original_text)"),
            "originalText",
        ),
        // The texts are named, and stay as they are.
        (
            format!("{TRASH}, original_text = original_text, formatted_note = formatted_note"),
            "none",
        ),
        (
            format!("BEGIN; {RESTORE}; {TRASH}, title = 'T', original_text = 'x'; COMMIT"),
            "originalText title",
        ),
    ] {
        writer.batch_execute(&update).await.unwrap();
        let logged = app
            .text(&format!("SELECT coalesce(({last}), 'none')"))
            .await;
        assert_eq!(logged, expected, "{update}");
    }
}
