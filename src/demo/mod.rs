//! A realistic semester of demo data: three users with courses, lecture notes, tasks and tags.
//!
//! The content is in `demo/` at the project's root, one folder per user, and is part of the binary. Every id is derived
//! from the path of its content, so filling again adds nothing twice, and does not undo later changes and deletions. It
//! is for trying out the service; no other module uses it.

mod content;
mod store;

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use text_analysis::PlainText;
use uuid::Uuid;

use crate::{
    auth::{
        self, Auth, Client, SignUpInput, UserId,
        keys::{Purpose, Secrets},
    },
    db::{Connection, Database},
    documents::excerpt,
    email_address::EmailAddress,
    error::{Error, Failure, RefusalCode},
    items::titles,
    users,
};
use content::{Course, Note, Tag, Task, User};

/// The day of the semester that is today.
const TODAY: i64 = 75;

/// What was added, and how to sign in to see it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The users, in the order of their folders.
    pub users: Vec<DemoUser>,
    /// Number of items that were added.
    pub added: usize,
}

/// A demo user.
#[derive(Debug, Serialize)]
pub struct DemoUser {
    /// The user's name.
    pub name: String,
    /// The email address for signing in.
    pub email: String,
    /// The initial password, derived from the service's secret.
    pub password: String,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} items were added. Sign in with the mutation signIn as:",
            self.added
        )?;
        for user in &self.users {
            writeln!(
                formatter,
                "  {:<16} {:<20} {}",
                user.name, user.email, user.password
            )?;
        }
        Ok(())
    }
}

/// Number of demo users.
pub const USERS: u64 = 3;

/// Fills the database. The passwords are derived from the current one of the service's `secrets`. `filled` is called after each of
/// the [`USERS`].
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached. INTERNAL if the content is invalid.
pub async fn fill(
    database: &Database,
    auth: &Auth,
    secrets: &Secrets,
    filled: impl Fn() + Sync,
) -> Result<Report, Error> {
    let key = secrets.keys(Purpose::DemoPasswords).current;
    let start = Utc::now() - TimeDelta::days(TODAY);
    let mut report = Report {
        users: Vec::new(),
        added: 0,
    };
    for user in content::users()? {
        let password = password_of(&key, &user.email);
        let owner = sign_up(database, auth, &user, &password).await?;
        let mut conn = database.connection().await?;
        let added = conn.transaction(async |conn| add_items(conn, owner, &user, start).await);
        report.added += added.await?;
        report.users.push(DemoUser {
            name: user.name,
            email: user.email,
            password,
        });
        filled();
    }
    Ok(report)
}

/// Without the service's secret, nobody can guess a demo user's password.
fn password_of(key: &[u8], email: &str) -> String {
    let digest = auth::hmac(key, &[email.as_bytes()]);
    URL_SAFE_NO_PAD.encode(&digest[..12])
}

/// Creates the user with their profile, unless the address exists already.
async fn sign_up(
    database: &Database,
    auth: &Auth,
    user: &User,
    password: &str,
) -> Result<UserId, Error> {
    let new = SignUpInput {
        email: user.email.clone(),
        password: password.to_owned(),
        name: user.name.clone(),
    };
    match auth::sessions::sign_up(auth, new, &Client::default()).await {
        Ok(signed_in) => {
            let viewer = signed_in.viewer();
            let mut conn = database.connection().await?;
            let profile = users::update_profile(&mut conn, &viewer, &user.profile).await;
            profile.map_err(|failure| broken(&user.email, failure))?;
            Ok(viewer.user_id)
        }
        Err(Failure::Refused(refusals))
            if refusals
                .iter()
                .any(|refusal| refusal.code == RefusalCode::Taken) =>
        {
            let mut conn = database.connection().await?;
            let email = EmailAddress::of_input("email", &user.email)
                .map_err(|refusal| broken(&user.email, refusal.into()))?;
            let known = users::find_by_email(&mut conn, &email).await?;
            let deleted = "a demo user was deleted while the demo was filled in";
            Ok(known.ok_or_else(|| Error::unavailable(deleted))?.id)
        }
        Err(failure) => Err(broken(&user.email, failure)),
    }
}

fn broken(what: &str, failure: Failure) -> Error {
    match failure {
        Failure::Error(error) => error,
        Failure::Refused(refusals) => Error::internal(format!(
            "the demo's content of {what} was rejected: {refusals:?}"
        )),
    }
}

