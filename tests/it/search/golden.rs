//! The golden set: a user's courses, documents and tasks, and what they expect of searches.
//!
//! `tests/golden/README.md` describes it. To print the results by category: `cargo test --test it golden -- --nocapture`.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Client, Person, TestApp, texts};

const ITEMS: &str = include_str!("../../golden/documents.jsonl");
const QUERIES: &str = include_str!("../../golden/queries.jsonl");

#[derive(Deserialize)]
struct Query {
    category: String,
    query: String,
    expect: Vec<String>,
    never: Vec<String>,
    r#type: Option<String>,
    course: Option<String>,
}

/// Recall and reciprocal ranks of a category, summed up.
#[derive(Default, Clone, Copy)]
struct Figures {
    expecting: f64,
    recall: f64,
    reciprocal_rank: f64,
    queries: usize,
    wrong: usize,
}

impl Figures {
    fn add(&mut self, other: Figures) {
        self.expecting += other.expecting;
        self.recall += other.recall;
        self.reciprocal_rank += other.reciprocal_rank;
        self.queries += other.queries;
        self.wrong += other.wrong;
    }

    fn recall(&self) -> f64 {
        self.recall / self.expecting.max(1.0)
    }

    fn mean_reciprocal_rank(&self) -> f64 {
        self.reciprocal_rank / self.expecting.max(1.0)
    }
}

/// Writes the items, each so many days ago. The id is made from the key. Documents without a course are in one with the name
/// `~`.
const WRITE: &str = "
    CREATE TEMP TABLE golden AS
    SELECT item.*, (SELECT id FROM users) AS user_id, md5(key)::uuid AS id, md5(course)::uuid AS course_id,
        now() - make_interval(days => age_days) AS at
    FROM jsonb_to_recordset($items$ITEMS$items$) AS item
        (key text, kind text, course text, title text, note text, text text, age_days integer);
    INSERT INTO courses (user_id, id, name, description, created_at, updated_at)
    SELECT user_id, id, title, note, at, at FROM golden WHERE kind = 'course';
    INSERT INTO courses (user_id, id, name) SELECT id, md5('')::uuid, '~' FROM users;
    INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt, created_at, updated_at)
    SELECT user_id, id, coalesce(course_id, md5('')::uuid), title, note, text, '', at, at FROM golden WHERE kind = 'document';
    INSERT INTO tasks (user_id, id, course_id, title, description, created_at, updated_at)
    SELECT user_id, id, course_id, title, note, at, at FROM golden WHERE kind = 'task'";

async fn user_with_the_golden_items() -> (TestApp, Person, HashMap<String, String>) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let items: Vec<Value> = ITEMS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    app.sql(&WRITE.replace("ITEMS", &json!(items).to_string()))
        .await;
    let ids = "SELECT jsonb_object_agg(id, key) FROM (
        SELECT md5(key)::uuid AS id, key FROM jsonb_to_recordset($items$ITEMS$items$) AS item (key text)) AS known";
    let keys = app
        .text(&ids.replace("ITEMS", &json!(items).to_string()))
        .await;
    (app, ada, serde_json::from_str(&keys).unwrap())
}

/// The keys of the ten best.
async fn answer(ada: &Client, query: &Query, keys: &HashMap<String, String>) -> Vec<String> {
    let course = query.course.as_ref().map(|wanted| {
        let id = keys.iter().find(|(_, key)| *key == wanted);
        id.unwrap().0.clone()
    });
    let variables = json!({ "query": query.query, "course": course, "types": query.r#type.as_ref().map(|ty| [ty]) });
    let search = "query($query: String!, $types: [ItemType!], $course: ID) {
        search(query: $query, types: $types, courseId: $course, first: 10) {
            nodes { ... on Node { id } } } }";
    let data = ada.data(search, variables).await;
    let ids = texts(&data["search"]["nodes"], "id");
    ids.iter().map(|id| keys[id].clone()).collect()
}

fn judge(query: &Query, found: &[String]) -> Figures {
    let must_not = |key: &String| query.never.iter().any(|never| never == key || never == "*");
    let expected = query
        .expect
        .iter()
        .filter(|key| found.contains(key))
        .count();
    let first = found.iter().position(|key| query.expect.contains(key));
    let expecting = !query.expect.is_empty();
    Figures {
        expecting: f64::from(expecting),
        recall: expected as f64 / query.expect.len().clamp(1, 10) as f64,
        reciprocal_rank: first.map_or(0.0, |at| 1.0 / (at + 1) as f64),
        queries: 1,
        wrong: found.iter().filter(|key| must_not(key)).count(),
    }
}

/// Whether exact hits come before similar ones, and recent before old ones.
fn is_in_order(query: &Query, found: &[String]) -> bool {
    match query.category.as_str() {
        "exact_over_fuzzy" => found.first() == query.expect.first(),
        "recent" => found.starts_with(&query.expect),
        _ => true,
    }
}

fn print(categories: &BTreeMap<String, Figures>) {
    println!(
        "{:<18} {:>7} {:>9} {:>6} {:>5}",
        "category", "queries", "recall@10", "MRR", "wrong"
    );
    for (category, figures) in categories {
        let (recall, rank) = (figures.recall(), figures.mean_reciprocal_rank());
        println!(
            "{category:<18} {:>7} {recall:>9.3} {rank:>6.3} {:>5}",
            figures.queries, figures.wrong
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_golden_set_is_found_as_users_expect() {
    let (_app, ada, keys) = user_with_the_golden_items().await;
    let mut categories: BTreeMap<String, Figures> = BTreeMap::new();
    let (mut all, mut unordered) = (Figures::default(), 0);
    for line in QUERIES.lines() {
        let query: Query = serde_json::from_str(line).unwrap();
        let found = answer(&ada, &query, &keys).await;
        let figures = judge(&query, &found);
        let is_perfect = query.expect.is_empty() || figures.recall + figures.reciprocal_rank >= 2.0;
        if !is_perfect || figures.wrong > 0 || !is_in_order(&query, &found) {
            println!(
                "{}: {} found {found:?} for {:?}, never {:?}",
                query.category, query.query, query.expect, query.never
            );
        }
        unordered += usize::from(!is_in_order(&query, &found));
        categories
            .entry(query.category.clone())
            .or_default()
            .add(figures);
        all.add(figures);
    }
    categories.insert("ALL".to_owned(), all);
    print(&categories);
    assert!(all.queries >= 60);
    assert_eq!((all.wrong, unordered), (0, 0));
    assert!(all.recall() >= 0.98, "{}", all.recall());
    let rank = all.mean_reciprocal_rank();
    assert!(rank >= 0.95, "{rank}");
}
