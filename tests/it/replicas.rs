//! Read replicas: queries read items from a streaming replica and return the same responses.

mod edges;
mod faults;

use serde_json::{Value, json};
use snapnote::{app::AppSettings, graphql::plan::Mode};
use tokio::time::Duration;

use crate::support::{Person, Replicated, TestApp, eventually, eventually_eq, text};

/// With these plans, and as operators use them.
fn plans(mode: Mode) -> impl Fn(&mut AppSettings) {
    move |settings| settings.query_plans = mode
}

/// How many queries have had this outcome.
fn outcomes(app: &TestApp, outcome: &str) -> f64 {
    let labels = [("outcome", outcome)];
    app.scrape()
        .count("snapnote_replica_queries_total", &labels)
}

async fn state(app: &TestApp) -> Value {
    app.anonymous().get("/readyz").await.json()["replica"]["state"].clone()
}

/// Waits until this user's queries read from the replica.
async fn reads_from_replica(app: &TestApp, user: &Person) {
    eventually("the replica is used", async || {
        let before = outcomes(app, "replica");
        user.query("{ courses { totalCount } }").await;
        outcomes(app, "replica") > before
    })
    .await;
}

async fn names(user: &Person) -> Vec<String> {
    let found = user.query("{ courses { nodes { name } } }").await;
    let nodes = found["courses"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| text(&node["name"])).collect()
}

/// Changes items as another program would that does not notify the service.
async fn rename_all(replicated: &Replicated, name: &str) {
    replicated
        .sql(&format!("UPDATE courses SET name = '{name}'"))
        .await;
}

/// Writes of all kinds, each followed by reads that must show it.
async fn write_and_read(user: &Person, round: usize) {
    let name = format!("Course {round}");
    let course = user.create_course(&name).await;
    assert!(names(user).await.contains(&name));
    let tasks = json!({ "tasks": (0..3).map(|number| json!({
        "courseId": course, "title": format!("Task {round}.{number}"),
    })).collect::<Vec<_>>() });
    user.mutate("createTasks", tasks, "results { task { id } }")
        .await;
    let query = format!(
        "{{ course(id: {0}) {{ name openTaskCount tasks {{ totalCount nodes {{ title }} }} }} node(id: {0}) {{ id }} }}",
        json!(course)
    );
    let found = user.query(&query).await;
    assert_eq!(found["course"]["openTaskCount"], 3);
    assert_eq!(found["course"]["tasks"]["totalCount"], 3);
    let document = user.create_document(&course, "# Weaving looms").await;
    let tag = user.create(
        "Tag",
        json!({ "name": format!("Tag {round}"), "color": "#000000" }),
    );
    let tag = tag.await;
    let change = json!({ "ids": [document], "add": [tag] });
    user.mutate("tagItems", change, "items { id }").await;
    let query = format!(
        "{{ document(id: {}) {{ formattedNote tags {{ id }} }} }}",
        json!(document)
    );
    let found = user.query(&query).await;
    assert_eq!(found["document"]["formattedNote"], "# Weaving looms");
    assert_eq!(found["document"]["tags"][0]["id"], json!(tag));
    let found = user
        .query("{ search(query: \"weaving\") { edges { node { id } highlights { text } } } }")
        .await;
    let edges = found["search"]["edges"].as_array().unwrap();
    let edge = edges
        .iter()
        .find(|edge| edge["node"]["id"] == json!(document));
    assert!(!edge.unwrap()["highlights"].as_array().unwrap().is_empty());
    let name = format!("Renamed {round}");
    user.rename_course(&course, &name).await;
    assert!(names(user).await.contains(&name));
    user.trash(&[&course]).await;
    assert!(!names(user).await.contains(&name));
    let query = "{ trash { nodes { id } } }";
    let trash = user.query(query).await["trash"]["nodes"].clone();
    assert!(trash.as_array().unwrap().contains(&json!({ "id": course })));
    user.mutate("emptyTrash", Value::Null, "deletedIds").await;
    assert_eq!(user.query(query).await["trash"]["nodes"], json!([]));
    let query = format!("{{ node(id: {}) {{ id }} }}", json!(course));
    assert_eq!(user.query(&query).await["node"], Value::Null);
}

