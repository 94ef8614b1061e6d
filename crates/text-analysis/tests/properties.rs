//! What is true of the words of every text.

use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use proptest::prelude::*;
use text_analysis::{Highlighter, MAX_WORD_BYTES, Term, Token, TokenKind, fold, look, tokens};

/// Characters with which words begin, end, break or change.
const TRICKY: &str = "aZß1 \n-'_.,^+#{}>¬\u{ad}\u{c}\u{200b}\u{200d}\u{2060}\u{fe0f}\u{301}\u{306}\u{338}\u{345}İıйИё\u{20e3}éﬁ½㎏㍿№²Ⅳªŉ\
    🏷❤👩💻\u{1f3fd}🇩🇪🏴\u{e0067}\u{e007f}क\u{93c}\u{94d}िান\u{9be}\u{9c7}ொกำน\u{e49}\u{e4d}าเລຳໜក\u{17d2}ខា\u{17b4}က\u{1039}\u{102e}ာ\
    أإآىةؤئ\u{640}\u{64e}\u{654}ﷺٱיְ״ש\u{5c1}한ㅋ\u{1112}\u{1161}\u{11ab}か\u{3099}ｶﾞー東㈠⼀٣९𝟜Ａς";

fn text() -> impl Strategy<Value = String> {
    let tricky: Vec<char> = TRICKY.chars().collect();
    let character = prop_oneof![6 => prop::sample::select(tricky), 1 => any::<char>(), 2 => prop::char::range('a', 'f')];
    prop::collection::vec(character, 0..40).prop_map(String::from_iter)
}

fn is_part(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::Character)
}

/// The words with their kinds and positions.
fn words(text: &str) -> Vec<(String, TokenKind, u32)> {
    tokens(text)
        .map(|token| (token.word, token.kind, token.position))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        // More with PROPTEST_CASES.
        cases: ProptestConfig::default().cases.max(500),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn ranges_are_in_the_text_and_in_order(text in text()) {
        let mut last = (0..0, 0);
        for token in tokens(&text) {
            prop_assert!(text.get(token.range.clone()).is_some_and(|source| !source.is_empty()));
            prop_assert!(!token.word.is_empty() && token.word.len() <= MAX_WORD_BYTES);
            if is_part(&token) {
                let (range, position) = last;
                prop_assert!(token.range == range || token.range.start >= range.end);
                prop_assert!(token.position == position || token.range == (0..0) || token.position == position + 1);
                last = (token.range, token.position);
            } else {
                prop_assert_eq!(token.position, last.1);
                prop_assert_eq!(token.range.start, last.0.start);
            }
        }
    }

    #[test]
    fn folded_words_are_their_own_words(text in text()) {
        for token in tokens(&text) {
            let again: Vec<Token> = tokens(&token.word).filter(is_part).collect();
            match token.kind {
                TokenKind::Word | TokenKind::Character => {
                    prop_assert_eq!(again.len(), 1, "{}", &token.word);
                    prop_assert_eq!(&again[0].word, &token.word);
                    prop_assert_eq!(again[0].kind, token.kind);
                }
                TokenKind::Dictionary => prop_assert!(again.len() > 1),
                TokenKind::Joined => {
                    prop_assert_eq!(again.len(), 1, "{}", &token.word);
                    prop_assert_eq!(&again[0].word, &token.word);
                }
            }
        }
    }

    #[test]
    fn longer_tokens_are_the_concatenation_of_their_parts(text in text()) {
        let all: Vec<Token> = tokens(&text).collect();
        for whole in all.iter().filter(|token| !is_part(token)) {
            let parts = all.iter().filter(|part| is_part(part) && part.range.start >= whole.range.start && part.range.end <= whole.range.end);
            prop_assert_eq!(parts.map(|part| part.word.as_str()).collect::<String>(), &whole.word[..]);
        }
    }

    #[test]
    fn composed_and_decomposed_texts_have_the_same_words(text in text()) {
        let composed = ComposingNormalizer::new_nfc().normalize(&text).into_owned();
        let decomposed = DecomposingNormalizer::new_nfd().normalize(&text).into_owned();
        prop_assert_eq!(words(&composed), words(&decomposed));
        prop_assert_eq!(words(&composed), words(&text));
        prop_assert_eq!(fold(&composed), fold(&decomposed));
    }

    #[test]
    fn folding_is_idempotent(text in text()) {
        let folded = fold(&text);
        prop_assert_eq!(fold(&folded), folded);
        look(&text);
    }

    #[test]
    fn every_word_of_a_text_is_highlighted(text in text()) {
        for token in tokens(&text) {
            let term = match is_part(&token) {
                true => Term { phrase: vec![token.word], ..Term::default() },
                false => Term { words: vec![token.word], ..Term::default() },
            };
            let highlights = Highlighter::new([term]).highlights(&text);
            prop_assert!(highlights.iter().any(|highlight| highlight.range.start <= token.range.start && highlight.range.end >= token.range.end));
        }
    }

    #[test]
    fn every_text_is_highlighted_by_itself(text in text()) {
        let term = Term::new(&text, false);
        let Some(last) = tokens(&text).filter(is_part).last() else { return Ok(()) };
        let highlights = Highlighter::new([term]).highlights(&text);
        prop_assert_eq!(highlights[0].range.end, last.range.end);
    }
}

#[test]
fn long_words_are_cut() {
    for word in [
        "a",
        "é",
        "न",
        "ก",
        "中",
        "a\u{301}",
        "½",
        "a-",
        "\u{301}",
        "👩\u{200d}",
        "ﷺ",
        "\u{ad}",
        "-\n",
        "x^",
        "ក\u{17d2}",
        "ㅋ",
        "İ",
    ] {
        let text = word.repeat(200_000);
        let count = tokens(&text)
            .map(|token| assert!(token.word.len() <= MAX_WORD_BYTES, "{word}"))
            .count();
        assert!(count <= 600_000, "{word}: {count}");
    }
}
