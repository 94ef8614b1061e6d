//! Lookahead: the lists that a query selects in the courses of a page are loaded before the courses are resolved. One statement
//! loads one list for all of these courses.
//!
//! Lookahead does not cover other paths, for example a course that is reached through a document. `loaders` covers these.

use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use super::{course::Course, list::ListArguments, selection::Selected};
use crate::{
    auth::Viewer,
    db::{Connection, keyset::Page},
    documents::Document,
    error::Error,
    items::Listed,
    tasks::Task,
};

/// Pages of a course's items that were loaded before the fields that select them are resolved. Each is taken once.
pub(crate) struct Preloaded<T: Listed>(Mutex<Pages<T>>);

/// Pages by the arguments that selected them.
type Pages<T> = Vec<(Arc<ListArguments<T>>, Page<T>)>;

impl<T: Listed> Default for Preloaded<T> {
    fn default() -> Self {
        Preloaded(Mutex::default())
    }
}

impl<T: Listed> Preloaded<T> {
    /// The page with these arguments, if it was preloaded.
    pub(crate) fn take(&self, arguments: &ListArguments<T>) -> Option<Page<T>> {
        let mut pages = self.0.lock();
        let at = pages.iter().position(|(of, _)| **of == *arguments)?;
        Some(pages.swap_remove(at).1)
    }
}

/// The lists that a query selects in each course.
pub(crate) struct Lookahead {
    documents: Vec<Arc<ListArguments<Document>>>,
    tasks: Vec<Arc<ListArguments<Task>>>,
}

impl Lookahead {
    /// The lists that are selected in the courses of a connection.
    pub(crate) fn of(selected: &Selected<'_>) -> Result<Self, Error> {
        Ok(Lookahead {
            documents: lists(selected, "documents")?,
            tasks: lists(selected, "tasks")?,
        })
    }

    /// Loads these lists for all of the courses.
    pub(crate) async fn load(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
        courses: &[&Course],
    ) -> Result<(), Error> {
        load(conn, viewer, &self.documents, courses, |it| &it.documents).await?;
        load(conn, viewer, &self.tasks, courses, |it| &it.tasks).await
    }
}

/// The lists under fields with that name, without duplicates.
fn lists<T: Listed>(
    selected: &Selected<'_>,
    name: &str,
) -> Result<Vec<Arc<ListArguments<T>>>, Error> {
    let mut lists: Vec<Arc<ListArguments<T>>> = Vec::new();
    for field in selected.fields.iter().filter(|field| field.name() == name) {
        let list = ListArguments::of_field(field)?;
        if !lists.iter().any(|known| **known == list) {
            lists.push(Arc::new(list));
        }
    }
    Ok(lists)
}

async fn load<T: Listed>(
    conn: &mut Connection,
    viewer: &Viewer,
    lists: &[Arc<ListArguments<T>>],
    courses: &[&Course],
    of: impl Fn(&Course) -> &Preloaded<T>,
) -> Result<(), Error> {
    if courses.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = courses.iter().map(|course| course.row.id).collect();
    for list in lists {
        let mut pages = list.pages_of_courses(conn, viewer, ids.clone()).await?;
        for course in courses {
            let page = pages.remove(&course.row.id);
            of(course)
                .0
                .lock()
                .extend(page.map(|page| (list.clone(), page)));
        }
    }
    Ok(())
}
