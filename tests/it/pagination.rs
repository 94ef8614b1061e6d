//! Pagination: every order of every list, in both directions, forward and backward, through ties and nulls, is one list.

use serde_json::{Value, json};

use crate::support::{Client, Person, TestApp, list, texts};

/// A list in one order.
#[derive(Clone, Copy, Debug)]
struct List {
    name: &'static str,
    /// Whether it is a course's list.
    is_nested: bool,
    order: &'static str,
    direction: &'static str,
}

impl List {
    /// A page with these arguments; `$cursor` is the cursor.
    async fn page(self, client: &Client, arguments: &str, cursor: &Value) -> Value {
        let List {
            name,
            order,
            direction,
            ..
        } = self;
        let list = format!(
            "{name}(filter: {{ status: null }}, orderBy: {{ field: {order}, direction: {direction} }}, {arguments}) {{
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

    async fn whole(self, client: &Client) -> Vec<String> {
        ids(&self
            .page(client, "first: 100, after: $cursor", &Value::Null)
            .await)
    }

    /// All ids, read in pages of that size from the start or the end.
    async fn in_pages(self, client: &Client, forward: bool, size: usize) -> Vec<String> {
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
         INSERT INTO tasks (user_id, id, course_id, title, priority, due_at, due_on, position, created_at,
             updated_at)
         SELECT user_id, gen_random_uuid(), courses.id, 'Title ' || n % 3, n % 3,
             CASE WHEN n % 3 = 1 THEN timestamptz '2026-09-01Z' + (n % 2) * interval '1 day' END,
             CASE WHEN n % 3 = 2 THEN date '2026-09-01' + n % 2 END,
             (ARRAY['a0', 'Zz', NULL])[1 + n % 3],
             timestamptz '2026-01-01' + (n / 4) * interval '1 microsecond', timestamptz '2026-02-01'
         FROM (SELECT * FROM courses ORDER BY created_at, id LIMIT 1) courses, generate_series(0, 10) n;
         UPDATE documents SET status = 'trash', deleted_at = now() WHERE title = 'Title 2';",
    )
    .await;
    (app, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_is_one_list_in_pages_of_any_size_and_direction() {
    let (_app, ada) = filled().await;
    let documents = ["CREATED_AT", "UPDATED_AT", "TITLE"].as_slice();
    let tasks = [
        "CREATED_AT",
        "UPDATED_AT",
        "DUE_AT",
        "POSITION",
        "PRIORITY",
        "TITLE",
    ]
    .as_slice();
    for (name, is_nested, orders) in [
        (
            "courses",
            false,
            ["UPDATED_AT", "CREATED_AT", "NAME"].as_slice(),
        ),
        ("documents", false, documents),
        ("tasks", false, tasks),
        ("documents", true, documents),
        ("tasks", true, tasks),
    ] {
        for (order, direction) in orders
            .iter()
            .flat_map(|order| [(order, "ASC"), (order, "DESC")])
        {
            let list = List {
                name,
                is_nested,
                order,
                direction,
            };
            let whole = list.whole(&ada).await;
            assert_eq!(whole.len(), 11, "{list:?}");
            for (size, forward) in [1, 3, 11]
                .into_iter()
                .flat_map(|size| [(size, true), (size, false)])
            {
                let pages = list.in_pages(&ada, forward, size).await;
                assert_eq!(pages, whole, "{list:?} {size} {forward}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_without_due_date_come_last_in_both_directions() {
    let (_app, ada) = filled().await;
    for direction in ["ASC", "DESC"] {
        let query = format!(
            "{{ tasks(orderBy: {{ field: DUE_AT, direction: {direction} }}) {{ nodes {{ dueAt dueOn }} }} }}"
        );
        let data = ada.query(&query).await;
        let tasks = list(&data["tasks"]["nodes"]).iter();
        let undated = |task: &Value| task["dueAt"].is_null() && task["dueOn"].is_null();
        let due: Vec<bool> = tasks.map(undated).collect();
        assert_eq!(due, [vec![false; 7], vec![true; 4]].concat(), "{direction}");
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
