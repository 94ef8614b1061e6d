//! The embedded server as programs use it: by processes that start, leave, and are killed.
//!
//! All servers are in the system's temporary folder, and all but one are throw-away servers. This file tests the server
//! itself, `holders` sharing, `crashes` recovery, and `folders` the folder's checks and locations.

mod crashes;
mod folders;
mod holders;
mod support;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use embedded_postgres::{Embedded, Error, Settings};

use self::support::{NAME, Scratch, ask, assert_rejected, connect, run, settings, start, until};

#[tokio::test]
async fn a_new_folder_gets_a_server_with_a_database_that_the_role_owns() {
    let scratch = Scratch::new();
    let embedded = start(&scratch.folder()).await;
    let client = connect(&embedded.url()).await;

    assert_eq!(ask(&client, "SELECT current_user").await, NAME);
    let superuser = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user";
    assert_eq!(ask(&client, superuser).await, "f");
    let owner =
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()";
    assert_eq!(ask(&client, owner).await, NAME);
    assert_eq!(ask(&client, "SELECT lower('ÄÖ')").await, "äö");
    assert_eq!(ask(&client, "SHOW server_encoding").await, "UTF8");
    assert_eq!(ask(&client, "SHOW listen_addresses").await, "");
    assert_eq!(ask(&client, "SHOW wal_level").await, "replica");
    assert_eq!(ask(&client, "SHOW data_checksums").await, "on");
    assert_eq!(ask(&client, "SHOW fsync").await, "off");
    assert_eq!(ask(&client, "SHOW max_connections").await, "300");
    let text =
        fs::read_to_string(scratch.folder().join(".gitignore")).expect("there is a .gitignore");
    assert_eq!(text, "*\n");
    let socket = fs::metadata(scratch.folder().join("socket")).expect("there is a socket folder");
    assert_eq!(socket.mode() & 0o777, 0o700);

    let superuser = connect(&embedded.superuser_url("postgres")).await;
    run(&superuser, "CREATE DATABASE \"a/b c\"").await;
    let other = connect(&embedded.superuser_url("a/b c")).await;
    assert_eq!(ask(&other, "SELECT current_database()").await, "a/b c");
    embedded.stop().await;
}

#[tokio::test]
async fn durable_data_is_synced_and_survives_a_restart() {
    let scratch = Scratch::new();
    let settings = || Settings {
        durable: true,
        ..settings(&scratch.folder())
    };
    let embedded = Embedded::start(settings()).await.expect("it starts");
    let client = connect(&embedded.url()).await;
    assert_eq!(ask(&client, "SHOW fsync").await, "on");
    assert_eq!(ask(&client, "SHOW synchronous_commit").await, "on");
    run(&client, "CREATE TABLE kept AS SELECT 'text' AS text").await;
    embedded.stop().await;

    let embedded = Embedded::start(settings()).await.expect("it starts");
    let client = connect(&embedded.url()).await;
    assert_eq!(ask(&client, "SELECT text FROM kept").await, "text");
    embedded.stop().await;
    assert_rejected(&scratch.folder(), "keep data safe").await;
}

#[tokio::test]
async fn a_failed_start_reports_the_servers_output() {
    let scratch = Scratch::new();
    start(&scratch.folder()).await.stop().await;
    let file = scratch.folder().join("data/postgresql.conf");
    let sound = fs::read_to_string(&file).expect("it is there");
    fs::write(&file, format!("{sound}\nnonsense = 1\n")).expect("it can be written");
    let error = Embedded::start(settings(&scratch.folder())).await;
    let error = error.expect_err("the configuration is wrong");
    assert!(matches!(error, Error::Exited { .. }), "{error}");
    assert!(error.to_string().contains("nonsense"), "{error}");

    fs::write(&file, sound).expect("it can be written");
    start(&scratch.folder()).await.stop().await;
}

#[tokio::test]
async fn a_long_log_is_emptied() {
    let scratch = Scratch::new();
    start(&scratch.folder()).await.stop().await;
    let log = scratch.folder().join("postgres.log");
    let length = || fs::metadata(&log).expect("there is a log").len();
    let make_long = || {
        let log = fs::OpenOptions::new()
            .write(true)
            .open(&log)
            .expect("there is a log");
        log.set_len(11 << 20).expect("it can be extended");
    };
    make_long();
    let embedded = start(&scratch.folder()).await;
    assert!(length() < 1 << 20);
    make_long();
    until("the log is emptied", || length() < 1 << 20);
    embedded.stop().await;
}

#[tokio::test]
async fn initdb_is_retried_with_other_character_types() {
    let scratch = Scratch::new();
    let embedded = start(&scratch.folder()).await;
    let superuser = connect(&embedded.superuser_url("postgres")).await;
    let real = ask(
        &superuser,
        "SELECT setting FROM pg_config WHERE name = 'BINDIR'",
    )
    .await;
    embedded.stop().await;

    // An initdb without C.UTF-8 that uses it for en_US.UTF-8.
    let programs = scratch.0.join("programs");
    fs::create_dir(&programs).expect("it can be created");
    symlink(format!("{real}/postgres"), programs.join("postgres")).expect("it can be created");
    let script = format!(
        "#!/bin/bash\n\
         case \"$*\" in *C.UTF-8*) echo 'initdb: error: invalid locale name \"C.UTF-8\"' >&2; exit 1;; esac\n\
         exec {real}/initdb \"${{@/en_US.UTF-8/C.UTF-8}}\"\n"
    );
    fs::write(programs.join("initdb"), script).expect("it can be written");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(programs.join("initdb"), executable).expect("it is ours");
    let settings = Settings {
        binaries: Some(programs),
        ..settings(&scratch.0.join("other"))
    };
    let embedded = Embedded::start(settings).await.expect("it starts");
    assert_eq!(
        ask(&connect(&embedded.url()).await, "SELECT lower('Ä')").await,
        "ä"
    );
    embedded.stop().await;
}
