//! The search's migration, on a database that has items.

use snapnote::db::{connect::Target, migrate};

use crate::support::{TestApp, target_of};

/// Items of all users from before the migration. Some are in the trash, and one is very long.
const KEEP: &str = "
    INSERT INTO courses (user_id, id, name, description) SELECT id, md5('course')::uuid, 'Savanna', 'of ' || name FROM users;
    INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt)
    SELECT user_id, md5('document ' || n)::uuid, id, 'Stripes ' || n, 'A **zebra**', 'recognised', '' FROM courses, generate_series(1, 3) AS n;
    INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt)
    SELECT user_id, md5('long')::uuid, id, 'Long', 'beginning ' || (SELECT string_agg('wörd' || n, ' ') FROM generate_series(1, 90000) AS n),
        (SELECT string_agg(md5(n::text), ' ') FROM generate_series(1, 20000) AS n), '' FROM courses;
    INSERT INTO tasks (user_id, id, title, description) SELECT id, md5('task')::uuid, 'Homework', 'Draw a zebra' FROM users;
    UPDATE documents SET status = 'trash', deleted_at = now() WHERE title = 'Stripes 2'";

/// How many migrations there are from the search's on.
async fn from_the_search_on(target: &Target) -> usize {
    let states = migrate::status(target).await.unwrap();
    let at = states
        .iter()
        .position(|state| state.name.ends_with("_search"));
    states.len() - at.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn items_from_before_the_migration_are_found() {
    let (app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    let target = target_of(&app.database).await;
    let count = from_the_search_on(&target).await;
    migrate::down(&target, count).await.unwrap();
    app.sql(KEEP).await;
    assert_eq!(migrate::up(&target).await.unwrap().len(), count);
    for (client, name) in [(&ada, "ada"), (&eve, "eve")] {
        let zebras = ["Homework", "Stripes 1", "Stripes 3"];
        for query in ["zebra", "zebr", "\"a zebra\"", "zepra"] {
            assert_eq!(client.found_sorted(query).await, zebras, "{name}: {query}");
        }
        let found = client.found_sorted(&format!("\"of {name}\"")).await;
        assert_eq!(found, ["Savanna"]);
        assert_eq!(client.found_sorted("beginning").await, ["Long"]);
    }
    let counted = "search_entries";
    assert_eq!(app.count(counted).await, 12, "six of each");
    app.sql("UPDATE documents SET formatted_note = 'An okapi' WHERE title = 'Stripes 1'")
        .await;
    assert_eq!(ada.found_sorted("okapi").await, ["Stripes 1"]);
    assert_eq!(ada.found_sorted("zebra").await, ["Homework", "Stripes 3"]);
}
