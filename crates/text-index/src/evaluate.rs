//! Finds the items of a segment that match a query.

use crate::{
    Query, Term,
    occurrences::{Budget, Occurrences, visit},
    rank::Weights,
    segment::Segment,
};

/// A match of a whole query in an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Match {
    /// The item's number in its segment.
    pub(crate) item: usize,
    /// How well the words match, and whether they are in the title (0–7).
    pub(crate) class: u8,
    /// How often the words occur, and how much of the item they are (0–1).
    pub(crate) rank: f64,
}

/// How well a term matches in an item: 0 if it does not match, otherwise the number of the [level](crate::Level) plus one.
#[derive(Clone, Copy, Default)]
struct Levels {
    anywhere: u8,
    title: u8,
}

impl Levels {
    fn min(self, other: Levels) -> Levels {
        Levels {
            anywhere: self.anywhere.min(other.anywhere),
            title: self.title.min(other.title),
        }
    }

    fn max(self, other: Levels) -> Levels {
        Levels {
            anywhere: self.anywhere.max(other.anywhere),
            title: self.title.max(other.title),
        }
    }

    /// The class of a match: words as typed or with the same stem rank above other words, and the title above the text.
    fn class(self) -> u8 {
        match (self.title, self.anywhere) {
            (4, _) => 7,
            (3, _) => 6,
            (_, 4) => 5,
            (_, 3) => 4,
            (2, _) => 3,
            (_, 2) => 2,
            (1, _) => 1,
            _ => 0,
        }
    }
}

/// The items of a segment that match a query.
pub(crate) fn matches<'a>(
    segment: &'a Segment,
    query: &'a Query,
) -> impl Iterator<Item = Match> + 'a {
    let count = segment.keys.len();
    let mut levels = vec![Levels::default(); count];
    let (mut weights, mut budget) = (Weights::new(count), Budget::new());
    for branch in &query.branches {
        let of_terms = branch
            .iter()
            .map(|term| levels_of(segment, term, &mut weights, &mut budget));
        if let Some(of_branch) = of_terms.reduce(|all, term| combined(all, &term, Levels::min)) {
            levels = combined(levels, &of_branch, Levels::max);
        }
    }
    // Excluded items must not be found, however much work the branches took.
    let mut budget = Budget::new();
    for alternative in query.excluded.iter().flat_map(|term| &term.alternatives) {
        let exclude = |Occurrences { item, .. }| levels[item] = Levels::default();
        visit(segment, alternative, &mut budget, exclude);
    }
    let matching = levels
        .into_iter()
        .enumerate()
        .filter(|(_, levels)| levels.anywhere > 0);
    matching.map(move |(item, levels)| Match {
        item,
        class: levels.class(),
        rank: weights.rank(item, segment.lengths[item]),
    })
}

fn combined(
    mut all: Vec<Levels>,
    other: &[Levels],
    combine: impl Fn(Levels, Levels) -> Levels,
) -> Vec<Levels> {
    for (one, other) in all.iter_mut().zip(other) {
        *one = combine(*one, *other);
    }
    all
}

/// How well a term matches in each item. Adds its weights.
fn levels_of<'q>(
    segment: &Segment,
    term: &'q Term,
    weights: &mut Weights<'q>,
    budget: &mut Budget,
) -> Vec<Levels> {
    let mut levels = vec![Levels::default(); segment.keys.len()];
    for alternative in &term.alternatives {
        let level = alternative.level as u8 + 1;
        let is_counted = weights.start(alternative);
        visit(segment, alternative, budget, |occurrences| {
            let in_title = occurrences.in_title > 0;
            let of_item = &mut levels[occurrences.item];
            *of_item = of_item.max(Levels {
                anywhere: level,
                title: if in_title { level } else { 0 },
            });
            if is_counted {
                weights.add(&occurrences);
            }
        });
    }
    levels
}
