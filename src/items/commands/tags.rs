//! The tags that entries name. A batch with such entries is one transaction: it locks the tags, writes the items, and then changes
//! the tags of those that were written. At that time the items are locked, so no other request changes their tags meanwhile.

use std::{collections::HashMap, mem};

use uuid::Uuid;

use super::{Batch, Check, Key, Outcome};
use crate::{
    auth::{UserId, Viewer},
    db::Connection,
    error::Error,
    items::{Item, find_all, tagging, unusable},
    scalars::ObjectId,
};

/// The ids of the tags that an input names.
fn tags_of<I: Check>(input: &I) -> Vec<Uuid> {
    let tags = input.tag_ids().unwrap_or_default();
    tags.iter().map(|ObjectId(tag)| *tag).collect()
}

impl<K: Key, I: Check, T: Item> Batch<'_, K, I, T> {
    /// Whether an entry names the tags of its item.
    pub(super) fn names_tags(&self) -> bool {
        let mut inputs = self.open.iter().map(|entry| entry.input);
        inputs.any(|input| input.tag_ids().is_some())
    }

    /// Locks the named tags. Refuses entries with tags that do not exist or are in the trash.
    pub(super) async fn lock_tags(
        &mut self,
        conn: &mut Connection,
        owner: UserId,
    ) -> Result<(), Error> {
        let tags = self.open.iter().flat_map(|entry| tags_of(entry.input));
        let found = tagging::store::lock_tags(conn, owner, tags.collect()).await?;
        for entry in mem::take(&mut self.open) {
            let refusals = unusable("tagIds", &tags_of(entry.input), &found, "tag");
            match refusals.is_empty() {
                true => self.open.push(entry),
                false => self.outcomes[entry.index] = Outcome::Refused(refusals),
            }
        }
        Ok(())
    }

    /// The written items whose entries name tags, and pairs of these items and tags.
    fn tagged(&self) -> (Vec<Uuid>, Vec<(Uuid, Uuid)>) {
        let (mut items, mut pairs) = (Vec::new(), Vec::new());
        for (index, input) in &self.written {
            if let (Outcome::Done(item), Some(_)) = (&self.outcomes[*index], input.tag_ids()) {
                let id = item.id();
                items.push(id);
                pairs.extend(tags_of(*input).into_iter().map(|tag| (id, tag)));
            }
        }
        (items, pairs)
    }

    /// Gives new items their tags.
    pub(super) async fn add_tags(&self, conn: &mut Connection, owner: UserId) -> Result<(), Error> {
        let (_, pairs) = self.tagged();
        tagging::store::add(conn, owner, T::KIND, pairs).await
    }

    /// Replaces the tags of updated items, and reads the items again, because their versions may have changed.
    pub(super) async fn replace_tags(
        &mut self,
        conn: &mut Connection,
        viewer: &Viewer,
    ) -> Result<(), Error> {
        let (items, pairs) = self.tagged();
        if items.is_empty() {
            return Ok(());
        }
        let (owner, kind) = (viewer.user_id, T::KIND);
        tagging::store::remove_others(conn, owner, kind, items.clone(), &pairs).await?;
        tagging::store::add(conn, owner, kind, pairs).await?;
        let items = find_all::<T>(conn, viewer, items).await?.into_iter();
        let mut items: HashMap<Uuid, T> = items.map(|item| (item.id(), item)).collect();
        for outcome in &mut self.outcomes {
            if let Outcome::Done(item) = outcome
                && let Some(changed) = items.remove(&item.id())
            {
                *item = changed;
            }
        }
        Ok(())
    }
}
