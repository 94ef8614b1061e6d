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
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use uuid::Uuid;

use crate::{
    auth::{self, MAX_AVATAR_URL_LENGTH, MAX_NAME_LENGTH},
    db::Connection,
    email_address::EmailAddress,
    error::Error,
    rules::is_blank,
    scalars,
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
    #[serde(deserialize_with = "time")]
    created_at: DateTime<Utc>,
    email_verified: Option<bool>,
    avatar_url: Option<String>,
    #[serde(default, deserialize_with = "optional_time")]
    last_sign_in_at: Option<DateTime<Utc>>,
    /// Line number in the file, starting at 1.
    #[serde(skip)]
    line: usize,
}

/// A time, by the rules of the API.
fn time<'de, D: Deserializer<'de>>(value: D) -> Result<DateTime<Utc>, D::Error> {
    let time = scalars::DateTime::of(&String::deserialize(value)?);
    let invalid =
        |problem: String| D::Error::custom(format!("the time {}", problem.trim_end_matches('.')));
    Ok(time.map_err(invalid)?.0)
}

/// A time or null.
fn optional_time<'de, D: Deserializer<'de>>(value: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    #[derive(Deserialize)]
    struct Time(#[serde(deserialize_with = "time")] DateTime<Utc>);
    let time = Option::<Time>::deserialize(value)?;
    Ok(time.map(|Time(time)| time))
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

/// Reads a file of users: one JSON object per line, in UTF-8, or in UTF-16 with a byte order mark. Maximum 64 KiB per
/// line. Blank lines are skipped. No time may be later than `now`.
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
pub async fn import(
    conn: &mut Connection,
    users: &[ImportedUser],
    added: impl Fn(usize) + Sync,
) -> Result<Imported, Error> {
    conn.transaction(async |conn| add_all(conn, users, &added).await)
        .await
}

async fn add_all(
    conn: &mut Connection,
    users: &[ImportedUser],
    progress: &(impl Fn(usize) + Sync),
) -> Result<Imported, Error> {
    super::store::set_actor(conn, None).await?;
    let mut added = HashSet::new();
    for batch in users.chunks(BATCH) {
        added.extend(store::add(conn, batch).await?);
        progress(batch.len());
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
mod tests;
