//! Long texts are found by their first 200,000 characters.

use serde_json::json;

use crate::support::{Person, TestApp};

/// A user who may send notes of some megabytes, and the id of their course.
async fn writer() -> (TestApp, Person, String) {
    let app = TestApp::with(|settings| settings.edge.max_body = 16 * 1024 * 1024).await;
    let ada = app.signed_up("ada").await;
    let course = ada.course("Course", "").await;
    (app, ada, course)
}

/// Different words of four letters, from the one with this number on; ten more than fill 200,000 characters.
fn words(first: usize, count: usize) -> String {
    let letter = |digit: usize| char::from(b'a' + u8::try_from(digit % 26).unwrap());
    let words = (first..first + count).map(|n| {
        let digits = [n / 17_576, n / 676, n / 26, n];
        digits.map(letter).iter().collect::<String>()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn long_notes_are_stored_and_found() {
    let (app, ada, course) = writer().await;
    let (note, text) = (words(0, 40_000), words(40_000, 40_000));
    ada.document(&course, "Dictionary", &note, &text).await;
    let last = text.split(' ').nth(39_000).unwrap();
    for word in ["aaaa", "aaab", "abcd", last, "dictionary"] {
        let found = ada.found(&format!("\"{word}\"")).await;
        assert_eq!(found, ["Dictionary"], "{word}");
    }
    assert_eq!(ada.found("\"aaaa aaab\" dictionary").await, ["Dictionary"]);
    let stored = "SELECT length(formatted_note) + length(original_text) FROM documents";
    assert_eq!(app.number(stored).await, (note.len() + text.len()) as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_long_notes_are_found_by_their_new_words() {
    let (_app, ada, course) = writer().await;
    for round in 0..8 {
        let id = ada.document(&course, "Short", "one two", "").await;
        let text = format!("three {round}");
        ada.set_note(&id, &text).await;
    }
    let (note, text) = (words(0, 39_000), words(39_000, 39_000));
    let id = ada.document(&course, "Long", &note, &text).await;
    for word in ["first", "second"] {
        let note = format!("{word} {note}");
        ada.set_note(&id, &note).await;
        assert_eq!(ada.found(word).await, ["Long"]);
    }
    let emptied = json!({ "formattedNote": "", "originalText": "" });
    ada.update("Document", &id, emptied).await;
    assert_eq!(ada.found("\"aaaa\"").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_words_are_found_by_their_start() {
    let (_app, ada, course) = writer().await;
    let long = "x".repeat(3_000);
    let wide = "ა".repeat(700);
    let note = format!("before {long} {wide} after {}", "y".repeat(100_000));
    ada.document(&course, "Long words", &note, &long).await;
    for query in [
        "before",
        "after",
        "words",
        "before after",
        "xylophone OR after",
    ] {
        assert_eq!(ada.found(query).await, ["Long words"], "{query}");
    }
    for query in ["x".repeat(998), "ა".repeat(700), "y".repeat(998)] {
        let found = ada.found(&format!("\"{query}\"")).await;
        assert_eq!(
            found,
            ["Long words"],
            "words are compared by their first 255 bytes"
        );
    }
    assert_eq!(ada.found(&"v".repeat(998)).await, [""; 0]);
    let longest = "z".repeat(1_000);
    ada.update("Course", &course, json!({ "description": longest }))
        .await;
    let found = ada.found(&longest).await;
    assert_eq!(found, ["Course"], "a thousand letters are fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_notes_without_spaces_are_found_by_their_start() {
    let (_app, ada, course) = writer().await;
    let characters: String = ('\u{4e00}'..='\u{9fff}').collect();
    let note = format!("線形写像{}末尾", characters.repeat(12));
    assert!(note.chars().count() > 200_000);
    ada.document(&course, "漢字", &note, "").await;
    for query in ["線形写像", "漢字", "漢", "線形", "丠両", "\"写像一丁\""] {
        assert_eq!(ada.found(query).await, ["漢字"], "{query}");
    }
    assert_eq!(ada.found("像線").await, [""; 0], "not in this order");
    let found = ada.found("末尾").await;
    assert_eq!(found, [""; 0], "it comes after the indexed start");
}
