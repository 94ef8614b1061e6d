//! Walks: every order of every list, in both directions, forward and backward, through ties and nulls: one and the same list.

use serde_json::{Value, json};

use crate::support::{Client, TestApp};

/// A list, its order fields, and where it stands in an answer.
struct Walk {
    /// The query, `$order`, `$direction` and `$page` filled in.
    query: fn(order: &str, direction: &str, page: &str) -> String,
    pointer: &'static str,
}

fn root(list: &str, order: &str, direction: &str, page: &str) -> String {
    format!(
        "query($cursor: String) {{ {list}(filter: {{ status: null }}, orderBy: {{ field: {order}, direction: {direction} }}, \
         {page}) {{ edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    )
}

fn nested(list: &str, order: &str, direction: &str, page: &str) -> String {
    let inner = root(list, order, direction, page);
    let inner = inner
        .strip_prefix("query($cursor: String) {")
        .unwrap()
        .strip_suffix('}')
        .unwrap();
    format!(
        "query($cursor: String) {{ courses(first: 1, orderBy: {{ field: CREATED_AT, direction: ASC }}) {{ nodes {{ {inner} }} }} }}"
    )
}

impl Walk {
    async fn page(
        &self,
        client: &Client,
        order: &str,
        direction: &str,
        page: &str,
        cursor: &Value,
    ) -> Value {
        let query = (self.query)(order, direction, page);
        let data = client.data(&query, json!({ "cursor": cursor })).await;
        data.pointer(self.pointer)
            .unwrap_or_else(|| panic!("{data}"))
            .clone()
    }

    async fn whole(&self, client: &Client, order: &str, direction: &str) -> Vec<String> {
        ids(&self
            .page(
                client,
                order,
                direction,
                "first: 100, after: $cursor",
                &Value::Null,
            )
            .await)
    }

    async fn forward(
        &self,
        client: &Client,
        order: &str,
        direction: &str,
        size: usize,
    ) -> Vec<String> {
        let (mut walked, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let arguments = format!("first: {size}, after: $cursor");
            let page = self
                .page(client, order, direction, &arguments, &cursor)
                .await;
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !walked.is_empty());
            walked.extend(ids(&page));
            if page["pageInfo"]["hasNextPage"] == false {
                return walked;
            }
            cursor = page["pageInfo"]["endCursor"].clone();
        }
    }

    async fn backward(
        &self,
        client: &Client,
        order: &str,
        direction: &str,
        size: usize,
    ) -> Vec<String> {
        let (mut walked, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let arguments = format!("last: {size}, before: $cursor");
            let page = self
                .page(client, order, direction, &arguments, &cursor)
                .await;
            let mut found = ids(&page);
            found.extend(walked);
            walked = found;
            if page["pageInfo"]["hasPreviousPage"] == false {
                return walked;
            }
            cursor = page["pageInfo"]["startCursor"].clone();
        }
    }
}

