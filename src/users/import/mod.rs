//! Imports users from another system with their password hashes, so that they can sign in as before.
//!
//! A file has one user per line, as JSON. It is read and checked completely before anything is written ([`read`]), and
//! written in one transaction ([`import`]). Users who already exist are not changed, so a file can be imported again.
//! The import never sees a password.

mod store;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
};

use chrono::{DateTime, Utc};
use encoding_rs::{Encoding, UTF_8};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    auth::{self, MAX_AVATAR_URL_LENGTH, MAX_NAME_LENGTH},
    db::Connection,
    email_address::EmailAddress,
    error::Error,
    rules::is_blank,
};

/// Users per statement.
const BATCH: usize = 1000;
/// Maximum length of a line in bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// Marks UTF-8. Editors write it at the start of a file, and joined files also have it inside.
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();
/// Reading stops after this number of problems.
pub const MAX_PROBLEMS: usize = 20;

/// A user of another system. Not `Debug`: it holds a password hash.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedUser {
    /// If omitted, a new id is made.
    #[serde(default = "Uuid::now_v7")]
    id: Uuid,
    email: String,
    /// Derived from `email` when the file is read.
    #[serde(skip_deserializing)]
    email_key: String,
    name: String,
    /// bcrypt, or Argon2 as a PHC string. Null if the user has no password.
    password_hash: Option<String>,
    created_at: DateTime<Utc>,
    email_verified: Option<bool>,
    avatar_url: Option<String>,
    last_sign_in_at: Option<DateTime<Utc>>,
    /// Line number in the file, starting at 1.
    #[serde(skip)]
    line: usize,
}

/// A problem in a line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line number, starting at 1.
    pub line: usize,
    /// A complete English sentence.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.message)
    }
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Number of added users.
    pub added: usize,
    /// Lines of users whose id or address already existed, ascending.
    pub known: Vec<usize>,
}

/// Reads a file of users: one JSON object per line, in UTF-8, or in UTF-16 with a byte order mark. Maximum 64 KiB per line.
/// Blank lines are skipped. No time may be later than `now`.
///
/// # Errors
/// The first problems, at most 20.
pub fn read(file: &[u8], now: DateTime<Utc>) -> Result<Vec<ImportedUser>, Vec<Problem>> {
    let file = utf8(file).map_err(|problem| vec![problem])?;
    let mut users = Vec::new();
    let mut problems = Vec::new();
    let mut seen = SeenKeys::default();
    for (index, text) in file.split(|byte| *byte == b'\n').enumerate() {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line = index + 1;
        let mut found = Vec::new();
        match parse(text) {
            Ok(user) => {
                let mut user = ImportedUser { line, ..user };
                found.extend(user.normalize_email().err());
                found.extend(user.problems(now));
                found.extend(seen.problems(&user));
                users.push(user);
            }
            Err(message) => found.push(message),
        }
        problems.extend(found.into_iter().map(|message| Problem { line, message }));
        if problems.len() >= MAX_PROBLEMS {
            problems.truncate(MAX_PROBLEMS);
            break;
        }
    }
    if problems.is_empty() {
        Ok(users)
    } else {
        Err(problems)
    }
}

/// The file in UTF-8. Invalid UTF-8 is reported later, with its line.
fn utf8(file: &[u8]) -> Result<Cow<'_, [u8]>, Problem> {
    let (encoding, mark) = Encoding::for_bom(file).unwrap_or((UTF_8, 0));
    if encoding == UTF_8 {
        return Ok(file.into());
    }
    let text = encoding.decode_without_bom_handling_and_without_replacement(&file[mark..]);
    let text = text.ok_or_else(|| Problem {
        line: 1,
        message: format!(
            "The file is not valid {}. Save it in UTF-8.",
            encoding.name()
        ),
    })?;
    Ok(text.into_owned().into_bytes().into())
}

/// Adds these users with their profiles, all or none. Existing users are not changed.
///
/// # Errors
/// Only UNAVAILABLE, TIMEOUT or INTERNAL. No user was added then.
pub async fn import(conn: &mut Connection, users: &[ImportedUser]) -> Result<Imported, Error> {
    conn.transaction(async |conn| add_all(conn, users).await)
        .await
}

