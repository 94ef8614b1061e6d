//! The index: segments, and the attributes of their items.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Query,
    builder::{Builder, merge},
    evaluate::{Match, matches},
    segment::{MAX_BYTES, Segment},
};

/// An inverted index of one owner's items. Cloning it is cheap: clones share unchanged segments.
///
/// `A` are the attributes of an item, by which a search filters and orders. They can change while the item's words stay the same.
#[derive(Debug, Clone)]
pub struct Index<A> {
    pub(crate) parts: Vec<Part<A>>,
}

/// A segment and the attributes of its items.
#[derive(Debug, Clone)]
pub(crate) struct Part<A> {
    pub(crate) segment: Arc<Segment>,
    /// One per item; `None` if the item was removed, or its words are in a later segment.
    pub(crate) attributes: Arc<Vec<Option<A>>>,
    /// How many items have attributes.
    live: usize,
}

impl<A> Part<A> {
    pub(crate) fn new(segment: Segment, attributes: Vec<Option<A>>) -> Self {
        Part {
            segment: Arc::new(segment),
            live: attributes.iter().flatten().count(),
            attributes: Arc::new(attributes),
        }
    }

    /// The items that were not removed.
    pub(crate) fn items(&self) -> impl Iterator<Item = (u128, &A)> {
        let items = self.segment.keys.iter().zip(self.attributes.iter());
        items.filter_map(|(key, attributes)| Some((*key, attributes.as_ref()?)))
    }

    fn bytes(&self) -> usize {
        self.segment.bytes() + self.attributes.capacity() * size_of::<Option<A>>()
    }
}

impl<A> Default for Index<A> {
    fn default() -> Self {
        Index { parts: Vec::new() }
    }
}

/// A hit of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit<A> {
    /// The item's key.
    pub key: u128,
    /// The item's attributes.
    pub attributes: A,
    /// How well the words match, and whether they are in the title (0–7, higher is better).
    pub class: u8,
    /// How often the words occur, in relation to the length of the item (0–1, higher is better).
    pub rank: f64,
}

/// Items to be added to an index, with their words.
pub struct Additions<A> {
    builder: Builder,
    attributes: BTreeMap<u128, A>,
}

impl<A> Default for Additions<A> {
    fn default() -> Self {
        Additions {
            builder: Builder::default(),
            attributes: BTreeMap::new(),
        }
    }
}

impl<A> Additions<A> {
    /// Adds an item: its words with their positions, of which those below `title_end` are in the title. Replaces an item that was
    /// added with the same key.
    ///
    /// Ignores empty words, words of more than 255 bytes, and words after the first gigabyte of all items.
    pub fn add<'w>(
        &mut self,
        key: u128,
        attributes: A,
        title_end: u32,
        words: impl Iterator<Item = (&'w str, u32)>,
    ) {
        self.builder.add(key, title_end, words);
        self.attributes.insert(key, attributes);
    }
}

impl<A: Clone> Index<A> {
    /// Adds items, and replaces those that the index has already.
    pub fn add(&mut self, additions: Additions<A>) {
        for key in additions.attributes.keys() {
            self.take(*key);
        }
        let attributes = additions.attributes.into_values().map(Some).collect();
        self.parts
            .push(Part::new(additions.builder.build(), attributes));
        self.merge_small();
    }

    /// Removes an item. Returns whether the index had the item.
    pub fn remove(&mut self, key: u128) -> bool {
        let is_found = self.take(key);
        self.merge_small();
        is_found
    }

    /// Marks an item as removed.
    fn take(&mut self, key: u128) -> bool {
        let Some((part, item)) = self.find(key) else {
            return false;
        };
        let part = &mut self.parts[part];
        Arc::make_mut(&mut part.attributes)[item] = None;
        part.live -= 1;
        true
    }

    /// Replaces the attributes of an item. Returns whether the index has the item.
    pub fn set_attributes(&mut self, key: u128, attributes: A) -> bool {
        let Some((part, item)) = self.find(key) else {
            return false;
        };
        Arc::make_mut(&mut self.parts[part].attributes)[item] = Some(attributes);
        true
    }

    /// The attributes of an item. `None` if the index does not have the item.
    pub fn attributes(&self, key: u128) -> Option<&A> {
        let (part, item) = self.find(key)?;
        self.parts[part].attributes[item].as_ref()
    }

    fn find(&self, key: u128) -> Option<(usize, usize)> {
        let parts = self.parts.iter().enumerate();
        let mut found = parts.filter_map(|(number, part)| {
            let item = part.segment.find(key)?;
            part.attributes[item].is_some().then_some((number, item))
        });
        found.next()
    }

