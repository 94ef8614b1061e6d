//! A replica that lags, stops or is not a replica: queries use the primary, without errors.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use serde_json::json;
use snapnote::graphql::plan::Mode;
use tokio::time::Duration;

use super::{names, outcomes, plans, reads_from_replica, rename_all, state};
use crate::{
    program::check::Report,
    support::{
        Folder, Person, Replicated, SECRET, TestApp, eventually, eventually_eq, fresh_name,
        program, url_of, with_log,
    },
};

#[test]
fn a_replica_that_is_too_far_behind_is_not_used() {
    with_log(tracing::Level::INFO, async |log| {
        let replicated = Replicated::new().await;
        let app = replicated
            .app(|settings| {
                plans(Mode::On)(settings);
                settings.replica.as_mut().unwrap().max_lag = Duration::from_secs(2);
            })
            .await;
        let ada = app.signed_up("ada").await;
        ada.create_course("Loom").await;
        reads_from_replica(&app, &ada).await;
        assert_eq!(state(&app).await, "ready");
        replicated.standby.pause().await;
        rename_all(&replicated, "Spindle").await;
        // No process was notified of the change, so only the lag tells that the replica is outdated.
        eventually_eq("the name", vec!["Spindle".to_owned()], async || {
            names(&ada).await
        })
        .await;
        eventually_eq("the state", json!("lagging"), async || {
            names(&ada).await;
            state(&app).await
        })
        .await;
        let lag = app.scrape().value("snapnote_replica_lag_seconds", &[]);
        assert!(lag.unwrap() > 2.0, "{lag:?}");
        assert_eq!(app.scrape().value("snapnote_replica_ready", &[]), Some(0.0));
        replicated.standby.resume().await;
        reads_from_replica(&app, &ada).await;
        assert_eq!(names(&ada).await, ["Spindle"]);
        assert_eq!(state(&app).await, "ready");
        assert_eq!(
            log.lines(&["WARN", "the read replica is too far behind"]),
            1
        );
        assert_eq!(log.lines(&["INFO", "queries use the read replica"]), 2);
        app.stop().await;
    });
}

/// Queries of several users until `stop`, none of which may fail.
async fn ask_until(stop: &AtomicBool, users: &[Person]) {
    join_all(users.iter().map(|user| async {
        while !stop.load(Ordering::Relaxed) {
            assert_eq!(names(user).await, ["Loom"]);
            let found = user
                .query("{ courses { nodes { name description tasks { nodes { title } } } } }")
                .await;
            assert_eq!(found["courses"]["nodes"][0]["name"], "Loom");
        }
    }))
    .await;
}

async fn with_users(app: &TestApp) -> Vec<Person> {
    let mut users = Vec::new();
    for name in ["ada", "bob", "eve"] {
        let user = app.signed_up(name).await;
        user.create_course("Loom").await;
        reads_from_replica(app, &user).await;
        users.push(user);
    }
    users
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stops_causes_no_errors() {
    for mode in [Mode::On, Mode::Off] {
        let mut replicated = Replicated::new().await;
        let app = replicated.app(plans(mode)).await;
        let users = with_users(&app).await;
        let stop = AtomicBool::new(false);
        let faults = async {
            for _ in 0..3 {
                replicated.standby.stop().await;
                let before = outcomes(&app, "not_ready");
                eventually("the primary is used", async || {
                    outcomes(&app, "not_ready") > before + 5.0
                })
                .await;
                replicated.standby.start().await;
                let before = outcomes(&app, "replica");
                eventually("the replica is used again", async || {
                    outcomes(&app, "replica") > before + 5.0
                })
                .await;
            }
            stop.store(true, Ordering::Relaxed);
        };
        tokio::join!(ask_until(&stop, &users), faults);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_connections_and_conflicts_cause_no_errors() {
    let replicated = Replicated::new().await;
    let app = replicated.app(plans(Mode::Off)).await;
    let users = with_users(&app).await;
    let stop = AtomicBool::new(false);
    let close = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'snapnote'";
    let faults = async {
        for round in 0..10 {
            replicated.standby.sql(close).await;
            // Replaying it conflicts with statements that run on the replica.
            replicated
                .sql("BEGIN; LOCK TABLE courses IN ACCESS EXCLUSIVE MODE; COMMIT")
                .await;
            replicated.sql("UPDATE courses SET color = color").await;
            replicated.sql("VACUUM courses").await;
            let before = outcomes(&app, "replica");
            eventually(
                &format!("the replica is used in round {round}"),
                async || outcomes(&app, "replica") > before,
            )
            .await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(ask_until(&stop, &users), faults);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_replica_is_not_used() {
    let replicated = Replicated::new().await;
    let other = fresh_name();
    replicated
        .sql(&format!("CREATE DATABASE {other} OWNER snapnote"))
        .await;
    let elsewhere = url_of("postgres").await;
    for url in [
        replicated.url(),
        replicated.standby.url("postgres"),
        elsewhere,
        "postgres://snapnote@127.0.0.1:1/nothing".to_owned(),
    ] {
        let app = replicated.app_with(&url, plans(Mode::On)).await;
        let ada = app.signed_up(&fresh_name()).await;
        ada.create_course("Loom").await;
        let expected = match url.contains("nothing") {
            true => "unreachable",
            false => "unusable",
        };
        eventually_eq(&url, json!(expected), async || {
            assert_eq!(names(&ada).await, ["Loom"]);
            state(&app).await
        })
        .await;
        assert_eq!(app.anonymous().get("/readyz").await.status, 200);
        assert_eq!(outcomes(&app, "replica"), 0.0);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_notifications_the_replica_is_not_used() {
    let replicated = Replicated::new().await;
    let app = replicated
        .app(|settings| settings.live.notifications = false)
        .await;
    let ada = app.signed_up("ada").await;
    ada.create_course("Loom").await;
    assert_eq!(names(&ada).await, ["Loom"]);
    assert_eq!(state(&app).await, "waiting for notifications");
    assert_eq!(outcomes(&app, "replica"), 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_checks_the_replica() {
    let replicated = Replicated::new().await;
    let folder = Folder::new("replica");
    let check = async |read: &str| {
        let mut check = program(&folder.0, &["check", "--json"]);
        check
            .env("DATABASE_URL", replicated.url())
            .env("SNAPNOTE_JWT_SECRET", std::str::from_utf8(SECRET).unwrap())
            .env("SNAPNOTE_READ_MAX_LAG", "10s")
            .env("DATABASE_READ_URL", read);
        Report::of(&mut check).await
    };
    let url = replicated.standby.url(&replicated.database);
    let report = check(&url).await;
    assert_eq!(
        report.check("replica")["status"],
        "ok",
        "{}",
        report.printed
    );
    let report = check(&replicated.url()).await;
    report.assert_failed("replica", "it is a primary", "DATABASE_READ_URL");
    let report = check(&url_of("postgres").await).await;
    report.assert_failed("replica", "does not replicate", "DATABASE_READ_URL");
}
