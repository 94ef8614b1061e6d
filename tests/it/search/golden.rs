//! The golden set: a user's courses, documents and tasks, and what they expect of searches.
//!
//! `tests/golden/README.md` describes it. To print the results by category: `cargo test --test it golden -- --nocapture`.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Client, Person, TestApp};

/// Everyday items and queries, in English, German, French, Japanese, Korean and Chinese.
const EVERYDAY_ITEMS: &str = include_str!("../../golden/documents.jsonl");
const EVERYDAY_QUERIES: &str = include_str!("../../golden/queries.jsonl");

/// Items and queries on what readers see: other scripts, markup, hyphenation and punctuation.
const SCRIPTS_ITEMS: &str = include_str!("../../golden/scripts_documents.jsonl");
const SCRIPTS_QUERIES: &str = include_str!("../../golden/scripts_queries.jsonl");
#[derive(Deserialize)]
struct Query {
    category: String,
    query: String,
    expect: Vec<String>,
    never: Vec<String>,
    r#type: Option<String>,
    course: Option<String>,
    /// Whether the first result must be the first of `expect`.
    #[serde(default)]
    first: bool,
}

/// A found item.
struct Hit {
    key: String,
    is_highlighted: bool,
}

/// Sums over queries.
#[derive(Default, Clone, Copy)]
struct Figures {
    queries: usize,
    /// Queries that expect something.
    expecting: f64,
    recall: f64,
    reciprocal_rank: f64,
    /// Found items that must not be found.
    wrong: usize,
    /// Queries with a wrong order of results.
    unordered: usize,
    /// Expected items that were found without a highlight.
    unhighlighted: usize,
}

impl Figures {
    fn sum(all: impl IntoIterator<Item = Figures>) -> Figures {
        let mut sum = Figures::default();
        for figures in all {
            sum.queries += figures.queries;
            sum.expecting += figures.expecting;
            sum.recall += figures.recall;
            sum.reciprocal_rank += figures.reciprocal_rank;
            sum.wrong += figures.wrong;
            sum.unordered += figures.unordered;
            sum.unhighlighted += figures.unhighlighted;
        }
        sum
    }

    fn recall(&self) -> f64 {
        self.recall / self.expecting.max(1.0)
    }

    fn mean_reciprocal_rank(&self) -> f64 {
        self.reciprocal_rank / self.expecting.max(1.0)
    }

    fn is_perfect(&self) -> bool {
        let is_complete = self.recall + self.reciprocal_rank >= 2.0 * self.expecting;
        is_complete && self.wrong + self.unordered + self.unhighlighted == 0
    }

    fn print(&self, name: &str) {
        println!(
            "{name:<20} {:>7} {:>9.3} {:>6.3} {:>5} {:>9} {:>13}",
            self.queries,
            self.recall(),
            self.mean_reciprocal_rank(),
            self.wrong,
            self.unordered,
            self.unhighlighted
        );
    }

