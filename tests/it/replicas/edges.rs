//! Replicas at their edges: slow queries, lost notifications, a sleeping primary, and queries that never use a replica.

use serde_json::json;
use snapnote::graphql::plan::Mode;
use tokio::time::Duration;

use super::{names, outcomes, plans, reads_from_replica};
use crate::support::{Person, REPLICA_METRICS, Replicated, at_least, eventually, eventually_eq};

/// The number of queries that were decided on, whatever the outcome.
fn decisions(app: &crate::support::TestApp) -> f64 {
    app.scrape().count("snapnote_replica_queries_total", &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slow_query_does_not_turn_the_replica_off_for_others() {
    let replicated = Replicated::new().await;
    let app = replicated.app(plans(Mode::On)).await;
    let (ada, bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    for user in [&ada, &bob] {
        user.create_course("Loom").await;
        reads_from_replica(&app, user).await;
    }
    // On both servers, queries of tags wait for this lock. Longer than a query may take on the replica.
    let lock = "BEGIN; LOCK TABLE tags IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(5); COMMIT";
    let locked = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND locktype = 'relation'";
    let slow = async {
        eventually_eq("locks on the replica", 1, async || {
            replicated.standby.number(locked).await
        })
        .await;
        ada.query("{ tags { totalCount } }").await;
    };
    let others = async {
        let before = (outcomes(&app, "not_ready"), outcomes(&app, "failed"));
        eventually("the slow query has failed on the replica", async || {
            assert_eq!(names(&bob).await, ["Loom"]);
            outcomes(&app, "failed") > before.1
        })
        .await;
        for _ in 0..20 {
            assert_eq!(names(&bob).await, ["Loom"]);
        }
        assert_eq!(outcomes(&app, "failed"), before.1 + 1.0);
        assert_eq!(
            outcomes(&app, "not_ready"),
            before.0,
            "it was never turned off"
        );
    };
    tokio::join!(replicated.sql(lock), slow, others);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_cannot_be_sent_is_sent_again() {
    let replicated = Replicated::new().await;
    let here = replicated.app(plans(Mode::On)).await;
    let there = replicated.app(plans(Mode::On)).await;
    let ada = here.signed_up("ada").await;
    let elsewhere = here.signed_in("ada").await;
    let elsewhere = Person {
        client: elsewhere.client.at(&there),
        ..elsewhere
    };
    ada.create_course("Loom").await;
    reads_from_replica(&there, &elsewhere).await;
    replicated.standby.pause().await;
    replicated
        .sql("REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM PUBLIC")
        .await;
    ada.create_course("Warp").await;
    // Nothing tells the other process of the change.
    at_least(Duration::from_secs(1)).await;
    assert_eq!(names(&elsewhere).await, ["Loom"]);
    replicated
        .sql("GRANT EXECUTE ON FUNCTION pg_notify(text, text) TO PUBLIC")
        .await;
    eventually_eq("courses in the other process", 2, async || {
        names(&elsewhere).await.len()
    })
    .await;
    here.stop().await;
    there.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_process_with_a_replica_does_not_wake_a_sleeping_primary() {
    let replicated = Replicated::new().await;
    let app = replicated
        .app(|settings| {
            crate::idle::soon_idle(settings);
            settings.live.idle_check = Duration::from_millis(100);
        })
        .await;
    let ada = app.signed_up("ada").await;
    ada.create_course("Loom").await;
    reads_from_replica(&app, &ada).await;
    let connections = async || {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'snapnote'";
        replicated.number(count).await
    };
    // The process connects again once, because the server may have restarted.
    eventually("the process lets the primary sleep", async || {
        let close = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND usename = 'snapnote'";
        replicated.sql(close).await;
        at_least(Duration::from_secs(1)).await;
        connections().await == 0
    })
    .await;
    for _ in 0..20 {
        at_least(Duration::from_millis(100)).await;
        assert_eq!(connections().await, 0);
    }
    assert_eq!(names(&ada).await, ["Loom"]);
    reads_from_replica(&app, &ada).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_searches_and_private_data_are_never_read_from_the_replica() {
    for mode in [Mode::On, Mode::Off] {
        let replicated = Replicated::new().await;
        let app = replicated.app(plans(mode)).await;
        let ada = app.signed_up("ada").await;
        replicated.sql("UPDATE users SET role = 'admin'").await;
        ada.create_course("Loom").await;
        reads_from_replica(&app, &ada).await;
        for fields in [
            "changes { nodes { action } }",
            "changesCursor",
            "search(query: \"loom\") { edges { score } }",
            "users { nodes { id } }",
            "me { profile { preferences } }",
            "me { sessions { id } }",
            "me { accounts { provider } }",
            "me { usage { items } }",
            "me { auditLog { nodes { action } } }",
            // Anywhere in the document.
            "me { ...log }",
        ] {
            let fragment = match fields.contains("...log") {
                true => " fragment log on User { ... { log: auditLog { nodes { action } } } }",
                false => "",
            };
            let before = decisions(&app);
            let found = ada
                .query(&format!(
                    "{{ {fields} courses {{ nodes {{ name }} }} }}{fragment}"
                ))
                .await;
            assert_eq!(found["courses"]["nodes"], json!([{ "name": "Loom" }]));
            assert_eq!(decisions(&app), before, "{fields}");
        }
        // The same lists alone are.
        reads_from_replica(&app, &ada).await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_a_replica_has_its_metrics() {
    let replicated = Replicated::new().await;
    let app = replicated.app(plans(Mode::On)).await;
    let ada = app.signed_up("ada").await;
    reads_from_replica(&app, &ada).await;
    let mut metrics = app.scrape().names();
    metrics.retain(|name| name.starts_with("snapnote_replica_"));
    assert_eq!(metrics, REPLICA_METRICS.map(str::to_owned).into());
    app.stop().await;
}
