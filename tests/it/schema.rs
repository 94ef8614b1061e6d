//! The exported GraphQL schema and the generated description of the tables match what they describe. `examples` executes the examples in
//! the schema's descriptions.

mod examples;

use diesel_async::SimpleAsyncConnection;

use crate::support::{TestApp, column, migrated_database, superuser};

/// `schema.graphql` is what clients generate their types from: it must be what the service serves.
#[test]
fn the_committed_schema_matches_the_service() {
    let committed = include_str!("../../schema.graphql");
    let served = snapnote::graphql::sdl();
    assert!(
        committed == served,
        "schema.graphql is stale: run `cargo run -- schema > schema.graphql`"
    );
}

/// `src/db/schema.rs`, which diesel's program generates, against what the migrations make.
#[tokio::test(flavor = "multi_thread")]
async fn the_generated_tables_match_the_migrations() {
    let query = "SELECT format('%s %s %s%s', table_name, column_name,
                CASE WHEN is_nullable = 'YES' THEN 'Nullable ' ELSE '' END, udt_name) AS line
         FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> '__diesel_schema_migrations'
         ORDER BY table_name, ordinal_position";
    let database = migrated_database().await;
    let made = column(&mut superuser(&database).await, query).await;
    assert_eq!(described(), made);
}

/// The lines `table column type` of the generated file.
fn described() -> Vec<String> {
    let (mut lines, mut table) = (Vec::new(), String::new());
    for line in include_str!("../../src/db/schema.rs")
        .lines()
        .map(str::trim)
    {
        if let Some((name, _)) = line
            .strip_suffix(") {")
            .and_then(|line| line.split_once(" ("))
        {
            table = name.to_owned();
        } else if let Some((column, kind)) = line
            .strip_suffix(',')
            .and_then(|line| line.split_once(" -> "))
        {
            let inner = kind.trim_start_matches("Nullable<").trim_end_matches('>');
            let nullable = ["", "Nullable "][usize::from(kind.starts_with("Nullable"))];
            // Diesel's names are PostgreSQL's with a capital letter.
            lines.push(format!(
                "{table} {column} {nullable}{}",
                inner.to_lowercase()
            ));
        }
    }
    lines
}

/// The service finds out by a constraint's name which rule was violated.
#[tokio::test(flavor = "multi_thread")]
async fn constraint_names_begin_with_their_table() {
    let query =
        "SELECT conname::text AS name FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
         WHERE contype IN ('c', 'f', 'u', 'p') AND relnamespace = 'public'::regnamespace
             AND relname <> '__diesel_schema_migrations' AND conname !~ ('^' || relname || '_')";
    let database = migrated_database().await;
    let names = column(&mut superuser(&database).await, query).await;
    assert!(names.is_empty(), "{names:?}");
}

/// Programs that fill the table themselves need not know how keys are derived, unless IDNA is involved.
#[tokio::test(flavor = "multi_thread")]
async fn users_inserted_without_a_key_get_the_key_of_an_ascii_address() {
    let database = migrated_database().await;
    let mut conn = superuser(&database).await;
    let insert = |email: &str| {
        format!("INSERT INTO users (id, email, name) VALUES (gen_random_uuid(), '{email}', 'Ada')")
    };
    conn.batch_execute(&insert("Ada@Example.com"))
        .await
        .expect("an ASCII address");
    let keys = column(&mut conn, "SELECT email_key FROM users").await;
    assert_eq!(keys, ["ada@example.com"]);
    let refused = conn.batch_execute(&insert("ada@bücher.example")).await;
    assert!(refused.is_err(), "the key of another address was guessed");
}

/// A column that is added to a table of items must be added to its view `current_…`, too. Folded titles are read from the tables only.
#[tokio::test(flavor = "multi_thread")]
async fn views_of_current_items_have_all_columns_of_their_tables() {
    let app = TestApp::start().await;
    for table in ["courses", "documents", "tasks", "tags"] {
        let columns = |relation: String| {
            format!(
                "SELECT string_agg(column_name || ' ' || udt_name, ', ' ORDER BY column_name)
                 FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{relation}'
                     AND column_name NOT LIKE '%\\_folded'"
            )
        };
        let table_has = app.text(&columns(table.to_owned())).await;
        let view_has = app.text(&columns(format!("current_{table}"))).await;
        assert_eq!(view_has, table_has, "{table}");
    }
}
