//! Random filters on random items match the same items as the same filters evaluated here.

use serde_json::{Map, Value, json};
use snapnote::items::titles;

use crate::support::{Numbers, Person, TestApp, list, text, texts};

/// Filters per list.
const FILTERS: usize = 1_000;
/// Filters per request.
const PER_REQUEST: usize = 40;

/// Eighty tasks and forty documents in four courses, one of which is in the trash. Their values depend only on their number.
const KEEP: &str = "
    INSERT INTO courses (user_id, id, name) SELECT users.id, md5('course ' || n)::uuid, 'Course ' || n FROM users, generate_series(1, 4) AS n;
    INSERT INTO tasks (user_id, id, course_id, title, priority, completed_at, due_at, created_at, updated_at)
    SELECT users.id, md5('task ' || n)::uuid, CASE WHEN n % 5 > 0 THEN md5('course ' || n % 5)::uuid END,
        (ARRAY['Alpha', 'beta ALPHA', 'Gamma', 'delta'])[1 + n * 7 % 4], n * 11 % 3,
        CASE WHEN n * 13 % 3 > 0 THEN timestamptz '2026-03-01' + n * 17 % 10 * interval '1 day' END,
        CASE WHEN n * 19 % 4 > 0 THEN timestamptz '2026-03-01' + n * 23 % 10 * interval '1 day' END,
        timestamptz '2026-03-01' + n * 29 % 10 * interval '1 day', timestamptz '2026-03-01' + n * 31 % 10 * interval '1 day'
    FROM users, generate_series(1, 80) AS n;
    INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt, metadata, created_at, updated_at)
    SELECT users.id, md5('document ' || n)::uuid, md5('course ' || 1 + n % 4)::uuid,
        (ARRAY['Alpha', 'beta ALPHA', 'Gamma', 'delta'])[1 + n * 7 % 4], '', '', '',
        jsonb_build_object('page', n % 3, 'tags', to_jsonb((ARRAY['a', 'b', 'c'])[1:n % 4])),
        timestamptz '2026-03-01' + n * 29 % 10 * interval '1 day', timestamptz '2026-03-01' + n * 31 % 10 * interval '1 day'
    FROM users, generate_series(1, 40) AS n;
    UPDATE tasks SET status = 'trash', deleted_at = now() WHERE id IN (SELECT md5('task ' || n * 9)::uuid FROM generate_series(1, 8) AS n);
    UPDATE documents SET status = 'trash', deleted_at = now() WHERE id IN (SELECT md5('document ' || n * 7)::uuid FROM generate_series(1, 5) AS n)";

/// Half of the titles are folded.
async fn filled() -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(KEEP).await;
    titles::fold_all(&app.pool).await.unwrap();
    app.sql("UPDATE tasks SET title_folded = NULL WHERE priority = 1; UPDATE documents SET title_folded = NULL WHERE metadata @> '{\"page\": 1}'")
        .await;
    let trashed = app.text("SELECT md5('course 4')::uuid::text").await;
    ada.trash(&[trashed]).await;
    (app, ada)
}

fn some_of(numbers: &mut Numbers, values: &[Value]) -> Value {
    (0..numbers.below(4))
        .map(|_| numbers.one_of(values))
        .collect()
}

/// A list, and what its filters can contain.
struct List {
    name: &'static str,
    filter: &'static str,
    fields: &'static str,
    own: &'static [&'static str],
}

const LISTS: [List; 2] = [
    List {
        name: "tasks",
        filter: "TaskFilter",
        fields: "id status title course { id } createdAt updatedAt completedAt dueAt priority",
        own: &[
            "completed",
            "completedAfter",
            "completedBefore",
            "courseId",
            "courseIds",
            "priority",
            "titleContains",
            "hasCourse",
            "hasDueDate",
            "dueAfter",
            "dueBefore",
        ],
    },
    List {
        name: "documents",
        filter: "DocumentFilter",
        fields: "id status title course { id } createdAt updatedAt metadata",
        own: &["courseId", "courseIds", "titleContains", "metadataContains"],
    },
];
const SHARED: [&str; 6] = [
    "status",
    "ids",
    "createdAfter",
    "createdBefore",
    "updatedAfter",
    "updatedBefore",
];

/// Makes random filters on these items.
struct Filters<'a> {
    numbers: Numbers,
    list: &'a List,
    items: &'a [Value],
}

