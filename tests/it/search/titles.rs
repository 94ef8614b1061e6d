//! Folded titles: `titleContains` and `nameContains` ignore the differences that the search ignores, whichever program wrote the title.

use serde_json::{Value, json};
use snapnote::items::titles;

use super::filters::{COURSES, DOCUMENTS, TASKS, listed, titled};
use crate::support::{TestApp, list, texts};

/// Titles, parts of them, and texts that readers tell from them.
const SPELLINGS: &[(&str, &[&str], &[&str])] = &[
    (
        "Étude No. 1",
        &["etude", "ÉTUDE", "E\u{301}tude n", "ètude"],
        &["étüdes"],
    ),
    ("U\u{308}bung", &["übung", "ubung", "Übung"], &["uebung"]),
    ("ﬁnal exam", &["final", "FIN", "ﬁn", "inal"], &["fiinal"]),
    (
        "Hauptstraße",
        &["STRASSE", "straße", "STRAẞE", "ass"],
        &["strase"],
    ),
    ("MASSE", &["maße"], &["maẞß"]),
    (
        "Ｆｕｌｌ　Ｗｉｄｔｈ １２",
        &["full width 12", "ＷＩＤ"],
        &["fullwidth"],
    ),
    ("ﾃｽﾄ", &["テスト"], &["てすと"]),
    (
        "Smørrebrød Łódź",
        &["smorrebrod", "LODZ", "brød ł"],
        &["smoerre"],
    ),
    (
        "Kadıköy Iğdır",
        &["KADIKÖY", "kadikoy", "ığdır", "IGDIR"],
        &["kadukoy"],
    ),
    ("Ὀδυσσεύς", &["οδυσσευσ", "ΟΔΥΣΣΕΎΣ", "σεύς"], &["οδισσευσ"]),
    ("Ёлка и йод", &["елка", "ЁЛКА", "й", "йод"], &["иод"]),
    ("مُحَمَّد", &["محمد", "مُحمد"], &["محمود"]),
    ("كتــاب أحمد", &["كتاب", "احمد"], &["كاتب"]),
    ("שָׁלוֹם", &["שלום", "שלוֹם"], &["שלם"]),
    ("हिन्दी", &["हिन्दी", "हि"], &["हन्दी"]),
    ("Việt Ngữ", &["viet ngu", "VIE\u{323}\u{302}T"], &["vjet"]),
    (
        "co\u{ad}operate\u{200b}d",
        &["cooperated"],
        &["co-operated"],
    ),
    (
        "it’s “quoted” – really",
        &["it's \"quoted\" - r", "it’s"],
        &["its"],
    ),
    ("x² + ½ ①", &["x2 +", "1⁄2", "½", "1"], &["x3"]),
    (
        "tab\tand\u{a0}space",
        &["tab and space", "b\u{2003}a"],
        &["tabandspace"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_titles_are_found_in_every_spelling() {
    let names: Vec<&str> = SPELLINGS.iter().map(|(title, ..)| *title).collect();
    let (_app, ada) = titled(&names).await;
    for (title, parts, others) in SPELLINGS {
        for of_kind in [COURSES, DOCUMENTS, TASKS] {
            for part in *parts {
                let found = listed(&ada, of_kind, part).await;
                assert!(found.contains(&(*title).to_owned()), "{part}: {found:?}");
            }
            for other in *others {
                assert_eq!(listed(&ada, of_kind, other).await, [""; 0], "{other}");
            }
        }
    }
}

/// Versions and the log, which must not change when titles are folded.
const VERSIONS: &str =
    "SELECT (SELECT sum(version) FROM courses) + (SELECT sum(version) FROM documents)
    + (SELECT sum(version) FROM tasks) + (SELECT count(*) FROM audit_logs)";
const UNFOLDED: &str = "SELECT (SELECT count(*) FROM courses WHERE name_folded IS NULL)
    + (SELECT count(*) FROM documents WHERE title_folded IS NULL) + (SELECT count(*) FROM tasks WHERE title_folded IS NULL)";

#[tokio::test(flavor = "multi_thread")]
async fn titles_that_other_programs_write_are_folded_later() {
    let (app, ada) = titled(&["Étude", "Sonata"]).await;
    assert_eq!(app.number(UNFOLDED).await, 0);
    app.sql(
        "UPDATE courses SET name = 'Übung' WHERE name = 'Étude'; UPDATE documents SET title = 'Übung' WHERE title = 'Étude';
         UPDATE tasks SET title = 'Übung' WHERE title = 'Étude';
         INSERT INTO tasks (user_id, id, title) SELECT user_id, gen_random_uuid(), 'Übung ' || n FROM courses, generate_series(1, 600) AS n
         WHERE name = 'Übung'",
    )
    .await;
    for list in [COURSES, DOCUMENTS, TASKS] {
        assert_eq!(listed(&ada, list, "etude").await, [""; 0]);
        assert_eq!(listed(&ada, list, "sonata").await, ["Sonata"]);
    }
    for list in [COURSES, DOCUMENTS] {
        assert_eq!(listed(&ada, list, "übuNG").await, ["Übung"]);
    }
    let versions = app.number(VERSIONS).await;
    assert_eq!(titles::fold_all(&app.pool).await.unwrap(), 603);
    assert_eq!(titles::fold_all(&app.pool).await.unwrap(), 0);
    assert_eq!(app.number(UNFOLDED).await, 0);
    assert_eq!(app.number(VERSIONS).await, versions);
    for list in [COURSES, DOCUMENTS] {
        assert_eq!(listed(&ada, list, "ubung").await, ["Übung"]);
    }
    assert_eq!(listed(&ada, TASKS, "ubung 99").await, ["Übung 99"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn locked_titles_are_folded_by_the_next_run() {
    let (app, ada) = titled(&["Étude", "Sonata"]).await;
    app.sql("UPDATE tasks SET title = 'Ü' || title").await;
    let lock = "SELECT FROM tasks WHERE title = 'ÜÉtude' FOR UPDATE";
    let holder = app.begin(lock).await;
    assert_eq!(titles::fold_all(&app.pool).await.unwrap(), 1);
    assert_eq!(listed(&ada, TASKS, "usonata").await, ["ÜSonata"]);
    holder.rollback().await;
    assert_eq!(titles::fold_all(&app.pool).await.unwrap(), 1);
    assert_eq!(listed(&ada, TASKS, "uetude").await, ["ÜÉtude"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_are_folded_with_every_change() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("Étude", "").await;
    let document = ada.document(&course, "Étude", "", "").await;
    let task = ada.task(&course, "Étude", "").await;
    for title in ["Etude", "étude", "ETUDE", "Sonata", "Étude"] {
        ada.update("Course", &course, json!({ "name": title }))
            .await;
        ada.update("Document", &document, json!({ "title": title }))
            .await;
        ada.update("Task", &task, json!({ "title": title })).await;
        assert_eq!(app.number(UNFOLDED).await, 0, "{title}");
        for list in [COURSES, DOCUMENTS, TASKS] {
            assert_eq!(listed(&ada, list, title.to_uppercase()).await, [title]);
            let other = if title == "Sonata" { "etude" } else { "sonata" };
            assert_eq!(listed(&ada, list, other).await, [""; 0]);
        }
    }
    // The title stays, although another program made it, and other fields change.
    app.sql("UPDATE tasks SET title = 'Übung'").await;
    let version = app.number("SELECT version FROM tasks").await;
    ada.update(
        "Task",
        &task,
        json!({ "title": "Übung", "description": "All" }),
    )
    .await;
    assert_eq!(app.number("SELECT version FROM tasks").await, version + 1);
    assert_eq!(listed(&ada, TASKS, "übung").await, ["Übung"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_titles_are_found() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("Course", "").await;
    for character in ["a", "é", "語", "🦓", "\u{fdfa}", "E\u{301}"] {
        let length = 500 / character.chars().count();
        let title = character.repeat(length);
        ada.document(&course, &title, "", "").await;
        let start = character.repeat(length / 10);
        assert_eq!(listed(&ada, DOCUMENTS, &start).await.len(), 1);
        if character != "\u{fdfa}" {
            assert_eq!(listed(&ada, DOCUMENTS, &title).await, [title]);
        }
        app.sql("DELETE FROM documents").await;
    }
}

/// The pages of a filtered list, from both ends and in the trash.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_titles_are_in_order() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("Étude", "").await;
    for title in [
        "Étude 3", "Sonata", "étude 1", "Etude 5", "ÉTUDE 2", "etude 4",
    ] {
        ada.task(&course, title, "").await;
    }
    let query = "query($first: Int, $last: Int, $after: String, $before: String, $offset: Int) {
        list: tasks(filter: { titleContains: \"etude\", status: null }, orderBy: { field: TITLE, direction: ASC },
            first: $first, last: $last, after: $after, before: $before, offset: $offset) {
            totalCount nodes { title } pageInfo { endCursor startCursor hasNextPage hasPreviousPage } } }";
    let page = async |arguments: Value| {
        let page = ada.data(query, arguments).await["list"].take();
        assert_eq!(page["totalCount"], 5);
        page
    };
    let sorted = page(json!({ "first": 10 })).await;
    let sorted = texts(&sorted["nodes"], "title");
    assert_eq!(sorted.len(), 5);
    let first = page(json!({ "first": 2 })).await;
    assert_eq!(texts(&first["nodes"], "title"), sorted[..2]);
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let after = &first["pageInfo"]["endCursor"];
    let second = page(json!({ "first": 2, "after": after })).await;
    assert_eq!(texts(&second["nodes"], "title"), sorted[2..4]);
    let last = page(json!({ "last": 2 })).await;
    assert_eq!(texts(&last["nodes"], "title"), sorted[3..]);
    let before = &last["pageInfo"]["startCursor"];
    let previous = page(json!({ "last": 2, "before": before })).await;
    assert_eq!(texts(&previous["nodes"], "title"), sorted[1..3]);
    let skipped = page(json!({ "first": 2, "offset": 3 })).await;
    assert_eq!(texts(&skipped["nodes"], "title"), sorted[3..]);

    let nested = "{ courses { nodes { tasks(filter: { titleContains: \"ÉTUDE\", completed: false }, first: 3) { totalCount nodes { title } } } } }";
    let nested = ada.query(nested).await["courses"]["nodes"][0]["tasks"].take();
    assert_eq!(
        (list(&nested["nodes"]).len(), &nested["totalCount"]),
        (3, &json!(5))
    );
    ada.trash(&[course]).await;
    let trash = page(json!({ "first": 2 })).await;
    assert_eq!(texts(&trash["nodes"], "title"), sorted[..2]);
}
