//! `snapnote backup` and `restore`: the drill of docs/backup.md, existing data, damaged backups, secrets, and upgrades of the embedded
//! database. `original` is what they back up.

mod original;
mod upgrades;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use original::{ITEMS, Original};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::{commands::command, text};
use crate::support::{
    Folder, SECRET, Serving, empty_database, execute, number, output_of, program, superuser, url_of,
};

fn secret() -> &'static str {
    std::str::from_utf8(SECRET).unwrap()
}

/// The commands of the drill, as operators read them.
fn drill() -> &'static str {
    let docs = include_str!("../../../docs/backup.md");
    let (_, rest) = docs.split_once("```sh drill\n").unwrap();
    rest.split_once("```").unwrap().0
}

/// A shell with the program in its PATH.
fn shell(folder: &Path, script: &str) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_snapnote")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script])
        .env_clear()
        .env("PATH", format!("{}:{path}", programs.display()))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What a command that must succeed prints to standard output.
fn succeeded(output: Output) -> String {
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{printed}");
    text(&output.stdout)
}

/// What a command that must fail prints to standard error.
fn failed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    text(&output.stderr)
}

/// The only backup in a folder.
fn only_backup(folder: &Path) -> PathBuf {
    let paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    paths[0].clone()
}

/// A command on a database, with the images in this folder.
fn with_images(folder: &Folder, url: &str, images: &Path, arguments: &[&str]) -> Command {
    let mut command = command(folder, url, arguments);
    command.env("SNAPNOTE_JWT_SECRET", secret()).env(
        "SNAPNOTE_STORAGE_URL",
        format!("file://{}", images.display()),
    );
    command
}

/// What a user sees after a restore, on a service that is started for this.
async fn assert_restored(original: &Original, serve: &mut Command) {
    let serving = Serving::start(serve).await;
    let ada = original.ada.at_address(serving.client.address);
    let mut seen = ada.query(ITEMS).await;
    let image = seen["documents"]["nodes"][0]["image"]["url"].take();
    assert_eq!(seen, original.seen);
    assert_eq!(download(&image).await, original.image);
    let changes = "query($after: String!) { changes(after: $after) { nodes { __typename } } }";
    let variables = json!({ "after": original.cursor });
    let code = ada.error_code(changes, variables).await;
    assert_eq!(
        code, "CURSOR_EXPIRED",
        "a restored database has a new epoch"
    );
    serving.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(serving.end().await.0, Some(0));
}

