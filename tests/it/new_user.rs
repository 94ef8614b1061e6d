//! A new user's first session: sign up, create items, trash and restore a course, restart the service.

use serde_json::{Value, json};

use crate::support::{Client, TestApp, list, statements_of};

const TREE: &str = "{ courses(first: 10) { totalCount nodes {
    id name status version documentCount openTaskCount
    documents(first: 10) { totalCount pageInfo { hasNextPage } nodes { title excerpt } }
    tasks { edges { cursor node { title priority completed } } } } } }";

async fn course_with_content(ada: &Client, name: &str, documents: usize) -> String {
    let input = json!({ "name": name, "color": "#00aaFF" });
    let course = ada.create("Course", input).await;
    for number in 0..documents {
        let note = format!("# Lecture {number}\n\nSome *words* on $x^2$.");
        let input = json!({ "courseId": course, "title": format!("Lecture {number}"), "originalText": "Lecture",
                            "formattedNote": note });
        let payload = ada.mutate("createDocument", input, "document { excerpt }");
        let excerpt = format!("Lecture {number} Some words on x^2.");
        assert_eq!(payload.await["document"]["excerpt"], excerpt);
    }
    for title in ["Read", "Write"] {
        ada.create_task(Some(&course), title).await;
    }
    course
}

#[tokio::test(flavor = "multi_thread")]
async fn items_survive_the_trash_and_a_restart() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = course_with_content(&ada, "Algebra", 3).await;
    let before = ada.query(TREE).await;
    let seen = &before["courses"]["nodes"][0];
    assert_eq!(seen["documentCount"], 3);
    assert_eq!(seen["openTaskCount"], 2);
    assert_eq!(seen["documents"]["nodes"][0]["title"], "Lecture 2");

    let trashed = ada.trash(&[&course]).await;
    assert_eq!(trashed["items"][0]["status"], "TRASH");
    assert_eq!(ada.query(TREE).await["courses"]["totalCount"], 0);
    let trash = ada.query("{ trash { totalCount } }").await;
    assert_eq!(trash["trash"]["totalCount"], 6);
    let restored = ada.restore(&[&course]).await;
    assert_eq!(restored["items"][0]["status"], "ACTIVE");

    let database = app.database.clone();
    app.stop().await;
    let again = TestApp::on(database, |_| {}).await;
    let mut after = ada.at(&again).query(TREE).await;
    let version = &mut after["courses"]["nodes"][0]["version"];
    assert_eq!(*version, 3, "trashed and restored");
    *version = json!(1);
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_courses_documents_and_counts_takes_three_statements() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    for number in 0..10 {
        course_with_content(&ada, &format!("Course {number}"), 10).await;
    }
    let app = app.unverified().await;
    let ada = ada.at(&app);
    let tree = ada.query(TREE).await;
    let courses = list(&tree["courses"]["nodes"]);
    assert_eq!(courses.len(), 10);
    assert_eq!(list(&courses[9]["documents"]["nodes"]).len(), 10);
    // The list with its counts, the documents, and the tasks.
    assert_eq!(statements_of(&app, &ada, TREE).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_clients_learn_only_that_they_are_not_signed_in() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    assert_eq!(anonymous.query("{ me { id } }").await["me"], Value::Null);
    let query = "{ courses { nodes { id } } }";
    let code = anonymous.error_code(query, json!({})).await;
    assert_eq!(code, "UNAUTHENTICATED");
}