async fn add_items(
    conn: &mut Connection,
    owner: UserId,
    user: &User,
    start: DateTime<Utc>,
) -> Result<usize, Error> {
    let tags = user.tags.iter().map(|tag| {
        json!({
            "id": tag_id(user, &tag.name),
            "name": tag.name,
            "name_folded": titles::fold(&tag.name),
            "color": tag.color,
            "created_at": time_on(start, 0, tag.name.len()),
        })
    });
    let mut added = store::add(conn, store::ADD_TAGS, owner, tags.collect())
        .await?
        .len();
    store::lock_tags(conn, owner).await?;
    for (index, course) in user.courses.iter().enumerate() {
        let row = course_row(user, course, time_on(start, 0, index));
        added += store::add(conn, store::ADD_COURSES, owner, vec![row])
            .await?
            .len();
        let notes = content::notes(user, course)?;
        let documents = notes.iter().map(|note| document(user, course, note, start));
        let new = store::add(conn, store::ADD_DOCUMENTS, owner, documents.collect()).await?;
        let tagged = notes.iter().flat_map(|note| {
            let id = id_of(&[&user.folder, &course.folder, &note.file]);
            tags_of_item(user, id, &note.keywords, &new)
        });
        store::assign_tags(conn, store::TAG_DOCUMENTS, owner, tagged.collect()).await?;
        added += new.len();
    }
    let tasks = || user.tasks.iter().enumerate();
    let rows = tasks().map(|(index, one)| task(user, index, one, start));
    let new = store::add(conn, store::ADD_TASKS, owner, rows.collect()).await?;
    let tagged = tasks().flat_map(|(index, task)| {
        let id = id_of(&[&user.folder, "tasks", &index.to_string()]);
        tags_of_item(user, id, &task.tags, &new)
    });
    store::assign_tags(conn, store::TAG_TASKS, owner, tagged.collect()).await?;
    Ok(added + new.len())
}

fn course_row(user: &User, course: &Course, created_at: DateTime<Utc>) -> Value {
    json!({
        "id": id_of(&[&user.folder, &course.folder]),
        "name": course.name,
        "name_folded": titles::fold(&course.name),
        "description": course.description,
        "color": course.color,
        "icon": course.icon,
        "created_at": created_at,
    })
}

fn document(user: &User, course: &Course, note: &Note, start: DateTime<Utc>) -> Value {
    let text = &note.markdown;
    json!({
        "id": id_of(&[&user.folder, &course.folder, &note.file]),
        "course_id": id_of(&[&user.folder, &course.folder]),
        "title": note.title,
        "title_folded": titles::fold(&note.title),
        "original_text": recognized_text(text),
        "formatted_note": text,
        "excerpt": excerpt::of_note(text),
        "processing_time": 1.2 + (text.len() % 37) as f64 / 10.0,
        "metadata": { "page": note.page, "keywords": note.keywords, "source": "camera" },
        "created_at": time_on(start, note.day, text.len()),
        "deleted_at": note.trashed.map(|day| trashed(start, day, 5)),
    })
}

fn task(user: &User, index: usize, task: &Task, start: DateTime<Utc>) -> Value {
    let course = task.course.as_ref();
    // Hand-ins of courses have a time, other tasks are due all day.
    let due_on = task.due.filter(|_| course.is_none());
    json!({
        "id": id_of(&[&user.folder, "tasks", &index.to_string()]),
        "course_id": course.map(|course| id_of(&[&user.folder, course])),
        "title": task.title,
        "title_folded": titles::fold(&task.title),
        "description": task.description,
        "priority": i16::from(task.priority()),
        "created_at": time_on(start, task.created, index),
        "due_at": course.and(task.due).map(|day| time_on(start, day, 3)),
        "due_on": due_on.map(|day| time_on(start, day, 0).date_naive()),
        "completed_at": task.completed.map(|day| time_on(start, day, index)),
        "deleted_at": task.trashed.map(|day| trashed(start, day, index)),
    })
}

/// The tags of an item: those with one of these names, ignoring case. None if it is not among the new items.
fn tags_of_item<'a>(
    user: &'a User,
    item: Uuid,
    names: &'a [String],
    new: &'a [Uuid],
) -> impl Iterator<Item = Value> + 'a {
    let is_named = move |tag: &&Tag| {
        let name = tag.name.to_lowercase();
        new.contains(&item) && names.iter().any(|other| other.to_lowercase() == name)
    };
    let tags = user.tags.iter().filter(is_named);
    tags.map(move |tag| json!({ "item_id": item, "tag_id": tag_id(user, &tag.name) }))
}

fn tag_id(user: &User, name: &str) -> Uuid {
    id_of(&[&user.folder, "tags", name])
}

/// Imitates text recognition of a page: plain text in lines as wide as a notebook.
fn recognized_text(markdown: &str) -> String {
    const WIDTH: usize = 64;
    let mut page = String::new();
    let text = PlainText::from_markdown(markdown).into_text();
    for line in text.split(['\n', '\u{2029}']) {
        let mut length = 0;
        for word in line.split(' ') {
            if length > 0 && length + word.chars().count() > WIDTH {
                page.push('\n');
                length = 0;
            }
            if length > 0 {
                page.push(' ');
            }
            page.push_str(word);
            length += word.chars().count() + 1;
        }
        page.push('\n');
    }
    page
}

/// A time on a day of the semester between 8:00 and 18:00, which varies from item to item.
fn time_on(start: DateTime<Utc>, day: i64, variation: usize) -> DateTime<Utc> {
    let midnight = start.date_naive().and_time(NaiveTime::MIN).and_utc();
    let minutes = i64::try_from(variation * 37 % 600).unwrap_or(0);
    midnight + Days::new(day.unsigned_abs()) + TimeDelta::minutes(8 * 60 + minutes)
}

/// When an item was trashed: recently enough that it is not deleted at once.
fn trashed(start: DateTime<Utc>, day: i64, variation: usize) -> DateTime<Utc> {
    time_on(start, day.max(TODAY - 20), variation)
}

/// A UUID (version 8, RFC 9562) derived from the content's path.
fn id_of(path: &[&str]) -> Uuid {
    let digest = Sha256::digest(path.join("/").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
