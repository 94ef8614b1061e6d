//! Migrations: reverted and applied again, applied twice and by several processes at the same time; and the change log that
//! their triggers write.

use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use snapnote::db::{
    connect::Target,
    migrate::{self, Phase},
};

use crate::support::{empty_database, migrated_database, revert, superuser, url_of};

/// The names of all migrations.
pub(crate) fn names() -> Vec<String> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let mut names: Vec<String> = folder
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("up.sql").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The rows of a query with one column of text, `line`.
async fn lines(conn: &mut AsyncPgConnection, query: &str) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Line {
        #[diesel(sql_type = diesel::sql_types::Text)]
        line: String,
    }
    let lines: Vec<Line> = diesel::sql_query(query).load(conn).await.unwrap();
    lines.into_iter().map(|line| line.line).collect()
}

/// Everything that the catalogue contains about the schema, one line each.
const CATALOGUE: &str = "
         SELECT format('column %s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, column_default,
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

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_goes_down_and_up_again_to_the_same_schema() {
    let database = empty_database().await;
    let target = Target::parse(&url_of(&database).await).unwrap();
    let mut conn = superuser(&database).await;
    let applied = migrate::up(&target).await.unwrap();
    assert!(applied.len() >= 3);
    let first = lines(&mut conn, CATALOGUE).await;
    for count in 1..=applied.len() {
        assert_eq!(revert(&target, count).await.len(), count);
        assert_eq!(migrate::up(&target).await.unwrap().len(), count);
        let now = lines(&mut conn, CATALOGUE).await;
        assert_eq!(now, first, "after {count} migrations were reverted");
    }
    assert_eq!(revert(&target, 99).await.len(), applied.len());
    let left: Vec<String> = lines(&mut conn, CATALOGUE).await;
    let is_empty = left
        .iter()
        .all(|line| line.contains("__diesel_schema_migrations"));
    assert!(is_empty, "{left:#?}");
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
    let appliers = applied.iter().filter(|count| **count > 0).count();
    assert_eq!(appliers, 1, "{applied:?}");
    assert_eq!(migrate::up(&target).await.unwrap(), Vec::<String>::new());
    let states = migrate::status(&target).await.unwrap();
    assert!(
        states.iter().all(|state| state.phase == Phase::Applied),
        "{states:?}"
    );
}

const ITEMS: &str = "
    INSERT INTO users (id, email, email_key, name) VALUES (md5('ada')::uuid, 'ada@example.com', 'ada@example.com', 'Ada');
    INSERT INTO courses (user_id, id, name) VALUES
        (md5('ada')::uuid, md5('courses')::uuid, 'Course'), (md5('ada')::uuid, md5('other')::uuid, 'Other');
    INSERT INTO image_objects (user_id, id, document_id, kind, state, content_type, byte_size, width, height)
    VALUES (md5('ada')::uuid, md5('image')::uuid, md5('documents')::uuid, 'image', 'stored', 'image/png', 1, 1, 1);
    INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)
    VALUES (md5('ada')::uuid, md5('documents')::uuid, md5('courses')::uuid, 'Document', '', '', '');
    INSERT INTO tasks (user_id, id, title) VALUES (md5('ada')::uuid, md5('tasks')::uuid, 'Task');
    INSERT INTO tags (user_id, id, name) VALUES (md5('ada')::uuid, md5('tags')::uuid, 'Tag')";

/// The columns of items that are fields. The others are keys, or the log tells them by its actions.
const FIELDS: &str = "
    SELECT format('%s %s %s', table_name, column_name, udt_name) AS line FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name IN ('courses', 'documents', 'tasks', 'tags') AND column_name NOT IN (
        'user_id', 'id', 'version', 'status', 'created_at', 'updated_at', 'deleted_at', 'trashed_with', 'excerpt_is_own',
        'name_folded', 'title_folded')
    ORDER BY 1";

#[tokio::test(flavor = "multi_thread")]
async fn the_change_log_shows_every_field_of_an_item() {
    let mut conn = superuser(&migrated_database().await).await;
    conn.batch_execute(ITEMS).await.unwrap();
    let fields = lines(&mut conn, FIELDS).await;
    assert!(fields.len() >= 20, "{fields:?}");
    for field in fields {
        let parts: Vec<&str> = field.split(' ').collect();
        let (table, column) = (parts[0], parts[1]);
        let value = match (column, parts[2]) {
            ("course_id", _) => "md5('other')::uuid",
            ("image_id", _) => "md5('image')::uuid",
            ("color", _) => "'#123456'",
            (_, "text") => "'changed'",
            (_, "int2" | "float8") => "2",
            (_, "timestamptz") => "now()",
            (_, "date") => "current_date",
            (_, "jsonb") => "'{\"changed\": true}'",
            _ => panic!("{field}: add a value that this test can write"),
        };
        let update =
            format!("UPDATE {table} SET {column} = {value} WHERE id = md5('{table}')::uuid");
        // Each field is changed alone, because some fields exclude each other.
        conn.batch_execute("BEGIN").await.unwrap();
        conn.batch_execute(&update).await.unwrap();
        let logged = format!(
            "SELECT jsonb_object_keys(changes) AS line FROM audit_logs
             WHERE id = (SELECT max(id) FROM audit_logs) AND action = 'UPDATED' AND entity_id = md5('{table}')::uuid"
        );
        let expected = match column {
            "image_id" => "image".to_owned(),
            _ => camel_case(column),
        };
        assert_eq!(lines(&mut conn, &logged).await, [expected], "{update}");
        conn.batch_execute("ROLLBACK").await.unwrap();
    }
}

fn camel_case(column: &str) -> String {
    let mut words = column.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        name + &word[..1].to_uppercase() + &word[1..]
    })
}
