//! The clean-up of the trash when something in it cannot be deleted.

use serde_json::json;

use super::{Notebook, TRASH, create, run};

/// Deleting a row with this title fails, as it does if a statement takes too long.
const UNDELETABLE: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'canceling statement due to statement timeout';
    END
    $$;
    CREATE TRIGGER refuse BEFORE DELETE ON tasks FOR EACH ROW WHEN (OLD.title = 'Undeletable') EXECUTE FUNCTION refuse();";

async fn age(notebook: &Notebook) {
    let old = |table: &str| {
        format!(
            "UPDATE {table} SET deleted_at = deleted_at - interval '31 days' WHERE status = 'trash';"
        )
    };
    let all = ["courses", "documents", "tasks"].map(old).concat();
    notebook.app.sql(&all).await;
}

/// How many tasks of everybody are left with this title.
async fn left(notebook: &Notebook, title: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM tasks WHERE title = '{title}'");
    notebook.app.number(&sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deleted_keeps_nothing_else_in_the_trash() {
    let notebook = Notebook::new().await;
    let grace = notebook.app.signed_up("grace").await;
    let hers = create(&grace, "Task", "title: \"Ordinary\"").await;
    run(&grace, TRASH, json!({ "ids": [hers] })).await;
    let mut ids = Vec::new();
    for title in ["Deletable", "Undeletable", "Deletable", "Deletable"] {
        ids.push(create(&notebook.ada, "Task", &format!("title: \"{title}\"")).await);
    }
    run(&notebook.ada, TRASH, json!({ "ids": ids })).await;
    let input = format!("courseId: \"{}\", title: \"Undeletable\"", notebook.course);
    create(&notebook.ada, "Task", &input).await;
    run(&notebook.ada, TRASH, json!({ "ids": [notebook.course] })).await;
    notebook.finish().await;
    age(&notebook).await;
    notebook.app.sql(UNDELETABLE).await;

    let marked = snapnote::trash::sweep::sweep(&notebook.app.pool, 30)
        .await
        .unwrap();
    assert_eq!(
        marked, 7,
        "five tasks of ada's, her course, and grace's task"
    );
    // The service's job works on the same operations.
    let aside = "SELECT count(*) FROM pending_operations WHERE retry_at BETWEEN now() + interval '23 hours' AND now() + interval '25 hours'";
    crate::session_list::becomes(&notebook.app, aside, 2).await;
    crate::session_list::becomes(&notebook.app, "SELECT count(*) FROM pending_operations", 2).await;
    assert_eq!(left(&notebook, "Ordinary").await, 0);
    assert_eq!(left(&notebook, "Deletable").await, 0);
    assert_eq!(left(&notebook, "Undeletable").await, 2);
    assert_eq!(notebook.pending().await, 2);
    let again = snapnote::trash::sweep::sweep(&notebook.app.pool, 30)
        .await
        .unwrap();
    assert_eq!(again, 0, "nothing is marked twice");

    notebook.app.sql("DROP TRIGGER refuse ON tasks").await;
    notebook.finish().await;
    assert_eq!(left(&notebook, "Undeletable").await, 0);
    let by_the_service =
        "SELECT count(*) FROM audit_logs WHERE action = 'DELETED' AND actor_id IS NULL";
    assert_eq!(notebook.app.number(by_the_service).await, 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_does_not_take_what_is_being_restored() {
    let notebook = Notebook::new().await;
    age(&notebook).await;
    let mut holder = crate::support::superuser(&notebook.app.database).await;
    use diesel_async::SimpleAsyncConnection;
    // A restore that has locked its owner and not yet committed.
    let restoring = format!(
        "BEGIN; SELECT FROM users FOR NO KEY UPDATE;
         UPDATE tasks SET status = 'active', deleted_at = NULL WHERE id = '{}'",
        notebook.trashed
    );
    holder.batch_execute(&restoring).await.unwrap();
    let sweep = || snapnote::trash::sweep::sweep(&notebook.app.pool, 30);
    assert_eq!(sweep().await.unwrap(), 0);
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(sweep().await.unwrap(), 0);
    assert_eq!(left(&notebook, "Zebra task in the trash").await, 1);
}
