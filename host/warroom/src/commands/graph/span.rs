//! How far arrows reach: what a layout takes grows with the rows that arrows pass through, in memory too.

/// The number of rows that all arrows together pass through, when boxes are put in rows below each other so that arrows
/// lead down, but for those that close a circle. Each arrow counts two rows for each row of boxes, as its label has a row of
/// its own. The layout finds at most as many, since it makes arrows as short as possible.
///
/// `arrows` are pairs of boxes, by place.
pub(super) fn rows_passed(boxes: usize, arrows: &[(usize, usize)]) -> usize {
    let mut ways: Vec<Vec<usize>> = vec![Vec::new(); boxes];
    for (from, to) in arrows {
        if let Some(ways) = ways.get_mut(*from).filter(|_| from != to && *to < boxes) {
            ways.push(*to);
        }
    }
    let order = order(&ways);
    let mut place_in_order = vec![0; boxes];
    for (place, at) in order.iter().enumerate() {
        if let Some(slot) = place_in_order.get_mut(*at) {
            *slot = place;
        }
    }
    // An arrow that leads back in the order is turned round.
    let place_of = |at: usize| place_in_order.get(at).copied().unwrap_or_default();
    let mut down: Vec<(usize, usize)> = arrows
        .iter()
        .filter(|(from, to)| from != to)
        .map(|(from, to)| (place_of(*from), place_of(*to)))
        .map(|(one, other)| (one.min(other), one.max(other)))
        .collect();
    down.sort_unstable();
    let mut rows = vec![0_usize; boxes];
    let row_of = |rows: &[usize], place: usize| rows.get(place).copied().unwrap_or_default();
    for (above, below) in &down {
        let least = row_of(&rows, *above) + 1;
        if let Some(row) = rows.get_mut(*below) {
            *row = least.max(*row);
        }
    }
    let passed = |(above, below): &(usize, usize)| 2 * (row_of(&rows, *below) - row_of(&rows, *above)) - 1;
    down.iter().map(passed).sum()
}

/// The boxes in an order in which arrows lead forward, but for those that close a circle; found depth first, as the layout
/// finds which arrows to turn round.
fn order(ways: &[Vec<usize>]) -> Vec<usize> {
    let mut met = vec![false; ways.len()];
    let mut finished = Vec::with_capacity(ways.len());
    for start in 0..ways.len() {
        let mut path = vec![(start, 0)];
        while let Some((at, next)) = path.pop() {
            if next == 0 {
                match met.get_mut(at) {
                    Some(met) if !*met => *met = true,
                    _ => continue,
                }
            }
            match ways.get(at).and_then(|ways| ways.get(next)) {
                Some(way) => path.extend([(at, next + 1), (*way, 0)]),
                None => finished.push(at),
            }
        }
    }
    finished.reverse();
    finished
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_count_the_rows_between_their_boxes() {
        assert_eq!(rows_passed(3, &[(0, 1), (1, 2)]), 1 + 1);
        assert_eq!(rows_passed(3, &[(0, 1), (1, 2), (0, 2)]), 1 + 1 + 3);
        assert_eq!(rows_passed(3, &[(0, 2), (0, 1), (1, 2)]), 1 + 1 + 3);
    }

    #[test]
    fn an_arrow_that_closes_a_circle_counts_as_if_it_led_down() {
        assert_eq!(rows_passed(4, &[(0, 1), (1, 2), (2, 3), (3, 0)]), 1 + 1 + 1 + 5);
        assert_eq!(rows_passed(2, &[(0, 1), (1, 0), (1, 1)]), 1 + 1);
        assert_eq!(rows_passed(0, &[]), 0);
    }
}
