//! Batches: objects and lists that lookahead cannot see are requested one by one and loaded together.
//!
//! There is one [`Loaders`] per request, so no caller gets what was loaded for another. It caches nothing: the second field of a
//! mutation must see the changes of the first. The delay of a batch is the library's millisecond; with none, batches split
//! up among threads.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_graphql::{
    Context,
    dataloader::{DataLoader, Loader},
    runtime::TokioTimer,
};
use derive_where::derive_where;
use futures_util::{
    FutureExt,
    task::{FutureObj, Spawn, SpawnError},
};
use tokio::{task::JoinSet, time::timeout};
use uuid::Uuid;

use super::{
    context::{Asker, Services},
    page::{ItemObject, ListArguments},
    user::User,
};
use crate::{
    audit::Audit,
    auth::{Client, Viewer},
    courses::{self, CourseCounts},
    db::{Connection, keyset::Page},
    documents::{self, DocumentTexts},
    error::Error,
    images::{self, model::Image},
    items::{self, ItemKind, Listed},
    users,
};

/// An item by its id, without its columns on demand.
#[derive_where(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ItemById<T>(Uuid, PhantomData<fn() -> T>);

impl<T> ItemById<T> {
    pub(crate) fn new(id: Uuid) -> Self {
        ItemById(id, PhantomData)
    }
}

/// The kind of an item, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KindOfItem(pub(crate) Uuid);

/// How many items are in a course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CountsOfCourse(pub(crate) Uuid);

/// The long texts of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TextsOfDocument(pub(crate) Uuid);

/// The picture of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ImageOfDocument(pub(crate) Uuid);

/// A page of the items of a course.
#[derive_where(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PageOfCourse<T: Listed> {
    pub(crate) course: Uuid,
    pub(crate) arguments: Arc<ListArguments<T>>,
}

/// The viewer's own user: the owner of all items that they see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ViewersUser;

/// How much longer than the event that waits for it a batch may take: whoever still waits must not lose it.
const BEHIND_ITS_EVENT: Duration = Duration::from_secs(1);

/// Loads for one request.
pub(crate) struct Loaders {
    batches: DataLoader<Batches>,
}

impl Loaders {
    pub(crate) fn new(services: Services, asker: Asker) -> Self {
        Loaders::by(RequestTasks::default(), services, asker)
    }

    /// For the events of a subscription, which loads for as long as somebody listens. A batch is given up a little after the
    /// event that asked for it, at that limit.
    pub(crate) fn for_events(services: Services, asker: Asker, limit: Duration) -> Self {
        let tasks = RequestTasks {
            limit: Some(limit + BEHIND_ITS_EVENT),
            ..Default::default()
        };
        Loaders::by(tasks, services, asker)
    }

    fn by(tasks: RequestTasks, services: Services, asker: Asker) -> Self {
        let batches = Batches { services, asker };
        Loaders {
            batches: DataLoader::new(batches, tasks, TokioTimer::default()),
        }
    }

    pub(crate) fn of<'a>(ctx: &Context<'a>) -> &'a Loaders {
        ctx.data_unchecked::<Loaders>()
    }

    /// Loads what must be there.
    ///
    /// # Errors
    /// UNAVAILABLE if it went away between two statements of this request.
    pub(crate) async fn one<K>(&self, key: K) -> Result<<Batches as Loader<K>>::Value, Error>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Batches: Loader<K, Error = Error>,
    {
        let found = self.maybe(key).await?;
        found.ok_or_else(|| Error::unavailable("an object was deleted while it was read"))
    }

    /// Loads an item that exists.
    ///
    /// # Errors
    /// UNAVAILABLE if it was deleted between two statements of this request.
    pub(crate) async fn item<N: ItemObject>(&self, id: Uuid) -> Result<N, Error> {
        Ok(N::from(self.one(ItemById::<N::Row>::new(id)).await?))
    }

    /// Loads an item that may exist.
    pub(crate) async fn maybe_item<N: ItemObject>(&self, id: Uuid) -> Result<Option<N>, Error> {
        let row = self.maybe(ItemById::<N::Row>::new(id)).await?;
        Ok(row.map(N::from))
    }

    /// Loads what may be there.
    pub(crate) async fn maybe<K>(
        &self,
        key: K,
    ) -> Result<Option<<Batches as Loader<K>>::Value>, Error>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Batches: Loader<K, Error = Error>,
    {
        self.batches.load_one(key).await
    }
}

/// The tasks of one request. They end with it: a batch that is under way when the request passes its deadline is given up,
/// and its statement is cancelled. Those that have ended are let go of: a subscription has ever new ones.
#[derive(Default)]
struct RequestTasks {
    tasks: Mutex<JoinSet<()>>,
    /// How long a batch may take; `None`: as long as its request.
    limit: Option<Duration>,
}

impl Spawn for RequestTasks {
    fn spawn_obj(&self, batch: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        match self.limit {
            Some(limit) => tasks.spawn(timeout(limit, batch).map(|_| ())),
            None => tasks.spawn(batch),
        };
        Ok(())
    }
}