async fn users_read_their_own_writes(mode: Mode) {
    let replicated = Replicated::new().await;
    let app = replicated.app(plans(mode)).await;
    let reader = app.signed_up("reader").await;
    reader.create_course("Loom").await;
    reads_from_replica(&app, &reader).await;
    replicated.standby.replay_after("2s").await;
    let mut writers = Vec::new();
    for name in ["ada", "bob", "eve"] {
        writers.push(app.signed_up(name).await);
    }
    let before = outcomes(&app, "own_writes");
    let writing = writers.iter().map(|user| async {
        for round in 0..4 {
            write_and_read(user, round).await;
        }
    });
    let reading = async {
        // Its items have not changed for long, so it reads from the replica, although others write.
        for _ in 0..20 {
            assert_eq!(names(&reader).await, ["Loom"]);
        }
    };
    let from_replica = outcomes(&app, "replica");
    tokio::join!(futures_util::future::join_all(writing), reading);
    assert!(outcomes(&app, "own_writes") > before);
    assert!(outcomes(&app, "replica") > from_replica);
    assert_eq!(outcomes(&app, "failed"), 0.0);
    // They use the replica again once it shows everything.
    for user in &writers {
        reads_from_replica(&app, user).await;
        assert!(names(user).await.is_empty());
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_read_their_own_writes_with_plans() {
    users_read_their_own_writes(Mode::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_read_their_own_writes_without_plans() {
    users_read_their_own_writes(Mode::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn items_come_from_the_replica_and_users_from_the_primary() {
    for mode in [Mode::On, Mode::Off] {
        let replicated = Replicated::new().await;
        let app = replicated.app(plans(mode)).await;
        let ada = app.signed_up("ada").await;
        let course = ada.create_course("Loom").await;
        reads_from_replica(&app, &ada).await;
        replicated.standby.pause().await;
        rename_all(&replicated, "Spindle").await;
        replicated.sql("UPDATE users SET name = 'Countess'").await;
        let query = format!(
            "{{ me {{ name }} course(id: {0}) {{ name owner {{ name }} }} courses {{ nodes {{ name }} }}
                nodes(ids: [{0}]) {{ ... on Course {{ name }} }} }}",
            json!(course)
        );
        let found = ada.query(&query).await;
        let (loom, countess) = (json!({ "name": "Loom" }), json!({ "name": "Countess" }));
        assert_eq!(found["me"], countess);
        let owned = json!({ "name": "Loom", "owner": countess });
        assert_eq!(found["course"], owned);
        assert_eq!(found["courses"]["nodes"], json!([loom]));
        assert_eq!(found["nodes"], json!([loom]));
        // A change that the feed shows, and its item, come from the primary, and so do later queries.
        let query =
            "{ changes { nodes { item { ... on Course { name } } } } courses { nodes { name } } }";
        let found = ada.query(query).await;
        assert_eq!(found["changes"]["nodes"][1]["item"]["name"], "Spindle");
        assert_eq!(found["courses"]["nodes"][0]["name"], "Spindle");
        assert_eq!(names(&ada).await, ["Spindle"]);
        // So do those after a write.
        replicated.standby.resume().await;
        reads_from_replica(&app, &ada).await;
        replicated.standby.pause().await;
        ada.create_course("Warp").await;
        let mut both = names(&ada).await;
        both.sort();
        assert_eq!(both, ["Spindle", "Warp"]);
        replicated.standby.resume().await;
        reads_from_replica(&app, &ada).await;
        assert_eq!(names(&ada).await.len(), 2);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_in_another_process_are_noticed() {
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
    ada.create_course("Warp").await;
    // Not because of the lag, which may be any: another user's queries stay on the replica.
    eventually_eq("courses in the other process", 2, async || {
        names(&elsewhere).await.len()
    })
    .await;
    let (bob, before) = (there.signed_up("bob").await, outcomes(&there, "own_writes"));
    assert!(names(&elsewhere).await.len() == 2 && names(&bob).await.is_empty());
    assert!(outcomes(&there, "own_writes") > before);
    here.stop().await;
    there.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_the_library_agree_on_the_replica_and_users_stay_isolated() {
    let replicated = Replicated::new().await;
    let app = replicated.app(|_| {}).await;
    let (ada, bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    let course = ada.create_course("Loom").await;
    let task = ada.create_task(Some(&course), "Warp").await;
    let document = ada.create_document(&course, "# Weft").await;
    for user in [&ada, &bob] {
        reads_from_replica(&app, user).await;
    }
    let before = outcomes(&app, "replica");
    let query = format!(
        "{{ node(id: {course}) {{ id }} nodes(ids: [{course}, {task}, {document}]) {{ __typename id }}
            course(id: {course}) {{ name documents {{ nodes {{ title excerpt }} }} tasks {{ nodes {{ title tags {{ name }} }} }} }}
            document(id: {document}) {{ formattedNote image {{ url }} course {{ name }} }} task(id: {task}) {{ title }}
            documents {{ totalCount }} tasks {{ totalCount }} tags {{ totalCount }} trash {{ totalCount }} }}",
        course = json!(course),
        task = json!(task),
        document = json!(document),
    );
    let of_ada = ada.query(&query).await;
    assert_eq!(of_ada["course"]["documents"]["nodes"][0]["excerpt"], "Weft");
    assert_eq!(of_ada["nodes"][1]["__typename"], "Task");
    let of_bob = bob.query(&query).await;
    assert_eq!(of_bob["nodes"], json!([null, null, null]));
    for name in ["node", "course", "document", "task"] {
        assert_eq!(of_bob[name], Value::Null, "{name}");
    }
    for name in ["documents", "tasks", "tags", "trash"] {
        assert_eq!(of_bob[name]["totalCount"], 0, "{name}");
    }
    assert_eq!(outcomes(&app, "replica"), before + 2.0);
    assert_eq!(outcomes(&app, "failed"), 0.0);
    app.stop().await;
}

/// When the service last sent a statement to a database, in microseconds, as far as open connections tell.
const LAST_STATEMENT: &str =
    "SELECT coalesce(max(extract(epoch FROM greatest(backend_start, query_start))) * 1000000, 0)
    FROM pg_stat_activity WHERE usename = 'snapnote' AND datname = ";

#[tokio::test(flavor = "multi_thread")]
async fn without_requests_neither_server_gets_statements() {
    let replicated = Replicated::new().await;
    let app = replicated.app(crate::idle::soon_idle).await;
    let ada = app.signed_up("ada").await;
    ada.create_course("Loom").await;
    reads_from_replica(&app, &ada).await;
    ada.create_course("Warp").await;
    let last = format!("{LAST_STATEMENT}'{}'", replicated.database);
    let last_statements = async || {
        let last = (
            replicated.number(&last).await,
            replicated.standby.number(&last).await,
        );
        (last, app.pool.statements())
    };
    eventually("no statement in a window of time", async || {
        let before = last_statements().await;
        for _ in 0..20 {
            assert_eq!(app.anonymous().get("/readyz").await.status, 200);
            crate::support::at_least(Duration::from_millis(100)).await;
        }
        last_statements().await == before
    })
    .await;
    assert_eq!(names(&ada).await.len(), 2);
    reads_from_replica(&app, &ada).await;
    app.stop().await;
}
