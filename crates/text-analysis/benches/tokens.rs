//! How many megabytes of text per second are split into words.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use text_analysis::{Highlighter, Term, fold, tokens};

const TEXTS: [(&str, &str); 8] = [
    (
        "english",
        "The rank of a matrix is the dimension of the vector space spanned by its columns. ",
    ),
    (
        "code",
        "let value = serde_json::from_str(&input_text)?; // x^2 + 3.14, C++ and don't\n",
    ),
    (
        "german",
        "Die Wahrscheinlichkeit für große Abweichungen fällt über längere Zeiträume ähnlich schnell. ",
    ),
    (
        "russian",
        "Ранг матрицы равен размерности пространства, порождённого её столбцами. ",
    ),
    (
        "hindi",
        "किसी आव्यूह की कोटि उसके स्तंभों से बने सदिश समष्टि की विमा होती है। ",
    ),
    (
        "arabic",
        "رتبة المصفوفة هي بُعد الفضاء المتجهي المتولد عن أعمدتها. ",
    ),
    (
        "thai",
        "แรงก์ของเมทริกซ์คือมิติของปริภูมิเวกเตอร์ที่แผ่ทั่วโดยคอลัมน์ของเมทริกซ์นั้น ",
    ),
    (
        "chinese",
        "矩阵的秩是其列向量所张成的向量空间的维数。行列式不为零的方阵是满秩的。",
    ),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("text-analysis");
    for (name, sentence) in TEXTS {
        let text = sentence.repeat(200_000 / sentence.chars().count());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("tokens/{name}"), |bencher| {
            bencher.iter(|| black_box(tokens(&text)).count());
        });
        group.bench_function(format!("fold/{name}"), |bencher| {
            bencher.iter(|| black_box(fold(&text)));
        });
        let highlighter = Highlighter::new([Term::new("rank", true), Term::new("向量", false)]);
        group.bench_function(format!("highlights/{name}"), |bencher| {
            bencher.iter(|| black_box(highlighter.highlights(&text)));
        });
    }
    group.finish();
    criterion.final_summary();
}
