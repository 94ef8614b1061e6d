//! `titleContains`, `nameContains` and `metadataContains`: parts of titles, without case and accents, and of metadata, as they are
//! written.

use serde_json::{Value, json};

use snapnote::items::titles;

use crate::support::{Client, Person, TestApp, list, texts};

const COURSES: &str = "query($part: String) { list: courses(filter: { nameContains: $part }, first: 100) { totalCount nodes { title: name } } }";
const DOCUMENTS: &str = "query($part: String) { list: documents(filter: { titleContains: $part }, first: 100) { totalCount nodes { title } } }";
const TASKS: &str = "query($part: String) { list: tasks(filter: { titleContains: $part }, first: 100) { totalCount nodes { title } } }";
const METADATA: &str = "query($part: JSONObject) { list: documents(filter: { metadataContains: $part }, first: 100) { totalCount nodes { title } } }";

/// What a list has of a part, by the alphabet.
async fn listed<T: serde::Serialize>(client: &Client, query: &str, part: T) -> Vec<String> {
    let list = client.data(query, json!({ "part": part })).await["list"].take();
    let mut titles = texts(&list["nodes"], "title");
    assert_eq!(list["totalCount"], titles.len());
    titles.sort();
    titles
}

/// A user with a course, a document and a task of each of these titles.
async fn titled(titles: &[&str]) -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut home = String::new();
    for title in titles {
        home = ada.course(title, "").await;
    }
    for title in titles {
        ada.document(&home, title, "", "").await;
        ada.task(&home, title, "").await;
    }
    (app, ada)
}

/// What courses, documents and tasks are called.
const TITLES: &[&str] = &[
    "Linear Algebra",
    "100% sure",
    "1000 sure",
    "snake_case",
    "snakeXcase",
    r"back\slash",
    "backslash",
    "Straße",
    "İstanbul",
    "Ärger",
    "行列の計算",
    "線形",
    "🦓 Zebra",
    "👩‍👩‍👧",
    "a",
    "Éa",
    "it's",
    "\"quoted\"",
    "[a-z]+ (b)",
    "two  spaces",
    "ΟΔΟΣ",
    "x²",
];

const WITH_A: &[&str] = &[
    "Linear Algebra",
    "Straße",
    "[a-z]+ (b)",
    "a",
    "back\\slash",
    "backslash",
    "snakeXcase",
    "snake_case",
    "two  spaces",
    "Ärger",
    "Éa",
    "İstanbul",
    "🦓 Zebra",
];

/// Parts, and the titles that have them.
const PARTS: &[(&str, &[&str])] = &[
    ("linear", &["Linear Algebra"]),
    ("LINEAR ALG", &["Linear Algebra"]),
    ("r a", &["Linear Algebra"]),
    ("bra", &["Linear Algebra", "🦓 Zebra"]),
    ("Linear Algebra", &["Linear Algebra"]),
    ("Linear Algebras", &[]),
    ("%", &["100% sure"]),
    ("0%", &["100% sure"]),
    ("0% s", &["100% sure"]),
    ("_", &["snake_case"]),
    ("e_c", &["snake_case"]),
    ("\\", &[r"back\slash"]),
    ("k\\", &[r"back\slash"]),
    ("\\s", &[r"back\slash"]),
    ("ß", &["Straße"]),
    ("aß", &["Straße"]),
    ("STRAß", &["Straße"]),
    ("İs", &["İstanbul"]),
    ("STANBUL", &["İstanbul"]),
    ("ä", WITH_A),
    ("är", &["Linear Algebra", "Ärger"]),
    ("ÄRG", &["Ärger"]),
    ("行", &["行列の計算"]),
    ("列の", &["行列の計算"]),
    ("線形", &["線形"]),
    ("🦓", &["🦓 Zebra"]),
    ("🦓 z", &["🦓 Zebra"]),
    ("👩‍👧", &["👩‍👩‍👧"]),
    ("z", &["[a-z]+ (b)", "🦓 Zebra"]),
    ("éA", &["Linear Algebra", "Éa"]),
    ("'", &["it's"]),
    ("'S", &["it's"]),
    ("\"q", &["\"quoted\""]),
    ("-z]+ (", &["[a-z]+ (b)"]),
    ("two spaces", &["two  spaces"]),
    (" two   spaces ", &["two  spaces"]),
    ("οδος", &["ΟΔΟΣ"]),
    ("δο", &["ΟΔΟΣ"]),
    ("x²", &["x²"]),
    ("x2", &["x²"]),
    ("*", &[]),
    ("' OR 1=1", &[]),
];

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_titles_are_found_in_any_case_and_place() {
    let (app, ada) = titled(TITLES).await;
    let eve = app.signed_up("eve").await;
    for (part, expected) in PARTS {
        for list in [COURSES, DOCUMENTS, TASKS] {
            assert_eq!(listed(&ada, list, part).await, *expected, "{part}: {list}");
            assert_eq!(listed(&eve, list, part).await, [""; 0], "{part}");
        }
    }
    for list in [COURSES, DOCUMENTS, TASKS] {
        for all in [json!(""), json!("  "), Value::Null] {
            assert_eq!(listed(&ada, list, all).await.len(), TITLES.len());
        }
    }
}

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

