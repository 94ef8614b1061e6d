//! A stand-in for the change feed in the API, until that is there.

use async_graphql::{Context, Enum, ID, Object};

use super::{loaders::Loaders, node::Item, scalars::DateTime, search::ItemType};
use crate::{changes, error::Error, trash::ItemKind};

/// What was done to an item.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "changes::ChangeAction")]
pub(crate) enum ChangeAction {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It went to the trash.
    Trashed,
    /// It came back from the trash.
    Restored,
    /// It was deleted for good.
    Deleted,
}

/// One change of an item.
pub(crate) struct Change(pub(crate) changes::Change);

#[Object]
impl Change {
    /// Give it as `after` to go on behind this change.
    async fn cursor(&self) -> String {
        self.0.cursor.to_string()
    }

    /// What was done.
    async fn action(&self) -> ChangeAction {
        self.0.action.into()
    }

    /// What kind of item it was done to.
    async fn item_type(&self) -> ItemType {
        match self.0.item.kind {
            ItemKind::Course => ItemType::Course,
            ItemKind::Document => ItemType::Document,
            ItemKind::Task => ItemType::Task,
        }
    }

    /// Its id.
    async fn item_id(&self) -> ID {
        self.0.item.id.into()
    }

    /// The item as it is now; null once it is deleted.
    async fn item(&self, ctx: &Context<'_>) -> Option<Result<Item, Error>> {
        let (kind, id) = (self.0.item.kind, self.0.item.id);
        Item::load(Loaders::of(ctx), kind, id).await.transpose()
    }

    /// When it was done.
    async fn changed_at(&self) -> DateTime {
        DateTime(self.0.changed_at)
    }
}