async fn add_all(conn: &mut Connection, users: &[ImportedUser]) -> Result<Imported, Error> {
    super::store::set_actor(conn, None).await?;
    let mut added = HashSet::new();
    for batch in users.chunks(BATCH) {
        added.extend(store::add(conn, batch).await?);
    }
    let known = users.iter().filter(|user| !added.contains(&user.id));
    Ok(Imported {
        added: added.len(),
        known: known.map(|user| user.line).collect(),
    })
}

fn parse(text: &[u8]) -> Result<ImportedUser, String> {
    if text.len() > MAX_LINE_BYTES {
        return Err(format!("It is longer than {MAX_LINE_BYTES} bytes."));
    }
    // serde also reads the fields of a struct from an array.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(
            "It is not a JSON object. Write one user per line, each as a whole object.".to_owned(),
        );
    }
    serde_json::from_slice(text).map_err(|error| {
        // serde_json counts lines within this line only.
        let message = error
            .to_string()
            .replace(" at line 1 column", ", at column");
        format!("It is not valid: {message}.")
    })
}

impl ImportedUser {
    fn normalize_email(&mut self) -> Result<(), String> {
        let email = EmailAddress::exactly(&self.email);
        let email = email.map_err(|invalid| format!("email {}", invalid.reason()))?;
        email.key().clone_into(&mut self.email_key);
        email.as_str().clone_into(&mut self.email);
        Ok(())
    }

    fn problems(&self, now: DateTime<Utc>) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, message: &str| {
            if !holds {
                problems.push(message.to_owned());
            }
        };
        check(
            is_name(&self.name),
            "name must have 1 to 255 characters and must not be blank.",
        );
        let hash = self.password_hash.as_deref();
        check(
            hash.is_none_or(auth::is_known_hash),
            "password_hash must be bcrypt ($2a$, $2b$, $2y$; maximum cost 16) or Argon2 (maximum 1 GiB, 20 passes, \
             16 lanes), or null.",
        );
        check(
            self.avatar_url.as_deref().is_none_or(is_avatar_url),
            "avatar_url must be an absolute http or https URL of at most 512 characters, or null.",
        );
        let past = DateTime::UNIX_EPOCH..=now;
        check(
            past.contains(&self.created_at),
            "created_at must be between 1970 and now.",
        );
        check(
            self.last_sign_in_at.is_none_or(|time| past.contains(&time)),
            "last_sign_in_at must be between 1970 and now, or null.",
        );
        problems
    }
}

fn is_name(text: &str) -> bool {
    !is_blank(text) && text.chars().count() <= MAX_NAME_LENGTH && !text.contains('\0')
}

fn is_avatar_url(text: &str) -> bool {
    let absolute = url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let blank = |character: char| character.is_control() || character.is_whitespace();
    absolute && text.chars().count() <= MAX_AVATAR_URL_LENGTH && !text.contains(blank)
}

/// The email keys and ids in the file so far, each with its line.
#[derive(Default)]
struct SeenKeys {
    emails: HashMap<String, usize>,
    ids: HashMap<Uuid, usize>,
}

impl SeenKeys {
    fn problems(&mut self, user: &ImportedUser) -> Vec<String> {
        let mut problems = Vec::new();
        let email = user.email_key.clone();
        // An invalid address has no key.
        let seen = (!email.is_empty()).then(|| self.emails.insert(email, user.line));
        if let Some(line) = seen.flatten() {
            problems.push(format!("email is already used in line {line}."));
        }
        if let Some(line) = self.ids.insert(user.id, user.line) {
            problems.push(format!("id is already used in line {line}."));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
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

    const ADA: &str =
        r#"{"email":"ada@example.com","name":"Adä","created_at":"2024-01-01T00:00:00Z"}"#;
    const BOB: &str =
        r#"{"email":"bob@example.com","name":"Bob","created_at":"2024-01-01T00:00:00Z"}"#;

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
}
