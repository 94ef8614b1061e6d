use proptest::{collection::vec, prelude::*};

use super::{
    Likeness::{self, *},
    Vocabulary, accepts,
    likeness::FOREIGN,
};
use crate::{Language, is_stop_word, look, stem};

fn vocabulary(words: &[&str]) -> Vocabulary {
    let mut vocabulary = Vocabulary::default();
    vocabulary.insert_all(words);
    vocabulary
}

fn similar(words: &[&str], term: &str) -> Vec<(String, Likeness)> {
    let vocabulary = vocabulary(words);
    let similar = vocabulary.similar(term, 100).into_iter();
    similar
        .map(|similar| (similar.word.to_owned(), similar.likeness))
        .collect()
}

#[test]
fn each_likeness_is_found() {
    let cases: &[(&str, &str, Option<Likeness>)] = &[
        ("algorithm", "algorithm", Some(Same)),
        ("connected", "connections", Some(SameStem)),
        ("lie", "lying", Some(SameStem)),
        ("dying", "die", Some(SameStem)),
        ("happy", "happiness", Some(SameStem)),
        ("sensibility", "sensible", Some(SameStem)),
        ("algo", "algorithm", Some(Prefix)),
        ("mor", "morning", Some(Prefix)),
        ("modern", "modem", Some(SameLook)),
        ("mod1", "modi", Some(SameLook)),
        ("rithm", "algorithm", Some(Part)),
        ("ウェブ", "ミニウェブ", Some(Part)),
        ("graph", "grpah", Some(Misspelled)),
        ("graph", "graqh", Some(Misspelled)),
        ("graph", "graps", Some(Misspelled)),
        ("graph", "crapx", None),
        ("graph", "paragrph", None),
        ("xgraph", "graph", Some(Misspelled)),
        ("grav", "grac", None),
        ("mitochndrya", "mitochondria", Some(Misspelled)),
        ("алгортм", "алгоритм", Some(Misspelled)),
        ("algoritm", "algorithmically", Some(MisspelledPrefix)),
        ("algoritm", "xlgorithmically", None),
        ("algor", "algar", Some(Misspelled)),
        ("algor", "algarithm", None),
        ("al", "algorithm", None),
        ("two words", "words", None),
    ];
    for (term, word, likeness) in cases {
        let found = similar(&[word], term);
        let found = found.first().map(|(_, likeness)| *likeness);
        assert_eq!(found, *likeness, "{term} in {word}");
    }
}

#[test]
fn a_part_is_not_found_across_two_words() {
    assert_eq!(similar(&["abcar", "petxy"], "carpet"), []);
    let expected = [("xcarpet".to_owned(), Part)];
    assert_eq!(
        similar(&["abcarp", "etcar", "pet", "xcarpet"], "carpet"),
        expected
    );
}

#[test]
fn the_most_similar_shortest_first_words_come_first() {
    let words = [
        "graphs",
        "graph",
        "paragraph",
        "graphical",
        "graphed",
        "grapes",
        "zgraph",
        "agraph",
    ];
    let found = similar(&words, "graph");
    let found: Vec<&str> = found.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(found[..4], ["graph", "graphs", "graphed", "graphical"]);
    assert_eq!(found[4..], ["agraph", "zgraph", "paragraph"]);
    let vocabulary = vocabulary(&words);
    let few: Vec<&str> = vocabulary
        .similar("graph", 3)
        .iter()
        .map(|found| found.word)
        .collect();
    assert_eq!(few, ["graph", "graphs", "graphed"]);
}

#[test]
fn words_are_kept_once_within_their_limits() {
    let long = "x".repeat(255);
    let too_long = "x".repeat(256);
    let mut vocabulary = vocabulary(&["the", "the", "of", "", &long, &too_long]);
    vocabulary.insert_all(["the", "new"]);
    assert_eq!(
        vocabulary.words().collect::<Vec<_>>(),
        ["new", "the", &long]
    );
    assert!(vocabulary.contains(&long) && vocabulary.contains("new"));
    assert!(
        !vocabulary.contains(&too_long) && !vocabulary.contains("of") && !vocabulary.contains("ne")
    );
    assert!(accepts("ñañ") && !accepts("ña"));
}

#[test]
fn many_words_inserted_in_batches_stay_compact() {
    let words: Vec<String> = (0..30_000)
        .map(|number| format!("word{}", number * 7919 % 30_000))
        .collect();
    let mut vocabulary = Vocabulary::default();
    for batch in words.chunks(100) {
        vocabulary.insert_all(batch);
    }
    assert_eq!(vocabulary.len(), 30_000);
    assert!(words.iter().all(|word| vocabulary.contains(word)));
    assert!(vocabulary.words().is_sorted());
    let text: usize = words.iter().map(String::len).sum();
    assert!(
        vocabulary.bytes() <= 3 * text,
        "{} for {text}",
        vocabulary.bytes()
    );
}

