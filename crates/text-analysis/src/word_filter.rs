//! A filter by the first letters of words. It rejects most words that are not wanted, without copying them.

/// The number of keys: three letters of five bits each.
const KEYS: usize = 1 << 15;

/// Contains the first three letters of the wanted words. It may pass other words, but it never rejects a wanted one.
#[derive(Debug)]
pub(crate) struct WordFilter {
    bits: Box<[u64; KEYS / 64]>,
}

impl Default for WordFilter {
    fn default() -> Self {
        WordFilter {
            bits: Box::new([0; KEYS / 64]),
        }
    }
}

impl WordFilter {
    /// Passes this folded word from now on.
    pub(crate) fn insert(&mut self, word: &str) {
        self.insert_key(key(word.as_bytes()));
    }

    /// Passes all words that start with this folded prefix from now on.
    pub(crate) fn insert_prefix(&mut self, prefix: &str) {
        let first = key(prefix.as_bytes());
        let unknown = 5 * 3_usize.saturating_sub(prefix.len());
        (first..first + (1 << unknown)).for_each(|key| self.insert_key(key));
    }

    fn insert_key(&mut self, key: usize) {
        self.bits[key / 64] |= 1 << (key % 64);
    }

    /// Whether a word of ASCII letters and digits may be a wanted one. Ignores case.
    #[inline]
    pub(crate) fn passes(&self, word: &[u8]) -> bool {
        let key = key(word);
        self.bits[key / 64] & 1 << (key % 64) != 0
    }
}

/// The lowest five bits of each of the first three bytes. They are the same for capital and small letters, and 0 after the end
/// of a short word.
#[inline]
fn key(word: &[u8]) -> usize {
    let letter = |at: usize| word.get(at).map_or(0, |byte| usize::from(byte & 31));
    letter(0) << 10 | letter(1) << 5 | letter(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_words_pass_and_most_others_do_not() {
        let mut filter = WordFilter::default();
        filter.insert("rank");
        filter.insert("of");
        filter.insert_prefix("ma");
        for word in ["rank", "Rank", "of", "OF", "ma", "Matrix", "m4", "MA9"] {
            assert_eq!(filter.passes(word.as_bytes()), word != "m4", "{word}");
        }
        for word in ["r", "ra", "rabbit", "off", "o", "m", "trace", ""] {
            assert!(!filter.passes(word.as_bytes()), "{word}");
        }
        filter.insert_prefix("");
        assert!(filter.passes(b"anything"));
    }
}
