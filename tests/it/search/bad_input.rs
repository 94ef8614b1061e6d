//! Bad input: every query has results, no results, or the error BAD_USER_INPUT.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use super::SEARCH;
use crate::support::{Client, Person, TestApp, text};

/// A user with ten thousand words in two hundred documents.
async fn reader() -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(
        "INSERT INTO courses (user_id, id, name) SELECT id, md5('course')::uuid, 'Course' FROM users;
         INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt)
         SELECT user_id, md5(n::text)::uuid, id, 'Number ' || n, (SELECT string_agg(md5(n || '-' || word), ' ') || ' aaaaaaaa'
             FROM generate_series(1, 50) AS word), '行列 語 матрица', '' FROM courses, generate_series(1, 200) AS n",
    )
    .await;
    (app, ada)
}

/// The response to a search, which must not be an internal error.
async fn ask(client: &Client, variables: Value) -> Value {
    let answer = client.post(SEARCH, variables.clone()).await;
    let shown: String = variables.to_string().chars().take(100).collect();
    assert!(answer.status < 500, "{shown}: {answer:?}");
    let json = answer.json();
    let code = &json["errors"][0]["extensions"]["code"];
    let is_expected = code.is_null() || code == "BAD_USER_INPUT";
    assert!(is_expected, "{shown}: {json}");
    json
}

fn is_empty(answer: &Value) -> bool {
    answer["data"]["search"]["edges"] == json!([])
}

fn is_refused(answer: &Value) -> bool {
    answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
}

/// Queries that have no words to look for.
const WITHOUT_WORDS: &[&str] = &[
    "", " ", " \t\r\n ", "-", "--", "- -", "OR", "OR OR", "\"\"", "\"\"\"", "-\"\"", "\"-\"", "\"",
    "-\"", "-OR", "%", "_", "\\", "'", "''", "\\'", "%%%", "* *", ":*", "':*'", "!!", "<->", "()",
    ")(", "$", "$$", "--;", "/* */", "\0", "\0\0 \0", "\u{200b}", "\u{ad}", "\u{301}", "🦓",
    "\u{200f}", ",;!?|", "、。", "-zebra", "-\"a b\"", ".", "...", "^", "(.*)*",
];

