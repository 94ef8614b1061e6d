//! The index: segments, and what is known of each item besides its words.

use std::sync::Arc;

use crate::{
    Query,
    builder::{Builder, merge},
    evaluate::{Match, matches},
    segment::Segment,
};

/// An inverted index of one owner's items. Cloning it is cheap: clones share what did not change.
///
/// `A` are the attributes of an item, which can change without its words: what a search filters and orders by.
#[derive(Debug, Clone)]
pub struct Index<A> {
    pub(crate) parts: Vec<Part<A>>,
}

/// A segment and the attributes of its items.
#[derive(Debug, Clone)]
pub(crate) struct Part<A> {
    pub(crate) segment: Arc<Segment>,
    /// One per item; `None` if the item was deleted, or its words are in a later segment.
    pub(crate) attributes: Arc<Vec<Option<A>>>,
}

impl<A> Part<A> {
    fn live(&self) -> usize {
        self.attributes.iter().flatten().count()
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
    attributes: Vec<(u128, A)>,
}

impl<A> Default for Additions<A> {
    fn default() -> Self {
        Additions {
            builder: Builder::default(),
            attributes: Vec::new(),
        }
    }
}

impl<A> Additions<A> {
    /// Adds an item: its words with their positions, of which those below `title_end` are in the title. A key must not be added
    /// twice.
    pub fn add<'w>(
        &mut self,
        key: u128,
        attributes: A,
        title_end: u32,
        words: impl Iterator<Item = (&'w str, u32)>,
    ) {
        self.builder.add(key, title_end, words);
        self.attributes.push((key, attributes));
    }
}

impl<A: Clone> Index<A> {
    /// Adds items, and replaces those that the index has already.
    pub fn add(&mut self, additions: Additions<A>) {
        if additions.builder.is_empty() {
            return;
        }
        for (key, _) in &additions.attributes {
            self.remove(*key);
        }
        let mut attributes = additions.attributes;
        attributes.sort_unstable_by_key(|(key, _)| *key);
        self.parts.push(Part {
            segment: Arc::new(additions.builder.build()),
            attributes: Arc::new(attributes.into_iter().map(|(_, one)| Some(one)).collect()),
        });
        self.merge_small();
    }

    /// Removes an item.
    pub fn remove(&mut self, key: u128) {
        if let Some((part, item)) = self.find(key) {
            Arc::make_mut(&mut self.parts[part].attributes)[item] = None;
        }
    }

    /// Replaces the attributes of an item. Returns whether the index has the item.
    pub fn set_attributes(&mut self, key: u128, attributes: A) -> bool {
        let Some((part, item)) = self.find(key) else {
            return false;
        };
        Arc::make_mut(&mut self.parts[part].attributes)[item] = Some(attributes);
        true
    }

    /// The attributes of an item.
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

    /// Merges the last segments while one is not much larger than all after it, so that the number of segments is logarithmic
    /// and an item is merged a logarithmic number of times.
    fn merge_small(&mut self) {
        let mut from = self.parts.len() - 1;
        let mut after = self.parts[from].live();
        while let Some(part) = from.checked_sub(1).map(|before| &self.parts[before]) {
            let (live, all) = (part.live(), part.segment.keys.len());
            if live > 2 * after && 2 * live > all {
                break;
            }
            after += live;
            from -= 1;
        }
        if from + 1 < self.parts.len() {
            let merged = merged(&self.parts[from..]);
            self.parts.truncate(from);
            self.parts.push(merged);
        }
    }

    /// The items that match a query and satisfy a condition, in no particular order.
    pub fn search(&self, query: &Query, is_wanted: impl Fn(&A) -> bool) -> Vec<Hit<A>> {
        let mut hits = Vec::new();
        for part in &self.parts {
            let matches = matches(&part.segment, query).into_iter();
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
        self.parts.iter().flat_map(|part| {
            let items = part.segment.keys.iter().zip(part.attributes.iter());
            items.filter_map(|(key, attributes)| Some((*key, attributes.as_ref()?)))
        })
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Part::live).sum()
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
        let parts = self.parts.iter();
        let of_part =
            |part: &Part<A>| part.segment.bytes() + part.attributes.len() * size_of::<Option<A>>();
        parts.map(of_part).sum::<usize>() + size_of::<Self>()
    }
}

fn merged<A: Clone>(parts: &[Part<A>]) -> Part<A> {
    let segments: Vec<&Segment> = parts.iter().map(|part| &*part.segment).collect();
    let segment = merge(&segments, |part, item| {
        parts[part].attributes[item].is_some()
    });
    let mut attributes: Vec<(u128, A)> = Vec::with_capacity(segment.keys.len());
    for part in parts {
        let items = part.segment.keys.iter().zip(part.attributes.iter());
        attributes.extend(items.filter_map(|(key, one)| Some((*key, one.clone()?))));
    }
    attributes.sort_unstable_by_key(|(key, _)| *key);
    Part {
        segment: Arc::new(segment),
        attributes: Arc::new(attributes.into_iter().map(|(_, one)| Some(one)).collect()),
    }
}