impl Filters<'_> {
    /// A filter in this many combinations, with up to `conditions` conditions.
    fn filter(&mut self, level: usize, mut conditions: usize) -> Value {
        let mut filter = Map::new();
        let own = self.numbers.below(3).min(conditions);
        conditions -= own;
        for _ in 0..own {
            let names = [&SHARED, self.list.own].concat();
            let name = self.numbers.one_of(&names);
            filter.insert(name.to_owned(), self.value(name));
        }
        if level < 3 {
            for name in ["and", "or", "not"] {
                if conditions > 0 && self.numbers.below(3) == 0 {
                    let share = 1 + self.numbers.below(conditions);
                    conditions -= share;
                    filter.insert(name.to_owned(), self.combined(name, level + 1, share));
                }
            }
        }
        Value::Object(filter)
    }

    fn combined(&mut self, name: &str, level: usize, conditions: usize) -> Value {
        if name == "not" {
            return self.filter(level, conditions);
        }
        let number = self.numbers.below(1 + conditions.min(4));
        let share = conditions / number.max(1);
        (0..number).map(|_| self.filter(level, share)).collect()
    }

    fn value(&mut self, name: &str) -> Value {
        let item = self.numbers.one_of(self.items);
        let ids: Vec<Value> = self.items.iter().map(|item| item["id"].clone()).collect();
        let courses: Vec<Value> = self
            .items
            .iter()
            .map(|item| item["course"]["id"].clone())
            .collect();
        let known: Vec<Value> = courses.iter().filter(|id| !id.is_null()).cloned().collect();
        match name {
            "status" => self
                .numbers
                .one_of(&[json!("ACTIVE"), json!("TRASH"), Value::Null]),
            "ids" => some_of(&mut self.numbers, &ids),
            "courseId" if self.list.name == "tasks" => self.numbers.one_of(&courses),
            "courseId" => self.numbers.one_of(&known),
            "courseIds" => some_of(&mut self.numbers, &known),
            "priority" => {
                let priorities = [json!("LOW"), json!("NORMAL"), json!("HIGH")];
                some_of(&mut self.numbers, &priorities)
            }
            "titleContains" => self
                .numbers
                .one_of(&["alp", "LPHA", "a b", "gamma", "x", "ta", ""].map(|part| json!(part))),
            "metadataContains" => self.numbers.one_of(&[
                json!({ "page": 1 }),
                json!({ "tags": ["b"] }),
                json!({ "tags": [], "page": 2 }),
                json!({}),
                json!({ "other": 1 }),
            ]),
            "completed" | "hasCourse" | "hasDueDate" => json!(self.numbers.below(2) == 0),
            name => match &item[format!("{}At", time_of(name))] {
                Value::Null => json!("2026-03-05T12:00:00Z"),
                time => time.clone(),
            },
        }
    }
}

/// `created` of `createdAfter`.
fn time_of(name: &str) -> &str {
    let name = name.strip_suffix("After").or(name.strip_suffix("Before"));
    name.unwrap()
}

/// Whether an item matches a filter: the meaning of filters, as the schema describes it.
fn matches(item: &Value, filter: &Value, is_top: bool) -> bool {
    let fields = filter.as_object().unwrap();
    let is_listed = !is_top || fields.contains_key("status") || item["status"] == "ACTIVE";
    is_listed
        && fields
            .iter()
            .all(|(name, value)| matches_field(item, name, value))
}

fn matches_field(item: &Value, name: &str, value: &Value) -> bool {
    let contains = |field: &Value| list(value).contains(field);
    let course = &item["course"]["id"];
    match name {
        "and" => list(value)
            .iter()
            .all(|filter| matches(item, filter, false)),
        "or" => list(value)
            .iter()
            .any(|filter| matches(item, filter, false)),
        "not" => !matches(item, value, false),
        "status" => value.is_null() || item["status"] == *value,
        "ids" => contains(&item["id"]),
        "courseId" => course == value,
        "courseIds" => contains(course),
        "priority" => contains(&item["priority"]),
        "titleContains" => text(&item["title"])
            .to_lowercase()
            .contains(&text(value).to_lowercase()),
        "metadataContains" => {
            value
                .as_object()
                .unwrap()
                .iter()
                .all(|(key, part)| match &item["metadata"][key] {
                    Value::Array(tags) => list(part).iter().all(|tag| tags.contains(tag)),
                    stored => stored == part,
                })
        }
        "completed" => item["completedAt"].is_string() == *value,
        "hasCourse" => course.is_string() == *value,
        "hasDueDate" => item["dueAt"].is_string() == *value,
        // Times are texts of the same form.
        name => match item[format!("{}At", time_of(name))].as_str() {
            None => false,
            Some(time) if name.ends_with("After") => time >= text(value).as_str(),
            Some(time) => time < text(value).as_str(),
        },
    }
}

/// Sends filters in one request. Returns the ids that each list contains.
async fn listed(client: &Person, list: &List, filters: &[Value]) -> Vec<Vec<String>> {
    let (mut declared, mut selected, mut variables) = (String::new(), String::new(), json!({}));
    for (number, filter) in filters.iter().enumerate() {
        declared += &format!("$f{number}: {} ", list.filter);
        selected += &format!(
            "l{number}: {}(filter: $f{number}, first: 100) {{ totalCount nodes {{ id }} }} ",
            list.name
        );
        variables[format!("f{number}")] = filter.clone();
    }
    let query = format!("query({declared}) {{ {selected} }}");
    let data = client.data(&query, variables).await;
    let ids = |number: usize| {
        let list = &data[format!("l{number}")];
        let ids = texts(&list["nodes"], "id");
        assert_eq!(list["totalCount"], ids.len());
        ids
    };
    (0..filters.len()).map(ids).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn random_filters_match_what_they_say() {
    let (_app, ada) = filled().await;
    for list in &LISTS {
        let query = format!(
            "{{ list: {}(filter: {{ status: null }}, first: 100) {{ nodes {{ {} }} }} }}",
            list.name, list.fields
        );
        let items = ada.query(&query).await["list"]["nodes"].take();
        let items = items.as_array().unwrap();
        let numbers = Numbers(list.name.len() as u64);
        let mut filters = Filters {
            numbers,
            list,
            items,
        };
        let mut selective = 0;
        for _ in 0..FILTERS / PER_REQUEST {
            let filters: Vec<Value> = (0..PER_REQUEST).map(|_| filters.filter(0, 19)).collect();
            let found = listed(&ada, list, &filters).await;
            for (filter, found) in filters.iter().zip(found) {
                let expected = items.iter().filter(|item| matches(item, filter, true));
                let expected: Vec<String> = expected.map(|item| text(&item["id"])).collect();
                assert_eq!(found, expected, "{} {filter}", list.name);
                selective += usize::from(!found.is_empty() && found.len() < items.len());
            }
        }
        assert!(
            selective > FILTERS / 3,
            "{}: {selective} filters match some items",
            list.name
        );
    }
}