const LONG_WITHOUT_WORDS: &[&str] = &[
    "👩‍👩‍👧",
    "\u{3000}\u{a0}",
    "\" \" OR \" \"",
    "& | ! ( )",
    "\u{200d}\u{feff}",
    "\u{202e}\u{202c}",
    "-zebra -lion",
    "OR -number",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_query_without_words_finds_nothing() {
    let (_app, ada) = reader().await;
    let page_info = json!({ "hasNextPage": false, "hasPreviousPage": false, "startCursor": null, "endCursor": null });
    for query in WITHOUT_WORDS.iter().chain(LONG_WITHOUT_WORDS) {
        let answer = ask(&ada, json!({ "query": query })).await;
        assert!(is_empty(&answer), "{query:?}: {answer}");
        assert_eq!(answer["data"]["search"]["pageInfo"], page_info);
    }
}

/// Queries for a zebra, with other signs around the word.
const ZEBRAS: &[&str] = &[
    "%zebra%",
    "_zebra_",
    "zebra\\",
    "'zebra'",
    "zebra'",
    "zebra:*",
    "zebra & stripes",
    "(zebra | stripes)",
    "!zebra",
    "zebra <-> \
         stripes",
    "\"zebra",
    "zebra\"",
    "zebra \"",
    "\"zebra\"\"",
    "zebra\0",
    "\0zebra stripes",
    "ze\u{200b}bra",
    "\u{feff}zebra",
    "zebra 🦓",
    "🦓 zebra",
    "\u{202e}zebra\u{202c}",
    "zebra\u{200f}",
    "^zebra$",
    "(zebra)*",
    "zebra OR",
    "OR zebra",
    "zebra - ",
    "zebra -\"\"",
    "z\u{ad}ebra",
    "ZEBRA",
    "ｚｅｂｒａ",
    "zebra --",
    "zebra %",
    "zebra \\ stripes",
];

#[tokio::test(flavor = "multi_thread")]
async fn signs_do_not_hide_the_words_around_them() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("~", "").await;
    ada.document(&course, "Zebra", "stripes of 🦓", "").await;
    for query in ZEBRAS {
        assert_eq!(ada.found(query).await, ["Zebra"], "{query:?}");
    }
    let none = ada.found("stripes; DROP TABLE courses").await;
    assert_eq!(none, [""; 0], "words like any others");
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_have_at_most_a_thousand_characters() {
    let (_app, ada) = reader().await;
    for (query, refused) in [
        ("a".repeat(1_000), false),
        ("a".repeat(1_001), true),
        ("a".repeat(10_000), true),
        ("語".repeat(1_000), false),
        ("語".repeat(1_001), true),
        ("🦓".repeat(1_000), false),
        (" ".repeat(1_001), true),
        ("a ".repeat(5_000), true),
        ("\"".repeat(10_000), true),
        ("-".repeat(1_000), false),
        ("\0".repeat(1_000), false),
    ] {
        let answer = ask(&ada, json!({ "query": query })).await;
        let shown: String = query.chars().take(3).collect();
        assert_eq!(is_refused(&answer), refused, "{shown}…: {answer}");
        assert!(refused || is_empty(&answer), "{shown}…: {answer}");
    }
}

/// Queries of up to 1,000 characters that are as expensive as possible.
fn bombs() -> Vec<(&'static str, String)> {
    let cut = |text: String| text.chars().take(1_000).collect::<String>();
    let numbered = |before: &str, between: &str| {
        let words = (0..500).map(|n| format!("{before}{n:x}"));
        cut(words.collect::<Vec<_>>().join(between))
    };
    vec![
        ("500 words", cut("a b ".repeat(250))),
        ("500 different words", numbered("", " ")),
        ("as many ORs as fit", cut("a OR ".repeat(250))),
        ("different words between ORs", numbered("a", " OR ")),
        ("hyphens between ORs", cut("a-b OR ".repeat(250))),
        ("phrases between ORs", cut("\"a b\" OR ".repeat(250))),
        (
            "500 exclusions",
            cut(format!("number {}", "-a ".repeat(500))),
        ),
        (
            "phrases that are excluded",
            cut(format!("number {}", "-\"a b\" ".repeat(250))),
        ),
        (
            "different exclusions",
            cut(format!("number {}", numbered("-a", " "))),
        ),
        ("one long phrase", cut(format!("\"{}\"", "a ".repeat(499)))),
        ("one long hyphenated word", cut("a-".repeat(500))),
        ("prefixes of much", cut("aaaaaaaa ".repeat(200))),
        (
            "hexadecimal digits",
            cut("0 1 2 3 4 5 6 7 8 9 a b c d e f ".repeat(40)),
        ),
        (
            "three letters",
            cut("abc bcd cde def 123 234 345 456 567 678 789 89a 9ab abd bca dea ".repeat(20)),
        ),
    ]
}

/// Characters that fold to many others, or that mean something elsewhere.
fn oddities() -> Vec<(&'static str, String)> {
    let cut = |text: String| text.chars().take(1_000).collect::<String>();
    vec![
        ("letters of three bytes", "ა".repeat(1_000)),
        ("letters of four bytes", "𐌰".repeat(1_000)),
        ("letters that fold to many", "\u{fdfa}".repeat(1_000)),
        ("squares that fold to words", "㍿㌀".repeat(500)),
        ("sharp s", "ß".repeat(1_000)),
        ("marks", format!("a{}", "\u{301}".repeat(999))),
        (
            "marks of many classes",
            cut("a\u{323}\u{307}\u{5b0}".repeat(300)),
        ),
        ("quotes", "\"a".repeat(500)),
        ("backslashes and quotes", "\\'".repeat(500)),
        ("percents", "%a_".repeat(333)),
        (
            "nested groups",
            cut(format!("{}a{}", "(".repeat(499), ")".repeat(499))),
        ),
        ("a regular expression", cut("(a+)+$|(a|aa)*".repeat(70))),
        ("another", cut(format!("^{}", "(x*)*".repeat(190)))),
        ("Devanagari", "हिन्दी ".repeat(140)),
        ("Thai", "ภาษาไทย".repeat(140)),
        ("commas", "a,".repeat(500)),
        ("carets", "a^1_".repeat(250)),
        ("C++", "c++ ".repeat(250)),
        ("rn", "rn".repeat(30)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn expensive_and_odd_queries_are_answered() {
    let (_app, ada) = reader().await;
    for (name, query) in bombs().into_iter().chain(oddities()) {
        assert!(query.chars().count() <= 1_000, "{name}");
        let answer = ask(&ada, json!({ "query": query })).await;
        assert!(!is_refused(&answer), "{name}: {answer}");
    }
    assert_eq!(ada.found("number 7").await[0], "Number 7", "it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn unpaired_surrogates_are_rejected_and_escapes_are_text() {
    let (_app, ada) = reader().await;
    let query = "query($q: String!) { search(query: $q) { nodes { __typename } } }";
    for (escaped, is_text) in [
        (r"\ud800", false),
        (r"\udc00", false),
        (r"a\udfff\ud800", false),
        (r"\ud83e\udd93", true),
        (r"\u0000", true),
        (r"number\u0000", true),
    ] {
        let body = format!(r#"{{"query":"{query}","variables":{{"q":"{escaped}"}}}}"#);
        let headers = [("content-type", "application/json")];
        let answer = ada.post_body(&headers, body).await;
        assert!(answer.status < 500, "{escaped}: {answer:?}");
        assert_eq!(answer.json()["errors"].is_null(), is_text, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_types_courses_and_sizes_are_handled() {
    let (_app, ada) = reader().await;
    for (more, refused) in [
        (json!({ "first": 0 }), true),
        (json!({ "first": -1 }), true),
        (json!({ "first": 101 }), true),
        (json!({ "first": 2_147_483_647 }), true),
        (json!({ "first": 100 }), false),
        (json!({ "first": null }), false),
        (json!({ "types": ["NOTE"] }), true),
        (json!({ "types": ["document"] }), true),
        (json!({ "types": [null] }), true),
        (json!({ "types": vec!["TASK"; 1_000] }), false),
        (json!({ "types": null }), false),
        (json!({ "courseId": "7" }), false),
        (json!({ "courseId": "" }), false),
        (json!({ "courseId": "'; --" }), false),
        (json!({ "courseId": "\0" }), false),
        (json!({ "courseId": Uuid::new_v4() }), false),
        (json!({ "courseId": null }), false),
    ] {
        let mut variables = json!({ "query": "number" });
        let shown = more.to_string();
        for (name, value) in more.as_object().unwrap() {
            variables[name] = value.clone();
        }
        let answer = ask(&ada, variables.clone()).await;
        assert_eq!(is_refused(&answer), refused, "{shown}: {answer}");
        let narrows = variables["courseId"].is_string() || variables["types"].is_array();
        assert!(refused || is_empty(&answer) == narrows, "{shown}: {answer}");
    }
}

/// A cursor of this content.
fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_cursors_are_rejected() {
    let (_app, ada) = reader().await;
    let courses = "{ courses(first: 1) { pageInfo { endCursor } } }";
    let foreign = ada.query(courses).await["courses"]["pageInfo"]["endCursor"].take();
    let page = ada.search(json!({ "query": "number", "first": 5 })).await;
    let own = text(&page["pageInfo"]["endCursor"]);
    let id = Uuid::nil().simple();
    for cursor in [
        text(&foreign),
        String::new(),
        " ".to_owned(),
        "\0".to_owned(),
        "🦓".to_owned(),
        "x".repeat(100_000),
        own[1..].to_owned(),
        own[..own.len() - 3].to_owned(),
        format!("{own}="),
        format!("{own}{own}"),
        encoded("hit-"),
        encoded(&format!("hit-0-0-{id}-")),
        encoded(&format!("hit-0-{id}")),
        encoded(&format!("hit-zz-0-{id}")),
        encoded(&format!("hit-7ff8000000000000-0-{id}")),
        encoded(&format!("hit-7ff0000000000000-0-{id}")),
        encoded(&format!("hit-0-ffffffffffffffff-{id}")),
        encoded(&format!("hit-0-7fffffffffffffff-{id}")),
        encoded(&format!("hit-0-0-{id}\0")),
    ] {
        let variables = json!({ "query": "number", "after": cursor });
        let answer = ask(&ada, variables).await;
        assert!(is_refused(&answer), "{cursor:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_cursors_are_harmless() {
    let (_app, ada) = reader().await;
    let id = Uuid::max().simple();
    let page = ada.search(json!({ "query": "number", "first": 1 })).await;
    let real = text(&page["pageInfo"]["endCursor"]);
    let real = String::from_utf8(URL_SAFE_NO_PAD.decode(real).unwrap()).unwrap();
    let search = real.rsplit('-').next().unwrap();
    let scores = [
        "0",
        "1",
        "ffefffffffffffff",
        "7fefffffffffffff",
        "8000000000000000",
    ];
    let moments = [
        "0",
        "1",
        "6fffffffffffffff",
        "3fffffffffffffff",
        "5e0000000000",
    ];
    for score in scores {
        for moment in moments {
            let after = encoded(&format!("hit-{score}-{moment}-{id}-{search}"));
            let answer = ask(&ada, json!({ "query": "number", "after": after })).await;
            assert!(!is_refused(&answer), "{score} {moment}: {answer}");
        }
    }
}
