//! The index of one user's items, and how it is kept up to date.
//!
//! An index starts empty and reads all items in batches. It keeps its position, so an interrupted reading continues there. It also
//! applies the changes of the user's change feed, from the moment the reading began. An index that has reached its maximum size is
//! like one whose reading was interrupted.

use std::{collections::HashMap, sync::Arc};

use text_analysis::Vocabulary;
use text_index::{Additions, Index};
use uuid::Uuid;

use super::{
    item::{Attributes, ItemWords},
    store::{self, ItemRow, Texts},
};
use crate::{
    auth::UserId,
    changes::{Change, Cursor},
    db::Connection,
    error::Error,
    items::ItemKind,
};

/// Maximum number of items that are read in one statement. Each has up to 400,000 characters, of which one batch is in memory.
const BATCH: usize = 25;
/// Texts are split into words in groups of about this size, in bytes. Words take up to a hundred times the memory of their texts.
const MAX_GROUP: usize = 1 << 20;
/// Number of words that the vocabulary may have beyond twice the words of the items.
const MAX_OLD_WORDS: usize = 10_000;

/// The index of a user's items at one moment. Clones share unchanged parts.
#[derive(Clone)]
pub(super) struct UserIndex {
    pub(super) items: Index<Attributes>,
    /// The words of the items. May contain words of items that were deleted or replaced.
    pub(super) vocabulary: Arc<Vocabulary>,
    /// The changes after this cursor are not in the index yet.
    pub(super) cursor: Cursor,
    /// Whether there are changes after the cursor that there was no time to read.
    pub(super) is_behind: bool,
    /// The items that are still to be read. `None` after all of them have been read.
    pub(super) unread: Option<Unread>,
    /// The cursor of the stored index. `None` if the index is not stored.
    pub(super) stored: Option<Cursor>,
    /// The number of items that were added, changed or removed since the index was stored.
    pub(super) unsaved: usize,
    /// The complete build that the index comes from. `None` if searches built it.
    pub(super) generation: Option<Uuid>,
}

/// The position from which on items may be missing in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) kind: ItemKind,
    /// The index has all items of this kind up to this id.
    pub(super) after: Uuid,
}

impl Unread {
    /// The position before an item.
    fn before(row: &ItemRow) -> Unread {
        Unread {
            kind: row.kind,
            after: Uuid::from_u128(row.id.as_u128().saturating_sub(1)),
        }
    }

    fn order(&self) -> (i16, Uuid) {
        (i16::from(self.kind), self.after)
    }
}

impl UserIndex {
    /// An empty index, which follows the feed after this cursor.
    pub(super) fn new(cursor: Cursor) -> UserIndex {
        UserIndex {
            items: Index::default(),
            vocabulary: Arc::default(),
            cursor,
            is_behind: false,
            unread: Some(Unread {
                kind: ItemKind::ALL[0],
                after: Uuid::nil(),
            }),
            stored: None,
            unsaved: 0,
            generation: None,
        }
    }

    /// Whether a search may miss items or changes that were committed before it.
    pub(super) fn is_incomplete(&self) -> bool {
        self.unread.is_some() || self.is_behind
    }

    /// Whether a search may find more after reading the next batch of items.
    pub(super) fn can_read(&self, max_bytes: usize) -> bool {
        self.unread.is_some() && self.bytes() < max_bytes
    }

    /// Reads the next batch of items.
    pub(super) async fn read_batch(
        &mut self,
        conn: &mut Connection,
        owner: UserId,
        max_bytes: usize,
    ) -> Result<(), Error> {
        let Some(Unread { kind, after }) = self.unread else {
            return Ok(());
        };
        let rows = store::items(conn, owner, kind, after, BATCH).await?;
        self.unread = match rows.last() {
            Some(last) if rows.len() == BATCH => Some(Unread {
                kind,
                after: last.id,
            }),
            _ => next_kind(kind).map(|kind| Unread {
                kind,
                after: Uuid::nil(),
            }),
        };
        self.put(owner, rows, max_bytes).await
    }

    /// Applies changes of the feed.
    pub(super) async fn apply(
        &mut self,
        conn: &mut Connection,
        owner: UserId,
        changes: &[Change],
        max_bytes: usize,
    ) -> Result<(), Error> {
        for kind in ItemKind::ALL {
            let of_kind = changes.iter().filter(|change| change.item.kind == kind);
            let known: HashMap<Uuid, i32> = of_kind
                .map(|change| (change.item.id, self.version(change.item.id)))
                .collect();
            let known: Vec<(Uuid, i32)> = known.into_iter().collect();
            for batch in known.chunks(BATCH) {
                let rows = store::changed_items(conn, owner, kind, batch).await?;
                for (id, _) in batch {
                    let is_gone = rows.iter().all(|row| row.id != *id);
                    if is_gone && self.items.remove(id.as_u128()) {
                        self.unsaved += 1;
                    }
                }
                self.put(owner, rows, max_bytes).await?;
            }
        }
        Ok(())
    }

