//! How long the highlights of a page of 20 notes take: reading the Markdown, and finding the matches.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use text_analysis::{Highlighter, PlainText, Term, passages};

const NOTES: usize = 20;
const WORDS: usize = 700;

/// Notes of about 5,000 characters, of words that occur with the frequencies of natural language.
fn notes() -> Vec<String> {
    const SYLLABLES: [&str; 16] = [
        "ba", "cor", "den", "fi", "gra", "hol", "jus", "lem", "mor", "quas", "sta", "tion", "wa",
        "ver", "trix", "gen",
    ];
    let mut state = 1_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut word = |at: usize| {
        let number = 30_000_f64.powf(random()) as usize;
        let syllables =
            (0..=number % 4).map(|place| SYLLABLES[((number * 31) >> (3 * place)) % 16]);
        let word: String = syllables.collect();
        match at % 70 {
            69 => format!("**{word}**\n\n"),
            13 | 27 | 41 | 55 => format!("{word}.\n"),
            _ => format!("{word} "),
        }
    };
    (0..NOTES)
        .map(|_| (0..WORDS).map(&mut word).collect())
        .collect()
}

fn highlighters() -> Vec<(&'static str, Highlighter)> {
    let similar = |word: &str| {
        let parts = ["", "s", "ba", "cor", "tion", "gen"].iter();
        parts
            .map(|end| Term::new(&format!("{word}{end}"), false))
            .collect::<Vec<_>>()
    };
    let words = |words: &[&str]| Highlighter::new(words.iter().flat_map(|word| similar(word)));
    vec![
        ("two words", words(&["cormor", "trixgen"])),
        ("a prefix", Highlighter::new([Term::new("lem", true)])),
        ("a phrase", Highlighter::new([Term::new("cor den", false)])),
        ("nothing", words(&["zebra"])),
    ]
}

fn page(criterion: &mut Criterion) {
    let notes = notes();
    let mut group = criterion.benchmark_group("page of 20 notes");
    group.bench_function("Markdown", |bencher| {
        bencher.iter(|| {
            for note in &notes {
                black_box(PlainText::from_markdown(black_box(note)));
            }
        });
    });
    let texts: Vec<String> = notes
        .iter()
        .map(|note| PlainText::from_markdown(note).into_text())
        .collect();
    for (name, highlighter) in highlighters() {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for text in &texts {
                    let found = highlighter.highlights(black_box(text)).into_iter();
                    let found: Vec<_> = found.map(|one| (one.range, one.word)).collect();
                    black_box(passages(text, &found, 3));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, page);
criterion_main!(benches);
