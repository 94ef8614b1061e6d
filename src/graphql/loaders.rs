//! Batches: objects and lists that lookahead cannot see are requested one by one and loaded together.
//!
//! There is one [`Loaders`] per request, so no caller gets what was loaded for another. It caches nothing, because the
//! second field of a mutation must see the changes of the first. A batch waits for the library's default of one
//! millisecond; without a delay, keys that belong together end up in the batches of different threads.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    marker::PhantomData,
    sync::Arc,
};

use async_graphql::{
    Context,
    dataloader::{DataLoader, Loader},
    runtime::TokioTimer,
};
use derive_where::derive_where;
use futures_util::task::{FutureObj, Spawn, SpawnError};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    budget::{LongSize, ResponseBudget},
    connection::{ItemObject, count},
    context::{Caller, Services},
    list::ListArguments,
    user::User,
};
use crate::{
    audit::Audit,
    auth::{Client, Viewer},
    courses,
    db::{Connection, Database, keyset::Page, share},
    documents::{self, LongField, LongValues},
    error::Error,
    images::{self, model::Image},
    items::{
        self, INLINE_BYTES, ItemKind, ItemRef, Listed,
        contents::{self, Counts},
    },
    tags, users,
};

/// An item by its id, without its columns on demand.
#[derive_where(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ItemById<T>(Uuid, PhantomData<fn() -> T>);

impl<T> ItemById<T> {
    pub(crate) fn new(id: Uuid) -> Self {
        ItemById(id, PhantomData)
    }
}

/// Declares keys that are ids: the function loads the values of many ids of the viewer's objects.
macro_rules! keys_by_id {
    ($($(#[$doc:meta])* $Key:ident => $Value:ty = $load:path;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) struct $Key(pub(crate) Uuid);

        impl Loader<$Key> for BatchLoader {
            type Value = $Value;
            type Error = Error;

            async fn load(&self, keys: &[$Key]) -> Result<HashMap<$Key, $Value>, Error> {
                let (mut conn, viewer) = self.reading_connection().await?;
                let ids = keys.iter().map(|key| key.0).collect();
                let found = $load(&mut conn, viewer, ids).await?;
                Ok(found.into_iter().map(|(id, value)| ($Key(id), value)).collect())
            }
        }
    )+};
}

keys_by_id! {
    /// How many items are in a course.
    CountsOfCourse => Counts = contents::counts::<courses::Course>;
    /// How many items have a tag.
    CountsOfTag => Counts = contents::counts::<tags::Tag>;
    /// The active tags of a document or a task.
    TagsOfItem => Vec<tags::Tag> = tags::of_items;
    /// The image of a document.
    ImageOfDocument => Image = images::of_documents;
}

/// The kind of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KindOfItem(pub(crate) Uuid);

/// A page of the items in a course or with a tag.
#[derive_where(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PageIn<T: Listed> {
    pub(crate) container: ItemRef,
    pub(crate) arguments: Arc<ListArguments<T>>,
}

/// A long value of a document. That of metadata is JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LongValue {
    pub(crate) document: Uuid,
    pub(crate) field: LongField,
}

/// The viewer's own user, who owns all items that the viewer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ViewersUser;

/// The loaders of one request.
pub(crate) struct Loaders {
    batches: DataLoader<BatchLoader>,
}

impl Loaders {
    pub(crate) fn new(services: Services, caller: Caller, budget: ResponseBudget) -> Self {
        let batches = BatchLoader {
            services,
            caller,
            budget,
        };
        Loaders {
            batches: DataLoader::new(batches, RequestTasks::default(), TokioTimer::default()),
        }
    }

