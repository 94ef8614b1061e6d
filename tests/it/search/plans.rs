//! What PostgreSQL reads for the search and for parts of titles and metadata, told by its own counters: only by indexes, and
//! only of the viewer's, however much others keep. So it is what is really sent that is judged, and each of its plans: a
//! statement that comes back has another after a few times.

use serde_json::{Value, json};

use super::search;
use crate::support::{Client, TestApp};

/// How many people there are, and documents of each.
const PEOPLE: i64 = 50;
const DOCUMENTS: i64 = 200;
/// What is searched, in all the ways that there are.
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
/// How often each thing is asked: more often than PostgreSQL makes a plan for the values at hand.
const TIMES: i64 = 8;

/// Fifty people with the same words; of each, 200 documents, 40 tasks and 20 courses.
const KEEP: &str = "
    INSERT INTO users (id, email, email_key, name)
    SELECT md5(n::text)::uuid, n || '@example.org', n || '@example.org', n FROM generate_series(2, 50) AS n;
    INSERT INTO courses (user_id, id, name)
    SELECT users.id, md5('course ' || n)::uuid, 'Course number ' || n FROM users, generate_series(1, 20) AS n;
    INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt, metadata)
    SELECT users.id, md5('document ' || n)::uuid, md5('course ' || n % 20 + 1)::uuid, 'Document number ' || n,
        (SELECT string_agg('term' || (n * 7 + word * 31) % 2000, ' ') FROM generate_series(1, 12) AS word), '', '',
        jsonb_build_object('page', n, 'tags', jsonb_build_array('tag' || n % 10))
    FROM users, generate_series(1, 200) AS n;
    INSERT INTO tasks (user_id, id, title) SELECT users.id, md5('task ' || n)::uuid, 'Task number ' || n FROM users, generate_series(1, 40) AS n";

/// Fifty people's things, seen by one of them.
async fn among_many() -> (TestApp, Client) {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    app.sql(KEEP).await;
    app.sql("VACUUM ANALYZE").await;
    let count = "SELECT count(*) FROM documents";
    assert_eq!(app.number(count).await, PEOPLE * DOCUMENTS);
    // What it reads is not to be counted.
    app.pool.close().await;
    (app, ada)
}

/// How a table was read since.
#[derive(Debug)]
pub(crate) struct Read {
    /// From its start to its end, so often.
    pub(crate) whole: i64,
    /// Rows of it, by its indexes.
    pub(crate) fetched: i64,
    /// Entries of its indexes.
    pub(crate) entries: i64,
}

/// What was read of a table.
pub(crate) async fn read_of(app: &TestApp, table: &str) -> Read {
    let number =
        |column| format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = '{table}'");
    let indexes =
        format!("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = '{table}'");
    Read {
        whole: app.number(&number("seq_scan")).await,
        fetched: app.number(&number("idx_tup_fetch")).await,
        entries: app.number(&indexes).await,
    }
}

/// How often an index was used since.
async fn used(app: &TestApp, index: &str) -> i64 {
    let scans = format!("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = '{index}'");
    app.number(&scans).await
}

/// Has a service of its own asked, whose connections start with counters at zero; they tell at their end what they read.
pub(crate) async fn asked_alone(app: &TestApp, client: &Client, ask: impl AsyncFnOnce(&Client)) {
    let service = TestApp::on(app.database.clone(), |_| {}).await;
    app.sql("SELECT pg_stat_reset()").await;
    let client = Client {
        address: service.address,
        ..client.clone()
    };
    ask(&client).await;
    service.stop().await;
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'snapnote'";
    while app.number(others).await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn search_often(client: &Client) {
    for query in QUERIES {
        for _ in 0..TIMES {
            search(client, json!({ "query": query, "first": 10 })).await;
        }
    }
    let variables = json!({ "query": "number", "first": 10, "types": ["DOCUMENT"] });
    let page = search(client, variables).await;
    assert_eq!(page["edges"].as_array().unwrap().len(), 10);
}

async fn the_search_reads_by_indexes_and_nothing_of_others(app: &TestApp, ada: &Client) {
    asked_alone(app, ada, search_often).await;
    let entries = read_of(app, "search_entries").await;
    let words = read_of(app, "search_words").await;
    println!("the search read {entries:?}, {words:?}");
    assert_eq!(
        (entries.whole, words.whole),
        (0, 0),
        "no table is read whole"
    );
    let asked = TIMES * QUERIES.len() as i64 + 1;
    assert!(used(app, "search_entries_words_idx").await >= asked);
    assert!(used(app, "search_words_word_idx").await >= asked);
    let own = "SELECT count(*) FROM search_entries WHERE user_id = (SELECT id FROM users WHERE name = 'ada')";
    assert!(entries.fetched <= asked * app.number(own).await);
    // No query has more than three words that are looked up.
    let known = own.replace("entries", "words");
    assert!(words.entries <= asked * 3 * app.number(&known).await);
}

/// Asks a list for what contains a part, several times.
async fn list(client: &Client, list: &str, filter: &str, part: &Value) {
    let ty = if part.is_object() {
        "JSONObject"
    } else {
        "String"
    };
    let query = format!(
        "query($part: {ty}) {{ {list}(filter: {{ {filter}: $part }}, first: 20) {{ totalCount nodes {{ id }} }} }}"
    );
    for _ in 0..TIMES {
        let found = client.data(&query, json!({ "part": part })).await;
        assert!(found[list]["totalCount"].as_i64().unwrap() > 0, "{part}");
    }
}

async fn list_often(client: &Client) {
    for part in ["number 17", "NUMBER", "r", "ber 9"] {
        list(client, "documents", "titleContains", &json!(part)).await;
        list(client, "tasks", "titleContains", &json!(part)).await;
        list(client, "courses", "nameContains", &json!(part)).await;
    }
    for part in [
        json!({ "page": 17 }),
        json!({ "tags": ["tag3"] }),
        json!({ "tags": [] }),
    ] {
        list(client, "documents", "metadataContains", &part).await;
    }
}

async fn lists_of_a_part_read_by_indexes_and_nothing_of_others(app: &TestApp, ada: &Client) {
    asked_alone(app, ada, list_often).await;
    // A page and its count are two statements; courses are read for nothing else.
    for (table, own, lists) in [
        ("documents", DOCUMENTS, 7),
        ("tasks", 40, 4),
        ("courses", 20, 4),
    ] {
        let read = read_of(app, table).await;
        println!("lists read {read:?} of {table}");
        assert_eq!(read.whole, 0, "{table} is never read whole");
        assert!(read.fetched <= 2 * TIMES * lists * own, "{table}");
    }
    for index in ["documents_title_trigrams_idx", "documents_metadata_idx"] {
        assert!(used(app, index).await > 0, "{index}");
    }
}

/// One test, since it takes some time to write what they keep.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_is_read_by_indexes_and_nothing_of_others() {
    let (app, ada) = among_many().await;
    the_search_reads_by_indexes_and_nothing_of_others(&app, &ada).await;
    lists_of_a_part_read_by_indexes_and_nothing_of_others(&app, &ada).await;
}
