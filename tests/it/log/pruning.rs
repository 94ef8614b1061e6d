//! How long the log is kept: what is too old is not shown, and goes; but what was created once is known for ever.

use serde_json::{Value, json};
use snapnote::audit::Audit;

use super::{COURSE, events};
use crate::{
    session_list::{Person, becomes},
    support::TestApp,
};

const AGE: &str = "UPDATE audit_logs SET created_at = created_at - interval '366 days'";
const OLD: &str = "SELECT count(*) FROM audit_logs WHERE created_at < now() - interval '365 days'";

/// Ada, who once made a course and deleted it.
async fn with_a_deleted_course(app: &TestApp) -> Person {
    let ada = Person::signed_up(app, "ada").await;
    for mutation in [
        &format!("createCourse(input: {{ id: \"{COURSE}\", name: \"c\" }})"),
        &format!("updateCourse(input: {{ id: \"{COURSE}\", name: \"d\" }})"),
        &format!("trashItems(input: {{ ids: [\"{COURSE}\"] }})"),
        &format!("deleteItems(input: {{ ids: [\"{COURSE}\"] }})"),
    ] {
        let query = format!("mutation {{ {mutation} {{ userErrors {{ code }} }} }}");
        let data = ada.client.data(&query, json!({})).await;
        let payload = data.as_object().unwrap().values().next().unwrap();
        assert_eq!(payload["userErrors"], json!([]));
    }
    ada
}

/// What making a course with the id of the deleted one is refused for.
async fn made_again(ada: &Person) -> Value {
    let query = format!(
        "mutation {{ createCourse(input: {{ id: \"{COURSE}\", name: \"e\" }}) {{ userErrors {{ code }} }} }}"
    );
    let data = ada.client.data(&query, json!({})).await;
    data["createCourse"]["userErrors"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_and_what_was_created_is_known_still() {
    let app = TestApp::start().await;
    let ada = with_a_deleted_course(&app).await;
    let all = app.number("SELECT count(*) FROM audit_logs").await;
    app.sql(AGE).await;
    let update = "mutation { updateMe(input: { name: \"Ada\" }) { user { id } } }";
    ada.client.data(update, json!({})).await;
    assert_eq!(
        events(&ada.client).await.len(),
        1,
        "the young one alone is shown"
    );

    let pruned = Audit::new(365).prune_once(&app.pool).await.ok();
    assert_eq!(pruned, u64::try_from(all).ok());
    let bare = format!(
        "{OLD} AND action = 'CREATED' AND ip_address IS NULL AND user_agent IS NULL AND changes IS NULL"
    );
    assert_eq!(app.number(&bare).await, 2, "of the user and the course");
    assert_eq!(app.number(OLD).await, 2, "and nothing else");
    assert_eq!(events(&ada.client).await.len(), 1);
    assert_eq!(made_again(&ada).await, json!([{ "code": "TAKEN" }]));
    let again = Audit::new(365).prune_once(&app.pool).await.ok();
    assert_eq!(again, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_prunes_by_itself_and_more_than_one_step_takes() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    app.sql(&format!(
        "INSERT INTO audit_logs (user_id, action, entity_type, created_at)
         SELECT '{}', 'SIGN_IN', 'Session', now() - make_interval(days => 30, mins => n)
         FROM generate_series(1, 2500) AS n",
        ada.id
    ))
    .await;
    let _other = TestApp::on(app.database.clone(), |settings| settings.audit_days = 29).await;
    becomes(&app, "SELECT count(*) FROM audit_logs", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_for_ever_is_shown_for_ever() {
    let app = TestApp::with(|settings| settings.audit_days = 0).await;
    let ada = with_a_deleted_course(&app).await;
    app.sql(AGE).await;
    let before = events(&ada.client).await;
    assert_eq!(Audit::new(0).prune_once(&app.pool).await.ok(), Some(0));
    assert_eq!(events(&ada.client).await, before);
    assert!(before.len() > 5);
}
