//! `snapnote check`: what it finds, and what it says to do.

use serde_json::{Value, json};
use tokio::process::Command;

use super::{SECRET, commands::command, text};
use crate::support::{
    Folder, SmtpServer, empty_database, execute, fresh_name, migrated_database, output_of, program,
    url_of,
};

/// The result of each check, by its name.
pub(crate) struct Report {
    code: Option<i32>,
    json: Value,
    pub(crate) printed: String,
}

impl Report {
    pub(crate) async fn of(command: &mut Command) -> Report {
        let output = output_of(command).await;
        let printed = text(&output.stdout);
        let json = serde_json::from_str(&printed);
        Report {
            code: output.status.code(),
            json: json
                .unwrap_or_else(|error| panic!("{error}: {printed} {}", text(&output.stderr))),
            printed: printed + &text(&output.stderr),
        }
    }

    pub(crate) fn check(&self, name: &str) -> &Value {
        let checks = self.json["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {}", self.printed))
    }

    /// Asserts that a check failed, and that its detail and its remedy contain these texts.
    pub(crate) fn assert_failed(&self, name: &str, detail: &str, remedy: &str) {
        let check = self.check(name);
        assert_eq!(check["status"], "failed", "{check}");
        for (field, part) in [("detail", detail), ("remedy", remedy)] {
            let text = check[field].as_str().unwrap();
            assert!(text.contains(part), "{name}: {part}: {check}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_working_configuration_passes_all_checks() {
    let (folder, server) = (Folder::new("works"), SmtpServer::start().await);
    let url = url_of(&migrated_database().await).await;
    let smtp = format!("smtp://127.0.0.1:{}", server.port);
    let mut check = command(&folder, &url, &["check", "--json"]);
    check.env("SNAPNOTE_SMTP_URL", smtp);
    let report = Report::of(&mut check).await;
    assert_eq!(report.code, Some(0), "{}", report.printed);
    assert_eq!(report.json["ok"], true);
    let names = report.json["checks"].as_array().unwrap().iter();
    let names: Vec<&str> = names.map(|check| check["name"].as_str().unwrap()).collect();
    let expected = [
        "settings",
        "trusted-documents",
        "database",
        "pooler",
        "tls",
        "schema",
        "sharding",
        "rights",
        "migration-rights",
        "connections",
        "direct-address",
        "replica",
        "clock",
        "secret",
        "image-storage",
        "mail",
        "identity-providers",
        "files",
    ];
    assert_eq!(names, expected);
    let docs = include_str!("../../../docs/operations.md");
    for name in expected {
        assert!(
            docs.contains(&format!("`{name}`")),
            "docs/operations.md does not describe {name}"
        );
    }
    for name in [
        "settings",
        "database",
        "schema",
        "rights",
        "clock",
        "secret",
        "image-storage",
        "mail",
    ] {
        assert_eq!(report.check(name)["status"], "ok", "{}", report.printed);
    }
    assert!(server.mails().is_empty(), "it sends nothing");
    let left = folder.0.join(".snapnote/images/uploads");
    let left = std::fs::read_dir(left).map_or(0, Iterator::count);
    assert_eq!(left, 0, "it deletes what it wrote");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_with_its_remedy_and_no_secret() {
    let folder = Folder::new("fails");
    let url = url_of(&empty_database().await).await;
    std::fs::write(folder.0.join("file"), "").unwrap();
    std::fs::write(folder.0.join("filter"), "inof").unwrap();
    let issuer = "[[issuer]]\nname = \"auth\"\nkind = \"oidc\"\nissuer = \"https://auth.example/\"\naudience = \"notes\"\n\
        jwks_url = \"http://127.0.0.1:1/keys\"\n";
    let mut check = command(&folder, &url, &["check", "--json"]);
    check
        .env(
            "SNAPNOTE_SMTP_URL",
            "smtp://ada:hush-hush@127.0.0.1:1?tls=none",
        )
        .env(
            "SNAPNOTE_STORAGE_URL",
            format!("file://{}/file", folder.0.display()),
        )
        .env("SNAPNOTE_ISSUERS", issuer)
        .env("SNAPNOTE_DOCUMENTS", "missing.json")
        .env("SNAPNOTE_LOG_FILTER_FILE", "filter")
        .env("SNAPNOTE_AUDIT_DAYS", "1");
    let report = Report::of(&mut check).await;
    assert_eq!(report.code, Some(1), "{}", report.printed);
    assert_eq!(report.json["ok"], false);
    report.assert_failed("settings", "SNAPNOTE_AUDIT_DAYS", "--help");
    report.assert_failed("settings", "did you mean `info`", "--help");
    report.assert_failed("trusted-documents", "missing.json", "manifest");
    report.assert_failed("schema", "pending migrations", "snapnote migrate up");
    report.assert_failed("image-storage", "file", "SNAPNOTE_STORAGE_URL");
    report.assert_failed("mail", "", "SNAPNOTE_SMTP_URL");
    report.assert_failed("provider auth", "http://127.0.0.1:1/keys", "jwks_url");
    assert!(!report.printed.contains("hush-hush"), "{}", report.printed);
    assert!(!report.printed.contains(SECRET), "{}", report.printed);
    assert!(report.printed.contains("6 of "), "{}", report.printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_named_as_the_grants_that_help() {
    let folder = Folder::new("rights");
    let (database, role) = (migrated_database().await, fresh_name());
    let grants = format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
         GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; REVOKE INSERT ON courses FROM {role};"
    );
    execute(&database, &grants).await;
    let url = url_of(&database)
        .await
        .replacen("snapnote@", &format!("{role}@"), 1);
    let report = Report::of(&mut command(&folder, &url, &["check", "--json"])).await;
    let remedy = format!("GRANT INSERT, UPDATE, DELETE ON courses TO {role};");
    report.assert_failed("rights", "rights are missing", &remedy);
    let remedy = report.check("rights")["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("USAGE ON SEQUENCE audit_logs_id_seq"),
        "{remedy}"
    );
    assert!(!remedy.contains("documents"), "{remedy}");
    // Another role migrates.
    let migrating = report.check("migration-rights");
    assert_eq!(migrating["status"], "ok", "{migrating}");
    assert!(
        migrating["detail"]
            .as_str()
            .unwrap()
            .contains("another role"),
        "{migrating}"
    );
    let pending = "DELETE FROM __diesel_schema_migrations WHERE version =
        (SELECT max(version) FROM __diesel_schema_migrations)";
    execute(&database, pending).await;
    let report = Report::of(&mut command(&folder, &url, &["check", "--json"])).await;
    let remedy = format!("GRANT snapnote TO {role};");
    report.assert_failed("migration-rights", "missing", &remedy);
    execute(
        &database,
        &format!("DROP OWNED BY {role}; DROP ROLE {role}"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_migrations_need_are_named_while_migrations_are_pending() {
    let folder = Folder::new("migration-rights");
    let (database, role) = (empty_database().await, fresh_name());
    let create = format!("CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    execute(&database, &create).await;
    let url = url_of(&database).await;
    let url = url.replacen("snapnote@", &format!("{role}@"), 1);
    let check = async || Report::of(&mut command(&folder, &url, &["check", "--json"])).await;
    let report = check().await;
    let grants = [
        format!("GRANT CREATE ON SCHEMA public TO {role}"),
        format!("GRANT CREATE ON DATABASE {database} TO {role}"),
    ];
    for grant in &grants {
        report.assert_failed(
            "migration-rights",
            "2 rights are missing",
            &format!("{grant};"),
        );
    }
    execute(&database, &grants.join("; ")).await;
    let report = check().await;
    assert_eq!(
        report.check("migration-rights")["status"],
        "ok",
        "{}",
        report.printed
    );
    report.assert_failed("schema", "pending migrations", "snapnote migrate up");
    let migrated = output_of(&mut command(&folder, &url, &["migrate", "up"])).await;
    assert!(
        migrated.status.success(),
        "the grants suffice: {migrated:?}"
    );
    let report = check().await;
    assert_eq!(
        report.check("migration-rights")["status"],
        "ok",
        "{}",
        report.printed
    );
    let drop = format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}");
    execute(&database, &drop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_settings_and_unreachable_databases_are_findings_too() {
    let folder = Folder::new("unreadable");
    let mut check = program(&folder.0, &["check", "--json"]);
    check
        .env("SNAPNOTE_POOL_MAX", "many")
        .env("SNAPNOTE_XYZZY", "1");
    let report = Report::of(&mut check).await;
    assert_eq!(report.code, Some(1));
    report.assert_failed("settings", "SNAPNOTE_POOL_MAX is \"many\"", "--help");
    report.assert_failed("settings", "SNAPNOTE_XYZZY", "--help");
    assert_eq!(report.json["checks"].as_array().unwrap().len(), 1);

    let url = "postgres://ada:hush-hush@127.0.0.1:1/notes";
    let report = Report::of(&mut command(&folder, url, &["check", "--json"])).await;
    assert_eq!(report.code, Some(1));
    report.assert_failed("database", "127.0.0.1:1", "DATABASE_URL");
    assert_eq!(
        report.check("image-storage")["status"],
        "ok",
        "{}",
        report.printed
    );
    assert!(!report.printed.contains("hush-hush"), "{}", report.printed);

    let report = Report::of(&mut program(&folder.0, &["check", "--json"])).await;
    report.assert_failed("settings", "DATABASE_URL is not set", "--help");
    assert_eq!(report.check("database")["status"], "skipped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_address_of_another_database_fails() {
    let folder = Folder::new("direct");
    let url = url_of(&migrated_database().await).await;
    let other = url_of(&migrated_database().await).await;
    for (direct, status) in [(&url, "ok"), (&other, "failed")] {
        let mut check = command(&folder, &url, &["check", "--json"]);
        let report = Report::of(check.env("DATABASE_DIRECT_URL", direct)).await;
        assert_eq!(
            report.check("direct-address")["status"],
            json!(status),
            "{}",
            report.printed
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_text_without_colors_in_a_pipe() {
    let folder = Folder::new("pipe");
    let url = url_of(&migrated_database().await).await;
    let output = output_of(&mut command(&folder, &url, &["check"])).await;
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(
        printed.contains("✓ database             PostgreSQL "),
        "{printed}"
    );
    assert!(printed.contains("! mail "), "{printed}");
    assert!(!printed.contains('\x1b'), "{printed}");
}
