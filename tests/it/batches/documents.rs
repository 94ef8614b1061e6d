//! Batches of documents: texts, excerpts, metadata and images.

use serde_json::{Value, json};

use super::results;
use crate::support::{TestApp, list};

const DOCUMENTS: &str = "results { document { id title excerpt formattedNote metadata processingTime version } userErrors { code field } }";

#[tokio::test(flavor = "multi_thread")]
async fn documents_keep_what_an_update_does_not_name() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Algebra").await;
    let document = |note: &str, more: Value| {
        let mut document = json!({ "courseId": course, "title": "Lecture", "originalText": "text", "formattedNote": note });
        for (name, value) in more.as_object().unwrap() {
            document[name] = value.clone();
        }
        document
    };
    let documents = json!([
        document("# *One*", json!({ "metadata": { "a": [1, null] } })),
        document("# Two", json!({ "excerpt": "mine", "processingTime": 1.5 })),
        document("# Three", json!({ "excerpt": "mine" })),
        document("# Four", json!({})),
    ]);
    let input = json!({ "documents": documents });
    let created = results(&ada, "createDocuments", input, DOCUMENTS).await;
    let excerpts: Vec<&Value> = created
        .iter()
        .map(|it| &it["document"]["excerpt"])
        .collect();
    assert_eq!(excerpts, ["One", "mine", "mine", "Four"]);
    assert_eq!(
        created[0]["document"]["metadata"],
        json!({ "a": [1, null] })
    );
    assert_eq!(created[1]["document"]["metadata"], json!({}));
    assert_eq!(created[1]["document"]["processingTime"], 1.5);
    app.sql(
        "INSERT INTO image_objects (user_id, id, document_id, kind, state, content_type, byte_size, width, height)
         SELECT user_id, id, id, 'image', 'stored', 'image/png', 9, 1, 1 FROM documents;
         UPDATE documents SET image_id = id",
    )
    .await;

    let of = |number: usize, fields: Value| {
        let mut change = fields;
        change["id"] = created[number]["document"]["id"].clone();
        change
    };
    let changes = json!([
        of(3, json!({ "formattedNote": "*New*" })),
        of(2, json!({ "excerpt": null })),
        of(
            1,
            json!({ "formattedNote": "*New*", "metadata": { "b": 2 } })
        ),
        of(0, json!({ "excerpt": "mine", "processingTime": 2 })),
    ]);
    let input = json!({ "documents": changes });
    let updated = results(&ada, "updateDocuments", input, DOCUMENTS).await;
    let documents: Vec<Value> = updated
        .iter()
        .map(|result| {
            let document = &result["document"];
            json!([
                document["excerpt"],
                document["formattedNote"],
                document["metadata"],
                document["processingTime"]
            ])
        })
        .collect();
    let expected = [
        json!(["New", "*New*", {}, null]),
        json!(["Three", "# Three", {}, null]),
        json!(["mine", "*New*", { "b": 2 }, 1.5]),
        json!(["mine", "# *One*", { "a": [1, null] }, 2.0]),
    ];
    assert_eq!(documents, expected);
    assert_eq!(
        app.count("documents WHERE image_id = id AND version = 3")
            .await,
        4
    );
    let again = json!({ "documents": [of(2, json!({ "formattedNote": "Made" })), of(0, json!({ "formattedNote": "Made" }))] });
    let again = results(&ada, "updateDocuments", again, DOCUMENTS).await;
    assert_eq!(
        again[0]["document"]["excerpt"], "Made",
        "made from the note again"
    );
    assert_eq!(again[1]["document"]["excerpt"], "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_found_by_the_search_and_in_the_feed() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Algebra").await;
    let cursor = ada.changes_cursor().await;
    let document = |word: &str| json!({ "courseId": course, "title": "Lecture", "originalText": "", "formattedNote": word });
    let words = ["zebra", "lion", "tiger"];
    let input = json!({ "documents": words.map(document) });
    let created = results(&ada, "createDocuments", input, DOCUMENTS).await;
    let ids: Vec<&Value> = created.iter().map(|it| &it["document"]["id"]).collect();
    for (word, id) in words.iter().zip(&ids) {
        let search =
            "query($q: String!) { search(query: $q) { nodes { ... on Document { id } } } }";
        let found = ada.data(search, json!({ "q": word })).await;
        assert_eq!(found["search"]["nodes"], json!([{ "id": id }]));
    }
    let feed = "query($after: String) { changes(after: $after, first: 10) { nodes { itemId } } }";
    let feed = ada.data(feed, json!({ "after": cursor })).await;
    let changed: Vec<&Value> = list(&feed["changes"]["nodes"])
        .iter()
        .map(|it| &it["itemId"])
        .collect();
    assert_eq!(changed, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_in_a_variable_counts_for_each_entry_that_uses_it() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Algebra").await;
    let create = async |entries: usize| {
        let entry = format!(
            "{{ courseId: \"{course}\", title: \"t\", originalText: $t, formattedNote: \"\" }}"
        );
        let query = format!(
            "mutation($t: String!) {{ createDocuments(input: {{ documents: [{}] }}) {{ userErrors {{ code }} }} }}",
            vec![entry; entries].join(" ")
        );
        ada.graphql(&query, json!({ "t": "x".repeat(900_000) }))
            .await
    };
    let refused = create(100).await;
    let extensions = &refused["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "QUERY_TOO_COMPLEX", "{refused}");
    assert_eq!(extensions["limit"], 2 * 1024 * 1024);
    assert!(extensions["cost"].as_u64() > Some(90_000_000), "{refused}");
    assert_eq!(app.count("documents").await, 0);
    let created = create(2).await;
    assert_eq!(created["errors"], Value::Null, "{created}");
    assert_eq!(app.count("documents").await, 2);
}