    /// The version of an item in the index. 0 if the index does not have it.
    fn version(&self, id: Uuid) -> i32 {
        self.items
            .attributes(id.as_u128())
            .map_or(0, |item| item.version)
    }

    /// Adds items, and replaces those that the index already has. Rows without texts only change the attributes. If the index has
    /// reached `max_bytes`, the remaining items stay unread. They are read when there is room again.
    async fn put(
        &mut self,
        owner: UserId,
        rows: Vec<ItemRow>,
        max_bytes: usize,
    ) -> Result<(), Error> {
        self.unsaved += rows.len();
        let mut with_texts = Vec::with_capacity(rows.len());
        for row in rows {
            match row.texts.is_some() {
                true => with_texts.push(row),
                false => {
                    self.items
                        .set_attributes(row.id.as_u128(), row.attributes());
                }
            }
        }
        if with_texts.is_empty() {
            return Ok(());
        }
        // Splitting long texts into words takes milliseconds, which would block other requests.
        let mut index = self.clone();
        let add = tokio::task::spawn_blocking(move || {
            for group in groups(&with_texts) {
                match index.bytes() < max_bytes {
                    true => index.add(group),
                    false => group.iter().for_each(|row| index.leave_out(row)),
                }
            }
            index
        });
        let was_full = self.bytes() >= max_bytes;
        *self = add.await.map_err(Error::of_task)?;
        if !was_full && self.bytes() >= max_bytes {
            let items = self.items.len();
            tracing::warn!(user = %owner.0, items, max_bytes, "a search index is full; searches do not find further items");
        }
        Ok(())
    }

    fn add(&mut self, rows: &[ItemRow]) {
        let texts = rows
            .iter()
            .filter_map(|row| Some((row, row.texts.as_ref()?)));
        let items: Vec<(&ItemRow, ItemWords)> = texts
            .map(|(row, texts)| (row, ItemWords::of(row.kind, texts)))
            .collect();
        let words = items.iter().flat_map(|(_, words)| words.iter());
        Arc::make_mut(&mut self.vocabulary).insert_all(words.map(|(word, _)| word));
        let mut additions = Additions::default();
        for (row, words) in &items {
            additions.add(
                row.id.as_u128(),
                row.attributes(),
                words.title_end,
                words.iter(),
            );
        }
        self.items.add(additions);
        if self.vocabulary.len() > MAX_OLD_WORDS + 2 * self.items.words().count() {
            self.read_vocabulary();
        }
    }

    fn leave_out(&mut self, row: &ItemRow) {
        self.items.remove(row.id.as_u128());
        let unread = self.unread.into_iter().chain([Unread::before(row)]);
        self.unread = unread.min_by_key(Unread::order);
    }

    /// Rebuilds the vocabulary from the items.
    pub(super) fn read_vocabulary(&mut self) {
        let mut vocabulary = Vocabulary::default();
        vocabulary.insert_all(self.items.words());
        self.vocabulary = Arc::new(vocabulary);
    }

    /// Whether a search finds this item: neither the item nor its course is in the trash.
    pub(super) fn is_active(&self, item: &Attributes) -> bool {
        let course = item
            .course_id
            .map(|course| self.items.attributes(course.as_u128()));
        !item.is_trashed
            && course.is_none_or(|course| course.is_some_and(|course| !course.is_trashed))
    }

    /// The memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.items.bytes() + self.vocabulary.bytes()
    }
}

/// Groups of consecutive rows: each ends with the row that makes its texts reach [`MAX_GROUP`].
fn groups(rows: &[ItemRow]) -> impl Iterator<Item = &[ItemRow]> {
    let mut bytes = 0;
    rows.split_inclusive(move |row| {
        bytes += row.texts.as_ref().map_or(0, Texts::bytes);
        let is_full = bytes >= MAX_GROUP;
        if is_full {
            bytes = 0;
        }
        is_full
    })
}

fn next_kind(kind: ItemKind) -> Option<ItemKind> {
    let mut after = ItemKind::ALL.into_iter().skip_while(|one| *one != kind);
    after.nth(1)
}
