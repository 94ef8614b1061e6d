//! Highlights: the passages that show why an item was found, cut by UTF-16 ranges as JavaScript would.

use serde_json::{Value, json};

use crate::support::{Client, Person, TestApp, list, text};

/// The passages of the best hit: the field, and the text with brackets around the matches.
async fn passages(client: &Client, query: &str) -> Vec<(String, String)> {
    let page = client.search(json!({ "query": query, "first": 1 })).await;
    let highlights = page["edges"][0]["highlights"].as_array();
    let highlights = highlights.unwrap_or_else(|| panic!("nothing is found by {query}"));
    highlights
        .iter()
        .map(|highlight| (text(&highlight["field"]), bracketed(highlight)))
        .collect()
}

/// Each query's first passage has this part.
async fn assert_marks(client: &Client, cases: &[(&str, &str)]) {
    for (query, marked) in cases {
        let shown = passages(client, query).await.remove(0).1;
        assert!(shown.contains(marked), "{query}: {shown}");
    }
}

fn bracketed(highlight: &Value) -> String {
    let units: Vec<u16> = text(&highlight["text"]).encode_utf16().collect();
    let slice = |start: usize, end: usize| String::from_utf16(&units[start..end]).unwrap();
    let (mut shown, mut at) = (String::new(), 0);
    for range in list(&highlight["ranges"]) {
        let end = |name: &str| usize::try_from(range[name].as_u64().unwrap()).unwrap();
        shown += &format!(
            "{}[{}]",
            slice(at, end("start")),
            slice(end("start"), end("end"))
        );
        at = end("end");
    }
    shown + &slice(at, units.len())
}

