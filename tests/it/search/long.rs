//! Texts that are longer than an index can hold: they are kept all the same, and their start is found.

use serde_json::json;

use super::{course, document, found, update};
use crate::support::{Client, TestApp};

/// Somebody who may send notes of some megabytes, and the id of their course.
async fn writer() -> (TestApp, Client, serde_json::Value) {
    let app = TestApp::with(|settings| settings.edge.max_body = 16 * 1024 * 1024).await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Course", "").await;
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
async fn a_note_of_more_words_than_a_tsvector_holds_is_kept_and_its_start_found() {
    let (app, ada, course) = writer().await;
    let (note, text) = (words(0, 40_000), words(40_000, 40_000));
    document(&ada, &course, "Dictionary", &note, &text).await;
    let all = note.split(' ').chain(text.split(' ')).count() as i64;
    let kept = "SELECT length(words) FROM search_entries WHERE kind = 2";
    assert!(app.number(kept).await < all, "it overflows");
    for word in ["aaaa", "aaab", "abcd", "dictionary"] {
        assert_eq!(
            found(&ada, &format!("\"{word}\"")).await,
            ["Dictionary"],
            "{word}"
        );
    }
    assert_eq!(
        found(&ada, "\"aaaa aaab\" dictionary").await,
        ["Dictionary"]
    );
    let stored = "SELECT length(formatted_note) + length(original_text) FROM documents";
    assert_eq!(app.number(stored).await, (note.len() + text.len()) as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_makes_the_words_overflow_is_no_hindrance() {
    let (app, ada, course) = writer().await;
    let title = words(450_000, 100);
    let most = 74_890;
    let (note, text) = (words(0, 39_900), words(39_900, most - 39_900));
    let fits =
        format!("length(search_lexemes((SELECT id FROM users), ' {note} {text} ')) = {most}");
    assert_eq!(app.text(&fits).await, "true", "all but the title fits");
    document(&ada, &course, &title, &note, &text).await;
    assert_eq!(found(&ada, "aaab").await.len(), 1);
    let last = title.split(' ').next_back().unwrap();
    assert_eq!(found(&ada, last).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_note_is_changed_in_time_by_a_connection_that_has_changed_others() {
    let (_app, ada, course) = writer().await;
    for round in 0..8 {
        let id = document(&ada, &course, "Short", "one two", "").await;
        let text = format!("three {round}");
        update(&ada, "Document", json!({ "id": id, "formattedNote": text })).await;
    }
    let (note, text) = (words(0, 39_000), words(39_000, 39_000));
    let id = document(&ada, &course, "Long", &note, &text).await;
    for word in ["first", "second"] {
        let note = format!("{word} {note}");
        update(&ada, "Document", json!({ "id": id, "formattedNote": note })).await;
        assert_eq!(found(&ada, word).await, ["Long"]);
    }
    update(
        &ada,
        "Document",
        json!({ "id": id, "formattedNote": "", "originalText": "" }),
    )
    .await;
    assert_eq!(found(&ada, "\"aaaa\"").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_no_index_takes_are_passed_over() {
    let (_app, ada, course) = writer().await;
    let long = "x".repeat(3_000);
    let wide = "ა".repeat(700);
    let note = format!("before {long} {wide} after {}", "y".repeat(100_000));
    document(&ada, &course, "Long words", &note, &long).await;
    for query in [
        "before",
        "after",
        "words",
        "before after",
        "xylophone OR after",
    ] {
        assert_eq!(found(&ada, query).await, ["Long words"], "{query}");
    }
    for query in [
        "x".repeat(998),
        "ა".repeat(700),
        "ა".repeat(998),
        "y".repeat(998),
    ] {
        found(&ada, &query).await;
        assert_eq!(found(&ada, &format!("\"{query}\"")).await, [""; 0]);
    }
    let longest = "z".repeat(1_000);
    update(
        &ada,
        "Course",
        json!({ "id": course, "description": longest }),
    )
    .await;
    assert_eq!(
        found(&ada, &longest).await,
        ["Course"],
        "a thousand letters are fine"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_note_without_spaces_is_found_by_what_stands_in_its_start() {
    let (app, ada, course) = writer().await;
    let characters: String = ('\u{4e00}'..='\u{9fff}').collect();
    let note = format!("線形写像{}末尾", characters.repeat(12));
    assert!(note.chars().count() > 200_000);
    document(&ada, &course, "漢字", &note, "").await;
    for query in ["線形写像", "漢字", "漢", "線形", "丠両", "\"写像一丁\""] {
        assert_eq!(found(&ada, query).await, ["漢字"], "{query}");
    }
    assert_eq!(found(&ada, "像線").await, [""; 0], "not in this order");
    assert_eq!(
        found(&ada, "末尾").await,
        [""; 0],
        "it stands behind what is searched"
    );
    let kept = "SELECT length(words) FROM search_entries WHERE kind = 2";
    assert!(app.number(kept).await > 20_000);
}
