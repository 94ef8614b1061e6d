//! The embedded database is backed up while the service runs, and restored into a new one: of the same version, or of another one if
//! `SNAPNOTE_TESTS_POSTGRES_BIN` names a folder with `postgres` and `initdb` of another version.

use std::{env, fs, path::Path};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    super::text,
    download, only_backup,
    original::{ITEMS, fill},
    succeeded,
};
use crate::support::{Folder, Person, SIGNED_IN, Serving, newcomer, output_of, program};

/// The program with the embedded database, on the programs in `bin`.
fn embedded(folder: &Path, bin: Option<&str>, arguments: &[&str]) -> Command {
    let arguments = [&["--embedded"], arguments].concat();
    let mut command = program(folder, &arguments);
    command.envs(bin.map(|bin| ("SNAPNOTE_PG_BIN", bin)));
    command
}

/// The version of the server, according to the manifest of a backup.
fn version_in(backup: &Path) -> String {
    let manifest = fs::read(backup.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["serverVersion"].as_str().unwrap().to_owned()
}

/// Moves a database with data from the programs in one folder to those in another. Returns both versions.
async fn moved(from: Option<&str>, to: Option<&str>) -> (String, String) {
    let folder = Folder::new("upgrade");
    let serving = Serving::start(&mut embedded(&folder.0, from, &["serve"])).await;
    let payload = serving
        .client
        .mutate("signUp", newcomer("ada"), SIGNED_IN)
        .await;
    let ada = Person::of(&serving.client, &payload);
    fill(&ada).await;
    let mut before = ada.query(ITEMS).await;
    let image = before["documents"]["nodes"][0]["image"]["url"].take();
    let image = download(&image).await;
    // The service keeps running.
    let backup = ["backup", "upgrade"];
    succeeded(output_of(&mut embedded(&folder.0, from, &backup)).await);
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.0, Some(0));

    let data = folder.0.join(".snapnote/postgres");
    fs::rename(&data, folder.0.join(".snapnote/postgres-before")).unwrap();
    let backup = only_backup(&folder.0.join("upgrade"));
    let restore = ["restore", backup.to_str().unwrap(), "--json"];
    let report = succeeded(output_of(&mut embedded(&folder.0, to, &restore)).await);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["images"], 1, "{report}");
    assert_eq!(report["pendingMigrations"], json!([]));

    let serving = Serving::start(&mut embedded(&folder.0, to, &["serve"])).await;
    // The secret is in the data folder, so the session continues.
    let there = ada.at_address(serving.client.address);
    let mut after = there.query(ITEMS).await;
    let link = after["documents"]["nodes"][0]["image"]["url"].take();
    assert_eq!(after, before);
    assert_eq!(download(&link).await, image);
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.0, Some(0));
    let version = fs::read_to_string(data.join("data/PG_VERSION")).unwrap();
    (version_in(&backup), version.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_database_is_backed_up_while_it_runs_and_restored_into_a_new_one() {
    let (from, to) = moved(None, None).await;
    assert_eq!(from.split('.').next(), Some(&*to));
}

/// Client programs of the newer version are needed to dump its server. Without them, only the way from the installed version to a newer
/// one, or from an older one, can be tried.
#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_database_moves_to_another_version() {
    let Ok(other) = env::var("SNAPNOTE_TESTS_POSTGRES_BIN") else {
        return;
    };
    let output = output_of(Command::new(format!("{other}/postgres")).arg("--version")).await;
    let version = text(&output.stdout);
    let (from, to) = match version.contains("(PostgreSQL) 14") {
        true => moved(Some(&other), None).await,
        false => moved(None, Some(&other)).await,
    };
    assert_ne!(from.split('.').next(), Some(&*to), "both are {to}");
    println!("moved from {from} to {to}");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_another_version_is_refused_with_the_commands_that_move_it() {
    let folder = Folder::new("refused");
    let serving = Serving::start(&mut embedded(&folder.0, None, &["serve"])).await;
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.0, Some(0));
    let version = folder.0.join(".snapnote/postgres/data/PG_VERSION");
    fs::write(&version, "13\n").unwrap();
    let output = output_of(&mut embedded(&folder.0, None, &["serve"])).await;
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    for part in [
        "PostgreSQL 13",
        "snapnote backup",
        "snapnote restore",
        "docs/backup.md",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}
