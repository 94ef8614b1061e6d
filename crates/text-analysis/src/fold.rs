//! Folding: makes spellings equal that readers regard as the same.
//!
//! - All scripts: case, compatibility forms (width, ligatures, ², ℝ), composed and decomposed letters, digits, invisible characters.
//! - Latin, Greek, Cyrillic: accents. `ß` is `ss`, and `İ`, `I`, `ı` and `i` are one letter. `й` is not `и`: it is a separate
//!   letter in CLDR's root collation, and words such as *мой* and *мои* differ only by it. `ё` is `е`, as most texts write it.
//! - Arabic: vowel points and tatweel are removed; `أ`, `إ`, `آ`, `ٱ` are `ا`, `ى` and Persian `ی` are `ي`, `ة` is `ه`, `ک` is `ك`.
//!   Lucene's normalizers do the same. `ؤ` and `ئ` stay the same.
//! - Hebrew and Syriac: vowel points are removed.
//! - Indic scripts, Thai, Lao, Khmer, Burmese: all vowel signs, viramas and tone marks stay.

use std::{borrow::Cow, ops::RangeInclusive, sync::LazyLock};

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup},
};

use crate::characters::push_folded;
use crate::tokens::class::{Class, classify, is_apostrophe, is_hyphen};

/// Maximum length of a folded word in bytes.
pub const MAX_WORD_BYTES: usize = 255;

/// Folds case, accents, width, Unicode forms and invisible characters of a whole text, so that parts of it can be compared.
/// Punctuation stays, and each run of white space becomes one space.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut space = false;
    let mut characters = String::with_capacity(text.len());
    if !push_folded(text, usize::MAX, &mut characters) {
        characters = compose(fold_characters(text, usize::MAX));
    }
    for character in characters.chars() {
        match character {
            character if character.is_whitespace() => space = true,
            character => {
                if std::mem::take(&mut space) && !folded.is_empty() {
                    folded.push(' ');
                }
                folded.push(match character {
                    character if is_apostrophe(character) => '\'',
                    character if is_hyphen(character) => '-',
                    '\u{2012}'..='\u{2015}' | '\u{2212}' => '-',
                    '\u{201c}'..='\u{201f}' | '«' | '»' => '"',
                    character => character,
                });
            }
        }
    }
    folded
}

/// Folds one word or character. The result may contain punctuation if a character stands for several: `½` becomes `1⁄2`.
pub(crate) fn fold_word(word: &str) -> String {
    let mut folded = compose(fold_characters(word, 4 * MAX_WORD_BYTES));
    folded.truncate(folded.floor_char_boundary(MAX_WORD_BYTES));
    folded
}

/// Whether the character is a symbol that stands for letters or digits.
pub(crate) fn stands_for_letters(character: char) -> bool {
    if matches!(character, '™' | '℠') {
        return false;
    }
    let mut decomposed = NFKD.normalize_iter(std::iter::once(character)).peekable();
    decomposed.peek() != Some(&character)
        && decomposed.any(|part| matches!(classify(part), Class::Letter | Class::Spaceless))
}

const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
static CASES: LazyLock<icu_casemap::CaseMapperBorrowed<'static>> = LazyLock::new(CaseMapper::new);

pub(crate) fn compose(decomposed: String) -> String {
    match NFC.normalize(&decomposed) {
        Cow::Borrowed(_) => decomposed,
        Cow::Owned(composed) => composed,
    }
}

/// Folds the characters of a text, decomposed, up to about `limit` bytes.
pub(crate) fn fold_characters(text: &str, limit: usize) -> String {
    let mut folded = String::with_capacity(text.len().min(limit));
    let ignored = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let visible = text
        .chars()
        .filter(|&character| !ignored.contains(character));
    let mut base = '\0';
    for character in NFKD.normalize_iter(visible) {
        if folded.len() >= limit {
            break;
        }
        if !is_removed(character, &mut base) {
            push_letters(character, &mut folded);
        }
    }
    folded
}

/// Whether the character is folded differently after certain letters.
pub(crate) fn is_contextual(character: char) -> bool {
    matches!(character, '\u{306}' | '\u{654}' | '\u{e4d}' | '\u{ecd}')
}

