//! Loads the rows of a plan: one statement for each list, set and level, whatever the number of rows above it.

use std::{collections::HashMap, ops::Range};

use async_graphql::Variables;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use uuid::Uuid;

use super::{
    fields::ObjectType,
    model::{Child, List, Nodes, Plan, Root, Rows, Set},
};
use crate::{
    auth::Viewer,
    courses::Course,
    db::{
        Database, keyset,
        raw::{RawReads, RawRow},
    },
    documents::Document,
    graphql::list::ListArguments,
    items::{self, ItemKind, Listed, raw::store as raw},
    scalars::ObjectId,
    tags::{self, Tag},
    tasks::Task,
    users,
};

/// The rows of one set, and what was loaded for them.
pub(super) struct Loaded {
    pub(super) rows: Vec<RawRow>,
    /// The column of the id, from which a plan counts columns.
    pub(super) id_column: usize,
    /// In the order of [`Rows::children`].
    pub(super) children: Vec<LoadedChild>,
}

impl Loaded {
    /// The id of a row.
    pub(super) fn id(&self, row: usize) -> Option<Uuid> {
        self.rows.get(row)?.uuid(self.id_column)
    }

    /// A column of a row, counted from the id. `None` is NULL.
    pub(super) fn column(&self, row: usize, column: usize) -> Option<&[u8]> {
        self.rows.get(row)?.column(self.id_column + column)
    }

    /// The ids of the rows, each once: items can have the same tag.
    fn ids(&self) -> Option<Vec<Uuid>> {
        let ids: Vec<Uuid> = (0..self.rows.len())
            .map(|row| self.id(row))
            .collect::<Option<_>>()?;
        Some(items::each_once(ids).map(|(_, id)| id).collect())
    }

    fn by_id(&self) -> Option<HashMap<Uuid, usize>> {
        (0..self.rows.len())
            .map(|row| Some((self.id(row)?, row)))
            .collect()
    }
}

/// What was loaded for all rows of a set.
pub(super) enum LoadedChild {
    Pages(LoadedList),
    /// The rows of each id of the set.
    Many(Loaded, HashMap<Uuid, Vec<usize>>),
    /// The row with each id.
    One(Loaded, HashMap<Uuid, usize>),
    /// The only row.
    Owner(Loaded),
}

/// The pages of a list.
pub(super) struct LoadedList {
    pub(super) loaded: Loaded,
    /// By the course or tag whose items they contain.
    pub(super) pages: HashMap<Option<Uuid>, LoadedPage>,
    pub(super) cursors: Cursors,
}

/// The cursor of a row with this id, whose keys begin in a column.
type Cursors = Box<dyn Fn(&RawRow, Uuid, usize) -> Option<String> + Send + Sync>;

pub(super) struct LoadedPage {
    pub(super) rows: Range<usize>,
    pub(super) total: Option<i64>,
    pub(super) has_next: bool,
    pub(super) has_previous: bool,
}

/// What was loaded for a field of the query.
pub(super) enum LoadedRoot {
    Nothing,
    /// At most one row.
    Set(Loaded),
    List(LoadedList),
    Nodes {
        /// In the order of [`Nodes::sets`].
        sets: Vec<Loaded>,
        /// The set and the row of each object.
        found: Vec<(usize, usize)>,
    },
}

/// Loads what a plan reads for one request. `None` if the library must execute the request.
pub(super) struct Loader<'a> {
    /// Where items are read.
    pub(super) database: &'a Database,
    pub(super) reads: RawReads<'a>,
    /// Where the viewer's user is read.
    pub(super) user_reads: RawReads<'a>,
    pub(super) viewer: &'a Viewer,
    pub(super) variables: &'a Variables,
}

