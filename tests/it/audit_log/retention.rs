//! Retention: old entries are hidden and deleted, except that ids are known forever.

use serde_json::json;
use snapnote::audit::Audit;

use super::{COURSE, events};
use crate::support::{Person, TestApp, codes};

const AGE: &str = "UPDATE audit_logs SET created_at = created_at - interval '366 days'";
const OLD: &str = "audit_logs WHERE created_at < now() - interval '365 days'";

/// Ada, who has created and deleted a course.
async fn with_a_deleted_course(app: &TestApp) -> Person {
    let ada = app.signed_up("ada").await;
    ada.create("Course", json!({ "id": COURSE, "name": "c" }))
        .await;
    ada.rename_course(COURSE, "d").await;
    ada.trash(&[COURSE]).await;
    ada.delete(&[COURSE]).await;
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn old_entries_are_deleted_except_the_creations() {
    let app = TestApp::start().await;
    let ada = with_a_deleted_course(&app).await;
    let all = app.count("audit_logs").await;
    app.sql(AGE).await;
    ada.mutate("updateMe", json!({ "name": "Ada" }), "").await;
    assert_eq!(events(&ada).await.len(), 1, "only the new entry is shown");

    let pruned = Audit::new(365).prune_once(&app.pool).await.ok();
    assert_eq!(pruned, u64::try_from(all).ok());
    let bare = format!(
        "{OLD} AND action = 'CREATED' AND ip_address IS NULL AND user_agent IS NULL AND changes IS NULL"
    );
    assert_eq!(app.count(&bare).await, 2, "of the user and the course");
    assert_eq!(app.count(OLD).await, 2, "and nothing else");
    assert_eq!(events(&ada).await.len(), 1);
    let again = json!({ "id": COURSE, "name": "e" });
    let again = ada.try_mutate("createCourse", again, "").await;
    assert_eq!(codes(&again), ["TAKEN"], "deleted ids are still known");
    let again = Audit::new(365).prune_once(&app.pool).await.ok();
    assert_eq!(again, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_background_job_prunes_in_several_steps() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(&format!(
        "INSERT INTO audit_logs (user_id, action, entity_type, created_at)
         SELECT '{}', 'SIGN_IN', 'Session', now() - make_interval(days => 30, mins => n)
         FROM generate_series(1, 2500) AS n",
        ada.id
    ))
    .await;
    let _other = TestApp::on(app.database.clone(), |settings| settings.audit_days = 29).await;
    app.eventually_count("audit_logs", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unlimited_retention_shows_all_entries() {
    let app = TestApp::with(|settings| settings.audit_days = 0).await;
    let ada = with_a_deleted_course(&app).await;
    app.sql(AGE).await;
    let before = events(&ada).await;
    assert_eq!(Audit::new(0).prune_once(&app.pool).await.ok(), Some(0));
    assert_eq!(events(&ada).await, before);
    assert!(before.len() > 5);
}
