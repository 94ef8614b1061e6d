//! `snapnote admin export-user` and `delete-user`.

use std::{fs, io::Cursor};

use super::{commands::command, text};
use crate::support::{Folder, TestApp, image_folder, output_of, url_of};

#[tokio::test(flavor = "multi_thread")]
async fn operators_export_users_by_address_or_id() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    ada.create_course("Looms").await;
    let (folder, url) = (Folder::new("export"), url_of(&app.database).await);
    let run = async |arguments: &[&str]| {
        let images = format!("file://{}", image_folder(&app.database).display());
        let mut command = command(&folder, &url, arguments);
        output_of(command.env("SNAPNOTE_STORAGE_URL", images)).await
    };
    let output = run(&["admin", "export-user", "ADA@example.com", "ada.zip"]).await;
    assert!(output.status.success(), "{output:?}");
    assert!(
        text(&output.stdout).starts_with("1 items and 0 images of ada@example.com"),
        "{output:?}"
    );
    let file = fs::read(folder.0.join("ada.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(file)).unwrap();
    assert!(archive.by_name("courses.ndjson").is_ok());
    let output = run(&["admin", "export-user", &ada.id, "ada.zip"]).await;
    assert!(
        text(&output.stderr).contains("exists already"),
        "{output:?}"
    );
    let output = run(&["admin", "export-user", &ada.id, "-"]).await;
    assert!(zip::ZipArchive::new(Cursor::new(output.stdout)).is_ok());
    let logged = format!(
        "audit_logs WHERE action = 'EXPORTED' AND user_id = '{}' AND actor_id IS NULL AND user_agent = 'snapnote admin'",
        ada.id
    );
    // The second command failed before it read anything.
    assert_eq!(app.count(&logged).await, 2);
    let output = run(&["admin", "export-user", "nobody@example.com", "nobody.zip"]).await;
    assert!(text(&output.stderr).contains("No user has"), "{output:?}");
    assert!(!folder.0.join("nobody.zip").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_delete_users_only_if_confirmed_and_never_the_last_admin() {
    let (app, admin) = TestApp::keeping_mails().await.with_admin("edith").await;
    let ada = app.signed_up("ada").await;
    let course = ada.create_course("Looms").await;
    app.sql(&format!(
        "INSERT INTO tasks (user_id, id, course_id, title) SELECT '{}', gen_random_uuid(), '{course}', 'Task' FROM generate_series(1, 2000)",
        ada.id
    ))
    .await;
    app.sql("UPDATE users SET email_verified = true").await;
    let (folder, url) = (Folder::new("delete"), url_of(&app.database).await);
    let run = async |arguments: &[&str]| output_of(&mut command(&folder, &url, arguments)).await;
    let output = run(&["admin", "delete-user", "ada@example.com"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("--yes is missing"),
        "{output:?}"
    );
    assert!(ada.is_accepted().await);

    let output = run(&["admin", "delete-user", "ada@example.com", "--yes"]).await;
    assert!(output.status.success(), "{output:?}");
    // A job of the service may be deleting the last rows.
    app.eventually_count(&format!("users WHERE id = '{}'", ada.id), 0)
        .await;
    app.eventually_count("tasks", 0).await;
    assert_eq!(app.mails("account_deleted").await, 1);
    ada.eventually_rejected().await;

    let output = run(&["admin", "delete-user", &admin.id, "--yes"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("at least one active admin"),
        "{output:?}"
    );
    assert!(admin.is_accepted().await);
}
