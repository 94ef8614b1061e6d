//! Look-ahead: the lists of each course that a query selects, loaded for all courses of a page at once, in one statement a
//! list, before the courses are asked for them.
//!
//! What cannot be seen ahead (a course that is reached by way of a document, say) is loaded by `loaders`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::{course::Course, document::DocumentsArguments, page::Selected, task::TasksArguments};
use crate::{
    auth::Viewer,
    db::{Connection, keyset::Page},
    error::Error,
};

/// Pages that were loaded ahead for the fields that ask for them, by their arguments, each taken once.
pub(crate) struct Ahead<A, R>(Mutex<Vec<(Arc<A>, Page<R>)>>);

impl<A, R> Default for Ahead<A, R> {
    fn default() -> Self {
        Ahead(Mutex::default())
    }
}

impl<A: PartialEq, R> Ahead<A, R> {
    /// The page of these arguments, if it was loaded ahead.
    pub(crate) fn take(&self, arguments: &A) -> Option<Page<R>> {
        let mut pages = self.pages();
        let at = pages.iter().position(|(of, _)| **of == *arguments)?;
        Some(pages.swap_remove(at).1)
    }

    fn put(&self, arguments: &Arc<A>, page: Option<Page<R>>) {
        self.pages()
            .extend(page.map(|page| (arguments.clone(), page)));
    }

    fn pages(&self) -> MutexGuard<'_, Vec<(Arc<A>, Page<R>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lists of each course that a query selects.
pub(crate) struct ChildrenAhead {
    documents: Vec<Arc<DocumentsArguments>>,
    tasks: Vec<Arc<TasksArguments>>,
}

impl ChildrenAhead {
    /// What is selected of the courses of a connection. The same list twice counts once.
    pub(crate) fn of(selected: &Selected<'_>) -> Result<Self, Error> {
        let mut ahead = ChildrenAhead {
            documents: Vec::new(),
            tasks: Vec::new(),
        };
        for field in &selected.fields {
            match field.name() {
                "documents" => push_new(&mut ahead.documents, DocumentsArguments::of_field(field)?),
                "tasks" => push_new(&mut ahead.tasks, TasksArguments::of_field(field)?),
                _ => {}
            }
        }
        Ok(ahead)
    }

    /// Loads these lists for all of the courses.
    pub(crate) async fn load(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
        courses: Vec<&Course>,
    ) -> Result<(), Error> {
        if courses.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = courses.iter().map(|course| course.row.id).collect();
        for arguments in &self.documents {
            let mut pages = arguments.pages(conn, viewer, ids.clone()).await?;
            for course in &courses {
                course
                    .documents
                    .put(arguments, pages.remove(&course.row.id));
            }
        }
        for arguments in &self.tasks {
            let mut pages = arguments.pages(conn, viewer, ids.clone()).await?;
            for course in &courses {
                course.tasks.put(arguments, pages.remove(&course.row.id));
            }
        }
        Ok(())
    }
}

fn push_new<A: PartialEq>(all: &mut Vec<Arc<A>>, new: A) {
    if !all.iter().any(|known| **known == new) {
        all.push(Arc::new(new));
    }
}
