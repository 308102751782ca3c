//! How long it takes to write an hour of speech as JSON. The goal is 50 ms.

#[path = "../../domain/examples/exports/hour.rs"]
mod hour;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

fn an_hour(criterion: &mut Criterion) {
    let transcript = hour::hour();
    criterion.bench_function("an hour as json", |bencher| {
        bencher.iter(|| api::transcript_json(black_box(&transcript)));
    });
}

criterion_group! {
    name = exports;
    config = Criterion::default().sample_size(20);
    targets = an_hour
}
criterion_main!(exports);