    fn require(&self, recall: f64, mean_reciprocal_rank: f64) {
        assert!(self.recall() >= recall, "{}", self.recall());
        let rank = self.mean_reciprocal_rank();
        assert!(rank >= mean_reciprocal_rank, "{rank}");
        assert_eq!((self.wrong, self.unordered), (0, 0));
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
    let items: Vec<Value> = [EVERYDAY_ITEMS, SCRIPTS_ITEMS]
        .iter()
        .flat_map(|set| set.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    app.sql(&WRITE.replace("ITEMS", &json!(items).to_string()))
        .await;
    let ids = "SELECT jsonb_object_agg(id, key) FROM (
        SELECT md5(key)::uuid AS id, key FROM jsonb_to_recordset($items$ITEMS$items$) AS item (key text)) AS known";
    let keys = app
        .text(&ids.replace("ITEMS", &json!(items).to_string()))
        .await;
    // A search stops reading items after two seconds. The job of a new process stores a complete index.
    let _other = app.another().await;
    app.eventually_count("search_indexes WHERE part = 0", 1)
        .await;
    (app, ada, serde_json::from_str(&keys).unwrap())
}

/// The ten best.
async fn answer(ada: &Client, query: &Query, keys: &HashMap<String, String>) -> Vec<Hit> {
    let course = query.course.as_ref().map(|wanted| {
        let id = keys.iter().find(|(_, key)| *key == wanted);
        id.unwrap().0.clone()
    });
    let variables = json!({ "query": query.query, "course": course, "types": query.r#type.as_ref().map(|ty| [ty]) });
    let search = "query($query: String!, $types: [ItemType!], $course: ID) {
        search(query: $query, types: $types, courseId: $course, first: 10) {
            edges { node { ... on Node { id } } highlights { field } } } }";
    let data = ada.data(search, variables).await;
    let edges = data["search"]["edges"].as_array().unwrap();
    let hit = |edge: &Value| Hit {
        key: keys[edge["node"]["id"].as_str().unwrap()].clone(),
        is_highlighted: !edge["highlights"].as_array().unwrap().is_empty(),
    };
    edges.iter().map(hit).collect()
}

fn judge(query: &Query, found: &[Hit]) -> Figures {
    let must_not = |key: &String| query.never.iter().any(|never| never == key || never == "*");
    let is_expected = |hit: &&Hit| query.expect.contains(&hit.key);
    let expected: Vec<&Hit> = found.iter().filter(is_expected).collect();
    let first = found.iter().position(|hit| is_expected(&hit));
    Figures {
        queries: 1,
        expecting: f64::from(!query.expect.is_empty()),
        recall: expected.len() as f64 / query.expect.len().clamp(1, 10) as f64,
        reciprocal_rank: first.map_or(0.0, |at| 1.0 / (at + 1) as f64),
        wrong: found.iter().filter(|hit| must_not(&hit.key)).count(),
        unordered: usize::from(!is_in_order(query, found)),
        unhighlighted: expected.iter().filter(|hit| !hit.is_highlighted).count(),
    }
}

/// Whether exact hits come before similar ones, titles before texts, and recent before old ones.
fn is_in_order(query: &Query, found: &[Hit]) -> bool {
    let is_at = |(at, key): (usize, &String)| found.get(at).is_some_and(|hit| hit.key == *key);
    let counted = match query.category.as_str() {
        "recent" => query.expect.len(),
        "exact_over_fuzzy" => 1,
        _ => usize::from(query.first),
    };
    query.expect.iter().take(counted).enumerate().all(is_at)
}

/// The figures by category. Prints every query that is not answered perfectly.
async fn measure(
    ada: &Client,
    queries: &str,
    keys: &HashMap<String, String>,
) -> BTreeMap<String, Figures> {
    let mut categories: BTreeMap<String, Figures> = BTreeMap::new();
    for line in queries.lines() {
        let query: Query = serde_json::from_str(line).unwrap();
        let found = answer(ada, &query, keys).await;
        let figures = judge(&query, &found);
        if !figures.is_perfect() {
            let mark = |hit: &Hit| match hit.is_highlighted {
                true => hit.key.clone(),
                false => format!("{} without highlights", hit.key),
            };
            println!(
                "{}: {} found {:?} for {:?}, never {:?}",
                query.category,
                query.query,
                found.iter().map(mark).collect::<Vec<_>>(),
                query.expect,
                query.never
            );
        }
        let sum = categories.entry(query.category).or_default();
        *sum = Figures::sum([*sum, figures]);
    }
    categories
}

/// The sum of the categories that are accepted.
fn total(categories: &BTreeMap<String, Figures>, accept: impl Fn(&str) -> bool) -> Figures {
    let accepted = categories.iter().filter(|(name, _)| accept(name));
    Figures::sum(accepted.map(|(_, figures)| *figures))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_golden_set_is_found_as_users_expect() {
    let (_app, ada, keys) = user_with_the_golden_items().await;
    let everyday = measure(&ada, EVERYDAY_QUERIES, &keys).await;
    let scripts = measure(&ada, SCRIPTS_QUERIES, &keys).await;

    let is_stem = |name: &str| name.starts_with("stem_");
    println!("category             queries recall@10    MRR wrong unordered unhighlighted");
    for (name, figures) in everyday.iter().chain(&scripts) {
        figures.print(name);
    }
    let everyday = total(&everyday, |_| true);
    everyday.print("EVERYDAY");
    let in_scripts = total(&scripts, |name| !is_stem(name));
    in_scripts.print("SCRIPTS");
    let stems = total(&scripts, is_stem);
    stems.print("STEMS");

    assert!(everyday.queries >= 240);
    everyday.require(1.0, 0.9978);
    in_scripts.require(0.99, 0.98);
    assert_eq!(in_scripts.unhighlighted, 0);
    stems.require(0.93, 0.93);
}
