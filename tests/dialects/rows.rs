//! Which combinations are run.

use std::collections::HashSet;

use crate::options::{AXES, Axis, IMPOSSIBLE, Phase};

/// For each axis, which of its values.
pub(crate) type Row = Vec<usize>;

/// The full product of each phase with what holds throughout. The other phases' options are drawn for each, and rows are
/// added until each pair of values that can be together is.
pub(crate) fn all() -> Vec<Row> {
    let mut dice = Dice(0x2026_0102);
    let mut rows = Vec::new();
    let impossible = impossible();
    for phase in Phase::ALL.iter().filter(|phase| **phase != Phase::Throughout) {
        let inside: Vec<usize> = indices(|axis| axis.phase == *phase || axis.phase == Phase::Throughout);
        let count: usize = inside.iter().map(|&at| AXES[at].values.len()).product();
        for mut number in 0..count {
            let mut fixed = vec![None; AXES.len()];
            for &at in &inside {
                fixed[at] = Some(number % AXES[at].values.len());
                number /= AXES[at].values.len();
            }
            rows.extend(complete(&fixed, &impossible, &mut dice));
        }
    }
    let mut missing = pairs().difference(&covered(&rows)).copied().collect::<Vec<_>>();
    missing.sort_unstable();
    for ((one, one_value), (other, other_value)) in missing {
        let mut fixed = vec![None; AXES.len()];
        (fixed[one], fixed[other]) = (Some(one_value), Some(other_value));
        rows.extend(complete(&fixed, &impossible, &mut dice));
    }
    rows
}

/// A row with these values, the others drawn; none if that cannot be.
fn complete(fixed: &[Option<usize>], impossible: &[Vec<Place>], dice: &mut Dice) -> Option<Row> {
    let mut row: Vec<Option<usize>> = fixed.to_vec();
    let fits = |row: &[Option<usize>]| {
        !impossible.iter().any(|together| together.iter().all(|&(axis, value)| row[axis] == Some(value)))
    };
    if !fits(&row) {
        return None;
    }
    for at in 0..AXES.len() {
        while row[at].is_none() || !fits(&row) {
            row[at] = Some(dice.below(AXES[at].values.len()));
        }
    }
    row.into_iter().collect()
}

/// An axis, and one of its values.
type Place = (usize, usize);

fn impossible() -> Vec<Vec<Place>> {
    let place = |&(axis, value): &(&str, &str)| {
        let at = AXES.iter().position(|it| it.name == axis).unwrap_or_else(|| panic!("no axis {axis}"));
        let values = AXES[at].values;
        (at, values.iter().position(|it| it.0 == value).unwrap_or_else(|| panic!("no {value} of {axis}")))
    };
    let sorted = |mut places: Vec<Place>| {
        places.sort_unstable();
        places
    };
    IMPOSSIBLE.iter().map(|it| sorted(it.together.iter().map(place).collect())).collect()
}

/// Every pair of values that can be together, the first axis first.
fn pairs() -> HashSet<(Place, Place)> {
    let values = |at: usize| (0..AXES[at].values.len()).map(move |value| (at, value));
    let mut pairs = HashSet::new();
    for one in 0..AXES.len() {
        for other in one + 1..AXES.len() {
            pairs.extend(values(one).flat_map(|a| values(other).map(move |b| (a, b))));
        }
    }
    for together in impossible() {
        if let &[one, other] = together.as_slice() {
            pairs.remove(&(one, other));
        }
    }
    pairs
}

fn covered(rows: &[Row]) -> HashSet<(Place, Place)> {
    let most = AXES.iter().map(|axis| axis.values.len()).max().unwrap_or(0);
    let places = AXES.len() * most;
    let mut seen = vec![false; places * places];
    for row in rows {
        for (one, a) in row.iter().enumerate() {
            for (other, b) in row.iter().enumerate().skip(one + 1) {
                seen[(one * most + a) * places + other * most + b] = true;
            }
        }
    }
    let place = |number: usize| (number / most, number % most);
    let found = seen.iter().enumerate().filter(|(_, seen)| **seen);
    found.map(|(number, _)| (place(number / places), place(number % places))).collect()
}

/// Each pair of values is in some row, unless it is listed as impossible.
pub(crate) fn assert_covered(rows: &[Row]) {
    let covered = covered(rows);
    let missing: Vec<_> = pairs().difference(&covered).copied().collect();
    assert!(missing.is_empty(), "{} pairs of values in no run: {missing:?}", missing.len());
}

fn indices(which: impl Fn(&Axis) -> bool) -> Vec<usize> {
    (0..AXES.len()).filter(|&at| which(&AXES[at])).collect()
}

/// A row for a person.
pub(crate) fn describe(row: &Row) -> String {
    let named: Vec<_> =
        AXES.iter().zip(row).map(|(axis, &value)| format!("{} = {}", axis.name, axis.values[value].0)).collect();
    named.join("; ")
}

/// Numbers that are the same each time: a failure must come back.
struct Dice(u64);

impl Dice {
    /// xorshift, from 0 to below `most`.
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}
