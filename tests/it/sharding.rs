//! Sharding with Citus: `snapnote migrate shard`, and what differs on a sharded database. Needs a cluster
//! (`SNAPNOTE_TESTS_CITUS_URL`), with which all other tests run on sharded databases, too, except those in `excluded`.

pub(crate) mod excluded;

use serde_json::{Value, json};
use snapnote::db::migrate;

use crate::{
    program::migrate::{error, printed},
    support::{
        TestApp, citus, column, empty_database, execute, superuser, target_of, texts, url_of,
    },
};

/// A service on a sharded database. `None` without a cluster, after a message.
async fn sharded() -> Option<TestApp> {
    let database = citus::unsharded_database().await?;
    migrate::shard(&target_of(&database).await).await.unwrap();
    Some(TestApp::on(database, |_| {}).await)
}

const CHANGES: &str = "query($after: String) { changes(after: $after, first: 100) { edges { cursor node { action itemId } } } }";

async fn cursor_of(client: &crate::support::Client) -> Value {
    client.query("{ changesCursor }").await["changesCursor"].clone()
}

async fn changes(client: &crate::support::Client, after: &Value) -> Value {
    let page = client.data(CHANGES, json!({ "after": after })).await;
    page["changes"]["edges"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_citus_cannot_be_sharded() {
    let database = empty_database().await;
    let target = target_of(&database).await;
    let refusal = migrate::plan_shard(&target).await.unwrap_err();
    assert!(
        refusal.message.contains("migrate up"),
        "{}",
        refusal.message
    );
    migrate::up(&target).await.unwrap();
    for refusal in [
        migrate::plan_shard(&target).await.map(|_| ()),
        migrate::shard(&target).await,
    ] {
        let message = refusal.unwrap_err().message;
        assert!(message.contains("CREATE EXTENSION citus"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filled_database_keeps_its_rows_and_its_log() {
    let Some(database) = citus::unsharded_database().await else {
        return;
    };
    let target = target_of(&database).await;
    let before = TestApp::on(database.clone(), |_| {}).await;
    let ada = before.signed_up("ada").await;
    let course = ada.create_course("Algebra").await;
    let log = log_of(&before).await;
    let cursor = ada.query("{ changesCursor }").await["changesCursor"].clone();
    let refusal = migrate::shard(&target).await.unwrap_err();
    assert!(
        refusal.message.contains("Stop them first"),
        "{}",
        refusal.message
    );
    before.stop().await;
    let plan = migrate::plan_shard(&target).await.unwrap();
    assert!(plan.servers.len() >= 2 && !plan.is_sharded, "{plan:?}");
    let url = url_of(&database).await;
    let unconfirmed = error(&url, &["migrate", "shard"]).await;
    assert!(unconfirmed.contains("--yes"), "{unconfirmed}");
    assert!(unconfirmed.contains(&plan.servers[0]), "{unconfirmed}");
    assert!(!migrate::plan_shard(&target).await.unwrap().is_sharded);
    printed(&url, &["migrate", "shard", "--yes"]).await;
    assert!(migrate::plan_shard(&target).await.unwrap().is_sharded);
    migrate::shard(&target).await.unwrap();
    assert!(migrate::up(&target).await.unwrap().is_empty());
    let app = TestApp::on(database, |_| {}).await;
    assert_eq!(
        log_of(&app).await,
        log,
        "nothing is logged, changed or lost"
    );
    let ada = app.signed_in("ada").await;
    let courses = ada
        .query("{ courses { nodes { id name documentCount } } }")
        .await;
    assert_eq!(
        courses["courses"]["nodes"],
        json!([{ "id": course, "name": "Algebra", "documentCount": 0 }])
    );
    let code = ada.error_code(CHANGES, json!({ "after": cursor })).await;
    assert_eq!(
        code, "CURSOR_EXPIRED",
        "the transactions are those of another server"
    );
    assert_eq!(
        texts(&changes(&ada, &Value::Null).await, "node.itemId"),
        [course]
    );
}

/// All entries of the log, except those of signing in.
async fn log_of(app: &TestApp) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', id, user_id, action, entity_type, entity_id, version, ip_address, xid, created_at)
        FROM audit_logs WHERE action <> 'SIGN_IN' ORDER BY 1";
    column(&mut superuser(&app.database).await, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_of_a_user_are_on_one_server_and_users_on_several() {
    let Some(app) = sharded().await else {
        return;
    };
    let mut conn = superuser(&app.database).await;
    let mut servers = std::collections::BTreeSet::new();
    for number in 0..12 {
        let user = app.signed_up(&format!("user{number}")).await;
        let course = user.create_course("Algebra").await;
        user.create_task(Some(&course), "Sheet").await;
        let sql = format!(
            "SELECT DISTINCT nodeport FROM unnest(ARRAY['courses', 'tasks', 'audit_logs', 'pending_operations']) AS name
            JOIN citus_shards ON table_name::text = name AND shardid = get_shard_id_for_distribution_column(name, '{}'::uuid)",
            user.id
        );
        let of_user = column(&mut conn, &sql).await;
        assert_eq!(of_user.len(), 1, "{of_user:?}");
        servers.extend(of_user);
    }
    assert!(servers.len() >= 2, "{servers:?}");
    let not_distributed = "SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'user_id'
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = pg_class.oid) ORDER BY 1";
    let people = [
        "accounts",
        "mail_tokens",
        "mails",
        "sessions",
        "user_profiles",
    ];
    assert_eq!(
        column(&mut conn, not_distributed).await,
        people,
        "a new table belongs in migrations/sharding/distribute.sql"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_moves_loses_no_change_and_ends_the_cursors_of_its_users() {
    let Some(app) = sharded().await else {
        return;
    };
    let ada = app.signed_up("ada").await;
    let first = ada.create_course("Algebra").await;
    let cursor = cursor_of(&ada).await;
    let shard = format!(
        "shardid = get_shard_id_for_distribution_column('audit_logs', '{}'::uuid)",
        ada.id
    );
    let moved = format!(
        "SELECT citus_move_shard_placement(
            shardid, citus_shards.nodename, citus_shards.nodeport, target.nodename, target.nodeport, 'block_writes'
        ) FROM citus_shards JOIN LATERAL (
            SELECT nodename, nodeport FROM pg_dist_node WHERE shouldhaveshards AND nodeport <> citus_shards.nodeport LIMIT 1
        ) AS target (nodename, nodeport) ON true WHERE {shard}"
    );
    execute(&app.database, &moved).await;
    let second = ada.create_course("Analysis").await;
    assert_eq!(
        ada.error_code(CHANGES, json!({ "after": cursor })).await,
        "CURSOR_EXPIRED"
    );
    assert_eq!(
        texts(&changes(&ada, &Value::Null).await, "node.itemId"),
        [first, second]
    );
    let cursor = cursor_of(&ada).await;
    let third = ada.create_course("Statistics").await;
    assert_eq!(texts(&changes(&ada, &cursor).await, "node.itemId"), [third]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_of_a_sharded_database_keeps_it_sharded() {
    let Some(app) = sharded().await else {
        return;
    };
    let target = target_of(&app.database).await;
    let refusal = migrate::plan_down(&target, None).await.unwrap_err();
    assert!(refusal.message.contains("sharded"), "{}", refusal.message);
    // As if the newest migration had not been applied.
    execute(
        &app.database,
        "DROP VIEW people_log; DELETE FROM __diesel_schema_migrations WHERE version = '20261203000001'",
    )
    .await;
    assert_eq!(
        migrate::up(&target).await.unwrap(),
        ["2026-12-03-000001_people_log"]
    );
    let ada = app.signed_up("ada").await;
    let course = ada.create_course("Algebra").await;
    assert_eq!(
        texts(&changes(&ada, &Value::Null).await, "node.itemId"),
        [course]
    );
    assert_eq!(app.logged("SIGN_IN").await, 1);
}