/// Whether folding removes the decomposed character. `base` is the letter before it.
fn is_removed(character: char, base: &mut char) -> bool {
    let is_letter = match character {
        // й is a letter of its own, as in CLDR's root collation; ё and ї are letters with accents.
        '\u{306}' => matches!(base, 'и' | 'И'),
        // A hamza is part of the letters ؤ and ئ, and an accent elsewhere.
        '\u{654}' => matches!(base, 'و' | 'ي'),
        _ => false,
    };
    if is_letter {
        *base = '\0';
        return false;
    }
    let is_mark = || {
        GeneralCategoryGroup::Mark
            .contains(CodePointMapData::<GeneralCategory>::new().get(character))
    };
    if is_accent(character) || is_vowel_point(character) {
        return true;
    }
    if !is_mark() {
        *base = character;
    }
    false
}

/// Whether the mark is an accent of Latin, Greek and Cyrillic letters, or of formulas.
fn is_accent(mark: char) -> bool {
    matches!(mark, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Whether the character is a vowel point or reading aid of Hebrew, Arabic or Syriac, which most texts omit. This includes the
/// tatweel, which only makes a word longer.
fn is_vowel_point(character: char) -> bool {
    matches!(character, '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
        | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}'
        | '\u{6df}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}' | '\u{711}' | '\u{730}'..='\u{74a}'
        | '\u{8ca}'..='\u{8e1}' | '\u{8e3}'..='\u{8ff}')
}

/// Folds a decomposed character without accents.
fn push_letters(character: char, folded: &mut String) {
    match CASES.simple_fold(character) {
        'ß' => folded.push_str("ss"),
        'æ' => folded.push_str("ae"),
        'œ' => folded.push_str("oe"),
        'þ' => folded.push_str("th"),
        'ø' => folded.push('o'),
        'ł' => folded.push('l'),
        'đ' | 'ð' => folded.push('d'),
        'ħ' => folded.push('h'),
        'ŧ' => folded.push('t'),
        'ı' => folded.push('i'),
        // Letter forms of Arabic, as in Lucene's ArabicNormalizer and PersianNormalizer.
        'ٱ' => folded.push('ا'),
        'ى' | 'ی' => folded.push('ي'),
        'ک' => folded.push('ك'),
        'ة' | 'ہ' | 'ە' => folded.push('ه'),
        // Thai and Lao AM: NFKD decomposes them, but the dictionaries contain them as one letter.
        aa @ '\u{e32}' => push_am('\u{e4d}', '\u{e48}'..='\u{e4b}', aa, folded),
        aa @ '\u{eb2}' => push_am('\u{ecd}', '\u{ec8}'..='\u{ecb}', aa, folded),
        character if character.is_ascii() => folded.push(character),
        character => folded.push(decimal_digit(character).unwrap_or(character)),
    }
}

/// Writes the vowel AA, or AM if the sign is before it or before the tone mark between them.
fn push_am(sign: char, tones: RangeInclusive<char>, aa: char, folded: &mut String) {
    let tone = folded
        .chars()
        .next_back()
        .filter(|last| tones.contains(last));
    let before = &folded[..folded.len() - tone.map_or(0, char::len_utf8)];
    let Some(length) = before.strip_suffix(sign).map(str::len) else {
        return folded.push(aa);
    };
    folded.truncate(length);
    folded.extend(tone);
    folded.push(if aa == '\u{e32}' {
        '\u{e33}'
    } else {
        '\u{eb3}'
    });
}

/// The value of a decimal digit of any script, as a digit from 0 to 9.
fn decimal_digit(character: char) -> Option<char> {
    let is_digit = |code| {
        CodePointMapData::<GeneralCategory>::new().get32(code) == GeneralCategory::DecimalNumber
    };
    let code = u32::from(character);
    if !is_digit(code) {
        return None;
    }
    // Each script's ten digits follow each other, and some scripts have several sets in a row.
    let before = (1..=code)
        .take_while(|&distance| is_digit(code - distance))
        .count() as u32;
    char::from_digit(before % 10, 10)
}
