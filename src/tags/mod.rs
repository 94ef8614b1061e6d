//! Tags: labels for documents and tasks.
//!
//! The command that tags items is here, the columns, the inputs and their limits in [`model`], all the SQL of tags in `store`.
//! `items::tagging` has the rules of tags that items share.

pub mod model;
mod store;

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

pub use model::{
    CreateTagInput, Tag, TagFilter, TagItemsInput, TagOrder, TagOrderField, UpdateTagInput,
};
pub(crate) use store::of_items;

use crate::{
    auth::{UserId, Viewer},
    db::Connection,
    error::{Failure, Refusal, RefusalCode},
    items::{
        self, ItemKind, ItemRef,
        tagging::{self, MAX_TAGS},
    },
    rules::{Problems, check_ids},
    scalars::ObjectId,
};

/// Adds tags to documents and tasks, and removes tags from them: all of the changes or none. Returns the items in the order of the
/// ids, without duplicates.
///
/// # Errors
/// BLANK or TOO_LONG for `ids`, TOO_LONG for `add` and `remove`, INVALID for a tag in both. NOT_FOUND or IN_TRASH for each item or
/// tag that does not exist or is in the trash. TOO_LONG for each item that would have too many tags.
pub async fn tag_items(
    conn: &mut Connection,
    viewer: &Viewer,
    input: &TagItemsInput,
) -> Result<Vec<ItemRef>, Failure> {
    let named = Named::of(input)?;
    let owner = viewer.user_id;
    conn.transaction(async |conn| named.change(conn, owner).await)
        .await
}

/// The items and tags that a request names.
struct Named {
    items: Vec<Uuid>,
    add: Vec<Uuid>,
    remove: Vec<Uuid>,
}

impl Named {
    fn of(input: &TagItemsInput) -> Result<Named, Failure> {
        let uuids = |ids: &[ObjectId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
        let named = Named {
            items: uuids(&input.ids),
            add: uuids(input.add.as_deref().unwrap_or_default()),
            remove: uuids(input.remove.as_deref().unwrap_or_default()),
        };
        let mut problems = Problems::default();
        problems.note(&check_ids(&named.items));
        problems.max_ids("add", &input.add, MAX_TAGS);
        problems.max_ids("remove", &input.remove, MAX_TAGS);
        let added: HashSet<&Uuid> = named.add.iter().collect();
        for (index, tag) in named.remove.iter().enumerate() {
            if added.contains(tag) {
                let message = "A tag must not be in both `add` and `remove`.";
                let refusal = Refusal::of_element("remove", index, RefusalCode::Invalid, message);
                problems.refuse(refusal);
            }
        }
        problems.finish()?;
        Ok(named)
    }

    async fn change(&self, conn: &mut Connection, owner: UserId) -> Result<Vec<ItemRef>, Failure> {
        let tags = [self.add.as_slice(), &self.remove].concat();
        let tags = tagging::store::lock_tags(conn, owner, tags).await?;
        let (mut kinds, mut items) = (HashMap::new(), HashMap::new());
        for kind in ItemKind::IN_COURSES {
            let found = items::lock(conn, owner, kind, self.items.clone()).await?;
            kinds.extend(found.keys().map(|id| (*id, kind)));
            items.extend(found);
        }
        let mut refusals = items::unusable("ids", &self.items, &items, "document or task");
        refusals.extend(items::unusable("add", &self.add, &tags, "tag"));
        refusals.extend(items::unusable("remove", &self.remove, &tags, "tag"));
        if !refusals.is_empty() {
            return Err(Failure::Refused(refusals));
        }
        for kind in ItemKind::IN_COURSES {
            let of_kind = kinds.iter().filter(|(_, other)| **other == kind);
            let items: Vec<Uuid> = of_kind.map(|(id, _)| *id).collect();
            let pairs = items
                .iter()
                .flat_map(|item| self.add.iter().map(|tag| (*item, *tag)));
            tagging::store::add(conn, owner, kind, pairs.collect()).await?;
            tagging::store::remove(conn, owner, kind, items, self.remove.clone()).await?;
        }
        self.check_numbers(conn, owner).await?;
        let item = |(_, id)| {
            Some(ItemRef {
                kind: *kinds.get(&id)?,
                id,
            })
        };
        Ok(items::each_once(&self.items).filter_map(item).collect())
    }

    /// Checks that no item has too many tags now.
    async fn check_numbers(&self, conn: &mut Connection, owner: UserId) -> Result<(), Failure> {
        if self.add.is_empty() {
            return Ok(());
        }
        let too_many = tagging::store::too_many(conn, owner, self.items.clone()).await?;
        let refusals: Vec<Refusal> = items::each_once(&self.items)
            .filter_map(|(index, id)| {
                let tags = too_many.get(&id)?;
                let message = format!(
                    "The item would have {tags} tags; the maximum is {MAX_TAGS}. Remove some."
                );
                Some(Refusal::of_id(index, RefusalCode::TooLong, message))
            })
            .collect();
        match refusals.is_empty() {
            true => Ok(()),
            false => Err(Failure::Refused(refusals)),
        }
    }
}
