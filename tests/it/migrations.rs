//! Migrations: reverted and reapplied, and applied by several processes at the same time.

use diesel_async::AsyncPgConnection;
use snapnote::db::migrate;

use crate::support::{column, empty_database, superuser, target_of};

/// The names of all migrations.
pub(crate) fn names() -> Vec<String> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let mut names: Vec<String> = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    names.sort();
    names
}

/// The schema as the catalogue describes it, one line per object.
async fn catalogue(conn: &mut AsyncPgConnection) -> Vec<String> {
    let query = "SELECT format('column %s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, column_default,
                collation_name) AS line FROM information_schema.columns WHERE table_schema = 'public'
         UNION ALL SELECT format('view %s %s', viewname, definition) FROM pg_views WHERE schemaname = 'public'
         UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
         UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace
         UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
         UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
             AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
         UNION ALL SELECT format('comment %s %s %s', objoid::regclass,
                 (SELECT attname FROM pg_attribute WHERE attrelid = objoid AND attnum = objsubid), description)
             FROM pg_description JOIN pg_class ON pg_class.oid = objoid WHERE relnamespace = 'public'::regnamespace
         ORDER BY 1";
    column(conn, query).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reverting_and_reapplying_migrations_restores_the_schema() {
    let database = empty_database().await;
    let target = target_of(&database).await;
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
async fn concurrent_migrations_are_applied_once() {
    let database = empty_database().await;
    let target = target_of(&database).await;
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