fn ids(connection: &Value) -> Vec<String> {
    let edges = connection["edges"].as_array().unwrap();
    edges
        .iter()
        .map(|edge| edge["node"]["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Eleven of each, with ties in every order and nulls where there can be some.
async fn filled(app: &TestApp) -> Client {
    let ada = app.signed_up("ada").await;
    app.sql(
        "INSERT INTO courses (user_id, id, name, created_at, updated_at)
         SELECT users.id, gen_random_uuid(), (ARRAY['Übung', 'ubung', 'Zebra', 'apfel', 'Äpfel'])[1 + n % 5],
             timestamptz '2026-01-01' + (n / 3) * interval '1 day', timestamptz '2026-02-01' + (n % 4) * interval '1 day'
         FROM users, generate_series(0, 10) n;
         INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt, created_at, updated_at)
         SELECT user_id, gen_random_uuid(), courses.id, 'Title ' || n % 3, '', '', '',
             timestamptz '2026-01-01' + (n / 4) * interval '1 microsecond', timestamptz '2026-02-01'
         FROM (SELECT * FROM courses ORDER BY created_at, id LIMIT 1) courses, generate_series(0, 10) n;
         INSERT INTO tasks (user_id, id, course_id, title, priority, due_at, created_at, updated_at)
         SELECT user_id, gen_random_uuid(), courses.id, 'Title ' || n % 3, n % 3,
             CASE WHEN n % 3 > 0 THEN timestamptz '2026-09-01' + (n % 2) * interval '1 day' END,
             timestamptz '2026-01-01' + (n / 4) * interval '1 microsecond', timestamptz '2026-02-01'
         FROM (SELECT * FROM courses ORDER BY created_at, id LIMIT 1) courses, generate_series(0, 10) n;
         UPDATE documents SET status = 'trash', deleted_at = now() WHERE title = 'Title 2';",
    )
    .await;
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_is_one_list_however_it_is_walked() {
    let app = TestApp::start().await;
    let ada = filled(&app).await;
    let documents = ["CREATED_AT", "UPDATED_AT", "TITLE"];
    let tasks = ["CREATED_AT", "UPDATED_AT", "DUE_AT", "PRIORITY", "TITLE"];
    let walks: [(Walk, &[&str]); 5] = [
        (
            Walk {
                query: |o, d, p| root("courses", o, d, p),
                pointer: "/courses",
            },
            &["UPDATED_AT", "CREATED_AT", "NAME"],
        ),
        (
            Walk {
                query: |o, d, p| root("documents", o, d, p),
                pointer: "/documents",
            },
            &documents,
        ),
        (
            Walk {
                query: |o, d, p| root("tasks", o, d, p),
                pointer: "/tasks",
            },
            &tasks,
        ),
        (
            Walk {
                query: |o, d, p| nested("documents", o, d, p),
                pointer: "/courses/nodes/0/documents",
            },
            &documents,
        ),
        (
            Walk {
                query: |o, d, p| nested("tasks", o, d, p),
                pointer: "/courses/nodes/0/tasks",
            },
            &tasks,
        ),
    ];
    for (walk, orders) in walks {
        for order in orders {
            for direction in ["ASC", "DESC"] {
                let whole = walk.whole(&ada, order, direction).await;
                assert_eq!(whole.len(), 11, "{order}");
                for size in [1, 3, 11] {
                    assert_eq!(
                        walk.forward(&ada, order, direction, size).await,
                        whole,
                        "{order} {direction} {size}"
                    );
                    assert_eq!(
                        walk.backward(&ada, order, direction, size).await,
                        whole,
                        "{order} {direction} {size}"
                    );
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_without_a_due_date_come_last_in_either_direction() {
    let app = TestApp::start().await;
    let ada = filled(&app).await;
    for direction in ["ASC", "DESC"] {
        let query = format!(
            "{{ tasks(orderBy: {{ field: DUE_AT, direction: {direction} }}) {{ nodes {{ dueAt }} }} }}"
        );
        let data = ada.data(&query, json!({})).await;
        let due: Vec<bool> = data["tasks"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["dueAt"].is_null())
            .collect();
        assert_eq!(due, [vec![false; 7], vec![true; 4]].concat(), "{direction}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_sort_by_the_alphabet_of_unicode() {
    let app = TestApp::start().await;
    let ada = filled(&app).await;
    let query = "{ courses(orderBy: { field: NAME, direction: ASC }) { nodes { name } } }";
    let data = ada.data(query, json!({})).await;
    let mut names: Vec<&str> = data["courses"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|course| course["name"].as_str().unwrap())
        .collect();
    names.dedup();
    assert_eq!(names, ["apfel", "Äpfel", "ubung", "Übung", "Zebra"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_list_or_order_is_refused() {
    let app = TestApp::start().await;
    let ada = filled(&app).await;
    let data = ada
        .data(
            "{ courses(first: 1) { pageInfo { endCursor } } }",
            json!({}),
        )
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
        assert_eq!(
            ada.error_code(&query, json!({ "cursor": cursor })).await,
            "BAD_USER_INPUT",
            "{list}"
        );
    }
}
