//! Calls at once, on a store that others change meanwhile: whichever comes first, they agree on
//! what became of the job, and none of them fails for having met another.

mod calling_off;
mod crowd;
mod twice;

use std::env;

pub use calling_off::*;
pub use crowd::*;
pub use twice::*;

use crate::contract::Stores;

/// How often each pair meets: `RACE_ROUNDS`, or once in every way in which one of them is a little
/// late.
fn rounds() -> impl Iterator<Item = Round> {
    const EVERY_WAY: u32 = 16;
    let rounds = env::var_os("RACE_ROUNDS").map_or(EVERY_WAY, |rounds| {
        rounds.to_str().and_then(|rounds| rounds.parse().ok()).expect("a number")
    });
    (0..rounds).map(Round)
}

/// One meeting.
#[derive(Debug, Clone, Copy)]
struct Round(u32);

impl Round {
    /// Makes two calls at once, each after up to three short ones of its own.
    async fn race<A, B>(
        self,
        stores: &Stores,
        one: impl Future<Output = A>,
        other: impl Future<Output = B>,
    ) -> (A, B) {
        let late = async |calls: u32| {
            for _ in 0..calls % 4 {
                stores.duplicates().await;
            }
        };
        let one = async { (late(self.0).await, one.await).1 };
        let other = async { (late(self.0 / 4).await, other.await).1 };
        // A store that never waits would let the first one win each time.
        if self.0.is_multiple_of(2) {
            tokio::join!(one, other)
        } else {
            let (other, one) = tokio::join!(other, one);
            (one, other)
        }
    }

    /// One of these, in turn.
    fn of<T: Clone>(self, choice: &[T]) -> T {
        choice[self.0 as usize % choice.len()].clone()
    }
}
