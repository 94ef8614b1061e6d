//! The index of one user's items, and how it is kept up to date.
//!
//! An index starts empty and reads all items in batches. It keeps its position, so an interrupted reading continues there. It also
//! applies the changes of the user's change feed, from the moment the reading began.

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
    /// The items that are still to be read. `None` after all of them have been read.
    pub(super) unread: Option<Unread>,
    /// The number of items that were added, changed or removed since the index was stored.
    pub(super) unsaved: usize,
}

/// The position at which the first reading of all items continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) kind: ItemKind,
    /// The id of the last item that was read.
    pub(super) after: Uuid,
}

impl UserIndex {
    /// An empty index, which follows the feed after this cursor.
    pub(super) fn new(cursor: Cursor) -> UserIndex {
        UserIndex {
            items: Index::default(),
            vocabulary: Arc::default(),
            cursor,
            unread: Some(Unread {
                kind: ItemKind::ALL[0],
                after: Uuid::nil(),
            }),
            unsaved: 0,
        }
    }

    /// Reads the next batch of items.
    pub(super) async fn read_batch(
        &mut self,
        conn: &mut Connection,
        owner: UserId,
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
        self.put(rows).await
    }

    /// Applies changes of the feed.
    pub(super) async fn apply(
        &mut self,
        conn: &mut Connection,
        owner: UserId,
        changes: &[Change],
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
                self.put(rows).await?;
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

    /// Adds items, and replaces those that the index already has. Rows without texts only change the attributes.
    async fn put(&mut self, rows: Vec<ItemRow>) -> Result<(), Error> {
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
                index.add(group);
            }
            index
        });
        *self = add.await.map_err(Error::internal)?;
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
