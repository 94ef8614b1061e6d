//! Pagination: every order of every list and every pair of orders, in all directions, forward and backward, through ties and
//! nulls, is one list.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::support::{Client, Person, TestApp, list, texts};

/// A list in one order.
#[derive(Clone, Debug)]
struct List {
    name: &'static str,
    /// Whether it is a course's list.
    is_nested: bool,
    order: String,
}

impl List {
    /// A page with these arguments; `$cursor` is the cursor.
    async fn page(&self, client: &Client, arguments: &str, cursor: &Value) -> Value {
        let List { name, order, .. } = self;
        let list = format!(
            "{name}(filter: {{ status: null }}, orderBy: {order}, {arguments}) {{
                edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }}"
        );
        let (selected, pointer) = match self.is_nested {
            true => (
                format!(
                    "courses(first: 1, orderBy: {{ field: CREATED_AT, direction: ASC }}) {{ nodes {{ {list} }} }}"
                ),
                format!("/courses/nodes/0/{name}"),
            ),
            false => (list, format!("/{name}")),
        };
        let query = format!("query($cursor: String) {{ {selected} }}");
        let mut data = client.data(&query, json!({ "cursor": cursor })).await;
        let page = data.pointer_mut(&pointer).map(Value::take);
        page.unwrap_or_else(|| panic!("{data}"))
    }

    async fn whole(&self, client: &Client) -> Vec<String> {
        ids(&self
            .page(client, "first: 100, after: $cursor", &Value::Null)
            .await)
    }

    /// All ids, read in pages of that size from the start or the end.
    async fn in_pages(&self, client: &Client, forward: bool, size: usize) -> Vec<String> {
        let (arguments, more, next) = match forward {
            true => (
                format!("first: {size}, after: $cursor"),
                "hasNextPage",
                "endCursor",
            ),
            false => (
                format!("last: {size}, before: $cursor"),
                "hasPreviousPage",
                "startCursor",
            ),
        };
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let page = self.page(client, &arguments, &cursor).await;
            let info = &page["pageInfo"];
            if forward {
                assert_eq!(info["hasPreviousPage"], !all.is_empty());
                all.extend(ids(&page));
            } else {
                all.splice(0..0, ids(&page));
            }
            if info[more] == false {
                return all;
            }
            cursor = info[next].clone();
        }
    }
}

fn ids(page: &Value) -> Vec<String> {
    texts(&page["edges"], "node.id")
}

/// A user with eleven items of each kind, with ties in every order, and with nulls where the schema has them.
async fn filled() -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(
        "INSERT INTO courses (user_id, id, name, created_at, updated_at)
         SELECT users.id, gen_random_uuid(), (ARRAY['Übung', 'ubung', 'Zebra', 'apfel', 'Äpfel'])[1 + n % 5],
             timestamptz '2026-01-01' + (n / 3) * interval '1 day', timestamptz '2026-02-01' + (n % 4) * interval '1 day'
         FROM users, generate_series(0, 10) n;
         INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt, created_at, updated_at)
         SELECT user_id, gen_random_uuid(), courses.id, 'Title ' || n % 3, '', '', '',
             timestamptz '2026-01-01' + (n / 4) * interval '1 microsecond', timestamptz '2026-02-01'
         FROM (SELECT * FROM courses ORDER BY created_at, id LIMIT 1) courses, generate_series(0, 10) n;
         INSERT INTO tasks (user_id, id, course_id, title, priority, due_at, due_on, position, completed_at, created_at,
             updated_at)
         SELECT user_id, gen_random_uuid(), courses.id, 'Title ' || n % 3, n % 2,
             CASE WHEN n % 3 = 1 THEN timestamptz '2026-09-01Z' + (n % 2) * interval '1 day' END,
             CASE WHEN n % 3 = 2 THEN date '2026-09-01' + n % 2 END,
             (ARRAY['a0', 'Zz', NULL])[1 + n % 3],
             CASE WHEN n % 4 > 0 THEN timestamptz '2026-05-01' + (n / 3 % 2) * interval '1 day' END,
             timestamptz '2026-01-01' + (n / 4) * interval '1 microsecond', timestamptz '2026-02-01'
         FROM (SELECT * FROM courses ORDER BY created_at, id LIMIT 1) courses, generate_series(0, 10) n;
         UPDATE documents SET status = 'trash', deleted_at = now() WHERE title = 'Title 2';",
    )
    .await;
    (app, ada)
}

/// The lists and the fields that they can be sorted by.
const LISTS: [(&str, &[&str]); 3] = [
    ("courses", &["UPDATED_AT", "CREATED_AT", "NAME"]),
    ("documents", &["CREATED_AT", "UPDATED_AT", "TITLE"]),
    (
        "tasks",
        &[
            "CREATED_AT",
            "UPDATED_AT",
            "DUE_AT",
            "COMPLETED_AT",
            "POSITION",
            "PRIORITY",
            "TITLE",
        ],
    ),
];

