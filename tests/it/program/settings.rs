//! How the program reads its settings: flags, variables and `.env`.

use std::collections::BTreeSet;

use super::{SECRET, text};
use crate::support::{Folder, output_of, program};

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_overrides_the_settings_file() {
    let folder = Folder::new("env");
    let file = folder.0.join(".env");
    std::fs::write(&file, "SNAPNOTE_POOL_MAX=3\nSNAPNOTE_POOL_KEPT=4\n").unwrap();
    let output = output_of(&mut program(&folder.0, &["schema"])).await;
    assert!(text(&output.stderr).contains("SNAPNOTE_POOL_KEPT is 4"));
    let mut command = program(&folder.0, &["schema"]);
    let output = output_of(command.env("SNAPNOTE_POOL_KEPT", "2")).await;
    assert!(output.status.success(), "{output:?}");

    std::fs::write(&file, "SNAPNOTE_JWT_SECRET=hush hush\n").unwrap();
    let output = output_of(&mut program(&folder.0, &["schema"])).await;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains(".env") && !error.contains("hush"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_lists_every_setting_and_no_secret() {
    let folder = Folder::new("help");
    let mut command = program(&folder.0, &["--help"]);
    let secrets = [
        ("SNAPNOTE_JWT_SECRET", "hush-hush"),
        ("DATABASE_URL", "postgres://ada:hush-hush@db/notes"),
    ];
    let output = output_of(command.envs(secrets)).await;
    let help = text(&output.stdout);
    assert!(output.status.success() && !help.contains("hush-hush"));
    let listed = include_str!("../../../.env.example").lines();
    let names = listed.filter_map(|line| line.trim_start_matches("# ").split_once('='));
    for (name, _) in names.filter(|(name, _)| !name.contains(' ')) {
        assert!(help.contains(name), "{name} is missing");
    }
}

/// The lines that the program prints to standard error when it must not start.
async fn rejected(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let mut command = program(&folder.0, arguments);
    let output = output_of(command.envs(variables.iter().copied())).await;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{variables:?}: {error}");
    assert_eq!(text(&output.stdout), "");
    error.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_wrong_settings_are_reported_at_once_by_name() {
    let folder = Folder::new("all-wrong");
    let variables = [
        (
            "DATABASE_URL",
            "postgres://ada:hush-hush@db/notes?sslmode=full",
        ),
        (
            "DATABASE_DIRECT_URL",
            "postgres://ada:hush-hush@/notes?port=a",
        ),
        ("SNAPNOTE_JWT_SECRET", "hush-hush"),
        ("SNAPNOTE_SMTP_URL", "smtp://ada:hush-hush@smtp.example.com"),
        ("SNAPNOTE_LISTEN", "0.0.0.0:0"),
        ("SNAPNOTE_AUDIT_DAYS", "1"),
    ];
    let lines = rejected(&folder, &["serve"], &variables).await;
    let said: BTreeSet<&str> = lines
        .iter()
        .map(|line| line.strip_prefix("snapnote: ").unwrap())
        .map(|line| line.split([' ', ':']).next().unwrap())
        .collect();
    let expected = [
        "DATABASE_URL",
        "DATABASE_DIRECT_URL",
        "SNAPNOTE_JWT_SECRET",
        "SNAPNOTE_APP_URL",
        "SNAPNOTE_PUBLIC_URL",
        "SNAPNOTE_AUDIT_DAYS",
    ];
    assert_eq!(said, BTreeSet::from(expected), "{lines:#?}");
    assert_eq!(lines.len(), expected.len());
    assert!(!lines.concat().contains("hush-hush"), "{lines:#?}");

    let variables = [
        ("SNAPNOTE_LOG", "inof"),
        ("SNAPNOTE_POOL_SIZE", "hush-hush"),
        ("SNAPNOTE_REQUEST_TIMEOUT", "10"),
        ("SNAPNOTE_STORAGE_URL", "s4://ada:hush-hush@bucket"),
    ];
    let lines = rejected(&folder, &["schema"], &variables).await;
    assert_eq!(lines.len(), variables.len(), "{lines:#?}");
    for (name, _) in variables {
        assert!(
            lines.iter().any(|line| line.contains(name)),
            "{name}: {lines:#?}"
        );
    }
    assert!(!lines.concat().contains("hush-hush"), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_setting_in_env_is_rejected_too() {
    let folder = Folder::new("unknown");
    std::fs::write(folder.0.join(".env"), "SNAPNOTE_TRASH_DAY=7\n").unwrap();
    let lines = rejected(&folder, &["schema"], &[]).await;
    let expected =
        "snapnote: SNAPNOTE_TRASH_DAY is not a setting. Did you mean SNAPNOTE_TRASH_DAYS?";
    assert_eq!(lines, [expected]);
    // An empty variable counts as not set.
    let mut command = program(&folder.0, &["schema"]);
    let output = output_of(command.env("SNAPNOTE_TRASH_DAY", "")).await;
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_override_invalid_variables_and_empty_ones_are_not_set() {
    let folder = Folder::new("override");
    let variables = [
        ("SNAPNOTE_POOL_MAX", "many"),
        ("SNAPNOTE_LOG", "inof"),
        ("SNAPNOTE_MAX_BODY", ""),
        ("SNAPNOTE_GRAPHIQL", " "),
    ];
    for arguments in [
        ["--pool-max=7", "--log", "warn", "schema"],
        ["schema", "--pool-max=7", "--log", "warn"],
    ] {
        let mut command = program(&folder.0, &arguments);
        let output = output_of(command.envs(variables)).await;
        assert!(output.status.success(), "{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_with_a_database_needs_its_address_or_a_wish() {
    let folder = Folder::new("address");
    let misspelled = ("DATABSE_URL", "postgres://ada:hush-hush@db/notes");
    for arguments in [
        &[][..],
        &["serve"],
        &["migrate", "up"],
        &["migrate", "status"],
        &["demo"],
        &["admin", "mails"],
    ] {
        let lines = rejected(&folder, arguments, &[("SNAPNOTE_JWT_SECRET", SECRET)]).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        for part in [
            "DATABASE_URL is not set",
            "--embedded",
            "SNAPNOTE_EMBEDDED=true",
        ] {
            assert!(lines[0].contains(part), "{lines:?}");
        }
        let lines = rejected(&folder, arguments, &[misspelled]).await;
        assert!(lines[0].contains("DATABSE_URL"), "{lines:?}");
        assert!(!lines[0].contains("hush-hush"), "{lines:?}");
    }
    let names = std::fs::read_dir(&folder.0).unwrap().count();
    assert_eq!(names, 0, "no database was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_can_be_in_files() {
    let folder = Folder::new("secret-files");
    let write = |name: &str, contents: &str| {
        let path = folder.0.join(name);
        std::fs::write(&path, contents).unwrap();
        path.display().to_string()
    };
    let url = write("url", "postgres://ada:hush-hush@127.0.0.1:1/notes\n");
    let secret = write("secret", &format!("{SECRET}\r\n"));
    let both = [
        ("DATABASE_URL_FILE", &*url),
        ("SNAPNOTE_JWT_SECRET_FILE", &*secret),
    ];
    let lines = rejected(&folder, &["serve"], &both).await;
    assert!(
        lines
            .concat()
            .contains("cannot connect to database `notes` at 127.0.0.1:1"),
        "{lines:?}"
    );
    assert!(!lines.concat().contains("hush-hush"), "{lines:?}");

    let missing = folder.0.join("missing").display().to_string();
    let variables = [
        ("DATABASE_URL_FILE", &*missing),
        ("SNAPNOTE_JWT_SECRET_FILE", &*secret),
        ("SNAPNOTE_JWT_SECRET", SECRET),
        ("SNAPNOTE_LISTEN_FILE", &*missing),
    ];
    let mut lines = rejected(&folder, &["serve"], &variables).await;
    lines.sort();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].contains("DATABASE_URL_FILE names") && lines[0].contains(&missing),
        "{lines:?}"
    );
    assert!(
        lines[1].contains("SNAPNOTE_JWT_SECRET and SNAPNOTE_JWT_SECRET_FILE are both set"),
        "{lines:?}"
    );
    assert!(
        lines[2].contains("SNAPNOTE_LISTEN_FILE is not a setting"),
        "{lines:?}"
    );
}