#[tokio::test(flavor = "multi_thread")]
async fn long_and_invalid_parts_are_handled() {
    let (_app, ada) = titled(&["Linear Algebra"]).await;
    for list in [COURSES, DOCUMENTS, TASKS] {
        for part in [
            "%".repeat(10_000),
            "_".repeat(10_000),
            "\\".repeat(10_000),
            "ab".repeat(100_000),
            "語".repeat(100_000),
            "%a_".repeat(30_000),
        ] {
            assert_eq!(listed(&ada, list, part).await, [""; 0]);
        }
        let code = ada.error_code(list, json!({ "part": "a\0" })).await;
        assert_eq!(code, "BAD_USER_INPUT");
    }
    let code = ada
        .error_code(METADATA, json!({ "part": { "a": "\0" } }))
        .await;
    assert_eq!(code, "BAD_USER_INPUT");
}

/// A user with documents with this metadata, which is also their title.
async fn described(app: &TestApp, all: &[Value]) -> Person {
    let ada = app.signed_up("ada").await;
    let home = ada.course("Course", "").await;
    for metadata in all {
        let input =
            json!({ "courseId": home, "title": metadata.to_string(), "metadata": metadata });
        ada.create("Document", input).await;
    }
    ada
}

/// Parts of metadata, and which of the documents below have them.
fn parts_of_metadata() -> Vec<(Value, &'static [usize])> {
    vec![
        (json!({}), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (json!({ "a": {} }), &[1, 8]),
        (json!({ "a": [] }), &[2, 7]),
        (json!({ "a": null }), &[3]),
        (json!({ "a": 1 }), &[4]),
        (json!({ "a": 1.0 }), &[4]),
        (json!({ "a": "1" }), &[5]),
        (json!({ "a": true }), &[6]),
        (json!({ "b": { "c": {} } }), &[6]),
        (json!({ "b": { "c": { "d": "deep" } } }), &[6]),
        (json!({ "a": true, "b": {} }), &[6]),
        (json!({ "c": { "d": "deep" } }), &[]),
        (json!({ "a": [1] }), &[7]),
        (json!({ "a": [2, 1, 1] }), &[7]),
        (json!({ "a": [3] }), &[]),
        (json!({ "a": [[3]] }), &[7]),
        (json!({ "a": [{ "b": "in a list" }] }), &[7]),
        (json!({ "a": [{}] }), &[7]),
        (json!({ "a": [[]] }), &[7]),
        (json!({ "a": { "b": null } }), &[8]),
        (json!({ "a": { "b": {} } }), &[]),
        (json!({ "": "no name" }), &[9]),
        (json!({ "語": "値" }), &[9]),
        (json!({ "🦓": "it's \"quoted\" \\ %" }), &[9]),
        (json!({ "n": 100_000_000_000_000_000_000_f64 }), &[10]),
        (json!({ "m": 0.1, "o": 0 }), &[10]),
        (json!({ "nothing": {} }), &[]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_found_by_any_part() {
    let app = TestApp::start().await;
    let all = [
        json!({}),
        json!({ "a": {} }),
        json!({ "a": [] }),
        json!({ "a": null }),
        json!({ "a": 1 }),
        json!({ "a": "1" }),
        json!({ "a": true, "b": { "c": { "d": "deep" } } }),
        json!({ "a": [1, 2, [3], { "b": "in a list" }] }),
        json!({ "a": { "b": null }, "c": "x" }),
        json!({ "": "no name", "語": "値", "🦓": "it's \"quoted\" \\ %" }),
        json!({ "n": 1e20, "m": 0.1, "o": -0.0 }),
    ];
    let ada = described(&app, &all).await;
    let eve = app.signed_up("eve").await;
    for (part, expected) in parts_of_metadata() {
        let mut expected: Vec<String> = expected
            .iter()
            .map(|at: &usize| all[*at].to_string())
            .collect();
        expected.sort();
        assert_eq!(listed(&ada, METADATA, &part).await, expected, "{part}");
        assert_eq!(listed(&eve, METADATA, &part).await, [""; 0], "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_follow_changes() {
    let (app, ada) = titled(&["Linear Algebra"]).await;
    app.sql("UPDATE documents SET title = 'Analysis', metadata = '{\"a\": 1}'; UPDATE courses SET name = 'Analysis'")
        .await;
    for list in [COURSES, DOCUMENTS] {
        assert_eq!(listed(&ada, list, "linear").await, [""; 0]);
        assert_eq!(listed(&ada, list, "analy").await, ["Analysis"]);
    }
    let part = json!({ "a": 1 });
    assert_eq!(listed(&ada, METADATA, &part).await, ["Analysis"]);
    app.sql("UPDATE documents SET metadata = '{}'").await;
    assert_eq!(listed(&ada, METADATA, &part).await, [""; 0]);
}
