//! The clean-up of the trash when something in it cannot be deleted.

use super::Notebook;

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

/// How many tasks of all users are left with this title.
async fn left(notebook: &Notebook, title: &str) -> i64 {
    notebook
        .count(&format!("tasks WHERE title = '{title}'"))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_cannot_be_deleted_block_no_others() {
    let notebook = Notebook::new().await;
    let grace = notebook.app.signed_up("grace").await;
    let hers = grace.create_task(None, "Ordinary").await;
    grace.trash(&[hers]).await;
    let (ada, course) = (&notebook.ada, &notebook.course);
    let mut tasks = Vec::new();
    for title in ["Deletable", "Undeletable", "Deletable", "Deletable"] {
        tasks.push(ada.create_task(None, title).await);
    }
    ada.trash(&tasks).await;
    ada.create_task(Some(course), "Undeletable").await;
    ada.trash(&[course]).await;
    notebook.finish().await;
    age(&notebook).await;
    notebook.app.sql(UNDELETABLE).await;

    let sweep = || snapnote::trash::sweep::sweep(&notebook.app.pool, 30);
    let marked = sweep().await.unwrap();
    assert_eq!(marked, 7, "five tasks, the course, and grace's task");
    // The background job works on the same operations.
    let postponed = "pending_operations WHERE retry_at BETWEEN now() + interval '23 hours' AND now() + interval '25 hours'";
    notebook.app.eventually_count(postponed, 2).await;
    notebook.app.eventually_count("pending_operations", 2).await;
    assert_eq!(left(&notebook, "Ordinary").await, 0);
    assert_eq!(left(&notebook, "Deletable").await, 0);
    assert_eq!(left(&notebook, "Undeletable").await, 2);
    assert_eq!(notebook.pending().await, 2);
    assert_eq!(sweep().await.unwrap(), 0, "nothing is marked twice");

    notebook.app.sql("DROP TRIGGER refuse ON tasks").await;
    notebook.finish().await;
    assert_eq!(left(&notebook, "Undeletable").await, 0);
    let by_the_service = "audit_logs WHERE action = 'DELETED' AND actor_id IS NULL";
    assert_eq!(notebook.count(by_the_service).await, 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_skips_items_that_are_being_restored() {
    let notebook = Notebook::new().await;
    age(&notebook).await;
    // A restore that has locked its owner and not yet committed.
    let restoring = format!(
        "SELECT FROM users FOR NO KEY UPDATE;
         UPDATE tasks SET status = 'active', deleted_at = NULL WHERE id = '{}'",
        notebook.trashed
    );
    let restoring = notebook.app.begin(&restoring).await;
    let sweep = || snapnote::trash::sweep::sweep(&notebook.app.pool, 30);
    assert_eq!(sweep().await.unwrap(), 0);
    restoring.commit().await;
    assert_eq!(sweep().await.unwrap(), 0);
    assert_eq!(left(&notebook, "Zebra task in the trash").await, 1);
}