/// Answers batches of keys.
pub(crate) struct Batches {
    services: Services,
    asker: Asker,
}

impl Batches {
    pub(super) async fn begin(&self) -> Result<(Connection, &Viewer), Error> {
        let viewer = self
            .asker
            .viewer
            .as_ref()
            .ok_or_else(|| Error::unauthenticated("Sign in first."))?;
        Ok((self.services.database.connection().await?, viewer))
    }

    /// Who asks; `None` for a visitor.
    pub(super) fn viewer(&self) -> Option<Viewer> {
        self.asker.viewer
    }

    pub(super) async fn connection(&self) -> Result<Connection, Error> {
        self.services.database.connection().await
    }

    /// From where is asked.
    pub(super) fn client(&self) -> &Client {
        &self.asker.client
    }

    pub(super) fn audit(&self) -> Audit {
        self.services.audit
    }
}

impl<T: items::Item> Loader<ItemById<T>> for Batches {
    type Value = T;
    type Error = Error;

    async fn load(&self, keys: &[ItemById<T>]) -> Result<HashMap<ItemById<T>, T>, Error> {
        let (mut conn, viewer) = self.begin().await?;
        let ids = keys.iter().map(|key| key.0).collect();
        let found: Vec<T> = items::find_all(&mut conn, viewer, ids).await?;
        Ok(found
            .into_iter()
            .map(|item| (ItemById::new(item.id()), item))
            .collect())
    }
}

impl Loader<KindOfItem> for Batches {
    type Value = ItemKind;
    type Error = Error;

    async fn load(&self, keys: &[KindOfItem]) -> Result<HashMap<KindOfItem, ItemKind>, Error> {
        let (mut conn, viewer) = self.begin().await?;
        let ids = keys.iter().map(|key| key.0).collect();
        let found = items::find_kinds(&mut conn, viewer.user_id, ids).await?;
        Ok(found
            .into_iter()
            .map(|item| (KindOfItem(item.id), item.kind))
            .collect())
    }
}

impl Loader<CountsOfCourse> for Batches {
    type Value = CourseCounts;
    type Error = Error;

    async fn load(
        &self,
        keys: &[CountsOfCourse],
    ) -> Result<HashMap<CountsOfCourse, CourseCounts>, Error> {
        let (mut conn, viewer) = self.begin().await?;
        let counts =
            courses::counts(&mut conn, viewer, keys.iter().map(|key| key.0).collect()).await?;
        Ok(counts
            .into_iter()
            .map(|(course, counts)| (CountsOfCourse(course), counts))
            .collect())
    }
}

impl Loader<TextsOfDocument> for Batches {
    type Value = DocumentTexts;
    type Error = Error;

    async fn load(
        &self,
        keys: &[TextsOfDocument],
    ) -> Result<HashMap<TextsOfDocument, DocumentTexts>, Error> {
        let (mut conn, viewer) = self.begin().await?;
        let texts =
            documents::texts(&mut conn, viewer, keys.iter().map(|key| key.0).collect()).await?;
        Ok(texts
            .into_iter()
            .map(|(document, texts)| (TextsOfDocument(document), texts))
            .collect())
    }
}

impl Loader<ImageOfDocument> for Batches {
    type Value = Image;
    type Error = Error;

    async fn load(
        &self,
        keys: &[ImageOfDocument],
    ) -> Result<HashMap<ImageOfDocument, Image>, Error> {
        let (mut conn, viewer) = self.begin().await?;
        let documents = keys.iter().map(|key| key.0).collect();
        let images = images::of_documents(&mut conn, viewer, documents).await?;
        Ok(images
            .into_iter()
            .map(|(document, image)| (ImageOfDocument(document), image))
            .collect())
    }
}

impl<T: Listed> Loader<PageOfCourse<T>> for Batches {
    type Value = Page<T>;
    type Error = Error;

    async fn load(
        &self,
        keys: &[PageOfCourse<T>],
    ) -> Result<HashMap<PageOfCourse<T>, Page<T>>, Error> {
        let (mut conn, viewer) = self.begin().await?;
        let mut loaded = HashMap::with_capacity(keys.len());
        let all: HashSet<_> = keys.iter().map(|key| &key.arguments).collect();
        for arguments in all {
            let of_these = keys.iter().filter(|key| key.arguments == *arguments);
            let courses = of_these.map(|key| key.course).collect();
            let pages = arguments
                .pages_of_courses(&mut conn, viewer, courses)
                .await?;
            loaded.extend(pages.into_iter().map(|(course, page)| {
                let arguments = arguments.clone();
                (PageOfCourse { course, arguments }, page)
            }));
        }
        Ok(loaded)
    }
}

impl Loader<ViewersUser> for Batches {
    type Value = User;
    type Error = Error;

    async fn load(&self, _: &[ViewersUser]) -> Result<HashMap<ViewersUser, User>, Error> {
        let (mut conn, viewer) = self.begin().await?;
        let user = users::find(&mut conn, viewer.user_id).await?;
        Ok(user
            .into_iter()
            .map(|user| (ViewersUser, User::from(user)))
            .collect())
    }
}
