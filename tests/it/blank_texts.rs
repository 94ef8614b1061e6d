//! Required text that shows nothing is BLANK, wherever it is entered.

use chrono::Utc;
use serde_json::json;
use snapnote::users::import;

use crate::support::{PASSWORD, TestApp, errors, newcomer};

/// Whitespace, invisible characters, and characters with an empty glyph.
const BLANK: [&str; 10] = [
    "",
    " \t\r\n",
    "\u{A0}\u{2003}\u{3000}",
    "\u{200B}",
    "\u{200D}\u{2060}\u{FEFF}",
    "\u{202E}\u{2067}\u{61C}",
    "\u{3164}",
    "\u{115F}\u{1160}\u{FFA0}",
    "\u{2800}\u{2800}",
    "\u{E0041}\u{FE0F}\u{34F}\u{AD}",
];

#[tokio::test(flavor = "multi_thread")]
async fn text_without_visible_characters_is_blank_in_every_mutation() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = ada.create_course("Looms").await;
    let document = ada.create_document(&course, "note").await;
    let task = ada.create_task(None, "Weave").await;
    let tag = ada.create("Tag", json!({ "name": "Yarn" })).await;
    for blank in BLANK {
        for (mutation, input, field) in [
            ("createCourse", json!({ "name": blank }), "name"),
            (
                "updateCourse",
                json!({ "id": course, "name": blank }),
                "name",
            ),
            (
                "createDocument",
                json!({ "courseId": course, "title": blank, "originalText": "", "formattedNote": "" }),
                "title",
            ),
            (
                "updateDocument",
                json!({ "id": document, "title": blank }),
                "title",
            ),
            ("createTask", json!({ "title": blank }), "title"),
            ("createTag", json!({ "name": blank }), "name"),
            ("updateTag", json!({ "id": tag, "name": blank }), "name"),
            ("updateTask", json!({ "id": task, "title": blank }), "title"),
            ("updateMe", json!({ "name": blank }), "name"),
        ] {
            let payload = ada.try_mutate(mutation, input, "").await;
            let expected = format!("BLANK {field}");
            assert_eq!(errors(&payload), [expected], "{mutation} {blank:?}");
        }
        let mut input = newcomer("eve");
        input["name"] = json!(blank);
        let payload = app.anonymous().try_mutate("signUp", input, "").await;
        assert_eq!(errors(&payload), ["BLANK name"], "{blank:?}");
        let input = json!({ "email": blank, "password": PASSWORD, "name": "Eve" });
        let payload = app.anonymous().try_mutate("signUp", input, "").await;
        assert_eq!(errors(&payload), ["BLANK email"], "{blank:?}");
        let line = json!({ "email": "eve@example.com", "name": blank, "created_at": "2024-01-01T00:00:00Z" });
        assert!(import::read(line.to_string().as_bytes(), Utc::now()).is_err());
    }
    for visible in ["👩\u{200D}👩", ".", "\u{2801}", "م\u{200C}"] {
        ada.rename_course(&course, visible).await;
    }
}
