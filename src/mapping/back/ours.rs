//! Properties of ours found by their names: one publication is asked for some seventy and has a few dozen at most, so a walk
//! down the map for each would cost more than all the rest of the way back.

use super::super::Value;

/// Places in the table; four times as many as names that it takes.
const PLACES: usize = 256;

/// A publication's properties whose names begin with `JMS` or `MQFERRY_`, in order.
pub(super) struct Ours<'a> {
    all: Vec<(&'a str, &'a Value)>,
    /// By a hash of the name: one more than the position in `all`; names that fall to one place stand in the next free ones.
    places: [u8; PLACES],
}

impl<'a> Ours<'a> {
    /// Those of these properties, which come in order of their names.
    pub(super) fn of(properties: impl Iterator<Item = (&'a str, &'a Value)>) -> Self {
        let mut ours = Self { all: Vec::with_capacity(32), places: [0; PLACES] };
        ours.all.extend(properties.filter(|(name, _)| is_ours(name)));
        if ours.all.len() <= PLACES / 4 {
            for (at, (name, _)) in (1..).zip(&ours.all) {
                let mut place = place_of(name);
                while ours.places[usize::from(place)] != 0 {
                    place = place.wrapping_add(1);
                }
                ours.places[usize::from(place)] = at;
            }
        }
        ours
    }

    /// The one of this name.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        if self.all.len() > PLACES / 4 {
            let at = self.all.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
            return self.all.get(at).map(|(_, value)| *value);
        }
        let mut place = place_of(name);
        loop {
            let at = usize::from(self.places[usize::from(place)]).checked_sub(1)?;
            match self.all.get(at) {
                Some((known, value)) if *known == name => return Some(value),
                _ => place = place.wrapping_add(1),
            }
        }
    }

    /// Those whose names begin so, in order: what follows, and the value; the whole name too.
    pub(super) fn under(&self, prefix: &'static str) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
        let from = self.all.partition_point(|(name, _)| *name < prefix);
        let rest = self.all.get(from..).unwrap_or_default();
        rest.iter().map_while(move |(name, value)| Some((*name, name.strip_prefix(prefix)?, *value)))
    }
}

/// Whether a name is one that could be ours or the provider's.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with("JMS") || name.starts_with("MQFERRY_")
}

/// Names differ in their ends and lengths.
fn place_of(name: &str) -> u8 {
    let last = name.as_bytes().last_chunk::<4>().map_or(0, |last| u32::from_le_bytes(*last));
    let mixed = (last ^ (name.len() as u32)).wrapping_mul(0x9E37_79B1);
    (mixed >> 24) as u8
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Few names, so many that the table does not take them, and such as all fall to one place: found as the map finds them.
    #[test]
    fn as_the_map_finds_them() {
        for count in [0, 1, 30, 64, 65, 300] {
            for make in [|n: usize| format!("MQFERRY_{n}"), |n| format!("JMS{n:03}same"), |n| format!("other{n}")] {
                let map: BTreeMap<_, _> = (0..count).map(|n| (make(n), Value::Int(7))).collect();
                let ours = Ours::of(map.iter().map(|(name, value)| (name.as_str(), value)));
                for name in (0..count + 5).map(make) {
                    assert_eq!(ours.get(&name), map.get(&name).filter(|_| is_ours(&name)), "{name} of {count}");
                }
                let under = ours.under("MQFERRY_2").map(|(name, rest, _)| (name.to_owned(), rest.to_owned()));
                let expected =
                    map.keys().filter_map(|name| Some((name.clone(), name.strip_prefix("MQFERRY_2")?.to_owned())));
                assert!(under.eq(expected));
            }
        }
    }
}
