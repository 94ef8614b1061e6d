//! The demo's content in `demo/`: `person.json` and a folder of notes for each course.

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::{error::Error, tasks::TaskPriority, users::UpdateProfileInput};

static CONTENT: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/demo");

#[derive(Deserialize)]
pub(super) struct User {
    /// The folder's name.
    #[serde(skip)]
    pub(super) folder: String,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) profile: UpdateProfileInput,
    pub(super) courses: Vec<Course>,
    pub(super) tags: Vec<Tag>,
    pub(super) tasks: Vec<Task>,
}

#[derive(Deserialize)]
pub(super) struct Course {
    pub(super) folder: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) color: String,
    pub(super) icon: String,
}

#[derive(Deserialize)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) color: String,
}

/// Times are days of the semester.
#[derive(Deserialize)]
pub(super) struct Task {
    pub(super) title: String,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) course: Option<String>,
    priority: String,
    pub(super) created: i64,
    pub(super) due: Option<i64>,
    pub(super) completed: Option<i64>,
    pub(super) trashed: Option<i64>,
}

impl Task {
    pub(super) fn priority(&self) -> TaskPriority {
        match self.priority.as_str() {
            "LOW" => TaskPriority::Low,
            "HIGH" => TaskPriority::High,
            _ => TaskPriority::Normal,
        }
    }
}

/// A lecture note: lines of `name: value`, a line `---`, and the Markdown.
#[derive(Default)]
pub(super) struct Note {
    /// The file's name without its extension.
    pub(super) file: String,
    pub(super) title: String,
    pub(super) day: i64,
    pub(super) trashed: Option<i64>,
    /// Names of tags, in any case, and keywords that are not tags of the user.
    pub(super) keywords: Vec<String>,
    pub(super) page: i64,
    pub(super) markdown: String,
}

/// All users, in the order of their folders.
pub(super) fn users() -> Result<Vec<User>, Error> {
    let mut folders: Vec<&Dir<'_>> = CONTENT.dirs().collect();
    folders.sort_by_key(|folder| folder.path());
    folders.into_iter().map(user).collect()
}

fn user(folder: &Dir<'_>) -> Result<User, Error> {
    let path = folder.path().join("person.json");
    let file = folder
        .get_file(&path)
        .ok_or_else(|| Error::internal(format!("the demo has no {}", path.display())))?;
    let mut user: User = serde_json::from_slice(file.contents())
        .map_err(|error| Error::internal(format!("the demo's {}: {error}", path.display())))?;
    user.folder = folder.path().display().to_string();
    Ok(user)
}

/// The notes of a course, oldest first.
pub(super) fn notes(user: &User, course: &Course) -> Result<Vec<Note>, Error> {
    let path = format!("{}/{}", user.folder, course.folder);
    let folder = CONTENT
        .get_dir(&path)
        .ok_or_else(|| Error::internal(format!("the demo has no {path}")))?;
    let mut files: Vec<_> = folder.files().collect();
    files.sort_by_key(|file| file.path());
    files.into_iter().map(note).collect()
}

fn note(file: &include_dir::File<'_>) -> Result<Note, Error> {
    let wrong =
        |what: &str| Error::internal(format!("the demo's {}: {what}", file.path().display()));
    let text = file.contents_utf8().ok_or_else(|| wrong("is not UTF-8"))?;
    let (head, markdown) = text
        .split_once("\n---\n")
        .ok_or_else(|| wrong("has no line ---"))?;
    let name = file.path().file_stem().unwrap_or_default();
    let mut note = Note {
        file: name.to_string_lossy().into_owned(),
        markdown: markdown.trim().to_owned(),
        ..Note::default()
    };
    let number = |value: &str| value.parse().map_err(|_| wrong("has an invalid number"));
    for line in head.lines() {
        let (name, value) = line
            .split_once(": ")
            .ok_or_else(|| wrong("has a header line that is not name: value"))?;
        match name {
            "title" => note.title = value.to_owned(),
            "day" => note.day = number(value)?,
            "trashed" => note.trashed = Some(number(value)?),
            "page" => note.page = number(value)?,
            "keywords" => note.keywords = value.split(", ").map(str::to_owned).collect(),
            _ => return Err(wrong("has a header line with an unknown name")),
        }
    }
    Ok(note)
}
