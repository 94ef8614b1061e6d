//! The database or a disk cannot do its work at present: clients get UNAVAILABLE, never INTERNAL.

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::support::{
    Folder, Person, SIGNED_IN, Serving, TestApp, migrated_database, newcomer, output_of, program,
    url_of,
};

/// What PostgreSQL reports when it lacks something, is stopping, or has failed over.
const OUTAGES: &[(&str, &str)] = &[
    (
        "53100",
        "could not extend file \"base/16384/2619\": No space left on device",
    ),
    (
        "53100",
        "could not write to file \"base/pgsql_tmp/pgsql_tmp4711.2\": No space left on device",
    ),
    (
        "53100",
        "could not extend file because project size limit (3072 MB) has been exceeded",
    ),
    ("53100", "disk_full"),
    ("53200", "out of memory"),
    ("53200", "out of shared memory"),
    ("53300", "sorry, too many clients already"),
    (
        "53400",
        "temporary file size exceeds \"temp_file_limit\" (1024kB)",
    ),
    (
        "57P02",
        "terminating connection because of crash of another server process",
    ),
    ("57P03", "the database system is starting up"),
    ("08006", "connection_failure"),
    ("08P01", "server conn crashed?"),
    ("25006", "cannot execute INSERT in a read-only transaction"),
    (
        "55P03",
        "could not obtain lock on row in relation \"courses\"",
    ),
    ("55P03", "canceling statement due to lock timeout"),
    (
        "40001",
        "could not serialize access due to concurrent update",
    ),
    ("40P01", "deadlock detected"),
    ("0A000", "cached plan must not change result type"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_do_its_work_at_present_is_unavailable() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    app.sql("CREATE TABLE failure (state text, message text)")
        .await;
    app.sql(
        "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
         DECLARE f failure; BEGIN
             SELECT * INTO f FROM failure;
             IF FOUND THEN RAISE EXCEPTION '%', f.message USING ERRCODE = f.state; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER fails BEFORE INSERT ON courses FOR EACH ROW EXECUTE FUNCTION fails()",
    )
    .await;
    for (state, message) in OUTAGES {
        app.sql(&format!(
            "DELETE FROM failure; INSERT INTO failure VALUES ('{state}', '{message}')"
        ))
        .await;
        let answer = ada.post_mutation(
            "createCourse",
            json!({ "name": "Weaving" }),
            "course { id }",
        );
        let answer = answer.await;
        assert!(
            answer.status < 500 || answer.status == 503,
            "{state} {answer:?}"
        );
        let error = &answer.json()["errors"][0];
        assert_eq!(
            error["extensions"]["code"], "UNAVAILABLE",
            "{state} {message}"
        );
        assert!(error["extensions"]["retryAfterMs"].is_number(), "{error}");
        assert!(
            !error["message"].as_str().unwrap().contains(message),
            "{error}"
        );
    }
    app.sql("DELETE FROM failure").await;
    ada.create_course("Weaving").await;
}

/// The program with a small disk at its folder. `None` if this machine does not allow that.
async fn on_a_small_disk(folder: &Folder, size: &str, arguments: &[&str]) -> Option<Command> {
    let mount = format!("mount -t tmpfs -o size={size},mode=777 none \"$0\"");
    // Root keeps its access to the files of other accounts, such as the socket of the tests' server.
    let spaces = if nix::unistd::geteuid().is_root() {
        "-m"
    } else {
        "-rm"
    };
    let mut unshare = Command::new("unshare");
    unshare.args([spaces, "sh", "-c", &mount]).arg(&folder.0);
    let allowed = unshare.stderr(Stdio::null()).status().await;
    if !allowed.is_ok_and(|status| status.success()) {
        return None;
    }
    let run = program(&folder.0, arguments);
    let inner = run.as_std();
    let mut command = Command::new("unshare");
    command
        .args([
            spaces,
            "sh",
            "-c",
            &format!("{mount} && shift && cd \"$0\" && exec \"$@\""),
        ])
        .arg(&folder.0)
        .arg("sh")
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Some(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_to_a_full_disk_are_unavailable() {
    let folder = Folder::new("full");
    let Some(mut command) = on_a_small_disk(&folder, "256k", &["serve"]).await else {
        return;
    };
    let database = migrated_database().await;
    command
        .env("DATABASE_URL", url_of(&database).await)
        .env(
            "SNAPNOTE_STORAGE_URL",
            format!("file://{}/images", folder.0.display()),
        )
        .env(
            "SNAPNOTE_JWT_SECRET",
            "a secret of the tests, long enough to be one",
        );
    let serving = Serving::start(&mut command).await;
    let payload = serving
        .client
        .mutate("signUp", newcomer("ada"), SIGNED_IN)
        .await;
    let ada = Person::of(&serving.client, &payload);
    let course = ada.create_course("Weaving").await;
    let document = ada.create_document(&course, "Looms").await;
    let input =
        json!({ "documentId": document, "contentType": "image/png", "byteSize": 2_000_000 });
    let upload = ada
        .mutate("requestImageUpload", input, "upload { url }")
        .await;
    let url = upload["upload"]["url"].as_str().unwrap();
    let path = url
        .split_once("/uploads/")
        .map(|(_, rest)| format!("/uploads/{rest}"))
        .unwrap();
    let type_of = [("Content-Type", "image/png")];
    let answer = ada.http("PUT", &path, &type_of, &vec![7; 2_000_000]).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    ada.query("{ me { id } }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_database_on_a_full_disk_says_what_to_do() {
    let folder = Folder::new("full-own");
    let Some(mut command) = on_a_small_disk(&folder, "8m", &["serve"]).await else {
        return;
    };
    let output = output_of(&mut command).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("Free space"), "{error}");
}
