//! Courses: they contain documents and tasks.
//!
//! The rules are here, the columns and inputs in [`model`], all the SQL in `store`.

pub mod model;
mod store;

pub(crate) use model::CourseCounts;
pub use model::{
    Course, CourseFilter, CourseOrder, CourseOrderField, CreateCourseInput, UpdateCourseInput,
};
pub(crate) use store::counts;

use crate::{
    auth::{UserId, Viewer},
    db::{Connection, Statement},
    error::{Error, RefusalCode},
    items::{self, NewId, Written},
    rules::Problems,
};

const MAX_NAME: usize = 255;
const MAX_DESCRIPTION: usize = 10_000;
const MAX_ICON: usize = 50;

impl items::Create for CreateCourseInput {
    type Item = Course;

    fn check(&self, problems: &mut Problems) {
        problems.text("name", &self.name, MAX_NAME);
        problems.optional_text("description", self.description.as_ref(), MAX_DESCRIPTION);
        check_color(problems, self.color.as_deref());
        problems.optional_text("icon", self.icon.as_ref(), MAX_ICON);
    }

    fn insert(&self, owner: UserId, id: NewId) -> Statement<Written<Course>> {
        store::insert(owner, id, self)
    }
}

impl items::Update for UpdateCourseInput {
    type Item = Course;

    fn check(&self, problems: &mut Problems) {
        problems.changed_text("name", &self.name, MAX_NAME);
        problems.optional_text("description", self.description.value(), MAX_DESCRIPTION);
        check_color(problems, self.color.value().map(String::as_str));
        problems.optional_text("icon", self.icon.value(), MAX_ICON);
    }

    async fn update(
        &self,
        _conn: &mut Connection,
        viewer: &Viewer,
    ) -> Result<Statement<Written<Course>>, Error> {
        Ok(store::update(viewer.user_id, self))
    }
}

fn check_color(problems: &mut Problems, color: Option<&str>) {
    let Some(color) = color else { return };
    let digits = color.strip_prefix('#').unwrap_or_default();
    if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        problems.add(
            "color",
            RefusalCode::Invalid,
            "`color` must have the form `#RRGGBB`.",
        );
    }
}
