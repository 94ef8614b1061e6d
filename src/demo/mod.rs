//! A believable semester to look around in: three people, their courses, lecture notes and tasks.
//!
//! The content stands in `demo/` at the project's root, a folder a person, and is part of the binary. Every id is made of
//! the place where the content stands, so that filling twice adds nothing twice; what somebody has changed or deleted since
//! stays as it is. It is for trying things out: nothing else of the service uses it.

mod content;
mod store;

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Days, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    auth::{self, Auth, Client, NewUser, UserId},
    db::{Connection, Database},
    documents::excerpt,
    email_address::EmailAddress,
    error::{Error, Failure, RefusalCode},
    users,
};
use content::{Note, Person, Task};
use store::{CourseRow, DocumentRow, TaskRow};

/// The day of the semester that is today.
const TODAY: i64 = 75;

/// What was filled in, and how to sign in to see it.
#[derive(Debug)]
pub struct Report {
    /// The people, in the order of their folders.
    pub people: Vec<DemoPerson>,
    /// Courses, documents and tasks that were added just now.
    pub added: usize,
}

/// One of the people.
#[derive(Debug)]
pub struct DemoPerson {
    /// Their name.
    pub name: String,
    /// What they sign in with.
    pub email: String,
    /// Their password, made of the service's secret; one that they changed since is not known here.
    pub password: String,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} items were added. Sign in with the mutation signIn as:",
            self.added
        )?;
        for person in &self.people {
            writeln!(
                formatter,
                "  {:<16} {:<20} {}",
                person.name, person.email, person.password
            )?;
        }
        Ok(())
    }
}

/// Fills the database; `secret` is the service's, of which the passwords are made.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached; INTERNAL if the content is broken.
pub async fn fill(database: &Database, auth: &Auth, secret: &[u8]) -> Result<Report, Error> {
    let start = Utc::now() - TimeDelta::days(TODAY);
    let mut report = Report {
        people: Vec::new(),
        added: 0,
    };
    for person in content::people()? {
        let password = password_of(secret, &person.email);
        let owner = sign_up(database, auth, &person, &password).await?;
        let mut conn = database.connection().await?;
        let added = conn.transaction(async |conn| add_items(conn, owner, &person, start).await);
        report.added += added.await?;
        report.people.push(DemoPerson {
            name: person.name,
            email: person.email,
            password,
        });
    }
    Ok(report)
}

/// Nobody who does not know the service's secret can sign in as a demonstration.
fn password_of(secret: &[u8], email: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(b"snapnote demo password ");
    mac.update(email.as_bytes());
    URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..12])
}

/// Makes the person with their profile, unless their address is there already.
async fn sign_up(
    database: &Database,
    auth: &Auth,
    person: &Person,
    password: &str,
) -> Result<UserId, Error> {
    let new = NewUser {
        email: person.email.clone(),
        password: password.to_owned(),
        name: person.name.clone(),
    };
    match auth::sessions::sign_up(auth, new, &Client::default()).await {
        Ok(signed_in) => {
            let viewer = signed_in.viewer();
            let mut conn = database.connection().await?;
            let profile =
                users::update_profile(&mut conn, &viewer, person.profile.changes()?).await;
            profile.map_err(|failure| broken(&person.email, failure))?;
            Ok(viewer.user_id)
        }
        Err(Failure::Refused(refusals))
            if refusals
                .iter()
                .any(|refusal| refusal.code == RefusalCode::Taken) =>
        {
            let mut conn = database.connection().await?;
            let email = EmailAddress::of_input("email", &person.email)
                .map_err(|refusal| broken(&person.email, refusal.into()))?;
            let known = users::find_by_email(&mut conn, &email).await?;
            Ok(known
                .ok_or_else(|| {
                    Error::unavailable("a person was deleted while the demo was filled in")
                })?
                .id)
        }
        Err(failure) => Err(broken(&person.email, failure)),
    }
}

fn broken(what: &str, failure: Failure) -> Error {
    match failure {
        Failure::Error(error) => error,
        Failure::Refused(refusals) => Error::internal(format!(
            "the demo's content of {what} is refused: {refusals:?}"
        )),
    }
}

async fn add_items(
    conn: &mut Connection,
    owner: UserId,
    person: &Person,
    start: DateTime<Utc>,
) -> Result<usize, Error> {
    let mut added = 0;
    for (index, course) in person.courses.iter().enumerate() {
        let row = CourseRow {
            id: id_of(&[&person.folder, &course.folder]),
            course,
            created_at: moment(start, 0, index),
        };
        added += store::add_course(conn, owner, &row).await?;
        for note in content::notes(person, course)? {
            added +=
                store::add_document(conn, owner, &document(person, &course.folder, &note, start))
                    .await?;
        }
    }
    for (index, task) in person.tasks.iter().enumerate() {
        added += store::add_task(conn, owner, &task_row(person, index, task, start)).await?;
    }
    Ok(added)
}

fn document<'a>(
    person: &Person,
    course: &str,
    note: &'a Note,
    start: DateTime<Utc>,
) -> DocumentRow<'a> {
    DocumentRow {
        id: id_of(&[&person.folder, course, &note.file]),
        course_id: id_of(&[&person.folder, course]),
        title: &note.title,
        original_text: recognised(&note.markdown),
        formatted_note: &note.markdown,
        excerpt: excerpt::of_note(&note.markdown),
        processing_time: 1.2 + (note.markdown.len() % 37) as f64 / 10.0,
        metadata: serde_json::json!({ "page": note.page, "tags": note.tags, "source": "camera" }),
        created_at: moment(start, note.day, note.markdown.len()),
        deleted_at: note.trashed.map(|day| trashed(start, day, 5)),
    }
}

fn task_row<'a>(
    person: &Person,
    index: usize,
    task: &'a Task,
    start: DateTime<Utc>,
) -> TaskRow<'a> {
    TaskRow {
        id: id_of(&[&person.folder, "tasks", &index.to_string()]),
        course_id: task
            .course
            .as_ref()
            .map(|course| id_of(&[&person.folder, course])),
        task,
        created_at: moment(start, task.created, index),
        due_at: task.due.map(|day| moment(start, day, 3)),
        completed_at: task.completed.map(|day| moment(start, day, index)),
        deleted_at: task.trashed.map(|day| trashed(start, day, index)),
    }
}

/// What a camera and a recogniser make of a page: plain text in lines as long as a notebook is wide.
fn recognised(markdown: &str) -> String {
    const WIDTH: usize = 64;
    let mut page = String::new();
    for line in excerpt::plain_text(markdown).lines() {
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

/// A time on a day of the semester, between 8 and 18 o'clock, a little different from item to item.
fn moment(start: DateTime<Utc>, day: i64, variation: usize) -> DateTime<Utc> {
    let midnight = start
        .date_naive()
        .and_time(chrono::NaiveTime::MIN)
        .and_utc();
    let minutes = i64::try_from(variation * 37 % 600).unwrap_or(0);
    let day = midnight
        .checked_add_days(Days::new(day.unsigned_abs()))
        .unwrap_or(midnight);
    day + TimeDelta::minutes(8 * 60 + minutes)
}

/// When something went to the trash: lately enough that it is not emptied of it at once.
fn trashed(start: DateTime<Utc>, day: i64, variation: usize) -> DateTime<Utc> {
    moment(start, day.max(TODAY - 20), variation)
}

/// A UUID (version 8, RFC 9562) made of where the content stands.
fn id_of(path: &[&str]) -> Uuid {
    let digest = Sha256::digest(path.join("/").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
