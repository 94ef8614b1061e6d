//! Migrations: down and up again, twice, and from two processes at once.

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use snapnote::db::{connect::Target, migrate};

use crate::support::{empty_database, superuser, url_of};

/// Everything that the catalogue knows of the schema, a line each.
async fn catalogue(conn: &mut AsyncPgConnection) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Line {
        #[diesel(sql_type = diesel::sql_types::Text)]
        line: String,
    }
    let query = diesel::sql_query(
        "SELECT format('column %s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, column_default,
                collation_name) AS line FROM information_schema.columns WHERE table_schema = 'public'
         UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
         UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace
         UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
         UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
             AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
         UNION ALL SELECT format('comment %s %s %s', objoid::regclass, attname, description)
             FROM pg_description JOIN pg_class ON pg_class.oid = objoid
                 LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0
             WHERE relnamespace = 'public'::regnamespace
         ORDER BY 1",
    );
    let lines: Vec<Line> = query.load(conn).await.unwrap();
    lines.into_iter().map(|line| line.line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_goes_down_and_up_again_to_the_same_schema() {
    let database = empty_database().await;
    let target = Target::parse(&url_of(&database).await).unwrap();
    let mut conn = superuser(&database).await;
    let applied = migrate::up(&target).await.unwrap();
    assert!(applied.len() >= 3);
    let first = catalogue(&mut conn).await;
    for count in 1..=applied.len() {
        assert_eq!(migrate::down(&target, count).await.unwrap().len(), count);
        assert_eq!(migrate::up(&target).await.unwrap().len(), count);
        assert_eq!(
            catalogue(&mut conn).await,
            first,
            "after {count} migrations were taken back"
        );
    }
    assert_eq!(
        migrate::down(&target, 99).await.unwrap().len(),
        applied.len()
    );
    let left: Vec<String> = catalogue(&mut conn).await;
    assert!(
        left.iter()
            .all(|line| line.contains("__diesel_schema_migrations")),
        "{left:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_twice_or_from_two_processes_at_once_is_safe() {
    let database = empty_database().await;
    let target = Target::parse(&url_of(&database).await).unwrap();
    let at_once = futures_util::future::join_all((0..4).map(|_| migrate::up(&target))).await;
    let applied: Vec<usize> = at_once
        .into_iter()
        .map(|applied| applied.unwrap().len())
        .collect();
    assert_eq!(
        applied.iter().filter(|count| **count > 0).count(),
        1,
        "{applied:?}"
    );
    assert_eq!(migrate::up(&target).await.unwrap(), Vec::<String>::new());
    let states = migrate::status(&target).await.unwrap();
    assert!(states.iter().all(|state| state.applied), "{states:?}");
}
