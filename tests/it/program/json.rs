//! The output of commands for programs: `--json`.

use serde_json::{Value, json};

use super::{commands::command, migrate::printed};
use crate::support::{Folder, TestApp, empty_database, output_of, url_of};

async fn printed_json(url: &str, arguments: &[&str]) -> Value {
    let printed = printed(url, arguments).await;
    serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_are_listed_with_their_state() {
    let url = url_of(&empty_database().await).await;
    let folder = Folder::new("status");
    let pending = output_of(&mut command(
        &folder,
        &url,
        &["migrate", "status", "--json"],
    ))
    .await;
    assert_eq!(pending.status.code(), Some(3), "{pending:?}");
    let pending: Value = serde_json::from_slice(&pending.stdout).unwrap();
    assert_eq!(pending[0]["state"], "pending", "{pending}");
    printed(&url, &["migrate", "up"]).await;
    let applied = printed_json(&url, &["migrate", "status", "--json"]).await;
    let migrations = applied.as_array().unwrap();
    assert_eq!(migrations.len(), pending.as_array().unwrap().len());
    assert!(
        migrations.iter().all(|one| one["state"] == "applied"),
        "{applied}"
    );
    assert!(migrations.iter().all(|one| one["migration"].is_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_users_can_be_read_by_programs() {
    let app = TestApp::start().await;
    let url = url_of(&app.database).await;
    let demo = printed_json(&url, &["demo", "--json"]).await;
    assert!(demo["added"].as_u64().unwrap() > 20, "{demo}");
    let users = demo["users"].as_array().unwrap();
    assert_eq!(users.len(), 3, "{demo}");
    for user in users {
        let text = |name: &str| user[name].as_str().unwrap();
        assert!(
            text("email").contains('@') && text("password").len() > 10,
            "{user}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_mails_and_imports_are_reported() {
    let (app, ada) = TestApp::keeping_mails().await.with_user("ada").await;
    let url = url_of(&app.database).await;
    let status = printed_json(&url, &["reindex", "--status", "--json"]).await;
    assert_eq!(
        (&status["users"], &status["indexed"]),
        (&json!(1), &json!(0))
    );
    assert!(status["bytes"].is_u64(), "{status}");
    let built = printed_json(&url, &["reindex", "--json"]).await;
    assert_eq!(built, json!({ "built": 1 }));

    ada.request_email_verification().await;
    let mails = printed_json(&url, &["admin", "mails", "--json"]).await;
    let mail = &mails[0];
    assert_eq!(mail["recipient"], "ada@example.com", "{mails}");
    assert!(
        mail["attempts"].is_u64() && mail["diedAt"].is_null(),
        "{mail}"
    );

    let folder = Folder::new("import");
    let file = folder.0.join("users.ndjson");
    let user = |email: &str| {
        let created_at = "2026-01-01T00:00:00Z";
        json!({ "email": email, "name": "Bob", "password_hash": null, "created_at": created_at })
            .to_string()
    };
    std::fs::write(
        &file,
        [user("bob@example.com"), user("ada@example.com")].join("\n"),
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let imported = printed_json(&url, &["admin", "import-users", file, "--json"]).await;
    assert_eq!(imported, json!({ "imported": 1, "skippedLines": [2] }));

    let wrong = output_of(&mut command(
        &folder,
        &url,
        &["migrate", "status", "--jsno"],
    ))
    .await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}