/// The bytes at a link.
async fn download(url: &Value) -> Vec<u8> {
    let answer = reqwest::get(url.as_str().expect("a link")).await.unwrap();
    let answer = answer.error_for_status().unwrap();
    answer.bytes().await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drill_of_the_docs_restores_everything_and_expires_cursors() {
    let (folder, original) = (Folder::new("drill"), Original::new().await);
    let empty = url_of(&empty_database().await).await;
    let mut drill = shell(&folder.0, drill());
    drill
        .env("DATABASE_URL", &original.url)
        .env("DRILL_URL", &empty)
        .env("SNAPNOTE_JWT_SECRET", secret())
        .env("SNAPNOTE_STORAGE_URL", original.storage());
    let printed = succeeded(output_of(&mut drill).await);
    for part in ["Backup    backups/snapnote-", "(images: 1)", "✓ schema"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let images = folder.0.join("drill/images");
    assert_restored(
        &original,
        &mut with_images(&folder, &empty, &images, &["serve"]),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_the_hashes_of_all_files_and_the_secret_only_on_request() {
    let (folder, original) = (Folder::new("manifest"), Original::new().await);
    let arguments = ["backup", "backups", "--json", "--keep-days", "7"];
    let old = folder.0.join("backups/snapnote-20200101T000000Z");
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("manifest.json"), "{}").unwrap();
    let report = succeeded(output_of(&mut original.command(&folder, &arguments)).await);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["images"], 1);
    assert_eq!(report["missingImages"], 0);
    assert_eq!(report["keys"], false);
    assert_eq!(
        report["deleted"],
        json!(["backups/snapnote-20200101T000000Z"])
    );

    let backup = only_backup(&folder.0.join("backups"));
    let manifest = fs::read(backup.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_object().unwrap();
    for (name, entry) in files {
        let bytes = fs::read(backup.join(name)).unwrap();
        let hash: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(entry["sha256"], hash, "{name}");
        let mode = fs::metadata(backup.join(name)).unwrap().permissions();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
            0o600,
            "{name}"
        );
    }
    assert!(files.contains_key("database.dump"), "{files:?}");
    assert!(!manifest.to_string().contains("keys/"), "{manifest}");

    let mut again = original.command(&folder, &["backup", "all.zip", "--include-keys"]);
    again.env("SNAPNOTE_JWT_SECRET_PREVIOUS", "b".repeat(32));
    succeeded(output_of(&mut again).await);
    let zip = fs::read(folder.0.join("all.zip")).unwrap();
    // The files of the archive are stored as they are.
    for secret in [secret(), &"b".repeat(32)] {
        assert!(
            zip.windows(secret.len())
                .any(|part| part == secret.as_bytes())
        );
    }
    let taken = failed(&output_of(&mut original.command(&folder, &["backup", "all.zip"])).await);
    assert!(taken.contains("exists already"), "{taken}");
    assert!(!folder.0.join("all.zip.unfinished").exists());
    fs::write(folder.0.join("new.zip.unfinished"), "").unwrap();
    let left = failed(&output_of(&mut original.command(&folder, &["backup", "new.zip"])).await);
    assert!(left.contains("new.zip.unfinished exists"), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_replaced_only_on_request_and_a_zip_file_can_be_restored() {
    let (folder, original) = (Folder::new("replace"), Original::new().await);
    succeeded(output_of(&mut original.command(&folder, &["backup", "all.zip"])).await);
    let restore = async |more: &[&str]| {
        let arguments = [&["restore", "all.zip"], more].concat();
        output_of(&mut original.command(&folder, &arguments)).await
    };
    let refused = failed(&restore(&[]).await);
    assert!(
        refused.contains("is not empty") && refused.contains("--replace"),
        "{refused}"
    );
    let refused = failed(&restore(&["--replace"]).await);
    assert!(refused.contains("--yes"), "{refused}");

    let mut serve = original.command(&folder, &["serve"]);
    serve.env("SNAPNOTE_JWT_SECRET", secret());
    let serving = Serving::start(&mut serve).await;
    let ada = original.ada.at_address(serving.client.address);
    ada.create_course("Later").await;
    let refused = failed(&restore(&["--replace", "--yes"]).await);
    assert!(refused.contains("Stop all its processes"), "{refused}");
    serving.signal(nix::sys::signal::Signal::SIGTERM);
    serving.end().await;

    execute(&original.database, "SET ROLE snapnote; CREATE TABLE extra (id int); CREATE FUNCTION extra() RETURNS int RETURN 1").await;
    let report = succeeded(restore(&["--replace", "--yes", "--json"]).await);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["replaced"], &report["images"]),
        (&json!(true), &json!(1))
    );
    let mut conn = superuser(&original.database).await;
    let extra = "SELECT count(*) FROM pg_class WHERE relname = 'extra'";
    assert_eq!(number(&mut conn, extra).await, 0);
    drop(conn);
    assert_restored(&original, &mut serve).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_and_a_failing_restore_change_nothing() {
    let (folder, original) = (Folder::new("damaged"), Original::new().await);
    succeeded(output_of(&mut original.command(&folder, &["backup", "backups"])).await);
    let backup = only_backup(&folder.0.join("backups"));
    let dump = backup.join("database.dump");
    let mut bytes = fs::read(&dump).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&dump, &bytes).unwrap();
    let path = backup.to_str().unwrap();
    let restore = async || {
        let arguments = ["restore", path, "--replace", "--yes"];
        failed(&output_of(&mut original.command(&folder, &arguments)).await)
    };
    let damaged = restore().await;
    assert!(
        damaged.contains("database.dump") && damaged.contains("SHA-256"),
        "{damaged}"
    );

    // With a hash that fits, pg_restore notices that the end is missing.
    bytes[middle] ^= 1;
    bytes.truncate(bytes.len() - 100);
    fs::write(&dump, &bytes).unwrap();
    let manifest = fs::read_to_string(backup.join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&manifest).unwrap();
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    manifest["files"]["database.dump"] = json!({ "bytes": bytes.len(), "sha256": hash });
    fs::write(backup.join("manifest.json"), manifest.to_string()).unwrap();
    let unfinished = restore().await;
    assert!(unfinished.contains("not changed"), "{unfinished}");

    fs::remove_file(backup.join("manifest.json")).unwrap();
    let incomplete = restore().await;
    assert!(incomplete.contains("not a complete backup"), "{incomplete}");
    let mut serve = original.command(&folder, &["serve"]);
    let serving = Serving::start(serve.env("SNAPNOTE_JWT_SECRET", secret())).await;
    let seen = original
        .ada
        .at_address(serving.client.address)
        .query(ITEMS)
        .await;
    assert_eq!(seen["courses"], original.seen["courses"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_needs_a_database_of_the_service_and_suitable_programs() {
    let folder = Folder::new("no-backup");
    let empty = url_of(&empty_database().await).await;
    let images = folder.0.join("images");
    let mut backup = with_images(&folder, &empty, &images, &["backup", "backups"]);
    let nothing = failed(&output_of(&mut backup).await);
    assert!(nothing.contains("nothing to back up"), "{nothing}");
    let mut restore = program(&folder.0, &["restore", "nowhere"]);
    restore.env("DATABASE_URL", &empty);
    let missing = failed(&output_of(&mut restore).await);
    assert!(
        missing.contains("nowhere is not a complete backup"),
        "{missing}"
    );
}
