//! Looks for texts that make the tokenizer panic, or whose words break a rule of `tests/properties.rs`.

#![no_main]

use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use libfuzzer_sys::fuzz_target;
use text_analysis::{
    Highlighter, Language, MAX_WORD_BYTES, Term, TokenKind, fold, look, stem, tokens,
};

fuzz_target!(|text: &str| {
    let mut last = (0..0, 0);
    for token in tokens(text) {
        assert!(!text[token.range.clone()].is_empty());
        assert!(!token.word.is_empty() && token.word.len() <= MAX_WORD_BYTES);
        look(&token.word);
        stem(&token.word, Language::English);
        if matches!(token.kind, TokenKind::Dictionary | TokenKind::Joined) {
            continue;
        }
        assert!(token.range == last.0 || token.range.start >= last.0.end);
        let again: Vec<String> = tokens(&token.word).map(|again| again.word).collect();
        assert_eq!(again, [token.word]);
        last = (token.range, token.position);
    }

    let words = |text: &str| -> Vec<_> {
        tokens(text).map(|token| (token.word, token.kind, token.position)).collect()
    };
    let decomposed = DecomposingNormalizer::new_nfd().normalize(text);
    let composed = ComposingNormalizer::new_nfc().normalize(text);
    assert_eq!(words(&decomposed), words(&composed));
    assert_eq!(words(&decomposed), words(text));
    assert_eq!(fold(&fold(text)), fold(text));

    let term = Term::new(text, text.len() % 2 == 0);
    let is_term = !term.phrase.is_empty();
    let highlights = Highlighter::new([term]).highlights(text);
    assert_eq!(highlights.is_empty(), !is_term);
});
