//! Passages that show why something was found, their marks cut out as JavaScript would.

use serde_json::{Value, json};

use super::{course, document, search, task, update};
use crate::support::{Client, TestApp};

/// The passages of the best hit: the field, and the text with brackets around what is marked.
async fn passages(client: &Client, query: &str) -> Vec<(String, String)> {
    let page = search(client, json!({ "query": query, "first": 1 })).await;
    let highlights = page["edges"][0]["highlights"].as_array();
    let highlights = highlights.unwrap_or_else(|| panic!("nothing is found by {query}"));
    let field = |highlight: &Value| highlight["field"].as_str().unwrap().to_owned();
    highlights
        .iter()
        .map(|highlight| (field(highlight), bracketed(highlight)))
        .collect()
}

fn bracketed(highlight: &Value) -> String {
    let units: Vec<u16> = highlight["text"].as_str().unwrap().encode_utf16().collect();
    let slice = |start: usize, end: usize| String::from_utf16(&units[start..end]).unwrap();
    let (mut shown, mut at) = (String::new(), 0);
    for range in highlight["ranges"].as_array().unwrap() {
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

/// Somebody with a document of that note and title, and nothing else.
async fn reader(title: &str, note: &str, text: &str) -> (TestApp, Client) {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "~", "").await;
    document(&ada, &course, title, note, text).await;
    (app, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_shows_what_was_found_in_it() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Zebras of Kenya", "All the Zebra.").await;
    let shown = |field: &str, text: &str| (field.to_owned(), text.to_owned());
    let expected = [
        shown("name", "[Zebras] of Kenya"),
        shown("description", "All the [Zebra]."),
    ];
    assert_eq!(passages(&ada, "zebra").await, expected);
    document(&ada, &course, "Okapi", "An *okapi*", "the OKAPI").await;
    let expected = [
        shown("title", "[Okapi]"),
        shown("formattedNote", "An [okapi]"),
        shown("originalText", "the [OKAPI]"),
    ];
    assert_eq!(passages(&ada, "okapi").await, expected);
    task(&ada, &course, "Gnus", "see a gnu and gnus").await;
    let expected = [
        shown("title", "[Gnus]"),
        shown("description", "see a [gnu] and [gnus]"),
    ];
    assert_eq!(passages(&ada, "gnu").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_count_utf_16_code_units_whatever_stands_before() {
    let note =
        "👩‍👩‍👧 𝔸 e\u{301}te\u{301} 🦓 Zebra, Ångström und 𝒵ebra, ｚｅｂｒａ; ze\u{ad}bra: ZEBRA";
    let (_app, ada) = reader("d", note, "").await;
    let expected = "👩‍👩‍👧 𝔸 e\u{301}te\u{301} 🦓 [Zebra], Ångström und [𝒵ebra], [ｚｅｂｒａ]; [ze\u{ad}bra]: [ZEBRA]";
    assert_eq!(passages(&ada, "zebra").await[0].1, expected);
    for (query, marked) in [
        ("angstrom", "[Ångström]"),
        ("ete", "[e\u{301}te\u{301}]"),
        ("été", "[e\u{301}te\u{301}]"),
    ] {
        let shown = passages(&ada, query).await.remove(0).1;
        assert!(shown.contains(marked), "{query}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_broken_by_a_hyphen_are_marked_whole() {
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
async fn phrases_are_marked_as_a_whole_and_their_words_alone_are_not() {
    let note = "A linear thing, a map. The linear, map of a Linear Map and linear\nmaps.";
    let (_app, ada) = reader("d", note, "").await;
    let expected = "A linear thing, a map. The [linear, map] of a [Linear Map] and linear maps.";
    assert_eq!(passages(&ada, "\"linear map\"").await[0].1, expected);
    let both = "A linear [thing], a map. The [linear, map] of a [Linear Map] and linear maps.";
    assert_eq!(passages(&ada, "thing \"linear map\"").await[0].1, both);
    let excluded = passages(&ada, "thing -\"map thing\" -absent").await;
    assert!(
        excluded[0].1.starts_with("A linear [thing], a map."),
        "{excluded:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_or_partial_query_marks_what_it_found() {
    let note = "Every eigenvalue of a Hermitian matrix; O0ps l1nes, Eigenwerte";
    let (_app, ada) = reader("d", note, "").await;
    for (query, marked) in [
        ("eigenvlaue", "[eigenvalue]"),
        ("eigenvaule of", "[eigenvalue] [of]"),
        ("hermitain", "[Hermitian]"),
        ("genval", "[eigenvalue]"),
        ("oops", "[O0ps]"),
        ("lines", "[l1nes]"),
        ("eigenw", "[Eigenwerte]"),
        ("m", "[matrix]"),
    ] {
        let shown = passages(&ada, query).await.remove(0).1;
        assert!(shown.contains(marked), "{query}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_three_passages_at_most_and_the_first_show_most() {
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
    assert_eq!(
        passages(&ada, "zebra").await[0].1,
        format!("[{long}]"),
        "a title stands there whole"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn markdowns_marks_are_left_out() {
    let note = "# The **Zebra**\n\nA [striped *horse*](https://example.com/zebra) eats `grass`:\n\n- one\n- two\n\n\
        | left | right |\n|---|---|\n| cell | $x_2$ |\n\n<b>bold</b> ![a picture](https://example.com/p.png)";
    let (_app, ada) = reader("d", note, "").await;
    let expected =
        "The Zebra A striped horse eats [grass]: one two left right cell x_2 bold a picture";
    assert_eq!(passages(&ada, "grass").await[0].1, expected);
    for (query, marked) in [
        ("\"the zebra\"", "[The Zebra]"),
        ("\"striped horse\"", "[striped horse]"),
        ("cell", "[cell]"),
        ("\"left right\"", "[left right]"),
        ("bold", "[bold]"),
    ] {
        let shown = passages(&ada, query).await.remove(0).1;
        assert!(shown.contains(marked), "{query}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_has_no_passages_and_is_found_all_the_same() {
    let (_app, ada) = reader("d", "see [there](https://example.com/quagga)", "").await;
    assert_eq!(
        passages(&ada, "quagga").await,
        [],
        "it stands in a link alone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn passages_are_of_the_text_as_it_is_now() {
    let (app, ada) = reader("d", "one zebra", "").await;
    let id = app.text("SELECT id FROM documents").await;
    update(
        &ada,
        "Document",
        json!({ "id": id, "formattedNote": "two zebras" }),
    )
    .await;
    assert_eq!(passages(&ada, "zebra").await[0].1, "two [zebras]");
}