/// An element of `orderBy`.
fn by(field: &str, direction: &str) -> String {
    format!("{{ field: {field}, direction: {direction} }}")
}

/// Every element of the `orderBy` of a list.
fn orders(fields: &[&'static str]) -> Vec<(&'static str, String)> {
    let both =
        |field: &&'static str| ["ASC", "DESC"].map(|direction| (*field, by(field, direction)));
    fields.iter().flat_map(both).collect()
}

/// Asserts that pages of these sizes, from both ends, are the whole list.
async fn assert_is_one_list(client: &Client, list: &List, sizes: &[usize]) {
    let whole = list.whole(client).await;
    assert_eq!(whole.len(), 11, "{list:?}");
    for size in sizes {
        for forward in [true, false] {
            let pages = list.in_pages(client, forward, *size).await;
            assert_eq!(pages, whole, "{list:?} {size} {forward}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_is_one_list_in_pages_of_any_size_and_direction() {
    let (_app, ada) = filled().await;
    for (name, fields) in LISTS {
        for is_nested in [false, true] {
            if is_nested && name == "courses" {
                continue;
            }
            for (_, order) in orders(fields) {
                let list = List {
                    name,
                    is_nested,
                    order,
                };
                assert_is_one_list(&ada, &list, &[1, 3, 11]).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pair_of_orders_is_one_list() {
    let (_app, ada) = filled().await;
    for (name, fields) in LISTS {
        for (field, first) in orders(fields) {
            for (_, second) in orders(fields)
                .into_iter()
                .filter(|(other, _)| *other != field)
            {
                let list = List {
                    name,
                    is_nested: name == "documents",
                    order: format!("[{first}, {second}]"),
                };
                assert_is_one_list(&ada, &list, &[4]).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_contains_only_what_is_between_its_cursors() {
    let (_app, ada) = filled().await;
    for (_, order) in orders(LISTS[2].1) {
        let query = format!(
            "query($after: String, $before: String) {{ tasks(filter: {{ status: null }}, orderBy: {order}, first: 100, after: $after,
                before: $before) {{ edges {{ cursor node {{ id }} }} }} }}"
        );
        let between = async |after: &Value, before: &Value| {
            let variables = json!({ "after": after, "before": before });
            ada.data(&query, variables).await["tasks"].take()
        };
        let whole = between(&Value::Null, &Value::Null).await;
        let (whole, cursors) = (ids(&whole), texts(&whole["edges"], "cursor"));
        for after in [0, 4, 9] {
            for before in [1, 7, 10] {
                let page = between(&json!(cursors[after]), &json!(cursors[before])).await;
                let expected = whole.get(after + 1..before).unwrap_or_default();
                assert_eq!(ids(&page), expected, "{order} {after} {before}");
            }
        }
    }
}

/// When a task is due. `dueOn` counts as the start of its date in UTC.
fn due(task: &Value) -> Value {
    match task["dueOn"].as_str() {
        Some(date) => json!(format!("{date}T00:00:00.000000Z")),
        None => task["dueAt"].clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_fields_sort_items_with_equal_values() {
    let (_app, ada) = filled().await;
    for directions in 0..8 {
        let is_descending = [0, 1, 2].map(|at| directions >> at & 1 == 1);
        let direction = is_descending.map(|is| if is { "DESC" } else { "ASC" });
        let order = [
            by("DUE_AT", direction[0]),
            by("PRIORITY", direction[1]),
            by("COMPLETED_AT", direction[2]),
        ];
        let order = format!("[{}]", order.join(", "));
        let query = format!(
            "{{ tasks(orderBy: {order}, first: 100) {{ nodes {{ dueAt dueOn priority completedAt id }} }} }}"
        );
        let data = ada.query(&query).await;
        let given = list(&data["tasks"]["nodes"]);
        let mut sorted = given.clone();
        let priority = |task: &Value| {
            ["LOW", "NORMAL"]
                .iter()
                .position(|it| task["priority"] == *it)
        };
        let turned = |ordering: Ordering, is_descending: bool| {
            if is_descending {
                ordering.reverse()
            } else {
                ordering
            }
        };
        let nullable =
            |one: &Value, other: &Value, is_descending| match (one.as_str(), other.as_str()) {
                (Some(one), Some(other)) => turned(one.cmp(other), is_descending),
                (one, other) => one.is_none().cmp(&other.is_none()),
            };
        sorted.sort_by(|one, other| {
            nullable(&due(one), &due(other), is_descending[0])
                .then_with(|| turned(priority(one).cmp(&priority(other)), is_descending[1]))
                .then_with(|| {
                    nullable(&one["completedAt"], &other["completedAt"], is_descending[2])
                })
                .then_with(|| {
                    turned(
                        one["id"].as_str().cmp(&other["id"].as_str()),
                        is_descending[2],
                    )
                })
        });
        assert_eq!(*given, sorted, "{order}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_without_the_value_of_the_order_come_last_in_both_directions() {
    let (_app, ada) = filled().await;
    for (field, names, number) in [
        ("DUE_AT", ["dueAt", "dueOn"].as_slice(), 7),
        ("COMPLETED_AT", &["completedAt"], 8),
        ("POSITION", &["position"], 8),
    ] {
        for direction in ["ASC", "DESC"] {
            let (order, selected) = (by(field, direction), names.join(" "));
            let query = format!("{{ tasks(orderBy: {order}) {{ nodes {{ {selected} }} }} }}");
            let data = ada.query(&query).await;
            let tasks = list(&data["tasks"]["nodes"]).iter();
            let is_missing = |task: &Value| names.iter().all(|name| task[name].is_null());
            let missing: Vec<bool> = tasks.map(is_missing).collect();
            let expected = [vec![false; number], vec![true; 11 - number]].concat();
            assert_eq!(missing, expected, "{order}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_direction_depends_on_the_field() {
    let (_app, ada) = filled().await;
    for (name, fields) in LISTS {
        for field in fields {
            let default = match *field {
                "DUE_AT" | "NAME" | "POSITION" | "TITLE" => "ASC",
                _ => "DESC",
            };
            let list = |order: String| List {
                name,
                is_nested: false,
                order,
            };
            let expected = list(by(field, default)).whole(&ada).await;
            for order in [
                format!("{{ field: {field} }}"),
                format!("[{{ field: {field}, direction: null }}]"),
            ] {
                assert_eq!(list(order.clone()).whole(&ada).await, expected, "{order}");
            }
        }
        let list = |order: &str| List {
            name,
            is_nested: false,
            order: order.to_owned(),
        };
        let default = by(fields[0], "DESC");
        let expected = list(&default).whole(&ada).await;
        for order in ["null", "[]"] {
            assert_eq!(list(order).whole(&ada).await, expected, "{name} {order}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_beyond_the_limits_are_rejected_with_their_path() {
    let (_app, ada) = filled().await;
    let fields = ["TITLE", "DUE_AT", "PRIORITY", "CREATED_AT"].map(|field| by(field, "ASC"));
    let repeated = [by("TITLE", "ASC"), by("DUE_AT", "ASC"), by("TITLE", "DESC")];
    for (order, message) in [
        (
            fields.join(", "),
            "`orderBy` must contain at most 3 fields; got 4.",
        ),
        (repeated.join(", "), "`orderBy[2].field` repeats a field."),
    ] {
        let tasks = format!("tasks(orderBy: [{order}]) {{ totalCount }}");
        for query in [
            format!("{{ {tasks} }}"),
            format!("{{ courses {{ nodes {{ {tasks} }} }} }}"),
        ] {
            let answer = ada.graphql(&query, json!({})).await;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
            assert!(
                error["message"].as_str().unwrap().starts_with(message),
                "{answer}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_sorted_by_the_unicode_collation() {
    let (_app, ada) = filled().await;
    let query = "{ courses(orderBy: { field: NAME, direction: ASC }) { nodes { name } } }";
    let data = ada.query(query).await;
    let mut names = texts(&data["courses"]["nodes"], "name");
    names.dedup();
    assert_eq!(names, ["apfel", "Äpfel", "ubung", "Übung", "Zebra"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_of_other_lists_and_orders_are_rejected() {
    let (_app, ada) = filled().await;
    let data = ada
        .query("{ courses(first: 1) { pageInfo { endCursor } } }")
        .await;
    let cursor = &data["courses"]["pageInfo"]["endCursor"];
    for list in [
        "documents",
        "tasks",
        "trash",
        "courses(orderBy: {field: NAME})",
        "courses(orderBy: [{field: UPDATED_AT}, {field: NAME}])",
        "courses(orderBy: {field: UPDATED_AT, direction: ASC})",
    ] {
        let arguments = match list.strip_suffix(')') {
            Some(open) => format!("{open}, after: $cursor)"),
            None => format!("{list}(after: $cursor)"),
        };
        let query = format!("query($cursor: String) {{ {arguments} {{ nodes {{ id }} }} }}");
        let code = ada.error_code(&query, json!({ "cursor": cursor })).await;
        assert_eq!(code, "BAD_USER_INPUT", "{list}");
    }
}
