//! The tags that entries name. A batch with such entries is one transaction: it locks the tags, writes the items, and then changes
//! the tags of those that were written. At that time the items are locked, so no other request changes their tags meanwhile.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Batch, Check, Key, Written};
use crate::{
    auth::UserId,
    db::Connection,
    error::{Error, Refusal, RefusalCode},
    items::{
        Item, each_once,
        tagging::{self, MAX_TAGS},
        unusable,
    },
    scalars::ObjectId,
};

/// The ids of the tags that an input names, each once, with its position.
fn tags_of<I: Check>(input: &I) -> impl Iterator<Item = (usize, Uuid)> {
    let tags = input.tag_ids().unwrap_or_default();
    each_once(tags.iter().map(|ObjectId(tag)| *tag))
}

impl<K: Key, I: Check, T: Item> Batch<'_, K, I, T> {
    /// Whether an entry names the tags of its item.
    pub(super) fn names_tags(&self) -> bool {
        let mut inputs = self.open.iter().map(|entry| entry.input);
        inputs.any(|input| input.tag_ids().is_some())
    }

    /// Locks the named tags. Returns the errors of each open entry, by its position, with tags that do not exist or are in the trash.
    pub(super) async fn lock_tags(
        &self,
        conn: &mut Connection,
        owner: UserId,
    ) -> Result<HashMap<usize, Vec<Refusal>>, Error> {
        let named = self.open.iter().flat_map(|entry| tags_of(entry.input));
        let tags = named.map(|(_, tag)| tag).collect();
        let found = tagging::store::lock_tags(conn, owner, tags).await?;
        let refusals = self.open.iter().map(|entry| {
            let refusals = unusable("tagIds", tags_of(entry.input), &found, "tag");
            (entry.index, refusals)
        });
        Ok(refusals
            .filter(|(_, refusals)| !refusals.is_empty())
            .collect())
    }

    /// Refuses open entries that name more than [`MAX_TAGS`] tags, unless the item has all of them.
    pub(super) async fn refuse_many_tags(
        &mut self,
        conn: &mut Connection,
        owner: UserId,
    ) -> Result<(), Error> {
        let number = |input: &I| tags_of(input).count();
        let many = self
            .open
            .iter()
            .filter(|entry| number(entry.input) > MAX_TAGS);
        let items: Vec<Uuid> = many.filter_map(|entry| entry.key.known_id()).collect();
        if items.is_empty() {
            return Ok(());
        }
        let assigned = tagging::store::assigned(conn, owner, T::KIND, items).await?;
        self.refuse(|entry| {
            let id = entry.key.known_id().unwrap_or_default();
            let has_all = tags_of(entry.input).all(|(_, tag)| assigned.contains(&(id, tag)));
            let number = number(entry.input);
            if number <= MAX_TAGS || has_all {
                return Vec::new();
            }
            let message = format!(
                "`tagIds` must contain at most {MAX_TAGS} different ids, unless the item has all of these tags; got {number}."
            );
            vec![Refusal::of("tagIds", RefusalCode::TooLong, message)]
        });
        Ok(())
    }

    /// The items of `rows` that were written and whose entries name tags, and pairs of these items and tags.
    fn tagged(&self, rows: &[Written<T>]) -> (Vec<Uuid>, Vec<(Uuid, Uuid)>) {
        let (mut items, mut pairs) = (Vec::new(), Vec::new());
        for (entry, (.., item)) in self.open.iter().zip(rows) {
            if let (Some(item), Some(_)) = (item, entry.input.tag_ids()) {
                let id = item.id();
                items.push(id);
                pairs.extend(tags_of(entry.input).map(|(_, tag)| (id, tag)));
            }
        }
        (items, pairs)
    }

    /// Gives new items their tags.
    pub(super) async fn add_tags(
        &self,
        conn: &mut Connection,
        owner: UserId,
        rows: &[Written<T>],
    ) -> Result<(), Error> {
        let (_, pairs) = self.tagged(rows);
        tagging::store::add(conn, owner, T::KIND, pairs).await?;
        Ok(())
    }

    /// Replaces the tags of updated items. Returns the ids of those whose tags have changed, which may have a new version.
    pub(super) async fn replace_tags(
        &self,
        conn: &mut Connection,
        owner: UserId,
        rows: &[Written<T>],
    ) -> Result<Vec<Uuid>, Error> {
        let (items, pairs) = self.tagged(rows);
        tagging::store::replace(conn, owner, T::KIND, items, pairs).await
    }
}
