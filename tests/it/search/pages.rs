//! Pages of results: one list in pages of any size, without repetitions while items are added.

use serde_json::{Value, json};

use super::titles;
use crate::support::{Client, Person, TestApp, list};

/// Seventy documents, sixty of which fit equally well; and the id of their course.
async fn many() -> (TestApp, Person, String) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("Course", "").await;
    app.sql(
        "INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt, created_at, updated_at)
         SELECT user_id, md5(n::text)::uuid, id, 'Number ' || n || CASE WHEN n % 7 = 0 THEN ' zebra' ELSE '' END, 'A zebra', '', '',
             timestamptz '2026-01-01', timestamptz '2026-01-01' FROM courses, generate_series(1, 70) AS n",
    )
    .await;
    (app, ada, course)
}

/// The pages of a walk, to its end.
async fn walk(client: &Client, query: &str, size: usize) -> Vec<Value> {
    let (mut pages, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = client
            .search(json!({ "query": query, "first": size, "after": after }))
            .await;
        after = page["pageInfo"]["endCursor"].clone();
        let is_last = page["pageInfo"]["hasNextPage"] == false;
        pages.push(page);
        if is_last {
            return pages;
        }
    }
}

fn all_titles(pages: &[Value]) -> Vec<String> {
    pages.iter().flat_map(titles).collect()
}

fn scores(page: &Value) -> Vec<f64> {
    let scores = list(&page["edges"])
        .iter()
        .map(|edge| edge["score"].as_f64().unwrap());
    scores.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_are_one_list() {
    let (_app, ada, _) = many().await;
    for query in [
        "zebra",
        "zebta",
        "zeb",
        "ebra",
        "\"a zebra\"",
        "zebra -okapi",
        "nothing OR z",
    ] {
        let whole = walk(&ada, query, 100).await;
        assert_eq!(whole.len(), 1, "{query}");
        let expected = all_titles(&whole);
        let mut different = expected.clone();
        different.sort();
        different.dedup();
        assert_eq!((expected.len(), different.len()), (70, 70), "{query}");
        let scores = scores(&whole[0]);
        let best_first = scores.is_sorted_by(|one, next| one >= next);
        assert!(best_first, "{query}: best first");
        let equal = scores.iter().filter(|score| **score == scores[35]).count();
        assert!(equal >= 60, "{query}: {equal} fit equally well");
        for size in [1, 3, 7, 35, 69, 70] {
            let walked = all_titles(&walk(&ada, query, size).await);
            assert_eq!(walked, expected, "{query} by {size}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_info_describes_the_page() {
    let (_app, ada, _) = many().await;
    for size in [1, 7, 9, 100] {
        let pages = walk(&ada, "zebra", size).await;
        assert_eq!(pages.len(), 70_usize.div_ceil(size));
        for (number, page) in pages.iter().enumerate() {
            let edges = list(&page["edges"]);
            let expected = json!({
                "hasNextPage": number + 1 < pages.len(), "hasPreviousPage": number > 0,
                "startCursor": edges[0]["cursor"], "endCursor": edges[edges.len() - 1]["cursor"],
            });
            assert_eq!(page["pageInfo"], expected, "page {number} by {size}");
            assert!(edges.len() == size || number + 1 == pages.len());
        }
    }
    let default = ada.search(json!({ "query": "zebra" })).await;
    assert_eq!(titles(&default).len(), 50);
    let end = walk(&ada, "zebra", 70).await[0]["pageInfo"]["endCursor"].take();
    let behind = ada.search(json!({ "query": "zebra", "after": end })).await;
    let expected = json!({ "hasNextPage": false, "hasPreviousPage": true, "startCursor": null, "endCursor": null });
    assert_eq!(behind["edges"], json!([]));
    assert_eq!(behind["pageInfo"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_cursor_continues_after_its_edge() {
    let (_app, ada, _) = many().await;
    let whole = ada.search(json!({ "query": "zebra", "first": 100 })).await;
    let expected = titles(&whole);
    for at in [0, 9, 10, 40, 68] {
        let after = &whole["edges"][at]["cursor"];
        let page = ada
            .search(json!({ "query": "zebra", "first": 5, "after": after }))
            .await;
        let end = (at + 6).min(70);
        assert_eq!(titles(&page), expected[at + 1..end], "behind {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_between_pages_repeat_and_lose_no_other_items() {
    let (app, ada, course) = many().await;
    let expected = all_titles(&walk(&ada, "zebra", 100).await);
    let (mut shown, mut after) = (Vec::new(), Value::Null);
    for round in 0.. {
        let page = ada
            .search(json!({ "query": "zebra", "first": 7, "after": after }))
            .await;
        shown.extend(titles(&page));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
        for (title, note) in [
            ("Zebra zebra", "zebra"),
            ("Late", "A zebra"),
            ("Last", "zebra with very many other words"),
        ] {
            ada.document(&course, &format!("{title} {round}"), note, "")
                .await;
        }
        // The last item of the page is trashed: a cursor does not depend on its item.
        let gone = shown.last().unwrap();
        app.sql(&format!(
            "UPDATE documents SET status = 'trash', deleted_at = now() WHERE title = '{gone}'"
        ))
        .await;
    }
    let numbered: Vec<&String> = shown
        .iter()
        .filter(|title| title.starts_with("Number"))
        .collect();
    assert_eq!(numbered, expected.iter().collect::<Vec<_>>());
    let mut different = shown.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), shown.len(), "{shown:?}");
}
