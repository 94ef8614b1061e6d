//! How fast words are found that are similar to a term, and the memory of a vocabulary.

use std::{collections::BTreeSet, hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput};
use text_analysis::Vocabulary;

/// Terms of each kind: as written, parts, misspellings and misspelled prefixes. The last matches many words.
const TERMS: [(&str, &str); 7] = [
    ("word", "conductor"),
    ("prefix", "condu"),
    ("part", "ductor"),
    ("swap", "codnuctor"),
    ("two edits", "kondukter"),
    ("prefix with an edit", "konducto"),
    ("short", "con"),
];

const STARTS: [&str; 24] = [
    "", "re", "un", "con", "de", "pro", "inter", "sub", "trans", "mono", "poly", "over", "under",
    "semi", "anti", "auto", "bio", "geo", "hydro", "micro", "para", "super", "tele", "thermo",
];
const ROOTS: [&str; 40] = [
    "duct", "form", "port", "ject", "spect", "struct", "tract", "vert", "graph", "meter", "scop",
    "morph", "gen", "log", "path", "phon", "phot", "therm", "chron", "cycl", "dynam", "electr",
    "magnet", "matr", "numer", "optic", "organ", "plasm", "press", "script", "sens", "solv",
    "tens", "termin", "vac", "vis", "volv", "rhythm", "calcul", "integr",
];
const ENDINGS: [&str; 26] = [
    "", "s", "or", "ors", "ion", "ions", "ing", "ed", "er", "ers", "able", "ability", "al", "ally",
    "ic", "ics", "ical", "ism", "ist", "ists", "ity", "ive", "ively", "ization", "ize", "ness",
];

/// Different words that resemble English ones, in the order of an even mixture. Words beyond all combinations end in a number.
fn words(count: usize) -> Vec<String> {
    let of = |number: usize| {
        let (start, root, ending) = (number % 24, number / 24 % 40, number / 960 % 26);
        let word = format!("{}{}{}", STARTS[start], ROOTS[root], ENDINGS[ending]);
        match number / 24_960 {
            0 => word,
            round => format!(
                "{word}{}",
                ROOTS[(number + round * 7) % 40].to_owned() + &round.to_string()
            ),
        }
    };
    // 7,919 has no divisor in common with the number of combinations.
    let words: BTreeSet<String> = (0..count)
        .map(|number| of(number / 24_960 * 24_960 + number * 7_919 % 24_960))
        .collect();
    words.into_iter().collect()
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for count in [1_500, 10_000, 100_000] {
        let words = words(count);
        let text: usize = words.iter().map(String::len).sum();
        let mut vocabulary = Vocabulary::default();
        vocabulary.insert_all(&words);
        println!(
            "{} words of {text} bytes: {} bytes in memory",
            words.len(),
            vocabulary.bytes(),
        );
        let mut group = criterion.benchmark_group("similar");
        for (kind, term) in TERMS {
            let id = BenchmarkId::new(kind, count);
            group.bench_function(id, |bencher| {
                bencher.iter(|| vocabulary.similar(black_box(term), 100))
            });
        }
        group.finish();
        let mut group = criterion.benchmark_group("whole set");
        group.throughput(Throughput::Elements(words.len() as u64));
        group.bench_function(BenchmarkId::new("contains", count), |bencher| {
            bencher.iter(|| {
                words
                    .iter()
                    .filter(|word| vocabulary.contains(word))
                    .count()
            });
        });
        group.finish();
    }
    criterion.final_summary();
}
