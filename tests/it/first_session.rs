//! A first session as a new user would have it: sign up, keep things, trash a course, restore it, stop, start again.

use serde_json::{Value, json};

use crate::support::{Client, TestApp};

async fn made(client: &Client, query: &str, variables: Value) -> Value {
    let data = client.data(query, variables).await;
    let payload = data.as_object().unwrap().values().next().unwrap().clone();
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload
}

const TREE: &str = "{ courses(first: 10) { totalCount nodes {
    id name status version documentCount openTaskCount
    documents(first: 10) { totalCount pageInfo { hasNextPage } nodes { title excerpt } }
    tasks { edges { cursor node { title priority completed } } } } } }";

async fn a_course_with_content(ada: &Client, name: &str, documents: usize) -> Value {
    let query = "mutation($name: String!) {
        createCourse(input: { name: $name, color: \"#00aaFF\" }) { course { id } userErrors { code } } }";
    let course = made(ada, query, json!({ "name": name })).await["course"]["id"].clone();
    for number in 0..documents {
        let query = "mutation($input: CreateDocumentInput!) {
            createDocument(input: $input) { document { excerpt } userErrors { code field } } }";
        let note = format!("# Lecture {number}\n\nSome *words* on $x^2$.");
        let input = json!({ "courseId": course, "title": format!("Lecture {number}"), "originalText": "Lecture",
                            "formattedNote": note });
        let document = made(ada, query, json!({ "input": input })).await;
        assert_eq!(
            document["document"]["excerpt"],
            format!("Lecture {number} Some words on x^2.")
        );
    }
    for title in ["Read", "Write"] {
        let query = "mutation($course: ID!, $title: String!) {
            createTask(input: { courseId: $course, title: $title }) { task { id } userErrors { code } } }";
        made(ada, query, json!({ "course": course, "title": title })).await;
    }
    course
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_is_there_after_the_trash_and_after_a_restart() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = a_course_with_content(&ada, "Algebra", 3).await;
    let before = ada.data(TREE, json!({})).await;
    assert_eq!(before["courses"]["nodes"][0]["documentCount"], 3);
    assert_eq!(before["courses"]["nodes"][0]["openTaskCount"], 2);
    assert_eq!(
        before["courses"]["nodes"][0]["documents"]["nodes"][0]["title"],
        "Lecture 2"
    );

    let ids = json!({ "ids": [course] });
    let trash = "mutation($ids: [ID!]!) { trashItems(input: { ids: $ids }) { items { status } userErrors { code } } }";
    assert_eq!(
        made(&ada, trash, ids.clone()).await["items"],
        json!([{ "status": "TRASH" }])
    );
    assert_eq!(ada.data(TREE, json!({})).await["courses"]["totalCount"], 0);
    assert_eq!(
        ada.data("{ trash { totalCount } }", json!({})).await["trash"]["totalCount"],
        6
    );
    let restore = "mutation($ids: [ID!]!) { restoreItems(input: { ids: $ids }) { items { status } userErrors { code } } }";
    assert_eq!(
        made(&ada, restore, ids).await["items"],
        json!([{ "status": "ACTIVE" }])
    );

    let database = app.database.clone();
    app.stop().await;
    let again = TestApp::on(database, |_| {}).await;
    let ada = Client {
        address: again.address,
        ..ada
    };
    let mut after = ada.data(TREE, json!({})).await;
    assert_eq!(
        after["courses"]["nodes"][0]["version"], 3,
        "it went to the trash and came back"
    );
    after["courses"]["nodes"][0]["version"] = json!(1);
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_courses_documents_and_counts_takes_three_statements_at_most() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    for number in 0..10 {
        a_course_with_content(&ada, &format!("Course {number}"), 10).await;
    }
    ada.data(TREE, json!({})).await;
    let before = app.pool.statements();
    let tree = ada.data(TREE, json!({})).await;
    let sent = app.pool.statements() - before;
    assert_eq!(tree["courses"]["nodes"].as_array().unwrap().len(), 10);
    assert_eq!(
        tree["courses"]["nodes"][9]["documents"]["nodes"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    // The list with its counts, the documents, the tasks; and, once a second, what was revoked.
    assert!(sent <= 4, "{sent} statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_sees_nothing_but_that_nobody_is_signed_in() {
    let app = TestApp::start().await;
    assert_eq!(
        app.visitor().data("{ me { id } }", json!({})).await["me"],
        Value::Null
    );
    assert_eq!(
        app.visitor()
            .error_code("{ courses { nodes { id } } }", json!({}))
            .await,
        "UNAUTHENTICATED"
    );
}
