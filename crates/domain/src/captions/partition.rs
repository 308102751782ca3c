//! The cheapest way to cut a row of things in groups.

/// Cuts `count` things in groups so that the costs add up to the least; the end of each group.
///
/// `offers` calls back with every end that a group which begins at its argument may have, and the
/// cost of it; it must offer the very next end.
pub(super) fn cheapest(
    count: usize,
    offers: impl Fn(usize, &mut dyn FnMut(usize, u64)),
) -> Vec<usize> {
    let mut best: Vec<(u64, usize)> = vec![(u64::MAX, 0); count + 1];
    best[0].0 = 0;
    for from in 0..count {
        let so_far = best[from].0;
        offers(from, &mut |to, cost| {
            let cost = so_far.saturating_add(cost);
            if cost < best[to].0 {
                best[to] = (cost, from);
            }
        });
    }
    let mut ends = Vec::new();
    let mut at = count;
    while at > 0 {
        ends.push(at);
        at = best[at].1;
    }
    ends.reverse();
    ends
}

#[cfg(test)]
mod tests {
    use super::cheapest;

    #[test]
    fn the_sum_counts_and_not_the_first_step() {
        // Groups of up to three, the cheaper the nearer to two.
        let ends = cheapest(4, |from, offer| {
            for size in 1..=3_usize.min(4 - from) {
                offer(from + size, [0, 5, 1, 2][size]);
            }
        });
        assert_eq!(ends, [2, 4]);
        assert_eq!(cheapest(0, |_, _| {}), Vec::<usize>::new());
    }
}
