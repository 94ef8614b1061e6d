//! How fast notes are read, in bytes of Markdown per second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use text_analysis::{PlainText, excerpt, passages};

const PROSE: &str = "\
## Eigenvalues and the *characteristic polynomial* {#eigen}

A scalar $\\lambda$ is an **eigenvalue** of $A$ if there is a vector $v \\neq 0$ with $Av = \\lambda v$. Its
eigenvectors are the solutions of a [homogeneous system](https://example.com/linear), so they form a sub-
space. See also `numpy.linalg.eig`, Cauchy&ndash;Schwarz and the notes of last week[^week].

- The trace is the *sum* of all eigenvalues.
- The determinant is their **product**:
  1. with multiplicities,
  2. over $\\mathbb{C}$.

| matrix | eigenvalues | diagonalizable |
| --- | --- | --- |
| identity | 1 | yes |
| shear | 1 | no |

> Every symmetric matrix has an orthonormal basis of eigenvectors. This is the spectral
> theorem, and its proof is by induction.

```python
values, vectors = numpy.linalg.eig(matrix)
print(values.real)
```

[^week]: Lecture 7, page 3.

";

const HTML: &str = "\
<div class=\"theorem\" id=\"t1\">
  <p>Water is H<sub>2</sub>O, and AT&amp;T is a company.</p>
  <ul><li>First item<li>Second <em>item</em></ul>
  <table><tr><td>cell</td><td>another cell</td></tr></table>
</div>

";

fn sample(part: &str) -> String {
    part.repeat(100_000 / part.len())
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from_markdown");
    let plain = "Plain words of a recognized page, without any markup at all.\n".to_owned();
    for (name, note) in [
        ("prose", sample(PROSE)),
        ("html", sample(HTML)),
        ("plain", sample(&plain)),
        ("short prose", PROSE.to_owned()),
    ] {
        group.throughput(Throughput::Bytes(note.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| PlainText::from_markdown(black_box(&note)));
        });
    }
    group.finish();
}

fn show(criterion: &mut Criterion) {
    let plain = PlainText::from_markdown(&sample(PROSE)).into_text();
    let highlights: Vec<_> = plain.match_indices("eigenvalue").collect();
    let highlights: Vec<_> = highlights
        .iter()
        .map(|(at, word)| (*at..at + word.len(), *word))
        .collect();
    criterion.bench_function("excerpt", |bencher| {
        bencher.iter(|| excerpt(black_box(&plain), 200));
    });
    criterion.bench_function("passages", |bencher| {
        bencher.iter(|| passages(black_box(&plain), &highlights, 3));
    });
}

criterion_group!(benches, read, show);
criterion_main!(benches);
