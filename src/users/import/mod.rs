//! Bringing people over from another system, with the hashes of their passwords: they go on signing in as they did.
//!
//! A file holds one person a line, as JSON. It is read and checked whole before anything is written ([`read`]), and written
//! in one transaction ([`import`]); who is there already stays as they are, so that a file can be imported again. It never
//! sees a password.

mod store;

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{MOST_AVATAR_URL, MOST_NAME};
use crate::{auth, db::Connection, email_address::EmailAddress, error::Error};

/// People that one statement writes.
const BATCH: usize = 1000;
/// How long a line may be, in bytes.
const MOST_LINE: usize = 64 * 1024;
/// Problems after which a file is not read on.
pub const MOST_PROBLEMS: usize = 20;

/// Somebody of another system. Not `Debug`: it holds a password's hash.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Newcomer {
    /// Left out: one is made.
    #[serde(default = "Uuid::now_v7")]
    id: Uuid,
    email: String,
    /// Derived from `email` when the file is read.
    #[serde(skip_deserializing)]
    email_key: String,
    name: String,
    /// bcrypt, or Argon2 as a PHC string; null for who has no password.
    password_hash: Option<String>,
    created_at: DateTime<Utc>,
    email_verified: Option<bool>,
    avatar_url: Option<String>,
    last_sign_in_at: Option<DateTime<Utc>>,
    /// Where they stand in the file, from 1.
    #[serde(skip)]
    line: usize,
}

/// What is wrong with a line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which line, from 1.
    pub line: usize,
    /// For people, in English: a whole sentence.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.message)
    }
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// People who were added.
    pub added: usize,
    /// The lines of those whose id or address was there already, ascending.
    pub known: Vec<usize>,
}

/// Reads a file of people: a JSON object a line, of 64 KiB at most; blank lines are passed over. `now`: no time may be later.
///
/// # Errors
/// The first problems, 20 at most, if there are any.
pub fn read(file: &[u8], now: DateTime<Utc>) -> Result<Vec<Newcomer>, Vec<Problem>> {
    let mut people = Vec::new();
    let mut problems = Vec::new();
    let mut seen = Seen::default();
    for (index, text) in file.split(|byte| *byte == b'\n').enumerate() {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line = index + 1;
        let mut found = Vec::new();
        match parse(text) {
            Ok(person) => {
                let mut person = Newcomer { line, ..person };
                match EmailAddress::exactly(&person.email) {
                    Ok(email) => email.key().clone_into(&mut person.email_key),
                    Err(invalid) => found.push(format!("email {}", invalid.reason())),
                }
                found.extend(person.problems(now));
                found.extend(seen.problems(&person));
                people.push(person);
            }
            Err(message) => found.push(message),
        }
        problems.extend(found.into_iter().map(|message| Problem { line, message }));
        if problems.len() >= MOST_PROBLEMS {
            problems.truncate(MOST_PROBLEMS);
            break;
        }
    }
    if problems.is_empty() {
        Ok(people)
    } else {
        Err(problems)
    }
}

/// Adds those people, all or none, and a profile for each; whoever is there already stays as they are.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL alone: nobody was added.
pub async fn import(conn: &mut Connection, people: &[Newcomer]) -> Result<Imported, Error> {
    conn.transaction(async |conn| add_all(conn, people).await)
        .await
}

async fn add_all(conn: &mut Connection, people: &[Newcomer]) -> Result<Imported, Error> {
    super::store::act_as_service(conn).await?;
    let mut added = HashSet::new();
    for batch in people.chunks(BATCH) {
        added.extend(store::add(conn, batch).await?);
    }
    let known = people.iter().filter(|person| !added.contains(&person.id));
    Ok(Imported {
        added: added.len(),
        known: known.map(|person| person.line).collect(),
    })
}

fn parse(text: &[u8]) -> Result<Newcomer, String> {
    if text.len() > MOST_LINE {
        return Err(format!("It is longer than {MOST_LINE} bytes."));
    }
    serde_json::from_slice(text).map_err(|error| {
        // Its own line is always the first.
        let message = error
            .to_string()
            .replace(" at line 1 column", ", at column");
        format!("It cannot be read: {message}.")
    })
}

