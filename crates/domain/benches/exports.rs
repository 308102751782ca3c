//! How long it takes to write an hour of speech. The goal is 50 ms for each format.

#[path = "../examples/exports/hour.rs"]
mod hour;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use domain::{
    CaptionSettings,
    export::{Format, render},
};

fn an_hour(criterion: &mut Criterion) {
    let transcript = hour::hour();
    let settings = CaptionSettings::default();
    for format in Format::ALL {
        if let Format::Text(text) = format {
            criterion.bench_function(&format!("an hour as {}", format.as_str()), |bencher| {
                bencher.iter(|| render(black_box(&transcript), text, &settings, Some("An hour")));
            });
        }
    }
}

criterion_group! {
    name = exports;
    config = Criterion::default().sample_size(20);
    targets = an_hour
}
criterion_main!(exports);