    /// Merges the first segment that is small compared with the segments after it, or of which most items were removed, with all
    /// segments after it. This keeps the number of segments logarithmic, and each item is merged a logarithmic number of times. At
    /// most half of the items in a segment are removed ones.
    fn merge_small(&mut self) {
        let (mut from, mut after) = (self.parts.len(), 0);
        for (number, part) in self.parts.iter().enumerate().rev() {
            if part.live <= 2 * after || 2 * part.live < part.attributes.len() {
                from = number;
            }
            after += part.live;
        }
        let small = &self.parts[from..];
        if small.is_empty() || small.iter().map(Part::bytes).sum::<usize>() > MAX_BYTES {
            return;
        }
        let merged = merged(small);
        self.parts.truncate(from);
        if merged.live > 0 {
            self.parts.push(merged);
        }
    }

    /// The items that match a query and satisfy a condition, in no particular order.
    pub fn search(&self, query: &Query, is_wanted: impl Fn(&A) -> bool) -> Vec<Hit<A>> {
        let mut hits = Vec::new();
        for part in &self.parts {
            let matches = matches(&part.segment, query);
            hits.extend(matches.filter_map(|Match { item, class, rank }| {
                let attributes = part.attributes[item]
                    .as_ref()
                    .filter(|one| is_wanted(one))?;
                Some(Hit {
                    key: part.segment.keys[item],
                    attributes: attributes.clone(),
                    class,
                    rank,
                })
            }));
        }
        hits
    }

    /// All items.
    pub fn items(&self) -> impl Iterator<Item = (u128, &A)> {
        self.parts.iter().flat_map(Part::items)
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.live).sum()
    }

    /// Whether it has no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The words of all items, each once per segment. May contain words of items that were removed.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(|part| part.segment.words.iter())
    }

    /// The memory that the index takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(Part::bytes).sum::<usize>() + size_of::<Self>()
    }
}

fn merged<A: Clone>(parts: &[Part<A>]) -> Part<A> {
    let segments: Vec<&Segment> = parts.iter().map(|part| &*part.segment).collect();
    let segment = merge(&segments, |part, item| {
        parts[part].attributes[item].is_some()
    });
    let mut attributes: Vec<(u128, &A)> = parts.iter().flat_map(Part::items).collect();
    attributes.sort_unstable_by_key(|(key, _)| *key);
    let attributes = attributes.into_iter().map(|(_, one)| Some(one.clone()));
    Part::new(segment, attributes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(index: &mut Index<()>, keys: impl IntoIterator<Item = u128>) {
        let mut additions = Additions::default();
        for key in keys {
            let own = format!("word{}", key % 997);
            let words = [("the", 0), (own.as_str(), 1), ("of", 2), ("the", 3)];
            additions.add(key, (), 1, words.into_iter());
        }
        index.add(additions);
    }

    /// Each segment has more than twice as many items as all after it, and at most half of its items are removed ones.
    fn assert_few_segments(index: &Index<()>) {
        let live = index.items().count();
        let most = live.max(1).ilog(3) as usize + 1;
        assert!(
            index.parts.len() <= most,
            "{} segments of {live} items",
            index.parts.len()
        );
        for part in &index.parts {
            assert_eq!(part.live, part.items().count());
            assert!(2 * part.live >= part.attributes.len());
        }
    }

    #[test]
    fn the_number_of_segments_is_logarithmic() {
        let mut index = Index::default();
        for key in 0..1_000 {
            add(&mut index, [key]);
            assert_few_segments(&index);
        }
        // Replaces and removes items of all segments.
        for number in 0..1_000 {
            let key = number * 389 % 1_000;
            match number % 3 {
                0 => add(&mut index, [key, key + 1, key + 2]),
                _ => assert!(index.remove(key) || index.attributes(key).is_none()),
            }
            assert_few_segments(&index);
        }
        for key in 0..1_003 {
            index.remove(key);
            assert_few_segments(&index);
        }
        assert!(index.parts.is_empty());
        assert_eq!(index.bytes(), Index::<()>::default().bytes());
    }

    #[test]
    fn an_index_does_not_grow_when_items_are_replaced() {
        let mut index = Index::default();
        add(&mut index, 0..300);
        let bytes = index.bytes();
        for _ in 0..10_000 {
            add(&mut index, [7]);
        }
        assert!(
            index.bytes() < bytes + 1_000,
            "from {bytes} to {} bytes",
            index.bytes()
        );
        for number in 0..3_000 {
            add(&mut index, [number * 77 % 300]);
            assert!(
                index.bytes() <= 3 * bytes,
                "from {bytes} to {} bytes",
                index.bytes()
            );
        }
        assert_eq!(index.items().count(), 300);
    }

    #[test]
    fn additions_of_no_items_change_nothing() {
        let mut index = Index::<()>::default();
        index.add(Additions::default());
        assert!(index.parts.is_empty());
    }

    #[test]
    fn words_that_are_empty_or_too_long_are_ignored() {
        let (long, longer) = ("x".repeat(255), "x".repeat(256));
        let mut additions = Additions::default();
        additions.add(1, (), 0, [("", 0), (&long, 1), (&longer, 2)].into_iter());
        let mut index = Index::default();
        index.add(additions);
        assert_eq!(index.words().collect::<Vec<_>>(), [&long]);
        assert_eq!(index.parts[0].segment.lengths[0].occurrences, 1);
    }
}
