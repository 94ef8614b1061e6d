//! Tags in the API: the object, its lists, its queries and its mutations.

use async_graphql::Context;

use super::{
    connection::ItemObject as _,
    context::ContextExt,
    document::Document,
    item_api::{container_object, item_mutations, item_object, item_queries},
    loaders::{CountsOfTag, Loaders, TagsOfItem},
    payload::{payload, respond},
    task::Task,
    trash::{self, ItemsPayload},
};
use crate::{
    documents::{DocumentFilter, DocumentOrder},
    error::Error,
    tags::{self, CreateTagInput, TagFilter, TagItemsInput, TagOrder, UpdateTagInput},
    tasks::{TaskFilter, TaskOrder},
};

container_object! {
    /// A tag.
    Tag(tags::Tag)
}

item_object! {
    /// A label for documents and tasks. Renaming a tag, moving it to the trash, restoring it and deleting it do not change the
    /// versions of the items that have it. While a tag is in the trash, the `tags` of its items do not contain it.
    /// Filters by `tagIds` then ignore it. Its own lists and counts still include these items, which have the tag again when it is
    /// restored.
    impl Tag {
        /// The tag's name. 1–100 characters. Unique among your active tags, without regard to case.
        fn name(&self) -> &str {
            &self.row.name
        }

        /// The tag's color: `#RRGGBB`. Null if there is none.
        fn color(&self) -> Option<&str> {
            self.row.color.as_deref()
        }

        /// The number of active documents with the tag.
        async fn document_count(&self, ctx: &Context<'_>) -> Result<i32, Error> {
            let (id, counted) = (CountsOfTag(self.row.id), self.row.document_count);
            Loaders::of(ctx).count(id, counted, |counts| counts.documents).await
        }

        /// The number of active tasks with the tag that are not completed.
        async fn open_task_count(&self, ctx: &Context<'_>) -> Result<i32, Error> {
            let (id, counted) = (CountsOfTag(self.row.id), self.row.open_task_count);
            Loaders::of(ctx).count(id, counted, |counts| counts.open_tasks).await
        }
    }
    lists("The filter. By default, only active items.") {
        /// The documents with the tag.
        documents(Document, DocumentFilter, DocumentOrder);
        /// The tasks with the tag.
        tasks(Task, TaskFilter, TaskOrder);
    }
}

/// The active tags of a document or a task, sorted by name.
pub(super) async fn of_item(ctx: &Context<'_>, item: uuid::Uuid) -> Result<Vec<Tag>, Error> {
    let tags = Loaders::of(ctx).find(TagsOfItem(item)).await?;
    Ok(tags
        .unwrap_or_default()
        .into_iter()
        .map(Tag::from)
        .collect())
}

item_queries! {
    /// Queries of tags.
    TagQuery for Tag {
        /// Your tag with this id, active or in the trash. Null if you have none.
        #[doc = example!("tag")]
        tag;
        /// Your tags.
        #[doc = example!("tags")]
        tags(TagFilter, TagOrder, "The order: maximum 3 fields, each only once. An empty list means the default: `NAME`, ascending.");
    }
}

payload! {
    /// The result of creating or updating a tag.
    TagPayload {
        /// The tag after the mutation. Null if the mutation failed. On CONFLICT, the current version.
        tag: Tag
    }
}

item_mutations! {
    /// Mutations of tags.
    TagMutation for Tag {
        /// Creates a tag.
        /// `userErrors`: BLANK, INVALID, LIMIT_REACHED, TAKEN, TOO_LONG.
        #[doc = example!("create_tag")]
        create_tag(CreateTagInput);
        /// Updates a tag that is not in the trash.
        /// `userErrors`: BLANK, CONFLICT, INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TAKEN, TOO_LONG.
        #[doc = example!("update_tag")]
        update_tag(UpdateTagInput);
        TagPayload;
    }
    own {
        /// Adds tags to documents and tasks, and removes tags from them: all of the changes or none. An item whose tags change gets a
        /// new version. An item that already has the tags to add, and has none of the tags to remove, stays unchanged.
        /// `userErrors`: BLANK, INVALID, IN_TRASH, NOT_FOUND, TOO_LONG.
        #[doc = example!("tag_items")]
        async fn tag_items(
            &self,
            ctx: &Context<'_>,
            #[graphql(desc = "The items, and the tags to add and to remove.")] input: TagItemsInput,
        ) -> Option<Result<ItemsPayload, Error>> {
            Some(tag_items(ctx, input).await)
        }
    }
}

async fn tag_items(ctx: &Context<'_>, input: TagItemsInput) -> Result<ItemsPayload, Error> {
    let viewer = ctx.viewer()?;
    let mut conn = ctx.connection().await?;
    let changed = tags::tag_items(&mut conn, viewer, &input).await;
    drop(conn);
    respond(trash::load_changed(ctx, changed).await?)
}
