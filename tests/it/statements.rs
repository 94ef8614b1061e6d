//! How many statements a query sends: the same number for many rows as for few.

use crate::support::{TestApp, statements_of};

/// Queries, and how many statements each sends.
const QUERIES: [(&str, u64); 9] = [
    ("{ me { id email name createdAt } }", 1),
    (
        "{ me { profile { proficiency } sessions { id } accounts { provider } auditLog { nodes { action } } } }",
        5,
    ),
    ("{ documents { nodes { title courseId } } }", 1),
    (
        "{ tasks(orderBy: { field: POSITION, direction: ASC }) { totalCount nodes { courseId dueAt dueOn position } } }",
        1,
    ),
    (
        "{ tasks(orderBy: { field: DUE_AT }, filter: { hasDueDate: false }) { nodes { course { name } } } }",
        2,
    ),
    (
        "{ courses { nodes { documentCount documents { nodes { courseId } } tasks { nodes { courseId dueOn } } } } }",
        3,
    ),
    (
        "{ search(query: \"zebra\") { nodes { ... on CourseItem { title courseId } } } }",
        4,
    ),
    (
        "{ search(query: \"zebra\") { nodes { ... on CourseItem { title course { name } } } } }",
        5,
    ),
    (
        "{ changes(first: 100) { nodes { item { ... on CourseItem { title courseId } } } } }",
        6,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn queries_send_as_many_statements_for_many_rows_as_for_few() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    for courses in [1, 4] {
        for _ in 0..courses {
            let course = ada.create_course("Zebra").await;
            for _ in 0..3 {
                ada.create_document(&course, "zebra").await;
                ada.create_task(Some(&course), "zebra").await;
            }
        }
        let app = app.unverified().await;
        for (query, statements) in QUERIES {
            let sent = statements_of(&app, &ada.at(&app), query).await;
            assert_eq!(sent, statements, "{courses} courses: {query}");
        }
    }
}