    pub(crate) fn of<'a>(ctx: &Context<'a>) -> &'a Loaders {
        ctx.data_unchecked::<Loaders>()
    }

    /// Loads a value that exists.
    ///
    /// # Errors
    /// UNAVAILABLE if it was deleted between two statements of this request.
    pub(crate) async fn get<K>(&self, key: K) -> Result<<BatchLoader as Loader<K>>::Value, Error>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        BatchLoader: Loader<K, Error = Error>,
    {
        let found = self.find(key).await?;
        found.ok_or_else(|| Error::unavailable("an object was deleted while it was read"))
    }

    /// Loads an item that exists.
    ///
    /// # Errors
    /// UNAVAILABLE if it was deleted between two statements of this request.
    pub(crate) async fn get_item<N: ItemObject>(&self, id: Uuid) -> Result<N, Error> {
        Ok(N::from(self.get(ItemById::<N::Row>::new(id)).await?))
    }

    /// Loads an item that may exist.
    pub(crate) async fn find_item<N: ItemObject>(&self, id: Uuid) -> Result<Option<N>, Error> {
        let row = self.find(ItemById::<N::Row>::new(id)).await?;
        Ok(row.map(N::from))
    }

    /// The number of items in a container. `counted`: the number, if the container's list has counted.
    pub(crate) async fn count<K>(
        &self,
        key: K,
        counted: Option<i64>,
        of: impl FnOnce(Counts) -> i64,
    ) -> Result<i32, Error>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        BatchLoader: Loader<K, Value = Counts, Error = Error>,
    {
        let number = match counted {
            Some(number) => number,
            None => of(self.get(key).await?),
        };
        Ok(count(number))
    }

    /// Loads a value that may exist.
    pub(crate) async fn find<K>(
        &self,
        key: K,
    ) -> Result<Option<<BatchLoader as Loader<K>>::Value>, Error>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        BatchLoader: Loader<K, Error = Error>,
    {
        self.batches.load_one(key).await
    }
}

/// The tasks of one request or subscription. They end with it: if it exceeds its deadline, a running batch is dropped
/// and its statement canceled. Finished tasks are removed, since a subscription keeps starting new ones.
#[derive(Default)]
struct RequestTasks {
    tasks: Mutex<JoinSet<()>>,
}

impl Spawn for RequestTasks {
    fn spawn_obj(&self, batch: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        let span = tracing::trace_span!("graphql.loader");
        tasks.spawn(share::inherited(batch).instrument(span));
        Ok(())
    }
}

/// Loads batches of keys.
pub(crate) struct BatchLoader {
    services: Services,
    caller: Caller,
    budget: ResponseBudget,
}

impl BatchLoader {
    /// A connection for reading items, and the viewer.
    ///
    /// # Errors
    /// UNAUTHENTICATED for an anonymous caller.
    async fn reading_connection(&self) -> Result<(Connection, &Viewer), Error> {
        let viewer = self.caller.viewer()?;
        Ok((self.services.reads.connection().await?, viewer))
    }

    /// A connection, and the viewer.
    ///
    /// # Errors
    /// UNAUTHENTICATED for an anonymous caller.
    pub(super) async fn viewer_connection(&self) -> Result<(Connection, &Viewer), Error> {
        let viewer = self.caller.viewer()?;
        Ok((self.services.database.connection().await?, viewer))
    }

    /// Where items are read, for look-ups by key, and the viewer.
    ///
    /// # Errors
    /// UNAUTHENTICATED for an anonymous caller.
    fn reads(&self) -> Result<(&Database, &Viewer), Error> {
        Ok((&self.services.reads, self.caller.viewer()?))
    }

    /// The signed-in user, if there is one.
    pub(super) fn user(&self) -> Option<&Viewer> {
        self.caller.user()
    }

    pub(super) async fn connection(&self) -> Result<Connection, Error> {
        self.services.database.connection().await
    }

    async fn long_values(
        &self,
        wanted: &[(Uuid, LongField)],
        max: i64,
    ) -> Result<LongValues, Error> {
        let (mut conn, viewer) = self.reading_connection().await?;
        documents::long_values(&mut conn, viewer, wanted, max).await
    }

