//! What PostgreSQL reads for searches and for filters by parts of titles and metadata: indexes only, and rows of the viewer only,
//! however many rows others have.
//!
//! PostgreSQL's own counters judge the statements that are really sent, and each of their plans: a repeated statement gets
//! another plan after a few times.

use serde_json::{Value, json};
use snapnote::items::titles;

use crate::support::{Client, Person, TestApp, asked_alone, index_scans, list, read_of};

/// The number of users, and of documents of each: too few for the job that makes missing indexes.
const USERS: i64 = 50;
const DOCUMENTS: i64 = 150;
/// Queries of all kinds.
const QUERIES: [&str; 10] = [
    "term700",
    "term7",
    "erm70",
    "trem700",
    "\"term7 term38\"",
    "term700 OR term701",
    "number -term700",
    "document number",
    "7",
    "nothing at all",
];
/// Parts of few and of all titles.
const PARTS: [&str; 4] = ["number 17", "NUMBER", "r", "ber 9"];
/// Parts of metadata.
const METADATA: [&str; 3] = [
    r#"{"page": 17}"#,
    r#"{"tags": ["tag3"]}"#,
    r#"{"tags": []}"#,
];
/// The size of a page.
const PAGE: i64 = 20;
/// How often each query is sent: more often than PostgreSQL plans for the given values.
const TIMES: i64 = 8;

/// Fifty users with the same words, each with 150 documents, 40 tasks and 20 courses.
const KEEP: &str = "
    INSERT INTO users (id, email, email_key, name)
    SELECT md5(n::text)::uuid, n || '@example.org', n || '@example.org', n FROM generate_series(2, 50) AS n;
    INSERT INTO courses (user_id, id, name)
    SELECT users.id, md5('course ' || n)::uuid, 'Course number ' || n FROM users, generate_series(1, 20) AS n;
    INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt, metadata)
    SELECT users.id, md5('document ' || n)::uuid, md5('course ' || n % 20 + 1)::uuid, 'Document number ' || n,
        (SELECT string_agg('term' || (n * 7 + word * 31) % 2000, ' ') FROM generate_series(1, 12) AS word), '', '',
        jsonb_build_object('page', n, 'tags', jsonb_build_array('tag' || n % 10))
    FROM users, generate_series(1, 150) AS n;
    INSERT INTO tasks (user_id, id, title) SELECT users.id, md5('task ' || n)::uuid, 'Task number ' || n FROM users, generate_series(1, 40) AS n";

/// The items of fifty users, as seen by one of them.
async fn among_many() -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(KEEP).await;
    titles::fold_all(&app.pool).await.unwrap();
    app.sql("VACUUM ANALYZE").await;
    assert_eq!(app.count("documents").await, USERS * DOCUMENTS);
    (app, ada)
}

async fn search_often(client: &Client) {
    for query in QUERIES {
        for _ in 0..TIMES {
            client.search(json!({ "query": query, "first": 10 })).await;
        }
    }
    let variables = json!({ "query": "number", "first": 10, "types": ["DOCUMENT"] });
    let page = client.search(variables).await;
    assert_eq!(list(&page["edges"]).len(), 10);
}

/// An index that is up to date costs one look-up in the log, and the rows of the page.
async fn assert_search_reads(app: &TestApp, ada: &Client) {
    search_often(ada).await;
    asked_alone(app, ada, search_often).await;
    let asked = TIMES * QUERIES.len() as i64 + 1;
    let log = read_of(app, "audit_logs").await;
    assert_eq!(
        (log.whole, log.fetched),
        (0, 0),
        "no entry of the log is read"
    );
    for table in ["courses", "documents", "tasks"] {
        let read = read_of(app, table).await;
        assert_eq!(read.whole, 0, "{table} is never read whole");
        assert!(read.fetched <= asked * 3 * 10, "{table}: {}", read.fetched);
    }
    assert_eq!(read_of(app, "search_indexes").await.fetched, 0);
}

/// Filters a list by a part of a title, several times.
async fn filter_often(client: &Client, list: &str, filter: &str, part: &Value) {
    let ty = if part.is_object() {
        "JSONObject"
    } else {
        "String"
    };
    let query = format!(
        "query($part: {ty}) {{ {list}(filter: {{ {filter}: $part }}, first: {PAGE}) {{ totalCount nodes {{ id }} }} }}"
    );
    for _ in 0..TIMES {
        let found = client.data(&query, json!({ "part": part })).await;
        assert!(found[list]["totalCount"].as_i64().unwrap() > 0, "{part}");
    }
}

async fn list_titles_often(client: &Client) {
    for part in PARTS {
        filter_often(client, "documents", "titleContains", &json!(part)).await;
        filter_often(client, "tasks", "titleContains", &json!(part)).await;
        filter_often(client, "courses", "nameContains", &json!(part)).await;
    }
}

/// A filter by a part of a title reads the folded titles of the viewer from an index, and the rows of the page.
async fn assert_title_filters_read(app: &TestApp, ada: &Client) {
    asked_alone(app, ada, list_titles_often).await;
    // The rows of all matches are read and sorted, as long as few titles match (`db::keyset`). With few rows, they may be read twice.
    for (table, rows) in [("documents", DOCUMENTS), ("tasks", 80), ("courses", 40)] {
        let read = read_of(app, table).await;
        assert_eq!(read.whole, 0, "{table} is never read whole");
        let most = TIMES * PARTS.len() as i64 * rows;
        assert!(read.fetched <= most, "{table}: {}", read.fetched);
    }
    for index in [
        "documents_title_folded_idx",
        "tasks_title_folded_idx",
        "courses_name_folded_idx",
    ] {
        assert!(index_scans(app, index).await > 0, "{index}");
    }
}

async fn list_metadata_often(client: &Client) {
    for part in METADATA {
        let part: Value = serde_json::from_str(part).unwrap();
        filter_often(client, "documents", "metadataContains", &part).await;
    }
}

async fn assert_metadata_filters_read(app: &TestApp, ada: &Client) {
    asked_alone(app, ada, list_metadata_often).await;
    let read = read_of(app, "documents").await;
    assert_eq!(read.whole, 0, "documents are never read whole");
    // A page and its count are two statements.
    assert!(read.fetched <= 2 * TIMES * METADATA.len() as i64 * DOCUMENTS);
    assert!(index_scans(app, "documents_metadata_idx").await > 0);
}

/// One test, since writing the items takes some time.
#[tokio::test(flavor = "multi_thread")]
async fn searches_and_filters_read_only_indexes_and_own_rows() {
    let (app, ada) = among_many().await;
    assert_search_reads(&app, &ada).await;
    assert_title_filters_read(&app, &ada).await;
    assert_metadata_filters_read(&app, &ada).await;
}
