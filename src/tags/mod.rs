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
pub(crate) use store::{RAW_ID, RAW_ITEM, of_items, raw_of_items};

use crate::{
    auth::{UserId, Viewer},
    db::Connection,
    error::{Error, Failure, Refusal, RefusalCode},
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
/// tag that does not exist or is in the trash. TOO_LONG for each item that gets a tag and would then have too many.
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

/// The items and tags that a request names, each once, with their positions.
struct Named {
    items: Vec<(usize, Uuid)>,
    add: Vec<(usize, Uuid)>,
    remove: Vec<(usize, Uuid)>,
}

fn uuids(ids: &[(usize, Uuid)]) -> Vec<Uuid> {
    ids.iter().map(|(_, id)| *id).collect()
}

impl Named {
    fn of(input: &TagItemsInput) -> Result<Named, Failure> {
        let (add, remove) = (input.add.as_deref(), input.remove.as_deref());
        let (add, remove) = (add.unwrap_or_default(), remove.unwrap_or_default());
        let mut problems = Problems::default();
        let once = |ids: &[ObjectId]| items::each_once(ids.iter().map(|id| id.0)).collect();
        let named = Named {
            items: once(&input.ids),
            add: once(add),
            remove: once(remove),
        };
        problems.note(&check_ids(&uuids(&named.items)));
        problems.max_ids("add", add, MAX_TAGS);
        problems.max_ids("remove", remove, MAX_TAGS);
        let added: HashSet<Uuid> = uuids(&named.add).into_iter().collect();
        for (index, _) in named.remove.iter().filter(|(_, tag)| added.contains(tag)) {
            let message = "A tag must not be in both `add` and `remove`.";
            let refusal = Refusal::of_element("remove", *index, RefusalCode::Invalid, message);
            problems.refuse(refusal);
        }
        problems.finish()?;
        Ok(named)
    }

    async fn change(&self, conn: &mut Connection, owner: UserId) -> Result<Vec<ItemRef>, Failure> {
        let tags = uuids(&[self.add.as_slice(), &self.remove].concat());
        let tags = tagging::store::lock_tags(conn, owner, tags).await?;
        let (mut kinds, mut items) = (HashMap::new(), HashMap::new());
        for kind in ItemKind::IN_COURSES {
            let found = items::lock(conn, owner, kind, uuids(&self.items)).await?;
            kinds.extend(found.keys().map(|id| (*id, kind)));
            items.extend(found);
        }
        let unusable = |field, ids: &[(usize, Uuid)], found, name| {
            items::unusable(field, ids.iter().copied(), found, name)
        };
        let mut refusals = unusable("ids", &self.items, &items, "document or task");
        refusals.extend(unusable("add", &self.add, &tags, "tag"));
        refusals.extend(unusable("remove", &self.remove, &tags, "tag"));
        if !refusals.is_empty() {
            return Err(Failure::Refused(refusals));
        }
        let mut too_many = HashMap::new();
        for kind in ItemKind::IN_COURSES {
            let of_kind = kinds.iter().filter(|(_, other)| **other == kind);
            let items = of_kind.map(|(id, _)| *id).collect();
            too_many.extend(self.change_kind(conn, owner, kind, items).await?);
        }
        self.refuse_too_many(&too_many)?;
        let item = |(_, id): &(usize, Uuid)| {
            let kind = *kinds.get(id)?;
            Some(ItemRef { kind, id: *id })
        };
        Ok(self.items.iter().filter_map(item).collect())
    }

    /// Changes the tags of the items of a kind. Returns the number of tags of each item that got a tag and now has too many.
    async fn change_kind(
        &self,
        conn: &mut Connection,
        owner: UserId,
        kind: ItemKind,
        items: Vec<Uuid>,
    ) -> Result<Vec<(Uuid, i64)>, Error> {
        let add = uuids(&self.add);
        let pairs = items
            .iter()
            .flat_map(|item| add.iter().map(|tag| (*item, *tag)));
        let tagged = tagging::store::add(conn, owner, kind, pairs.collect()).await?;
        tagging::store::remove(conn, owner, kind, items, uuids(&self.remove)).await?;
        tagging::store::too_many(conn, owner, kind, tagged.into_iter().collect()).await
    }

    fn refuse_too_many(&self, too_many: &HashMap<Uuid, i64>) -> Result<(), Failure> {
        let refusal = |(index, id): &(usize, Uuid)| {
            let tags = too_many.get(id)?;
            let message =
                format!("The item would have {tags} tags; the maximum is {MAX_TAGS}. Remove some.");
            Some(Refusal::of_id(*index, RefusalCode::TooLong, message))
        };
        let refusals: Vec<Refusal> = self.items.iter().filter_map(refusal).collect();
        match refusals.is_empty() {
            true => Ok(()),
            false => Err(Failure::Refused(refusals)),
        }
    }
}
