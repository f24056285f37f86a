//! Which combinations are run.

use std::collections::HashSet;

/// For each axis, which of its values.
pub(crate) type Row = Vec<usize>;

/// An axis, and one of its values.
type Place = (usize, usize);

/// A part of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// What every phase is crossed with.
    Throughout,
    Handshake,
    Transfer,
    Confirm,
    Resync,
    Close,
}

impl Phase {
    pub(crate) const ALL: &[Self] =
        &[Self::Throughout, Self::Handshake, Self::Transfer, Self::Confirm, Self::Resync, Self::Close];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throughout => "throughout",
            Self::Handshake => "handshake",
            Self::Transfer => "transfer",
            Self::Confirm => "confirm",
            Self::Resync => "resync",
            Self::Close => "close, and habits",
        }
    }
}

/// One value of an option, and what it does to a case.
pub(crate) type Value<C> = (&'static str, fn(&mut C));

/// One option.
pub(crate) struct Axis<C: 'static> {
    pub(crate) phase: Phase,
    pub(crate) name: &'static str,
    pub(crate) values: &'static [Value<C>],
}

/// Values that no run has together.
pub(crate) struct Impossible {
    pub(crate) together: &'static [(&'static str, &'static str)],
    pub(crate) why: &'static str,
}

/// All options, and what cannot be together.
pub(crate) struct Table<C: 'static> {
    pub(crate) axes: &'static [Axis<C>],
    pub(crate) impossible: &'static [Impossible],
    /// Phases of which every combination is run.
    pub(crate) full: &'static [Phase],
}

pub(crate) const fn axis<C>(phase: Phase, name: &'static str, values: &'static [Value<C>]) -> Axis<C> {
    Axis { phase, name, values }
}

impl<C> Table<C> {
    /// The full product of each phase with what holds throughout. The other phases' options are drawn for each, and rows are
    /// added until each pair of values that can be together is.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut dice = Dice(0x2026_0102);
        let mut rows = Vec::new();
        let impossible = self.places();
        for phase in self.full.iter().filter(|phase| **phase != Phase::Throughout) {
            let inside: Vec<usize> = self.indices(|axis| axis.phase == *phase || axis.phase == Phase::Throughout);
            let count: usize = inside.iter().map(|&at| self.axes[at].values.len()).product();
            for mut number in 0..count {
                let mut fixed = vec![None; self.axes.len()];
                for &at in &inside {
                    fixed[at] = Some(number % self.axes[at].values.len());
                    number /= self.axes[at].values.len();
                }
                rows.extend(self.complete(&fixed, &impossible, &mut dice));
            }
        }
        let mut missing = self.pairs().difference(&self.covered(&rows)).copied().collect::<Vec<_>>();
        missing.sort_unstable();
        for ((one, one_value), (other, other_value)) in missing {
            let mut fixed = vec![None; self.axes.len()];
            (fixed[one], fixed[other]) = (Some(one_value), Some(other_value));
            rows.extend(self.complete(&fixed, &impossible, &mut dice));
        }
        rows
    }

    /// A row with these values, the others drawn; none if that cannot be.
    fn complete(&self, fixed: &[Option<usize>], impossible: &[Vec<Place>], dice: &mut Dice) -> Option<Row> {
        let mut row: Vec<Option<usize>> = fixed.to_vec();
        let fits = |row: &[Option<usize>]| {
            !impossible.iter().any(|together| together.iter().all(|&(axis, value)| row[axis] == Some(value)))
        };
        if !fits(&row) {
            return None;
        }
        for at in 0..self.axes.len() {
            while row[at].is_none() || !fits(&row) {
                row[at] = Some(dice.below(self.axes[at].values.len()));
            }
        }
        row.into_iter().collect()
    }

    fn places(&self) -> Vec<Vec<Place>> {
        let place = |&(axis, value): &(&str, &str)| {
            let at = self.axes.iter().position(|it| it.name == axis).unwrap_or_else(|| panic!("no axis {axis}"));
            let values = self.axes[at].values;
            (at, values.iter().position(|it| it.0 == value).unwrap_or_else(|| panic!("no {value} of {axis}")))
        };
        let sorted = |mut places: Vec<Place>| {
            places.sort_unstable();
            places
        };
        self.impossible.iter().map(|it| sorted(it.together.iter().map(place).collect())).collect()
    }

    /// Every pair of values that can be together, the first axis first.
    fn pairs(&self) -> HashSet<(Place, Place)> {
        let values = |at: usize| (0..self.axes[at].values.len()).map(move |value| (at, value));
        let mut pairs = HashSet::new();
        for one in 0..self.axes.len() {
            for other in one + 1..self.axes.len() {
                pairs.extend(values(one).flat_map(|a| values(other).map(move |b| (a, b))));
            }
        }
        for together in self.places() {
            if let &[one, other] = together.as_slice() {
                pairs.remove(&(one, other));
            }
        }
        pairs
    }

    fn covered(&self, rows: &[Row]) -> HashSet<(Place, Place)> {
        let most = self.axes.iter().map(|axis| axis.values.len()).max().unwrap_or(0);
        let places = self.axes.len() * most;
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
    pub(crate) fn assert_covered(&self, rows: &[Row]) {
        let covered = self.covered(rows);
        let missing: Vec<_> = self.pairs().difference(&covered).copied().collect();
        assert!(missing.is_empty(), "{} pairs of values in no run: {missing:?}", missing.len());
    }

    fn indices(&self, which: impl Fn(&Axis<C>) -> bool) -> Vec<usize> {
        (0..self.axes.len()).filter(|&at| which(&self.axes[at])).collect()
    }

    /// A row for a person.
    pub(crate) fn describe(&self, row: &Row) -> String {
        let named: Vec<_> = self
            .axes
            .iter()
            .zip(row)
            .map(|(axis, &value)| format!("{} = {}", axis.name, axis.values[value].0))
            .collect();
        named.join("; ")
    }

    /// The case of a row.
    pub(crate) fn case(&self, row: &Row) -> C
    where
        C: Default,
    {
        let mut case = C::default();
        for (axis, &value) in self.axes.iter().zip(row) {
            (axis.values[value].1)(&mut case);
        }
        case
    }

    /// Tells how often each value was run, of whatever is counted.
    pub(crate) fn tell(&self, counts: &[(&str, &[Row])]) {
        let mut phase = None;
        for (at, axis) in self.axes.iter().enumerate() {
            if phase != Some(axis.phase) {
                phase = Some(axis.phase);
                println!("{}", axis.phase.name());
            }
            for (value, (name, _)) in axis.values.iter().enumerate() {
                let of = |rows: &[Row]| rows.iter().filter(|row| row[at] == value).count();
                let counted: Vec<_> = counts.iter().map(|(what, rows)| format!("{:6} {what}", of(rows))).collect();
                println!("  {:24} {:36} {}", axis.name, name, counted.join(" "));
                assert!(of(counts[0].1) > 0, "no run with {} = {name}", axis.name);
            }
        }
        if !self.impossible.is_empty() {
            println!("not run together:");
        }
        for pair in self.impossible {
            let together: Vec<_> = pair.together.iter().map(|(axis, value)| format!("{axis} = {value}")).collect();
            println!("  {}: {}", together.join(", "), pair.why);
        }
    }
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
