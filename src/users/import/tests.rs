//! Files with every kind of error, and files as other programs write them.

use serde_json::{Value, json};

use super::*;

const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// The problems of a user who differs from a valid one in this field.
fn problems_with(field: &str, value: Value) -> Vec<String> {
    let mut user = json!({ "email": "ada@example.com", "name": "Ada", "password_hash": HASH,
        "created_at": "2024-02-29T12:00:00+02:00" });
    user[field] = value;
    match read(user.to_string().as_bytes(), Utc::now()) {
        Ok(users) => {
            assert_eq!(users.len(), 1);
            Vec::new()
        }
        Err(problems) => problems.into_iter().map(|one| one.message).collect(),
    }
}

#[test]
fn valid_values_are_accepted() {
    for (field, value) in [
        ("id", json!("0190163d-8694-739b-aea5-966c26f8ad91")),
        ("password_hash", json!(null)),
        ("email_verified", json!(true)),
        ("avatar_url", json!("https://example.com/ada.png")),
        ("last_sign_in_at", json!("2024-03-01T00:00:00.5Z")),
        ("last_sign_in_at", json!(null)),
        ("name", json!("語".repeat(255))),
    ] {
        assert!(problems_with(field, value).is_empty(), "{field}");
    }
}

#[test]
fn invalid_values_are_reported() {
    for (field, value) in [
        ("id", json!("7")),
        ("id", json!(null)),
        ("email", json!("ada")),
        ("email", json!("ada@example.com\0")),
        ("email", json!("ada@example.com ")),
        ("email", json!("ada@example..com")),
        ("email", json!("\"ada\"@example.com")),
        ("email", json!(format!("{}@example.com", "a".repeat(65)))),
        ("email_key", json!("ada@example.com")),
        ("email", json!(null)),
        ("name", json!(" ")),
        ("name", json!("\u{3164}\u{200B}")),
        ("name", json!("A\0")),
        ("name", json!("x".repeat(256))),
        ("password_hash", json!("5f4dcc3b5aa765d61d8327deb882cf99")),
        ("password_hash", json!("")),
        ("created_at", json!("2999-01-01T00:00:00Z")),
        ("created_at", json!("0000-01-01T00:00:00Z")),
        ("created_at", json!("yesterday")),
        ("created_at", json!("2024-02-29")),
        ("created_at", json!("2024-02-29T12:00:60Z")),
        ("created_at", json!("2024-02-29 12:00:00Z")),
        ("created_at", json!("2024-02-29T12:00:00\u{2212}01:00")),
        ("last_sign_in_at", json!("2024-02-29T12:00:60Z")),
        ("created_at", json!(1_700_000_000)),
        ("last_sign_in_at", json!("2999-01-01T00:00:00Z")),
        ("avatar_url", json!("ada.png")),
        ("avatar_url", json!("javascript:alert(1)")),
        ("passwordHash", json!(HASH)),
    ] {
        let problems = problems_with(field, value.clone());
        assert_eq!(problems.len(), 1, "{field} {value}: {problems:?}");
    }
    let long = problems_with("name", json!("x".repeat(MAX_LINE_BYTES)));
    assert_eq!(long, ["It is longer than 65536 bytes."]);
}

#[test]
fn the_first_twenty_problems_are_reported_with_their_lines() {
    let file = format!("\n{}", "{}\r\n".repeat(50));
    let Err(problems) = read(file.as_bytes(), Utc::now()) else {
        panic!("the file is invalid");
    };
    assert_eq!(problems.len(), 20);
    assert_eq!(
        problems[0].to_string(),
        "line 2: It is not valid: missing field `email`, at column 2."
    );
    assert!(read(b"\n \r\n", Utc::now()).is_ok_and(|users| users.is_empty()));
    assert!(read(b"\xff", Utc::now()).is_err());
}

const ADA: &str = r#"{"email":"ada@example.com","name":"Adä","created_at":"2024-01-01T00:00:00Z"}"#;
const BOB: &str = r#"{"email":"bob@example.com","name":"Bob","created_at":"2024-01-01T00:00:00Z"}"#;

#[test]
fn files_of_all_editors_are_read() {
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    };
    let marked = format!("\u{FEFF}{ADA}\r\n\r\n{BOB}\r\n");
    for file in [
        format!("{ADA}\n{BOB}").into_bytes(),
        format!("\n\n{ADA} \t\r\n  \n{BOB}  ").into_bytes(),
        marked.clone().into_bytes(),
        format!("\u{FEFF}{ADA}\n\u{FEFF}{BOB}\n\u{FEFF}").into_bytes(),
        utf16(&marked, u16::to_le_bytes),
        utf16(&marked, u16::to_be_bytes),
    ] {
        let users = read(&file, Utc::now()).unwrap_or_else(|all| panic!("{all:?}"));
        let names: Vec<&str> = users.iter().map(|user| &*user.name).collect();
        assert_eq!(names, ["Adä", "Bob"]);
    }
    for file in ["", "\u{FEFF}", "\u{FEFF}\r\n"] {
        let users = read(file.as_bytes(), Utc::now());
        assert!(users.is_ok_and(|users| users.is_empty()), "{file:?}");
    }
    let Err(problems) = read(b"\xff\xfe{", Utc::now()) else {
        panic!("half a character is missing");
    };
    let expected = "line 1: The file is not valid UTF-16LE. Save it in UTF-8.";
    assert_eq!(problems[0].to_string(), expected);
}

#[test]
fn lines_that_are_not_objects_are_reported_with_their_number() {
    let array = r#"["0190163d-8694-739b-aea5-966c26f8ad91","ada@example.com","Ada",null,"2024-01-01T00:00:00Z",null,null,null]"#;
    for line in [
        array,
        "[",
        "null",
        "7",
        "\"ada\"",
        "true",
        "email,name",
        "\u{A0}",
    ] {
        let file = format!("\u{FEFF}{BOB}\r\n\r\n{line}\r\n");
        let Err(problems) = read(file.as_bytes(), Utc::now()) else {
            panic!("{line} is not an object");
        };
        let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
        let expected =
            "line 3: It is not a JSON object. Write one user per line, each as a whole object.";
        assert_eq!(told, [expected], "{line}");
    }
    let cut = &ADA[..30];
    let Err(problems) = read(format!("{BOB}\n{cut}").as_bytes(), Utc::now()) else {
        panic!("it is cut off");
    };
    assert_eq!(problems[0].line, 2);
}

#[test]
fn addresses_are_imported_in_normalized_form() {
    let line = r#"{"email":"Zoe\u0301@BU\u0308CHER.example","name":"Zoe","created_at":"2024-01-01T00:00:00Z"}"#;
    let users = read(line.as_bytes(), Utc::now()).unwrap_or_else(|all| panic!("{all:?}"));
    let user = &users[0];
    let forms = (&*user.email, &*user.email_key);
    assert_eq!(forms, ("Zoé@bücher.example", "zoé@xn--bcher-kva.example"));
}

#[test]
fn duplicates_within_a_file_are_reported() {
    let line = |id: u128, email: &str| {
        let id = Uuid::from_u128(id);
        format!(
            r#"{{"id":"{id}","email":"{email}","name":"Ada","created_at":"2024-01-01T00:00:00Z"}}"#
        )
    };
    let file = [line(1, "a@b"), line(2, "A@B"), line(1, "c@d")].join("\n");
    let Err(problems) = read(file.as_bytes(), Utc::now()) else {
        panic!("the file has duplicates");
    };
    let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        told,
        [
            "line 2: email is already used in line 1.",
            "line 3: id is already used in line 1."
        ]
    );
}