/// A user who has only a document with this note and title.
async fn reader(title: &str, note: &str, text: &str) -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("~", "").await;
    ada.document(&course, title, note, text).await;
    (app, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_shows_its_matches() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("Zebras of Kenya", "All the Zebra.").await;
    let shown = |field: &str, text: &str| (field.to_owned(), text.to_owned());
    let expected = [
        shown("name", "[Zebras] of Kenya"),
        shown("description", "All the [Zebra]."),
    ];
    assert_eq!(passages(&ada, "zebra").await, expected);
    ada.document(&course, "Okapi", "An *okapi*", "the OKAPI")
        .await;
    let expected = [
        shown("title", "[Okapi]"),
        shown("formattedNote", "An [okapi]"),
        shown("originalText", "the [OKAPI]"),
    ];
    assert_eq!(passages(&ada, "okapi").await, expected);
    ada.task(&course, "Gnus", "see a gnu and gnus").await;
    let expected = [
        shown("title", "[Gnus]"),
        shown("description", "see a [gnu] and [gnus]"),
    ];
    assert_eq!(passages(&ada, "gnu").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_count_utf_16_code_units() {
    let note =
        "👩‍👩‍👧 𝔸 e\u{301}te\u{301} 🦓 Zebra, Ångström und 𝒵ebra, ｚｅｂｒａ; ze\u{ad}bra: ZEBRA";
    let (_app, ada) = reader("d", note, "").await;
    let expected = "👩‍👩‍👧 𝔸 e\u{301}te\u{301} 🦓 [Zebra], Ångström und [𝒵ebra], [ｚｅｂｒａ]; [ze\u{ad}bra]: [ZEBRA]";
    assert_eq!(passages(&ada, "zebra").await[0].1, expected);
    assert_marks(
        &ada,
        &[
            ("angstrom", "[Ångström]"),
            ("ete", "[e\u{301}te\u{301}]"),
            ("été", "[e\u{301}te\u{301}]"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hyphenated_line_breaks_are_highlighted_as_one_word() {
    let text = "the eigen-\nvalues of a matrix, self-adjoint oper- \r\n  ators";
    let (_app, ada) = reader("d", "", text).await;
    for (query, marked) in [
        ("eigenvalue", "[eigen- values]"),
        ("eigenvalues", "[eigen- values]"),
        ("operators", "[oper-     ators]"),
        ("operator", "[oper-     ators]"),
        ("self-adjoint", "[self-adjoint]"),
        ("\"eigenvalues of a\"", "[eigen- values of a]"),
    ] {
        let shown = passages(&ada, query).await.remove(0).1;
        assert!(shown.contains(marked), "{query}: {shown}");
        assert!(!shown.contains(['\n', '\r']), "on one line: {shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn phrases_are_highlighted_as_a_whole() {
    let note = "A linear thing, a map. The linear, map of a Linear Map and linear\nmaps.";
    let (_app, ada) = reader("d", note, "").await;
    let expected = "A linear thing, a map. The [linear, map] of a [Linear Map] and linear maps.";
    assert_eq!(passages(&ada, "\"linear map\"").await[0].1, expected);
    let both = "A linear [thing], a map. The [linear, map] of a [Linear Map] and linear maps.";
    assert_eq!(passages(&ada, "thing \"linear map\"").await[0].1, both);
    let excluded = passages(&ada, "thing -\"map thing\" -absent").await;
    let marked = excluded[0].1.starts_with("A linear [thing], a map.");
    assert!(marked, "{excluded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn misspelled_and_partial_queries_highlight_what_they_find() {
    let note = "Every eigenvalue of a Hermitian matrix; O0ps l1nes, Eigenwerte";
    let (_app, ada) = reader("d", note, "").await;
    assert_marks(
        &ada,
        &[
            ("eigenvlaue", "[eigenvalue]"),
            ("eigenvaule of", "[eigenvalue] [of]"),
            ("hermitain", "[Hermitian]"),
            ("genval", "[eigenvalue]"),
            ("oops", "[O0ps]"),
            ("lines", "[l1nes]"),
            ("eigenw", "[Eigenwerte]"),
            ("m", "[matrix]"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_three_passages_are_shown_best_first() {
    let far = "nothing of interest stands here. ".repeat(20);
    let note = format!("zebra {far} zebra {far} **zebra** and okapi {far} zebra {far} okapi");
    let (app, ada) = reader("The zebra", &note, "zebra okapi").await;
    let shown = passages(&ada, "zebra okapi").await;
    assert_eq!(shown.len(), 3);
    assert_eq!(shown[0], ("title".to_owned(), "The [zebra]".to_owned()));
    assert!(shown[1].1.contains("[zebra] and [okapi]"), "{shown:?}");
    for (_, text) in &shown {
        assert!(text.len() <= 260, "{text}");
    }
    app.sql("UPDATE documents SET title = 'd'").await;
    assert_eq!(passages(&ada, "zebra okapi").await.len(), 3);
    let long = format!("zebra{}", "x".repeat(400));
    app.sql(&format!("UPDATE documents SET title = '{long}'"))
        .await;
    let title = &passages(&ada, "zebra").await[0].1;
    assert_eq!(*title, format!("[{long}]"), "as a whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn passages_have_no_markdown_syntax() {
    let note = "# The **Zebra**\n\nA [striped *horse*](https://example.com/zebra) eats `grass`:\n\n- one\n- two\n\n\
        | left | right |\n|---|---|\n| cell | $x_2$ |\n\n<b>bold</b> ![a picture](https://example.com/p.png)";
    let (_app, ada) = reader("d", note, "").await;
    let expected =
        "The Zebra A striped horse eats [grass]: one two left right cell x_2 bold a picture";
    assert_eq!(passages(&ada, "grass").await[0].1, expected);
    assert_marks(
        &ada,
        &[
            ("\"the zebra\"", "[The Zebra]"),
            ("\"striped horse\"", "[striped horse]"),
            ("cell", "[cell]"),
            ("\"left right\"", "[left right]"),
            ("bold", "[bold]"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_a_reader_does_not_see_are_not_found() {
    let (_app, ada) = reader("d", "see [there](https://example.com/quagga)", "").await;
    assert_eq!(ada.found("quagga").await, [""; 0]);
    assert_eq!(ada.found("there").await, ["d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn passages_show_the_current_text() {
    let (app, ada) = reader("d", "one zebra", "").await;
    let id = app.text("SELECT id FROM documents").await;
    ada.set_note(&id, "two zebras").await;
    assert_eq!(passages(&ada, "zebra").await[0].1, "two [zebras]");
}
