//! The classes of characters: how a character affects the words around it.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        Alphabetic, DefaultIgnorableCodePoint, Emoji, EmojiPresentation, GeneralCategory,
        GeneralCategoryGroup, LineBreak,
    },
};

/// How a character affects the words around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Separates words.
    Other,
    /// A letter or number: starts a word and continues it.
    Letter,
    /// A combining mark: continues a word or a character.
    Mark,
    /// An invisible character: continues a word or a character, and is not part of its folded form.
    Ignored,
    /// A letter of a script written without spaces.
    Spaceless,
    /// A pictogram.
    Emoji,
    /// A symbol that stands for letters, such as ㎏ and ㍿.
    Composed,
}

/// Finds the class of a character by its Unicode properties.
pub(crate) fn classify(character: char) -> Class {
    if character.is_ascii() {
        return match character.is_ascii_alphanumeric() {
            true => Class::Letter,
            false => Class::Other,
        };
    }
    if CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character) {
        return Class::Ignored;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    if is_spaceless(character, category) {
        return Class::Spaceless;
    }
    if GeneralCategoryGroup::Mark.contains(category) || matches!(character, '\u{ff9e}' | '\u{ff9f}')
    {
        return Class::Mark;
    }
    if is_apostrophe(character) {
        return Class::Other;
    }
    if is_emoji(character) {
        return Class::Emoji;
    }
    if GeneralCategoryGroup::Number.contains(category)
        || CodePointSetData::new::<Alphabetic>().contains(character)
    {
        return Class::Letter;
    }
    match crate::fold::stands_for_letters(character) {
        true => Class::Composed,
        false => Class::Other,
    }
}

/// Chinese, Japanese and Korean characters, and the scripts for which line breaks need a dictionary.
fn is_spaceless(character: char, category: GeneralCategory) -> bool {
    use GeneralCategory::{LetterNumber, ModifierLetter, OtherLetter};
    if !matches!(category, OtherLetter | ModifierLetter | LetterNumber) {
        return matches!(character, '\u{2e80}'..='\u{2fdf}');
    }
    is_cjk(character)
        || CodePointMapData::<LineBreak>::new().get(character) == LineBreak::ComplexContext
}

/// Whether the letter is Chinese, Japanese or Korean.
fn is_cjk(character: char) -> bool {
    is_hangul(character)
        || matches!(character,
        '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{303c}' | '\u{3041}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9d}' | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether the letter is Korean.
pub(crate) fn is_hangul(character: char) -> bool {
    matches!(character, '\u{1100}'..='\u{11ff}' | '\u{3131}'..='\u{318e}' | '\u{a960}'..='\u{a97c}'
        | '\u{ac00}'..='\u{d7fb}' | '\u{ffa1}'..='\u{ffdc}')
}

/// Whether the character is a pictogram, and not an arrow, a digit or a letter in a circle.
fn is_emoji(character: char) -> bool {
    CodePointSetData::new::<Emoji>().contains(character)
        && (character >= '\u{1f000}'
            || matches!(character, '\u{2600}'..='\u{27bf}')
            || CodePointSetData::new::<EmojiPresentation>().contains(character))
}

/// Whether the character is an apostrophe, which some fonts and keyboards write as a quotation mark or letter.
pub(crate) fn is_apostrophe(character: char) -> bool {
    matches!(
        character,
        '\'' | '´' | '\u{55a}' | '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{ff07}'
    ) || matches!(character, '\u{2bb}'..='\u{2bd}')
}

/// Whether the character is a hyphen that can split a word at the end of a line.
pub(crate) fn is_hyphen(character: char) -> bool {
    matches!(
        character,
        '-' | '\u{2010}' | '\u{2011}' | '\u{ff0d}' | '\u{fe63}' | '\u{58a}' | '\u{5be}'
    )
}
