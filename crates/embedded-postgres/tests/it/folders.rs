//! Which folders are accepted, which are rejected unchanged, and where parts go that cannot be in the folder.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
};

use embedded_postgres::{Embedded, Error, Settings};
use nix::unistd::geteuid;

use super::support::{
    Scratch, ask, assert_rejected, assert_responds, connect, run, settings, start,
};

#[tokio::test]
async fn a_folder_with_other_files_is_rejected_and_not_changed() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    fs::create_dir(&folder).expect("it can be created");
    fs::write(folder.join("thesis.txt"), "text").expect("it can be written");
    let before = fs::metadata(&folder).expect("it is there");
    let message = assert_rejected(&folder, "did not create").await;
    assert!(
        message.contains(folder.to_str().expect("it is text")),
        "{message}"
    );
    let after = fs::metadata(&folder).expect("it is there");
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 1);
    assert_eq!(
        (before.mode(), before.uid(), before.mtime_nsec()),
        (after.mode(), after.uid(), after.mtime_nsec())
    );

    assert_rejected(&folder.join("thesis.txt"), "is not a folder").await;
}

#[tokio::test]
async fn a_folder_of_another_user_is_rejected() {
    let scratch = Scratch::new();
    // Root can give a folder to any user. Other users cannot, so they use a folder of root's.
    let folder = match geteuid().is_root() {
        true => {
            let folder = scratch.folder();
            fs::create_dir(&folder).expect("it can be created");
            chown(&folder, Some(65_534), None).expect("root can");
            folder
        }
        false => PathBuf::from("/usr"),
    };
    assert_rejected(&folder, "belongs to the user").await;
}

#[tokio::test]
async fn data_of_another_version_is_rejected_and_not_changed() {
    let scratch = Scratch::new();
    start(&scratch.folder()).await.stop().await;
    let version = scratch.folder().join("data/PG_VERSION");
    let own = fs::read_to_string(&version).expect("it is there");
    fs::write(&version, "13\n").expect("it can be written");
    let error = Embedded::start(settings(&scratch.folder()))
        .await
        .expect_err("no programs fit");
    assert!(
        matches!(error, Error::OtherVersion { major: 13, .. }),
        "{error}"
    );
    let found = format!("is PostgreSQL {}", own.trim());
    assert!(error.to_string().contains(&found), "{error}");

    fs::remove_file(&version).expect("it is there");
    assert_rejected(&scratch.folder(), "has no PG_VERSION").await;
    fs::write(&version, own).expect("it can be written");
    start(&scratch.folder()).await.stop().await;
}

#[tokio::test]
async fn the_error_names_a_folder_without_programs() {
    let scratch = Scratch::new();
    let settings = Settings {
        binaries: Some(scratch.0.clone()),
        ..settings(&scratch.folder())
    };
    let error = Embedded::start(settings)
        .await
        .expect_err("there are no programs");
    assert!(matches!(error, Error::NoBinaries { .. }), "{error}");
    let message = error.to_string();
    for part in [
        scratch.0.to_str().expect("it is text"),
        "Install it",
        "folder that contains its programs",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn a_long_path_has_its_socket_in_a_private_folder_in_tmp() {
    let scratch = Scratch::new();
    let folder = scratch.folder().join("long-".repeat(30));
    let embedded = start(&folder).await;
    let url = embedded.url();
    assert_responds(&url).await;
    embedded.stop().await;

    let encoded = url.split(['@', '/']).nth(3).expect("it has a host");
    let encoded = encoded.trim_end_matches(":5432");
    let socket = PathBuf::from(encoded.replace("%2F", "/"));
    assert!(socket.starts_with("/tmp"), "{socket:?}");
    assert_eq!(
        fs::metadata(&socket).expect("it is there").mode() & 0o777,
        0o700
    );
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).expect("it is ours");
    assert_rejected(&folder, "only the server's user can enter").await;

    fs::remove_dir_all(&socket).expect("it is ours");
    symlink(&scratch.0, &socket).expect("it can be created");
    assert_rejected(&folder, "only the server's user can enter").await;
    fs::remove_file(&socket).expect("it is ours");
}

#[tokio::test]
async fn a_path_can_contain_any_character() {
    let scratch = Scratch::new();
    let embedded = start(&scratch.0.join("it's, \"odd\" %41 $é")).await;
    assert_responds(&embedded.url()).await;
    embedded.stop().await;
}

#[tokio::test]
async fn data_is_in_var_lib_if_the_servers_account_cannot_reach_the_folder() {
    if !geteuid().is_root() {
        return;
    }
    let scratch = Scratch::new();
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let embedded = start(&scratch.folder()).await;
    let client = connect(&embedded.url()).await;
    run(&client, "CREATE TABLE kept AS SELECT 1 AS number").await;
    let superuser = connect(&embedded.superuser_url("postgres")).await;
    let data = PathBuf::from(ask(&superuser, "SHOW data_directory").await);
    let instead = data.parent().expect("it has a parent");
    assert_eq!(instead.parent(), Some(Path::new("/var/lib")));
    assert!(!scratch.folder().exists());
    embedded.stop().await;

    let embedded = start(&scratch.folder()).await;
    let client = connect(&embedded.url()).await;
    assert_eq!(ask(&client, "SELECT number FROM kept").await, "1");
    embedded.stop().await;
    fs::remove_dir_all(instead).expect("it is ours");
}
