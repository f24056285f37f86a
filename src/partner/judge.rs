//! Whether numbered messages arrived once, all, and in order: one judge for both directions.

use std::collections::BTreeSet;

use super::generator::number_of;

/// How a list of arrived numbers differs from `first..=last`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Never arrived.
    pub lost: Vec<u64>,
    /// Arrived again.
    pub duplicated: Vec<u64>,
    /// Arrived after a higher one, for the first time.
    pub out_of_order: Vec<u64>,
    /// Beginnings of bodies that are none of these messages.
    pub foreign: Vec<String>,
}

/// Compares bodies, in the order of their arrival, with the numbered messages `first..=last`
/// (see [`super::generator::Numbered`]).
pub fn compare<B: AsRef<[u8]>>(bodies: impl IntoIterator<Item = B>, first: u64, last: u64) -> Difference {
    let mut difference = Difference::default();
    let mut seen = BTreeSet::new();
    for body in bodies {
        let body = body.as_ref();
        match number_of(body) {
            Some(number) if (first..=last).contains(&number) => {
                if seen.contains(&number) {
                    difference.duplicated.push(number);
                } else if seen.last().is_some_and(|&highest| highest > number) {
                    difference.out_of_order.push(number);
                }
                seen.insert(number);
            }
            _ => difference.foreign.push(String::from_utf8_lossy(body).chars().take(40).collect()),
        }
    }
    difference.lost = (first..=last).filter(|number| !seen.contains(number)).collect();
    difference
}

/// Exactly the messages `first..=last`, each once, in order; panics with the difference otherwise.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion for tests")]
pub fn assert_once<B: AsRef<[u8]>>(bodies: impl IntoIterator<Item = B>, first: u64, last: u64) {
    let difference = compare(bodies, first, last);
    assert_eq!(difference, Difference::default(), "of the messages {first} to {last}");
}

#[cfg(test)]
mod tests {
    use super::super::generator;
    use super::*;

    #[test]
    fn every_difference_is_found() {
        let bodies = |numbers: &[u64]| numbers.iter().map(|&n| generator::body(n, 64)).collect::<Vec<_>>();
        assert_eq!(compare(bodies(&[1, 2, 3]), 1, 3), Difference::default());
        let found = compare(bodies(&[1, 1, 4, 3, 5, 3, 9]), 1, 6);
        assert_eq!(found.lost, [2, 6]);
        assert_eq!(found.duplicated, [1, 3]);
        assert_eq!(found.out_of_order, [3]);
        assert_eq!(found.foreign.len(), 1);
    }
}
