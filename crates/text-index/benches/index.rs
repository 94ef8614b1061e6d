//! How long building, changing, searching and storing an index take, and how large it is compared with its text.

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use text_index::{Additions, Alternative, Encode, Index, Level, Query, Term};

const WORDS_PER_ITEM: usize = 150;
const VOCABULARY: usize = 50_000;

/// The attributes of an item: as large as the dates, course and status that a search filters by.
#[derive(Debug, Clone, Copy)]
struct Attributes([u8; 40]);

impl Encode for Attributes {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.0);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (attributes, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(Attributes(*attributes))
    }
}

/// SplitMix64: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Words whose frequencies follow the law of Zipf and Mandelbrot. Frequent words are short.
struct Vocabulary {
    words: Vec<String>,
    /// The sum of the frequencies up to each word.
    sums: Vec<f64>,
}

impl Vocabulary {
    fn new(random: &mut Random) -> Self {
        let (mut words, mut sums, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for rank in 0..VOCABULARY {
            words.push(word(rank, random));
            sum += (rank as f64 + 2.5).powf(-1.2);
            sums.push(sum);
        }
        Vocabulary { words, sums }
    }

    /// The words of a text. A fifth of them repeat words of the text.
    fn text(&self, random: &mut Random) -> Vec<&str> {
        let mut text: Vec<&str> = Vec::with_capacity(WORDS_PER_ITEM);
        for _ in 0..WORDS_PER_ITEM {
            let is_repeated = !text.is_empty() && random.below(5) == 0;
            text.push(match is_repeated {
                true => text[random.below(text.len())],
                false => {
                    let at = random.fraction() * self.sums[VOCABULARY - 1];
                    &self.words[self.sums.partition_point(|sum| *sum < at)]
                }
            });
        }
        text
    }
}

/// A word of syllables. Each number has its own; greater numbers have longer words.
fn word(mut rank: usize, random: &mut Random) -> String {
    const ONSETS: [&str; 16] = [
        "b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr",
    ];
    const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
    let mut word = String::new();
    loop {
        word += ONSETS[rank % ONSETS.len()];
        rank /= ONSETS.len();
        word += VOWELS[rank % VOWELS.len()];
        rank /= VOWELS.len();
        if rank == 0 {
            break;
        }
    }
    word + ["", "s", "n", "ing", "ed"][random.below(5)]
}

struct Corpus {
    texts: Vec<Vec<String>>,
    keys: Vec<u128>,
}

impl Corpus {
    fn new(items: usize) -> Self {
        let random = &mut Random(1);
        let vocabulary = Vocabulary::new(random);
        let owned = |text: Vec<&str>| text.into_iter().map(str::to_owned).collect();
        Corpus {
            texts: (0..items).map(|_| owned(vocabulary.text(random))).collect(),
            keys: (0..items)
                .map(|_| u128::from(random.next()) << 64 | u128::from(random.next()))
                .collect(),
        }
    }

    fn additions(&self, range: std::ops::Range<usize>) -> Additions<Attributes> {
        let mut additions = Additions::default();
        for item in range {
            let words = self.texts[item].iter().map(String::as_str).zip(0..);
            // Four words are the title, and a gap separates it from the text.
            let words = words.map(|(word, at)| (word, if at < 4 { at } else { at + 10 }));
            additions.add(self.keys[item], Attributes([7; 40]), 4, words);
        }
        additions
    }

    fn index(&self) -> Index<Attributes> {
        let mut index = Index::default();
        index.add(self.additions(0..self.texts.len()));
        index
    }

    /// The size of the texts, with a space after each word.
    fn bytes(&self) -> usize {
        let words = self.texts.iter().flatten();
        words.map(|word| word.len() + 1).sum()
    }

    /// All words, the most frequent first.
    fn words(&self) -> Vec<&str> {
        let mut counts = std::collections::BTreeMap::<&str, usize>::new();
        for word in self.texts.iter().flatten() {
            *counts.entry(word).or_default() += 1;
        }
        let mut words: Vec<&str> = counts.keys().copied().collect();
        words.sort_by_key(|word| std::cmp::Reverse(counts[word]));
        words
    }
}

fn alternative(words: &[&str], is_prefix: bool, level: Level) -> Alternative {
    Alternative {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        is_prefix,
        level,
        is_counted: level >= Level::SameStem,
    }
}

fn term(words: &[&str], is_prefix: bool) -> Term {
    Term {
        alternatives: vec![alternative(words, is_prefix, Level::Literal)],
    }
}

fn queries(words: &[&str]) -> Vec<(&'static str, Query)> {
    let all = |terms: Vec<Term>| Query {
        branches: vec![terms],
        excluded: vec![],
    };
    let (first, second, rare) = (words[0], words[1], words[1_000]);
    let alternatives = words[100..140].iter();
    let forty = alternatives.map(|word| alternative(&[word], false, Level::SameStem));
    let forty = Term {
        alternatives: forty.collect(),
    };
    vec![
        ("rare word", all(vec![term(&[rare], false)])),
        ("common word", all(vec![term(&[first], false)])),
        (
            "two common words",
            all(vec![term(&[first], false), term(&[second], false)]),
        ),
        (
            "phrase of common words",
            all(vec![term(&[first, second], false)]),
        ),
        (
            "phrase with a prefix",
            all(vec![term(&[first, &second[..1]], true)]),
        ),
        (
            "prefix of two letters",
            all(vec![term(&[&first[..2]], true)]),
        ),
        ("forty alternatives", all(vec![forty])),
    ]
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for items in [200, 10_000] {
        let corpus = Corpus::new(items);
        let index = corpus.index();
        let bytes = index.to_bytes();
        let without_attributes = bytes.len() - 40 * items;
        println!(
            "{items} items: {} different words; {} bytes of text per item, stored {} without attributes ({:.2}), in memory {}",
            corpus.words().len(),
            corpus.bytes() / items,
            without_attributes / items,
            without_attributes as f64 / corpus.bytes() as f64,
            index.bytes() / items,
        );
        let mut group = criterion.benchmark_group(format!("{items} items"));
        if items > 1_000 {
            group.sample_size(20);
        }
        group.bench_function("build", |bencher| {
            bencher.iter_with_large_drop(|| corpus.index());
        });
        group.bench_function("replace an item", |bencher| {
            let mut index = index.clone();
            let mut item = 0;
            let next = || {
                item = (item + 1) % items;
                corpus.additions(item..item + 1)
            };
            bencher.iter_batched(
                next,
                |additions| index.add(additions),
                BatchSize::SmallInput,
            );
        });
        for (name, query) in queries(&corpus.words()) {
            group.bench_function(format!("search/{name}"), |bencher| {
                bencher.iter_with_large_drop(|| index.search(black_box(&query), |_| true));
            });
        }
        group.bench_function("to_bytes", |bencher| {
            bencher.iter_with_large_drop(|| index.to_bytes());
        });
        group.bench_function("from_bytes", |bencher| {
            bencher.iter_with_large_drop(|| Index::<Attributes>::from_bytes(black_box(&bytes)));
        });
        group.finish();
    }
    criterion.final_summary();
}
