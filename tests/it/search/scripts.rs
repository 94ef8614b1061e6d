//! Letters of all scripts are found as they are written and as users type them.

use serde_json::json;

use crate::support::TestApp;

/// Texts, and queries that find them.
const TEXTS: &[(&str, &[&str])] = &[
    ("x ∈ ℝ", &["ℝ", "r", "R", "\"x r\""]),
    ("𝑀atrix 𝐀𝐁𝐂", &["matrix", "𝑀atrix", "abc", "𝐀𝐁𝐂", "\"ABC\""]),
    ("Lager™ № 5", &["lager™", "lager", "№", "\"no 5\""]),
    (
        "Straße",
        &["strasse", "STRASSE", "STRAẞE", "straße", "Strass"],
    ),
    (
        "İSTANBUL Iğdır",
        &["istanbul", "İstanbul", "İSTANBUL", "igdir", "ığdır"],
    ),
    (
        "ΟΔΥΣΣΕΥΣ Οδυσσεύς",
        &["Οδυσσεύς", "ΟΔΥΣΣΕΥΣ", "οδυσσευς", "\"οδυσσεύς\"", "ΟΔΥΣ"],
    ),
    ("ﬁnal eﬃcient", &["final", "efficient", "ﬁnal", "eﬃ"]),
    (
        "Ångström 300 K",
        &["angstrom", "Ångström", "ÅNGSTRÖM", "300 K"],
    ),
    ("Ｗｉｄｅ ｶﾀｶﾅ", &["wide", "ＷＩＤＥ", "カタカナ", "ｶﾀｶﾅ"]),
    (
        "Łódź Ørsted Đà",
        &["lodz", "łódź", "orsted", "Ørsted", "đà"],
    ),
    ("матрица МАТРИЦЫ", &["матрица", "МАТРИЦА", "матриц"]),
    ("हिन्दी भाषा", &["हिन्दी", "भाषा", "\"हिन्दी भाषा\""]),
    ("ภาษาไทย", &["ภาษาไทย", "ภาษา"]),
    ("العربية عَرَبِيّ", &["العربية", "عَرَبِيّ"]),
    ("עברית שָׁלוֹם", &["עברית", "שָׁלוֹם"]),
    (
        "한국어를 공부",
        &["한국어", "공부", "한", "\"한국어를 공부\""],
    ),
    ("Tiếng Việt", &["tieng viet", "Tiếng Việt", "TIẾNG"]),
    (
        "naïve café coöperate",
        &["naive", "cafe\u{301}", "café", "cooperate"],
    ),
    (
        "x² + y_2 H₂O ½",
        &["x2", "x^2", "x²", "y2", "h2o", "H₂O", "½"],
    ),
    ("ＣＯ₂ ⅷ Ⅷ", &["co2", "CO₂", "viii", "Ⅷ"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_found_in_all_their_spellings() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("~", "").await;
    let mut wrong = Vec::new();
    for (number, (text, queries)) in TEXTS.iter().enumerate() {
        let title = format!("~{}", char::from_u32(0x1f300 + number as u32).unwrap());
        ada.document(&course, &title, text, "").await;
        for query in *queries {
            if !ada.found(query).await.contains(&title) {
                wrong.push(format!("{text}: {query}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_in_all_scripts_are_highlighted() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("~", "").await;
    let note = "Let x ∈ ℝ, 𝑀atrix, Straße, ﬁnal, Łódź, İstanbul, H₂O";
    ada.document(&course, "~", note, "").await;
    for (query, expected) in [
        ("\"r\"", "ℝ"),
        ("\"ℝ\"", "ℝ"),
        ("matrix", "𝑀atrix"),
        ("STRASSE", "Straße"),
        ("final", "ﬁnal"),
        ("lodz", "Łódź"),
        ("istanbul", "İstanbul"),
        ("h2o", "H₂O"),
    ] {
        let page = ada.search(json!({ "query": query })).await;
        let highlight = &page["edges"][0]["highlights"][0];
        let text = highlight["text"].as_str().unwrap_or_default();
        let units: Vec<u16> = text.encode_utf16().collect();
        let end = |name: &str| highlight["ranges"][0][name].as_u64().unwrap_or(0) as usize;
        let marked = String::from_utf16(&units[end("start")..end("end")]).unwrap();
        assert_eq!(marked, expected, "{query}: {page}");
    }
}