/// The expected likeness, computed without the filters that make the search fast.
fn likeness(term: &str, word: &str) -> Option<Likeness> {
    let (term_look, word_look): (Vec<char>, Vec<char>) =
        (look(term).chars().collect(), look(word).chars().collect());
    let max_edits = match term.chars().count() {
        5..8 => 1,
        8.. => 2,
        _ => 0,
    };
    let head = word_look.iter().take(2).eq(term_look.iter().take(2));
    let tail = word_look
        .iter()
        .rev()
        .take(2)
        .eq(term_look.iter().rev().take(2));
    let is_swapped = (1..term_look.len()).any(|at| {
        let mut swapped = term_look.clone();
        swapped.swap(at - 1, at);
        swapped == word_look
    });
    let start = &word_look[..word_look.len().min(term_look.len())];
    let ordered = [
        (word == term, Same),
        (stem_of(word) == stem_of(term), SameStem),
        (word.starts_with(term), Prefix),
        (word_look == term_look, SameLook),
        (has_same_foreign_stem(word, term), SameForeignStem),
        (word.contains(term), Part),
        (
            max_edits > 0
                && (head || tail)
                && (is_swapped || edits(&word_look, &term_look) <= max_edits),
            Misspelled,
        ),
        (
            max_edits > 1 && head && edits(start, &term_look) <= max_edits,
            MisspelledPrefix,
        ),
    ];
    ordered
        .into_iter()
        .find_map(|(holds, likeness)| holds.then_some(likeness))
}

fn has_same_foreign_stem(word: &str, term: &str) -> bool {
    let is_same = |language: &Language| {
        let of_term = stem(term, *language);
        let starts = || word.starts_with(&of_term[..of_term.len() - 1]);
        of_term.len() > 3 && stem(word, *language) == of_term && starts()
    };
    term.bytes().all(|byte| byte.is_ascii_alphabetic()) && FOREIGN.iter().any(is_same)
}

fn stem_of(word: &str) -> String {
    if is_stop_word(word) {
        word.to_owned()
    } else {
        stem(word, Language::English).into_owned()
    }
}

fn edits(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, of_other) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != of_other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// Words of few letters, so that many are similar.
fn word() -> impl Strategy<Value = String> {
    let endings = "(|s|ed|ing|ings|ly|ies|ility|ational|ization|ful|y|e)";
    prop_oneof![
        "[rnmi1l]{3,6}",
        "[rnmclvw0oi1]{7,10}",
        "[abc]{4,9}",
        "[a-e]{5,12}",
        "[абв]{4,10}",
        "[aäβ語]{3,9}",
        ("[a-d]{3,5}", endings).prop_map(|(start, ending)| start + &ending),
    ]
}

/// The word after some edits.
fn edited() -> impl Strategy<Value = (String, String)> {
    let edit = (
        any::<prop::sample::Index>(),
        0..4,
        prop::char::range('a', 'e'),
    );
    (word(), vec(edit, 0..4)).prop_map(|(word, edits)| {
        let mut chars: Vec<char> = word.chars().collect();
        for (at, edit, letter) in edits {
            let at = at.index(chars.len());
            match edit {
                0 if chars.len() > 1 => drop(chars.remove(at)),
                1 => chars.insert(at, letter),
                2 if at > 0 => chars.swap(at - 1, at),
                _ => chars[at] = letter,
            }
        }
        (word, chars.into_iter().collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn similar_words_are_those_of_a_naive_comparison(words in vec(word(), 0..40), pairs in vec(edited(), 1..5), batch in 1..50_usize) {
        let words: Vec<&String> = words.iter().chain(pairs.iter().map(|(_, edited)| edited)).collect();
        let mut vocabulary = Vocabulary::default();
        words.chunks(batch).for_each(|words| vocabulary.insert_all(words));
        for (term, _) in &pairs {
            let mut expected: Vec<(Likeness, &str)> = words.iter()
                .filter(|word| accepts(word) && term.chars().count() >= 3)
                .filter_map(|word| Some((likeness(term, word)?, word.as_str()))).collect();
            expected.sort_by(|one, other| (other.0, one.1.chars().count(), one.1).cmp(&(one.0, other.1.chars().count(), other.1)));
            expected.dedup();
            let found = vocabulary.similar(term, 1_000);
            let found: Vec<(Likeness, &str)> = found.iter().map(|found| (found.likeness, found.word)).collect();
            prop_assert_eq!(found, expected, "{}", term);
        }
    }
}
