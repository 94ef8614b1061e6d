//! The items of an index: their attributes, which a search filters and orders by, and their words.

use chrono::{DateTime, Utc};
use text_analysis::{PlainText, tokens};
use text_index::Encode;
use uuid::Uuid;

use super::store::{ItemRow, Texts};
use crate::items::ItemKind;

/// Number of unused positions between two texts of an item, so that no phrase matches across them.
const GAP: u32 = 16;

/// What a search filters and orders by. Attributes can change while the item's words stay the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Attributes {
    pub(super) kind: ItemKind,
    /// The course of a document or a task.
    pub(super) course_id: Option<Uuid>,
    /// Whether the item was moved to the trash by itself, and not with its course.
    pub(super) is_trashed: bool,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) version: i32,
}

impl ItemRow {
    pub(super) fn attributes(&self) -> Attributes {
        Attributes {
            kind: self.kind,
            course_id: self.course_id,
            is_trashed: self.is_trashed,
            updated_at: self.updated_at,
            version: self.version,
        }
    }
}

/// An item's words with their positions.
#[derive(Debug, Default)]
pub(super) struct ItemWords {
    pub(super) words: Vec<(String, u32)>,
    /// Positions below this are in the title.
    pub(super) title_end: u32,
}

impl ItemWords {
    /// The words of an item's displayed texts. Only documents contain Markdown.
    pub(super) fn of(kind: ItemKind, texts: &Texts) -> ItemWords {
        let mut words = ItemWords::default();
        words.title_end = words.add(&texts.title, 0);
        let mut end = words.title_end;
        if kind == ItemKind::Document {
            let note = PlainText::from_markdown(&texts.note);
            end = words.add(note.text(), end + GAP);
            for language in note.code_languages() {
                end = words.add(language, end + GAP);
            }
        } else {
            end = words.add(&texts.note, end + GAP);
        }
        words.add(&texts.recognized, end + GAP);
        words
    }

    /// Adds the words of a text. Returns the position after the last one.
    fn add(&mut self, text: &str, start: u32) -> u32 {
        let mut end = start;
        for token in tokens(text) {
            end = start + token.position + 1;
            self.words.push((token.word, start + token.position));
        }
        end
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.words
            .iter()
            .map(|(word, position)| (word.as_str(), *position))
    }
}

impl Encode for Attributes {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(i16::from(self.kind).to_be_bytes());
        bytes.push(u8::from(self.is_trashed));
        bytes.extend(self.course_id.unwrap_or_default().as_bytes());
        bytes.extend(self.updated_at.timestamp_micros().to_be_bytes());
        bytes.extend(self.version.to_be_bytes());
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let kind = i16::from_be_bytes(take(bytes)?);
        let [is_trashed] = take(bytes)?;
        let course_id = Uuid::from_bytes(take(bytes)?);
        Some(Attributes {
            kind: ItemKind::of_number(kind)?,
            is_trashed: is_trashed == 1,
            course_id: (!course_id.is_nil()).then_some(course_id),
            updated_at: DateTime::from_timestamp_micros(i64::from_be_bytes(take(bytes)?))?,
            version: i32::from_be_bytes(take(bytes)?),
        })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}