impl Newcomer {
    fn problems(&self, now: DateTime<Utc>) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, message: &str| {
            if !holds {
                problems.push(message.to_owned());
            }
        };
        check(
            is_name(&self.name),
            "name must have 1 to 255 characters, and not white space alone.",
        );
        check(
            self.password_hash
                .as_deref()
                .is_none_or(auth::is_known_hash),
            "password_hash must be bcrypt ($2a$, $2b$, $2y$; cost 16 at most) or Argon2 (1 GiB, 20 passes, 16 lanes at \
             most), or null.",
        );
        check(
            self.avatar_url.as_deref().is_none_or(is_avatar_url),
            "avatar_url must be an absolute http or https URL of 512 characters at most, or null.",
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
    !text.trim().is_empty() && text.chars().count() <= MOST_NAME && !text.contains('\0')
}

fn is_avatar_url(text: &str) -> bool {
    let absolute = url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let blank = |character: char| character.is_control() || character.is_whitespace();
    absolute && text.chars().count() <= MOST_AVATAR_URL && !text.contains(blank)
}

/// The addresses and ids of a file so far, each with its line.
#[derive(Default)]
struct Seen {
    emails: HashMap<String, usize>,
    ids: HashMap<Uuid, usize>,
}

impl Seen {
    fn problems(&mut self, person: &Newcomer) -> Vec<String> {
        let mut problems = Vec::new();
        let email = person.email_key.clone();
        // An invalid address has no key.
        let seen = (!email.is_empty()).then(|| self.emails.insert(email, person.line));
        if let Some(line) = seen.flatten() {
            problems.push(format!("email is that of line {line}, too."));
        }
        if let Some(line) = self.ids.insert(person.id, person.line) {
            problems.push(format!("id is that of line {line}, too."));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    /// What is wrong with a person who differs from a good one in that field.
    fn problems_with(field: &str, value: Value) -> Vec<String> {
        let mut person = json!({ "email": "ada@example.com", "name": "Ada", "password_hash": HASH,
            "created_at": "2024-02-29T12:00:00+02:00" });
        person[field] = value;
        match read(person.to_string().as_bytes(), Utc::now()) {
            Ok(people) => {
                assert_eq!(people.len(), 1);
                Vec::new()
            }
            Err(problems) => problems
                .into_iter()
                .map(|problem| problem.message)
                .collect(),
        }
    }

    #[test]
    fn what_is_good_is_taken() {
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
    fn what_is_wrong_is_named() {
        for (field, value) in [
            ("id", json!("7")),
            ("id", json!(null)),
            ("email", json!("ada")),
            ("email", json!("ada@example.com\0")),
            ("email", json!("ada@example.com ")),
            ("email", json!("ada@\u{17F}hop.example")),
            ("email_key", json!("ada@example.com")),
            ("email", json!(null)),
            ("name", json!(" ")),
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
        let long = problems_with("name", json!("x".repeat(MOST_LINE)));
        assert_eq!(long, ["It is longer than 65536 bytes."]);
    }

    #[test]
    fn the_first_twenty_problems_are_told_with_their_lines() {
        let file = format!("\n{}", "{}\r\n".repeat(50));
        let Err(problems) = read(file.as_bytes(), Utc::now()) else {
            panic!("nothing of it is good");
        };
        assert_eq!(problems.len(), 20);
        assert_eq!(
            problems[0].to_string(),
            "line 2: It cannot be read: missing field `email`, at column 2."
        );
        assert!(read(b"\n \r\n", Utc::now()).is_ok_and(|people| people.is_empty()));
        assert!(read(b"\xff", Utc::now()).is_err());
    }

    #[test]
    fn nobody_stands_in_a_file_twice() {
        let line = |id: u128, email: &str| {
            let id = Uuid::from_u128(id);
            format!(
                r#"{{"id":"{id}","email":"{email}","name":"Ada","created_at":"2024-01-01T00:00:00Z"}}"#
            )
        };
        let file = [line(1, "a@b"), line(2, "A@B"), line(1, "c@d")].join("\n");
        let Err(problems) = read(file.as_bytes(), Utc::now()) else {
            panic!("two stand there twice");
        };
        let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(
            told,
            [
                "line 2: email is that of line 1, too.",
                "line 3: id is that of line 1, too."
            ]
        );
    }
}
