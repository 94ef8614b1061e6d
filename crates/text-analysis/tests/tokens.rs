//! Which words texts of many scripts have.

use text_analysis::{TokenKind, tokens};

/// The tokens of a text: words and characters as they are, dictionary words after `=`, joined words after `+`.
fn shown(text: &str) -> String {
    let show = |token: text_analysis::Token| match token.kind {
        TokenKind::Word | TokenKind::Character => token.word,
        TokenKind::Dictionary => format!("={}", token.word),
        TokenKind::Joined => format!("+{}", token.word),
    };
    tokens(text).map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn texts_have_these_words() {
    let mut wrong = Vec::new();
    for (text, expected) in CASES {
        if shown(text) != *expected {
            wrong.push(format!("{text:?}: {}, not {expected}", shown(text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const CASES: &[(&str, &str)] = &[
    ("", ""),
    ("The Row-Rank, of A", "the row +rowrank rank of a"),
    (
        "C# and C++ x^2 x_2 x_{12} x²",
        "csharp and cplusplus x2 x2 x12 x2",
    ),
    ("978-3-16-148410-0", "978 +9783161484100 3 16 148410 0"),
    ("don't don’t donʼt", "don +dont t don +dont t don +dont t"),
    (
        "serde_json::from_str",
        "serde +serdejson json from +fromstr str",
    ),
    (
        "infor-\nmation infor\u{ad}\nmation infor¬\nmation",
        "information information information",
    ),
    ("> infor-\n> mation", "information"),
    (
        "infor-\u{c}mation infor-\n\nmation",
        "information information",
    ),
    ("ze\u{2060}bra tag 🏷️", "zebra tag 🏷"),
    ("दिन दान हिन्दी", "दिन दान हिन्दी"),
    ("ฉันชอบกินข้าว", "ฉั =ฉัน น ช =ชอบ อ บ กิ =กิน น ข้ =ข้าว า ว"),
    ("ดื่มน้ำมากๆ", "ดื่ =ดื่ม ม น้ำ ม =มาก า ก ๆ"),
    ("ក្នុងការទិញថ្នាំ", "ក្នុ =ក្នុង ង កា =ការទិញ រ ទិ ញ ថ្នាំ"),
    ("كِتَابٌ محـــمد أحمد ١٢٣", "كتاب محمد احمد 123"),
    ("תִּקּוּן", "תקון"),
    ("ｶﾞﾗｽの窓", "ガ =ガラス ラ ス の 窓"),
    ("東京都に住む", "東 =東京 京 都 に 住 =住む む"),
    ("한국어 책", "한 국 어 책"),
    ("İstanbul ISPARTA ısı", "istanbul isparta isi"),
    ("мой ёлка", "мой елка"),
    ("U.S.A. e.g. 3.14", "u +usa s a e +eg g 3 +314 14"),
    ("㍿ ㎏ ½ ™", "株 =株式会社 式 会 社 kg 1 2"),
];
