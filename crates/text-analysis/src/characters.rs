//! Properties of each character: its class, and its folding if that does not depend on the characters around it.
//!
//! Looking up several Unicode properties takes longer than all other work on a character, so the results are cached in pages of 256
//! characters. A page is filled when one of its characters is first used.

use std::{
    collections::HashSet,
    sync::{LazyLock, OnceLock},
};

use icu_normalizer::properties::{
    CanonicalCombiningClassMapBorrowed, CanonicalDecompositionBorrowed, Decomposed,
};

use crate::{
    fold::{fold_characters, is_contextual},
    tokens::class::{Class, classify},
};

/// The properties of a character.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Character {
    pub(crate) class: Class,
    /// The canonical combining class of its folded form.
    order: u8,
    folding: Folding,
}

/// How a character is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folding {
    /// To one character of the same class, wherever it is.
    To(char),
    /// To nothing.
    Removed,
    /// To several characters, or to one that depends on its neighbors.
    Contextual,
}

const PAGE: usize = 256;
const PAGES: usize = 0x11_0000 / PAGE;

/// Returns the properties of a character.
pub(crate) fn character(character: char) -> Character {
    static KNOWN: [OnceLock<Box<[Character]>>; PAGES] = [const { OnceLock::new() }; PAGES];
    let code = character as usize;
    KNOWN[code / PAGE].get_or_init(|| page(code / PAGE))[code % PAGE]
}

/// Returns the class of a character.
pub(crate) fn class(of: char) -> Class {
    character(of).class
}

/// Folds a word or character, and appends the result to `folded` until that has `limit` bytes. If the folding depends on the
/// characters around it, returns false and leaves `folded` as it was.
pub(crate) fn push_folded(word: &str, limit: usize, folded: &mut String) -> bool {
    let (start, mut order) = (folded.len(), 0);
    for source in word.chars() {
        let known = character(source);
        match known.folding {
            Folding::To(_) if folded.len() >= limit => break,
            // Normalization would change the order of the two marks.
            Folding::To(_) if known.order != 0 && known.order < order => {
                folded.truncate(start);
                return false;
            }
            Folding::To(character) => {
                order = known.order;
                folded.push(character);
            }
            Folding::Removed => {}
            Folding::Contextual => {
                folded.truncate(start);
                return false;
            }
        }
    }
    true
}

fn page(page: usize) -> Box<[Character]> {
    let codes = page * PAGE..(page + 1) * PAGE;
    // Surrogates are not characters.
    let character = |code: usize| {
        u32::try_from(code)
            .ok()
            .and_then(char::from_u32)
            .unwrap_or('\u{fffd}')
    };
    codes.map(|code| look_up(character(code))).collect()
}

fn look_up(character: char) -> Character {
    let class = classify(character);
    let folded = fold_characters(&String::from(character), usize::MAX);
    let folded = crate::fold::compose(folded);
    let mut folded = folded.chars();
    let folding = match (folded.next(), folded.next()) {
        _ if is_contextual(character) => Folding::Contextual,
        (None, _) => Folding::Removed,
        (Some(one), None) if classify(one) == class && never_composes(one) => Folding::To(one),
        _ => Folding::Contextual,
    };
    let order = match folding {
        Folding::To(one) => combining_class(one),
        _ => 0,
    };
    Character {
        class,
        order,
        folding,
    }
}

/// Whether no character before this one composes with it.
fn never_composes(character: char) -> bool {
    /// The second halves of all characters that can be decomposed, except Korean syllables.
    static SECONDS: LazyLock<HashSet<char>> = LazyLock::new(|| {
        let composed = ('\0'..='\u{33ff}').chain('\u{10000}'..='\u{17fff}');
        let decompositions = CanonicalDecompositionBorrowed::new();
        let second = |character| match decompositions.decompose(character) {
            Decomposed::Expansion(_, second) => Some(second),
            _ => None,
        };
        composed.filter_map(second).collect()
    });
    !SECONDS.contains(&character) && !matches!(character, '\u{1161}'..='\u{11c2}')
}

fn combining_class(character: char) -> u8 {
    CanonicalCombiningClassMapBorrowed::new().get_u8(character)
}