    /// The client that sent the request.
    pub(super) fn client(&self) -> &Client {
        &self.caller.client
    }

    pub(super) fn audit(&self) -> Audit {
        self.services.audit
    }
}

impl Loader<KindOfItem> for BatchLoader {
    type Value = ItemKind;
    type Error = Error;

    async fn load(&self, keys: &[KindOfItem]) -> Result<HashMap<KindOfItem, ItemKind>, Error> {
        let (database, viewer) = self.reads()?;
        let ids = keys.iter().map(|key| key.0).collect();
        let found = items::find_kinds(database, viewer, ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, kind)| (KindOfItem(id), kind))
            .collect())
    }
}

impl<T: items::Item> Loader<ItemById<T>> for BatchLoader {
    type Value = T;
    type Error = Error;

    async fn load(&self, keys: &[ItemById<T>]) -> Result<HashMap<ItemById<T>, T>, Error> {
        let (database, viewer) = self.reads()?;
        let ids = keys.iter().map(|key| key.0).collect();
        let found: Vec<T> = items::find_all(database, viewer, ids).await?;
        Ok(found
            .into_iter()
            .map(|item| (ItemById::new(item.id()), item))
            .collect())
    }
}

impl<T: Listed> Loader<PageIn<T>> for BatchLoader {
    type Value = Page<T>;
    type Error = Error;

    async fn load(&self, keys: &[PageIn<T>]) -> Result<HashMap<PageIn<T>, Page<T>>, Error> {
        let (mut conn, viewer) = self.reading_connection().await?;
        let mut loaded = HashMap::with_capacity(keys.len());
        let lists: HashSet<_> = keys
            .iter()
            .map(|key| (key.container.kind, &key.arguments))
            .collect();
        for (kind, arguments) in lists {
            let is_of_list =
                |key: &&PageIn<T>| key.container.kind == kind && key.arguments == *arguments;
            let keys = keys.iter().filter(is_of_list);
            let containers = keys.map(|key| key.container.id).collect();
            let pages = arguments.pages_in(&mut conn, viewer, (kind, containers));
            loaded.extend(pages.await?.into_iter().map(|(id, page)| {
                let (container, arguments) = (ItemRef { kind, id }, arguments.clone());
                (
                    PageIn {
                        container,
                        arguments,
                    },
                    page,
                )
            }));
        }
        Ok(loaded)
    }
}

/// Values that are short together take one statement. The size of longer ones counts against the budget of the response before they are
/// loaded.
impl Loader<LongValue> for BatchLoader {
    type Value = Arc<String>;
    type Error = Error;

    async fn load(&self, keys: &[LongValue]) -> Result<HashMap<LongValue, Arc<String>>, Error> {
        let wanted: Vec<(Uuid, LongField)> =
            keys.iter().map(|key| (key.document, key.field)).collect();
        let short = self.long_values(&wanted, INLINE_BYTES).await?;
        let size = LongSize {
            fields: LongField::names(&wanted),
            objects: short.documents,
            bytes: u64::try_from(short.bytes).unwrap_or_default(),
        };
        self.budget.load(&size).await?;
        let values = match short.values {
            Some(values) => values,
            None => {
                let long = self.long_values(&wanted, short.bytes).await?.values;
                let changed = || Error::unavailable("values became longer while they were read");
                long.ok_or_else(changed)?
            }
        };
        let of_key = |((document, field), value)| (LongValue { document, field }, Arc::new(value));
        Ok(values.into_iter().map(of_key).collect())
    }
}

impl Loader<ViewersUser> for BatchLoader {
    type Value = User;
    type Error = Error;

    async fn load(&self, _: &[ViewersUser]) -> Result<HashMap<ViewersUser, User>, Error> {
        let viewer = self.caller.viewer()?;
        let user = users::find(&self.services.database, viewer.user_id).await?;
        Ok(user
            .into_iter()
            .map(|user| (ViewersUser, User::from(user)))
            .collect())
    }
}