impl Loader<'_> {
    pub(super) async fn plan(&self, plan: &Plan) -> Option<Vec<LoadedRoot>> {
        let roots = plan.fields.iter().map(|(_, root)| self.root(root));
        join_all(roots).await.into_iter().collect()
    }

    async fn root(&self, root: &Root) -> Option<LoadedRoot> {
        Some(match root {
            Root::Constant(_) => LoadedRoot::Nothing,
            Root::Me(set) => {
                let loaded = self.viewers_user(set).await?;
                LoadedRoot::Set(Some(loaded).filter(|it| !it.rows.is_empty())?)
            }
            Root::Item(arguments, set) => {
                let id: ObjectId = arguments.with(self.variables).take("id").ok()??;
                LoadedRoot::Set(self.set(set, vec![id.0]).await?)
            }
            Root::List(list) => LoadedRoot::List(self.list(list, None).await?),
            Root::Node(nodes) => {
                let id: ObjectId = nodes.arguments.with(self.variables).take("id").ok()??;
                self.nodes(nodes, vec![id]).await?
            }
            Root::Nodes(nodes) => {
                let ids = nodes.arguments.with(self.variables).take("ids").ok()??;
                self.nodes(nodes, ids).await?
            }
        })
    }

    async fn viewers_user(&self, set: &Set) -> Option<Loaded> {
        let (reads, columns) = (&self.user_reads, &set.rows.columns);
        let rows = users::raw_by_id(reads, self.viewer.user_id, columns).await?;
        self.loaded(&set.rows, rows, users::RAW_ID).await
    }

    /// The items of a set with these ids.
    async fn set(&self, set: &Set, ids: Vec<Uuid>) -> Option<Loaded> {
        let (reads, viewer, columns) = (&self.reads, self.viewer, &set.rows.columns);
        let rows = match set.rows.ty {
            _ if ids.is_empty() => Some(Vec::new()),
            ObjectType::User => return self.viewers_user(set).await,
            ObjectType::Item(kind) => match kind {
                ItemKind::Course => raw::by_id::<Course>(reads, viewer, ids, columns).await,
                ItemKind::Document => raw::by_id::<Document>(reads, viewer, ids, columns).await,
                ItemKind::Task => raw::by_id::<Task>(reads, viewer, ids, columns).await,
                ItemKind::Tag => raw::by_id::<Tag>(reads, viewer, ids, columns).await,
            },
        };
        self.loaded(&set.rows, rows?, raw::ID).await
    }

    /// The objects with these ids. `None` if there is no item with one of them, since that may be the id of a session.
    async fn nodes(&self, nodes: &Nodes, ids: Vec<ObjectId>) -> Option<LoadedRoot> {
        if ids.len() > crate::graphql::node::MAX_NODES {
            return None;
        }
        let viewer = self.viewer.user_id.0;
        let different: Vec<Uuid> = items::each_once(ids.iter().map(|id| id.0))
            .map(|(_, id)| id)
            .collect();
        let kinds = match different.is_empty() {
            true => HashMap::new(),
            false => {
                let kinds = items::find_kinds(self.database, self.viewer, different.clone());
                kinds.await.ok()?
            }
        };
        let type_of = |id: &Uuid| match *id == viewer {
            true => Some(ObjectType::User),
            false => kinds.get(id).copied().map(ObjectType::Item),
        };
        let sets = nodes.sets.iter().map(|set| {
            let ids = different
                .iter()
                .filter(|id| type_of(id) == Some(set.rows.ty));
            self.set(set, ids.copied().collect())
        });
        let sets: Vec<Loaded> = join_all(sets).await.into_iter().collect::<Option<_>>()?;
        let mut places = HashMap::new();
        for (at, set) in sets.iter().enumerate() {
            places.extend(set.by_id()?.into_iter().map(|(id, row)| (id, (at, row))));
        }
        let found = ids.iter().map(|id| places.get(&id.0).copied());
        Some(LoadedRoot::Nodes {
            found: found.collect::<Option<_>>()?,
            sets,
        })
    }

    async fn list(
        &self,
        list: &List,
        containers: Option<(ItemKind, &[Uuid])>,
    ) -> Option<LoadedList> {
        match list.kind {
            ItemKind::Course => self.list_of::<Course>(list, containers).await,
            ItemKind::Document => self.list_of::<Document>(list, containers).await,
            ItemKind::Task => self.list_of::<Task>(list, containers).await,
            ItemKind::Tag => self.list_of::<Tag>(list, containers).await,
        }
    }

    async fn list_of<T: Listed>(
        &self,
        list: &List,
        containers: Option<(ItemKind, &[Uuid])>,
    ) -> Option<LoadedList> {
        let arguments = list.arguments.with(self.variables);
        // The columns are selected when the pages are read.
        let wanted = list.wanted();
        let arguments = ListArguments::<T>::of_field(arguments, |_| false, wanted.total).ok()?;
        let columns = &list.rows.columns;
        let raw_pages = match containers {
            Some((_, [])) => HashMap::new(),
            _ => {
                arguments
                    .raw_pages(&self.reads, self.viewer, containers, wanted, columns)
                    .await?
            }
        };
        let (mut rows, mut pages) = (Vec::new(), HashMap::with_capacity(raw_pages.len()));
        for (container, page) in raw_pages {
            let start = rows.len();
            rows.extend(page.items);
            let page = LoadedPage {
                rows: start..rows.len(),
                total: page.total,
                has_next: page.has_next,
                has_previous: page.has_previous,
            };
            pages.insert(container, page);
        }
        let order = arguments.list.order();
        Some(LoadedList {
            loaded: self.loaded(&list.rows, rows, keyset::raw::ID).await?,
            pages,
            cursors: Box::new(move |row, id, first_key| order.raw_cursor(row, id, first_key)),
        })
    }

    /// Loads the children of rows.
    fn loaded<'s>(
        &'s self,
        plan: &'s Rows,
        rows: Vec<RawRow>,
        id_column: usize,
    ) -> BoxFuture<'s, Option<Loaded>> {
        async move {
            let mut loaded = Loaded {
                rows,
                id_column,
                children: Vec::new(),
            };
            let children = plan.children.iter();
            let children = children.map(|child| self.child(child, plan.ty, &loaded));
            let children: Option<Vec<LoadedChild>> = join_all(children).await.into_iter().collect();
            loaded.children = children?;
            Some(loaded)
        }
        .boxed()
    }

    async fn child(
        &self,
        child: &Child,
        parent: ObjectType,
        parents: &Loaded,
    ) -> Option<LoadedChild> {
        match child {
            Child::List(list) => {
                let ObjectType::Item(container) = parent else {
                    return None;
                };
                let ids = parents.ids()?;
                let pages = self.list(list, Some((container, &ids))).await?;
                Some(LoadedChild::Pages(pages))
            }
            Child::Tags(set) => self.tags(set, parents.ids()?).await,
            Child::Course { id, set } | Child::TrashedWith { id, set, .. } => {
                let rows = 0..parents.rows.len();
                let ids = rows.filter_map(|row| Uuid::from_slice(parents.column(row, *id)?).ok());
                let ids = items::each_once(ids).map(|(_, id)| id).collect();
                let courses = self.set(set, ids).await?;
                let by_id = courses.by_id()?;
                Some(LoadedChild::One(courses, by_id))
            }
            Child::Owner(set) => {
                let user = self.viewers_user(set).await?;
                Some(LoadedChild::Owner(
                    Some(user).filter(|it| !it.rows.is_empty())?,
                ))
            }
        }
    }

    async fn tags(&self, set: &Set, items: Vec<Uuid>) -> Option<LoadedChild> {
        let rows = match items.is_empty() {
            true => Vec::new(),
            false => tags::raw_of_items(&self.reads, self.viewer, items, &set.rows.columns).await?,
        };
        let mut of_items: HashMap<Uuid, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            of_items
                .entry(row.uuid(tags::RAW_ITEM)?)
                .or_default()
                .push(at);
        }
        let loaded = self.loaded(&set.rows, rows, tags::RAW_ID).await?;
        Some(LoadedChild::Many(loaded, of_items))
    }
}
