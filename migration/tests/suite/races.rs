//! Several that migrate one database at once.

use std::sync::Arc;

use migration::Back;
use tokio::{sync::Barrier, task::JoinSet};

use crate::place::{Place, on_every_database, schema};

on_every_database!(
    of_all_that_start_together_one_takes_the_steps,
    up_and_down_at_once_end_in_one_of_both,
);

const AT_ONCE: usize = 6;
const ROUNDS: usize = 5;

async fn of_all_that_start_together_one_takes_the_steps(place: Place) {
    let place = Arc::new(place);
    let db = place.connect().await;
    for _ in 0..ROUNDS {
        let barrier = Arc::new(Barrier::new(AT_ONCE));
        let mut racing = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (place, barrier) = (Arc::clone(&place), Arc::clone(&barrier));
            racing.spawn(async move {
                let db = place.connect().await;
                barrier.wait().await;
                migration::up(&db).await.expect("up")
            });
        }
        let mut taken = racing.join_all().await;
        taken.sort_unstable();
        let count = migration::down(&db, Back::All).await.expect("down");
        assert!(count > 0);
        let expected: Vec<usize> =
            std::iter::repeat_n(0, AT_ONCE - 1).chain(std::iter::once(count)).collect();
        assert_eq!(taken, expected, "one takes them all, the others find nothing to do");
    }
}

async fn up_and_down_at_once_end_in_one_of_both(place: Place) {
    let place = Arc::new(place);
    let db = place.connect().await;
    let count = migration::up(&db).await.expect("up");
    let complete = schema(&db).await;
    for _ in 0..ROUNDS {
        let barrier = Arc::new(Barrier::new(AT_ONCE));
        let mut racing = JoinSet::new();
        for at in 0..AT_ONCE {
            let (place, barrier) = (Arc::clone(&place), Arc::clone(&barrier));
            racing.spawn(async move {
                let db = place.connect().await;
                barrier.wait().await;
                match at % 3 {
                    0 => migration::up(&db).await.expect("up"),
                    1 => migration::down(&db, Back::All).await.expect("down"),
                    _ => migration::fresh(&db).await.expect("fresh"),
                }
            });
        }
        let moved = racing.join_all().await;
        assert!(moved.iter().all(|moved| [0, count].contains(moved)), "all or nothing: {moved:?}");
        migration::up(&db).await.expect("up");
        assert_eq!(schema(&db).await, complete);
    }
}
