//! Lookahead: the lists that a query selects in the courses or tags of a page are loaded before these are resolved. One statement
//! loads one list for all of them.
//!
//! Lookahead does not cover other paths, for example a course that is reached through a document. `loaders` covers these.

use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use super::{
    connection::ItemObject,
    list::ListArguments,
    selection::{FieldArguments, Selected},
};
use crate::{
    auth::Viewer,
    db::{
        Connection,
        keyset::{Keyed as _, Page},
    },
    documents::Document,
    error::Error,
    items::{Item as _, Listed},
    tasks::Task,
};

/// Pages of the items in a course or with a tag that were loaded before the fields that select them are resolved. Each is taken once.
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

/// The lists of a course or a tag that lookahead has loaded.
#[derive(Default)]
pub(crate) struct Lists {
    pub(super) documents: Preloaded<Document>,
    pub(super) tasks: Preloaded<Task>,
}

/// The lists that a query selects in each course or tag.
pub(crate) struct Lookahead {
    documents: Vec<Arc<ListArguments<Document>>>,
    tasks: Vec<Arc<ListArguments<Task>>>,
}

impl Lookahead {
    /// The lists that are selected in the nodes of a connection.
    pub(crate) fn of(selected: &Selected<'_>) -> Result<Self, Error> {
        Ok(Lookahead {
            documents: lists(selected, "documents")?,
            tasks: lists(selected, "tasks")?,
        })
    }

    /// Loads these lists for all of the nodes. `of`: where the lists of a node are.
    pub(crate) async fn load<N: ItemObject>(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
        nodes: &[&N],
        of: impl Fn(&N) -> &Lists,
    ) -> Result<(), Error> {
        load(conn, viewer, &self.documents, nodes, |it| &of(it).documents).await?;
        load(conn, viewer, &self.tasks, nodes, |it| &of(it).tasks).await
    }
}

/// The lists under fields with that name, without duplicates.
fn lists<T: Listed>(
    selected: &Selected<'_>,
    name: &str,
) -> Result<Vec<Arc<ListArguments<T>>>, Error> {
    let mut lists: Vec<Arc<ListArguments<T>>> = Vec::new();
    for field in selected.fields.iter().filter(|field| field.name() == name) {
        let of_list = Selected::of_connection(Some(*field));
        let arguments = FieldArguments::of(field)?;
        let list = ListArguments::of_field(arguments, |it| of_list.has(it), of_list.total)?;
        if !lists.iter().any(|known| **known == list) {
            lists.push(Arc::new(list));
        }
    }
    Ok(lists)
}

async fn load<N: ItemObject, T: Listed>(
    conn: &mut Connection,
    viewer: &Viewer,
    lists: &[Arc<ListArguments<T>>],
    nodes: &[&N],
    of: impl Fn(&N) -> &Preloaded<T>,
) -> Result<(), Error> {
    if nodes.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = nodes.iter().map(|node| node.row().id()).collect();
    for list in lists {
        let containers = (N::Row::KIND, ids.clone());
        let mut pages = list.pages_in(conn, viewer, containers).await?;
        for node in nodes {
            let page = pages.remove(&node.row().id());
            of(node)
                .0
                .lock()
                .extend(page.map(|page| (list.clone(), page)));
        }
    }
    Ok(())
}
